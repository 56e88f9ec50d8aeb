//! An agent that comes back with what runs on it: what it says is compared with the books.

use std::collections::{BTreeMap, BTreeSet};

use api::agent::TaskOf;
use api::master::FrameworkState;
use types::{AgentId, ExecutorId, ExecutorInfo, ExecutorKind, FrameworkId, FrameworkInfo};
use types::{KillPolicy, MAX_STATUSES, Reason, Role, Source, Task, TaskId, TaskState, TaskStatus};

use super::{Books, Entry, Framework};
use crate::status::Word;

/// What an agent reports.
#[derive(Debug, Clone, Default)]
pub(crate) struct Report {
    pub(crate) frameworks: Vec<FrameworkInfo>,
    pub(crate) executors: Vec<ExecutorInfo>,
    pub(crate) tasks: Vec<Task>,
}

/// What there is to do about a report.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Readmission {
    /// Frameworks that have ended: the agent is to end what it runs for them.
    pub(crate) shut_down: BTreeSet<FrameworkId>,
    /// Tasks the agent is to end.
    pub(crate) kill: Vec<(TaskOf, Option<KillPolicy>)>,
    /// Tasks that were sent to the agent and may not have reached it: it knows best.
    pub(crate) unknown: Vec<TaskOf>,
    /// What frameworks are to be told.
    pub(crate) told: Vec<(FrameworkId, TaskStatus)>,
    /// Frameworks that were not known before.
    pub(crate) recovered: Vec<FrameworkId>,
}

impl Books {
    /// Takes in what runs on a registered agent: the agent is right about its tasks.
    ///
    /// A task that the agent does not report and that was seen running there is gone. One that was
    /// only sent there may be on its way, so the agent is asked. Tasks that were out of sight are
    /// in sight again. Offers of the agent were taken away before.
    pub(crate) fn readmit(&mut self, id: &AgentId, report: Report, at_ms: u64) -> Readmission {
        let mut result = Readmission::default();
        self.take_in_frameworks(&report, at_ms, &mut result);
        self.take_in_executors(id, report.executors, &report.tasks);
        let mut reported = BTreeSet::new();
        for task in report.tasks {
            if task.agent_id == *id {
                self.take_in_task(task, at_ms, &mut reported, &mut result);
            }
        }
        self.miss_tasks(id, &reported, at_ms, &mut result);
        self.sum_up(id);
        result
    }

    /// Adds the frameworks of reported tasks and executors that are not known.
    fn take_in_frameworks(&mut self, report: &Report, at_ms: u64, result: &mut Readmission) {
        let of_executors = report
            .executors
            .iter()
            .filter_map(|e| e.framework_id.as_ref());
        let of_tasks = report.tasks.iter().map(|task| &task.framework_id);
        let needed: BTreeSet<&FrameworkId> = of_executors.chain(of_tasks).collect();
        for id in needed {
            if self.is_completed(id) {
                result.shut_down.insert(id.clone());
                continue;
            }
            if self.frameworks.contains_key(id) {
                continue;
            }
            let told = report
                .frameworks
                .iter()
                .find(|info| info.id.as_ref() == Some(id));
            let told = told.filter(|info| info.validate().is_ok()).cloned();
            let info = told.unwrap_or_else(|| FrameworkInfo::new(""));
            let mut framework = Framework::new(id.clone(), info, FrameworkState::Recovered);
            framework.registered_ms = at_ms;
            self.add_framework(framework);
            result.recovered.push(id.clone());
        }
    }

    fn take_in_executors(&mut self, id: &AgentId, executors: Vec<ExecutorInfo>, tasks: &[Task]) {
        let mut roles: BTreeMap<(&FrameworkId, &ExecutorId), &Role> = BTreeMap::new();
        for task in tasks {
            if let Some(executor) = &task.executor_id {
                roles.insert((&task.framework_id, executor), &task.role);
            }
        }
        for (framework, executor) in self.agents[id].executors.clone() {
            self.remove_executor(&framework, id, &executor);
        }
        for info in executors {
            let Some(framework_id) = info.framework_id.clone() else {
                continue;
            };
            if info.kind == ExecutorKind::Command {
                continue; // its task stands for it
            }
            let Some(framework) = self.frameworks.get(&framework_id) else {
                continue;
            };
            let of_task = roles.get(&(&framework_id, &info.executor_id)).copied();
            let role = of_task.or(framework.info.roles.first());
            let role = role.cloned().unwrap_or_default();
            self.add_executor(&framework_id, id, info, role);
        }
    }

    fn take_in_task(
        &mut self,
        task: Task,
        at_ms: u64,
        reported: &mut BTreeSet<TaskOf>,
        result: &mut Readmission,
    ) {
        let of = TaskOf {
            framework_id: task.framework_id.clone(),
            task_id: task.task_id.clone(),
        };
        let Some(framework) = self.frameworks.get(&of.framework_id) else {
            return; // it has ended, and the agent is told so
        };
        let alive = !task.state.is_terminal();
        let was_unreachable = framework.unreachable.contains_key(&of.task_id);
        let is_same = |entry: &&Entry| entry.task.task_id == of.task_id;
        let past = framework.completed_tasks().find(is_same);
        if past.is_some() && !alive && framework.task(&of.task_id).is_none() {
            return; // its framework's acknowledgement and this report have crossed
        }
        let given_up = past.is_some_and(|entry| {
            let last = entry.task.statuses.last();
            last.is_some_and(|status| status.source == Source::Master)
        });
        let word = Word {
            state: task.state,
            reason: Reason::AgentReregistered,
            message: "the agent is back",
            at_ms,
        };
        let status = word.of_task(&task);
        if !self.adopt_task(task) {
            // Another agent runs a task by this name: there can be only one.
            result.kill.extend(alive.then_some((of, None)));
            return;
        }
        if alive && was_unreachable {
            result.told.push((of.framework_id.clone(), status));
        }
        match self.take_kill(&of.framework_id, &of.task_id) {
            Some(policy) if alive => result.kill.push((of.clone(), policy)),
            None if alive && given_up => result.kill.push((of.clone(), None)),
            Some(_) | None => {}
        }
        reported.insert(of);
    }

    /// Finds what the agent should have reported and did not.
    fn miss_tasks(
        &mut self,
        id: &AgentId,
        reported: &BTreeSet<TaskOf>,
        at_ms: u64,
        result: &mut Readmission,
    ) {
        let gone = Word {
            state: TaskState::Gone,
            reason: Reason::AgentReregistered,
            message: "the agent is back without the task",
            at_ms,
        };
        let missing: Vec<TaskOf> = self.agents[id]
            .tasks
            .iter()
            .filter(|of| !reported.contains(*of))
            .cloned()
            .collect();
        for of in missing {
            let framework = &self.frameworks[&of.framework_id];
            let task = &framework.tasks[&of.task_id].task;
            if task.state == TaskState::Staging {
                result.unknown.push(of);
                continue;
            }
            let over = task.state.is_terminal();
            let state = gone.state.for_framework(framework.is_partition_aware());
            let ended = self.end_task(&of.framework_id, &of.task_id, Word { state, ..gone });
            let told = ended.filter(|_| !over);
            result
                .told
                .extend(told.map(|(status, _)| (of.framework_id, status)));
        }
        let on_agent = |framework: &Framework| {
            let entries = framework.unreachable.values();
            let entries = entries.filter(|entry| entry.task.agent_id == *id);
            let aware = framework.is_partition_aware();
            let of = |entry: &Entry| (framework.id.clone(), entry.task.task_id.clone(), aware);
            entries.map(of).collect::<Vec<_>>()
        };
        let lost: Vec<_> = self.frameworks.values().flat_map(on_agent).collect();
        for (framework_id, task_id, aware) in lost {
            let state = gone.state.for_framework(aware);
            let word = Word { state, ..gone };
            let told = self.end_unreachable(&framework_id, &task_id, word);
            // The others were told that it is lost, when it went out of sight.
            result
                .told
                .extend(told.filter(|_| aware).map(|status| (framework_id, status)));
        }
    }

    /// Takes in a task as its agent reports it, whether it is known or not; one of another agent
    /// stays there, and `false` comes back.
    fn adopt_task(&mut self, mut task: Task) -> bool {
        let surplus = task.statuses.len().saturating_sub(MAX_STATUSES);
        task.statuses.drain(..surplus);
        let Some(framework) = self.frameworks.get_mut(&task.framework_id) else {
            return false;
        };
        let known = framework.tasks.get_mut(&task.task_id);
        if let Some(entry) = known {
            if entry.task.agent_id != task.agent_id {
                return false;
            }
            if entry.task.state.is_terminal() && !task.state.is_terminal() {
                task.state = entry.task.state;
            }
            entry.task = task;
            return true;
        }
        framework
            .completed
            .retain(|entry| entry.task.task_id != task.task_id);
        self.add_task(task);
        true
    }

    /// Ends a task that was out of sight, because its agent is back without it.
    fn end_unreachable(
        &mut self,
        framework_id: &FrameworkId,
        task_id: &TaskId,
        word: Word,
    ) -> Option<TaskStatus> {
        let framework = self.frameworks.get_mut(framework_id)?;
        let mut entry = framework.unreachable.remove(task_id)?;
        let status = word.of_task(&entry.task);
        entry.task.state = word.state;
        entry.task.remember(&status);
        framework.remember_completed(entry, self.limits.completed_tasks);
        Some(status)
    }
}
