//! Tracing across processes: which trace the letter being handled belongs to, and its span.
//!
//! A letter that is handled while tracing is on opens a span named `letter` (target
//! `libproc::trace`, level TRACE) with the fields `to`, `from`, `message`, `trace_id`, `span_id`
//! and `parent_id`. What its handler sends, asks and answers belongs to the same trace, on this
//! node and on others; an HTTP request with a `traceparent` header begins in the trace of its
//! client. Timers begin traces of their own: a periodic one would never end that of its start.
//!
//! With no subscriber that wants those spans a letter costs one look at the level that is wanted
//! and one at its own context. A node whose tracing is off passes contexts on as they came.
//!
//! ```
//! use libproc::trace::{self, TraceContext};
//!
//! let request: TraceContext = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse()?;
//! {
//!     let _entered = trace::resume(request);
//!     assert_eq!(trace::outgoing(), Some(request)); // what letters sent here carry
//! }
//! assert_eq!(trace::current(), None);
//! # Ok::<(), trace::InvalidTraceparent>(())
//! ```

use std::cell::{Cell, RefCell};
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use rand::Rng as _;
use rand::rngs::StdRng;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use tracing::level_filters::LevelFilter;
use tracing::span::EnteredSpan;

use crate::env;
use crate::pid::Upid;

/// Bytes of a context on the wire: trace id, span id, flags.
pub const TRACE_CONTEXT_BYTES: usize = 16 + 8 + 1;
/// The flag that says a trace is recorded; all others are unknown to us, and dropped.
const SAMPLED: u8 = 1;
/// Characters of a `traceparent`, version 00: version, trace id, parent id and flags.
const TRACEPARENT_LENGTH: usize = 2 + 1 + 32 + 1 + 16 + 1 + 2;

/// Which trace something belongs to, and which span of it came before: W3C's trace context.
///
/// As text it is a `traceparent`, in binary encodings [`TRACE_CONTEXT_BYTES`] bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// Never 0.
    trace_id: u128,
    /// Never 0.
    span_id: u64,
    sampled: bool,
}

impl TraceContext {
    /// The beginning of a trace that is recorded.
    #[must_use]
    pub fn new_root() -> TraceContext {
        TraceContext {
            trace_id: with_ids(|ids| ids.random_range(1..=u128::MAX)),
            span_id: new_span_id(),
            sampled: true,
        }
    }

    /// Another span of the same trace, below this one.
    #[must_use]
    pub fn child(self) -> TraceContext {
        let span_id = new_span_id();
        TraceContext { span_id, ..self }
    }

    /// The same, recorded or not.
    #[must_use]
    pub fn with_sampling(self, sampled: bool) -> TraceContext {
        TraceContext { sampled, ..self }
    }

    /// The trace: the same for everything that follows from one beginning; never 0.
    #[must_use]
    pub fn trace_id(self) -> u128 {
        self.trace_id
    }

    /// The span: one letter handled, or what its client calls it; never 0.
    #[must_use]
    pub fn span_id(self) -> u64 {
        self.span_id
    }

    /// Whether whoever began the trace wants it recorded.
    #[must_use]
    pub fn is_sampled(self) -> bool {
        self.sampled
    }

    /// The form it has in frames, big-endian.
    #[must_use]
    pub fn to_bytes(self) -> [u8; TRACE_CONTEXT_BYTES] {
        let mut bytes = [0; TRACE_CONTEXT_BYTES];
        bytes[..16].copy_from_slice(&self.trace_id.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.span_id.to_be_bytes());
        bytes[24] = u8::from(self.sampled) * SAMPLED;
        bytes
    }

    /// Reads what [`to_bytes`](TraceContext::to_bytes) wrote; none when an id is 0.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; TRACE_CONTEXT_BYTES]) -> Option<TraceContext> {
        let (trace_id, rest) = bytes.split_first_chunk::<16>()?;
        let (span_id, flags) = rest.split_first_chunk::<8>()?;
        let flags = *flags.first()?;
        TraceContext::checked(
            u128::from_be_bytes(*trace_id),
            u64::from_be_bytes(*span_id),
            flags,
        )
    }

    fn checked(trace_id: u128, span_id: u64, flags: u8) -> Option<TraceContext> {
        let sampled = flags & SAMPLED != 0;
        (trace_id != 0 && span_id != 0).then_some(TraceContext {
            trace_id,
            span_id,
            sampled,
        })
    }
}

/// As a `traceparent` of version 00.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = u8::from(self.sampled) * SAMPLED;
        write!(
            f,
            "00-{:032x}-{:016x}-{flags:02x}",
            self.trace_id, self.span_id
        )
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text is not a traceparent")]
pub struct InvalidTraceparent;

impl FromStr for TraceContext {
    type Err = InvalidTraceparent;

    /// Reads a `traceparent` of version 00, and of later versions what they share with it.
    fn from_str(text: &str) -> Result<TraceContext, InvalidTraceparent> {
        let (head, rest) = text
            .split_at_checked(TRACEPARENT_LENGTH)
            .ok_or(InvalidTraceparent)?;
        let mut parts = head.split('-');
        let mut next = |digits| hexadecimal(parts.next(), digits).ok_or(InvalidTraceparent);
        let (version, trace_id, span_id, flags) = (next(2)?, next(32)?, next(16)?, next(2)?);
        let known = match version {
            0 => rest.is_empty(),
            0xff => false,
            _ => rest.is_empty() || rest.starts_with('-'),
        };
        TraceContext::checked(trace_id, span_id as u64, flags as u8)
            .filter(|_| known)
            .ok_or(InvalidTraceparent)
    }
}

/// So many lower-case digits and nothing else.
fn hexadecimal(text: Option<&str>, digits: usize) -> Option<u128> {
    let text = text.filter(|text| text.len() == digits)?;
    let lower = text
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    lower.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

impl Serialize for TraceContext {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_bytes(&self.to_bytes())
        }
    }
}

impl<'de> Deserialize<'de> for TraceContext {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<TraceContext, D::Error> {
        if deserializer.is_human_readable() {
            let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
            return text.parse().map_err(de::Error::custom);
        }
        let bytes = serde_bytes::ByteBuf::deserialize(deserializer)?;
        let bytes = bytes.as_slice().try_into().map_err(de::Error::custom)?;
        TraceContext::from_bytes(bytes).ok_or_else(|| de::Error::custom(InvalidTraceparent))
    }
}

thread_local! {
    /// What the letter being handled on this thread belongs to.
    static CURRENT: Cell<Option<TraceContext>> = const { Cell::new(None) };
    /// Where ids come from; not in a simulation, which seeds them anew.
    static IDS: RefCell<Option<StdRng>> = const { RefCell::new(None) };
}

fn with_ids<T>(draw: impl FnOnce(&mut StdRng) -> T) -> T {
    if crate::net::in_simulation() {
        return draw(&mut env::rng_apart());
    }
    IDS.with_borrow_mut(|ids| draw(ids.get_or_insert_with(env::rng_apart)))
}

fn new_span_id() -> u64 {
    with_ids(|ids| ids.random_range(1..=u64::MAX))
}

/// The context of the letter being handled on this thread: its trace, and its own span.
#[inline]
#[must_use]
pub fn current() -> Option<TraceContext> {
    CURRENT.get()
}

/// What a letter that is sent now carries; none when tracing is off, and outside any trace.
#[inline]
#[must_use]
pub fn outgoing() -> Option<TraceContext> {
    current()
}

/// Ends, when it is dropped, what [`resume`] began: not to be held across an await.
#[must_use = "dropped at once, it covers nothing"]
pub struct Entered(Option<Inner>);

struct Inner {
    before: Option<TraceContext>,
    _span: Option<EnteredSpan>,
    _not_send: PhantomData<*const ()>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        if let Some(inner) = &self.0 {
            CURRENT.set(inner.before);
        }
    }
}

/// Lets what is sent until the guard is dropped belong to `context`, without a span of its own.
///
/// For code outside processes that begins or continues a trace.
pub fn resume(context: TraceContext) -> Entered {
    begin(context, None)
}

/// [`resume`], where there may be nothing to resume.
pub(crate) fn resume_if(context: Option<TraceContext>) -> Entered {
    context.map_or(Entered(None), resume)
}

fn begin(context: TraceContext, span: Option<EnteredSpan>) -> Entered {
    Entered(Some(Inner {
        before: CURRENT.replace(Some(context)),
        _span: span,
        _not_send: PhantomData,
    }))
}

/// Whether a letter with this context has nothing to do with tracing: one branch, and no guard to
/// be dropped, where that is so; else it is handled between [`enter`] and the end of its guard.
#[inline]
pub(crate) fn is_off(context: Option<&TraceContext>) -> bool {
    context.is_none() && LevelFilter::current() < LevelFilter::TRACE
}

/// Opens the span of a letter that carries `context`, until the guard is dropped.
#[cold]
pub(crate) fn enter(
    context: Option<TraceContext>,
    to: &Upid,
    from: Option<&Upid>,
    message: &str,
) -> Entered {
    use tracing::field::{Empty, display};
    if let Some(context) = context.filter(|context| !context.is_sampled()) {
        return resume(context);
    }
    let span = tracing::trace_span!(
        parent: None,
        "letter",
        %to,
        from = from.map(display),
        message,
        trace_id = Empty,
        span_id = Empty,
        parent_id = Empty,
    );
    if span.is_disabled() {
        return resume_if(context);
    }
    let own = context.map_or_else(TraceContext::new_root, TraceContext::child);
    span.record("trace_id", display(format_args!("{:032x}", own.trace_id)));
    span.record("span_id", display(format_args!("{:016x}", own.span_id)));
    if let Some(TraceContext { span_id, .. }) = context {
        span.record("parent_id", display(format_args!("{span_id:016x}")));
    }
    begin(own, Some(span.entered()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_context_reads_back_from_all_its_forms() {
        let context: TraceContext = TEXT.parse().expect("W3C's own example");
        assert_eq!(context.to_string(), TEXT);
        assert_eq!(context.span_id(), 0xb7ad_6b71_6920_3331);
        assert_eq!(TraceContext::from_bytes(&context.to_bytes()), Some(context));
        let json = serde_json::to_string(&context).expect("it is text");
        assert_eq!(json, format!("\"{TEXT}\""));
        assert_eq!(
            serde_json::from_str::<TraceContext>(&json).ok(),
            Some(context)
        );
        let packed = rmp_serde::to_vec(&context).expect("it is bytes");
        assert_eq!(packed.len(), 2 + TRACE_CONTEXT_BYTES);
        assert_eq!(
            rmp_serde::from_slice::<TraceContext>(&packed).ok(),
            Some(context)
        );
    }

    #[test]
    fn what_is_no_traceparent_is_refused() {
        let later = format!("cc{}-more", &TEXT[2..]);
        assert!(
            later.parse::<TraceContext>().is_ok(),
            "later versions may say more"
        );
        let upper = TEXT.to_uppercase();
        let long = format!("{TEXT}-00");
        for bad in [
            "",
            "00",
            &TEXT[..54],
            &long,
            &upper,
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331--01",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "äääääääääääääääääääääääääääääääääääääääääääääääääääääääää",
        ] {
            assert_eq!(
                bad.parse::<TraceContext>(),
                Err(InvalidTraceparent),
                "{bad}"
            );
        }
        assert_eq!(TraceContext::from_bytes(&[0; TRACE_CONTEXT_BYTES]), None);
        assert!(rmp_serde::from_slice::<TraceContext>(&[0xc4, 1, 7]).is_err());
    }

    #[test]
    fn contexts_nest_and_are_restored() {
        let outer = TraceContext::new_root();
        let inner = outer.child();
        assert_eq!(
            (inner.trace_id(), inner.is_sampled()),
            (outer.trace_id(), true)
        );
        assert_ne!(inner.span_id(), outer.span_id());
        assert_eq!(outgoing(), None);
        {
            let _outer = resume(outer);
            {
                let _inner = resume(inner);
                assert_eq!(outgoing(), Some(inner));
            }
            assert_eq!(outgoing(), Some(outer));
        }
        assert_eq!(outgoing(), None);
    }

    #[test]
    fn with_tracing_off_a_context_is_passed_on_as_it_came() {
        let to: Upid = "a@127.0.0.1:1".parse().expect("an address");
        drop(enter(None, &to, None, "Add"));
        assert_eq!(current(), None);
        let context = TraceContext::new_root();
        let entered = enter(Some(context), &to, None, "Add");
        assert_eq!(outgoing(), Some(context));
        drop(entered);
        assert_eq!(outgoing(), None);
    }
}
