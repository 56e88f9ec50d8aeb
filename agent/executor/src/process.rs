//! The shell of every executor: the process that registers with the agent and keeps the updates.

use std::collections::BTreeSet;
use std::time::Duration;

use api::agent::{Agenting, ExecutorUpdate, RegisterExecutor};
use api::executor::{Acknowledged, Executing, FromFramework, Kill, Launch, LaunchGroup};
use api::executor::{Reconnect, Registered, Shutdown};
use libproc::env;
use libproc::prelude::*;
use rand::Rng as _;
use rand::rngs::StdRng;
use types::{ContainerId, ExecutorId, FrameworkId, TaskId, TaskInfo, TaskStatus, UpdateId};

use crate::unacknowledged::Unacknowledged;
use crate::{Calls, Executor, Registration};

/// How long an agent may take to answer a registration before it is sent again.
const REGISTER_AGAIN: Duration = Duration::from_secs(2);
/// The first pause of an executor that lost its agent before it looks for the next one; it doubles.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// The longest of those pauses. An agent that was started again says so itself, too.
const LOOK_AGAIN_MAX: Duration = Duration::from_secs(8);
/// How long an agent may take to acknowledge an update before it is sent again.
const UPDATE_AGAIN: Duration = Duration::from_secs(10);
/// How long an executor that is done waits for its updates to be acknowledged.
const STOP_PATIENCE: Duration = Duration::from_secs(60);

/// Who an executor is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Whom it works for.
    pub framework_id: FrameworkId,
    /// Which it is, within its framework and agent.
    pub executor_id: ExecutorId,
    /// Where it runs.
    pub container_id: ContainerId,
}

/// An [`Executor`] as a process.
pub struct ExecutorProcess<E: Executor> {
    executor: E,
    session: Session,
    /// A task to launch at once, without waiting for the agent to say so.
    first: Option<TaskInfo>,
    /// How long a shutdown may take.
    grace: Duration,
}

/// What there is between an executor and its agent.
pub(crate) struct Session {
    pub(crate) agent: Pid<Agenting>,
    pub(crate) identity: Identity,
    pub(crate) registration: Option<Registration>,
    pub(crate) unacknowledged: Unacknowledged,
    rng: StdRng,
    life: Life,
    resending: bool,
    contact: Contact,
    /// When to register again, if nothing is heard until then.
    again: Option<Timer>,
    /// How long another agent is waited for.
    recovery: Option<Duration>,
    /// When that is over, while one is waited for.
    patience: Option<Timer>,
    /// What it was given and has not told the end of, as far as the agent knows.
    tasks: BTreeSet<TaskId>,
}

/// What an executor hears of its agent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Contact {
    /// It has never heard of it.
    None,
    /// The agent knows it.
    Registered,
    /// The agent is gone, and another one may come. Looked for again after `pause`.
    Lost { pause: Duration },
}

/// Where an executor is in its life.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    Working,
    /// It is done as soon as the agent has all updates.
    Stopping,
    /// The agent is gone: nobody is left to tell.
    Orphaned,
}

impl<E: Executor> ExecutorProcess<E> {
    /// An executor for the agent at `agent`, that has `grace` to end when it is told to.
    pub fn new(
        executor: E,
        identity: Identity,
        agent: Pid<Agenting>,
        grace: Duration,
    ) -> ExecutorProcess<E> {
        let session = Session {
            agent,
            identity,
            registration: None,
            unacknowledged: Unacknowledged::default(),
            rng: env::rng(),
            life: Life::Working,
            resending: false,
            contact: Contact::None,
            again: None,
            recovery: None,
            patience: None,
            tasks: BTreeSet::new(),
        };
        ExecutorProcess {
            executor,
            session,
            first: None,
            grace,
        }
    }

    /// Waits for that long for another agent when this one is gone, and goes on meanwhile; ends with
    /// this one if none.
    #[must_use]
    pub fn recovering(mut self, timeout: Option<Duration>) -> ExecutorProcess<E> {
        self.session.recovery = timeout;
        self
    }

    /// Launches `task` while the registration is under way.
    #[must_use]
    pub fn with_task(mut self, task: TaskInfo) -> ExecutorProcess<E> {
        self.first = Some(task);
        self
    }

    /// The two halves of a turn: the author's, and what he may call.
    pub(crate) fn turn<'a>(&'a mut self, ctx: &'a mut Context<Self>) -> (&'a mut E, Calls<'a, E>) {
        let calls = Calls {
            session: &mut self.session,
            ctx,
        };
        (&mut self.executor, calls)
    }

    fn register(&mut self, ctx: &mut Context<Self>) {
        if let Some(timer) = self.session.again.take() {
            ctx.cancel(timer);
        }
        let Session {
            agent,
            identity,
            contact,
            life,
            tasks,
            ..
        } = &mut self.session;
        let again = match contact {
            Contact::Registered => return,
            _ if *life == Life::Orphaned => return,
            Contact::None => REGISTER_AGAIN,
            Contact::Lost { pause } => {
                ctx.link(&agent.upid().clone());
                std::mem::replace(pause, (*pause * 2).min(LOOK_AGAIN_MAX))
            }
        };
        let Identity {
            framework_id,
            executor_id,
            container_id,
        } = identity.clone();
        let executor = ctx.pid();
        ctx.tell(
            agent,
            RegisterExecutor {
                framework_id,
                executor_id,
                container_id,
                executor,
                tasks: tasks.iter().cloned().collect(),
            },
        );
        self.session.again = Some(ctx.after(again, Self::register));
    }

    /// The agent is gone, or has been: another one is looked for, for some time.
    fn look_for_agent(&mut self, recovery: Duration, ctx: &mut Context<Self>) {
        if self.session.patience.is_none() {
            self.session.patience = Some(ctx.after(recovery, Self::abandon));
        }
        self.session.contact = Contact::Lost { pause: LOOK_AGAIN };
        self.register(ctx);
    }

    /// Nobody is left to tell.
    fn abandon(&mut self, ctx: &mut Context<Self>) {
        match self.session.life {
            Life::Working => {
                self.session.life = Life::Orphaned;
                self.end(ctx);
            }
            // It had nothing to do but to wait for the agent's word.
            Life::Stopping | Life::Orphaned => ctx.terminate(),
        }
    }

    fn take_up(&mut self, task: TaskInfo, ctx: &mut Context<Self>) {
        self.session.tasks.insert(task.task_id.clone());
        let (executor, mut calls) = self.turn(ctx);
        executor.launch(task, &mut calls);
    }

    /// Ends the tasks, and after the grace period itself.
    fn end(&mut self, ctx: &mut Context<Self>) {
        ctx.after(self.grace, |_, ctx| ctx.terminate());
        let (executor, mut calls) = self.turn(ctx);
        executor.shutdown(&mut calls);
    }
}

impl Session {
    pub(crate) fn update_id(&mut self) -> UpdateId {
        let bytes = uuid::Builder::from_random_bytes(self.rng.random());
        UpdateId::from_uuid(bytes.into_uuid())
    }

    pub(crate) fn tell_update<E: Executor>(
        &mut self,
        status: TaskStatus,
        ctx: &mut Context<ExecutorProcess<E>>,
    ) {
        let Identity {
            framework_id,
            executor_id,
            ..
        } = self.identity.clone();
        ctx.tell(
            &self.agent,
            ExecutorUpdate {
                framework_id,
                executor_id,
                status,
            },
        );
        if !self.resending {
            self.resending = true;
            ctx.after(UPDATE_AGAIN, |process, ctx| process.session.resend(ctx));
        }
    }

    fn resend<E: Executor>(&mut self, ctx: &mut Context<ExecutorProcess<E>>) {
        self.resending = false;
        if self.life == Life::Orphaned {
            return;
        }
        self.tell_all(ctx);
    }

    fn tell_all<E: Executor>(&mut self, ctx: &mut Context<ExecutorProcess<E>>) {
        let waiting: Vec<_> = self.unacknowledged.iter().cloned().collect();
        for status in waiting {
            self.tell_update(status, ctx);
        }
    }

    pub(crate) fn stop<E: Executor>(&mut self, ctx: &mut Context<ExecutorProcess<E>>) {
        match self.life {
            Life::Working => {
                self.life = Life::Stopping;
                ctx.after(STOP_PATIENCE, |process, ctx| {
                    process.session.patience_over(ctx)
                });
            }
            Life::Stopping => {}
            Life::Orphaned => return ctx.terminate(),
        }
        self.leave_when_done(ctx);
    }

    /// What an agent that is there does not acknowledge, it never will; one that is to come may.
    fn patience_over<E: Executor>(&mut self, ctx: &mut Context<ExecutorProcess<E>>) {
        match self.contact {
            Contact::Lost { .. } => {
                ctx.after(STOP_PATIENCE, |process, ctx| {
                    process.session.patience_over(ctx)
                });
            }
            Contact::None | Contact::Registered => ctx.terminate(),
        }
    }

    fn leave_when_done<E: Executor>(&mut self, ctx: &mut Context<ExecutorProcess<E>>) {
        if self.life == Life::Stopping && self.unacknowledged.is_empty() {
            ctx.terminate();
        }
    }
}

impl<E: Executor> Actor for ExecutorProcess<E> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let agent = self.session.agent.upid().clone();
        self.register(ctx);
        ctx.link(&agent);
        if let Some(task) = self.first.take() {
            self.take_up(task, ctx);
        }
    }
}

impl<E: Executor> Process for ExecutorProcess<E> {
    type Protocol = Executing;
}

impl<E: Executor> Handler<Registered> for ExecutorProcess<E> {
    type Result = ();
    fn handle(&mut self, message: Registered, ctx: &mut Context<Self>) {
        if message.container_id != self.session.identity.container_id {
            return tracing::warn!("registration of another container ignored");
        }
        if let Some(timer) = self.session.again.take() {
            ctx.cancel(timer);
        }
        let before = std::mem::replace(&mut self.session.contact, Contact::Registered);
        if let Some(timer) = self.session.patience.take() {
            ctx.cancel(timer);
        }
        if let Contact::Lost { .. } = before {
            self.session.tell_all(ctx);
        }
        if self.session.registration.is_some() {
            return; // the answer to a registration that was sent twice, or to another agent
        }
        let Registered {
            executor,
            framework,
            agent,
            ..
        } = message;
        let registration = Registration {
            executor,
            framework,
            agent,
        };
        self.session.registration = Some(registration.clone());
        let (executor, mut calls) = self.turn(ctx);
        executor.registered(&registration, &mut calls);
    }
}

impl<E: Executor> Handler<Launch> for ExecutorProcess<E> {
    type Result = ();
    fn handle(&mut self, Launch { task, .. }: Launch, ctx: &mut Context<Self>) {
        if self.session.life != Life::Working {
            return tracing::debug!(task = %task.task_id, "launch after the end ignored");
        }
        self.take_up(task, ctx);
    }
}

impl<E: Executor> Handler<LaunchGroup> for ExecutorProcess<E> {
    type Result = ();
    fn handle(&mut self, LaunchGroup { tasks, .. }: LaunchGroup, ctx: &mut Context<Self>) {
        if self.session.life != Life::Working {
            let tasks = tasks.len();
            return tracing::debug!(tasks, "launch of a group after the end ignored");
        }
        let names = tasks.iter().map(|task| task.task_id.clone());
        self.session.tasks.extend(names);
        let (executor, mut calls) = self.turn(ctx);
        executor.launch_group(tasks, &mut calls);
    }
}

impl<E: Executor> Handler<Kill> for ExecutorProcess<E> {
    type Result = ();
    fn handle(
        &mut self,
        Kill {
            task_id,
            kill_policy,
        }: Kill,
        ctx: &mut Context<Self>,
    ) {
        let (executor, mut calls) = self.turn(ctx);
        executor.kill(task_id, kill_policy, &mut calls);
    }
}

impl<E: Executor> Handler<Acknowledged> for ExecutorProcess<E> {
    type Result = ();
    fn handle(&mut self, message: Acknowledged, ctx: &mut Context<Self>) {
        let Acknowledged { task_id, update_id } = message;
        let ended = self.session.unacknowledged.acknowledge(&task_id, update_id);
        if ended {
            self.session.tasks.remove(&task_id);
        }
        self.session.leave_when_done(ctx);
    }
}

impl<E: Executor> Handler<FromFramework> for ExecutorProcess<E> {
    type Result = ();
    fn handle(&mut self, FromFramework { data }: FromFramework, ctx: &mut Context<Self>) {
        let (executor, mut calls) = self.turn(ctx);
        executor.message(data, &mut calls);
    }
}

impl<E: Executor> Handler<Shutdown> for ExecutorProcess<E> {
    type Result = ();
    fn handle(&mut self, _: Shutdown, ctx: &mut Context<Self>) {
        self.end(ctx);
    }
}

impl<E: Executor> Handler<Exited> for ExecutorProcess<E> {
    type Result = ();
    fn handle(&mut self, Exited { reason, .. }: Exited, ctx: &mut Context<Self>) {
        tracing::warn!(%reason, "agent lost");
        match (self.session.recovery, self.session.contact) {
            (None, _) => self.abandon(ctx),
            // It is still not there; it is looked for again in a while.
            (Some(_), Contact::Lost { .. }) => {}
            (Some(recovery), Contact::None | Contact::Registered) => {
                self.look_for_agent(recovery, ctx);
            }
        }
    }
}

impl<E: Executor> Handler<Reconnect> for ExecutorProcess<E> {
    type Result = ();
    fn handle(&mut self, _: Reconnect, ctx: &mut Context<Self>) {
        if ctx
            .sender()
            .is_some_and(|sender| sender != self.session.agent.upid())
        {
            return tracing::warn!("word of another than the agent ignored");
        }
        // It may come before it shows that the agent was gone.
        if let Some(recovery) = self.session.recovery {
            self.look_for_agent(recovery, ctx);
        }
    }
}
