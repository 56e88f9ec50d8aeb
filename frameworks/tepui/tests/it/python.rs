//! Executors written in Python, without any library of ours: by hand, and on pymesos.

use std::path::Path;

use sdk::prelude::*;
use types::{AgentId, CommandInfo, ExecutorId, ExecutorInfo};

use crate::clients::python::PYMESOS;
use crate::support::Cluster;

/// What happens to the framework, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Story {
    /// Two tasks, words, a kill, and the end.
    Short,
    /// The same, but the executor hangs up in between.
    HangsUp,
    /// A task whose executor dies.
    Dies,
}

/// Runs tasks by the executor of a command and notes what it hears.
struct Witness {
    story: Story,
    command: CommandInfo,
    agent_id: Option<AgentId>,
    heard: Vec<String>,
    tell: std::sync::mpsc::Sender<Vec<String>>,
}

fn executor_id() -> ExecutorId {
    ExecutorId::new("python").unwrap()
}

impl Witness {
    fn say(&self, words: &str, calls: &mut Calls) {
        if let Some(agent_id) = &self.agent_id {
            calls.message(agent_id, &executor_id(), words);
        }
    }

    fn kill(calls: &mut Calls) {
        calls.kill(&TaskId::new("stays").unwrap());
    }

    fn has(&self, text: &str) -> bool {
        self.heard.iter().any(|heard| heard == text)
    }

    /// Goes on when something was heard for the first time.
    fn heard(&mut self, text: String, calls: &mut Calls) {
        let before = [
            "stays TASK_RUNNING",
            "quick TASK_FINISHED cba",
            "hello:abc",
            "hello:stay",
        ];
        let ready = |witness: &Witness| before.iter().all(|text| witness.has(text));
        let was_ready = ready(self);
        self.heard.push(text.clone());
        if self.story != Story::Dies && !was_ready && ready(self) {
            return self.say("ping", calls);
        }
        match (text.as_str(), self.story) {
            ("echo:ping", Story::HangsUp) => self.say("again", calls),
            ("echo:ping", _) | ("back", _) => Self::kill(calls),
            ("stays TASK_KILLED", _) => {
                if let Some(agent_id) = &self.agent_id {
                    calls.shutdown_executor(agent_id, &executor_id());
                }
            }
            _ => {}
        }
    }
}

impl Framework for Witness {
    fn on_offers(&mut self, offers: Vec<Offer>, calls: &mut Calls) {
        for offer in offers {
            if self.agent_id.is_some() {
                calls.decline(&offer);
                continue;
            }
            self.agent_id = Some(offer.agent_id.clone());
            let need = Resources::new().cpus(0.1).mem_mib(16);
            let executor = ExecutorInfo {
                resources: need.clone(),
                ..ExecutorInfo::custom(executor_id(), self.command.clone())
            };
            let tasks = match self.story {
                Story::Short | Story::HangsUp => vec![("quick", "abc"), ("stays", "stay")],
                Story::Dies => vec![("dies", "die")],
            };
            let tasks = tasks.into_iter().map(|(id, data)| {
                Task::new(&need)
                    .id(TaskId::new(id).unwrap())
                    .executor(executor.clone())
                    .data(data)
            });
            calls.accept(&offer, tasks.collect::<Vec<_>>());
        }
    }

    fn on_update(&mut self, update: TaskUpdate, calls: &mut Calls) {
        let data = String::from_utf8_lossy(&update.data).into_owned();
        let text = format!("{} {} {data}", update.task_id, update.state);
        self.heard(text.trim_end().to_owned(), calls);
    }

    fn on_message(&mut self, message: ExecutorMessage, calls: &mut Calls) {
        self.heard(String::from_utf8_lossy(&message.data).into_owned(), calls);
    }

    fn on_failure(&mut self, failure: Failure, calls: &mut Calls) {
        let exit = failure
            .exit
            .map_or_else(String::new, |exit| exit.to_string());
        self.heard(format!("executor {exit}"), calls);
        self.tell.send(std::mem::take(&mut self.heard)).unwrap();
        calls.stop();
    }
}

/// What a framework hears whose tasks are run by the executor of a command.
fn witness(story: Story, command: CommandInfo) -> Vec<String> {
    let cluster = Cluster::start(&[]);
    let (tell, heard) = std::sync::mpsc::channel();
    let framework = Witness {
        story,
        command,
        agent_id: None,
        heard: Vec::new(),
        tell,
    };
    let options = sdk::Options::default().master(cluster.master.clone());
    let info = FrameworkInfo::new("witness");
    let ran = std::thread::spawn(move || sdk::run_with(framework, info, options));
    let heard = heard.recv_timeout(std::time::Duration::from_secs(60));
    let heard = heard.expect("the executor ends in time");
    assert!(ran.join().unwrap().unwrap().is_success());
    heard
}

fn script(name: &str) -> String {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/executors");
    directory.join(name).display().to_string()
}

/// What was heard, but for the order: words and news travel different ways.
fn sorted(mut heard: Vec<String>) -> Vec<String> {
    heard.sort();
    heard.dedup();
    heard
}

const SHORT: [&str; 8] = [
    "echo:ping",
    "executor exited with status 0",
    "hello:abc",
    "hello:stay",
    "quick TASK_FINISHED cba",
    "quick TASK_RUNNING",
    "stays TASK_KILLED",
    "stays TASK_RUNNING",
];

#[test]
fn an_executor_of_plain_python_runs_its_tasks() {
    let command = CommandInfo::argv(["python3".to_owned(), script("plain.py")]);
    assert_eq!(sorted(witness(Story::Short, command)), SHORT);
}

#[test]
fn an_executor_of_plain_python_hangs_up_and_comes_back() {
    let command = CommandInfo::argv(["python3".to_owned(), script("plain.py")]);
    let mut expected = SHORT.map(str::to_owned).to_vec();
    expected.push("back".to_owned());
    expected.sort();
    assert_eq!(sorted(witness(Story::HangsUp, command)), expected);
}

#[test]
fn an_executor_of_plain_python_that_dies_takes_its_tasks_along() {
    let command = CommandInfo::shell(format!("exec python3 {}", script("plain.py")));
    let heard = sorted(witness(Story::Dies, command));
    assert!(
        heard.contains(&"executor exited with status 3".to_owned()),
        "{heard:?}"
    );
    assert!(heard.contains(&"dies TASK_RUNNING".to_owned()), "{heard:?}");
}

#[test]
fn an_executor_on_pymesos_runs_its_tasks() {
    let Some(python) = PYMESOS.get() else { return };
    let python = python.display().to_string();
    let command = CommandInfo::argv([python, script("with_pymesos.py")]);
    assert_eq!(sorted(witness(Story::Short, command)), SHORT);
}
