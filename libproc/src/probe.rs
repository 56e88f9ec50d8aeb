//! Probes: stand-ins for tests that speak a protocol and remember what they were sent.

use std::any::TypeId;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::ask::AskError;
use crate::lane::{self, AnyLane};
use crate::letter::{Owed, System};
use crate::link::ExitReason;
use crate::node::Node;
use crate::overflow::Overflow;
use crate::pid::{Pid, Upid};
use crate::process::{Kind, Run, Turn, lane_for_one};
use crate::protocol::{Accepts, Page, Wire};
use crate::worker::Here;

/// How long, in the time of the test, a probe waits for a message.
const PATIENCE: Duration = Duration::from_secs(3600);

/// A stand-in that speaks `P`. Dropped, its process stops.
pub struct Probe<P: Page> {
    node: Node,
    pid: Pid<P>,
    received: mpsc::UnboundedReceiver<Taped<P>>,
}

/// A message that reached a probe.
pub struct Received<M: Wire> {
    /// What was sent.
    pub message: M,
    /// Who sent it, if a process did.
    pub from: Option<Upid>,
    reply: Option<Owed>,
}

impl<M: Wire> Received<M> {
    /// Answers an ask.
    ///
    /// # Panics
    /// When the message was told, not asked.
    pub fn answer(self, value: M::Result) {
        self.reply
            .unwrap_or_else(|| panic!("{} was told, not asked", M::NAME))
            .send(Ok(value));
    }

    /// Whether an answer is expected.
    pub fn is_ask(&self) -> bool {
        self.reply.is_some()
    }

    /// Fails an ask as if the process had dropped it.
    pub fn fail(self) {
        self.reply
            .into_iter()
            .for_each(|reply| reply.fail(AskError::Lost));
    }
}

struct Taped<P: Page> {
    from: Option<Upid>,
    message: P::Messages,
    reply: Option<Owed>,
}

/// What probes of one protocol have in common.
trait Probed {
    const KIND: &'static Kind;
}

impl<P: Page> Probed for P {
    const KIND: &'static Kind = &Kind {
        name: || "probe",
        capacity: u32::MAX,
        overflow: Overflow::Grow,
        messages: P::MESSAGES,
        protocol: TypeId::of::<P>(),
        lane: lane_for_one::<P>,
    };
}

impl Node {
    /// A stand-in that speaks `P` under `id`.
    ///
    /// # Panics
    /// When the id is taken or no id.
    pub fn probe<P: Page>(&self, id: &str) -> Probe<P> {
        let (tape, received) = mpsc::unbounded_channel();
        let recorder = |_upid: &Upid| Recorder::<P> {
            tape,
            #[cfg(feature = "sim")]
            upid: _upid.clone(),
        };
        let settled = self.settle(Some(id), P::KIND, recorder);
        let upid = settled.unwrap_or_else(|error| panic!("could not start a probe: {error}"));
        Probe {
            node: self.clone(),
            pid: Pid::assume(upid),
            received,
        }
    }
}

impl<P: Page> Probe<P> {
    /// Its address.
    pub fn pid(&self) -> Pid<P> {
        self.pid.clone()
    }

    /// The next message.
    ///
    /// # Panics
    /// When it is not an `M`, or none comes within an hour of the test's time.
    pub async fn expect<M: Wire>(&mut self) -> M
    where
        P: Accepts<M>,
    {
        self.receive::<M>().await.message
    }

    /// The next message with its sender, and the means to answer it.
    ///
    /// # Panics
    /// When it is not an `M`, or none comes within an hour of the test's time.
    pub async fn receive<M: Wire>(&mut self) -> Received<M>
    where
        P: Accepts<M>,
    {
        let pid = self.pid.clone();
        let taped = tokio::time::timeout(PATIENCE, self.received.recv()).await;
        let taped = taped.unwrap_or_else(|_| panic!("{pid}: no {} came", M::NAME));
        self.open(taped.unwrap_or_else(|| panic!("{pid}: the probe has stopped")))
    }

    /// The next `M`; other messages before it are thrown away.
    ///
    /// # Panics
    /// When none comes within an hour of the test's time.
    pub async fn await_one<M: Wire>(&mut self) -> Received<M>
    where
        P: Accepts<M>,
    {
        let until = Instant::now() + PATIENCE;
        loop {
            let taped = tokio::time::timeout_at(until, self.received.recv()).await;
            let taped = taped.unwrap_or_else(|_| panic!("{}: no {} came", self.pid, M::NAME));
            let taped = taped.unwrap_or_else(|| panic!("{}: the probe has stopped", self.pid));
            if P::place_of(&taped.message) == P::INDEX {
                return self.open(taped);
            }
        }
    }

    /// Panics if any message is there, or comes `within`.
    ///
    /// # Panics
    /// See above.
    pub async fn expect_nothing(&mut self, within: Duration) {
        if let Ok(Some(taped)) = tokio::time::timeout(within, self.received.recv()).await {
            let name = P::name_of(&taped.message);
            panic!("{}: an unexpected {name} from {:?}", self.pid, taped.from);
        }
    }

    fn open<M: Wire>(&self, taped: Taped<P>) -> Received<M>
    where
        P: Accepts<M>,
    {
        let name = P::name_of(&taped.message);
        let message = P::unwrap(taped.message);
        Received {
            message: message
                .unwrap_or_else(|| panic!("{}: expected {}, got {name}", self.pid, M::NAME)),
            from: taped.from,
            reply: taped.reply,
        }
    }
}

impl<P: Page> Drop for Probe<P> {
    fn drop(&mut self) {
        self.node.terminate(self.pid.upid());
    }
}

/// The process behind a probe.
struct Recorder<P: Page> {
    tape: mpsc::UnboundedSender<Taped<P>>,
    /// What filters and histories need to know.
    #[cfg(feature = "sim")]
    upid: Upid,
}

impl<P: Page> Recorder<P> {
    fn record(&self, _node: &Node, from: Option<Upid>, message: P::Messages, reply: Option<Owed>) {
        let (tape, sender) = (self.tape.clone(), from.clone());
        let take = move |message, reply| {
            let from = sender.clone();
            // A probe that was dropped records no more.
            let _ = tape.send(Taped {
                from,
                message,
                reply,
            });
        };
        #[cfg(feature = "sim")]
        return crate::sim::sift_for_probe::<P>(
            _node,
            &self.upid,
            from.as_ref(),
            message,
            reply,
            take,
        );
        #[cfg(not(feature = "sim"))]
        take(message, reply);
    }
}

impl<P: Page> Run for Recorder<P> {
    fn turn(&mut self, here: &Rc<Here>, lane: &mut dyn AnyLane, _: Turn) -> Option<ExitReason> {
        for letter in std::mem::take(&mut lane::typed::<P>(lane)?.letters) {
            let (from, message, reply) = match letter.open() {
                Ok(opened) => opened,
                Err(System::Stop(reason)) => return Some(*reason),
                // Nothing else is addressed to a probe.
                Err(_) => continue,
            };
            let from = here.node().upid_of(&from);
            let reply = reply.map(|reply| Owed::new(here.node().clone(), reply));
            self.record(here.node(), from, message, reply);
        }
        None
    }

    fn rearm(&mut self, _: Instant) -> Option<Instant> {
        None
    }

    fn end(&mut self, _: &Rc<Here>, _: bool) -> Vec<Upid> {
        Vec::new()
    }

    fn link_count(&self) -> usize {
        0
    }
}
