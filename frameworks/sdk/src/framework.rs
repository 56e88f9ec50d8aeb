//! The trait an author writes: what to decide when something happens.

use std::time::Duration;

use api::master::AgentSummary;
use types::{Offer, OfferId, TaskStatus};

use crate::calls::Calls;
use crate::error::ExitCode;
use crate::keeping::Kept;
use crate::post_mortem::FailedTask;

pub use api::executor::Exit;
pub use api::scheduler::{Failure, FromExecutor as ExecutorMessage, Subscribed};

/// News of a task: see [`TaskStatus`] for all it says.
pub type TaskUpdate = TaskStatus;

/// Decides what a framework does.
///
/// The struct is the memory of the framework, each method gets the next event and answers with
/// [`Calls`]. One event is handled at a time, in the order of the master. Methods must return soon:
/// long work belongs on a thread of its own, which comes back through
/// [`Remote`](crate::Remote).
///
/// The session is done for the author: subscribing and subscribing again, acknowledging what
/// [`on_update`](Framework::on_update) has seen, hiding repeated updates, reconciling, giving up
/// offers when the master is lost.
pub trait Framework: Send + Unpin + 'static {
    /// What [`Calls::store`] kept in an earlier life of the framework: comes once, before
    /// anything else, when it runs with a [state](crate::Options::kept_in).
    ///
    /// # Errors
    /// What was kept cannot be understood: the framework ends.
    fn on_restored(&mut self, _kept: Kept, _calls: &mut Calls) -> Result<(), state::Error> {
        Ok(())
    }

    /// How many tasks wait for offers. Unless it is none, offers are suppressed while it is zero,
    /// and revived when it grows, so that nobody else is kept from what is not wanted, and what was
    /// declined comes again when there is something to run on it. It is asked after each turn.
    fn demand(&self) -> Option<u64> {
        None
    }

    /// Whether [`on_failed`](Framework::on_failed) is wanted.
    fn explains_failures(&self) -> bool {
        false
    }

    /// A task ended without success, and what is known of why, with the end of what it wrote on
    /// its standard error. Comes some time after its [`on_update`](Framework::on_update), if
    /// [`explains_failures`](Framework::explains_failures).
    fn on_failed(&mut self, _failed: FailedTask, _calls: &mut Calls) {}

    /// The master took the framework in: the first time, or again after
    /// [`on_disconnected`](Framework::on_disconnected). Keep `framework_id` to come back after a
    /// restart of the framework.
    fn on_subscribed(&mut self, _subscribed: Subscribed, _calls: &mut Calls) {}

    /// Resources to use. An offer that is neither accepted nor declined stays the framework's, and
    /// nobody else's, until it is rescinded.
    fn on_offers(&mut self, offers: Vec<Offer>, calls: &mut Calls);

    /// The offer is void. Comes also for each open offer when the master is lost. Nothing to do
    /// unless the offer was kept.
    fn on_rescinded(&mut self, _offer_id: OfferId, _calls: &mut Calls) {}

    /// News of a task. Acknowledged when this returns; an update that the agent repeats comes once.
    ///
    /// Every task that was launched gets here sooner or later in a state that
    /// [is terminal](types::TaskState::is_terminal), also one that never reached its agent.
    fn on_update(&mut self, update: TaskUpdate, calls: &mut Calls);

    /// How often [`on_agents`](Framework::on_agents) is wanted.
    fn watches_agents(&self) -> Option<Duration> {
        None
    }

    /// The agents of the cluster and all that they have: when the framework has subscribed, and
    /// from then on as often as [`watches_agents`](Framework::watches_agents) says. Not over HTTP.
    fn on_agents(&mut self, _agents: Vec<AgentSummary>, _calls: &mut Calls) {}

    /// An agent was lost, or an executor. The tasks have their own updates.
    fn on_failure(&mut self, _failure: Failure, _calls: &mut Calls) {}

    /// Words of an executor, as they are, at most once.
    fn on_message(&mut self, _message: ExecutorMessage, _calls: &mut Calls) {}

    /// The master is lost. Its offers were rescinded, tasks go on, and the session looks for it
    /// again.
    fn on_disconnected(&mut self, _calls: &mut Calls) {}

    /// The master says that the framework must stop, and why. It stops after this.
    fn on_error(&mut self, _reason: &str, _calls: &mut Calls) {}

    /// The time of [`Calls::after`] has come.
    fn on_timer(&mut self, _token: u64, _calls: &mut Calls) {}

    /// Somebody wants the framework to stop: Ctrl-C or SIGTERM when it runs by [`run`](crate::run).
    ///
    /// Unless overridden it stops at once, its tasks with it. The second signal asks no more.
    fn on_interrupted(&mut self, interrupt: Interrupt, calls: &mut Calls) {
        calls.stop_with(interrupt.exit_code());
    }
}

/// What interrupted a framework.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupt {
    /// Ctrl-C in the terminal.
    CtrlC,
    /// SIGTERM of a supervisor.
    Terminate,
}

impl Interrupt {
    /// The exit code of a program that such a signal ended, as shells count.
    pub const fn exit_code(self) -> ExitCode {
        match self {
            Interrupt::CtrlC => ExitCode(130),
            Interrupt::Terminate => ExitCode(143),
        }
    }
}

/// What is shown to the author, one method of [`Framework`] each.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    Subscribed(Subscribed),
    Offers(Vec<Offer>),
    Rescinded(OfferId),
    Update(TaskUpdate),
    Failure(Failure),
    Message(ExecutorMessage),
    Disconnected,
    Error(String),
}

impl Event {
    pub(crate) fn show<F: Framework>(self, framework: &mut F, calls: &mut Calls) {
        match self {
            Event::Subscribed(subscribed) => framework.on_subscribed(subscribed, calls),
            Event::Offers(offers) => framework.on_offers(offers, calls),
            Event::Rescinded(offer_id) => framework.on_rescinded(offer_id, calls),
            Event::Update(update) => framework.on_update(update, calls),
            Event::Failure(failure) => framework.on_failure(failure, calls),
            Event::Message(message) => framework.on_message(message, calls),
            Event::Disconnected => framework.on_disconnected(calls),
            Event::Error(reason) => framework.on_error(&reason, calls),
        }
    }
}
