//! Validation: what is wrong with a task, given the offer it is launched on. Pure.

use std::collections::{BTreeMap, BTreeSet};

use libproc::fits_in_a_message;
use types::TaskInfo;
use types::{ExecutorId, ExecutorInfo, InvalidInfo, MAX_TASK_DATA_BYTES, Resources, TaskId};

use crate::books::{Agent, Executor, Framework};

/// What is sent beside a task and its framework, to the agent and on to the executor, takes at most so
/// many bytes: ids, the role, what the agent has.
const BESIDE_BYTES: usize = 1 << 20;

/// Why a task is not launched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// It contradicts itself, or the offer.
    #[error("the task is invalid: {0}")]
    Invalid(#[from] InvalidInfo),
    /// Its name is taken.
    #[error("the framework has a task {0} already")]
    Duplicate(TaskId),
    /// The offer, or what is left of it, is too small.
    #[error("the task uses {needed}, of the offer there is {left}")]
    TooLarge {
        /// What it needs, with its executor if that is not there yet.
        needed: Resources,
        /// What is left of the offer.
        left: Resources,
    },
    /// One of a group is wrong.
    #[error("Task '{0}' is invalid: {1}")]
    Member(TaskId, Box<Fault>),
    /// The offer, or what is left of it, is too small for a group.
    #[error(
        "Total resources {needed} required by task group and its executor are more than available \
         {left}"
    )]
    GroupTooLarge {
        /// What it needs, with its executor if that is not there yet.
        needed: Resources,
        /// What is left of the offer.
        left: Resources,
    },
    /// It could not be sent to its agent.
    #[error(
        "the {0} with all that is said of it is larger than the 16 MiB that can be sent to an agent"
    )]
    TooLong(&'static str),
    /// An executor by this name runs, and is another one.
    #[error("the executor {0} differs from the one that runs")]
    OtherExecutor(ExecutorId),
}

/// What a task is checked against: who launches it where, and what was launched just before.
#[derive(Debug)]
pub(crate) struct Ground<'a> {
    pub(crate) framework: &'a Framework,
    pub(crate) agent: &'a Agent,
    pub(crate) left: Resources,
    pub(crate) launched: BTreeSet<TaskId>,
    pub(crate) started: BTreeMap<ExecutorId, ExecutorInfo>,
}

/// What a valid task takes of the offer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) resources: Resources,
    /// Its executor, if that is not there yet.
    pub(crate) executor: Option<ExecutorInfo>,
}

impl Ground<'_> {
    /// Checks a task and says what it takes.
    pub(crate) fn validate(&self, task: &TaskInfo) -> Result<Need, Fault> {
        task.validate(&self.framework.id, &self.agent.id)?;
        if self.framework.may_run(&task.task_id) || self.launched.contains(&task.task_id) {
            return Err(Fault::Duplicate(task.task_id.clone()));
        }
        if !fits_in_a_message(&(&self.framework.info, task), BESIDE_BYTES) {
            return Err(Fault::TooLong("task"));
        }
        let executor = match &task.executor {
            Some(executor) => self.new_executor(executor)?,
            None => None,
        };
        let charge = executor.as_ref().map(Executor::charge).unwrap_or_default();
        let resources = &task.resources + &charge;
        if !self.left.contains(&resources) {
            return Err(Fault::TooLarge {
                needed: resources,
                left: self.left.clone(),
            });
        }
        Ok(Need {
            resources,
            executor,
        })
    }

    /// Checks a group, all of it, and says what it takes together.
    pub(crate) fn validate_group(
        &self,
        executor: &ExecutorInfo,
        tasks: &[TaskInfo],
    ) -> Result<Need, Fault> {
        let mut names = BTreeSet::new();
        for task in tasks {
            let member = |fault: Fault| Fault::Member(task.task_id.clone(), Box::new(fault));
            task.validate_in_group(executor, &self.agent.id)
                .map_err(|error| member(error.into()))?;
            let taken = self.framework.may_run(&task.task_id)
                || self.launched.contains(&task.task_id)
                || !names.insert(&task.task_id);
            if taken {
                return Err(member(Fault::Duplicate(task.task_id.clone())));
            }
        }
        if tasks.is_empty() {
            return Err(InvalidInfo::EmptyGroup.into());
        }
        executor.validate_for_group(&self.framework.id)?;
        let data = tasks.iter().map(|task| task.data.len()).sum::<usize>() + executor.data.len();
        if data > MAX_TASK_DATA_BYTES {
            return Err(Fault::Invalid(InvalidInfo::TooLong {
                what: "the data of the group",
                length: data,
                max: MAX_TASK_DATA_BYTES,
            }));
        }
        if !fits_in_a_message(&(&self.framework.info, executor, tasks), BESIDE_BYTES) {
            return Err(Fault::TooLong("group"));
        }
        let uses: Resources = tasks.iter().map(|task| &task.resources).sum();
        let all = &uses + &executor.resources;
        all.validate().map_err(InvalidInfo::from)?;
        let executor = self.new_executor(executor)?;
        let charge = executor.as_ref().map(Executor::charge).unwrap_or_default();
        let resources = uses + &charge;
        if !self.left.contains(&resources) {
            return Err(Fault::GroupTooLarge {
                needed: resources,
                left: self.left.clone(),
            });
        }
        Ok(Need {
            resources,
            executor,
        })
    }

    /// The executor that is brought, unless it is there; then it must be the same.
    fn new_executor(&self, executor: &ExecutorInfo) -> Result<Option<ExecutorInfo>, Fault> {
        let executor = ExecutorInfo {
            framework_id: Some(self.framework.id.clone()),
            ..executor.clone()
        };
        let id = &executor.executor_id;
        let running = self.framework.executor(&self.agent.id, id);
        let running = running.map(|running| &running.info);
        match running.or_else(|| self.started.get(id)) {
            Some(running) if *running == executor => Ok(None),
            Some(_) => Err(Fault::OtherExecutor(id.clone())),
            None => Ok(Some(executor)),
        }
    }
}
