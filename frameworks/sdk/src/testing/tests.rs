//! What is true of any framework that stores what it must remember, whatever fails.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use types::Resources;

use super::*;
use crate::{Calls, Framework, Kept, Task};

/// Runs so many commands to success, each once, and remembers which.
#[derive(Default)]
struct Errands(BTreeMap<u32, Errand>);

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Errand {
    Waits { tries: u32 },
    Runs { tries: u32 },
    Done { tries: u32 },
}

impl Errands {
    fn set(&mut self, number: u32, errand: Errand, calls: &mut Calls) {
        self.0.insert(number, errand);
        calls.store(format!("errand/{number}"), &errand);
    }

    fn is_done(&self) -> bool {
        !self.0.is_empty() && self.0.values().all(|e| matches!(e, Errand::Done { .. }))
    }
}

fn task_id(number: u32, tries: u32) -> TaskId {
    TaskId::new(format!("{number}-{tries}")).unwrap()
}

impl Framework for Errands {
    fn on_restored(&mut self, mut kept: Kept, _: &mut Calls) -> Result<(), state::Error> {
        for (name, errand) in kept.take_all("errand/")? {
            self.0
                .insert(name["errand/".len()..].parse().unwrap(), errand);
        }
        Ok(())
    }

    fn on_subscribed(&mut self, _: Subscribed, calls: &mut Calls) {
        let running = self.0.iter().filter_map(|(number, errand)| match errand {
            Errand::Runs { tries } => Some(task_id(*number, *tries)),
            Errand::Waits { .. } | Errand::Done { .. } => None,
        });
        let running: Vec<_> = running.collect();
        if !running.is_empty() {
            calls.reconcile(running);
        }
    }

    fn demand(&self) -> Option<u64> {
        Some(
            self.0
                .values()
                .filter(|e| matches!(e, Errand::Waits { .. }))
                .count() as u64,
        )
    }

    fn on_offers(&mut self, offers: Vec<Offer>, calls: &mut Calls) {
        let need = Resources::new().cpus(1.0);
        for offer in offers {
            let room = offer.resources.count(&need) as usize;
            let waiting = self.0.iter().filter_map(|(number, errand)| match errand {
                Errand::Waits { tries } => Some((*number, *tries)),
                Errand::Runs { .. } | Errand::Done { .. } => None,
            });
            let waiting: Vec<_> = waiting.take(room).collect();
            for (number, tries) in &waiting {
                self.set(*number, Errand::Runs { tries: *tries }, calls);
            }
            let task = |(number, tries)| Task::command("any", &need).id(task_id(number, tries));
            calls.accept(&offer, waiting.into_iter().map(task));
        }
    }

    fn on_update(&mut self, update: TaskUpdate, calls: &mut Calls) {
        let (number, tries) = update.task_id.as_str().split_once('-').unwrap();
        let (number, tries) = (number.parse().unwrap(), tries.parse().unwrap());
        if self.0.get(&number) != Some(&Errand::Runs { tries }) {
            return; // it was told before
        }
        match update.state {
            TaskState::Finished => self.set(number, Errand::Done { tries }, calls),
            state if state.is_terminal() => {
                self.set(number, Errand::Waits { tries: tries + 1 }, calls);
            }
            _ => {}
        }
    }
}

fn stage(seed: u64) -> Stage<Errands> {
    use rand::Rng as _;
    let room = || Resources::new().cpus(4.0);
    let stage = Stage::new(seed, Errands::default).script(|_, rng| Played {
        after: Duration::from_millis(rng.random_range(0..20_000)),
        end: match rng.random_range(0..5) {
            0 => TaskState::Failed,
            _ => TaskState::Finished,
        },
    });
    stage
        .agent("a", room())
        .agent("b", room())
        .agent("c", room())
}

#[test]
fn every_errand_is_done_once_whatever_crashes() {
    for seed in 0..200 {
        let mut stage = stage(seed).crashing(0.05);
        for number in 0..20 {
            while !stage.framework().0.contains_key(&number) {
                stage
                    .visit(|errands, calls| errands.set(number, Errand::Waits { tries: 0 }, calls));
            }
        }
        stage.run(Duration::from_secs(5));
        stage.lose_agent("b");
        stage.run(Duration::from_secs(5));
        stage.lose_master();
        let done = stage.until(Duration::from_secs(3_600), Errands::is_done);
        assert!(done, "seed {seed}: {:?}", stage.framework().0);
        assert!(stage.crashes() > 0);
        let mut finished = BTreeMap::new();
        for (id, actual) in stage.tasks() {
            if actual.state == TaskState::Finished {
                let (number, _) = id.as_str().split_once('-').unwrap();
                *finished.entry(number.to_owned()).or_insert(0) += 1;
            }
        }
        assert_eq!(finished.len(), 20, "seed {seed}");
        assert!(
            finished.values().all(|times| *times == 1),
            "seed {seed}: {finished:?}"
        );
    }
}

#[test]
fn the_same_seed_plays_the_same() {
    let play = |seed| {
        let mut stage = stage(seed).crashing(0.1);
        for number in 0..5 {
            stage.visit(|errands, calls| errands.set(number, Errand::Waits { tries: 0 }, calls));
        }
        stage.run(Duration::from_secs(600));
        let tasks = stage.tasks().values();
        let story: Vec<_> = tasks
            .map(|a| (a.task.task_id.clone(), a.launched_ms, a.state))
            .collect();
        (story, stage.crashes())
    };
    assert_eq!(play(7), play(7));
    assert_ne!(play(7), play(8));
}

#[test]
fn nobody_is_offered_anything_while_there_is_no_demand() {
    let mut stage = stage(1);
    stage.run(Duration::from_secs(10));
    assert!(stage.tasks().is_empty());
    stage.visit(|errands, calls| errands.set(0, Errand::Waits { tries: 0 }, calls));
    assert!(stage.until(Duration::from_secs(600), Errands::is_done));
}
