//! What frameworks were told, and that no word of it contradicts another, or the truth.
//!
//! # The rule of ends
//! After FINISHED, FAILED, KILLED, ERROR, DROPPED, GONE or GONE_BY_OPERATOR no other state of a task
//! follows, also when the framework fails over in between: another instance may hear the same end
//! again, when the acknowledgement of the first was lost, but no other one. LOST may be followed by
//! anything: it is all that a framework without word of partitions hears of an agent out of sight.
//! UNREACHABLE and UNKNOWN are no ends, and turn into the true state when the agent comes back.
//!
//! Whatever ended is not running, and what FINISHED ended with exit status 0.

use std::collections::BTreeMap;
use std::time::Duration;

use api::master::AgentSummary;
use sdk::TaskUpdate;
use sdk::{Calls, ExecutorMessage, FailedTask, Failure, Framework, Interrupt, Kept, Subscribed};
use types::{AgentId, FrameworkId, Offer, OfferId, TaskId, TaskState};

use crate::record::Record;
use crate::truth::{End, Truth};

/// What a framework was told, over all its lives.
#[derive(Debug, Default)]
pub struct Tape {
    id: Option<FrameworkId>,
    tasks: BTreeMap<TaskId, Told>,
    offers: u64,
    subscriptions: u64,
    disconnections: u64,
    errors: Vec<String>,
}

/// What a framework was told of a task it launched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Where it is.
    pub agent_id: Option<AgentId>,
    /// What was heard, in order, without repetitions.
    pub states: Vec<TaskState>,
}

impl Told {
    /// The last word.
    pub fn last(&self) -> Option<TaskState> {
        self.states.last().copied()
    }

    /// The last word, if nothing may follow it.
    pub fn end(&self) -> Option<TaskState> {
        self.last().filter(|state| is_end(*state))
    }
}

fn is_end(state: TaskState) -> bool {
    state.is_terminal() && state != TaskState::Lost
}

impl Tape {
    /// The id the master gave the framework.
    pub fn id(&self) -> Option<&FrameworkId> {
        self.id.as_ref()
    }

    /// The tasks it launched, and those it was told of.
    pub fn tasks(&self) -> &BTreeMap<TaskId, Told> {
        &self.tasks
    }

    /// How many offers it got.
    pub fn offers(&self) -> u64 {
        self.offers
    }

    /// How often it was subscribed.
    pub fn subscriptions(&self) -> u64 {
        self.subscriptions
    }

    /// How often it lost the master.
    pub fn disconnections(&self) -> u64 {
        self.disconnections
    }

    /// What the master said when it refused the framework.
    pub fn errors(&self) -> &[String] {
        &self.errors
    }

    /// How many tasks were last heard of in a state.
    pub fn count(&self, state: TaskState) -> usize {
        self.tasks
            .values()
            .filter(|told| told.last() == Some(state))
            .count()
    }

    fn launched(&mut self, task_id: &TaskId, agent_id: &AgentId) {
        let told = self.tasks.entry(task_id.clone()).or_default();
        told.agent_id = Some(agent_id.clone());
    }

    fn updated(&mut self, update: &TaskUpdate, truth: &Truth) -> Result<(), String> {
        let (task, state) = (&update.task_id, update.state);
        let told = self.tasks.entry(task.clone()).or_default();
        let before = told.end();
        if told.last() != Some(state) {
            told.states.push(state);
        }
        if update.agent_id.is_some() {
            told.agent_id.clone_from(&update.agent_id);
        }
        if let Some(end) = before.filter(|end| *end != state) {
            return Err(format!("task {task} ended {end}, then became {state}"));
        }
        let Some(id) = self.id.clone().filter(|_| is_end(state)) else {
            return Ok(());
        };
        let key = (id, task.clone());
        if let Some(running) = truth.running().get(&key) {
            return Err(format!(
                "task {task} is told {state}, and runs on {}",
                running.host
            ));
        }
        let really = truth.ended(&key);
        if state == TaskState::Finished && really != Some(End::Exited(0)) {
            return Err(format!(
                "task {task} is told {state}, but ended as {really:?}"
            ));
        }
        Ok(())
    }
}

/// A framework, and a tape of what it is told.
pub(crate) struct Taped<F> {
    pub(crate) framework: F,
    pub(crate) name: String,
    pub(crate) record: Record,
}

impl<F: Framework> Taped<F> {
    /// Lets the framework do something out of turn.
    pub(crate) fn visited(&mut self, calls: &mut Calls, visit: impl FnOnce(&mut F, &mut Calls)) {
        visit(&mut self.framework, calls);
        self.note_calls(calls);
    }

    /// Notes what the framework has just launched.
    fn note_calls(&self, calls: &Calls) {
        let tasks = calls.so_far().iter().flat_map(sdk::Call::tasks);
        let launched: Vec<_> = tasks.map(|task| (&task.task_id, &task.agent_id)).collect();
        if !launched.is_empty() {
            self.record.tape_mut(&self.name, |tape, _| {
                launched
                    .iter()
                    .for_each(|(task, agent)| tape.launched(task, agent));
                Ok(())
            });
        }
    }
}

impl<F: Framework> Framework for Taped<F> {
    fn on_restored(&mut self, kept: Kept, calls: &mut Calls) -> Result<(), state::Error> {
        self.framework.on_restored(kept, calls)
    }

    fn demand(&self) -> Option<u64> {
        self.framework.demand()
    }

    fn watches_agents(&self) -> Option<Duration> {
        self.framework.watches_agents()
    }

    fn on_agents(&mut self, agents: Vec<AgentSummary>, calls: &mut Calls) {
        self.framework.on_agents(agents, calls);
        self.note_calls(calls);
    }

    fn explains_failures(&self) -> bool {
        self.framework.explains_failures()
    }

    fn on_failed(&mut self, failed: FailedTask, calls: &mut Calls) {
        self.framework.on_failed(failed, calls);
        self.note_calls(calls);
    }

    fn on_subscribed(&mut self, subscribed: Subscribed, calls: &mut Calls) {
        self.record.tape_mut(&self.name, |tape, _| {
            tape.subscriptions += 1;
            match tape.id.replace(subscribed.framework_id.clone()) {
                Some(before) if before != subscribed.framework_id => Err(format!(
                    "framework {before} became {}",
                    subscribed.framework_id
                )),
                Some(_) | None => Ok(()),
            }
        });
        self.framework.on_subscribed(subscribed, calls);
        self.note_calls(calls);
    }

    fn on_offers(&mut self, offers: Vec<Offer>, calls: &mut Calls) {
        self.record.tape_mut(&self.name, |tape, _| {
            tape.offers += offers.len() as u64;
            Ok(())
        });
        self.framework.on_offers(offers, calls);
        self.note_calls(calls);
    }

    fn on_rescinded(&mut self, offer_id: OfferId, calls: &mut Calls) {
        self.framework.on_rescinded(offer_id, calls);
        self.note_calls(calls);
    }

    fn on_update(&mut self, update: TaskUpdate, calls: &mut Calls) {
        self.record
            .tape_mut(&self.name, |tape, truth| tape.updated(&update, truth));
        self.framework.on_update(update, calls);
        self.note_calls(calls);
    }

    fn on_failure(&mut self, failure: Failure, calls: &mut Calls) {
        self.framework.on_failure(failure, calls);
        self.note_calls(calls);
    }

    fn on_message(&mut self, message: ExecutorMessage, calls: &mut Calls) {
        self.framework.on_message(message, calls);
        self.note_calls(calls);
    }

    fn on_disconnected(&mut self, calls: &mut Calls) {
        self.record.tape_mut(&self.name, |tape, _| {
            tape.disconnections += 1;
            Ok(())
        });
        self.framework.on_disconnected(calls);
        self.note_calls(calls);
    }

    fn on_error(&mut self, reason: &str, calls: &mut Calls) {
        self.record.tape_mut(&self.name, |tape, _| {
            tape.errors.push(reason.to_owned());
            Ok(())
        });
        self.framework.on_error(reason, calls);
        self.note_calls(calls);
    }

    fn on_timer(&mut self, token: u64, calls: &mut Calls) {
        self.framework.on_timer(token, calls);
        self.note_calls(calls);
    }

    fn on_interrupted(&mut self, interrupt: Interrupt, calls: &mut Calls) {
        self.framework.on_interrupted(interrupt, calls);
        self.note_calls(calls);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::Source;

    fn tell(tape: &mut Tape, state: TaskState) -> Result<(), String> {
        let update = TaskUpdate::new(TaskId::new("t").unwrap(), state, Source::Agent, 0);
        tape.updated(&update, &Truth::default())
    }

    #[test]
    fn nothing_follows_an_end_but_the_same_end() {
        let mut tape = Tape::default();
        for state in [
            TaskState::Running,
            TaskState::Unreachable,
            TaskState::Running,
        ] {
            assert_eq!(tell(&mut tape, state), Ok(()));
        }
        assert_eq!(tell(&mut tape, TaskState::Failed), Ok(()));
        assert_eq!(tell(&mut tape, TaskState::Failed), Ok(()));
        assert!(tell(&mut tape, TaskState::Gone).is_err());
    }

    #[test]
    fn what_is_lost_may_be_found() {
        let mut tape = Tape::default();
        assert_eq!(tell(&mut tape, TaskState::Lost), Ok(()));
        assert_eq!(tell(&mut tape, TaskState::Running), Ok(()));
    }
}
