//! The tasks a session knows: what was last heard of each, and which ones to ask for.

use std::collections::BTreeMap;

use api::master::ReconcileTask;
use types::{AgentId, KillPolicy, TaskId, TaskInfo, TaskState, TaskStatus, UpdateId};

use super::recent::Recent;

/// How many update ids are remembered. Agents repeat an update within minutes, so this covers
/// hundreds of updates a second.
const SEEN_MAX: usize = 65_536;
/// How many ids of ended tasks are remembered, against late answers about them.
const ENDED_MAX: usize = 65_536;
/// Ticks until a task without news is asked for.
const FIRST_WAIT: u32 = 2;
/// The waits between questions double up to this many ticks.
const LONGEST_WAIT: u32 = 32;

#[derive(Debug)]
pub(crate) struct Tasks {
    known: BTreeMap<TaskId, Known>,
    /// Those of them without news.
    waiting: BTreeMap<TaskId, Waiting>,
    seen: Recent<UpdateId>,
    ended: Recent<TaskId>,
}

/// A task that has not ended, as far as is known.
#[derive(Debug, Default)]
struct Known {
    agent_id: Option<AgentId>,
    /// The state the author has seen; none when the author wants to hear it again.
    state: Option<TaskState>,
    /// The author wants it ended.
    kill: Option<Kill>,
}

/// Ticks until the next question, and how many until the one after.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    left: u32,
    next: u32,
}

/// A kill that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kill {
    pub(crate) task_id: TaskId,
    pub(crate) agent_id: Option<AgentId>,
    pub(crate) kill_policy: Option<KillPolicy>,
}

const FRESH: Waiting = Waiting {
    left: FIRST_WAIT,
    next: FIRST_WAIT * 2,
};

impl Tasks {
    pub(crate) fn new() -> Tasks {
        Tasks {
            known: BTreeMap::new(),
            waiting: BTreeMap::new(),
            seen: Recent::new(SEEN_MAX),
            ended: Recent::new(ENDED_MAX),
        }
    }

    pub(crate) fn launched(&mut self, task: &TaskInfo) {
        let known = Known {
            agent_id: Some(task.agent_id.clone()),
            state: Some(TaskState::Staging),
            kill: None,
        };
        self.ended.remove(&task.task_id);
        self.waiting.insert(task.task_id.clone(), FRESH);
        self.known.insert(task.task_id.clone(), known);
    }

    /// Takes in news; whether the author is to see them.
    pub(crate) fn updated(&mut self, status: &TaskStatus) -> bool {
        if status
            .update_id
            .is_some_and(|update_id| !self.seen.insert(update_id))
        {
            return false;
        }
        // The author has seen the end. An answer was on its way then, or the answer told the end
        // and the agent goes on to tell the whole story.
        if self.ended.contains(&status.task_id) {
            return false;
        }
        self.waiting.remove(&status.task_id);
        if status.state.is_terminal() {
            self.known.remove(&status.task_id);
            // A lost task may be found again.
            if status.state != TaskState::Lost {
                self.ended.insert(status.task_id.clone());
            }
            return true;
        }
        let known = self.known.entry(status.task_id.clone()).or_default();
        let answered = status.update_id.is_none() && known.state == Some(status.state);
        known.state = Some(status.state);
        if status.agent_id.is_some() {
            known.agent_id.clone_from(&status.agent_id);
        }
        !answered
    }

    /// Remembers a kill for as long as the task has not ended.
    pub(crate) fn kill(&mut self, task_id: TaskId, kill_policy: Option<KillPolicy>) -> Kill {
        let known = self.known.get_mut(&task_id);
        let kill = Kill {
            agent_id: known.as_ref().and_then(|known| known.agent_id.clone()),
            task_id,
            kill_policy,
        };
        if let Some(known) = known {
            known.kill = Some(kill.clone());
        }
        kill
    }

    /// The kills that were asked for, of tasks that have not ended.
    pub(crate) fn kills(&self) -> Vec<Kill> {
        self.known
            .values()
            .filter_map(|known| known.kill.clone())
            .collect()
    }

    /// The author says where a task is, or was to be.
    pub(crate) fn is_on(&mut self, task_id: TaskId, agent_id: AgentId) {
        self.known.entry(task_id).or_default().agent_id = Some(agent_id);
    }

    /// The author asks for these tasks: the answers are shown whatever they say.
    pub(crate) fn asked(&mut self, task_ids: &[TaskId]) -> Vec<ReconcileTask> {
        let ask = |task_id: &TaskId| {
            self.ended.remove(task_id);
            self.waiting.insert(task_id.clone(), FRESH);
            let known = self.known.entry(task_id.clone()).or_default();
            known.state = None;
            question(task_id, known.agent_id.clone())
        };
        task_ids.iter().map(ask).collect()
    }

    /// The author asks for all tasks: the answers are shown whatever they say.
    pub(crate) fn all_asked(&mut self) {
        for known in self.known.values_mut() {
            known.state = None;
        }
    }

    /// A master that knows nothing yet: asks for everything again.
    pub(crate) fn ask_all(&mut self) -> Vec<ReconcileTask> {
        let ask = |(task_id, known): (&TaskId, &Known)| {
            self.waiting.insert(task_id.clone(), FRESH);
            question(task_id, known.agent_id.clone())
        };
        self.known.iter().map(ask).collect()
    }

    /// Whether there are tasks without news.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// A tick went by: the tasks to ask for.
    pub(crate) fn tick(&mut self) -> Vec<ReconcileTask> {
        let due = |(task_id, waiting): (&TaskId, &mut Waiting)| {
            waiting.left = waiting.left.saturating_sub(1);
            if waiting.left > 0 {
                return None;
            }
            waiting.left = waiting.next;
            waiting.next = (waiting.next * 2).min(LONGEST_WAIT);
            let known = self.known.get(task_id);
            Some(question(
                task_id,
                known.and_then(|known| known.agent_id.clone()),
            ))
        };
        self.waiting.iter_mut().filter_map(due).collect()
    }
}

fn question(task_id: &TaskId, agent_id: Option<AgentId>) -> ReconcileTask {
    let task_id = task_id.clone();
    ReconcileTask { task_id, agent_id }
}

#[cfg(test)]
mod tests {
    use types::{CommandInfo, Resources, Source};

    use super::*;

    fn id(text: &str) -> TaskId {
        TaskId::new(text).unwrap()
    }

    fn launched(text: &str) -> Tasks {
        let agent_id = AgentId::new("a").unwrap();
        let command = CommandInfo::shell("true");
        let mut tasks = Tasks::new();
        tasks.launched(&TaskInfo::command(
            id(text),
            agent_id,
            command,
            Resources::new(),
        ));
        tasks
    }

    fn status(text: &str, state: TaskState) -> TaskStatus {
        TaskStatus::new(id(text), state, Source::Agent, 0)
    }

    #[test]
    fn an_update_that_is_repeated_is_shown_once() {
        let mut tasks = launched("t");
        let running = status("t", TaskState::Running).acknowledged_as(UpdateId::random());
        assert!(tasks.updated(&running));
        assert!(!tasks.updated(&running));
        let finished = status("t", TaskState::Finished).acknowledged_as(UpdateId::random());
        assert!(tasks.updated(&finished));
        assert!(!tasks.updated(&finished));
    }

    #[test]
    fn an_answer_that_says_nothing_new_is_not_shown() {
        let mut tasks = launched("t");
        assert!(!tasks.updated(&status("t", TaskState::Staging)));
        assert!(tasks.updated(&status("t", TaskState::Running)));
        assert!(!tasks.updated(&status("t", TaskState::Running)));
        assert!(tasks.updated(&status("t", TaskState::Finished)));
        assert!(!tasks.updated(&status("t", TaskState::Lost)));
    }

    #[test]
    fn the_end_is_shown_once_whoever_tells_it_first() {
        let mut tasks = launched("t");
        assert!(tasks.updated(&status("t", TaskState::Finished)));
        for state in [TaskState::Running, TaskState::Finished] {
            let told = status("t", state).acknowledged_as(UpdateId::random());
            assert!(!tasks.updated(&told), "{state}");
        }
        let mut tasks = launched("t");
        assert!(tasks.updated(&status("t", TaskState::Lost)));
        assert!(
            tasks.updated(&status("t", TaskState::Running)),
            "what was lost may be found"
        );
    }

    #[test]
    fn an_answer_the_author_asked_for_is_shown_whatever_it_says() {
        let mut tasks = launched("t");
        assert!(tasks.updated(&status("t", TaskState::Running)));
        assert_eq!(tasks.asked(&[id("t")])[0].agent_id, AgentId::new("a").ok());
        assert!(tasks.updated(&status("t", TaskState::Running)));
        tasks.is_on(id("other"), AgentId::new("b").unwrap());
        let asked = tasks.asked(&[id("other")]);
        assert_eq!(asked[0].agent_id, AgentId::new("b").ok());
        tasks.all_asked();
        assert!(tasks.updated(&status("t", TaskState::Running)));
        assert!(tasks.updated(&status("t", TaskState::Failed)));
        tasks.asked(&[id("t")]);
        assert!(tasks.updated(&status("t", TaskState::Gone)));
    }

    #[test]
    fn a_task_without_news_is_asked_for_less_and_less_often() {
        let mut tasks = launched("t");
        let asked: Vec<_> = (1..=130).filter(|_| !tasks.tick().is_empty()).collect();
        assert_eq!(asked, [2, 6, 14, 30, 62, 94, 126]);
        assert!(tasks.is_waiting());
        tasks.updated(&status("t", TaskState::Running));
        assert!(!tasks.is_waiting());
    }

    #[test]
    fn a_kill_is_remembered_until_the_task_has_ended() {
        let mut tasks = launched("t");
        let kill = tasks.kill(id("t"), None);
        assert_eq!(kill.agent_id, AgentId::new("a").ok());
        assert_eq!(tasks.kills(), [kill]);
        tasks.updated(&status("t", TaskState::Killed));
        assert_eq!(tasks.kills(), []);
        tasks.kill(id("stranger"), None);
        assert_eq!(tasks.kills(), []);
    }
}
