//! What a framework answers: a list of calls, carried out in order when its method returns.

use std::time::Duration;

use serde::Serialize;
use state::Encoded;
use types::{AgentId, ExecutorId, Filters, KillPolicy, Offer, OfferId, Operation, Role};
use types::{TaskId, TaskInfo};

use crate::error::ExitCode;
use crate::task::Task;

/// Collects what a framework wants done. Pure: nothing happens until the method returns.
///
/// In a test without a cluster, make one with [`Calls::default`], hand it to a method, and compare
/// what [`take`](Calls::take) gives.
#[derive(Debug)]
pub struct Calls {
    list: Vec<Call>,
    /// Opens the ids of tasks that were given none.
    prefix: String,
    launched: u64,
    now_ms: u64,
}

/// One thing a framework wants done.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Call {
    /// Use these offers for these operations; what is left over is refused with `filters`.
    Accept {
        /// All of one agent and role.
        offer_ids: Vec<OfferId>,
        /// In order.
        operations: Vec<Operation>,
        /// How long the rest is not wanted.
        filters: Filters,
    },
    /// Give these offers back.
    Decline {
        /// Which.
        offer_ids: Vec<OfferId>,
        /// How long the like is not wanted.
        filters: Filters,
    },
    /// Offer again for these roles, whatever was refused or suppressed; none means all.
    Revive {
        /// Which.
        roles: Vec<Role>,
    },
    /// Make no offers for these roles; none means all.
    Suppress {
        /// Which.
        roles: Vec<Role>,
    },
    /// End a task.
    Kill {
        /// Which.
        task_id: TaskId,
        /// How; the task's own policy if none.
        kill_policy: Option<KillPolicy>,
    },
    /// End an executor and its tasks.
    ShutdownExecutor {
        /// Where it runs.
        agent_id: AgentId,
        /// Which.
        executor_id: ExecutorId,
    },
    /// Words for an executor.
    Message {
        /// Where it runs.
        agent_id: AgentId,
        /// Which.
        executor_id: ExecutorId,
        /// What to say.
        data: Vec<u8>,
    },
    /// Ask what is known of these tasks; none means all.
    Reconcile {
        /// Which.
        task_ids: Vec<TaskId>,
    },
    /// Ask what became of these tasks, which were launched on these agents, or were about to be.
    ReconcileOn {
        /// Which, and where.
        tasks: Vec<(TaskId, AgentId)>,
    },
    /// Keep a value under a name; what is called from here on waits until it is kept.
    Store {
        /// The name of the variable.
        name: String,
        /// Its value.
        value: Encoded,
    },
    /// Keep a variable no longer.
    Expunge {
        /// The name of the variable.
        name: String,
    },
    /// Come back with a token.
    After {
        /// When.
        delay: Duration,
        /// Which.
        token: u64,
    },
    /// End.
    Stop(Stop),
}

/// How a framework wants to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// It is done: its tasks end, and the master forgets it.
    Done(ExitCode),
    /// The same, but it did not reach what it was for.
    Failed(String),
    /// Its tasks go on; whoever subscribes with its id takes over.
    Leave(ExitCode),
}

impl Call {
    /// The tasks that an [`Accept`](Call::Accept) launches.
    pub fn tasks(&self) -> impl Iterator<Item = &TaskInfo> {
        let operations = match self {
            Call::Accept { operations, .. } => operations.as_slice(),
            Call::Decline { .. }
            | Call::Revive { .. }
            | Call::Suppress { .. }
            | Call::Kill { .. }
            | Call::ShutdownExecutor { .. }
            | Call::Message { .. }
            | Call::Reconcile { .. }
            | Call::ReconcileOn { .. }
            | Call::Store { .. }
            | Call::Expunge { .. }
            | Call::After { .. }
            | Call::Stop(_) => &[],
        };
        operations.iter().flat_map(launched)
    }
}

/// The tasks an operation launches.
pub(crate) fn launched(operation: &Operation) -> &[TaskInfo] {
    match operation {
        Operation::Launch { tasks } | Operation::LaunchGroup { tasks, .. } => tasks,
        Operation::Reserve { .. }
        | Operation::Unreserve { .. }
        | Operation::Create { .. }
        | Operation::Destroy { .. } => &[],
    }
}

impl Default for Calls {
    /// Calls whose tasks are `task-1`, `task-2` and so on.
    fn default() -> Calls {
        Calls::with_prefix("task".to_owned())
    }
}

impl Calls {
    /// Calls whose tasks get ids that begin with `prefix`.
    pub(crate) fn with_prefix(prefix: String) -> Calls {
        Calls {
            list: Vec::new(),
            prefix,
            launched: 0,
            now_ms: 0,
        }
    }

    /// The time of this turn, in milliseconds since 1970: a framework that asks nothing else for
    /// it can be tested and simulated.
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// The same calls in a turn at this time, in milliseconds since 1970.
    #[must_use]
    pub fn at(mut self, now_ms: u64) -> Calls {
        self.now_ms = now_ms;
        self
    }

    pub(crate) fn set_now(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
    }

    /// What was called so far, in order, and not taken.
    pub fn so_far(&self) -> &[Call] {
        &self.list
    }

    /// Takes everything that was called so far, in order.
    pub fn take(&mut self) -> Vec<Call> {
        std::mem::take(&mut self.list)
    }
}

/// Offers.
impl Calls {
    /// Launches `tasks` on the resources of `offer` and gives back the rest, to be offered again
    /// after five seconds. Without tasks the offer is declined.
    ///
    /// Gives the ids of the tasks, made up where the author gave none.
    pub fn accept(&mut self, offer: &Offer, tasks: impl IntoIterator<Item = Task>) -> Vec<TaskId> {
        self.accept_with_filters(offer, tasks, Filters::default())
    }

    /// [`accept`](Calls::accept) that says how long the rest is not wanted.
    pub fn accept_with_filters(
        &mut self,
        offer: &Offer,
        tasks: impl IntoIterator<Item = Task>,
        filters: Filters,
    ) -> Vec<TaskId> {
        let tasks: Vec<_> = tasks
            .into_iter()
            .map(|task| self.describe(task, offer))
            .collect();
        let ids = tasks.iter().map(|task| task.task_id.clone()).collect();
        let operations = match tasks.is_empty() {
            true => Vec::new(),
            false => vec![Operation::Launch { tasks }],
        };
        self.operate(&[offer], operations, filters);
        ids
    }

    /// Uses offers of one agent and role together, for operations of any kind. Without operations
    /// they are declined.
    pub fn operate(&mut self, offers: &[&Offer], operations: Vec<Operation>, filters: Filters) {
        let offer_ids = offers.iter().map(|offer| offer.id.clone()).collect();
        self.list.push(match operations.is_empty() {
            true => Call::Decline { offer_ids, filters },
            false => Call::Accept {
                offer_ids,
                operations,
                filters,
            },
        });
    }

    /// What a task on an offer is to the master, with an id: for [`operate`](Calls::operate).
    pub fn describe(&mut self, task: Task, offer: &Offer) -> TaskInfo {
        let (launched, prefix) = (&mut self.launched, &self.prefix);
        let next = || {
            *launched += 1;
            TaskId::new(format!("{prefix}-{launched}")).expect("a short text without slashes")
        };
        task.describe(next, offer.agent_id.clone())
    }

    /// Gives an offer back; the like comes again after five seconds at the earliest.
    pub fn decline(&mut self, offer: &Offer) {
        self.operate(&[offer], Vec::new(), Filters::default());
    }

    /// Gives an offer back; the like comes again after `refuse` at the earliest, or a
    /// [`revive`](Calls::revive).
    pub fn decline_for(&mut self, offer: &Offer, refuse: Duration) {
        self.operate(&[offer], Vec::new(), Filters::refuse(refuse));
    }

    /// Wants offers again, whatever was refused or suppressed before.
    pub fn revive(&mut self) {
        self.revive_roles([]);
    }

    /// [`revive`](Calls::revive) for some roles; for all when there are none.
    pub fn revive_roles(&mut self, roles: impl IntoIterator<Item = Role>) {
        let roles = roles.into_iter().collect();
        self.list.push(Call::Revive { roles });
    }

    /// Wants no more offers until [`revive`](Calls::revive). A framework with nothing to launch
    /// should say so: others get the resources at once. It holds over a loss of the master.
    pub fn suppress(&mut self) {
        self.suppress_roles([]);
    }

    /// [`suppress`](Calls::suppress) for some roles; for all when there are none.
    pub fn suppress_roles(&mut self, roles: impl IntoIterator<Item = Role>) {
        let roles = roles.into_iter().collect();
        self.list.push(Call::Suppress { roles });
    }
}

/// Tasks and executors.
impl Calls {
    /// Ends a task as its own policy says. Said again for as long as the master is away.
    pub fn kill(&mut self, task_id: &TaskId) {
        let (task_id, kill_policy) = (task_id.clone(), None);
        self.list.push(Call::Kill {
            task_id,
            kill_policy,
        });
    }

    /// Ends a task that gets `grace_period` between being asked to stop and being stopped.
    pub fn kill_with_grace(&mut self, task_id: &TaskId, grace_period: Duration) {
        let kill_policy = Some(KillPolicy { grace_period });
        let task_id = task_id.clone();
        self.list.push(Call::Kill {
            task_id,
            kill_policy,
        });
    }

    /// Ends an executor and its tasks.
    pub fn shutdown_executor(&mut self, agent_id: &AgentId, executor_id: &ExecutorId) {
        self.list.push(Call::ShutdownExecutor {
            agent_id: agent_id.clone(),
            executor_id: executor_id.clone(),
        });
    }

    /// Says something to an executor: at most once, and not at all while the master is away.
    pub fn message(
        &mut self,
        agent_id: &AgentId,
        executor_id: &ExecutorId,
        data: impl Into<Vec<u8>>,
    ) {
        self.list.push(Call::Message {
            agent_id: agent_id.clone(),
            executor_id: executor_id.clone(),
            data: data.into(),
        });
    }

    /// Asks for an update of each of these tasks, or of all that the master knows when there are
    /// none. For a framework that kept its tasks elsewhere; the session asks by itself for those it
    /// knows.
    pub fn reconcile(&mut self, task_ids: impl IntoIterator<Item = TaskId>) {
        let task_ids = task_ids.into_iter().collect();
        self.list.push(Call::Reconcile { task_ids });
    }

    /// [`reconcile`](Calls::reconcile) for who kept also where its tasks were to be launched: one
    /// that never reached its agent is then told to be gone, where otherwise it is only unknown.
    pub fn reconcile_on(&mut self, tasks: impl IntoIterator<Item = (TaskId, AgentId)>) {
        let tasks = tasks.into_iter().collect();
        self.list.push(Call::ReconcileOn { tasks });
    }
}

/// What must survive.
impl Calls {
    /// Keeps a value under a name, for [`on_restored`](crate::Framework::on_restored) of whoever
    /// comes after. Nothing that is called after it leaves before the value is kept: no launch, no
    /// kill, no acknowledgement of the update that is being handled, no answer to a
    /// [`Remote::ask`](crate::Remote::ask). All that one turn stores is kept together.
    ///
    /// A framework that runs without a [state](crate::Options::kept_in) keeps nothing, and goes on.
    /// A value without an encoding ends the framework.
    pub fn store<T: Serialize>(&mut self, name: impl Into<String>, value: &T) {
        let name = name.into();
        match Encoded::of(&name, value) {
            Ok(value) => self.list.push(Call::Store { name, value }),
            Err(error) => self.fail(error.to_string()),
        }
    }

    /// Keeps a variable no longer.
    pub fn expunge(&mut self, name: impl Into<String>) {
        let name = name.into();
        self.list.push(Call::Expunge { name });
    }
}

/// Time and the end.
impl Calls {
    /// Has [`on_timer`](crate::Framework::on_timer) called with `token` after `delay`.
    pub fn after(&mut self, delay: Duration, token: u64) {
        self.list.push(Call::After { delay, token });
    }

    /// Ends the framework, its tasks with it. What is called after this is not carried out.
    pub fn stop(&mut self) {
        self.stop_with(ExitCode::SUCCESS);
    }

    /// [`stop`](Calls::stop) with an exit code.
    pub fn stop_with(&mut self, code: ExitCode) {
        self.list.push(Call::Stop(Stop::Done(code)));
    }

    /// Ends the framework, its tasks with it, as an [`Error::Failed`](crate::Error::Failed).
    pub fn fail(&mut self, reason: impl Into<String>) {
        self.list.push(Call::Stop(Stop::Failed(reason.into())));
    }

    /// Ends this process and leaves the tasks running: whoever subscribes with the framework's id
    /// within its failover timeout takes over.
    pub fn leave(&mut self) {
        self.list.push(Call::Stop(Stop::Leave(ExitCode::SUCCESS)));
    }
}
