//! What an executor can do in its turns: tell of tasks, wait for things, stop.

use std::future::Future;
use std::time::Duration;

use api::agent::ToFramework;
use libproc::env;
use libproc::prelude::{ActorContext as _, Context};
use types::{Source, TaskId, TaskState, TaskStatus};

use crate::process::{ExecutorProcess, Session};
use crate::{Executor, Identity, Registration};

/// How an [`Executor`] reaches its agent, its framework and the clock.
pub struct Calls<'a, E: Executor> {
    pub(crate) session: &'a mut Session,
    pub(crate) ctx: &'a mut Context<ExecutorProcess<E>>,
}

impl<E: Executor> Calls<'_, E> {
    /// A status with nothing but the most needed, for [`update`](Calls::update).
    pub fn status(&self, task_id: &TaskId, state: TaskState) -> TaskStatus {
        TaskStatus::new(task_id.clone(), state, Source::Executor, env::unix_ms())
    }

    /// Tells of a task. The update gets an id and is sent again until the agent has taken it; from
    /// then on the agent sees to it that the framework hears of it.
    pub fn update(&mut self, mut status: TaskStatus) {
        let session = &mut *self.session;
        status.update_id = Some(session.update_id());
        status.source = Source::Executor;
        status.executor_id = Some(session.identity.executor_id.clone());
        session.unacknowledged.push(status.clone());
        session.tell_update(status, self.ctx);
    }

    /// Sends words to the framework: at most once.
    pub fn message(&mut self, data: Vec<u8>) {
        let Identity {
            framework_id,
            executor_id,
            ..
        } = self.session.identity.clone();
        let message = ToFramework {
            framework_id,
            executor_id,
            data,
        };
        self.ctx.tell(&self.session.agent, message);
    }

    /// Runs `then` in a turn of the executor after `after`.
    pub fn after(
        &mut self,
        after: Duration,
        then: impl FnOnce(&mut E, &mut Calls<'_, E>) + Send + 'static,
    ) {
        self.ctx.after(after, move |process, ctx| {
            let (executor, mut calls) = process.turn(ctx);
            then(executor, &mut calls);
        });
    }

    /// Waits for `future` without blocking, then runs `then` in a turn of the executor.
    pub fn defer<F>(
        &mut self,
        future: F,
        then: impl FnOnce(&mut E, F::Output, &mut Calls<'_, E>) + Send + 'static,
    ) where
        F: Future<Output: Send> + 'static,
    {
        self.ctx.defer(future, move |process, output, ctx| {
            let (executor, mut calls) = process.turn(ctx);
            then(executor, output, &mut calls);
        });
    }

    /// Ends the executor, once the agent has taken all updates, or a minute has passed.
    pub fn stop(&mut self) {
        self.session.stop(self.ctx);
    }

    /// Ends the executor at once, without a word: as if it had crashed.
    pub fn vanish(&mut self) {
        self.ctx.terminate();
    }

    /// Who the executor is.
    pub fn identity(&self) -> &Identity {
        &self.session.identity
    }

    /// What the agent said of it; none until it is registered.
    pub fn registration(&self) -> Option<&Registration> {
        self.session.registration.as_ref()
    }
}
