//! What a queue costs by how much waits in it: the pure queue, without a cluster or a disk.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use jobs::queue::{Limits, Queue};
use jobs::spec::{Command, Spec};
use jobs::view::Query;
use sdk::testing::{offer, update};
use sdk::{Calls, Framework as _};
use serde::Serialize;
use types::{Resources, TaskState};

use crate::measure::reading::median;

/// How many operations of a kind are measured at each length, in so many parts.
const SAMPLE: u64 = 1_000;
const PARTS: u64 = 10;

/// What one operation costs at a length, in microseconds: medians of ten parts.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Costs {
    waiting: u64,
    submit_us: f64,
    list_us: f64,
    launch_us: f64,
    end_us: f64,
    /// Resident memory that the queue has grown by, for each job that waits.
    bytes_each: u64,
}

pub(super) fn measure(longest: u64) -> anyhow::Result<Vec<Costs>> {
    let lengths = [1_000, 10_000, 100_000, 1_000_000];
    let lengths = lengths.into_iter().filter(|length| *length <= longest);
    lengths.map(at).collect()
}

fn at(waiting: u64) -> anyhow::Result<Costs> {
    let before = resident()?;
    let (mut queue, mut calls) = (Queue::new(Limits::default()), Calls::default());
    for number in 0..waiting {
        queue.submit(vec![job(number)], &mut calls)?;
        calls.take();
    }
    let bytes_each = resident()?.saturating_sub(before) / waiting;
    let mut costs = Costs {
        waiting,
        submit_us: 0.0,
        list_us: 0.0,
        launch_us: 0.0,
        end_us: 0.0,
        bytes_each,
    };
    let (mut submits, mut lists, mut launches, mut ends) = (vec![], vec![], vec![], vec![]);
    for part in 0..PARTS {
        let count = SAMPLE / PARTS;
        let began = Instant::now();
        for number in 0..count {
            queue.submit(vec![job(waiting + part * count + number)], &mut calls)?;
            calls.take();
        }
        submits.push(micros(began.elapsed(), count));

        let query = Query::default();
        let began = Instant::now();
        for _ in 0..10 {
            std::hint::black_box(queue.list(&query));
        }
        lists.push(micros(began.elapsed(), 10));

        let room = Resources::new().cpus(count as f64).mem_mib(count * 32);
        let began = Instant::now();
        queue.on_offers(vec![offer("agent", room)], &mut calls);
        launches.push(micros(began.elapsed(), count));
        let called = calls.take();
        let tasks: Vec<_> = called.iter().flat_map(|call| call.tasks()).collect();
        anyhow::ensure!(tasks.len() as u64 == count, "{} were launched", tasks.len());

        let began = Instant::now();
        for task in tasks {
            queue.on_update(update(&task.task_id, TaskState::Running), &mut calls);
            queue.on_update(update(&task.task_id, TaskState::Finished), &mut calls);
            calls.take();
        }
        ends.push(micros(began.elapsed(), count));
    }
    costs.submit_us = median(submits);
    costs.list_us = median(lists);
    costs.launch_us = median(launches);
    costs.end_us = median(ends);
    Ok(costs)
}

/// Jobs of ten users, five priorities and four sizes.
fn job(number: u64) -> Spec {
    Spec {
        user: format!("user-{}", number % 10),
        priority: (number % 5) as i8,
        need: Resources::new()
            .cpus(0.25 * (1 + number % 4) as f64)
            .mem_mib(32),
        ..Spec::new(Command::Shell(format!("crunch part-{number}")))
    }
}

fn micros(elapsed: Duration, count: u64) -> f64 {
    elapsed.as_secs_f64() * 1e6 / count as f64
}

/// The resident memory of this process, in bytes.
fn resident() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib.context("a resident size")?.parse::<u64>()? * 1024)
}

impl fmt::Display for Costs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = |us: f64| format!("{us:.1} us");
        write!(
            f,
            "{:>10} {:>14} {:>14} {:>14} {:>14} {:>12}",
            self.waiting,
            us(self.submit_us),
            us(self.list_us),
            us(self.launch_us),
            us(self.end_us),
            self.bytes_each
        )
    }
}
