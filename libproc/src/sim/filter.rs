//! Filters: a test awaits, drops, delays or doubles messages that reach a node.
//!
//! What `FUTURE_MESSAGE` and `DROP_MESSAGE` are to the tests of libprocess, typed by the message.
//!
//! # What a filter sees
//! Messages of protocols, when their turn has come: just before the handler, or before a
//! [probe](crate::Probe) notes them. It makes no difference whether they were sent on the same node
//! or on another. What never comes to be handled no filter sees: a message that a full mailbox
//! refused, that was lost with a connection, or whose process exited first. Answers, exits, timers
//! and [`Local`](crate::Local) messages are no messages of a protocol and pass.
//!
//! # What comes of a message
//! Everybody who [awaits](Filter::await_next) it is given a copy. Then the oldest rule that fits it
//! and has not been used up decides; where none does, the message is handled. One that is dropped
//! is dropped as if its process had not cared for it: an ask fails with
//! [`AskError::Lost`](crate::AskError::Lost). One that is delayed goes with its process when that
//! exits first, and messages sent after it may overtake it. A doubled one is handled, and a copy of
//! it again as soon as the process has its next turn; the copy is never an ask.

use std::any::{Any, TypeId};
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::node::Node;
use crate::pid::Upid;
use crate::protocol::Wire;

/// The rules of a node.
#[derive(Default)]
pub(crate) struct Filters {
    /// Whether there are rules at all.
    some: AtomicBool,
    rules: Mutex<Vec<Rule>>,
    next: AtomicU64,
}

struct Rule {
    number: u64,
    /// The type of message it looks for.
    message: TypeId,
    to: Option<Upid>,
    from: Option<Upid>,
    when: Option<When>,
    action: Action,
    /// Where the one message it is for is shown; none when it is for all that fit.
    once: Option<Show>,
    used: Arc<AtomicU64>,
}

/// Whether a message fits.
type When = Box<dyn FnMut(&dyn Any) -> bool + Send>;
/// Shows a message, its sender and receiver to whoever waits for it.
type Show = Box<dyn FnOnce(&dyn Any, Option<&Upid>, &Upid) + Send>;

/// What is to become of a message that is not handled as it came.
#[derive(Clone, Copy)]
pub(super) enum Action {
    Watch,
    Drop,
    Delay(Duration),
    Double,
}

/// A message that a filter saw.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen<M> {
    /// A copy of it.
    pub message: M,
    /// Who sent it, if a process did.
    pub from: Option<Upid>,
    /// Whom it was for.
    pub to: Upid,
}

/// A message to come; await it. Thrown away, its rule stays.
#[derive(Debug)]
pub struct Upcoming<M>(oneshot::Receiver<Seen<M>>);

impl<M: Wire> Future for Upcoming<M> {
    type Output = Seen<M>;

    /// # Panics
    /// When the filters were cleared, or the node is gone: then none will come.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Seen<M>> {
        let seen = Pin::new(&mut self.0).poll(cx);
        seen.map(|seen| seen.unwrap_or_else(|_| panic!("no {} will come any more", M::NAME)))
    }
}

/// A rule for all messages that fit, until it is [lifted](Standing::lift).
#[derive(Clone)]
pub struct Standing {
    node: Node,
    number: u64,
    used: Arc<AtomicU64>,
}

impl Standing {
    /// How many messages it has decided about.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.used.load(Relaxed)
    }

    /// Ends the rule. What it has delayed comes all the same.
    pub fn lift(&self) {
        let filters = &self.node.inner().filters;
        filters.change(|rules| rules.retain(|rule| rule.number != self.number));
    }
}

impl Node {
    /// Looks for messages of the type `M` that reach processes of this node: say which, and what is
    /// to become of them. The [`filter`](crate::sim::filter) page has the rules.
    #[must_use = "say what is to become of the messages"]
    pub fn filter<M: Wire>(&self) -> Filter<M> {
        Filter {
            node: self.clone(),
            to: None,
            from: None,
            when: None,
            of: PhantomData,
        }
    }

    /// Ends all rules made by [`filter`](Node::filter).
    pub fn clear_filters(&self) {
        self.inner().filters.change(Vec::clear);
    }
}

/// A rule in the making: see [`Node::filter`].
#[must_use = "say what is to become of the messages"]
pub struct Filter<M> {
    node: Node,
    to: Option<Upid>,
    from: Option<Upid>,
    when: Option<When>,
    of: PhantomData<fn() -> M>,
}

/// Which messages.
impl<M: Wire> Filter<M> {
    /// Only those for the process at `upid`.
    pub fn to(mut self, upid: &Upid) -> Filter<M> {
        self.to = Some(upid.clone());
        self
    }

    /// Only those that the process at `upid` sent.
    pub fn from(mut self, upid: &Upid) -> Filter<M> {
        self.from = Some(upid.clone());
        self
    }

    /// Only those of which `is_so` is true. It is asked about those that fit otherwise, and must
    /// not make or end rules.
    pub fn when(mut self, mut is_so: impl FnMut(&M) -> bool + Send + 'static) -> Filter<M> {
        self.when = Some(Box::new(move |message| {
            message.downcast_ref::<M>().is_some_and(&mut is_so)
        }));
        self
    }
}

/// What is to become of the next one.
impl<M: Wire> Filter<M> {
    /// Waits for the next one, from here on, and lets it pass.
    pub fn await_next(self) -> Upcoming<M> {
        self.next(Action::Watch)
    }

    /// Drops the next one.
    pub fn drop_next(self) -> Upcoming<M> {
        self.next(Action::Drop)
    }

    /// Delays the next one by `delay`; it may be overtaken.
    pub fn delay_next(self, delay: Duration) -> Upcoming<M> {
        self.next(Action::Delay(delay))
    }

    /// Has the next one come twice.
    pub fn double_next(self) -> Upcoming<M> {
        self.next(Action::Double)
    }

    fn next(self, action: Action) -> Upcoming<M> {
        let (sender, seen) = oneshot::channel();
        let show: Show = Box::new(move |message, from, to| {
            let Some(message) = message.downcast_ref::<M>() else {
                return;
            };
            let (message, from, to) = (copy(message), from.cloned(), to.clone());
            // Whoever threw the future away wants no copy.
            drop(sender.send(Seen { message, from, to }));
        });
        self.add(action, Some(show));
        Upcoming(seen)
    }
}

/// What is to become of all of them.
impl<M: Wire> Filter<M> {
    /// Drops all of them.
    pub fn drop_all(self) -> Standing {
        self.add(Action::Drop, None)
    }

    /// Delays each of them by `delay`.
    pub fn delay_all(self, delay: Duration) -> Standing {
        self.add(Action::Delay(delay), None)
    }

    /// Has each of them come twice.
    pub fn double_all(self) -> Standing {
        self.add(Action::Double, None)
    }

    fn add(self, action: Action, once: Option<Show>) -> Standing {
        let filters = &self.node.inner().filters;
        let number = filters.next.fetch_add(1, Relaxed);
        let used = Arc::new(AtomicU64::new(0));
        let rule = Rule {
            number,
            message: TypeId::of::<M>(),
            to: self.to,
            from: self.from,
            when: self.when,
            action,
            once,
            used: used.clone(),
        };
        filters.change(|rules| rules.push(rule));
        Standing {
            node: self.node,
            number,
            used,
        }
    }
}

/// A message as it would come out of the wire.
pub(super) fn copy<M: Wire>(message: &M) -> M {
    let bytes = rmp_serde::to_vec_named(message);
    let copy = bytes
        .ok()
        .and_then(|bytes| rmp_serde::from_slice(&bytes).ok());
    copy.unwrap_or_else(|| panic!("{} does not come back as it was encoded", M::NAME))
}

impl Rule {
    fn fits(&mut self, message: &dyn Any, from: Option<&Upid>, to: &Upid) -> bool {
        self.message == message.type_id()
            && self.to.as_ref().is_none_or(|wanted| wanted == to)
            && self.from.as_ref().is_none_or(|wanted| Some(wanted) == from)
            && self.when.as_mut().is_none_or(|is_so| is_so(message))
    }
}

impl Filters {
    fn change(&self, change: impl FnOnce(&mut Vec<Rule>)) {
        let mut rules = self.rules.lock();
        change(&mut rules);
        self.some.store(!rules.is_empty(), Relaxed);
    }

    /// Shows a message to all who wait for it; what is to be done with it, if not to handle it.
    pub(super) fn decide(
        &self,
        message: &dyn Any,
        from: Option<&Upid>,
        to: &Upid,
    ) -> Option<Action> {
        if !self.some.load(Relaxed) {
            return None;
        }
        let (mut shows, mut decision) = (Vec::new(), None);
        self.change(|rules| {
            rules.retain_mut(|rule| {
                let watches = matches!(rule.action, Action::Watch);
                if (!watches && decision.is_some()) || !rule.fits(message, from, to) {
                    return true;
                }
                if !watches {
                    decision = Some(rule.action);
                }
                rule.used.fetch_add(1, Relaxed);
                let show = rule.once.take();
                let stays = show.is_none();
                shows.extend(show);
                stays
            });
        });
        for show in shows {
            show(message, from, to);
        }
        decision
    }
}
