//! A task as an author describes it; where it runs, the offer decides.

use std::time::Duration;

use types::{AgentId, CommandInfo, DiscoveryInfo, ExecutorInfo, KillPolicy, Labels};
use types::{Opaque, ResourceLimits, Resources, TaskId, TaskInfo, Uri};

/// Longest name a task gets from its command, in characters.
const NAME_MAX: usize = 40;

/// What to run, on how much. Launched by [`Calls::accept`](crate::Calls::accept).
///
/// ```
/// use sdk::prelude::*;
/// let need = Resources::new().cpus(0.5).mem_mib(64);
/// let greet = Task::command("echo hello $NAME", &need).env("NAME", "world");
/// let count = Task::new(&need).argv(["wc", "-l", "/etc/passwd"]).name("lines");
/// # let _ = (greet, count);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    id: Option<TaskId>,
    name: Option<String>,
    resources: Resources,
    command: CommandInfo,
    executor: Option<ExecutorInfo>,
    data: Vec<u8>,
    labels: Labels,
    kill_policy: Option<KillPolicy>,
    max_completion_time: Option<Duration>,
    discovery: Option<DiscoveryInfo>,
    limits: ResourceLimits,
}

impl Task {
    /// A task that runs nothing yet: give it [`argv`](Task::argv) or an
    /// [`executor`](Task::executor).
    pub fn new(need: &Resources) -> Task {
        Task {
            id: None,
            name: None,
            resources: need.clone(),
            command: CommandInfo::default(),
            executor: None,
            data: Vec::new(),
            labels: Labels::new(),
            kill_policy: None,
            max_completion_time: None,
            discovery: None,
            limits: ResourceLimits::new(),
        }
    }

    /// A task that hands `script` to `sh -c`.
    pub fn command(script: impl Into<String>, need: &Resources) -> Task {
        Task {
            command: CommandInfo::shell(script),
            ..Task::new(need)
        }
    }

    /// Runs a program with its arguments, without a shell. The first word is the program.
    #[must_use]
    pub fn argv<W: Into<String>>(mut self, words: impl IntoIterator<Item = W>) -> Task {
        let said = std::mem::take(&mut self.command);
        self.command = CommandInfo {
            environment: said.environment,
            user: said.user,
            uris: said.uris,
            ..CommandInfo::argv(words)
        };
        self
    }

    /// Runs by an executor of the framework's own, not by a command.
    #[must_use]
    pub fn executor(mut self, executor: ExecutorInfo) -> Task {
        self.executor = Some(executor);
        self
    }

    /// What the executor is told; at most a mebibyte.
    #[must_use]
    pub fn data(mut self, data: impl Into<Vec<u8>>) -> Task {
        self.data = data.into();
        self
    }

    /// Its id, unused before in this framework; made up if not given.
    #[must_use]
    pub fn id(mut self, id: TaskId) -> Task {
        self.id = Some(id);
        self
    }

    /// A name for people; the beginning of the command if not given.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Task {
        self.name = Some(name.into());
        self
    }

    /// A variable of the command.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Task {
        self.command = self.command.env(name, value);
        self
    }

    /// The user the command runs as; the framework's if not given.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Task {
        self.command.user = Some(user.into());
        self
    }

    /// Something to fetch into the sandbox first.
    #[must_use]
    pub fn uri(mut self, uri: Uri) -> Task {
        self.command.uris.push(uri);
        self
    }

    /// Free words.
    #[must_use]
    pub fn labels(mut self, labels: Labels) -> Task {
        self.labels = labels;
        self
    }

    /// The time between being asked to stop and being stopped.
    #[must_use]
    pub fn kill_grace(mut self, grace_period: Duration) -> Task {
        self.kill_policy = Some(KillPolicy { grace_period });
        self
    }

    /// How long it may run before it is killed.
    #[must_use]
    pub fn max_completion_time(mut self, time: Duration) -> Task {
        self.max_completion_time = Some(time);
        self
    }

    /// How others find it.
    #[must_use]
    pub fn discovery(mut self, discovery: DiscoveryInfo) -> Task {
        self.discovery = Some(discovery);
        self
    }

    /// How much of processors and memory it may use at most.
    #[must_use]
    pub fn limits(mut self, limits: ResourceLimits) -> Task {
        self.limits = limits;
        self
    }

    /// The task as the master wants it.
    pub(crate) fn describe(self, next: impl FnOnce() -> TaskId, agent_id: AgentId) -> TaskInfo {
        let task_id = self.id.unwrap_or_else(next);
        let command = match &self.executor {
            Some(_) => None,
            None => Some(self.command),
        };
        let name = self.name.or_else(|| command.as_ref().and_then(short_name));
        TaskInfo {
            name: name.unwrap_or_else(|| task_id.to_string()),
            task_id,
            agent_id,
            resources: self.resources,
            command,
            executor: self.executor,
            data: self.data,
            labels: self.labels,
            kill_policy: self.kill_policy,
            max_completion_time: self.max_completion_time,
            discovery: self.discovery,
            limits: self.limits,
            opaque: Opaque::new(),
        }
    }
}

/// The beginning of a command, for people.
fn short_name(command: &CommandInfo) -> Option<String> {
    let words = match command.shell {
        true => command.value.clone(),
        false => command.arguments.join(" "),
    };
    let line: String = words.lines().next()?.chars().take(NAME_MAX).collect();
    let line = line.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn describe(task: Task) -> TaskInfo {
        let agent_id = AgentId::new("a").unwrap();
        task.describe(|| TaskId::new("made-up").unwrap(), agent_id)
    }

    #[test]
    fn a_task_is_named_by_its_command_unless_named() {
        let need = Resources::new().cpus(1.0);
        let info = describe(Task::command("sleep 60\necho done", &need));
        assert_eq!(
            (info.name.as_str(), info.task_id.as_str()),
            ("sleep 60", "made-up")
        );
        let id = TaskId::new("mine").unwrap();
        let info = describe(Task::command("", &need).id(id));
        assert_eq!(
            (info.name.as_str(), info.task_id.as_str()),
            ("mine", "mine")
        );
        assert_eq!(describe(Task::new(&need).argv(["ls", "/"])).name, "ls /");
        assert_eq!(
            describe(Task::command("ls", &need).name("list")).name,
            "list"
        );
    }

    #[test]
    fn words_keep_what_was_said_before_of_the_command() {
        let need = Resources::new().cpus(1.0);
        let task = Task::command("old", &need).env("A", "b").user("nobody");
        let command = describe(task.argv(["new", "x"])).command.unwrap();
        assert_eq!(command.arguments, ["new", "x"]);
        assert!(!command.shell);
        assert_eq!(command.environment.0["A"], "b");
        assert_eq!(command.user.as_deref(), Some("nobody"));
    }

    #[test]
    fn a_task_has_a_command_or_an_executor() {
        let need = Resources::new().cpus(1.0);
        let id = types::ExecutorId::new("e").unwrap();
        let executor = ExecutorInfo::custom(id, CommandInfo::shell("true"));
        let info = describe(Task::command("x", &need).executor(executor));
        assert!(info.command.is_none() && info.executor.is_some());
        let framework_id = types::FrameworkId::new("f").unwrap();
        assert_eq!(info.validate(&framework_id, &info.agent_id), Ok(()));
    }
}
