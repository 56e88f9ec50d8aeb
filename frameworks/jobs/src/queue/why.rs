//! What a run waits for, in words.

use std::fmt;

use super::Queue;
use super::agents::Impossible;
use crate::ids::{JobId, RunId};
use crate::job::RunState;
use crate::spec::JobRef;

/// Runs that go before are counted up to so many.
const BEFORE_MAX: usize = 10_000;

/// What a run waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// For these jobs to end.
    Jobs(Vec<JobId>),
    /// For the time of its next try, in milliseconds since 1970.
    Retry(u64),
    /// For agents: there are none.
    NoAgents,
    /// For other agents: none there is could run it.
    Agents(Impossible),
    /// For room: so many of the same user go before it, at least if it is the most that is counted.
    Room {
        /// What it needs.
        need: String,
        /// How many go before.
        before: usize,
        /// The constraints that say where.
        constraints: Vec<String>,
    },
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Jobs(jobs) => {
                let jobs: Vec<String> = jobs.iter().map(ToString::to_string).collect();
                match jobs.as_slice() {
                    [job] => write!(f, "waits for job {job} to end"),
                    jobs => write!(f, "waits for the jobs {} to end", jobs.join(", ")),
                }
            }
            Why::Retry(_) => f.write_str("failed, and waits to be tried again"),
            Why::NoAgents => f.write_str("waits for an agent: none is registered"),
            Why::Agents(impossible) => write!(f, "waits for other agents: {impossible}"),
            Why::Room {
                need,
                before,
                constraints,
            } => {
                write!(f, "waits for an agent with {need} free")?;
                if !constraints.is_empty() {
                    write!(f, " that {} allows", constraints.join(" and "))?;
                }
                match before {
                    0 => Ok(()),
                    &BEFORE_MAX => write!(f, "; more than {before} of its user go before"),
                    before => write!(f, "; {before} of its user go before"),
                }
            }
        }
    }
}

impl Queue {
    /// What a run waits for; none if it does not.
    pub fn why(&self, id: RunId) -> Option<Why> {
        let job = self.jobs.get(&id.job)?;
        match &job.runs.get(id.place as usize)?.state {
            RunState::Active(_) | RunState::Over(_) => return None,
            RunState::Retrying(until_ms) => return Some(Why::Retry(*until_ms)),
            RunState::Queued => {}
        }
        if job.blocked > 0 {
            let jobs = job.spec.after.iter().filter_map(|after| match &after.job {
                JobRef::Id(id) => Some(*id),
                JobRef::Key(key) => self.by_key(key),
            });
            let open = |id: &JobId| self.jobs.get(id).is_some_and(|job| !job.is_over());
            return Some(Why::Jobs(jobs.filter(open).collect()));
        }
        if self.agents.is_empty() {
            return Some(Why::NoAgents);
        }
        if let Err(impossible) = self.agents.check(&job.spec) {
            return Some(Why::Agents(impossible));
        }
        Some(Why::Room {
            need: job.spec.need.to_string(),
            before: self.pending.before(&job.spec, id, BEFORE_MAX),
            constraints: job
                .spec
                .constraints
                .iter()
                .map(ToString::to_string)
                .collect(),
        })
    }
}
