//! An agent, and stand-ins for everything around it.

use std::path::PathBuf;
use std::time::Duration;

use agent::checkpoints::Store;
use agent::launcher::{
    Destroy, ExitStatus, Launch, LaunchError, LaunchRequest, LauncherEvent, Launching, Survivors,
};
use agent::{AgentError, Options};
use api::agent::{
    AcknowledgeUpdate, Agenting, ExecutorUpdate, KillTask, RegisterExecutor, Registered, RunTask,
};
use api::executor::Executing;
use api::master::{Mastering, Register, UpdateStatus};
use libproc::{Node, Pid, Probe};
use tokio::sync::{mpsc, oneshot};
use types::{
    AgentId, CommandInfo, ContainerId, ExecutorId, ExecutorInfo, FrameworkId, FrameworkInfo,
    MasterInfo, Resources, Role, Source, TaskId, TaskInfo, TaskState, TaskStatus, UpdateId,
};

/// How long a registered master of the tests may be silent.
pub(crate) const SILENCE: Duration = Duration::from_secs(3_600 * 24 * 365);

pub(crate) struct Rig {
    pub(crate) node: Node,
    pub(crate) master: Probe<Mastering>,
    pub(crate) agent: Pid<Agenting>,
    pub(crate) launches: mpsc::UnboundedReceiver<Launched>,
    pub(crate) destroyed: mpsc::UnboundedReceiver<(String, Destroy)>,
    pub(crate) events: mpsc::UnboundedSender<LauncherEvent>,
    work_dir: tempfile::TempDir,
}

/// A launch that was asked for.
pub(crate) struct Launched {
    pub(crate) request: LaunchRequest,
    answer: oneshot::Sender<Result<u32, LaunchError>>,
}

/// An executor that a launch was asked for.
pub(crate) struct StandIn {
    pub(crate) container_id: ContainerId,
    pub(crate) executor_id: ExecutorId,
    pub(crate) sandbox: PathBuf,
    pub(crate) probe: Probe<Executing>,
}

struct FakeLaunch {
    launches: mpsc::UnboundedSender<Launched>,
    destroyed: mpsc::UnboundedSender<(String, Destroy)>,
}

impl Launch for FakeLaunch {
    fn launch(&self, request: LaunchRequest) -> Launching {
        let (answer, launched) = oneshot::channel();
        let _ = self.launches.send(Launched { request, answer });
        Box::pin(async { launched.await.unwrap_or(Err(LaunchError::ZygoteDied)) })
    }

    fn destroy(&self, container_id: &str, how: Destroy) {
        let _ = self.destroyed.send((container_id.to_owned(), how));
    }
}

/// Runs a test on virtual time.
pub(crate) fn paused(test: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

impl Rig {
    /// An agent that has not been answered yet.
    pub(crate) async fn start() -> Rig {
        Rig::start_with(|options| options).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(Options) -> Options) -> Rig {
        Rig::start_on(Node::bind("127.0.0.1:0").await.unwrap(), change)
    }

    pub(crate) fn start_on(node: Node, change: impl FnOnce(Options) -> Options) -> Rig {
        let master = node.probe::<Mastering>("master");
        let work_dir = tempfile::tempdir().unwrap();
        let options = options(&master, &work_dir);
        let (launches, launched) = mpsc::unbounded_channel();
        let (destroys, destroyed) = mpsc::unbounded_channel();
        let (events, heard) = mpsc::unbounded_channel();
        let launch = Box::new(FakeLaunch {
            launches,
            destroyed: destroys,
        });
        let agent = agent::start(&node, change(options), launch, heard).unwrap();
        let launches = launched;
        Rig {
            node,
            master,
            agent,
            launches,
            destroyed,
            events,
            work_dir,
        }
    }

    /// An agent that writes down into `store` what the next one must know, and is registered.
    pub(crate) async fn lasting(store: &Store) -> Rig {
        let mut rig = Rig::start().await;
        rig.master.expect::<Register>().await;
        rig.restart(store, &Survivors::new(), |options| options)
            .await
            .unwrap();
        rig.master.expect::<Register>().await;
        rig.node.tell(&rig.agent, registered(SILENCE));
        rig.settle().await;
        rig
    }

    /// The agent ends without a word, and another one starts where these containers are.
    pub(crate) async fn restart(
        &mut self,
        store: &Store,
        survivors: &Survivors,
        change: impl FnOnce(Options) -> Options,
    ) -> Result<(), AgentError> {
        let exited = self.node.exit_of(self.agent.upid());
        self.node.terminate(self.agent.upid());
        exited.await;
        let (launches, launched) = mpsc::unbounded_channel();
        let (destroys, destroyed) = mpsc::unbounded_channel();
        let (events, heard) = mpsc::unbounded_channel();
        let launch = Box::new(FakeLaunch {
            launches,
            destroyed: destroys,
        });
        (self.launches, self.destroyed, self.events) = (launched, destroyed, events);
        let options = change(options(&self.master, &self.work_dir));
        let launch = (launch as Box<dyn Launch>, survivors);
        self.agent = agent::recover(&self.node, options, launch, heard, store.clone())?;
        Ok(())
    }

    /// An agent that is registered.
    pub(crate) async fn registered() -> Rig {
        let mut rig = Rig::start().await;
        rig.master.expect::<Register>().await;
        rig.node.tell(&rig.agent, registered(SILENCE));
        rig
    }

    pub(crate) fn run(&self, task: TaskInfo) {
        let (framework, role) = (framework(), Role::any());
        self.node.tell(
            &self.agent,
            RunTask {
                framework,
                task,
                role,
            },
        );
    }

    /// Has a task run whose framework wants that it outlives the agent.
    pub(crate) fn run_lasting(&self, task: TaskInfo) {
        let (role, framework) = (
            Role::any(),
            FrameworkInfo {
                checkpoint: true,
                ..framework()
            },
        );
        let run = RunTask {
            framework,
            task,
            role,
        };
        self.node.tell(&self.agent, run);
    }

    pub(crate) fn kill(&self, task: &str) {
        let (framework_id, task_id) = (framework_id(), TaskId::new(task).unwrap());
        self.node.tell(
            &self.agent,
            KillTask {
                framework_id,
                task_id,
                kill_policy: None,
            },
        );
    }

    /// The next launch, with a stand-in for the executor that it was to start.
    pub(crate) async fn launched(&mut self) -> (Launched, StandIn) {
        let launched = self.launches.recv().await.unwrap();
        let container_id = ContainerId::new(launched.request.container_id.as_str()).unwrap();
        let executor_id = launched.request.environment["MESOS_EXECUTOR_ID"]
            .parse()
            .unwrap();
        let probe = self.node.probe::<Executing>(container_id.as_str());
        let sandbox = launched.request.sandbox.clone();
        (
            launched,
            StandIn {
                container_id,
                executor_id,
                sandbox,
                probe,
            },
        )
    }

    /// The next launch succeeds, and its executor registers.
    pub(crate) async fn executor(&mut self) -> StandIn {
        let (launched, mut executor) = self.launched().await;
        launched.succeed(7);
        self.register(&executor);
        executor.probe.expect::<api::executor::Registered>().await;
        executor
    }

    pub(crate) fn register(&self, executor: &StandIn) {
        self.register_with(executor, &[]);
    }

    /// An executor registers that has been given these tasks.
    pub(crate) fn register_with(&self, executor: &StandIn, tasks: &[&str]) {
        let message = RegisterExecutor {
            framework_id: framework_id(),
            executor_id: executor.executor_id.clone(),
            container_id: executor.container_id.clone(),
            executor: executor.probe.pid(),
            tasks: tasks
                .iter()
                .map(|task| TaskId::new(*task).unwrap())
                .collect(),
        };
        self.node.tell(&self.agent, message);
    }

    /// The executor tells of a task, and has its update taken.
    pub(crate) async fn tells(
        &self,
        executor: &mut StandIn,
        task: &str,
        state: TaskState,
    ) -> UpdateId {
        let status = status(task, state);
        let update_id = status.update_id.unwrap();
        self.tell_status(executor, status);
        let taken = executor.probe.expect::<api::executor::Acknowledged>().await;
        assert_eq!((taken.task_id.as_str(), taken.update_id), (task, update_id));
        update_id
    }

    pub(crate) fn tell_status(&self, executor: &StandIn, status: TaskStatus) {
        let (framework_id, executor_id) = (framework_id(), executor.executor_id.clone());
        self.node.tell(
            &self.agent,
            ExecutorUpdate {
                framework_id,
                executor_id,
                status,
            },
        );
    }

    /// The next message to the master, an update.
    pub(crate) async fn update(&mut self) -> TaskStatus {
        self.master.expect::<UpdateStatus>().await.status
    }

    pub(crate) fn acknowledge(&self, status: &TaskStatus) {
        let (framework_id, task_id) = (framework_id(), status.task_id.clone());
        let update_id = status.update_id.unwrap();
        self.node.tell(
            &self.agent,
            AcknowledgeUpdate {
                framework_id,
                task_id,
                update_id,
            },
        );
    }

    pub(crate) fn exited(&self, executor: &StandIn, status: ExitStatus) {
        let container_id = executor.container_id.to_string();
        self.events
            .send(LauncherEvent::Exited {
                container_id,
                pid: 7,
                status,
            })
            .unwrap();
    }

    /// Lets everything happen that can happen without time to pass.
    pub(crate) async fn settle(&self) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    /// The master's process ends.
    pub(crate) async fn lose_master(&mut self) {
        let lost = std::mem::replace(&mut self.master, self.node.probe("nobody"));
        let exited = self.node.exit_of(lost.pid().upid());
        drop(lost);
        exited.await;
    }

    /// A process takes the master's address.
    pub(crate) fn find_master(&mut self) {
        self.master = self.node.probe("master");
    }

    pub(crate) async fn expect_destroyed(&mut self, executor: &StandIn) {
        let destroyed = self.destroyed.recv().await.unwrap();
        assert_eq!(destroyed, (executor.container_id.to_string(), Destroy::Now));
    }
}

impl Launched {
    pub(crate) fn succeed(self, pid: u32) {
        self.answer.send(Ok(pid)).unwrap();
    }

    pub(crate) fn fail(self, text: &str) {
        self.answer
            .send(Err(LaunchError::Refused(text.to_owned())))
            .unwrap();
    }
}

fn options(master: &Probe<Mastering>, work_dir: &tempfile::TempDir) -> Options {
    let resources = Resources::new()
        .cpus(4.0)
        .mem_mib(1024)
        .ports(31000..=31009);
    Options {
        resources: Some(resources),
        hostname: Some("host".to_owned()),
        seed: Some(1),
        ..Options::new(master.pid(), work_dir.path())
    }
}

pub(crate) fn registered(silence: Duration) -> Registered {
    Registered {
        agent_id: AgentId::new("S1").unwrap(),
        master: master_info(),
        silence,
    }
}

pub(crate) fn master_info() -> MasterInfo {
    let (id, hostname) = ("m".to_owned(), "host".to_owned());
    let (address, version) = ("127.0.0.1:5050".to_owned(), api::VERSION.to_owned());
    MasterInfo {
        id,
        hostname,
        address,
        version,
    }
}

pub(crate) fn framework_id() -> FrameworkId {
    FrameworkId::new("F1").unwrap()
}

pub(crate) fn framework() -> FrameworkInfo {
    FrameworkInfo {
        id: Some(framework_id()),
        ..FrameworkInfo::new("f")
    }
}

pub(crate) fn command(id: &str) -> TaskInfo {
    let (task_id, agent_id) = (TaskId::new(id).unwrap(), AgentId::new("S1").unwrap());
    let resources = Resources::new().cpus(0.5).mem_mib(16);
    TaskInfo::command(task_id, agent_id, CommandInfo::shell("true"), resources)
}

/// A task of the executor `e` that its framework brings.
pub(crate) fn custom(id: &str) -> TaskInfo {
    let executor_id = ExecutorId::new("e").unwrap();
    let executor = ExecutorInfo {
        resources: Resources::new().cpus(0.5),
        ..ExecutorInfo::custom(executor_id, CommandInfo::shell("executor"))
    };
    TaskInfo {
        command: None,
        executor: Some(executor),
        ..command(id)
    }
}

pub(crate) fn status(task: &str, state: TaskState) -> TaskStatus {
    TaskStatus::new(TaskId::new(task).unwrap(), state, Source::Executor, 0)
        .acknowledged_as(UpdateId::random())
}
