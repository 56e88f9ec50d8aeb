//! A framework that launches `true` as fast as it can, or one at a time with a stopwatch.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{anyhow, ensure};
use sdk::prelude::*;

/// Tasks under way at once when the rate is measured.
const IN_FLIGHT: u32 = 200;

/// What a storm has measured, shared with whoever started it.
#[derive(Default)]
struct Measured {
    running: Vec<Duration>,
    finished: u32,
    elapsed: Duration,
    failed: Option<String>,
}

struct Storm {
    left: u32,
    in_flight_max: u32,
    accepted: BTreeMap<TaskId, Instant>,
    began: Option<Instant>,
    measured: Arc<Mutex<Measured>>,
}

impl Framework for Storm {
    fn on_offers(&mut self, offers: Vec<Offer>, calls: &mut Calls) {
        let now = Instant::now();
        self.began.get_or_insert(now);
        let need = Resources::new().cpus(0.1).mem_mib(32);
        for offer in offers {
            let room = self.in_flight_max - self.accepted.len() as u32;
            let count = offer.resources.count(&need).min(self.left).min(room);
            self.left -= count;
            let task = || Task::new(&need).argv(["true"]);
            let filters = Filters {
                refuse: Duration::ZERO,
            };
            let ids = calls.accept_with_filters(&offer, (0..count).map(|_| task()), filters);
            self.accepted.extend(ids.into_iter().map(|id| (id, now)));
        }
        if self.accepted.len() as u32 == self.in_flight_max || self.left == 0 {
            calls.suppress();
        }
    }

    fn on_update(&mut self, update: TaskUpdate, calls: &mut Calls) {
        let mut measured = self.measured.lock().expect("no holder panics");
        match update.state {
            TaskState::Running => {
                if let Some(accepted) = self.accepted.get(&update.task_id) {
                    measured.running.push(accepted.elapsed());
                }
                return;
            }
            TaskState::Finished => measured.finished += 1,
            state if state.is_terminal() => {
                measured.failed = Some(format!("a task was {state}: {:?}", update.message));
                calls.stop();
            }
            _ => return,
        }
        self.accepted.remove(&update.task_id);
        if self.left == 0 && self.accepted.is_empty() {
            measured.elapsed = self.began.map(|began| began.elapsed()).unwrap_or_default();
            calls.stop();
        } else if self.left > 0 && self.accepted.len() as u32 == self.in_flight_max / 2 {
            calls.revive();
        }
    }
}

/// Runs `count` tasks, at most `in_flight_max` at once.
fn run(master: &str, count: u32, in_flight_max: u32) -> anyhow::Result<Measured> {
    let measured = Arc::new(Mutex::new(Measured::default()));
    let (accepted, began) = (BTreeMap::new(), None);
    let storm = Storm {
        left: count,
        in_flight_max,
        accepted,
        began,
        measured: measured.clone(),
    };
    let options = sdk::Options::from_env().master(master);
    sdk::run_with(storm, FrameworkInfo::new("storm"), options).map_err(|error| anyhow!(error))?;
    let measured = std::mem::take(&mut *measured.lock().map_err(|_| anyhow!("it panicked"))?);
    if let Some(failed) = measured.failed {
        return Err(anyhow!(failed));
    }
    ensure!(
        measured.finished == count,
        "{} of {count} tasks finished",
        measured.finished
    );
    Ok(measured)
}

/// From sending an accept to hearing that the task runs, for `count` tasks one at a time.
pub(super) fn one_by_one(master: &str, count: u32) -> anyhow::Result<Vec<Duration>> {
    Ok(run(master, count, 1)?.running)
}

/// How many tasks a second end, from the first offer to the last end.
pub(super) fn tasks_per_second(master: &str, count: u32) -> anyhow::Result<f64> {
    Ok(f64::from(count)
        / run(master, count, IN_FLIGHT.min(count))?
            .elapsed
            .as_secs_f64())
}
