//! The receiving side of a connection: bytes become letters.
//!
//! What has an order (letters, answers, exits) waits while the mailbox it is for is full and its
//! process wants that, in a buffer that the sender's window bounds. What has none (links, refusals,
//! heartbeats) is handled as it comes, so that a full mailbox never looks like a dead peer.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use super::arrivals::{Arrivals, Protocol, Wanted};
use super::awake;
use super::fallen;
use super::frame::{self, BadFrame, FRAME_MAX, Frame, Kind, LENGTH, WINDOW, WINDOW_STEP};
use super::peer::Peer;
use super::sending::PeerReply;
use crate::ask::AskError;
use crate::blob;
use crate::dead::DeadReason;
use crate::lane::AnyLane;
use crate::letter::{Asker, ReplyTo, Sender};
use crate::net::ReadHalf;
use crate::node::Node;
use crate::pid::valid_id;
use crate::trace::{self, TraceContext};

/// Bytes read at once at most: what one read brings should still be in the cache when it is handled.
const READ_MAX: usize = 128 << 10;
/// Bytes read at once at first: most connections never bring more.
const READ_MIN: usize = 4 << 10;
/// So many reads in a row that bring little make the next one small again.
const SMALL_READS: u32 = 64;
/// Frames taken in before the processes of this thread get to handle them: so few letters are still
/// in the fastest caches, and in those of the allocator.
const SLICE: usize = 64;
/// Turns that others of this thread have before a mailbox is taken to be full for longer.
const FULL_LOOKS: u32 = 16;
/// How often one is looked at then.
const FULL_LOOK: Duration = Duration::from_millis(1);

pub(super) struct Reader<'a> {
    peer: Arc<Peer>,
    node: Node,
    epoch: u64,
    heard: &'a Cell<Instant>,
    arrivals: Arrivals,
    /// Letters for one process that wait to be put into its mailbox together.
    run: Option<Box<dyn AnyLane>>,
    run_to: usize,
    /// An empty lane that such letters were in, and of which protocol it is.
    spare: Option<(Protocol, Box<dyn AnyLane>)>,
    /// Of which protocol the last run was.
    protocol: Option<Protocol>,
    /// Frames taken in since the processes of this thread had their turn.
    slice: usize,
    /// What the next letter belongs to.
    trace: Option<TraceContext>,
    /// Frames taken in that were not counted yet.
    frames: u64,
    /// The run is for a process whose mailbox is full, and that wants senders to wait.
    full: bool,
    /// The peer does not read what it causes to be sent.
    overfull: bool,
    /// So many answers wait to be read by the peer that it may ask nothing.
    busy: bool,
    /// What was read and not taken in yet: blobs are parts of it.
    arrived: Bytes,
    /// Frames of the ordered lane that came while something was full.
    held: BytesMut,
    /// How many bytes that was when it was last said.
    noted: usize,
    /// Bytes of the ordered lane that were taken in, and how many of them the peer knows of.
    taken: u64,
    told: u64,
}

impl<'a> Reader<'a> {
    pub(super) fn new(peer: Arc<Peer>, epoch: u64, heard: &'a Cell<Instant>) -> Reader<'a> {
        Reader {
            node: peer.node().clone(),
            arrivals: Arrivals::new(peer.address()),
            peer,
            epoch,
            heard,
            run: None,
            run_to: 0,
            spare: None,
            protocol: None,
            slice: 0,
            trace: None,
            frames: 0,
            full: false,
            overfull: false,
            busy: false,
            arrived: Bytes::new(),
            held: BytesMut::new(),
            noted: 0,
            taken: 0,
            told: 0,
        }
    }

    /// Takes in what comes until the connection ends.
    ///
    /// # Errors
    /// When it breaks, or brings what is no frame.
    pub(super) async fn run(&mut self, mut read: ReadHalf, mut unread: BytesMut) -> io::Result<()> {
        let stay_awake = self.node.limits().stay_awake;
        let (mut room, mut small) = (READ_MIN, 0);
        loop {
            self.digest(&mut unread).await?;
            if unread.is_empty() && small >= SMALL_READS {
                (unread, room, small) = (BytesMut::new(), READ_MIN, 0);
                self.spare = None;
            }
            unread.reserve(room);
            let count = if self.waits() {
                let mut limited = (&mut read).take(room as u64);
                tokio::select! {
                    biased;
                    count = limited.read_buf(&mut unread) => count?,
                    () = tokio::time::sleep(FULL_LOOK) => continue,
                }
            } else {
                (&mut read).take(room as u64).read_buf(&mut unread).await?
            };
            if count == 0 {
                return Ok(());
            }
            if count == room {
                room = READ_MAX.min(4 * room);
            }
            small = if count < room / 8 { small + 1 } else { 0 };
            if !stay_awake.is_zero() {
                awake::read_something(stay_awake);
            }
            self.heard.set(Instant::now());
            self.node.counters().bytes_received.add(count as u64);
        }
    }

    /// Takes in what was read, a slice at a time.
    async fn digest(&mut self, unread: &mut BytesMut) -> io::Result<()> {
        self.arrived = std::mem::take(unread).freeze();
        let mut looks = 0;
        loop {
            (self.busy, self.overfull) = self.peer.pressure(self.epoch);
            self.deliver();
            let digested = self.digest_slice();
            self.deliver();
            let more = digested.map_err(|bad| self.refuse(&bad))?;
            self.tell_taken();
            self.note_held();
            // What fills a mailbox is often handled at once.
            let look = self.waits() && looks < FULL_LOOKS;
            if !more && !look {
                break;
            }
            looks += u32::from(look);
            self.slice = 0;
            yield_once().await;
        }
        if !self.arrived.is_unique() {
            // What has become a part of a letter is likely to be handled at once.
            yield_once().await;
        }
        let rest = std::mem::take(&mut self.arrived).try_into_mut();
        *unread = rest.unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        Ok(())
    }

    /// Takes in up to a slice; whether there is more that could be taken in at once.
    fn digest_slice(&mut self) -> Result<bool, BadFrame> {
        if !self.held.is_empty() && !self.waits() {
            let mut held = std::mem::take(&mut self.held);
            let passed = self.pass(&held, false);
            held.advance(*passed.as_ref().unwrap_or(&0));
            self.held = held;
            passed?;
            if self.slice >= SLICE {
                return Ok(true);
            }
            if self.held.is_empty() {
                self.held = BytesMut::new();
            }
        }
        let mut arrived = std::mem::take(&mut self.arrived);
        let shared = blob::share(&arrived);
        let passed = self.pass(&arrived, true);
        drop(shared);
        arrived.advance(passed?);
        self.arrived = arrived;
        Ok(self.slice >= SLICE)
    }

    /// Takes in frames until a slice is full; those of the ordered lane only while nothing waits,
    /// and else holds them if they are `fresh`. How many bytes that took.
    fn pass(&mut self, bytes: &[u8], fresh: bool) -> Result<usize, BadFrame> {
        let mut taken = 0;
        while self.slice < SLICE {
            let Some(frame) = frame::split(&bytes[taken..])? else {
                break;
            };
            let length = frame.length();
            self.slice += 1;
            self.frames += 1;
            if frame.kind.is_control() {
                self.control(frame)?;
                taken += length;
                continue;
            }
            if !self.continues_run(&frame) {
                self.deliver();
            }
            if self.waits() || (fresh && !self.held.is_empty()) {
                if !fresh {
                    break;
                }
                if self.held.len() > WINDOW + FRAME_MAX + LENGTH {
                    return Err(BadFrame::Window);
                }
                self.held.extend_from_slice(&bytes[taken..taken + length]);
            } else {
                self.ordered(frame)?;
                self.taken += length as u64;
            }
            taken += length;
        }
        Ok(taken)
    }

    /// Whether frames of the ordered lane have to wait.
    fn waits(&self) -> bool {
        self.full || self.overfull
    }

    /// Whether a frame is one more letter for the process that the gathered ones are for. Anything
    /// else waits until those are delivered, so that nothing overtakes them.
    fn continues_run(&self, frame: &Frame<'_>) -> bool {
        match (frame.kind, frame.body.first_chunk::<4>()) {
            (Kind::Letter | Kind::Ask, Some(to)) => self.run_to == u32::from_le_bytes(*to) as usize,
            _ => false,
        }
    }

    fn refuse(&self, bad: &BadFrame) -> io::Error {
        self.node.counters().bad_frames.add(1);
        io::Error::new(io::ErrorKind::InvalidData, bad.to_string())
    }

    /// Says how much was taken in, now and then.
    fn tell_taken(&mut self) {
        let frames = std::mem::take(&mut self.frames);
        self.node.counters().frames_received.add(frames);
        if self.taken - self.told >= WINDOW_STEP as u64 {
            self.told = self.taken;
            self.peer.took_in(self.epoch, self.taken);
        }
    }

    /// Lets those who look see how much waits.
    fn note_held(&mut self) {
        if self.noted != self.held.len() {
            self.noted = self.held.len();
            self.peer.holds(self.noted);
        }
    }

    fn control(&mut self, Frame { kind, body }: Frame<'_>) -> Result<(), BadFrame> {
        let epoch = self.epoch;
        match kind {
            Kind::Link if self.overfull && self.peer.is_swamped(epoch) => {
                return Err(BadFrame::Unread);
            }
            Kind::Link => self.peer.watch(epoch, checked(frame::text(body)?)?),
            Kind::Unlink => self.peer.unwatch(epoch, checked(frame::text(body)?)?),
            Kind::Ping => self.peer.beat(epoch, Kind::Pong),
            Kind::Refused => {
                let (number, body) = frame::number(body)?;
                self.peer.failed(epoch, number, body);
            }
            Kind::Consumed => {
                let (bytes, _) = frame::number(body)?;
                if !self.peer.consumed(epoch, bytes) {
                    return Err(BadFrame::Window);
                }
            }
            // A pong has done its work by being heard; the others are of the ordered lane.
            _ => {}
        }
        Ok(())
    }

    #[inline]
    fn ordered(&mut self, Frame { kind, body }: Frame<'_>) -> Result<(), BadFrame> {
        let epoch = self.epoch;
        match kind {
            Kind::Letter => self.letter(body, None)?,
            Kind::Ask => {
                let (address, rest) = frame::address(body)?;
                let (number, _) = frame::number(rest)?;
                let asker = PeerReply {
                    peer: self.peer.clone(),
                    epoch,
                    number,
                };
                let reply = ReplyTo(Asker::Peer(Box::new(asker)));
                if self.busy {
                    // Not worth a turn of the process: the answer could not be sent.
                    self.trace = None;
                    self.arrivals.check(address)?;
                    reply.fail(AskError::Busy, &self.node);
                    return Ok(());
                }
                self.letter(body, Some(reply))?;
            }
            Kind::Reply => {
                let (number, body) = frame::number(body)?;
                self.peer.answered(epoch, number, body);
            }
            Kind::Failed => {
                let (number, body) = frame::number(body)?;
                self.peer.failed(epoch, number, body);
            }
            Kind::To => {
                let target = self.node.target(checked(frame::text(body)?)?);
                self.arrivals.define_to(target)?;
            }
            Kind::From => self.arrivals.define_from(checked(frame::text(body)?)?)?,
            Kind::Name => self.arrivals.define_name(frame::text(body)?)?,
            Kind::Forget => self.arrivals.forget(),
            Kind::Exited => {
                let exited = crate::body::decode::<(Box<str>, crate::ExitReason)>(body);
                let (id, reason) = exited.map_err(|_| BadFrame::Text)?;
                self.peer.exited(epoch, &id, &reason);
            }
            Kind::Trace => {
                let context = body.try_into().ok().and_then(TraceContext::from_bytes);
                self.trace = Some(context.ok_or(BadFrame::Text)?);
            }
            // The other lane's.
            Kind::Link
            | Kind::Unlink
            | Kind::Ping
            | Kind::Pong
            | Kind::Refused
            | Kind::Consumed => {}
        }
        Ok(())
    }

    #[inline]
    fn letter(&mut self, body: &[u8], reply: Option<ReplyTo>) -> Result<(), BadFrame> {
        // Of this letter alone, whatever comes of it.
        let context = self.trace.take();
        let (address, mut body) = frame::address(body)?;
        if reply.is_some() {
            body = frame::number(body)?.1;
        }
        let (reason, error, reply) = match self.arrivals.find(&self.node, address)? {
            Wanted::Message(from, protocol, decode) => {
                self.run_to = address.to as usize;
                let run = match &mut self.run {
                    Some(run) => run,
                    none => {
                        self.protocol = Some(protocol);
                        let spare = self.spare.take().filter(|(of, _)| of.is(&protocol));
                        none.insert(spare.map_or_else(protocol.lane, |(_, lane)| lane))
                    }
                };
                let from = Sender::Afar(from);
                let decoded = match context {
                    None => decode(body, from, reply, &mut **run),
                    Some(context) => {
                        let _entered = trace::resume(context);
                        decode(body, from, reply, &mut **run)
                    }
                };
                let Err((error, reply)) = decoded else {
                    return Ok(());
                };
                let (to, from, name) = self.arrivals.describe(address);
                tracing::warn!(%to, %from, %name, %error, "undecodable message");
                (DeadReason::Undecodable, AskError::Undecodable, reply)
            }
            Wanted::NoProcess => (DeadReason::NoProcess, AskError::NoProcess, reply),
            Wanted::NotAccepted => {
                let (to, from, name) = self.arrivals.describe(address);
                tracing::debug!(%to, %from, %name, "message not accepted");
                (DeadReason::NotAccepted, AskError::NotAccepted, reply)
            }
        };
        let (to, from, name) = self.arrivals.describe(address);
        let from = Sender::Afar(from.clone());
        self.node.dead_here(reason, to, &from, name);
        if let Some(reply) = reply {
            reply.fail(error, &self.node);
        }
        Ok(())
    }

    /// Puts the gathered letters into the mailbox they are for, as far as its process takes them.
    fn deliver(&mut self) {
        let Some(run) = &mut self.run else { return };
        if let Some(target) = self.arrivals.target(self.run_to) {
            self.node.deliver(target, &mut **run);
        }
        self.full = run.len() > 0;
        if !self.full {
            // The next run is likely to be of the same protocol.
            self.spare = self.protocol.zip(self.run.take());
        }
    }
}

impl Reader<'_> {
    /// Counts and reports the letters that waited, encoded, for the one before them to get in.
    fn bury_held(&mut self, reason: DeadReason) {
        let held = std::mem::take(&mut self.held);
        let (mut rest, mut letters) = (&held[..], 0);
        while let Ok(Some(frame)) = frame::split(rest) {
            rest = &rest[frame.length()..];
            match frame.kind {
                Kind::Letter | Kind::Ask => letters += 1,
                // What later letters are named by; that it is wrong matters no more.
                Kind::To | Kind::From | Kind::Name | Kind::Forget => drop(self.ordered(frame)),
                _ => {}
            }
            let (Kind::Letter | Kind::Ask, Ok((address, _))) =
                (frame.kind, frame::address(frame.body))
            else {
                continue;
            };
            let known = self.arrivals.check(address).is_ok();
            if known && letters <= fallen::REPORTED_MAX as u64 {
                let (to, from, name) = self.arrivals.describe(address);
                let from = Sender::Afar(from.clone());
                self.node.report_here(reason, to, &from, name);
            }
        }
        self.node.dead_office().add(reason, letters);
        if letters > fallen::REPORTED_MAX as u64 {
            let peer = self.peer.address();
            tracing::warn!(%peer, letters, "letters that waited for room were lost with a connection");
        }
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let reason = DeadReason::Disconnected;
        if let Some(mut run) = self.run.take() {
            let id = self
                .arrivals
                .target(self.run_to)
                .map(|target| target.id.clone());
            let id = id.unwrap_or_default();
            self.node.refuse_all(reason, &id, &mut *run);
        }
        self.bury_held(reason);
        self.peer.holds(0);
    }
}

/// Lets everything else of this thread that is ready run once, without asking the system for more.
async fn yield_once() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn checked(id: &str) -> Result<&str, BadFrame> {
    if valid_id(id) {
        Ok(id)
    } else {
        Err(BadFrame::Text)
    }
}
