//! What a master accepts: from schedulers, from agents, from operators.

use libproc::{Pid, protocol};
use serde::{Deserialize, Serialize};
use types::{AgentId, AgentInfo, Attributes, ExecutorId, ExecutorInfo, Filters, FrameworkId};
use types::{FrameworkInfo, KillPolicy, MasterInfo, OfferId, Operation, Resources, Role, Task};
use types::{TaskId, TaskState, TaskStatus, UpdateId};

use crate::agent::Agenting;
use crate::executor::Exit;
use crate::scheduler::Scheduling;

protocol! {
    /// What a master accepts.
    pub protocol Mastering {
        // From schedulers.

        /// Make this framework one of the cluster's, or take it over when `info.id` is set.
        /// Answered by `Subscribed` or `Rejected`.
        message Subscribe {
            info: FrameworkInfo,
            suppressed: Vec<Role>,
            scheduler: Pid<Scheduling>,
        };
        /// The framework is done: its tasks end, and it cannot come back.
        message Teardown { framework_id: FrameworkId };
        /// Use these offers, all of one agent and role, for these operations, in order; what is
        /// left over is declined with `filters`.
        message Accept {
            framework_id: FrameworkId,
            offer_ids: Vec<OfferId>,
            operations: Vec<Operation>,
            filters: Filters,
        };
        /// Give these offers back.
        message Decline { framework_id: FrameworkId, offer_ids: Vec<OfferId>, filters: Filters };
        /// Forget filters and suppression for these roles; none means all.
        message Revive { framework_id: FrameworkId, roles: Vec<Role> };
        /// Make no offers for these roles; none means all.
        message Suppress { framework_id: FrameworkId, roles: Vec<Role> };
        /// End this task.
        message Kill {
            framework_id: FrameworkId,
            task_id: TaskId,
            agent_id: Option<AgentId>,
            kill_policy: Option<KillPolicy>,
        };
        /// End this executor and its tasks.
        message ShutdownExecutor {
            framework_id: FrameworkId,
            agent_id: AgentId,
            executor_id: ExecutorId,
        };
        /// The framework has seen this update.
        message Acknowledge {
            framework_id: FrameworkId,
            agent_id: AgentId,
            task_id: TaskId,
            update_id: UpdateId,
        };
        /// Say what is known of these tasks; none means all the framework has.
        message Reconcile { framework_id: FrameworkId, tasks: Vec<ReconcileTask> };
        /// Words of a framework for one of its executors.
        message ToExecutor {
            framework_id: FrameworkId,
            agent_id: AgentId,
            executor_id: ExecutorId,
            #[serde(with = "serde_bytes")]
            data: Vec<u8>,
        };

        // From agents.

        /// Make this agent one of the cluster's. Answered by `Registered` or `Refused`.
        message Register { info: AgentInfo, agent: Pid<Agenting>, version: String };
        /// Take this agent back, with what runs on it. Answered by `Reregistered` or `Refused`.
        message Reregister {
            info: AgentInfo,
            agent: Pid<Agenting>,
            version: String,
            frameworks: Vec<FrameworkInfo>,
            executors: Vec<ExecutorInfo>,
            tasks: Vec<Task>,
        };
        /// The agent leaves for good.
        message Unregister { agent_id: AgentId };
        /// News of a task, sent again until it is acknowledged; `latest` is the newest state the
        /// agent knows, which may be ahead of the news.
        message UpdateStatus {
            agent_id: AgentId,
            framework_id: FrameworkId,
            status: TaskStatus,
            latest: TaskState,
        };
        /// An executor has ended.
        message ExecutorExited {
            agent_id: AgentId,
            framework_id: FrameworkId,
            executor_id: ExecutorId,
            exit: Exit,
        };
        /// Words of an executor for its framework.
        message ToFramework {
            agent_id: AgentId,
            framework_id: FrameworkId,
            executor_id: ExecutorId,
            #[serde(with = "serde_bytes")]
            data: Vec<u8>,
        };

        // From operators.

        /// Who this master is and what it has.
        message GetMaster {} -> MasterSummary;
        /// The agents, in the order of their ids.
        message GetAgents {} -> Vec<AgentSummary>;
        /// The frameworks, in the order of their ids, those that have ended last.
        message GetFrameworks {} -> Vec<FrameworkSummary>;
        /// Tasks, the newest first, at most [`TASKS_MAX`]: of one framework, or of all; those that
        /// have ended too when `ended`.
        message GetTasks { framework_id: Option<FrameworkId>, ended: bool } -> Vec<TaskSummary>;
        /// End a task on an operator's word. The text says why that cannot be.
        message KillTask { task_id: TaskId, framework_id: Option<FrameworkId> }
            -> Result<(), String>;
        /// End a framework on an operator's word. The text says why that cannot be.
        message TeardownFramework { framework_id: FrameworkId } -> Result<(), String>;
    }
}

/// Most tasks that one [`GetTasks`] gives.
pub const TASKS_MAX: usize = 10_000;

/// A task to reconcile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReconcileTask {
    /// Which it is.
    pub task_id: TaskId,
    /// Where the framework believes it.
    pub agent_id: Option<AgentId>,
}

/// A master, for operators.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MasterSummary {
    /// Who it is.
    pub info: MasterInfo,
    /// Milliseconds since 1970.
    pub started_ms: u64,
    /// How many agents are connected.
    pub agents: u64,
    /// How many frameworks are connected.
    pub frameworks: u64,
    /// How many tasks have not ended.
    pub tasks: u64,
    /// Everything the connected agents have.
    pub total: Resources,
    /// What of it is used by tasks or promised in offers.
    pub used: Resources,
}

/// An agent, for operators.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentSummary {
    /// Who it is.
    pub agent_id: AgentId,
    /// Its machine.
    pub hostname: String,
    /// Where it is reached.
    pub pid: Pid<Agenting>,
    /// How the master sees it.
    pub state: AgentState,
    /// Everything it has.
    pub total: Resources,
    /// What of it tasks and executors use.
    pub used: Resources,
    /// What of it is promised in offers.
    pub offered: Resources,
    /// What it says of itself.
    pub attributes: Attributes,
    /// How many of its tasks have not ended.
    pub tasks: u64,
    /// Milliseconds since 1970.
    pub registered_ms: u64,
}

/// How the master sees an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AgentState {
    /// Connected and offered.
    Active,
    /// An operator wants nothing new to run there.
    Deactivated,
    /// The same, and what runs there is being ended.
    Draining,
    /// The same, and nothing runs there any more.
    Drained,
    /// Its connection is broken; it may come back.
    Disconnected,
    /// It did not come back in time: its tasks are reported unreachable.
    Unreachable,
}

/// A framework, for operators.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrameworkSummary {
    /// What it says of itself, its id included.
    pub info: FrameworkInfo,
    /// Where its scheduler is reached, if it was ever heard.
    pub pid: Option<Pid<Scheduling>>,
    /// How the master sees it.
    pub state: FrameworkState,
    /// What its tasks and executors use.
    pub used: Resources,
    /// What is promised to it in offers.
    pub offered: Resources,
    /// How many of its tasks have not ended.
    pub tasks: u64,
    /// Milliseconds since 1970.
    pub registered_ms: u64,
}

/// How the master sees a framework.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FrameworkState {
    /// Connected and offered to.
    Active,
    /// Its connection is broken; its failover timeout runs.
    Disconnected,
    /// Known from agents only: it has not come back to this master yet.
    Recovered,
    /// It has ended.
    Completed,
}

/// A task, for operators.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskSummary {
    /// What is known of it.
    pub task: Task,
    /// The name of its framework.
    pub framework: String,
    /// The machine it runs on.
    pub hostname: String,
    /// Where its agent is reached, while that is known.
    pub agent: Option<Pid<Agenting>>,
}
