//! A workload: many short tasks of all kinds, tried again until each item of work is done once.
//!
//! What it knows is kept where a crash of its host does not reach, as a scheduler with a database
//! would: the next instance goes on where the last one was.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use sdk::prelude::*;

/// How long a task may be out of sight before another one is launched in its place, unless it is
/// given longer.
const PATIENCE: Duration = Duration::from_secs(45);
/// After so many tries an item is given a command that succeeds.
const WILD_TRIES: u32 = 3;
/// Most tasks launched on one offer.
const LAUNCHES_MAX: u64 = 4;
/// Timers with a token from here on are kills, below they are looks at items out of sight.
const KILL: u64 = 1 << 32;

/// A workload of a number of items; cloning gives another handle to the same one.
#[derive(Clone)]
pub struct Storm(Arc<Mutex<Work>>);

struct Work {
    rng: StdRng,
    items: Vec<Item>,
    /// Which item a task is a try of.
    tasks: BTreeMap<TaskId, usize>,
    /// The tasks whose end was not heard.
    open: BTreeSet<TaskId>,
    need: Resources,
    /// The longest command, in seconds.
    longest: u64,
    patience: Duration,
    wild: bool,
    stop: bool,
}

#[derive(Debug, Default)]
struct Item {
    tries: u32,
    state: State,
    /// Those of its tasks that were heard to have finished.
    finished: BTreeSet<TaskId>,
}

#[derive(Debug, Default, PartialEq)]
enum State {
    #[default]
    Waiting,
    /// Launched, and in sight as far as is known.
    Running(TaskId),
    OutOfSight(TaskId),
    Done,
}

impl Storm {
    /// A workload of `items` that follows from `seed`: commands of all kinds, of up to 20 s, some of
    /// which are killed; offers of all kinds are declined.
    pub fn new(items: usize, seed: u64) -> Storm {
        Storm(Arc::new(Mutex::new(Work {
            rng: StdRng::seed_from_u64(seed),
            items: std::iter::repeat_with(Item::default).take(items).collect(),
            tasks: BTreeMap::new(),
            open: BTreeSet::new(),
            need: Resources::new().cpus(0.5).mem_mib(64),
            longest: 20,
            patience: PATIENCE,
            wild: true,
            stop: false,
        })))
    }

    /// A workload in which every command is `sleep seconds`, no offer is declined that is of use, and
    /// nothing is killed.
    pub fn steady(items: usize, seconds: u64) -> Storm {
        let storm = Storm::new(items, 0);
        let mut work = storm.work();
        (work.wild, work.longest) = (false, seconds);
        drop(work);
        storm
    }

    /// Sets what each task needs: half a processor and 64 MiB otherwise.
    #[must_use]
    pub fn needing(self, need: Resources) -> Storm {
        self.work().need = need;
        self
    }

    /// Has it wait so long for tasks that are out of sight before it launches others in their
    /// place: 45 s otherwise.
    #[must_use]
    pub fn patient(self, patience: Duration) -> Storm {
        self.work().patience = patience;
        self
    }

    /// Has the framework stop when all is done.
    #[must_use]
    pub fn then_stop(self) -> Storm {
        self.work().stop = true;
        self
    }

    /// Makes schedulers of this workload, one for each life of their host.
    pub fn scheduler(&self) -> impl Fn() -> Storm + use<> {
        let storm = self.clone();
        move || storm.clone()
    }

    /// Whether each item is done.
    pub fn is_done(&self) -> bool {
        self.work().is_done()
    }

    /// How many items are done.
    pub fn done(&self) -> usize {
        self.work()
            .items
            .iter()
            .filter(|item| item.state == State::Done)
            .count()
    }

    /// How many tasks finished whose item was done already: they were out of sight when another one
    /// took their place.
    pub fn surplus(&self) -> usize {
        let work = self.work();
        work.items
            .iter()
            .map(|item| item.finished.len().saturating_sub(1))
            .sum()
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Work {
    fn is_done(&self) -> bool {
        self.items.iter().all(|item| item.state == State::Done)
    }

    fn has_waiting(&self) -> bool {
        self.items.iter().any(|item| item.state == State::Waiting)
    }

    fn command(&mut self, tries: u32) -> String {
        let longest = self.longest;
        if !self.wild {
            return format!("sleep {longest}");
        }
        let seconds = self.rng.random_range(0..=longest);
        match self.rng.random_range(0..10) {
            0 if tries < WILD_TRIES => format!("sleep {}; crash", seconds / 4),
            1 if tries < WILD_TRIES => "false".to_owned(),
            2 if tries < WILD_TRIES => format!("sleep {}; exit 3", seconds / 4),
            3 => "true".to_owned(),
            _ => format!("sleep {seconds}"),
        }
    }

    /// Launches what waits on an offer, as much as fits and as it pleases.
    fn use_offer(&mut self, offer: &Offer, calls: &mut Calls) {
        if self.wild && self.rng.random_bool(0.1) {
            let refuse = Duration::from_secs(self.rng.random_range(0..10));
            return calls.decline_for(offer, refuse);
        }
        let mut room = offer.resources.count(&self.need).min(LAUNCHES_MAX as u32);
        let mut tasks = Vec::new();
        for index in 0..self.items.len() {
            if room == 0 {
                break;
            }
            if self.items[index].state != State::Waiting {
                continue;
            }
            room -= 1;
            self.items[index].tries += 1;
            let tries = self.items[index].tries;
            let line = self.command(tries);
            let task_id = TaskId::new(format!("item-{index}-try-{tries}")).expect("a short text");
            self.items[index].state = State::Running(task_id.clone());
            self.tasks.insert(task_id.clone(), index);
            self.open.insert(task_id.clone());
            tasks.push(Task::command(line, &self.need).id(task_id));
            if self.wild && tries < WILD_TRIES && self.rng.random_bool(0.1) {
                let after = Duration::from_millis(self.rng.random_range(0..10_000));
                calls.after(after, KILL + index as u64);
            }
        }
        calls.accept(offer, tasks);
    }

    fn updated(&mut self, update: &TaskUpdate, calls: &mut Calls) {
        let task = &update.task_id;
        if update.state.is_terminal() {
            self.open.remove(task);
        }
        let Some(index) = self.tasks.get(task).copied() else {
            return; // of another instance that did not come to write it down
        };
        let item = &mut self.items[index];
        let ours = matches!(&item.state, State::Running(id) | State::OutOfSight(id) if id == task);
        match update.state {
            TaskState::Finished => {
                item.finished.insert(task.clone());
                if let State::Running(other) | State::OutOfSight(other) = &item.state
                    && other != task
                {
                    calls.kill(other); // it took our place
                }
                item.state = State::Done;
            }
            state if state.is_terminal() && ours => {
                item.state = State::Waiting;
                calls.revive();
            }
            TaskState::Unreachable | TaskState::Unknown if ours => {
                item.state = State::OutOfSight(task.clone());
                calls.after(self.patience, index as u64);
            }
            state if ours && !state.is_terminal() => item.state = State::Running(task.clone()),
            // One that was replaced came into sight again.
            state if !state.is_terminal() => calls.kill(task),
            _ => {}
        }
        self.rest_or_stop(calls);
    }

    fn rest_or_stop(&self, calls: &mut Calls) {
        if self.is_done() && self.stop {
            calls.stop();
        } else if !self.has_waiting() {
            calls.suppress();
        }
    }
}

impl Framework for Storm {
    fn on_subscribed(&mut self, _: Subscribed, calls: &mut Calls) {
        let mut work = self.work();
        for index in 0..work.items.len() {
            if matches!(work.items[index].state, State::OutOfSight(_)) {
                calls.after(work.patience, index as u64); // the timers of the last instance are gone
            }
        }
        if !work.open.is_empty() {
            calls.reconcile(work.open.iter().cloned()); // also those that were replaced
        }
        if work.has_waiting() {
            calls.revive();
        }
        let work = &mut *work;
        work.rest_or_stop(calls);
    }

    fn on_offers(&mut self, offers: Vec<Offer>, calls: &mut Calls) {
        let mut work = self.work();
        for offer in offers {
            work.use_offer(&offer, calls);
        }
        work.rest_or_stop(calls);
    }

    fn on_update(&mut self, update: TaskUpdate, calls: &mut Calls) {
        self.work().updated(&update, calls);
    }

    fn on_timer(&mut self, token: u64, calls: &mut Calls) {
        let mut work = self.work();
        let index = (token % KILL) as usize;
        let item = &mut work.items[index];
        match &item.state {
            State::Running(task) if token >= KILL => calls.kill(task),
            State::OutOfSight(task) if token < KILL => {
                calls.kill(task);
                item.state = State::Waiting;
                calls.revive();
            }
            State::Waiting | State::Running(_) | State::OutOfSight(_) | State::Done => {}
        }
    }
}
