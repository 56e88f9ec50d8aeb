//! The queue: what waits, what runs, what has ended. Pure: a framework whose calls are its effects.
//!
//! ```text
//!            dependencies end        an offer fits
//! Queued ───────────────────▶ Queued ─────────────▶ Active ──▶ Over
//! (blocked)                (its turn)   ▲    lost │   │ failed     ▲
//!    │                                  └─────────┘   ▼            │
//!    │ one ends otherwise               └──────── Retrying         │
//!    └─────────────────────────────────────────────────────────────┘
//! ```
//! Whatever becomes of a run is stored before anything follows from it, so that no job is lost and
//! no try is launched twice, whatever crashes.

mod agents;
mod ends;
mod graph;
mod launch;
mod pending;
mod recover;
mod share;
mod submit;
#[cfg(test)]
mod tests;
mod updates;
mod why;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use api::master::AgentSummary;
use sdk::placement::Fleet;
use sdk::{Calls, FailedTask, Framework, Kept, Subscribed, TaskUpdate};
use types::{FrameworkId, Offer, TaskId};

use self::agents::Agents;
use self::pending::Pending;
use self::share::Shares;
use crate::ids::{JobId, RunId, Target};
use crate::job::{Active, App, Job, JobRecord, Run, RunState};

pub use agents::Impossible;
pub use submit::{BATCH_MAX, Refused};
pub use why::Why;

/// How often the queue looks which agents there are.
const SURVEY: Duration = Duration::from_secs(5);

/// How a queue is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most runs that have not ended.
    pub open_max: u64,
    /// Most jobs that have ended and are remembered.
    pub ended_max: usize,
    /// How long the agent of a try may be out of sight before another one takes its place.
    pub patience: Duration,
    /// How often a run is tried again that was lost with its agent.
    pub losses_max: u32,
}

impl Default for Limits {
    /// Two million open runs, 100,000 jobs that have ended, five minutes, ten losses.
    fn default() -> Limits {
        Limits {
            open_max: 2_000_000,
            ended_max: 100_000,
            patience: Duration::from_secs(300),
            losses_max: 10,
        }
    }
}

/// A queue of jobs.
#[derive(Debug, Default)]
pub struct Queue {
    limits: Limits,
    framework_id: Option<FrameworkId>,
    jobs: BTreeMap<JobId, Job>,
    keys: HashMap<String, JobId>,
    apps: BTreeMap<String, App>,
    next: u64,
    pending: Pending,
    shares: Shares,
    agents: Agents,
    /// Jobs that wait for a job to end.
    dependents: BTreeMap<JobId, Vec<JobId>>,
    /// Where runs of jobs are whose siblings count.
    fleets: HashMap<JobId, Fleet>,
    /// Jobs that have ended, the first to be forgotten first.
    ended: VecDeque<JobId>,
    /// How many runs have not ended, and how many are launched.
    open: u64,
    active: u64,
}

impl Queue {
    /// An empty queue.
    pub fn new(limits: Limits) -> Queue {
        Queue {
            limits,
            ..Queue::default()
        }
    }

    /// The id of the framework, once it has one.
    pub fn framework_id(&self) -> Option<&FrameworkId> {
        self.framework_id.as_ref()
    }

    /// A job.
    pub fn job(&self, id: JobId) -> Option<&Job> {
        self.jobs.get(&id)
    }

    /// The job of this key.
    pub fn by_key(&self, key: &str) -> Option<JobId> {
        self.keys.get(key).copied()
    }

    /// Jobs from this one on, in the order they came.
    pub fn jobs_from(&self, id: JobId) -> impl Iterator<Item = &Job> {
        self.jobs.range(id..).map(|(_, job)| job)
    }

    /// Jobs before this one, the newest first.
    pub fn jobs_before(&self, id: JobId) -> impl Iterator<Item = &Job> {
        self.jobs.range(..id).rev().map(|(_, job)| job)
    }

    /// How many runs wait for their turn, and how many are launched.
    pub fn counts(&self) -> (u64, u64) {
        (self.pending.count(), self.active)
    }

    /// How many runs have not ended.
    pub fn open(&self) -> u64 {
        self.open
    }

    /// The applications.
    pub fn apps(&self) -> &BTreeMap<String, App> {
        &self.apps
    }

    /// Sets an application.
    ///
    /// # Errors
    /// When its name is none.
    pub fn put_app(&mut self, app: App, calls: &mut Calls) -> Result<(), Refused> {
        crate::spec::name("the application", &app.id)?;
        calls.store(format!("app/{}", app.id), &app);
        self.apps.insert(app.id.clone(), app);
        Ok(())
    }

    /// Forgets an application; its jobs go on. False when there is none of this name.
    pub fn remove_app(&mut self, id: &str, calls: &mut Calls) -> bool {
        calls.expunge(format!("app/{id}"));
        self.apps.remove(id).is_some()
    }

    /// The runs that a target means.
    pub fn runs_of(&self, target: Target) -> Vec<RunId> {
        let Some(job) = self.jobs.get(&target.job) else {
            return Vec::new();
        };
        let run = |place| RunId { job: job.id, place };
        match target.index {
            None => (0..job.runs.len() as u32).map(run).collect(),
            Some(index) => job.spec.place(index).map(run).into_iter().collect(),
        }
    }

    fn run(&self, id: RunId) -> Option<&Run> {
        self.jobs.get(&id.job)?.runs.get(id.place as usize)
    }

    /// Keeps what has become of a run.
    fn store(&self, id: RunId, calls: &mut Calls) {
        if let Some(run) = self.run(id) {
            calls.store(run_name(id), run);
        }
    }

    /// The tasks that may be there: for a framework that comes back.
    fn active_tasks(&self) -> impl Iterator<Item = (TaskId, &Active)> {
        let open = self.jobs.values().filter(|job| !job.is_over());
        let runs = open.flat_map(|job| std::iter::repeat(job.id).zip(0..).zip(&job.runs));
        runs.filter_map(|((job, place), run)| {
            let id = RunId { job, place };
            Some((id.task_id(run.attempt), run.active()?))
        })
    }
}

/// The name of the variable that keeps a run.
fn run_name(id: RunId) -> String {
    format!("run/{:016}/{:08}", id.job.0, id.place)
}

/// The name of the variable that keeps a job.
fn job_name(id: JobId) -> String {
    format!("job/{:016}", id.0)
}

impl Framework for Queue {
    fn on_restored(&mut self, kept: Kept, calls: &mut Calls) -> Result<(), state::Error> {
        self.recover(kept, calls)
    }

    fn on_subscribed(&mut self, subscribed: Subscribed, calls: &mut Calls) {
        self.framework_id = Some(subscribed.framework_id);
        // Some were about to be launched, and the master has never heard of them.
        let (mut tasks, mut kills) = (Vec::new(), Vec::new());
        for (task_id, active) in self.active_tasks() {
            if active.killing {
                kills.push(task_id.clone());
            }
            tasks.push((task_id, active.place.agent_id.clone()));
        }
        calls.reconcile_on(tasks);
        kills.iter().for_each(|task_id| calls.kill(task_id));
    }

    fn demand(&self) -> Option<u64> {
        Some(self.pending.count())
    }

    fn on_offers(&mut self, offers: Vec<Offer>, calls: &mut Calls) {
        for offer in offers {
            self.fill(&offer, calls);
        }
    }

    fn on_update(&mut self, update: TaskUpdate, calls: &mut Calls) {
        self.updated(&update, calls);
    }

    fn watches_agents(&self) -> Option<Duration> {
        Some(SURVEY)
    }

    fn on_agents(&mut self, agents: Vec<AgentSummary>, _: &mut Calls) {
        self.agents.told(agents);
    }

    fn explains_failures(&self) -> bool {
        true
    }

    fn on_failed(&mut self, failed: FailedTask, calls: &mut Calls) {
        self.explained(failed, calls);
    }

    fn on_timer(&mut self, token: u64, calls: &mut Calls) {
        self.woken(RunId::of_token(token), calls);
    }

    fn on_interrupted(&mut self, _: sdk::Interrupt, calls: &mut Calls) {
        calls.leave(); // what runs, runs on: whoever comes next goes on with it
    }
}
