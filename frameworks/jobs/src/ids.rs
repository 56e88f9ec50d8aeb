//! Names of jobs, of their runs, and of the tasks that try them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use types::TaskId;

/// Names a job: what one submission asked for. An array is one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub u64);

/// Names a run of a job: the whole of a job that is no array, one index of one that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId {
    /// The job.
    pub job: JobId,
    /// Which of its runs, counted from 0, whatever the indices of the array are.
    pub place: u32,
}

/// What people write: a job, `17`, or one index of an array, `17_3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Target {
    /// The job.
    pub job: JobId,
    /// The index in its array; none for all of it.
    pub index: Option<u32>,
}

/// It is neither a job nor an index of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no job: expected a number such as 17, or 17_3 for index 3 of an array")]
pub struct BadTarget(String);

impl RunId {
    /// The id of the task that is the try `attempt` of this run.
    pub(crate) fn task_id(self, attempt: u32) -> TaskId {
        let RunId { job, place } = self;
        TaskId::new(format!("job-{job}-{place}-{attempt}")).expect("numbers and dashes are an id")
    }

    /// The run and the try a task is of; none if it is not of ours.
    pub(crate) fn of_task(task_id: &TaskId) -> Option<(RunId, u32)> {
        let mut numbers = task_id.as_str().strip_prefix("job-")?.split('-');
        let job = JobId(numbers.next()?.parse().ok()?);
        let place = numbers.next()?.parse().ok()?;
        let attempt = numbers.next()?.parse().ok()?;
        numbers
            .next()
            .is_none()
            .then_some((RunId { job, place }, attempt))
    }

    /// The run as a number, for timers.
    pub(crate) fn token(self) -> u64 {
        (self.job.0 << 24) | u64::from(self.place)
    }

    pub(crate) fn of_token(token: u64) -> RunId {
        RunId {
            job: JobId(token >> 24),
            place: (token & 0xff_ffff) as u32,
        }
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            Some(index) => write!(f, "{}_{index}", self.job),
            None => self.job.fmt(f),
        }
    }
}

impl FromStr for Target {
    type Err = BadTarget;

    fn from_str(text: &str) -> Result<Target, BadTarget> {
        let bad = || BadTarget(text.chars().take(40).collect());
        let (job, index) = match text.split_once('_') {
            Some((job, index)) => (job, Some(index.parse().map_err(|_| bad())?)),
            None => (text, None),
        };
        let job = JobId(job.parse().map_err(|_| bad())?);
        Ok(Target { job, index })
    }
}

impl TryFrom<String> for Target {
    type Error = BadTarget;

    fn try_from(text: String) -> Result<Target, BadTarget> {
        text.parse()
    }
}

impl From<Target> for String {
    fn from(target: Target) -> String {
        target.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for text in ["17", "17_3"] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        for text in ["", "x", "17_", "_3", "17_x", "-1", "99999999999999999999"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
        let run = RunId {
            job: JobId(17),
            place: 3,
        };
        assert_eq!(RunId::of_task(&run.task_id(2)), Some((run, 2)));
        assert_eq!(RunId::of_task(&TaskId::new("job-1-2").unwrap()), None);
        assert_eq!(RunId::of_task(&TaskId::new("other").unwrap()), None);
        assert_eq!(RunId::of_token(run.token()), run);
    }
}
