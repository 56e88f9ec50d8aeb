//! A framework in the test itself, whose news the test waits for.

use std::collections::BTreeMap;
use std::time::Duration;

use sdk::prelude::*;
use tokio::sync::mpsc;

use super::cluster::Cluster;
use super::place::Place;
use super::processes;
use super::retrying::{RUN, TASK};

/// A framework in the test itself, that launches so many tasks and remembers what it hears.
pub(crate) struct Watching {
    script: &'static str,
    marker: String,
    left: usize,
    heard: mpsc::UnboundedSender<TaskUpdate>,
}

impl Framework for Watching {
    fn on_offers(&mut self, offers: Vec<Offer>, calls: &mut Calls) {
        let need = Resources::new().cpus(0.01).mem_mib(1);
        for offer in offers {
            let count = (offer.resources.count(&need) as usize).min(self.left);
            let task = |number: usize| {
                let id = format!("t{}-{}", self.left - number, self.marker);
                Task::command(self.script, &need)
                    .id(TaskId::new(id.clone()).unwrap())
                    .env(RUN, &self.marker)
                    .env(TASK, id)
            };
            let tasks: Vec<_> = (0..count).map(task).collect();
            self.left -= count;
            calls.accept(&offer, tasks);
        }
    }

    fn on_update(&mut self, update: TaskUpdate, _: &mut Calls) {
        let _ = self.heard.send(update);
    }
}

/// Starts one in the node of the test.
pub(crate) fn watch(
    place: &Place,
    cluster: &Cluster,
    script: &'static str,
    tasks: usize,
) -> (sdk::Handle<Watching>, mpsc::UnboundedReceiver<TaskUpdate>) {
    let (heard, updates) = mpsc::unbounded_channel();
    let framework = Watching {
        script,
        marker: place.marker.clone(),
        left: tasks,
        heard,
    };
    let info = FrameworkInfo::new("watching");
    let handle = sdk::start(&cluster.node, cluster.master_pid(), framework, info).unwrap();
    (handle, updates)
}

/// Waits until so many tasks are in a state, and panics when one gets into another that is none
/// of `passing`.
pub(crate) async fn await_all(
    updates: &mut mpsc::UnboundedReceiver<TaskUpdate>,
    tasks: usize,
    state: TaskState,
    passing: &[TaskState],
) -> BTreeMap<TaskId, TaskUpdate> {
    let mut there = BTreeMap::new();
    while there.len() < tasks {
        let update = tokio::time::timeout(Duration::from_secs(40), updates.recv()).await;
        let missing = || format!("only {} of {tasks} became {state}", there.len());
        let update = update.unwrap_or_else(|_| panic!("{}", missing())).unwrap();
        if update.state == state {
            there.insert(update.task_id.clone(), update);
        } else {
            assert!(passing.contains(&update.state), "{update:?}; {}", missing());
        }
    }
    there
}

/// The first process of each task, by the task's id.
pub(crate) fn task_processes(place: &Place) -> BTreeMap<String, i32> {
    let marked = processes::with_variable(RUN, &place.marker)
        .into_iter()
        .rev();
    marked
        .filter_map(|pid| Some((processes::variable(pid, TASK)?, pid)))
        .collect()
}
