//! Frameworks that keep what must survive: crashes take nothing of it.

use std::collections::BTreeMap;
use std::time::Duration;

use cluster::{Cluster, Scheduler, Shape, seeds, simulate};
use sdk::prelude::*;
use serde::{Deserialize, Serialize};
use state::{MemoryStorage, State};

const MINUTE: Duration = Duration::from_secs(60);

/// Runs each command to success, once, as `docs/FRAMEWORKS.md` has it.
#[derive(Default)]
struct Errands(BTreeMap<u32, Errand>);

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Errand {
    tries: u32,
    at: At,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum At {
    Waits,
    Runs,
    Done,
}

impl Errands {
    fn add(&mut self, number: u32, calls: &mut Calls) {
        let errand = Errand {
            tries: 0,
            at: At::Waits,
        };
        calls.store(number.to_string(), &errand);
        self.0.insert(number, errand);
    }

    fn done(&self) -> usize {
        self.0
            .values()
            .filter(|errand| errand.at == At::Done)
            .count()
    }
}

fn task_id(number: u32, tries: u32) -> TaskId {
    TaskId::new(format!("{number}.{tries}")).unwrap()
}

impl Framework for Errands {
    fn on_restored(&mut self, mut kept: Kept, _: &mut Calls) -> Result<(), state::Error> {
        for (name, errand) in kept.take_all("")? {
            self.0.insert(name.parse().unwrap(), errand);
        }
        Ok(())
    }

    fn on_subscribed(&mut self, _: Subscribed, calls: &mut Calls) {
        let runs = self.0.iter().filter(|(_, errand)| errand.at == At::Runs);
        let ids: Vec<_> = runs
            .map(|(number, errand)| task_id(*number, errand.tries))
            .collect();
        if !ids.is_empty() {
            calls.reconcile(ids);
        }
    }

    fn demand(&self) -> Option<u64> {
        Some(
            self.0
                .values()
                .filter(|errand| errand.at == At::Waits)
                .count() as u64,
        )
    }

    fn on_offers(&mut self, offers: Vec<Offer>, calls: &mut Calls) {
        let need = Resources::new().cpus(1.0).mem_mib(64);
        for offer in offers {
            let room = offer.resources.count(&need) as usize;
            let waiting = self
                .0
                .iter_mut()
                .filter(|(_, errand)| errand.at == At::Waits);
            let mut tasks = Vec::new();
            for (number, errand) in waiting.take(room) {
                errand.at = At::Runs;
                calls.store(number.to_string(), errand);
                let seconds = 1 + number % 7;
                let task = Task::command(format!("sleep {seconds}"), &need);
                tasks.push(task.id(task_id(*number, errand.tries)));
            }
            calls.accept(&offer, tasks);
        }
    }

    fn on_update(&mut self, update: TaskUpdate, calls: &mut Calls) {
        let (number, tries) = update.task_id.as_str().split_once('.').unwrap();
        let Some(errand) = self.0.get_mut(&number.parse().unwrap()) else {
            return;
        };
        if errand.at != At::Runs || errand.tries.to_string() != tries {
            return;
        }
        match update.state {
            TaskState::Finished => errand.at = At::Done,
            TaskState::Staging | TaskState::Starting | TaskState::Running | TaskState::Killing => {
                return;
            }
            _ => {
                calls.kill(&update.task_id); // if it was only out of sight
                errand.at = At::Waits;
                errand.tries += 1;
            }
        }
        calls.store(number, errand);
    }
}

async fn done(errands: &Scheduler<Errands>) -> usize {
    errands.ask(|errands, _| errands.done()).await.unwrap_or(0)
}

/// Adds errands until it is told that they are kept.
async fn add(cluster: &Cluster, errands: &Scheduler<Errands>, count: u32) {
    for number in 0..count {
        while errands
            .ask(move |errands, calls| errands.add(number, calls))
            .await
            .is_none()
        {
            cluster.sleep(Duration::from_millis(100)).await;
        }
    }
}

async fn all_done(cluster: &Cluster, errands: &Scheduler<Errands>, count: usize) {
    for _ in 0..600 {
        if done(errands).await == count {
            return;
        }
        cluster.sleep(Duration::from_secs(1)).await;
    }
    panic!("{} of {count} are done", done(errands).await);
}

#[test]
fn a_framework_that_crashes_again_and_again_goes_on_where_it_was() {
    for seed in seeds(3) {
        simulate(seed, Shape::default(), async |cluster| {
            let state = State::new(MemoryStorage::default());
            let info = FrameworkInfo::new("errands");
            let errands = cluster.start_kept("errands", info, Some(state), Errands::default);
            add(&cluster, &errands, 60).await;
            for round in 0..6 {
                cluster
                    .sleep(Duration::from_millis(700 + 300 * round))
                    .await;
                cluster.crash("errands").await;
                cluster.sleep(Duration::from_millis(200)).await;
                cluster.restart("errands").await;
            }
            all_done(&cluster, &errands, 60).await;
            cluster.settle().await;
            cluster.tape("errands", |tape| {
                assert_eq!(tape.subscriptions(), 7);
                assert_eq!(tape.count(TaskState::Finished), 60, "each once");
                assert_eq!(tape.tasks().len(), 60, "none was launched again");
            });
        });
    }
}

#[test]
fn losing_master_and_agent_loses_no_errand() {
    for seed in seeds(3) {
        simulate(seed, Shape::default(), async |cluster| {
            let state = State::new(MemoryStorage::default());
            let info = FrameworkInfo::new("errands");
            let errands = cluster.start_kept("errands", info, Some(state), Errands::default);
            add(&cluster, &errands, 40).await;
            cluster.sleep(Duration::from_secs(2)).await;
            cluster.crash("master").await;
            cluster.sleep(Duration::from_secs(3)).await;
            cluster.crash("errands").await;
            cluster.restart("master").await;
            cluster.crash("agent-2").await;
            cluster.sleep(Duration::from_secs(1)).await;
            cluster.settle().await;
            all_done(&cluster, &errands, 40).await;
        });
    }
}

#[test]
fn of_two_that_keep_the_same_the_later_one_goes_on_and_the_other_ends() {
    simulate(1, Shape::default(), async |cluster| {
        let state = State::new(MemoryStorage::default());
        let info = || FrameworkInfo::new("errands");
        let first = cluster.start_kept("first", info(), Some(state.clone()), Errands::default);
        add(&cluster, &first, 10).await;
        let second = cluster.start_kept("second", info(), Some(state), Errands::default);
        all_done(&cluster, &second, 10).await;
        // The first one tries to store, at the latest when it is asked to.
        let stored = first.ask(|errands, calls| errands.add(99, calls)).await;
        assert_eq!(stored, None, "it is told that nothing is kept");
        cluster
            .eventually("the first one ends", MINUTE, || cluster.is_retired("first"))
            .await;
        assert_eq!(done(&second).await, 10);
    });
}
