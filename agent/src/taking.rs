//! Taking tasks: from the master's word to the books, and to an executor.

use api::agent::{RunGroup, RunTask, TaskOf};
use api::executor::{Launch as LaunchTask, LaunchGroup};
use libproc::Context;
use types::{FrameworkCapability, FrameworkInfo, Reason, TaskId, TaskInfo, TaskState};

use crate::agent::Agent;
use crate::books::{Admission, Refusal};

impl Agent {
    pub(crate) fn run_task(&mut self, message: RunTask, ctx: &mut Context<Self>) {
        let RunTask {
            framework,
            task,
            role,
        } = message;
        let Some(framework_id) = framework.id.clone() else {
            return tracing::warn!(task = %task.task_id, "task of a framework without id ignored");
        };
        if self.draining.is_some() {
            let task_id = task.task_id;
            let of = TaskOf {
                framework_id,
                task_id,
            };
            return self.refuse_task(&framework, &of, &Refusal::Draining, ctx);
        }
        let container_id = self.container_id();
        let admission = self.books.admit(
            &framework,
            &framework_id,
            &task,
            role.clone(),
            &container_id,
        );
        match admission {
            Ok(Admission::Start(executor_id)) => {
                self.start_executor(&framework, &framework_id, &executor_id, &task, ctx);
            }
            Ok(Admission::Wait) => self.write_down(),
            Ok(Admission::Send(process)) => {
                self.once_written(ctx, move |_, ctx| {
                    ctx.tell(&process, LaunchTask { task, role })
                });
            }
            Err(refusal) => {
                let task_id = task.task_id;
                self.refuse_task(
                    &framework,
                    &TaskOf {
                        framework_id,
                        task_id,
                    },
                    &refusal,
                    ctx,
                );
            }
        }
    }

    pub(crate) fn run_group(&mut self, message: RunGroup, ctx: &mut Context<Self>) {
        let RunGroup {
            framework,
            executor,
            tasks,
            role,
        } = message;
        let (Some(framework_id), Some(first)) = (framework.id.clone(), tasks.first().cloned())
        else {
            return tracing::warn!(executor = %executor.executor_id, "group of nobody ignored");
        };
        let wants = |task: &TaskInfo| task.command.as_ref().is_some_and(|c| !c.uris.is_empty());
        let running = self.books.executor(&framework_id, &executor.executor_id);
        let late = running.is_some() && executor.command.is_none() && tasks.iter().any(wants);
        let names: Vec<TaskId> = tasks.iter().map(|task| task.task_id.clone()).collect();
        let container_id = self.container_id();
        let group = (executor, tasks.clone());
        let admission = match self.draining {
            Some(_) => Err(Refusal::Draining),
            None if late => Err(Refusal::Invalid(
                "URIs are fetched for the group that starts an executor, not for others".to_owned(),
            )),
            None => self
                .books
                .admit_group(&framework, &framework_id, group, &role, &container_id),
        };
        match admission {
            Ok(Admission::Start(executor_id)) => {
                self.start_executor(&framework, &framework_id, &executor_id, &first, ctx);
            }
            Ok(Admission::Wait) => self.write_down(),
            Ok(Admission::Send(process)) => {
                self.once_written(ctx, move |_, ctx| {
                    ctx.tell(&process, LaunchGroup { tasks, role })
                });
            }
            Err(refusal) => {
                for task_id in names {
                    let framework_id = framework_id.clone();
                    let of = TaskOf {
                        framework_id,
                        task_id,
                    };
                    self.refuse_task(&framework, &of, &refusal, ctx);
                }
            }
        }
    }

    fn refuse_task(
        &mut self,
        framework: &FrameworkInfo,
        of: &TaskOf,
        refusal: &Refusal,
        ctx: &mut Context<Self>,
    ) {
        tracing::warn!(
            framework = %of.framework_id, task = %of.task_id, %refusal, "task refused"
        );
        let (state, reason) = match refusal {
            // Nobody waits for a word, or it would be taken for another task's.
            Refusal::Duplicate | Refusal::FrameworkEnding => return,
            Refusal::Invalid(_) => (TaskState::Error, Reason::TaskInvalid),
            Refusal::Draining => (TaskState::Dropped, Reason::AgentDraining),
            Refusal::ExecutorEnding => (TaskState::Dropped, Reason::ExecutorTerminated),
            Refusal::NotEnough { .. } => (TaskState::Dropped, Reason::ResourcesUnknown),
        };
        let aware = framework.has(FrameworkCapability::PartitionAware);
        self.own_update(
            of,
            state.for_framework(aware),
            reason,
            refusal.to_string(),
            ctx,
        );
    }
}
