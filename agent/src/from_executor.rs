//! What executors say.

use std::collections::BTreeMap;

use api::agent::{ExecutorUpdate, RegisterExecutor, TaskOf, ToFramework};
use api::executor::{Acknowledged, Executing, Launch, LaunchGroup, Registered, Shutdown};
use libproc::prelude::*;
use types::TaskStatus;
use types::{ExecutorId, ExecutorKind, FrameworkId, Reason, Role, Source, TaskId, TaskState};

use crate::agent::Agent;
use crate::books::{Batch, Executor, Phase};
use crate::status_updates::Taken;

impl Agent {
    /// The executor that is speaking; none when it is not the one it says.
    fn speaking(
        &self,
        framework_id: &FrameworkId,
        executor_id: &ExecutorId,
        ctx: &Context<Self>,
    ) -> Option<&Executor> {
        let executor = self.books.executor(framework_id, executor_id)?;
        let process = executor.process.as_ref()?;
        ctx.sender()
            .is_none_or(|sender| sender == process.upid())
            .then_some(executor)
    }

    fn executor_registered(&mut self, message: RegisterExecutor, ctx: &mut Context<Self>) {
        let RegisterExecutor {
            framework_id,
            executor_id,
            container_id,
            executor,
            tasks: known,
        } = message;
        let registered =
            self.books
                .register(&framework_id, &executor_id, &container_id, executor.clone());
        let queued = match registered {
            Ok(queued) => queued,
            Err(reason) => {
                tracing::warn!(
                    framework = %framework_id, executor = %executor_id, %reason,
                    "registration of an executor refused"
                );
                return ctx.tell(&executor, Shutdown {});
            }
        };
        tracing::info!(framework = %framework_id, executor = %executor_id, "executor registered");
        self.welcome(&framework_id, &executor_id, &executor, ctx);
        let awaited = self.came_back(&container_id, ctx);
        match queued {
            Some(queued) => {
                let whose = (framework_id, executor_id);
                self.hand_over_once_written(whose, executor, queued, known, ctx);
            }
            None if awaited => {
                self.drop_tasks_that_never_arrived(&framework_id, &executor_id, known, ctx);
            }
            None => {}
        }
    }

    /// Gives an executor what has waited for it, but for the tasks it knows from an agent before.
    pub(crate) fn hand_over_once_written(
        &mut self,
        (framework_id, executor_id): (FrameworkId, ExecutorId),
        process: Pid<Executing>,
        mut queued: Vec<Batch>,
        known: Vec<TaskId>,
        ctx: &mut Context<Self>,
    ) {
        queued.retain(|batch| !known.iter().any(|task_id| batch.has(task_id)));
        self.once_written(ctx, move |agent, ctx| {
            agent.hand_over(&framework_id, &executor_id, &process, queued, ctx);
        });
    }

    /// Tasks were sent over a connection that broke, or by an agent that did not live to send them,
    /// and their executor knows nothing of them.
    pub(crate) fn drop_tasks_that_never_arrived(
        &mut self,
        framework_id: &FrameworkId,
        executor_id: &ExecutorId,
        known: Vec<TaskId>,
        ctx: &mut Context<Self>,
    ) {
        let Some(executor) = self.books.executor(framework_id, executor_id) else {
            return;
        };
        let staging = executor
            .tasks
            .values()
            .filter(|task| task.state == TaskState::Staging);
        let lost: Vec<TaskId> = staging
            .map(|task| task.task_id.clone())
            .filter(|task_id| !known.contains(task_id))
            .collect();
        for task_id in lost {
            let of = TaskOf {
                framework_id: framework_id.clone(),
                task_id,
            };
            let message = "Task launched while its executor was not connected";
            let (state, reason) = (TaskState::Dropped, Reason::AgentRestarted);
            self.own_update(&of, state, reason, message, ctx);
        }
    }

    /// Gives an executor that has just registered, and was told so, the tasks that waited for it.
    fn hand_over(
        &mut self,
        framework_id: &FrameworkId,
        executor_id: &ExecutorId,
        process: &Pid<Executing>,
        queued: Vec<Batch>,
        ctx: &mut Context<Self>,
    ) {
        let Some(executor) = self.books.executor(framework_id, executor_id) else {
            return;
        };
        let container_id = executor.container_id.clone();
        // All that was for it may have been killed meanwhile.
        let idle = executor.info.kind != ExecutorKind::Command
            && executor.tasks.values().all(|task| task.state.is_terminal());
        let roles = executor.tasks.iter();
        let roles = roles.map(|(id, task)| (id.clone(), task.role.clone()));
        let roles: BTreeMap<TaskId, Role> = roles.collect();
        if let Some(timer) = self.timeouts.remove(&container_id) {
            ctx.cancel(timer);
        }
        for batch in queued {
            let first = batch.tasks().first();
            let role = first.and_then(|task| roles.get(&task.task_id));
            let role = role.cloned().unwrap_or_default();
            match batch {
                Batch::Task(task) => ctx.tell(process, Launch { task, role }),
                Batch::Group(tasks) => ctx.tell(process, LaunchGroup { tasks, role }),
            }
        }
        if idle {
            self.shut_down(&container_id, ctx);
        }
    }

    /// Tells an executor that its registration stands.
    pub(crate) fn welcome(
        &self,
        framework_id: &FrameworkId,
        executor_id: &ExecutorId,
        process: &Pid<Executing>,
        ctx: &Context<Self>,
    ) {
        let (Some(framework), Some(executor)) = (
            self.books.framework(framework_id),
            self.books.executor(framework_id, executor_id),
        ) else {
            return;
        };
        let registered = Registered {
            executor: executor.info.clone(),
            framework: framework.info.clone(),
            agent: self.info.clone(),
            container_id: executor.container_id.clone(),
            role: executor.role(),
        };
        ctx.tell(process, registered);
    }

    /// Takes an update of an executor that may speak, and tells it so; false when it is to come
    /// again.
    pub(crate) fn executor_update(
        &mut self,
        message: ExecutorUpdate,
        ctx: &mut Context<Self>,
    ) -> bool {
        let ExecutorUpdate {
            framework_id,
            executor_id,
            status,
        } = message;
        let (task_id, update_id) = (status.task_id.clone(), status.update_id);
        let executor = self.books.executor(&framework_id, &executor_id);
        let process = executor.and_then(|executor| executor.process.clone());
        let of = TaskOf {
            framework_id,
            task_id: task_id.clone(),
        };
        let taken = self.take_executor_update(&of, &executor_id, status, ctx);
        if let (true, Some(update_id), Some(process)) = (taken, update_id, process) {
            let word = Acknowledged { task_id, update_id };
            self.once_written(ctx, move |_, ctx| ctx.tell(&process, word));
        }
        taken
    }

    /// Passes words of an executor that may speak on to its framework, if they can be.
    pub(crate) fn pass_to_framework(&mut self, message: ToFramework, ctx: &Context<Self>) {
        let registered = self.registration.is_registered();
        self.counters.framework_message(registered);
        let ToFramework {
            framework_id,
            executor_id,
            data,
        } = message;
        match self.info.id.clone() {
            Some(agent_id) if registered => {
                let message = api::master::ToFramework {
                    agent_id,
                    framework_id,
                    executor_id,
                    data,
                };
                ctx.tell(&self.options.master, message);
            }
            Some(_) | None => {
                tracing::debug!(executor = %executor_id, "message for a framework dropped");
            }
        }
    }

    /// Takes an update of an executor; false when it is to come again.
    fn take_executor_update(
        &mut self,
        of: &TaskOf,
        executor_id: &ExecutorId,
        mut status: TaskStatus,
        ctx: &mut Context<Self>,
    ) -> bool {
        let dropped = |why| {
            tracing::warn!(
                framework = %of.framework_id, executor = %executor_id, task = %of.task_id,
                state = %status.state, why, "update dropped"
            );
            true
        };
        if self
            .books
            .framework(&of.framework_id)
            .is_none_or(|framework| framework.ending)
        {
            self.counters.status_update(false);
            return dropped("the framework is gone");
        }
        if status
            .update_id
            .is_some_and(|id| self.updates.is_known(of, id))
        {
            return true;
        }
        if self
            .books
            .executor_of(of)
            .is_none_or(|(id, _)| id != executor_id)
        {
            self.counters.status_update(false);
            return dropped("the executor has no such task");
        }
        if !may_tell(status.state) {
            self.counters.status_update(false);
            return dropped("no executor can know that");
        }
        status.source = Source::Executor;
        shorten(&mut status);
        self.counters.status_update(true);
        match self.take_update(of, status, ctx) {
            Taken::Fresh | Taken::Duplicate => true,
            Taken::AfterEnd => {
                tracing::debug!(task = %of.task_id, "update out of order dropped");
                true
            }
            Taken::Full => {
                tracing::warn!(task = %of.task_id, "too many updates of a task");
                false
            }
        }
    }
}

/// Whether an executor can know that a task is in a state.
fn may_tell(state: TaskState) -> bool {
    match state {
        TaskState::Starting
        | TaskState::Running
        | TaskState::Killing
        | TaskState::Finished
        | TaskState::Failed
        | TaskState::Killed
        | TaskState::Lost
        | TaskState::Error => true,
        TaskState::Staging
        | TaskState::Dropped
        | TaskState::Unreachable
        | TaskState::Gone
        | TaskState::GoneByOperator
        | TaskState::Unknown => false,
    }
}

/// Leaves out what is too large: the state itself must not get lost for it.
fn shorten(status: &mut TaskStatus) {
    if let Err(error) = status.validate() {
        status.data.clear();
        status.message = Some(error.to_string());
    }
}

impl Handler<RegisterExecutor> for Agent {
    type Result = ();
    fn handle(&mut self, message: RegisterExecutor, ctx: &mut Context<Self>) {
        let claimed = message.executor.upid();
        if ctx.sender().is_some_and(|sender| sender != claimed) {
            return tracing::warn!(%claimed, "registration of somebody else ignored");
        }
        self.executor_registered(message, ctx);
    }
}

impl Handler<ExecutorUpdate> for Agent {
    type Result = ();
    fn handle(&mut self, message: ExecutorUpdate, ctx: &mut Context<Self>) {
        let (framework_id, executor_id) = (&message.framework_id, &message.executor_id);
        if self.speaking(framework_id, executor_id, ctx).is_none() {
            tracing::debug!(
                framework = %framework_id, executor = %executor_id,
                "update of an executor that is not registered dropped"
            );
            return ctx.reply::<Executing, _>(Shutdown {});
        }
        self.executor_update(message, ctx);
    }
}

impl Handler<ToFramework> for Agent {
    type Result = ();
    fn handle(&mut self, message: ToFramework, ctx: &mut Context<Self>) {
        let speaking = self.speaking(&message.framework_id, &message.executor_id, ctx);
        if speaking.is_none_or(|executor| executor.phase == Phase::Gone) {
            let executor = &message.executor_id;
            return tracing::debug!(%executor, "message of nobody for a framework dropped");
        }
        self.pass_to_framework(message, ctx);
    }
}
