//! The books as records: what of them is written down, and how they are read back.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use std::path::PathBuf;

use api::agent::TaskOf;
use types::{ContainerId, FrameworkId, Resources, Task};

use super::{Batch, Books, Executor, Framework, Phase};
use crate::checkpoints::{ExecutorRecord, FrameworkRecord, Key, TaskRecord, Waiting, encode};

impl Books {
    /// Takes the keys of everything that has changed.
    pub(crate) fn take_changed(&mut self) -> BTreeSet<Key> {
        std::mem::take(&mut self.changed)
    }

    /// Whether a framework's tasks outlive the agent. Of one that is not here, nothing does.
    pub(crate) fn is_checkpointed(&self, framework_id: &FrameworkId) -> bool {
        let framework = self.frameworks.get(framework_id);
        framework.is_some_and(|framework| framework.info.checkpoint)
    }

    /// Whether the framework of a container is gone for good.
    pub(crate) fn is_ending(&self, container_id: &ContainerId) -> bool {
        let whose = self.containers.get(container_id);
        let framework = whose.and_then(|(framework_id, _)| self.frameworks.get(framework_id));
        framework.is_some_and(|framework| framework.ending)
    }

    /// The containers that end with the agent, and those that outlive it if they can.
    pub(crate) fn bound_and_lasting(&self) -> (Vec<ContainerId>, Vec<ContainerId>) {
        let containers = self.containers().into_iter();
        containers.partition(|container_id| {
            let whose = self.containers.get(container_id);
            whose.is_none_or(|(framework_id, _)| !self.is_checkpointed(framework_id))
        })
    }

    /// The sandboxes of all executors that are not over.
    pub(crate) fn sandboxes(&self) -> Vec<PathBuf> {
        let frameworks = self.frameworks.values();
        let executors = frameworks.flat_map(|framework| framework.executors.values());
        let made = executors.filter(|executor| !executor.sandbox.as_os_str().is_empty());
        made.map(|executor| executor.sandbox.clone()).collect()
    }

    /// The record of what has this key in the books; none if it is not there.
    pub(crate) fn record_of(&self, key: &Key) -> Option<Vec<u8>> {
        match key {
            Key::Framework(framework_id) => {
                let framework = self.frameworks.get(framework_id)?;
                Some(encode(&FrameworkRecord {
                    framework_id: framework_id.clone(),
                    info: framework.info.clone(),
                    ending: framework.ending,
                }))
            }
            Key::Executor(framework_id, executor_id) => {
                let executor = self.executor(framework_id, executor_id)?;
                Some(encode(&ExecutorRecord {
                    framework_id: framework_id.clone(),
                    info: executor.info.clone(),
                    container_id: executor.container_id.clone(),
                    sandbox: executor.sandbox.clone(),
                    phase: executor.phase,
                    process: executor.process.clone(),
                    over_http: executor.over_http,
                    os_pid: executor.os_pid,
                    fate: executor.fate.clone(),
                }))
            }
            Key::Task(of) => {
                let (executor_id, executor) = self.executor_of(of)?;
                Some(encode(&TaskRecord {
                    executor_id: executor_id.clone(),
                    task: executor.tasks.get(&of.task_id)?.clone(),
                    waiting: executor.waiting(of),
                }))
            }
            Key::Agent | Key::Stream(_) => None, // kept by others
        }
    }

    /// The books that these records were made of. What belongs to nothing that is there is left
    /// out.
    pub(crate) fn restored(
        total: Resources,
        frameworks: Vec<FrameworkRecord>,
        executors: Vec<ExecutorRecord>,
        tasks: Vec<TaskRecord>,
    ) -> Books {
        let mut books = Books::new(total);
        for FrameworkRecord {
            framework_id,
            info,
            ending,
        } in frameworks
        {
            let framework = Framework {
                info,
                executors: BTreeMap::new(),
                ending,
                tasks: HashMap::new(),
            };
            books.frameworks.insert(framework_id, framework);
        }
        for record in executors {
            books.restore_executor(record);
        }
        let mut batches: BTreeMap<u64, (FrameworkId, TaskRecord, Vec<Waiting>)> = BTreeMap::new();
        for record in tasks {
            books.restore_task(&record);
            if let Some(waiting) = record.waiting.clone() {
                let framework_id = record.task.framework_id.clone();
                let batch = batches.entry(waiting.batch);
                let batch = batch.or_insert_with(|| (framework_id, record, Vec::new()));
                batch.2.push(waiting);
            }
        }
        for (number, (framework_id, first, waiting)) in batches {
            books.batches = number;
            if let Some(executor) = books.find(&framework_id, &first.executor_id) {
                executor
                    .queued
                    .extend(batch(waiting).map(|batch| (number, batch)));
            }
        }
        books.changed.clear();
        books
    }

    fn restore_executor(&mut self, record: ExecutorRecord) {
        let ExecutorRecord {
            framework_id,
            info,
            container_id,
            sandbox,
            phase,
            process,
            over_http,
            os_pid,
            fate,
        } = record;
        let Some(framework) = self.frameworks.get_mut(&framework_id) else {
            return;
        };
        let executor_id = info.executor_id.clone();
        if phase != Phase::Gone {
            self.used += &info.resources;
            let whose = (framework_id, executor_id.clone());
            self.containers.insert(container_id.clone(), whose);
        }
        let executor = Executor {
            info,
            container_id,
            sandbox,
            phase,
            // A connection of the agent before this one is none of its.
            process: process.filter(|_| !over_http),
            over_http,
            os_pid,
            fate,
            tasks: BTreeMap::new(),
            queued: VecDeque::new(),
            ended: VecDeque::new(),
        };
        framework.executors.insert(executor_id, executor);
    }

    fn restore_task(&mut self, record: &TaskRecord) {
        let TaskRecord {
            executor_id, task, ..
        } = record;
        let Some(framework) = self.frameworks.get_mut(&task.framework_id) else {
            return;
        };
        let Some(executor) = framework.executors.get_mut(executor_id) else {
            return;
        };
        let task_id = task.task_id.clone();
        framework.tasks.insert(task_id.clone(), executor_id.clone());
        if !task.state.is_terminal() {
            self.used += &task.resources;
        }
        executor.tasks.insert(task_id, Task::clone(task));
    }
}

impl Executor {
    /// What of a task it has not been given yet. What came last is asked for most.
    fn waiting(&self, of: &TaskOf) -> Option<Waiting> {
        let mut queued = self.queued.iter().rev();
        let (number, batch) = queued.find(|(_, batch)| batch.has(&of.task_id))?;
        let at = batch
            .tasks()
            .iter()
            .position(|task| task.task_id == of.task_id)?;
        let grouped = matches!(batch, Batch::Group(_));
        Some(Waiting {
            batch: *number,
            place: grouped.then_some(at),
            info: batch.tasks().get(at)?.clone(),
        })
    }
}

/// The batch of which these tasks are.
fn batch(mut waiting: Vec<Waiting>) -> Option<Batch> {
    waiting.sort_by_key(|waiting| waiting.place);
    let grouped = waiting.first()?.place.is_some();
    let mut tasks = waiting.into_iter().map(|waiting| waiting.info);
    match grouped {
        true => Some(Batch::Group(tasks.collect())),
        false => tasks.next().map(Batch::Task),
    }
}
