//! What was kept, as a queue again.

use std::time::Duration;

use sdk::{Calls, Kept};
use types::Offer;

use super::share::Amounts;
use super::{Job, JobId, JobRecord, Queue, Run, RunId, RunState};
use crate::job::{App, Outcome};
use crate::spec::JobRef;

impl Queue {
    pub(super) fn recover(
        &mut self,
        mut kept: Kept,
        calls: &mut Calls,
    ) -> Result<(), state::Error> {
        for (_, app) in kept.take_all::<App>("app/")? {
            self.apps.insert(app.id.clone(), app);
        }
        self.next = kept.take("next")?.unwrap_or(0);
        let mut runs = kept.take_all::<Run>("run/")?.into_iter().peekable();
        for (name, record) in kept.take_all::<JobRecord>("job/")? {
            let Some(id) = number(&name) else { continue };
            let mut job = Job::new(JobId(id), record.spec, record.submitted_ms);
            // Both come in the order of their names, which is that of jobs.
            while let Some((name, _)) = runs.peek() {
                let Some((of, place)) = numbers(name).filter(|(of, _)| *of <= id) else {
                    break;
                };
                let Some((_, run)) = runs.next() else { break };
                if let Some(slot) = job.runs.get_mut(place as usize).filter(|_| of == id) {
                    *slot = run;
                }
            }
            self.recovered(job, calls);
        }
        Ok(())
    }

    fn recovered(&mut self, mut job: Job, calls: &mut Calls) {
        let id = job.id;
        job.open = 0;
        job.active = job.runs.iter().filter(|run| run.active().is_some()).count() as u32;
        self.active += u64::from(job.active);
        for (place, run) in job.runs.iter().enumerate() {
            let run_id = RunId {
                job: id,
                place: place as u32,
            };
            match &run.state {
                RunState::Over(over) => {
                    job.failed += u32::from(over.outcome != Outcome::Succeeded);
                    continue;
                }
                RunState::Active(active) => {
                    self.shares.add(&job.spec.user, Amounts::of(&active.used));
                    if !job.spec.constraints.is_empty() {
                        // Attributes are not kept: only the machine counts until it ends.
                        let offer = Offer {
                            hostname: active.place.hostname.clone(),
                            ..nowhere(active.place.agent_id.clone())
                        };
                        let fleet = self.fleets.entry(id).or_default();
                        fleet.add(place.to_string(), &offer);
                    }
                }
                RunState::Retrying(until_ms) => {
                    let wait = until_ms.saturating_sub(calls.now_ms());
                    calls.after(Duration::from_millis(wait), run_id.token());
                }
                RunState::Queued => {}
            }
            job.open += 1;
        }
        self.next = self.next.max(id.0);
        if job.open == 0 {
            self.ended.push_back(id);
        }
        let before = job.spec.after.iter().filter_map(|after| match &after.job {
            JobRef::Id(id) => Some(*id),
            JobRef::Key(key) => self.keys.get(key).copied(),
        });
        let mut before: Vec<JobId> = before.collect();
        before.sort_unstable();
        before.dedup();
        self.insert(job, before.into_iter());
    }
}

/// An offer of nothing, of which constraints see the agent.
fn nowhere(agent_id: types::AgentId) -> Offer {
    Offer {
        id: types::OfferId::new("none").expect("a plain word"),
        framework_id: types::FrameworkId::new("none").expect("a plain word"),
        agent_id,
        hostname: String::new(),
        role: types::Role::any(),
        resources: types::Resources::new(),
        attributes: types::Attributes::default(),
        executor_ids: Vec::new(),
        agent_address: String::new(),
    }
}

fn number(name: &str) -> Option<u64> {
    name.split('/').nth(1)?.parse().ok()
}

fn numbers(name: &str) -> Option<(u64, u32)> {
    let place = name.split('/').nth(2)?.parse().ok()?;
    Some((number(name)?, place))
}
