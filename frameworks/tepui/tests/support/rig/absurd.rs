//! A framework that launches tasks that make no sense.

use std::time::Duration;

use sdk::prelude::*;
use tokio::sync::mpsc;

/// A framework that launches strange tasks, once.
pub(crate) struct Absurd {
    pub(crate) tasks: Vec<Task>,
    pub(crate) heard: mpsc::UnboundedSender<TaskUpdate>,
}

impl Framework for Absurd {
    fn on_offers(&mut self, offers: Vec<Offer>, calls: &mut Calls) {
        for offer in offers {
            calls.accept(&offer, std::mem::take(&mut self.tasks));
        }
    }

    fn on_update(&mut self, update: TaskUpdate, calls: &mut Calls) {
        if update.state == TaskState::Running && update.task_id.as_str().starts_with("endless") {
            calls.kill_with_grace(&update.task_id, Duration::MAX);
        }
        let _ = self.heard.send(update);
    }
}

/// Tasks that are wrong in some way, by what is wrong, and how they may end.
pub(crate) fn absurd_tasks() -> Vec<(&'static str, Task, &'static [TaskState])> {
    let need = Resources::new().cpus(0.01).mem_mib(1);
    let huge = Resources::new().cpus(1_000_000.0);
    let task = || Task::command("true", &need);
    let executor = |grace| {
        let id = ExecutorId::new("absurd").unwrap();
        let info = ExecutorInfo::custom(id, CommandInfo::shell("true"));
        Task::new(&need).executor(ExecutorInfo {
            shutdown_grace: grace,
            ..info
        })
    };
    let crowd = (0..20_000).fold(task(), |task, n| task.env(format!("A_{n}"), "value"));
    let long = "x".repeat(3 << 20);
    const WRONG: &[TaskState] = &[TaskState::Error];
    const FAILS: &[TaskState] = &[TaskState::Failed];
    const EITHER: &[TaskState] = &[TaskState::Error, TaskState::Failed];
    vec![
        ("good", task(), &[TaskState::Finished]),
        (
            "endless",
            Task::command("exec sleep 300", &need),
            &[TaskState::Killed],
        ),
        ("name", task().name("x".repeat(1 << 20)), WRONG),
        ("huge", Task::command("true", &huge), WRONG),
        ("nothing", Task::new(&Resources::new()), WRONG),
        ("idle", Task::new(&need), EITHER),
        ("patient", task().max_completion_time(Duration::MAX), WRONG),
        ("gentle", task().kill_grace(Duration::MAX), WRONG),
        ("slow-executor", executor(Some(Duration::MAX)), WRONG),
        ("mute-executor", executor(None), FAILS),
        ("user", task().user("nobody-has-this-name"), FAILS),
        ("argument", Task::new(&need).argv(["true", &long]), EITHER),
        ("program", Task::new(&need).argv(["/dev/null/true"]), FAILS),
        ("zero", Task::command("true\0false", &need), EITHER),
        ("variable", task().env("A=B\0", "\0"), EITHER),
        (
            "crowd",
            crowd,
            &[TaskState::Error, TaskState::Failed, TaskState::Finished],
        ),
    ]
}
