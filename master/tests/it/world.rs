//! The stand-ins: they say what a test wants, from their own address, and remember what they hear.

use std::any::Any;
use std::collections::BTreeMap;
use std::time::Duration;

use ::master::Options;
use api::agent::{self, Agenting};
use api::master::{self, Mastering};
use api::scheduler::{self, Scheduling};
use libproc::prelude::*;
use tokio::sync::mpsc;
use types::{
    AgentId, AgentInfo, CommandInfo, Filters, FrameworkId, FrameworkInfo, Offer, OfferId,
    Operation, Resources, TaskInfo, TaskState, TaskStatus,
};

type Heard = (&'static str, Box<dyn Any + Send>);

/// A stand-in whose process is `A`.
pub(crate) struct Stand<A: Process> {
    pub(crate) pid: Pid<A::Protocol>,
    node: Node,
    local: Local<A>,
    heard: mpsc::UnboundedReceiver<Heard>,
}

impl<A: Process> Stand<A> {
    /// The next message.
    pub(crate) async fn expect<M: Wire>(&mut self) -> M {
        let next = tokio::time::timeout(Duration::from_secs(3600), self.heard.recv()).await;
        let next = next.unwrap_or_else(|_| panic!("{}: no {} came", self.pid, M::NAME));
        let (name, message) = next.expect("a stand-in lives");
        let message = message.downcast::<M>();
        *message.unwrap_or_else(|_| panic!("{}: expected {}, got {name}", self.pid, M::NAME))
    }

    /// The next message of this type; others before it are thrown away.
    pub(crate) async fn skip_to<M: Wire>(&mut self) -> M {
        loop {
            let next = tokio::time::timeout(Duration::from_secs(36_000), self.heard.recv()).await;
            let next = next.unwrap_or_else(|_| panic!("{}: no {} came", self.pid, M::NAME));
            if let Ok(message) = next.expect("a stand-in lives").1.downcast::<M>() {
                return *message;
            }
        }
    }

    pub(crate) async fn expect_nothing(&mut self, within: Duration) {
        if let Ok(Some((name, _))) = tokio::time::timeout(within, self.heard.recv()).await {
            panic!("{}: an unexpected {name}", self.pid);
        }
    }

    /// What has come.
    pub(crate) fn take(&mut self) -> Vec<Box<dyn Any + Send>> {
        let heard = std::iter::from_fn(|| self.heard.try_recv().ok());
        heard.map(|(_, message)| message).collect()
    }

    /// Says something to the master, as itself.
    pub(crate) fn say<M: Wire>(&self, to: &Pid<Mastering>, message: M)
    where
        Mastering: Accepts<M>,
    {
        let to = to.clone();
        self.local.run(move |_, ctx| ctx.tell(&to, message));
    }

    /// Waits until what it has said lies in the master's mailbox.
    pub(crate) async fn said(&self) {
        let (done, said) = tokio::sync::oneshot::channel();
        self.local
            .run(move |_, _| done.send(()).expect("the test waits"));
        said.await.expect("a stand-in lives");
    }

    /// Ends its process: its connection is broken.
    pub(crate) async fn end(self) {
        let exit = self.node.exit_of(self.pid.upid());
        self.node.terminate(self.pid.upid());
        exit.await;
    }
}

/// Whether a stand-in answers when it is asked whether it is there.
pub(crate) enum Mute {
    No,
    Yes(Vec<Answer<()>>),
}

macro_rules! stand_in {
    ($process:ident speaks $protocol:ident, hears $($message:path),*) => {
        pub(crate) struct $process {
            tape: mpsc::UnboundedSender<Heard>,
            ready: Option<mpsc::UnboundedSender<Local<$process>>>,
            #[allow(dead_code, reason = "schedulers are never asked")]
            mute: Mute,
        }
        impl $process {
            pub(crate) async fn start(node: &Node, id: &str, mute: Mute) -> Stand<$process> {
                let (tape, heard) = mpsc::unbounded_channel();
                let (ready, mut started) = mpsc::unbounded_channel();
                let process =
                    $process { tape, ready: Some(ready), mute };
                let pid = node.spawn(id, process);
                let local = started.recv().await.expect("it starts");
                Stand { pid, node: node.clone(), local, heard }
            }
        }
        impl Actor for $process {
            type Context = Context<Self>;
            fn started(&mut self, ctx: &mut Context<Self>) {
                if let Some(ready) = self.ready.take() {
                    let _ = ready.send(ctx.local());
                }
            }
        }
        impl Process for $process {
            type Protocol = $protocol;
        }
        $(impl Handler<$message> for $process {
            type Result = ();
            fn handle(&mut self, message: $message, _: &mut Context<Self>) {
                let _ = self.tape.send((<$message as Wire>::NAME, Box::new(message)));
            }
        })*
    };
}

stand_in!(SchedulerStand speaks Scheduling, hears
    scheduler::Subscribed, scheduler::Offers, scheduler::Rescind, scheduler::Update,
    scheduler::Failure, scheduler::FromExecutor, scheduler::Rejected);

stand_in!(AgentStand speaks Agenting, hears
    agent::Registered, agent::Reregistered, agent::Refused, agent::RunTask, agent::RunGroup,
    agent::Drain, agent::KillTask,
    agent::AcknowledgeUpdate, agent::ShutdownFramework, agent::ShutdownExecutor,
    agent::ToExecutor, agent::Stop, agent::RegisterExecutor, agent::ExecutorUpdate, agent::ToFramework);

impl Handler<agent::Ping> for AgentStand {
    type Result = Later<()>;
    fn handle(&mut self, _: agent::Ping, _: &mut Context<Self>) -> Later<()> {
        let (answer, later) = Later::new();
        match &mut self.mute {
            Mute::Yes(unanswered) => unanswered.push(answer),
            Mute::No => answer.send(()),
        }
        later
    }
}

impl Handler<agent::GetAgent> for AgentStand {
    type Result = Later<agent::AgentReport>;
    fn handle(&mut self, _: agent::GetAgent, _: &mut Context<Self>) -> Self::Result {
        Later::new().1
    }
}

impl Handler<agent::ReadFile> for AgentStand {
    type Result = Reply<Result<agent::Chunk, agent::FileError>>;
    fn handle(&mut self, _: agent::ReadFile, _: &mut Context<Self>) -> Self::Result {
        Reply(Err(agent::FileError::NotFound))
    }
}

impl Handler<agent::ListFiles> for AgentStand {
    type Result = Reply<Result<Vec<agent::FileEntry>, agent::FileError>>;
    fn handle(&mut self, _: agent::ListFiles, _: &mut Context<Self>) -> Self::Result {
        Reply(Err(agent::FileError::NotFound))
    }
}

pub(crate) type Agent = Stand<AgentStand>;
pub(crate) type Scheduler = Stand<SchedulerStand>;

/// A cluster of stand-ins around a master.
pub(crate) struct World {
    pub(crate) node: Node,
    pub(crate) master: Pid<Mastering>,
}

/// Runs a test on this thread, on virtual time, with a master.
pub(crate) fn world<F: Future<Output = ()>>(test: impl FnOnce(World) -> F) {
    world_with(options(), test);
}

pub(crate) fn world_with<F: Future<Output = ()>>(options: Options, test: impl FnOnce(World) -> F) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime starts");
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let node = Node::bind("127.0.0.1:0").await.expect("a free port");
        let master = ::master::start(&node, options);
        let over = node.clone();
        test(World { node, master }).await;
        let master_lives = over.exit_of(&format!("master@{}", over.address()).parse().unwrap());
        let lives = tokio::time::timeout(Duration::from_millis(1), master_lives).await;
        assert!(lives.is_err(), "the master ended: {lives:?}");
        over.shutdown().await;
    });
}

pub(crate) fn options() -> Options {
    Options {
        seed: Some(1),
        ..Options::default()
    }
}

/// A framework whose tasks survive that their agent disconnects.
pub(crate) fn framework_info(name: &str) -> FrameworkInfo {
    FrameworkInfo {
        checkpoint: true,
        ..FrameworkInfo::new(name)
    }
}

pub(crate) fn agent_info() -> AgentInfo {
    AgentInfo::new("host", 5051, Resources::new().cpus(4.0).mem_mib(1024))
}

pub(crate) fn task(id: &str, offer: &Offer) -> TaskInfo {
    TaskInfo::command(
        id.parse().unwrap(),
        offer.agent_id.clone(),
        CommandInfo::shell("sleep 60"),
        Resources::new().cpus(1.0).mem_mib(128),
    )
}

impl World {
    /// Kills the master and starts another one in its place.
    pub(crate) async fn another_master(&mut self) {
        let exit = self.node.exit_of(self.master.upid());
        self.node.terminate(self.master.upid());
        exit.await;
        let options = Options {
            seed: Some(2),
            ..Options::default()
        };
        self.master = ::master::start(&self.node, options);
    }

    /// Kills the master and starts one that goes on with a registry.
    pub(crate) async fn master_from(&mut self, state: &state::State, options: Options) {
        let exit = self.node.exit_of(self.master.upid());
        self.node.terminate(self.master.upid());
        exit.await;
        let started = ::master::start_from(&self.node, options, state).await;
        self.master = started.expect("the registry is there");
    }

    pub(crate) async fn agent(&self, id: &str) -> (Agent, AgentId) {
        self.agent_of(id, agent_info()).await
    }

    pub(crate) async fn agent_of(&self, id: &str, info: AgentInfo) -> (Agent, AgentId) {
        let mut agent = AgentStand::start(&self.node, id, Mute::No).await;
        self.register(&agent, info);
        let registered = agent.expect::<agent::Registered>().await;
        (agent, registered.agent_id)
    }

    pub(crate) fn register(&self, agent: &Agent, info: AgentInfo) {
        let register = master::Register {
            info,
            agent: agent.pid.clone(),
            version: "1.0.0".into(),
        };
        agent.say(&self.master, register);
    }

    pub(crate) fn reregister(&self, agent: &Agent, id: &AgentId, report: Report) {
        let reregister = master::Reregister {
            info: AgentInfo {
                id: Some(id.clone()),
                ..agent_info()
            },
            agent: agent.pid.clone(),
            version: "1.0.0".into(),
            frameworks: report.frameworks,
            executors: report.executors,
            tasks: report.tasks,
        };
        agent.say(&self.master, reregister);
    }

    pub(crate) async fn scheduler(&self, id: &str) -> (Scheduler, FrameworkId) {
        self.scheduler_of(id, framework_info(id)).await
    }

    pub(crate) async fn scheduler_of(
        &self,
        id: &str,
        info: FrameworkInfo,
    ) -> (Scheduler, FrameworkId) {
        let mut scheduler = SchedulerStand::start(&self.node, id, Mute::No).await;
        self.subscribe(&scheduler, info);
        let subscribed = scheduler.expect::<scheduler::Subscribed>().await;
        (scheduler, subscribed.framework_id)
    }

    pub(crate) fn subscribe(&self, scheduler: &Scheduler, info: FrameworkInfo) {
        let subscribe = master::Subscribe {
            info,
            suppressed: Vec::new(),
            scheduler: scheduler.pid.clone(),
        };
        scheduler.say(&self.master, subscribe);
    }

    pub(crate) fn accept(
        &self,
        scheduler: &Scheduler,
        framework_id: &FrameworkId,
        offers: &[&Offer],
        tasks: Vec<TaskInfo>,
    ) {
        let offer_ids: Vec<OfferId> = offers.iter().map(|offer| offer.id.clone()).collect();
        let accept = master::Accept {
            framework_id: framework_id.clone(),
            offer_ids,
            operations: vec![Operation::Launch { tasks }],
            filters: Filters::default(),
        };
        scheduler.say(&self.master, accept);
    }

    pub(crate) fn update(
        &self,
        agent: &Agent,
        agent_id: &AgentId,
        of: (&FrameworkId, &str),
        state: TaskState,
    ) -> types::UpdateId {
        let update_id = types::UpdateId::random();
        let source = types::Source::Executor;
        let status = TaskStatus::new(of.1.parse().unwrap(), state, source, 1);
        let update = master::UpdateStatus {
            agent_id: agent_id.clone(),
            framework_id: of.0.clone(),
            status: status.acknowledged_as(update_id),
            latest: state,
        };
        agent.say(&self.master, update);
        update_id
    }

    pub(crate) fn acknowledge(
        &self,
        scheduler: &Scheduler,
        framework_id: &FrameworkId,
        status: &TaskStatus,
    ) {
        let acknowledge = master::Acknowledge {
            framework_id: framework_id.clone(),
            agent_id: status.agent_id.clone().unwrap(),
            task_id: status.task_id.clone(),
            update_id: status.update_id.unwrap(),
        };
        scheduler.say(&self.master, acknowledge);
    }

    /// What the operator sees of the live tasks: their names and states.
    pub(crate) async fn tasks(&self) -> BTreeMap<String, TaskState> {
        let tasks = self.get_tasks(false).await;
        let name = |task: &master::TaskSummary| (task.task.task_id.to_string(), task.task.state);
        tasks.iter().map(name).collect()
    }

    /// What the operator sees of all tasks.
    pub(crate) async fn get_tasks(&self, ended: bool) -> Vec<master::TaskSummary> {
        let framework_id = None;
        let get = master::GetTasks {
            framework_id,
            ended,
        };
        self.node.ask(&self.master, get).await.unwrap()
    }

    pub(crate) async fn get_agents(&self) -> Vec<master::AgentSummary> {
        self.node
            .ask(&self.master, master::GetAgents {})
            .await
            .unwrap()
    }

    pub(crate) async fn get_frameworks(&self) -> Vec<master::FrameworkSummary> {
        self.node
            .ask(&self.master, master::GetFrameworks {})
            .await
            .unwrap()
    }

    pub(crate) async fn get_master(&self) -> master::MasterSummary {
        self.node
            .ask(&self.master, master::GetMaster {})
            .await
            .unwrap()
    }
}

/// What an agent reports when it comes back.
#[derive(Debug, Default, Clone)]
pub(crate) struct Report {
    pub(crate) frameworks: Vec<FrameworkInfo>,
    pub(crate) executors: Vec<types::ExecutorInfo>,
    pub(crate) tasks: Vec<types::Task>,
}

/// An agent and a framework, and a task that runs.
pub(crate) struct Running {
    pub(crate) agent: Agent,
    pub(crate) agent_id: AgentId,
    pub(crate) scheduler: Scheduler,
    pub(crate) framework_id: FrameworkId,
    /// As the agent got it.
    pub(crate) task: TaskInfo,
}

impl Running {
    pub(crate) async fn new(world: &World) -> Running {
        Running::of(world, framework_info("framework")).await
    }

    pub(crate) async fn of(world: &World, info: FrameworkInfo) -> Running {
        let (mut agent, agent_id) = world.agent("agent").await;
        let (mut scheduler, framework_id) = world.scheduler_of("framework", info).await;
        let offers = scheduler.expect::<scheduler::Offers>().await.offers;
        let tasks = vec![task("t", &offers[0])];
        world.accept(&scheduler, &framework_id, &[&offers[0]], tasks);
        let task = agent.expect::<agent::RunTask>().await.task;
        let of = (&framework_id, "t");
        world.update(&agent, &agent_id, of, TaskState::Running);
        let status = scheduler.expect::<scheduler::Update>().await.status;
        world.acknowledge(&scheduler, &framework_id, &status);
        agent.expect::<agent::AcknowledgeUpdate>().await;
        Running {
            agent,
            agent_id,
            scheduler,
            framework_id,
            task,
        }
    }

    /// What the agent reports of its task.
    pub(crate) fn report(&self, info: FrameworkInfo, state: TaskState) -> Report {
        let role = types::Role::any();
        let framework_id = self.framework_id.clone();
        let mut task = types::Task::staging(&self.task, framework_id, role, None);
        task.state = state;
        Report {
            frameworks: vec![FrameworkInfo {
                id: Some(self.framework_id.clone()),
                ..info
            }],
            executors: Vec::new(),
            tasks: vec![task],
        }
    }
}

pub(crate) const SECOND: Duration = Duration::from_secs(1);
