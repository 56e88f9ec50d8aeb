//! Submission: all of a batch is taken in, or none of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sdk::Calls;

use super::agents::Impossible;
use super::{Queue, graph, job_name};
use crate::ids::{JobId, RunId};
use crate::job::{Job, JobRecord};
use crate::spec::{BadSpec, JobRef, On, Spec};

/// Most jobs of one submission.
pub const BATCH_MAX: usize = 10_000;

/// Why a submission is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// A job is not what one can be.
    #[error("{0}")]
    Bad(#[from] BadSpec),
    /// Nothing is submitted, or too much at once.
    #[error("a submission has 1 to {BATCH_MAX} jobs")]
    Count,
    /// The key is another job's.
    #[error("there is a job {id} of the key {key:?} already")]
    Duplicate {
        /// The key.
        key: String,
        /// The job.
        id: JobId,
    },
    /// Two jobs of the submission have the same key.
    #[error("two jobs of the submission have the key {0:?}")]
    Twice(String),
    /// A dependency is not there.
    #[error("there is no job {0} to depend on")]
    NoSuchJob(String),
    /// A dependency has ended already, and not as it should.
    #[error("job {0}, on which it depends, has ended otherwise already")]
    EndedOtherwise(JobId),
    /// Jobs wait for each other.
    #[error("the jobs {} wait for each other in a circle", .0.join(" → "))]
    Cycle(Vec<String>),
    /// There is no such application.
    #[error("there is no application {0:?}: load it first")]
    NoSuchApp(String),
    /// No agent there is could ever run it.
    #[error("no agent could ever run it: {0}")]
    Impossible(#[from] Impossible),
    /// The queue is full.
    #[error("the queue has {open} runs that have not ended, and takes {most} at most")]
    Full {
        /// How many there are.
        open: u64,
        /// How many it takes.
        most: u64,
    },
}

/// What a job of a submission depends on: one there is, or one of the submission, by its place.
enum Dependency {
    There(JobId),
    Beside(usize),
}

impl Queue {
    /// Takes in jobs, all of them or none; gives their names, in the order they were given.
    ///
    /// # Errors
    /// The first reason against one of them.
    pub fn submit(&mut self, specs: Vec<Spec>, calls: &mut Calls) -> Result<Vec<JobId>, Refused> {
        let dependencies = self.check(&specs)?;
        let beside = |list: &Vec<Dependency>| {
            let places = list.iter().filter_map(|dependency| match dependency {
                Dependency::Beside(place) => Some(*place),
                Dependency::There(_) => None,
            });
            places.collect::<BTreeSet<usize>>()
        };
        let graph: Vec<_> = dependencies.iter().map(beside).collect();
        let order = graph::sorted(&graph).map_err(|cycle| {
            let key = |place: usize| specs[place].key.clone().unwrap_or_default();
            Refused::Cycle(cycle.into_iter().map(key).collect())
        })?;

        let mut specs: Vec<_> = specs.into_iter().map(Some).collect();
        let mut ids = vec![JobId(0); specs.len()];
        for place in order {
            let Some(spec) = specs[place].take() else {
                continue;
            };
            let before = dependencies[place]
                .iter()
                .map(|dependency| match dependency {
                    Dependency::There(id) => *id,
                    Dependency::Beside(other) => ids[*other],
                });
            let before: BTreeSet<JobId> = before.collect();
            ids[place] = self.take_in(spec, &before, calls);
        }
        Ok(ids)
    }

    fn check(&self, specs: &[Spec]) -> Result<Vec<Vec<Dependency>>, Refused> {
        if specs.is_empty() || specs.len() > BATCH_MAX {
            return Err(Refused::Count);
        }
        let mut keys = BTreeMap::new();
        let mut more = 0;
        for (place, spec) in specs.iter().enumerate() {
            spec.validate()?;
            self.agents.check(spec)?;
            if spec.app != "default" && !self.apps.contains_key(&spec.app) {
                return Err(Refused::NoSuchApp(spec.app.clone()));
            }
            more += u64::from(spec.runs());
            let Some(key) = &spec.key else { continue };
            if let Some(id) = self.keys.get(key) {
                let (key, id) = (key.clone(), *id);
                return Err(Refused::Duplicate { key, id });
            }
            if keys.insert(key.as_str(), place).is_some() {
                return Err(Refused::Twice(key.clone()));
            }
        }
        let (open, most) = (self.open, self.limits.open_max);
        if open + more > most {
            return Err(Refused::Full { open, most });
        }
        let of_spec = |spec: &Spec| {
            let find = |after: &crate::spec::After| self.find(&after.job, after.on, &keys);
            spec.after.iter().map(find).collect::<Result<Vec<_>, _>>()
        };
        specs.iter().map(of_spec).collect()
    }

    fn find(
        &self,
        job: &JobRef,
        on: On,
        keys: &BTreeMap<&str, usize>,
    ) -> Result<Dependency, Refused> {
        let id = match job {
            JobRef::Id(id) => *id,
            JobRef::Key(key) => match (keys.get(key.as_str()), self.keys.get(key)) {
                (Some(place), _) => return Ok(Dependency::Beside(*place)),
                (None, Some(id)) => *id,
                (None, None) => return Err(Refused::NoSuchJob(key.clone())),
            },
        };
        let Some(there) = self.jobs.get(&id) else {
            return Err(Refused::NoSuchJob(id.to_string()));
        };
        if there.is_over() && !is_met(there, on) {
            return Err(Refused::EndedOtherwise(id));
        }
        Ok(Dependency::There(id))
    }

    fn take_in(&mut self, spec: Spec, before: &BTreeSet<JobId>, calls: &mut Calls) -> JobId {
        self.next += 1;
        let id = JobId(self.next);
        let spec = Arc::new(spec);
        let record = JobRecord {
            spec: spec.clone(),
            submitted_ms: calls.now_ms(),
        };
        calls.store(job_name(id), &record);
        calls.store("next", &self.next);
        let job = Job::new(id, spec, record.submitted_ms);
        self.insert(job, before.iter().copied());
        id
    }

    /// Puts a job into all indices; what of it may run, waits for its turn.
    pub(super) fn insert(&mut self, mut job: Job, before: impl Iterator<Item = JobId>) {
        let id = job.id;
        for other in before {
            if self.jobs.get(&other).is_some_and(|other| !other.is_over()) {
                job.blocked += 1;
                self.dependents.entry(other).or_default().push(id);
            }
        }
        if let Some(key) = &job.spec.key {
            self.keys.insert(key.clone(), id);
        }
        self.open += u64::from(job.open);
        let (spec, blocked) = (job.spec.clone(), job.blocked);
        let queued = job.runs.iter().enumerate().filter_map(|(place, run)| {
            let place = place as u32;
            matches!(run.state, crate::job::RunState::Queued).then_some(RunId { job: id, place })
        });
        if blocked == 0 {
            self.pending.add(&spec, queued);
        }
        self.jobs.insert(id, job);
    }
}

/// Whether a job that has ended did so as another one wants.
pub(super) fn is_met(job: &Job, on: On) -> bool {
    match on {
        On::Success => job.has_succeeded(),
        On::Failure => !job.has_succeeded(),
        On::Any => true,
    }
}
