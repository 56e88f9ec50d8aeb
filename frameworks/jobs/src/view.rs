//! Jobs as others see them.

use serde::{Deserialize, Serialize};

use crate::ids::{JobId, RunId, Target};
use crate::job::{Job, Outcome, Run, RunState};
use crate::queue::Queue;
use crate::spec::{Array, Spec};

/// Most runs of a job that are shown one by one.
pub const RUNS_MAX: usize = 1_000;
/// Most jobs of one page.
pub const PAGE_MAX: usize = 1_000;
/// Most jobs that are looked at for one page.
const LOOKS_MAX: usize = 20_000;
/// So many bytes of commands and variables fill a page, so that it fits one letter.
const BYTES_MAX: usize = 4 << 20;

/// Where a job or a run stands, in Retz's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Phase {
    /// It waits.
    Queued,
    /// It is launched.
    Starting,
    /// It runs.
    Started,
    /// It came to its end, with a result.
    Finished,
    /// It has ended without one.
    Killed,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobView {
    /// Its name.
    pub id: JobId,
    /// What was submitted.
    pub spec: Spec,
    /// Where it stands.
    pub state: Phase,
    /// When it was submitted, in milliseconds since 1970.
    pub submitted_ms: u64,
    /// How many runs it has.
    pub runs: u32,
    /// How many of them have not ended.
    pub open: u32,
    /// How many ended without success.
    pub failed: u32,
    /// Its runs, the first [`RUNS_MAX`] of them; none in a list.
    pub run: Vec<RunView>,
}

/// A run of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunView {
    /// Its name: that of its job unless it is one of an array.
    pub id: Target,
    /// Where it stands.
    pub state: Phase,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// What its command exited with.
    pub code: Option<i32>,
    /// What it waits for, or why it failed.
    pub reason: Option<String>,
    /// The end of what it wrote on its standard error, if it failed.
    pub stderr: Option<String>,
    /// Its last try, from 0.
    pub attempt: u32,
    /// The task of its last try, if there was one.
    pub task_id: Option<String>,
    /// The machine of its last try.
    pub host: Option<String>,
    /// Where the agent of its last try listens.
    pub agent: Option<String>,
    /// When its last try was launched, ran and ended, in milliseconds since 1970.
    pub launched_ms: Option<u64>,
    /// When it ran.
    pub started_ms: Option<u64>,
    /// When it ended.
    pub ended_ms: Option<u64>,
}

/// Which jobs are wanted. The newest come first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// Only older ones than this: where the page before ended.
    pub before: Option<JobId>,
    /// At most so many, up to [`PAGE_MAX`].
    pub limit: Option<usize>,
    /// Only those in one of these states; in any if there are none.
    #[serde(default)]
    pub states: Vec<Phase>,
    /// Only those with this tag.
    pub tag: Option<String>,
    /// Only those of this user.
    pub user: Option<String>,
    /// Only those of this application.
    pub app: Option<String>,
}

/// A page of jobs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// The jobs, the newest first.
    pub jobs: Vec<JobView>,
    /// What to ask for next with `before`, if there may be more: a page can be short of jobs, as
    /// it looks at some thousands only.
    pub next: Option<JobId>,
}

/// What an array of indices is called beside its job.
pub fn indices(array: Array) -> String {
    format!("{}-{}", array.first, array.last)
}

impl Run {
    /// Where it stands, in Retz's words.
    pub fn phase(&self) -> Phase {
        match &self.state {
            RunState::Queued | RunState::Retrying(_) => Phase::Queued,
            RunState::Active(active) if active.started_ms.is_some() => Phase::Started,
            RunState::Active(_) => Phase::Starting,
            RunState::Over(over) => match over.outcome {
                Outcome::Succeeded | Outcome::Failed => Phase::Finished,
                Outcome::TimedOut | Outcome::Killed | Outcome::Lost | Outcome::Skipped => {
                    Phase::Killed
                }
            },
        }
    }
}

impl Job {
    /// Where it stands: an array is started when one of its runs is launched, and finished when
    /// all have ended.
    pub fn phase(&self) -> Phase {
        match self.runs.as_slice() {
            [run] => run.phase(),
            _ if self.is_over() => Phase::Finished,
            _ if self.active > 0 => Phase::Started,
            _ => Phase::Queued,
        }
    }
}

impl Queue {
    /// A page of jobs.
    pub fn list(&self, query: &Query) -> Page {
        let limit = query.limit.unwrap_or(100).clamp(1, PAGE_MAX);
        let wanted = |job: &Job| {
            let spec = &job.spec;
            query.tag.as_ref().is_none_or(|tag| spec.tags.contains(tag))
                && query.user.as_ref().is_none_or(|user| spec.user == *user)
                && query.app.as_ref().is_none_or(|app| spec.app == *app)
                && (query.states.is_empty() || query.states.contains(&job.phase()))
        };
        let (mut jobs, mut next, mut bytes) = (Vec::new(), None, 0);
        let before = query.before.unwrap_or(JobId(u64::MAX));
        for (looks, job) in self.jobs_before(before).enumerate() {
            if jobs.len() == limit || looks == LOOKS_MAX || bytes >= BYTES_MAX {
                break;
            }
            next = Some(job.id);
            if wanted(job) {
                bytes += job.spec.bytes();
                jobs.push(view(job));
            }
        }
        let more = |id: &JobId| self.jobs_before(*id).next().is_some();
        let next = next.filter(more);
        Page { jobs, next }
    }

    /// What is meant by a target, with its runs; none if there is no such job or index.
    pub fn show(&self, target: Target) -> Option<JobView> {
        let job = self.job(target.job)?;
        let runs = self.runs_of(target);
        if runs.is_empty() {
            return None;
        }
        let shown = runs.into_iter().take(RUNS_MAX);
        Some(JobView {
            run: shown.filter_map(|id| self.run_view(job, id)).collect(),
            ..view(job)
        })
    }

    fn run_view(&self, job: &Job, id: RunId) -> Option<RunView> {
        let run = job.runs.get(id.place as usize)?;
        let (active, over) = (run.active(), run.over());
        let place = active
            .map(|a| &a.place)
            .or(over.and_then(|o| o.place.as_ref()));
        let waits = self.why(id).map(|why| why.to_string());
        Some(RunView {
            id: Target {
                job: job.id,
                index: job.spec.index(id.place),
            },
            state: run.phase(),
            outcome: over.map(|over| over.outcome),
            code: over.and_then(|over| over.code),
            reason: waits.or(over.and_then(|over| over.reason.clone())),
            stderr: over.and_then(|over| over.stderr.clone()),
            attempt: run.attempt,
            task_id: place.map(|_| id.task_id(run.attempt).to_string()),
            host: place.map(|place| place.hostname.clone()),
            agent: place.map(|place| place.address.clone()),
            launched_ms: active.map(|active| active.launched_ms),
            started_ms: active.map_or_else(|| over?.started_ms, |active| active.started_ms),
            ended_ms: over.map(|over| over.ended_ms),
        })
    }
}

fn view(job: &Job) -> JobView {
    JobView {
        id: job.id,
        spec: (*job.spec).clone(),
        state: job.phase(),
        submitted_ms: job.submitted_ms,
        runs: job.runs.len() as u32,
        open: job.open,
        failed: job.failed,
        run: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use sdk::Calls;

    use super::*;
    use crate::queue::Limits;
    use crate::spec::Command;

    #[test]
    fn pages_follow_each_other_to_the_oldest_job() {
        let (mut queue, mut calls) = (Queue::new(Limits::default()), Calls::default());
        for number in 0..10 {
            let mut spec = Spec::new(Command::Shell("true".to_owned()));
            spec.user = format!("user-{}", number % 2);
            queue.submit(vec![spec], &mut calls).unwrap();
        }
        let user = Some("user-1".to_owned());
        let limit = Some(2);
        let (mut query, mut seen) = (
            Query {
                user,
                limit,
                ..Query::default()
            },
            Vec::new(),
        );
        loop {
            let page = queue.list(&query);
            seen.extend(page.jobs.iter().map(|job| job.id.0));
            let Some(next) = page.next else { break };
            query.before = Some(next);
        }
        assert_eq!(seen, [10, 8, 6, 4, 2]);
        let started = Query {
            states: vec![Phase::Started],
            ..Query::default()
        };
        assert_eq!(
            queue.list(&started),
            Page {
                jobs: vec![],
                next: None
            }
        );
    }

    #[test]
    fn what_waits_says_what_for() {
        let (mut queue, mut calls) = (Queue::new(Limits::default()), Calls::default());
        let spec = Spec::new(Command::Shell("true".to_owned()));
        let id = queue.submit(vec![spec], &mut calls).unwrap()[0];
        let shown = queue
            .show(Target {
                job: id,
                index: None,
            })
            .unwrap();
        assert_eq!(shown.state, Phase::Queued);
        let reason = shown.run[0].reason.as_deref();
        assert_eq!(reason, Some("waits for an agent: none is registered"));
        assert_eq!(
            queue.show(Target {
                job: id,
                index: Some(0)
            }),
            None,
            "it is no array"
        );
    }
}
