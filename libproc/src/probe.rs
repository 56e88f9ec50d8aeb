//! Probes: stand-ins for tests that speak a protocol and remember what they were sent.

use std::any::Any;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::ask::AskError;
use crate::letter::{Letter, Parcel, ReplyTo};
use crate::link::ExitReason;
use crate::node::Node;
use crate::overflow::Overflow;
use crate::pid::{Pid, Upid};
use crate::process::Run;
use crate::protocol::{Accepts, Page, Wire};

/// How long, in the time of the test, a probe waits for a message.
const PATIENCE: Duration = Duration::from_secs(3600);

/// A stand-in that speaks `P`. Dropped, its process stops.
pub struct Probe<P> {
    node: Node,
    pid: Pid<P>,
    received: mpsc::UnboundedReceiver<Taped>,
}

/// A message that reached a probe.
pub struct Received<M: Wire> {
    /// What was sent.
    pub message: M,
    /// Who sent it, if a process did.
    pub from: Option<Upid>,
    reply: Option<ReplyTo>,
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

struct Taped {
    from: Option<Upid>,
    index: u16,
    parcel: Box<dyn Any + Send>,
}

impl Node {
    /// A stand-in that speaks `P` under `id`.
    ///
    /// # Panics
    /// When the id is taken or no id.
    pub fn probe<P: Page>(&self, id: &str) -> Probe<P> {
        let (tape, received) = mpsc::unbounded_channel();
        let settled = self.settle(
            Some(id),
            "probe",
            P::MESSAGES,
            (u32::MAX, Overflow::Grow),
            |_, _| Recorder { tape, ended: None },
        );
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
            if taped.index == P::INDEX {
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
            let name = P::MESSAGES[usize::from(taped.index)].name;
            panic!("{}: an unexpected {name} from {:?}", self.pid, taped.from);
        }
    }

    fn open<M: Wire>(&self, taped: Taped) -> Received<M> {
        let name = P::MESSAGES[usize::from(taped.index)].name;
        let parcel = taped.parcel.downcast::<Parcel<M>>();
        let parcel =
            parcel.unwrap_or_else(|_| panic!("{}: expected {}, got {name}", self.pid, M::NAME));
        Received {
            message: parcel.message,
            from: taped.from,
            reply: parcel.reply,
        }
    }
}

impl<P> Drop for Probe<P> {
    fn drop(&mut self) {
        self.node.terminate(self.pid.upid());
    }
}

/// The process behind a probe.
struct Recorder {
    tape: mpsc::UnboundedSender<Taped>,
    ended: Option<ExitReason>,
}

impl Run for Recorder {
    fn begin(&mut self) {}

    fn letter(&mut self, letter: Letter) {
        match letter {
            Letter::Message {
                from,
                index,
                parcel,
            } => {
                // A probe that was dropped records no more.
                let _ = self.tape.send(Taped {
                    from,
                    index,
                    parcel,
                });
            }
            Letter::Stop(reason) => self.ended = Some(reason),
            // Nothing else is addressed to a probe.
            Letter::Work(_) | Letter::Reply { .. } | Letter::Exited(_) | Letter::Http(_) => {}
        }
    }

    fn due(&mut self, _: Instant, _: u32) {}

    fn has_timers(&self) -> bool {
        false
    }

    fn rearm(&mut self, _: Instant) -> Option<Instant> {
        None
    }

    fn ending(&mut self) -> Option<ExitReason> {
        self.ended.clone()
    }

    fn end(&mut self, _: bool) -> Vec<Upid> {
        Vec::new()
    }

    fn link_count(&self) -> usize {
        0
    }
}
