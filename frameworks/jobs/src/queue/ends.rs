//! The end of runs and of jobs, and what it means for those that wait for them.

use sdk::Calls;

use super::share::Amounts;
use super::submit::is_met;
use super::{Queue, job_name, run_name};
use crate::ids::{JobId, RunId};
use crate::job::{Job, Outcome, Over, RunState};
use crate::spec::JobRef;

impl Queue {
    /// Ends a run, whatever it does: what is queued at once, what is launched when its agent says
    /// so. False when it has ended already, or is not there.
    pub fn kill(&mut self, id: RunId, calls: &mut Calls) -> bool {
        let Some(run) = self.run_mut(id) else {
            return false;
        };
        let task_id = id.task_id(run.attempt);
        match &mut run.state {
            RunState::Over(_) => return false,
            RunState::Active(active) => {
                active.killing = true;
                self.store(id, calls);
                calls.kill(&task_id);
            }
            RunState::Queued | RunState::Retrying(_) => {
                let reason = Some("killed before it ran".to_owned());
                self.over(id, Outcome::Killed, None, reason, calls);
            }
        }
        true
    }

    /// A run has ended.
    pub(super) fn over(
        &mut self,
        id: RunId,
        outcome: Outcome,
        code: Option<i32>,
        reason: Option<String>,
        calls: &mut Calls,
    ) {
        let mut ended = vec![(id, outcome, code, reason)];
        // Ends follow from ends; a chain of a million jobs is no deeper than one of two.
        while let Some((id, outcome, code, reason)) = ended.pop() {
            let Some(job) = self.run_over(id, outcome, code, reason, calls) else {
                continue;
            };
            for (dependent, unmet) in self.job_over(job, calls) {
                let reason = format!("job {job}, on which it depends, {unmet}");
                let runs = self
                    .jobs
                    .get(&dependent)
                    .map_or(0, |job| job.runs.len() as u32);
                let skipped = (0..runs).map(|place| {
                    let run = RunId {
                        job: dependent,
                        place,
                    };
                    (run, Outcome::Skipped, None, Some(reason.clone()))
                });
                ended.extend(skipped);
            }
        }
    }

    /// Ends one run; gives its job if that was the last one.
    fn run_over(
        &mut self,
        id: RunId,
        outcome: Outcome,
        code: Option<i32>,
        reason: Option<String>,
        calls: &mut Calls,
    ) -> Option<JobId> {
        let active = self.run(id)?.active().cloned();
        if self.run(id)?.is_over() {
            return None;
        }
        self.release(id);
        let job = self.jobs.get_mut(&id.job)?;
        self.pending.remove(&job.spec, id);
        let (place, started_ms) = match active {
            Some(active) => (Some(active.place), active.started_ms),
            None => (None, None),
        };
        job.runs.get_mut(id.place as usize)?.state = RunState::Over(Box::new(Over {
            outcome,
            code,
            reason,
            stderr: None,
            place,
            started_ms,
            ended_ms: calls.now_ms(),
        }));
        job.open -= 1;
        job.failed += u32::from(outcome != Outcome::Succeeded);
        self.open -= 1;
        let over = job.is_over();
        self.store(id, calls);
        over.then_some(id.job)
    }

    /// Gives back what a launched try has.
    pub(super) fn release(&mut self, id: RunId) {
        let Some(job) = self.jobs.get(&id.job) else {
            return;
        };
        let Some(active) = self.run(id).and_then(|run| run.active()) else {
            return;
        };
        let (user, amounts) = (&job.spec.user, Amounts::of(&active.used));
        self.shares.sub(user, amounts);
        self.active -= 1;
        if let Some(job) = self.jobs.get_mut(&id.job) {
            job.active -= 1;
        }
        if let Some(fleet) = self.fleets.get_mut(&id.job) {
            fleet.remove(&id.place.to_string());
            if fleet.is_empty() {
                self.fleets.remove(&id.job);
            }
        }
    }

    /// A job has ended: some that wait for it may run; gives those that will not, and why.
    fn job_over(&mut self, id: JobId, calls: &mut Calls) -> Vec<(JobId, &'static str)> {
        let mut unmet = Vec::new();
        for dependent in self.dependents.remove(&id).unwrap_or_default() {
            match self.depends_in_vain(dependent, id) {
                Some(why) => unmet.push((dependent, why)),
                None => self.unblock(dependent),
            }
        }
        self.ended.push_back(id);
        self.forget(calls);
        unmet
    }

    /// Why a job that waits for another one, which has ended, will not run; none if it may.
    fn depends_in_vain(&self, dependent: JobId, id: JobId) -> Option<&'static str> {
        let (dependent, over) = (self.jobs.get(&dependent)?, self.jobs.get(&id)?);
        let wants = |after: &&crate::spec::After| match &after.job {
            JobRef::Id(other) => *other == id,
            JobRef::Key(key) => over.spec.key.as_ref() == Some(key),
        };
        let mut wanted = dependent.spec.after.iter().filter(wants);
        wanted.find(|after| !is_met(over, after.on))?;
        match over.has_succeeded() {
            true => Some("has succeeded"),
            false => Some("has not succeeded"),
        }
    }

    fn unblock(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        job.blocked = job.blocked.saturating_sub(1);
        if job.blocked > 0 {
            return;
        }
        let queued = |(place, run): (usize, &crate::job::Run)| {
            let place = place as u32;
            matches!(run.state, RunState::Queued).then_some(RunId { job: id, place })
        };
        let runs: Vec<_> = job.runs.iter().enumerate().filter_map(queued).collect();
        self.pending.add(&job.spec, runs);
    }

    /// Forgets the jobs that ended first, when too many are remembered.
    fn forget(&mut self, calls: &mut Calls) {
        while self.ended.len() > self.limits.ended_max {
            let Some(job) = self.ended.pop_front().and_then(|id| self.jobs.remove(&id)) else {
                continue;
            };
            if let Some(key) = &job.spec.key {
                self.keys.remove(key);
            }
            let Job { id, runs, .. } = job;
            for place in 0..runs.len() as u32 {
                calls.expunge(run_name(RunId { job: id, place }));
            }
            calls.expunge(job_name(id));
        }
    }
}
