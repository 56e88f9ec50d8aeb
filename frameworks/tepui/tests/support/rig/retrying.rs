//! A framework that has each of its works done once, whatever dies meanwhile; it can itself.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use sdk::prelude::*;
use serde::{Deserialize, Serialize};

use super::journal::{Journal, Line, Reader};

/// The variable that marks every task of a test.
pub(crate) const RUN: &str = "TEPUI_TEST_RUN";
/// The variable that names the task a process belongs to.
pub(crate) const TASK: &str = "TEPUI_TEST_TASK";
/// How often the framework asks what became of its tasks.
const ASK_AGAIN: Duration = Duration::from_secs(3);

/// What a program that is this framework is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Orders {
    pub(crate) master: String,
    pub(crate) works: usize,
    /// The value of [`RUN`].
    pub(crate) marker: String,
    pub(crate) journal: PathBuf,
    /// Where every start of a task leaves a line.
    pub(crate) starts: PathBuf,
}

/// Something to be done, and how it is to end.
struct Work {
    script: &'static str,
    end: (TaskState, i32),
    attempts: u32,
    stage: Stage,
}

#[derive(Debug, PartialEq)]
enum Stage {
    Waiting,
    Tried(String),
    Done,
}

const WORKS: [(&str, (TaskState, i32)); 5] = [
    ("true", (TaskState::Finished, 0)),
    ("sleep 0.2", (TaskState::Finished, 0)),
    ("sleep 2", (TaskState::Finished, 0)),
    ("exit 3", (TaskState::Failed, 3)),
    // Children, one of them in a session of its own, which nobody waits for.
    (
        "sleep 300 & setsid sleep 300 & sleep 0.3; exit 0",
        (TaskState::Finished, 0),
    ),
];

/// The framework.
pub(crate) struct Retrying {
    orders: Orders,
    works: Vec<Work>,
    /// Tasks that have not ended, as far as is known, and the work each is for.
    living: BTreeMap<String, usize>,
    journal: Journal,
    /// Tasks of an earlier life were not asked for yet.
    heir: bool,
    done: bool,
}

impl Retrying {
    /// Begins, or goes on where the journal ends. Gives the id the framework has, if it does.
    pub(crate) fn new(orders: Orders) -> (Retrying, Option<FrameworkId>) {
        let past = Reader(orders.journal.clone());
        let work = |number: usize| {
            let (script, end) = WORKS[number % WORKS.len()];
            Work {
                script,
                end,
                attempts: 0,
                stage: Stage::Waiting,
            }
        };
        let works = (0..orders.works).map(work).collect();
        let journal = Journal::open(&orders.journal);
        let living = BTreeMap::new();
        let mut framework = Retrying {
            orders,
            works,
            living,
            journal,
            heir: true,
            done: false,
        };
        for line in past.lines() {
            match line {
                Line::Launched(work, task) => framework.launched(work, task),
                Line::News(task, state, code) => drop(framework.heard(&task, state, code)),
                Line::Done => framework.done = true,
                Line::Subscribed(_) => {}
            }
        }
        let id = past
            .framework_id()
            .map(|id| FrameworkId::new(id).expect("an id of a journal"));
        (framework, id)
    }

    fn launched(&mut self, work: usize, task: String) {
        self.living.insert(task.clone(), work);
        self.works[work].attempts += 1;
        self.works[work].stage = Stage::Tried(task);
    }

    /// Takes in news; true when the task lives but is wanted no more.
    fn heard(&mut self, task: &str, state: TaskState, code: Option<i32>) -> bool {
        let Some(number) = work_of(task).filter(|number| *number < self.works.len()) else {
            return false;
        };
        let work = &mut self.works[number];
        let wanted = work.stage == Stage::Tried(task.to_owned());
        let lost = matches!(state, TaskState::Unreachable | TaskState::Unknown);
        if state.is_terminal() || lost {
            self.living.remove(task);
        } else {
            self.living.insert(task.to_owned(), number);
        }
        if wanted && (state, code) == (work.end.0, Some(work.end.1)) {
            work.stage = Stage::Done;
        } else if wanted && (state.is_terminal() || lost) {
            work.stage = Stage::Waiting;
        }
        // What is out of sight was replaced: it must end when it is seen again.
        !state.is_terminal() && (lost || !wanted)
    }

    fn task(&self, number: usize) -> (Task, String) {
        let work = &self.works[number];
        let id = format!("w{number}-{}-{}", work.attempts, self.orders.marker);
        let start = self.orders.starts.join(&id);
        let script = format!("echo $$ >> {}; {}", start.display(), work.script);
        let task = Task::command(script, &need())
            .id(TaskId::new(id.clone()).expect("an id"))
            .env(RUN, &self.orders.marker)
            .env(TASK, &id);
        (task, id)
    }

    fn finish(&mut self) {
        let over = self.works.iter().all(|work| work.stage == Stage::Done);
        if over && self.living.is_empty() && !self.done {
            self.done = true;
            self.journal.write(&Line::Done);
        }
    }

    fn reconcile(&self, calls: &mut Calls) {
        let ids = self
            .living
            .keys()
            .map(|id| TaskId::new(id.clone()).expect("an id"));
        let ids: Vec<TaskId> = ids.collect();
        if !ids.is_empty() {
            calls.reconcile(ids);
        }
    }
}

/// What each task needs.
fn need() -> Resources {
    Resources::new().cpus(0.1).mem_mib(32)
}

/// The work that a task is for, by its id.
fn work_of(task: &str) -> Option<usize> {
    task.strip_prefix('w')?.split('-').next()?.parse().ok()
}

impl Framework for Retrying {
    fn on_subscribed(&mut self, subscribed: Subscribed, calls: &mut Calls) {
        self.journal
            .write(&Line::Subscribed(subscribed.framework_id.to_string()));
        if std::mem::take(&mut self.heir) {
            calls.after(ASK_AGAIN, 0);
            self.reconcile(calls);
        }
    }

    fn on_offers(&mut self, offers: Vec<Offer>, calls: &mut Calls) {
        for offer in offers {
            let room = offer.resources.count(&need()) as usize;
            let waiting = |number: &usize| self.works[*number].stage == Stage::Waiting;
            let chosen: Vec<_> = (0..self.works.len()).filter(waiting).take(room).collect();
            let mut tasks = Vec::new();
            for number in chosen {
                let (task, id) = self.task(number);
                self.journal.write(&Line::Launched(number, id.clone()));
                self.launched(number, id);
                tasks.push(task);
            }
            // What has ended is tried again soon.
            calls.accept_with_filters(&offer, tasks, Filters::refuse(Duration::from_millis(300)));
        }
    }

    fn on_update(&mut self, update: TaskUpdate, calls: &mut Calls) {
        let id = update.task_id.to_string();
        self.journal
            .write(&Line::News(id.clone(), update.state, update.exit_code));
        if self.heard(&id, update.state, update.exit_code) {
            calls.kill(&update.task_id);
        }
        self.finish();
    }

    fn on_timer(&mut self, _: u64, calls: &mut Calls) {
        self.reconcile(calls);
        calls.after(ASK_AGAIN, 0);
    }
}

/// Runs the framework until a signal ends it.
pub(crate) fn main(orders: Orders) -> sdk::Result {
    let options = sdk::Options::default()
        .master(&orders.master)
        .subscribe_timeout(None);
    let (framework, id) = Retrying::new(orders);
    let mut info = FrameworkInfo::new("retrying");
    info.id = id;
    sdk::run_with(framework, info, options)
}
