//! What the launcher says: which executors have ended, and that it has itself.

use api::agent::TaskOf;
use api::executor::Exit;
use api::master::ExecutorExited;
use libproc::Context;
use types::{ContainerId, ExecutorKind, Reason, TaskState};

use crate::agent::Agent;
use crate::books::{Ended, Fate};
use crate::fetcher::SUFFIX;
use crate::launcher::{ExitStatus, LauncherEvent};
use crate::stopping::Leaving;

impl Agent {
    /// Has what the launcher says come to [`launcher_said`](Agent::launcher_said).
    pub(crate) fn hear_launcher(&mut self, ctx: &mut Context<Self>) {
        let Some(mut events) = self.events.take() else {
            return;
        };
        let local = ctx.local();
        tokio::task::spawn_local(async move {
            while let Some(event) = events.recv().await {
                local.run(move |agent, ctx| agent.launcher_said(event, ctx));
            }
        });
    }

    fn launcher_said(&mut self, event: LauncherEvent, ctx: &mut Context<Self>) {
        match event {
            LauncherEvent::Exited {
                container_id,
                status,
                ..
            } => {
                if let Some(id) = container_id.strip_suffix(SUFFIX) {
                    if let Ok(id) = ContainerId::new(id) {
                        self.fetched(&id, status, ctx);
                    }
                    return;
                }
                let Ok(container_id) = ContainerId::new(container_id) else {
                    return; // no container of ours has such an id
                };
                self.container_ended(&container_id, Some(status), ctx);
            }
            LauncherEvent::ZygoteDied => {
                // An agent that takes tasks and fails them all draws the whole cluster's.
                tracing::error!("launcher is gone, and without it the agent is of no use");
                self.begin_to_stop(Leaving::ForNow, ctx);
            }
        }
    }

    /// A container has ended, or was never started when there is no `status`.
    pub(crate) fn container_ended(
        &mut self,
        container_id: &ContainerId,
        status: Option<ExitStatus>,
        ctx: &mut Context<Self>,
    ) {
        if let Some(timer) = self.timeouts.remove(container_id) {
            ctx.cancel(timer);
        }
        if let Some(executor) = self.books.in_container(container_id)
            && executor.over_http
            && let Some(process) = &executor.process
        {
            ctx.node().terminate(process.upid());
        }
        let Some(ended) = self.books.ended(container_id) else {
            return self.launch.settled(container_id.as_str());
        };
        self.counters.executors_terminated += 1;
        let how = status.map_or_else(|| "was not launched".to_owned(), |how| how.to_string());
        tracing::info!(
            framework = %ended.framework_id, executor = %ended.executor_id, how, "executor ended"
        );
        let Ended {
            framework_id,
            executor_id,
            kind,
            fate,
            tasks,
            sandbox,
        } = ended;
        let fate = fate.unwrap_or_else(|| natural_fate(kind, &how));
        for task_id in tasks {
            let of = TaskOf {
                framework_id: framework_id.clone(),
                task_id,
            };
            self.own_update(&of, fate.state, fate.reason, fate.message.clone(), ctx);
        }
        // The master knows no executors but the frameworks' own; one that is to come learns from the
        // registration which are there.
        if let (ExecutorKind::Custom | ExecutorKind::Default, Some(agent_id), true) = (
            kind,
            self.info.id.clone(),
            self.registration.is_registered(),
        ) {
            let (framework_id, executor_id) = (framework_id.clone(), executor_id.clone());
            let exit = status.map_or(Exit::Unknown, exit);
            let message = ExecutorExited {
                agent_id,
                framework_id,
                executor_id,
                exit,
            };
            ctx.tell(&self.options.master, message);
        }
        let written = container_id.to_string();
        self.once_written(ctx, move |agent, _| agent.launch.settled(&written));
        self.discard(&sandbox, kind);
        self.books.settle(&framework_id, &executor_id);
        self.write_down();
        self.stop_when_empty(ctx);
    }
}

/// How tasks end with an executor that nobody told to end.
fn natural_fate(kind: ExecutorKind, how: &str) -> Fate {
    let reason = match kind {
        ExecutorKind::Command => Reason::CommandExecutorFailed,
        ExecutorKind::Custom | ExecutorKind::Default => Reason::ExecutorTerminated,
    };
    Fate {
        state: TaskState::Failed,
        reason,
        message: format!("Executor {how}"),
    }
}

fn exit(status: ExitStatus) -> Exit {
    match status {
        ExitStatus::Exited(code) => Exit::Code(code),
        ExitStatus::Signaled(signal) => Exit::Signal(signal),
        ExitStatus::Unknown => Exit::Unknown,
    }
}
