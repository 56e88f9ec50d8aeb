//! The records of a store: one an agent, framework, executor, task and stream of updates.
//!
//! They are MessagePack with named fields, so that a later version may add some: such have a default.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use api::agent::TaskOf;
use api::executor::Executing;
use libproc::Pid;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use types::{AgentInfo, ContainerId, ExecutorId, ExecutorInfo, FrameworkId, FrameworkInfo, Task};
use types::{TaskInfo, TaskStatus, UpdateId};

use super::Records;
use crate::books::{Fate, Phase};
use crate::draining::Draining;

/// The format that is written. A later one is not read: an agent that went back to an earlier version
/// would take for granted what it does not understand.
pub(crate) const FORMAT: u32 = 1;

/// What a record is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    Agent,
    Framework(FrameworkId),
    Executor(FrameworkId, ExecutorId),
    Task(TaskOf),
    Stream(TaskOf),
}

/// The agent itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AgentRecord {
    pub(crate) format: u32,
    /// As it was when it last wrote this, with its id.
    pub(crate) info: AgentInfo,
    /// Where executors know it.
    pub(crate) address: SocketAddr,
    /// Which start of the machine it was; none where the system does not say.
    pub(crate) boot_id: Option<String>,
    /// What the tokens of its executors are made with.
    #[serde(with = "serde_bytes")]
    pub(crate) token_key: Vec<u8>,
    #[serde(default)]
    pub(crate) draining: Option<Draining>,
}

/// A framework whose executors outlive the agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FrameworkRecord {
    pub(crate) framework_id: FrameworkId,
    pub(crate) info: FrameworkInfo,
    pub(crate) ending: bool,
}

/// An executor of such a framework.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ExecutorRecord {
    pub(crate) framework_id: FrameworkId,
    pub(crate) info: ExecutorInfo,
    pub(crate) container_id: ContainerId,
    pub(crate) sandbox: PathBuf,
    pub(crate) phase: Phase,
    pub(crate) process: Option<Pid<Executing>>,
    pub(crate) over_http: bool,
    pub(crate) os_pid: Option<u32>,
    pub(crate) fate: Option<Fate>,
}

/// A task of such an executor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TaskRecord {
    pub(crate) executor_id: ExecutorId,
    pub(crate) task: Task,
    /// What its executor has not been given yet.
    pub(crate) waiting: Option<Waiting>,
}

/// A task that waits for its executor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Waiting {
    /// The batch it is launched in; they are launched in order.
    pub(crate) batch: u64,
    /// Its place in a group; none if it is no group's.
    pub(crate) place: Option<usize>,
    pub(crate) info: TaskInfo,
}

/// The news of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct StreamRecord {
    pub(crate) of: TaskOf,
    pub(crate) pending: Vec<TaskStatus>,
    pub(crate) seen: Vec<UpdateId>,
    pub(crate) ended: bool,
}

/// All that an earlier agent wrote down.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Snapshot {
    pub(crate) agent: Option<AgentRecord>,
    pub(crate) frameworks: Vec<FrameworkRecord>,
    pub(crate) executors: Vec<ExecutorRecord>,
    pub(crate) tasks: Vec<TaskRecord>,
    pub(crate) streams: Vec<StreamRecord>,
    /// Keys of records that could not be read.
    pub(crate) damaged: Vec<String>,
}

impl Key {
    /// The key as it is stored. No id has a NUL in it.
    pub(crate) fn stored(&self) -> String {
        match self {
            Key::Agent => "agent".to_owned(),
            Key::Framework(framework) => format!("framework/{framework}"),
            Key::Executor(framework, executor) => format!("executor/{framework}\0{executor}"),
            Key::Task(of) => format!("task/{}\0{}", of.framework_id, of.task_id),
            Key::Stream(of) => format!("stream/{}\0{}", of.framework_id, of.task_id),
        }
    }
}

impl Snapshot {
    /// What there are records of.
    pub(crate) fn keys(&self) -> BTreeSet<Key> {
        let agent = self.agent.iter().map(|_| Key::Agent);
        let frameworks = self.frameworks.iter();
        let frameworks = frameworks.map(|record| Key::Framework(record.framework_id.clone()));
        let executors = self.executors.iter().map(|record| {
            let executor_id = record.info.executor_id.clone();
            Key::Executor(record.framework_id.clone(), executor_id)
        });
        let tasks = self.tasks.iter().map(|record| {
            Key::Task(TaskOf {
                framework_id: record.task.framework_id.clone(),
                task_id: record.task.task_id.clone(),
            })
        });
        let streams = self
            .streams
            .iter()
            .map(|record| Key::Stream(record.of.clone()));
        let keys = agent.chain(frameworks).chain(executors);
        keys.chain(tasks).chain(streams).collect()
    }

    /// Reads the records of a store.
    pub(crate) fn of(records: &Records) -> Snapshot {
        let mut snapshot = Snapshot::default();
        for (key, record) in records {
            let kind = key.split('/').next().unwrap_or_default();
            let read = match kind {
                "agent" => decode(record).map(|agent| snapshot.agent = Some(agent)),
                "framework" => decode(record).map(|record| snapshot.frameworks.push(record)),
                "executor" => decode(record).map(|record| snapshot.executors.push(record)),
                "task" => decode(record).map(|record| snapshot.tasks.push(record)),
                "stream" => decode(record).map(|record| snapshot.streams.push(record)),
                _ => None,
            };
            if read.is_none() {
                snapshot.damaged.push(key.replace('\0', " "));
            }
        }
        snapshot
    }
}

/// The bytes of a record.
pub(crate) fn encode<T: Serialize>(record: &T) -> Vec<u8> {
    rmp_serde::to_vec_named(record).expect("plain data encodes into memory")
}

fn decode<T: DeserializeOwned>(record: &[u8]) -> Option<T> {
    rmp_serde::from_slice(record).ok()
}
