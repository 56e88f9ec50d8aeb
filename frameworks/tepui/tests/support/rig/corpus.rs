//! One good message of each kind, by a framework and an agent that nobody knows.

use std::time::Duration;

use api::agent::{AcknowledgeUpdate, ExecutorUpdate, KillTask, ListFiles, ReadFile, RunTask};
use api::agent::{RegisterExecutor, ShutdownFramework};
use api::executor::Exit;
use api::master::{Accept, Acknowledge, Decline, ExecutorExited, GetTasks, Kill, Reconcile};
use api::master::{ReconcileTask, Register, Reregister, Revive, Subscribe, Suppress, Teardown};
use api::master::{ToFramework, Unregister, UpdateStatus};
use libproc::Upid;
use rmpv::Value;
use types::{AgentId, AgentInfo, CommandInfo, ContainerId, ExecutorId, ExecutorInfo, Filters};
use types::{FrameworkId, FrameworkInfo, KillPolicy, MasterInfo, OfferId, Operation, Resources};
use types::{Role, Source, Task, TaskId, TaskInfo, TaskState, TaskStatus, UpdateId};

use super::stranger::value;

/// Something only strangers have, so that nobody's tasks are sent to them.
const RESOURCES: &str = "oddities:1000000000000;oddities(strange):7;numbers:[1-1000]";

fn agent_id() -> AgentId {
    AgentId::new("strange-agent").expect("an id")
}

fn framework_id() -> FrameworkId {
    FrameworkId::new("strange-framework").expect("an id")
}

fn task_id() -> TaskId {
    TaskId::new("strange-task").expect("an id")
}

fn executor_id() -> ExecutorId {
    ExecutorId::new("strange-executor").expect("an id")
}

fn resources() -> Resources {
    RESOURCES.parse().expect("resources")
}

fn framework() -> FrameworkInfo {
    FrameworkInfo {
        failover_timeout: Duration::from_secs(1),
        ..FrameworkInfo::new("strange")
    }
}

fn agent() -> AgentInfo {
    AgentInfo::new("strange-host", 5051, resources())
}

/// A task an agent reports.
pub(crate) fn task(id: &str) -> Task {
    let task = TaskInfo {
        task_id: TaskId::new(id).expect("an id"),
        ..launch()
    };
    Task::staging(&task, framework_id(), Role::any(), None)
}

fn launch() -> TaskInfo {
    let command = CommandInfo::shell("true").env("NAME", "value");
    let task = TaskInfo::command(task_id(), agent_id(), command, resources());
    TaskInfo {
        kill_policy: Some(KillPolicy {
            grace_period: Duration::from_secs(1),
        }),
        ..task
    }
}

fn status() -> TaskStatus {
    let status = TaskStatus::new(task_id(), TaskState::Running, Source::Executor, 7);
    status.on(agent_id()).acknowledged_as(UpdateId::random())
}

/// An agent's return, with these tasks.
pub(crate) fn reregister(sender: &Upid, tasks: Vec<Task>) -> Reregister {
    let executor = ExecutorInfo {
        framework_id: Some(framework_id()),
        ..ExecutorInfo::custom(executor_id(), CommandInfo::shell("true"))
    };
    Reregister {
        info: AgentInfo {
            id: Some(agent_id()),
            ..agent()
        },
        agent: libproc::Pid::assume(sender.clone()),
        version: api::VERSION.to_owned(),
        frameworks: vec![FrameworkInfo {
            id: Some(framework_id()),
            ..framework()
        }],
        executors: vec![executor],
        tasks,
    }
}

/// What is said to a master.
pub(crate) fn to_master(sender: &Upid) -> Vec<(&'static str, Value)> {
    let (agent_id, framework_id, executor_id) = (agent_id(), framework_id(), executor_id());
    let info = FrameworkInfo {
        id: Some(framework_id.clone()),
        ..framework()
    };
    let scheduler = libproc::Pid::assume(sender.clone());
    let anonymous = Subscribe {
        info: framework(),
        suppressed: vec![Role::any()],
        scheduler,
    };
    let agent = libproc::Pid::assume(sender.clone());
    let version = api::VERSION.to_owned();
    let offers = vec![OfferId::new("strange-offer").expect("an id")];
    let filters = Filters::refuse(Duration::from_secs(5));
    let operations = vec![
        Operation::Launch {
            tasks: vec![launch(), launch()],
        },
        Operation::Reserve {
            resources: resources(),
        },
    ];
    let asked = ReconcileTask {
        task_id: task_id(),
        agent_id: Some(agent_id.clone()),
    };
    let update_id = UpdateId::random();
    let (task_id, latest) = (task_id(), TaskState::Finished);
    vec![
        value(&Subscribe {
            info,
            ..anonymous.clone()
        }),
        value(&anonymous),
        value(&Register {
            info: self::agent(),
            agent,
            version,
        }),
        value(&reregister(
            sender,
            vec![task("strange-task"), task("strange-task-2")],
        )),
        value(&UpdateStatus {
            agent_id: agent_id.clone(),
            framework_id: framework_id.clone(),
            status: status(),
            latest,
        }),
        value(&Accept {
            framework_id: framework_id.clone(),
            offer_ids: offers.clone(),
            operations,
            filters,
        }),
        value(&Decline {
            framework_id: framework_id.clone(),
            offer_ids: offers,
            filters,
        }),
        value(&Revive {
            framework_id: framework_id.clone(),
            roles: vec![],
        }),
        value(&Suppress {
            framework_id: framework_id.clone(),
            roles: vec![Role::any()],
        }),
        value(&Kill {
            framework_id: framework_id.clone(),
            task_id: task_id.clone(),
            agent_id: Some(agent_id.clone()),
            kill_policy: Some(KillPolicy {
                grace_period: Duration::from_secs(3),
            }),
        }),
        value(&Acknowledge {
            framework_id: framework_id.clone(),
            agent_id: agent_id.clone(),
            task_id: task_id.clone(),
            update_id,
        }),
        value(&Reconcile {
            framework_id: framework_id.clone(),
            tasks: vec![asked.clone(), asked],
        }),
        value(&ExecutorExited {
            agent_id: agent_id.clone(),
            framework_id: framework_id.clone(),
            executor_id: executor_id.clone(),
            exit: Exit::Signal(9),
        }),
        value(&ToFramework {
            agent_id: agent_id.clone(),
            framework_id: framework_id.clone(),
            executor_id,
            data: vec![1, 2, 3],
        }),
        value(&GetTasks {
            framework_id: Some(framework_id.clone()),
            ended: true,
        }),
        value(&Unregister { agent_id }),
        value(&Teardown { framework_id }),
    ]
}

/// What is said to an agent.
pub(crate) fn to_agent(sender: &Upid) -> Vec<(&'static str, Value)> {
    let (agent_id, framework_id, executor_id) = (agent_id(), framework_id(), executor_id());
    let container_id = ContainerId::new("strange-container").expect("an id");
    let master = MasterInfo {
        id: "strange-master".to_owned(),
        hostname: "strange-host".to_owned(),
        address: sender.address().to_string(),
        version: api::VERSION.to_owned(),
    };
    let silence = Duration::from_secs(3);
    let unknown = vec![api::agent::TaskOf {
        framework_id: framework_id.clone(),
        task_id: task_id(),
    }];
    let info = FrameworkInfo {
        id: Some(framework_id.clone()),
        ..framework()
    };
    let executor = libproc::Pid::assume(sender.clone());
    vec![
        value(&api::agent::Registered {
            agent_id: agent_id.clone(),
            master: master.clone(),
            silence,
        }),
        value(&api::agent::Reregistered {
            agent_id,
            master,
            silence,
            unknown,
        }),
        value(&api::agent::Refused {
            reason: "because".to_owned(),
        }),
        value(&api::agent::Ping { registered: false }),
        value(&RunTask {
            framework: info,
            task: launch(),
            role: Role::any(),
        }),
        value(&KillTask {
            framework_id: framework_id.clone(),
            task_id: task_id(),
            kill_policy: None,
        }),
        value(&AcknowledgeUpdate {
            framework_id: framework_id.clone(),
            task_id: task_id(),
            update_id: UpdateId::random(),
        }),
        value(&ShutdownFramework {
            framework_id: framework_id.clone(),
        }),
        value(&api::agent::ShutdownExecutor {
            framework_id: framework_id.clone(),
            executor_id: executor_id.clone(),
        }),
        value(&api::agent::ToExecutor {
            framework_id: framework_id.clone(),
            executor_id: executor_id.clone(),
            data: vec![0; 100],
        }),
        value(&RegisterExecutor {
            framework_id: framework_id.clone(),
            executor_id: executor_id.clone(),
            container_id,
            executor,
            tasks: vec![],
        }),
        value(&ExecutorUpdate {
            framework_id: framework_id.clone(),
            executor_id,
            status: status(),
        }),
        value(&ReadFile {
            framework_id: framework_id.clone(),
            task_id: task_id(),
            path: "../../etc/passwd".to_owned(),
            offset: u64::MAX,
            length: u32::MAX,
        }),
        value(&ListFiles {
            framework_id,
            task_id: task_id(),
            path: "..".to_owned(),
        }),
    ]
}
