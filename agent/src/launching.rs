//! Launching an executor: from a task that was taken to a process in its sandbox.

use api::executor::Shutdown;
use executor::environment::CREDENTIALS_FILE;
use executor::{KillingState, Start, Work};
use libproc::Context;
use libproc::security::Delegation;
use nix::unistd::{User, geteuid};
use std::time::Duration;
use types::{ContainerId, ExecutorId, ExecutorKind, FrameworkCapability, FrameworkId};
use types::{FrameworkInfo, Reason, TaskInfo, TaskState};

use crate::agent::Agent;
use crate::books::{Executor, Fate, Phase, user_of};
use crate::environment::Surroundings;
use crate::fetching::wanted;
use crate::launcher::{Destroy, LaunchRequest, What};
use crate::sandbox::{Owner, Sandbox};
use crate::token::{self, Claims};

impl Agent {
    /// Starts the executor of a task that was admitted as the first of it.
    pub(crate) fn start_executor(
        &mut self,
        framework: &FrameworkInfo,
        framework_id: &FrameworkId,
        executor_id: &ExecutorId,
        task: &TaskInfo,
        ctx: &mut Context<Self>,
    ) {
        let Some(executor) = self.books.executor(framework_id, executor_id) else {
            return;
        };
        let container_id = executor.container_id.clone();
        let uris = wanted(executor, task);
        let request = self.launch_request(framework, framework_id, executor, task, ctx);
        let request = match request {
            Ok(request) => request,
            Err(text) => return self.not_launched(&container_id, text, ctx),
        };
        if let Some(executor) = self.books.executor_mut(framework_id, executor_id) {
            executor.sandbox.clone_from(&request.sandbox);
        }
        self.keep(&request.sandbox);
        tracing::info!(
            framework = %framework_id, executor = %executor_id, container = %container_id,
            "launching executor"
        );
        self.once_written(ctx, |agent, ctx| {
            let executor = agent.books.in_container(&container_id);
            // One that somebody else runs may have registered by now.
            let wanted = |executor: &mut Executor| {
                matches!(executor.phase, Phase::Starting | Phase::Running)
            };
            match executor.is_some_and(wanted) {
                true => agent.launch_with(uris, request, container_id, ctx),
                false => agent.container_ended(&container_id, None, ctx), // killed meanwhile
            }
        });
    }

    /// Starts an executor whose sandbox has all it wants.
    pub(crate) fn launch_now(
        &mut self,
        request: LaunchRequest,
        container_id: ContainerId,
        ctx: &mut Context<Self>,
    ) {
        let timeout = self.options.executor_registration_timeout;
        self.expect_registration(container_id.clone(), timeout, ctx);
        let launching = self.launch.launch(request);
        ctx.defer(launching, move |agent, result, ctx| match result {
            Ok(pid) => {
                if let Some(executor) = agent.books.in_container(&container_id) {
                    executor.os_pid = Some(pid);
                }
            }
            Err(error) => agent.not_launched(&container_id, error.to_string(), ctx),
        });
    }

    /// Ends an executor that does not register in time.
    pub(crate) fn expect_registration(
        &mut self,
        container_id: ContainerId,
        timeout: Duration,
        ctx: &mut Context<Self>,
    ) {
        let late = container_id.clone();
        let timer = ctx.after(timeout, move |agent, ctx| agent.not_registered(&late, ctx));
        self.timeouts.insert(container_id, timer);
    }

    fn launch_request(
        &self,
        framework: &FrameworkInfo,
        framework_id: &FrameworkId,
        executor: &Executor,
        task: &TaskInfo,
        ctx: &Context<Self>,
    ) -> Result<LaunchRequest, String> {
        let agent_id = self.info.id.as_ref().ok_or("the agent is not registered")?;
        let command = executor.info.command.as_ref().or(task.command.as_ref());
        let user = self.user_for(user_of(framework, command))?;
        let owner = Owner {
            agent: agent_id.as_str(),
            framework: framework_id.as_str(),
            executor: executor.info.executor_id.as_str(),
            container: executor.container_id.as_str(),
        };
        let sandbox = Sandbox::of(&self.options.work_dir, owner).map_err(explain)?;
        sandbox.create(user.as_deref()).map_err(explain)?;
        let grace = self.grace(executor);
        let surroundings = Surroundings {
            agent: ctx.upid(),
            agent_id,
            framework_id,
            executor: &executor.info,
            container_id: &executor.container_id,
            sandbox: sandbox.directory(),
            grace,
            recovery_timeout: self.recovery_timeout(framework, ctx),
            executable: self.options.executable.as_deref(),
            user: user.as_deref(),
        };
        let recovery_timeout = self.recovery_timeout(framework, ctx);
        let credentials = ctx.node().delegate(executor.container_id.as_str());
        let credentials = credentials.map_err(explain)?;
        let mut environment = surroundings.variables(&self.options.environment);
        let what = match &executor.info.command {
            Some(command) => {
                if let Some(key) = &self.token_key {
                    let claims = Claims {
                        fid: framework_id.to_string(),
                        eid: executor.info.executor_id.to_string(),
                        cid: executor.container_id.to_string(),
                    };
                    environment.insert(token::VARIABLE.to_owned(), key.token(&claims));
                }
                if credentials != Delegation::none() {
                    let file = sandbox.entrust(&credentials.to_bytes(), user.as_deref());
                    let file = file.map_err(explain)?.display().to_string();
                    environment.insert(CREDENTIALS_FILE.to_owned(), file);
                }
                What::Command {
                    shell: command.shell,
                    value: command.value.clone(),
                    arguments: command.arguments.clone(),
                }
            }
            None => {
                let start = start(
                    framework,
                    framework_id,
                    executor,
                    task,
                    grace,
                    credentials,
                    ctx,
                );
                let start = Start {
                    recovery_timeout,
                    ..start
                };
                What::Builtin {
                    start: start.to_bytes(),
                }
            }
        };
        Ok(LaunchRequest {
            container_id: executor.container_id.to_string(),
            environment,
            sandbox: sandbox.directory().to_owned(),
            user,
            limits: Vec::new(),
            outlives_agent: recovery_timeout.is_some(),
            what,
        })
    }

    /// How long an executor waits for another agent; none if it ends with this one. What a node gives
    /// to executors where there are certificates is of no use to its successor.
    fn recovery_timeout(&self, framework: &FrameworkInfo, ctx: &Context<Self>) -> Option<Duration> {
        let known = !ctx.node().security().is_tls();
        let lasts = self.checkpoints.last() && framework.checkpoint && known;
        lasts.then_some(self.options.recovery_timeout)
    }

    /// The user to become; none to stay the agent's own.
    fn user_for(&self, user: Option<&str>) -> Result<Option<String>, String> {
        let Some(user) = user else {
            return Ok(None);
        };
        let own = User::from_uid(geteuid()).ok().flatten();
        if own.is_some_and(|own| own.name == user) {
            return Ok(None);
        }
        match self.options.switch_user {
            true => Ok(Some(user.to_owned())),
            false => Err(format!(
                "the task is to run as {user}, but this agent runs all tasks as its own user"
            )),
        }
    }

    pub(crate) fn grace(&self, executor: &Executor) -> Duration {
        let default = self.options.executor_shutdown_grace_period;
        executor.info.shutdown_grace.unwrap_or(default)
    }

    /// An executor could not be started: its tasks fail for that reason.
    pub(crate) fn not_launched(
        &mut self,
        container_id: &ContainerId,
        message: String,
        ctx: &mut Context<Self>,
    ) {
        tracing::warn!(container = %container_id, reason = message, "executor not launched");
        self.counters.container_launch_errors += 1;
        self.doom(
            container_id,
            TaskState::Failed,
            Reason::ContainerLaunchFailed,
            message,
        );
        self.container_ended(container_id, None, ctx);
    }

    /// An executor has had time enough to register.
    fn not_registered(&mut self, container_id: &ContainerId, ctx: &mut Context<Self>) {
        self.timeouts.remove(container_id);
        let Some(executor) = self.books.in_container(container_id) else {
            return;
        };
        if executor.phase != Phase::Starting {
            return;
        }
        tracing::warn!(container = %container_id, "executor did not register in time");
        let timeout = self.options.executor_registration_timeout;
        let message = format!("The executor did not register within {timeout:?}");
        let reason = Reason::ExecutorRegistrationTimeout;
        self.doom(container_id, TaskState::Failed, reason, message);
        self.shut_down(container_id, ctx);
    }

    /// Says how the tasks of an executor end with it, unless that is known already.
    fn doom(
        &mut self,
        container_id: &ContainerId,
        state: TaskState,
        reason: Reason,
        message: String,
    ) {
        if let Some(executor) = self.books.in_container(container_id) {
            executor.fate.get_or_insert(Fate {
                state,
                reason,
                message,
            });
        }
    }

    /// Ends an executor: politely when it has registered, by force after its grace period.
    pub(crate) fn shut_down(&mut self, container_id: &ContainerId, ctx: &mut Context<Self>) {
        let Some(executor) = self.books.in_container(container_id) else {
            return;
        };
        match (executor.phase, executor.process.clone()) {
            (Phase::Running, Some(process)) => {
                executor.phase = Phase::Ending;
                ctx.tell(&process, Shutdown {});
                let Some(executor) = self.books.in_container(container_id) else {
                    return;
                };
                let own = executor.info.shutdown_grace;
                let grace = own.unwrap_or(self.options.executor_shutdown_grace_period);
                let container_id = container_id.to_string();
                // Harmless for a container that is gone by then.
                ctx.after(grace, move |agent, _| {
                    agent.launch.destroy(&container_id, Destroy::Now)
                });
            }
            (Phase::Starting | Phase::Running, _) => {
                executor.phase = Phase::Ending;
                self.destroy(container_id, Destroy::Now);
            }
            (Phase::Ending | Phase::Gone, _) => {}
        }
    }
}

/// Our own executor; that of a command starts with its task.
fn start(
    framework: &FrameworkInfo,
    framework_id: &FrameworkId,
    executor: &Executor,
    task: &TaskInfo,
    grace: Duration,
    credentials: Delegation,
    ctx: &Context<Agent>,
) -> Start {
    let told = framework.has(FrameworkCapability::TaskKillingState);
    Start {
        agent: ctx.pid(),
        framework_id: framework_id.clone(),
        executor_id: executor.info.executor_id.clone(),
        container_id: executor.container_id.clone(),
        grace,
        recovery_timeout: None,
        killing_state: if told {
            KillingState::Told
        } else {
            KillingState::Untold
        },
        work: match executor.info.kind {
            ExecutorKind::Default => Work::Groups,
            // Data is for executors of frameworks: a command never sees it.
            ExecutorKind::Command | ExecutorKind::Custom => Work::Command(Box::new(TaskInfo {
                data: Vec::new(),
                ..task.clone()
            })),
        },
        credentials,
    }
}

/// An error with its causes, for people far away.
fn explain(error: impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
