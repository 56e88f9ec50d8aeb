//! News of tries: what each means for its run.

use std::time::Duration;

use sdk::{Calls, FailedTask, TaskUpdate};
use types::{Reason, TaskState};

use super::Queue;
use crate::ids::RunId;
use crate::job::{Active, Outcome, RunState};

/// How a try ended, as far as its run is concerned.
enum End {
    Succeeded,
    Failed(Outcome),
    /// Nobody is to blame: it never ran.
    Dropped,
    /// It may have run.
    Lost,
    /// It cannot run as it is.
    Invalid,
}

impl Queue {
    pub(super) fn updated(&mut self, update: &TaskUpdate, calls: &mut Calls) {
        let Some((id, attempt)) = RunId::of_task(&update.task_id) else {
            return; // of something else that uses this framework's id
        };
        let current = self.run(id).filter(|run| run.attempt == attempt);
        let Some(active) = current.and_then(|run| run.active()).cloned() else {
            // One that was given up, or ended, came into sight again.
            if !update.state.is_terminal() {
                calls.kill(&update.task_id);
            }
            return;
        };
        match update.state {
            TaskState::Staging | TaskState::Starting | TaskState::Killing => {}
            TaskState::Running => self.runs(id, update.timestamp_ms),
            TaskState::Unreachable | TaskState::Unknown => self.out_of_sight(id, calls),
            TaskState::Finished => self.ended(id, &active, update, End::Succeeded, calls),
            TaskState::Failed => {
                let outcome = match update.reason {
                    Some(Reason::MaxCompletionTimeReached) => Outcome::TimedOut,
                    Some(_) | None => Outcome::Failed,
                };
                self.ended(id, &active, update, End::Failed(outcome), calls);
            }
            TaskState::Error => self.ended(id, &active, update, End::Invalid, calls),
            TaskState::Dropped => self.ended(id, &active, update, End::Dropped, calls),
            // Killed by somebody else, an operator who drains its agent for one, is lost.
            TaskState::Killed | TaskState::Lost | TaskState::Gone | TaskState::GoneByOperator => {
                self.ended(id, &active, update, End::Lost, calls);
            }
        }
    }

    fn runs(&mut self, id: RunId, at_ms: u64) {
        if let Some(active) = self.active_mut(id) {
            active.started_ms.get_or_insert(at_ms);
            active.unseen_ms = None;
        }
    }

    fn out_of_sight(&mut self, id: RunId, calls: &mut Calls) {
        let (now_ms, patience) = (calls.now_ms(), self.limits.patience);
        if let Some(active) = self.active_mut(id)
            && active.unseen_ms.is_none()
        {
            active.unseen_ms = Some(now_ms);
            calls.after(patience, id.token());
        }
    }

    fn ended(
        &mut self,
        id: RunId,
        active: &Active,
        update: &TaskUpdate,
        end: End,
        calls: &mut Calls,
    ) {
        let code = update
            .signal
            .map(|signal| 128 + signal)
            .or(update.exit_code);
        let reason = Some(sdk::reason(update));
        if active.killing && !matches!(end, End::Succeeded) {
            return self.over(id, Outcome::Killed, code, reason, calls);
        }
        match end {
            End::Succeeded => self.over(id, Outcome::Succeeded, code.or(Some(0)), None, calls),
            End::Invalid => self.over(id, Outcome::Failed, None, reason, calls),
            End::Dropped => self.again(id, calls),
            End::Lost => self.lost(id, reason, calls),
            End::Failed(outcome) => self.failed(id, outcome, code, reason, calls),
        }
    }

    /// A try failed: there may be another one.
    fn failed(
        &mut self,
        id: RunId,
        outcome: Outcome,
        code: Option<i32>,
        reason: Option<String>,
        calls: &mut Calls,
    ) {
        let Some(job) = self.jobs.get_mut(&id.job) else {
            return;
        };
        let Some(run) = job.runs.get_mut(id.place as usize) else {
            return;
        };
        run.failures += 1;
        let Some(wait) = job.spec.retries.wait_after(run.failures) else {
            return self.over(id, outcome, code, reason, calls);
        };
        self.release(id);
        let until_ms = calls.now_ms() + wait.as_millis() as u64;
        if let Some(run) = self.run_mut(id) {
            run.attempt += 1;
            run.state = RunState::Retrying(until_ms);
        }
        self.store(id, calls);
        calls.after(wait, id.token());
    }

    /// A try was lost: there is another one, unless it may have run and must not twice.
    fn lost(&mut self, id: RunId, reason: Option<String>, calls: &mut Calls) {
        let at_most_once = self
            .jobs
            .get(&id.job)
            .is_none_or(|job| job.spec.at_most_once);
        let most = self.limits.losses_max;
        let Some(run) = self.run_mut(id) else { return };
        run.losses += 1;
        match at_most_once || run.losses > most {
            true => self.over(id, Outcome::Lost, None, reason, calls),
            false => self.again(id, calls),
        }
    }

    /// Back to the queue, for another try.
    fn again(&mut self, id: RunId, calls: &mut Calls) {
        self.release(id);
        if let Some(run) = self.run_mut(id) {
            run.attempt += 1;
            run.state = RunState::Queued;
        }
        self.store(id, calls);
        self.queue(id);
    }

    /// A timer of a run: a retry is due, or its agent was out of sight for too long.
    pub(super) fn woken(&mut self, id: RunId, calls: &mut Calls) {
        let (now_ms, patience) = (calls.now_ms(), self.limits.patience);
        let Some(run) = self.run_mut(id) else { return };
        let (attempt, state) = (run.attempt, &mut run.state);
        match state {
            RunState::Retrying(until_ms) if *until_ms <= now_ms => {
                *state = RunState::Queued;
                self.store(id, calls);
                self.queue(id);
            }
            RunState::Retrying(until_ms) => {
                calls.after(Duration::from_millis(*until_ms - now_ms), id.token());
            }
            RunState::Active(active) => {
                let Some(unseen_ms) = active.unseen_ms else {
                    return;
                };
                let due_ms = unseen_ms + patience.as_millis() as u64;
                if now_ms < due_ms {
                    return calls.after(Duration::from_millis(due_ms - now_ms), id.token());
                }
                let killing = active.killing;
                calls.kill(&id.task_id(attempt)); // should it come back
                let reason = Some("its agent is out of sight".to_owned());
                match killing {
                    true => self.over(id, Outcome::Killed, None, reason, calls),
                    false => self.lost(id, reason, calls),
                }
            }
            RunState::Queued | RunState::Over(_) => {}
        }
    }

    /// What a failed try wrote is known.
    pub(super) fn explained(&mut self, failed: FailedTask, calls: &mut Calls) {
        let Some((id, attempt)) = RunId::of_task(&failed.update.task_id) else {
            return;
        };
        let Some(run) = self.run_mut(id).filter(|run| run.attempt == attempt) else {
            return;
        };
        if let (RunState::Over(over), Some(stderr)) = (&mut run.state, failed.stderr)
            && !stderr.is_empty()
        {
            over.stderr = Some(stderr);
            self.store(id, calls);
        }
    }

    fn queue(&mut self, id: RunId) {
        if let Some(job) = self.jobs.get(&id.job) {
            self.pending.add(&job.spec, [id]);
        }
    }

    pub(super) fn run_mut(&mut self, id: RunId) -> Option<&mut crate::job::Run> {
        self.jobs.get_mut(&id.job)?.runs.get_mut(id.place as usize)
    }

    fn active_mut(&mut self, id: RunId) -> Option<&mut Active> {
        match &mut self.run_mut(id)?.state {
            RunState::Active(active) => Some(active),
            RunState::Queued | RunState::Retrying(_) | RunState::Over(_) => None,
        }
    }
}
