//! The agent's process: its parts, its first moments, and the way news of tasks take through it.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use api::agent::{Agenting, TaskOf};
use api::master::{Register, Reregister, UpdateStatus};
use api::v1::convert::add_address;
use libproc::env::{self, Instant};
use libproc::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedReceiver;
use types::{AgentInfo, ContainerId, ContainerStatus, ExecutorKind, FrameworkCapability, Opaque};
use types::{Reason, Source, Task, TaskState, TaskStatus, UpdateId};

use crate::books::{Books, Phase};
use crate::checkpointing::Checkpoints;
use crate::checkpoints::{Key, Store};
use crate::counters::Counters;
use crate::draining::Draining;
use crate::garbage::Garbage;
use crate::launcher::{Launch, LaunchRequest, LauncherEvent};
use crate::recovering::Left;
use crate::recovery::Recovery;
use crate::registration::{Due, Registration};
use crate::status_updates::{Forward, StatusUpdates, Taken};
use crate::stopping::Stopping;
use crate::token::TokenKey;
use crate::{AgentError, Options};

/// The agent.
pub(crate) struct Agent {
    pub(crate) options: Options,
    pub(crate) info: AgentInfo,
    pub(crate) launch: Box<dyn Launch>,
    pub(crate) events: Option<UnboundedReceiver<LauncherEvent>>,
    pub(crate) registration: Registration,
    pub(crate) updates: StatusUpdates,
    pub(crate) books: Books,
    pub(crate) checkpoints: Checkpoints,
    /// What the agent before has left to be dealt with.
    pub(crate) left: Left,
    pub(crate) garbage: Garbage,
    /// What ends executors that do not register in time.
    pub(crate) timeouts: HashMap<ContainerId, Timer>,
    pub(crate) stopping: Option<Stopping>,
    pub(crate) draining: Option<Draining>,
    /// Executors that wait for what their commands want.
    pub(crate) fetching: HashMap<ContainerId, LaunchRequest>,
    pub(crate) started_ms: u64,
    pub(crate) counters: Counters,
    /// For pages that take their time.
    pub(crate) page_turns: Arc<Semaphore>,
    /// Who answered the registration: the master, by the address it gives itself.
    pub(crate) leader: Option<Upid>,
    /// Makes the tokens of executors, where they are asked for.
    pub(crate) token_key: Option<TokenKey>,
    /// What it is made of, for the next agent.
    pub(crate) token_key_bytes: Vec<u8>,
    /// Where the agent is.
    pub(crate) at: SocketAddr,
    /// Where containers are reached, as the public API says it.
    address: (IpAddr, Opaque),
    rng: StdRng,
    epoch: Instant,
    /// When the pure parts are next to be asked what is due.
    alarm: Option<(u64, Timer)>,
}

/// What an agent begins with: what the one before it left, or nothing.
pub(crate) struct Past {
    pub(crate) info: AgentInfo,
    pub(crate) recovery: Recovery,
    pub(crate) store: Option<Store>,
    pub(crate) stored: BTreeSet<Key>,
    pub(crate) token_key: Option<Vec<u8>>,
    pub(crate) draining: Option<Draining>,
}

impl Agent {
    pub(crate) fn new(
        address: SocketAddr,
        options: Options,
        (launch, events): (Box<dyn Launch>, UnboundedReceiver<LauncherEvent>),
        token_key: Option<TokenKey>,
        past: Past,
    ) -> Result<Agent, AgentError> {
        std::fs::create_dir_all(&options.work_dir)
            .map_err(|error| AgentError::WorkDirectory(options.work_dir.clone(), error))?;
        let mut rng = options.seed.map_or_else(env::rng, StdRng::seed_from_u64);
        let pauses = StdRng::seed_from_u64(rng.random());
        let mut said = Opaque::new();
        add_address(&mut said, address.ip());
        let Past {
            info,
            recovery,
            store,
            stored,
            token_key: token_key_bytes,
            draining,
        } = past;
        let left = Left {
            awaited: recovery.awaited,
            ending: recovery.ending,
            gone: recovery.gone,
            strangers: recovery.strangers,
            orphans: recovery.orphans,
        };
        Ok(Agent {
            at: address,
            address: (address.ip(), said),
            left,
            checkpoints: Checkpoints::new(store, stored),
            token_key_bytes: token_key_bytes.unwrap_or_default(),
            registration: Registration::new(options.registration_backoff_factor, pauses),
            updates: recovery.updates,
            books: recovery.books,
            garbage: Garbage::new(options.gc_delay),
            timeouts: HashMap::new(),
            stopping: None,
            draining,
            fetching: HashMap::new(),
            started_ms: env::unix_ms(),
            counters: Counters::default(),
            page_turns: Arc::new(Semaphore::new(crate::http::PAGES_AT_ONCE)),
            leader: None,
            token_key,
            epoch: Instant::now(),
            alarm: None,
            events: Some(events),
            rng,
            options,
            info,
            launch,
        })
    }

    /// Time since the agent started: what the pure parts reckon with.
    pub(crate) fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.now().as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn update_id(&mut self) -> UpdateId {
        UpdateId::from_uuid(self.uuid())
    }

    pub(crate) fn container_id(&mut self) -> ContainerId {
        ContainerId::new(self.uuid().to_string()).expect("a uuid is an id")
    }

    fn uuid(&mut self) -> uuid::Uuid {
        uuid::Builder::from_random_bytes(self.rng.random()).into_uuid()
    }

    /// Sees to it that [`wake`](Agent::wake) runs when the pure parts have something due.
    pub(crate) fn set_alarm(&mut self, ctx: &mut Context<Self>) {
        let due = [self.registration.next_due_ms(), self.updates.next_due_ms()];
        let Some(due_ms) = due.into_iter().flatten().min() else {
            return;
        };
        if let Some((earlier_ms, timer)) = self.alarm.take() {
            if earlier_ms <= due_ms {
                self.alarm = Some((earlier_ms, timer));
                return;
            }
            ctx.cancel(timer);
        }
        let after = Duration::from_millis(due_ms).saturating_sub(self.now());
        self.alarm = Some((due_ms, ctx.after(after, Self::wake)));
    }

    pub(crate) fn wake(&mut self, ctx: &mut Context<Self>) {
        self.alarm = None;
        let now_ms = self.now_ms();
        match self.registration.due(now_ms) {
            Due::Nothing => {}
            Due::Attempt => self.register(ctx),
            Due::Lost => {
                tracing::warn!(master = %self.options.master, "master is silent");
                self.updates.pause();
            }
        }
        let forwards = self.updates.due(now_ms);
        self.forward(forwards, ctx);
        self.set_alarm(ctx);
    }

    /// Asks the master to take the agent into its books.
    fn register(&mut self, ctx: &mut Context<Self>) {
        let master = self.options.master.clone();
        ctx.link(master.upid());
        let (info, agent, version) = (self.info.clone(), ctx.pid(), api::VERSION.to_owned());
        if info.id.is_none() {
            tracing::debug!(%master, "registering");
            return ctx.tell(
                &master,
                Register {
                    info,
                    agent,
                    version,
                },
            );
        }
        tracing::debug!(%master, "reregistering");
        let frameworks = self.books.frameworks().map(|(_, framework)| framework);
        let living = frameworks.clone().filter(|framework| !framework.ending);
        let executors = living
            .clone()
            .flat_map(|framework| framework.executors.values());
        let running = executors.clone().filter(|executor| {
            executor.phase != Phase::Gone && executor.info.kind != ExecutorKind::Command
        });
        let tasks = executors.flat_map(|executor| executor.tasks.values());
        let message = Reregister {
            info,
            agent,
            version,
            frameworks: living.map(|framework| framework.info.clone()).collect(),
            executors: running.map(|executor| executor.info.clone()).collect(),
            tasks: tasks.map(|task| self.report(task)).collect(),
        };
        ctx.tell(&master, message);
    }

    /// A task as the master is told of it, with the update its framework has to acknowledge.
    pub(crate) fn report(&self, task: &Task) -> Task {
        let (framework_id, task_id) = (task.framework_id.clone(), task.task_id.clone());
        let front = self.updates.front(&TaskOf {
            framework_id,
            task_id,
        });
        Task {
            status_update_state: front.map(|status| status.state),
            status_update_id: front.and_then(|status| status.update_id),
            ..task.clone()
        }
    }

    /// The master is gone, or does not know the agent.
    pub(crate) fn master_lost(&mut self, ctx: &mut Context<Self>) {
        if let Some(detector) = &self.options.detector {
            detector.miss();
        }
        let now_ms = self.now_ms();
        if self.registration.lost(now_ms) {
            tracing::info!(master = %self.options.master, "disconnected from master");
            self.updates.pause();
        }
        self.set_alarm(ctx);
    }

    /// Sends updates to the master, as soon as they are written down.
    pub(crate) fn forward(
        &mut self,
        forwards: impl IntoIterator<Item = Forward>,
        ctx: &mut Context<Self>,
    ) {
        let forwards: Vec<Forward> = forwards.into_iter().collect();
        match forwards.is_empty() {
            true => self.write_down(),
            false => self.once_written(ctx, |agent, ctx| agent.forward_now(forwards, ctx)),
        }
    }

    fn forward_now(&mut self, forwards: Vec<Forward>, ctx: &mut Context<Self>) {
        let Some(agent_id) = &self.info.id else {
            return; // without an id no task was ever run here
        };
        for Forward {
            framework_id,
            status,
            latest,
        } in forwards
        {
            let agent_id = agent_id.clone();
            let message = UpdateStatus {
                agent_id,
                framework_id,
                status,
                latest,
            };
            ctx.tell(&self.options.master, message);
        }
    }

    /// Tells of a task on the agent's own behalf.
    pub(crate) fn own_update(
        &mut self,
        of: &TaskOf,
        state: TaskState,
        reason: Reason,
        message: impl Into<String>,
        ctx: &mut Context<Self>,
    ) {
        let status = TaskStatus::new(of.task_id.clone(), state, Source::Agent, env::unix_ms())
            .because(reason, message)
            .acknowledged_as(self.update_id());
        self.take_update(of, status, ctx);
    }

    /// Takes news of a task into the books, adds what only the agent knows, and sends them on.
    pub(crate) fn take_update(
        &mut self,
        of: &TaskOf,
        mut status: TaskStatus,
        ctx: &mut Context<Self>,
    ) -> Taken {
        self.blame_drain(of, &mut status);
        let task = self.books.task(of);
        if task.is_some_and(|task| !task.state.may_become(status.state)) {
            return Taken::AfterEnd;
        }
        self.decorate(of, &mut status);
        let now_ms = self.now_ms();
        let (taken, forward) = self.updates.update(of, status.clone(), now_ms);
        if taken == Taken::Fresh {
            self.books.record(of, &status);
            self.counters.task_is(status.state);
            tracing::debug!(
                framework = %of.framework_id, task = %of.task_id, state = %status.state,
                "task has news"
            );
        }
        self.forward(forward, ctx);
        self.set_alarm(ctx);
        taken
    }

    fn decorate(&mut self, of: &TaskOf, status: &mut TaskStatus) {
        status.agent_id = self.info.id.clone();
        if status.timestamp_ms == 0 {
            status.timestamp_ms = env::unix_ms();
        }
        if let Some((executor_id, executor)) = self.books.executor_of(of) {
            status.executor_id = Some(executor_id.clone());
            status.container = Some(ContainerStatus {
                container_id: Some(executor.container_id.clone()),
                pid: executor.os_pid,
            });
            let (address, said) = &self.address;
            match status.opaque.is_empty() {
                true => status.opaque.clone_from(said),
                false => add_address(&mut status.opaque, *address),
            }
        }
        let framework = self.books.framework(&of.framework_id);
        let aware = |info: &types::FrameworkInfo| info.has(FrameworkCapability::PartitionAware);
        let aware = framework.is_none_or(|framework| aware(&framework.info));
        status.state = status.state.for_framework(aware);
        if status.update_id.is_none() {
            status.update_id = Some(self.update_id());
        }
    }
}

impl Actor for Agent {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.hear_disk(ctx);
        self.take_over(ctx);
        self.hear_launcher(ctx);
        self.collect_garbage_later(ctx);
        self.find_master(ctx);
    }

    fn stopped(&mut self, ctx: &mut Context<Self>) {
        self.abandon_executors(ctx);
    }
}

impl Process for Agent {
    type Protocol = Agenting;

    fn routes(routes: &mut http::Routes<Self>) {
        crate::http::routes(routes);
    }
}

impl Handler<Exited> for Agent {
    type Result = ();
    fn handle(&mut self, Exited { upid, reason }: Exited, ctx: &mut Context<Self>) {
        if upid == *self.options.master.upid() {
            tracing::debug!(master = %upid, %reason, "master cannot be reached");
            self.master_lost(ctx);
        }
    }
}
