//! The session of a framework with its master: pure, inputs in and outputs out, in order.
//!
//! ```text
//! Detached ──▶ Subscribing ──▶ Subscribed
//!                 ▲    │           │ link broken: offers rescinded
//!      backoff    │    ▼           ▼
//!                 └── Disconnected ◀
//! ```
//! Any of them ends by the author's word, by the master's, or when nobody ever answered.

mod calls;
mod recent;
mod tasks;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::time::Duration;

use api::master::{
    Accept, Acknowledge, Decline, Kill, Reconcile, Revive, ShutdownExecutor, Suppress, ToExecutor,
};
use api::scheduler::{Failure, FromExecutor, Subscribed};
use rand::Rng;
use rand::rngs::StdRng;
use types::{FrameworkId, FrameworkInfo, Offer, OfferId, Role, TaskStatus};

use self::calls::{reconcile, tell_kill};
use self::tasks::Tasks;
use crate::calls::Call;
use crate::error::ExitCode;
use crate::framework::Event;

/// The wait before the second attempt to subscribe; it doubles with every further one.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
/// The longest wait between two attempts to subscribe.
const LONGEST_BACKOFF: Duration = Duration::from_secs(15);
/// How often tasks without news are looked at.
const TICK: Duration = Duration::from_secs(10);
/// How many tasks one message asks for, so that none is too large to send.
const QUESTIONS_MAX: usize = 1_000;

/// What happens to a session.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Input {
    /// It begins.
    Start,
    Subscribed(Subscribed),
    Offers(Vec<Offer>),
    Rescinded(OfferId),
    Updated(TaskStatus),
    Failed(Failure),
    Said(FromExecutor),
    Rejected(String),
    /// The link to the master broke, or there was nothing to link to.
    Broken,
    /// A wake that was ordered.
    Woken(Wake),
    /// The author calls.
    Called(Call),
    /// A task that could not be launched, told in a turn of its own.
    Dropped(TaskStatus),
}

/// What the shell is to do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Output {
    /// Watch the master.
    Link,
    /// Send to the master.
    Tell(ToMaster),
    /// Show to the author, and carry out what the author calls before going on.
    Show(Event),
    /// Give this back after a time.
    Wake(Duration, Wake),
    /// Give this back in a turn of its own.
    Again(Input),
    /// Call the author with this token after a time.
    Timer(Duration, u64),
    /// Tell the master that the framework is done, if it has an id here; then end.
    End(Option<FrameworkId>, Ending),
}

/// What a session wants to be woken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wake {
    /// To subscribe again, unless things went on since this round.
    Subscribe(u64),
    /// To end when nobody has ever answered.
    GiveUp,
    /// To look at tasks without news.
    Tick,
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    Code(ExitCode),
    Failed(String),
    NoMaster,
    NoAnswer,
    Rejected(String),
}

/// Messages for the master.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ToMaster {
    Subscribe(Box<FrameworkInfo>, Vec<Role>),
    Accept(Accept),
    Decline(Decline),
    Revive(Revive),
    Suppress(Suppress),
    Kill(Kill),
    ShutdownExecutor(ShutdownExecutor),
    Acknowledge(Acknowledge),
    Reconcile(Reconcile),
    ToExecutor(ToExecutor),
}

enum Phase {
    /// Nothing was done yet.
    Detached,
    /// The master was asked to take the framework in.
    Subscribing,
    /// It did, under this id.
    Subscribed(FrameworkId),
    /// The master is lost; the next attempt is ordered.
    Disconnected,
    /// It is over.
    Ended,
}

pub(crate) struct Session {
    info: FrameworkInfo,
    /// How long to wait for the first answer; for ever if none.
    patience: Option<Duration>,
    rng: StdRng,
    phase: Phase,
    /// Counts attempts to subscribe, so that an outdated wake is known.
    round: u64,
    /// Attempts since the last success.
    attempts: u32,
    /// Whether the master ever took the framework in.
    admitted: bool,
    /// Whether the link ever broke.
    broken: bool,
    /// Offers the author may still use.
    offers: BTreeSet<OfferId>,
    suppressed: BTreeSet<Role>,
    tasks: Tasks,
    /// The master is to be asked for all it knows at the next subscription.
    ask_all: bool,
    /// Whether a tick is ordered.
    ticking: bool,
}

impl Session {
    pub(crate) fn new(info: FrameworkInfo, patience: Option<Duration>, rng: StdRng) -> Session {
        Session {
            // Who comes back under an id may have left tasks running.
            ask_all: info.id.is_some(),
            info,
            patience,
            rng,
            phase: Phase::Detached,
            round: 0,
            attempts: 0,
            admitted: false,
            broken: false,
            offers: BTreeSet::new(),
            suppressed: BTreeSet::new(),
            tasks: Tasks::new(),
            ticking: false,
        }
    }

    /// It comes back under this id, and may have left tasks running.
    pub(crate) fn known_as(&mut self, id: FrameworkId) {
        self.info.id = Some(id);
        self.ask_all = true;
    }

    /// The id of the framework, once the master gave it one.
    pub(crate) fn id(&self) -> Option<FrameworkId> {
        self.info.id.clone()
    }

    /// Takes one input; returns what the shell must do, in order.
    ///
    /// The author is shown something only by what the master said or a wake, never by a call: so
    /// the shell does not call itself without end.
    pub(crate) fn step(&mut self, now_ms: u64, input: Input) -> Vec<Output> {
        let mut outputs = match (&self.phase, input) {
            (Phase::Ended, _) => return vec![],
            (Phase::Detached, Input::Start) => self.start(),
            (_, Input::Called(call)) => self.call(now_ms, call),
            (_, Input::Dropped(status)) => vec![Output::Show(Event::Update(status))],
            (_, Input::Woken(wake)) => self.woken(wake),
            (_, Input::Rejected(reason)) => self.rejected(reason),
            (Phase::Subscribing, Input::Subscribed(subscribed)) => self.subscribed(subscribed),
            (Phase::Subscribing | Phase::Subscribed(_), Input::Broken) => self.disconnected(),
            (Phase::Subscribed(_), Input::Offers(offers)) => self.offered(offers),
            (Phase::Subscribed(_), Input::Rescinded(offer_id)) => self.rescinded(offer_id),
            (Phase::Subscribed(id), Input::Updated(status)) => self.updated(id.clone(), status),
            (Phase::Subscribed(_), Input::Failed(failure)) => {
                vec![Output::Show(Event::Failure(failure))]
            }
            (Phase::Subscribed(_), Input::Said(message)) => {
                vec![Output::Show(Event::Message(message))]
            }
            // A subscription that was asked for twice is answered twice.
            (
                Phase::Detached | Phase::Subscribed(_) | Phase::Disconnected,
                Input::Subscribed(_),
            ) => {
                vec![]
            }
            // From a master that is lost already, or before its answer. Updates are repeated,
            // offers are rescinded there as well.
            (
                Phase::Detached | Phase::Subscribing | Phase::Disconnected,
                Input::Offers(_)
                | Input::Rescinded(_)
                | Input::Updated(_)
                | Input::Failed(_)
                | Input::Said(_),
            ) => vec![],
            (Phase::Detached | Phase::Disconnected, Input::Broken) => vec![],
            (Phase::Subscribing | Phase::Subscribed(_) | Phase::Disconnected, Input::Start) => {
                vec![]
            }
        };
        if !self.ticking && self.tasks.is_waiting() {
            self.ticking = true;
            outputs.push(Output::Wake(TICK, Wake::Tick));
        }
        outputs
    }
}

/// Subscribing.
impl Session {
    fn start(&mut self) -> Vec<Output> {
        let mut outputs = self.subscribe();
        if let Some(patience) = self.patience {
            outputs.push(Output::Wake(patience, Wake::GiveUp));
        }
        outputs
    }

    fn subscribe(&mut self) -> Vec<Output> {
        self.phase = Phase::Subscribing;
        let suppressed = self.suppressed.iter().cloned().collect();
        let subscribe = ToMaster::Subscribe(Box::new(self.info.clone()), suppressed);
        vec![
            Output::Link,
            Output::Tell(subscribe),
            self.wake_to_subscribe(),
        ]
    }

    fn wake_to_subscribe(&mut self) -> Output {
        self.round += 1;
        let longest = FIRST_BACKOFF
            .saturating_mul(1 << self.attempts.min(16))
            .min(LONGEST_BACKOFF);
        self.attempts = self.attempts.saturating_add(1);
        // Half of it by chance, so that the frameworks of a lost master do not come all at once.
        let wait = longest.mul_f64(self.rng.random_range(0.5..=1.0));
        Output::Wake(wait, Wake::Subscribe(self.round))
    }

    fn woken(&mut self, wake: Wake) -> Vec<Output> {
        match (&self.phase, wake) {
            (Phase::Subscribing | Phase::Disconnected, Wake::Subscribe(round))
                if round == self.round =>
            {
                self.subscribe()
            }
            (_, Wake::GiveUp) if !self.admitted => {
                let ending = match self.broken {
                    true => Ending::NoMaster,
                    false => Ending::NoAnswer,
                };
                self.end(None, ending)
            }
            (_, Wake::Tick) => self.tick(),
            // Outdated: an answer came, or another attempt was ordered since.
            (_, Wake::Subscribe(_) | Wake::GiveUp) => vec![],
        }
    }

    fn subscribed(&mut self, subscribed: Subscribed) -> Vec<Output> {
        let framework_id = subscribed.framework_id.clone();
        if self
            .info
            .id
            .as_ref()
            .is_some_and(|ours| *ours != framework_id)
        {
            // The answer to an attempt of somebody else, or of long ago.
            return vec![];
        }
        self.info.id = Some(framework_id.clone());
        self.phase = Phase::Subscribed(framework_id.clone());
        self.attempts = 0;
        self.admitted = true;
        let mut outputs = vec![Output::Show(Event::Subscribed(subscribed))];
        if std::mem::take(&mut self.ask_all) {
            outputs.push(reconcile(&framework_id, &[]));
        }
        let questions = self.tasks.ask_all();
        outputs.extend(
            questions
                .chunks(QUESTIONS_MAX)
                .map(|part| reconcile(&framework_id, part)),
        );
        let kills = self.tasks.kills();
        outputs.extend(kills.into_iter().map(|kill| tell_kill(&framework_id, kill)));
        outputs
    }

    fn disconnected(&mut self) -> Vec<Output> {
        let was_subscribed = matches!(self.phase, Phase::Subscribed(_));
        self.phase = Phase::Disconnected;
        self.broken = true;
        let offers = std::mem::take(&mut self.offers).into_iter();
        let mut outputs: Vec<_> = offers
            .map(|offer_id| Output::Show(Event::Rescinded(offer_id)))
            .collect();
        if was_subscribed {
            outputs.push(Output::Show(Event::Disconnected));
        }
        outputs.push(self.wake_to_subscribe());
        outputs
    }

    fn rejected(&mut self, reason: String) -> Vec<Output> {
        let mut outputs = vec![Output::Show(Event::Error(reason.clone()))];
        outputs.extend(self.end(None, Ending::Rejected(reason)));
        outputs
    }

    fn end(&mut self, teardown: Option<FrameworkId>, ending: Ending) -> Vec<Output> {
        self.phase = Phase::Ended;
        vec![Output::End(teardown, ending)]
    }
}

/// What the master says.
impl Session {
    fn offered(&mut self, mut offers: Vec<Offer>) -> Vec<Output> {
        let (ours, open) = (&self.info.id, &mut self.offers);
        offers.retain(|offer| {
            ours.as_ref() == Some(&offer.framework_id) && open.insert(offer.id.clone())
        });
        match offers.is_empty() {
            true => vec![],
            false => vec![Output::Show(Event::Offers(offers))],
        }
    }

    fn rescinded(&mut self, offer_id: OfferId) -> Vec<Output> {
        // The author answered while this was on its way: then the master knows what to do.
        match self.offers.remove(&offer_id) {
            true => vec![Output::Show(Event::Rescinded(offer_id))],
            false => vec![],
        }
    }

    fn updated(&mut self, framework_id: FrameworkId, status: TaskStatus) -> Vec<Output> {
        let acknowledge = status.update_id.zip(status.agent_id.clone());
        let acknowledge = acknowledge.map(|(update_id, agent_id)| {
            let task_id = status.task_id.clone();
            Output::Tell(ToMaster::Acknowledge(Acknowledge {
                framework_id,
                agent_id,
                task_id,
                update_id,
            }))
        });
        let shown = self.tasks.updated(&status);
        let show = shown.then_some(Output::Show(Event::Update(status)));
        show.into_iter().chain(acknowledge).collect()
    }

    fn tick(&mut self) -> Vec<Output> {
        self.ticking = false;
        let Phase::Subscribed(framework_id) = &self.phase else {
            return vec![];
        };
        let due = self.tasks.tick();
        due.chunks(QUESTIONS_MAX)
            .map(|part| reconcile(framework_id, part))
            .collect()
    }
}
