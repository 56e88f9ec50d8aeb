//! Agents that pretend: they come to a master with tasks that run, and say of each new one that it
//! runs, too; and a framework that launches one task after the other on the first of them.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use api::agent::{self, Agenting};
use api::master::{self, Mastering};
use api::scheduler::{self, Scheduling};
use libproc::env::unix_ms;
use libproc::prelude::*;
use types::{
    AgentId, AgentInfo, CommandInfo, Filters, FrameworkId, FrameworkInfo, Labels, Offer, Operation,
    Resources, Role, Source, Task, TaskId, TaskInfo, TaskState, TaskStatus, UpdateId,
};

/// Frameworks whose tasks run when the agents come.
const FRAMEWORKS: usize = 10;
/// Long enough for a run.
const LONG: Duration = Duration::from_secs(24 * 60 * 60);
/// Nothing takes longer than this.
const PATIENCE: Duration = Duration::from_secs(60);

/// What waits for the master, in bytes: all agents share one connection, and say at once what runs on
/// them; it is a kilobyte a task.
const PEER_BUFFER: usize = 1 << 30;

/// How many there are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) agents: usize,
    pub(crate) tasks: usize,
}

/// A crowd, on a thread of its own; it goes when this is dropped.
pub(crate) struct Crowd {
    /// From the first agent that came to when all of them were in the books.
    pub(crate) took: Duration,
    cycles: mpsc::Receiver<Duration>,
    over: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Crowd {
    /// Gathers a crowd around a master; comes back when all of it is in the books. With `cycling`,
    /// a framework launches tasks without end.
    pub(crate) fn gather(to: &Upid, size: Size, cycling: bool) -> anyhow::Result<Crowd> {
        let (over, end) = tokio::sync::oneshot::channel();
        let (cycled, cycles) = mpsc::channel();
        let (came, coming) = mpsc::channel();
        let (began, beginning) = mpsc::channel();
        let to = Pid::<Mastering>::assume(to.clone());
        let thread = std::thread::spawn(move || {
            let ran = libproc::run_alone(async {
                let builder = Node::builder().peer_buffer(PEER_BUFFER);
                let node = builder.bind("127.0.0.1:0").await?;
                // What they say is made before, so that it takes no time from the master.
                let agents: Vec<_> = (0..size.agents)
                    .map(|number| PretendedAgent {
                        master: to.clone(),
                        report: Some(Report { number, size }.words(&node)),
                        came: came.clone(),
                    })
                    .collect();
                let _ = began.send(Instant::now());
                for (number, agent) in agents.into_iter().enumerate() {
                    node.spawn(&name(number), agent);
                }
                if cycling {
                    let cycler = Cycler::new(to.clone(), cycled);
                    node.spawn("cycler", cycler);
                }
                let _ = end.await;
                node.shutdown().await;
                Ok(())
            });
            if let Err(error) = ran {
                eprintln!("the crowd ended: {error}");
            }
        });
        for _ in 0..size.agents {
            let came = coming.recv_timeout(PATIENCE);
            came.context("an agent did not get into the books")?;
        }
        let began = beginning.recv().context("the agents did not come")?;
        Ok(Crowd {
            took: began.elapsed(),
            cycles,
            over: Some(over),
            thread: Some(thread),
        })
    }

    /// How long each cycle takes that ends within `time`, and at least one: from one offer to the
    /// next, in which its task was accepted and heard of as running. In milliseconds.
    pub(crate) fn cycles(&self, time: Duration) -> anyhow::Result<Vec<f64>> {
        while self.cycles.try_recv().is_ok() {}
        let (began, mut cycles) = (Instant::now(), Vec::new());
        while cycles.is_empty() || began.elapsed() < time {
            let cycle = self.cycles.recv_timeout(PATIENCE);
            let cycle = cycle.map_err(|_| anyhow!("no task was launched and ran"))?;
            cycles.push(cycle.as_secs_f64() * 1e3);
        }
        Ok(cycles)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        drop(self.over.take());
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// What one agent says it has.
struct Report {
    number: usize,
    size: Size,
}

fn name(number: usize) -> String {
    format!("agent{number}")
}

fn framework_id(number: usize) -> FrameworkId {
    FrameworkId::new(format!("framework-{number:04}")).expect("a name is an id")
}

impl Report {
    fn agent_id(&self) -> AgentId {
        let number = self.number;
        AgentId::new(format!("9b1e4cb2-6f27-4d0c-8c3a-7d0f6f3c1a55-S{number}"))
            .expect("a name is an id")
    }

    /// The words with which it comes to a master.
    fn words(&self, node: &Node) -> master::Reregister {
        let resources = Resources::new()
            .cpus(64.0)
            .mem_mib(64 << 10)
            .disk_mib(1 << 20);
        let upid = Upid::new(name(self.number), node.address()).expect("a name is an id");
        master::Reregister {
            info: AgentInfo {
                id: Some(self.agent_id()),
                ..AgentInfo::new("node.example.org", 5051, resources)
            },
            agent: Pid::assume(upid),
            version: api::VERSION.to_owned(),
            frameworks: self.frameworks(),
            executors: Vec::new(),
            tasks: self.tasks(),
        }
    }

    fn frameworks(&self) -> Vec<FrameworkInfo> {
        let info = |number| FrameworkInfo {
            id: Some(framework_id(number)),
            failover_timeout: LONG,
            checkpoint: true,
            ..FrameworkInfo::new(format!("framework {number}"))
        };
        (0..FRAMEWORKS).map(info).collect()
    }

    fn tasks(&self) -> Vec<Task> {
        let Size { agents, tasks } = self.size;
        let mine = (self.number..tasks).step_by(agents.max(1));
        mine.map(|number| self.task(number)).collect()
    }

    fn task(&self, number: usize) -> Task {
        let framework_id = framework_id(number % FRAMEWORKS);
        let task_id = format!("web.instance-7f3c1a55-6f27-11f0-8c3a-{number:012}");
        let info = TaskInfo {
            labels: Labels::new().with("team", "search").with("stage", "live"),
            ..TaskInfo::command(
                TaskId::new(task_id).expect("a name is an id"),
                self.agent_id(),
                CommandInfo::shell("sleep 3600"),
                Resources::new().cpus(0.1).mem_mib(32).ports(31000..=31000),
            )
        };
        let mut task = Task::staging(&info, framework_id, Role::any(), Some("nobody".into()));
        task.resources = Resources::new().cpus(0.1).mem_mib(32);
        let status = running(&task.task_id).acknowledged_as(UpdateId::random());
        task.remember(&status);
        task.state = TaskState::Running;
        task
    }
}

fn running(task_id: &TaskId) -> TaskStatus {
    let task_id = task_id.clone();
    TaskStatus::new(task_id, TaskState::Running, Source::Executor, unix_ms())
}

/// An agent that pretends.
struct PretendedAgent {
    master: Pid<Mastering>,
    report: Option<master::Reregister>,
    came: mpsc::Sender<()>,
}

impl Actor for PretendedAgent {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        if let Some(report) = self.report.take() {
            ctx.tell(&self.master, report);
        }
    }
}

impl Process for PretendedAgent {
    type Protocol = Agenting;
}

impl Handler<agent::Reregistered> for PretendedAgent {
    type Result = ();
    fn handle(&mut self, _: agent::Reregistered, _: &mut Context<Self>) {
        let _ = self.came.send(());
    }
}

impl Handler<agent::RunTask> for PretendedAgent {
    type Result = ();
    fn handle(&mut self, message: agent::RunTask, ctx: &mut Context<Self>) {
        let Some(framework_id) = message.framework.id else {
            return;
        };
        let status = running(&message.task.task_id).acknowledged_as(UpdateId::random());
        let update = master::UpdateStatus {
            agent_id: message.task.agent_id,
            framework_id,
            status,
            latest: TaskState::Running,
        };
        ctx.tell(&self.master, update);
    }
}

impl Handler<agent::Ping> for PretendedAgent {
    type Result = ();
    fn handle(&mut self, _: agent::Ping, _: &mut Context<Self>) {}
}

macro_rules! deaf {
    ($process:ident to $($message:path),*) => { $(
        impl Handler<$message> for $process {
            type Result = ();
            fn handle(&mut self, _: $message, _: &mut Context<Self>) {}
        }
    )* };
}

deaf!(PretendedAgent to agent::Registered, agent::Refused, agent::RunGroup, agent::Drain, agent::KillTask,
    agent::AcknowledgeUpdate, agent::ShutdownFramework, agent::ShutdownExecutor, agent::ToExecutor,
    agent::Stop, agent::RegisterExecutor, agent::ExecutorUpdate, agent::ToFramework);

impl Handler<agent::GetAgent> for PretendedAgent {
    type Result = Later<agent::AgentReport>;
    fn handle(&mut self, _: agent::GetAgent, _: &mut Context<Self>) -> Self::Result {
        Later::new().1
    }
}

impl Handler<agent::ReadFile> for PretendedAgent {
    type Result = Reply<Result<agent::Chunk, agent::FileError>>;
    fn handle(&mut self, _: agent::ReadFile, _: &mut Context<Self>) -> Self::Result {
        Reply(Err(agent::FileError::NotFound))
    }
}

impl Handler<agent::ListFiles> for PretendedAgent {
    type Result = Reply<Result<Vec<agent::FileEntry>, agent::FileError>>;
    fn handle(&mut self, _: agent::ListFiles, _: &mut Context<Self>) -> Self::Result {
        Reply(Err(agent::FileError::NotFound))
    }
}

/// A framework that launches one task after the other, all on one agent.
struct Cycler {
    master: Pid<Mastering>,
    cycled: mpsc::Sender<Duration>,
    framework_id: Option<FrameworkId>,
    home: Option<AgentId>,
    launched: u64,
    /// When the last offer was accepted, and whether its task runs.
    accepted: Option<(Instant, bool)>,
    /// The next offer, while the task of the last one does not run yet.
    next: Option<Offer>,
}

impl Cycler {
    fn new(master: Pid<Mastering>, cycled: mpsc::Sender<Duration>) -> Self {
        Self {
            master,
            cycled,
            framework_id: None,
            home: None,
            launched: 0,
            accepted: None,
            next: None,
        }
    }

    /// Goes on when the last task runs and there is an offer.
    fn go_on(&mut self, ctx: &mut Context<Self>) {
        if self.accepted.is_some_and(|(_, runs)| !runs) {
            return;
        }
        let (Some(offer), Some(framework_id)) = (self.next.take(), self.framework_id.clone())
        else {
            return;
        };
        let now = Instant::now();
        if let Some((before, _)) = self.accepted.replace((now, false)) {
            let _ = self.cycled.send(now - before);
        }
        self.launched += 1;
        let task = TaskInfo::command(
            TaskId::new(format!("cycle-{}", self.launched)).expect("a name is an id"),
            offer.agent_id.clone(),
            CommandInfo::shell("true"),
            Resources::new().cpus(0.001).mem_mib(1),
        );
        let accept = master::Accept {
            framework_id,
            offer_ids: vec![offer.id],
            operations: vec![Operation::Launch { tasks: vec![task] }],
            filters: Filters {
                refuse: Duration::ZERO,
            },
        };
        ctx.tell(&self.master, accept);
    }
}

impl Actor for Cycler {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let subscribe = master::Subscribe {
            info: FrameworkInfo::new("cycler"),
            suppressed: Vec::new(),
            scheduler: ctx.pid(),
        };
        ctx.tell(&self.master, subscribe);
    }
}

impl Process for Cycler {
    type Protocol = Scheduling;
}

impl Handler<scheduler::Subscribed> for Cycler {
    type Result = ();
    fn handle(&mut self, message: scheduler::Subscribed, _: &mut Context<Self>) {
        self.framework_id = Some(message.framework_id);
    }
}

impl Handler<scheduler::Offers> for Cycler {
    type Result = ();
    fn handle(&mut self, message: scheduler::Offers, ctx: &mut Context<Self>) {
        let Some(framework_id) = self.framework_id.clone() else {
            return;
        };
        let mut others = BTreeMap::new();
        for offer in message.offers {
            let home = self.home.get_or_insert_with(|| offer.agent_id.clone());
            if offer.agent_id == *home {
                self.next = Some(offer);
            } else {
                others.insert(offer.id.clone(), offer);
            }
        }
        if !others.is_empty() {
            let decline = master::Decline {
                framework_id,
                offer_ids: others.into_keys().collect(),
                filters: Filters { refuse: LONG },
            };
            ctx.tell(&self.master, decline);
        }
        self.go_on(ctx);
    }
}

impl Handler<scheduler::Update> for Cycler {
    type Result = ();
    fn handle(&mut self, scheduler::Update { status }: scheduler::Update, ctx: &mut Context<Self>) {
        let (Some(framework_id), Some(agent_id)) = (self.framework_id.clone(), status.agent_id)
        else {
            return;
        };
        if let Some(update_id) = status.update_id {
            let acknowledge = master::Acknowledge {
                framework_id,
                agent_id,
                task_id: status.task_id,
                update_id,
            };
            ctx.tell(&self.master, acknowledge);
        }
        if let Some((_, runs)) = &mut self.accepted {
            *runs = true;
        }
        self.go_on(ctx);
    }
}

deaf!(Cycler to scheduler::Rescind, scheduler::Failure, scheduler::FromExecutor,
    scheduler::Rejected);
