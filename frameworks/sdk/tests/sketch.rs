//! The framework that the documentation begins with, and its test without a cluster.

use sdk::prelude::*;

struct Sleepers {
    left: u32,
    running: u32,
}

impl Framework for Sleepers {
    fn on_offers(&mut self, offers: Vec<Offer>, calls: &mut Calls) {
        let need = Resources::new().cpus(0.1).mem_mib(32);
        for offer in offers {
            let count = offer.resources.count(&need).min(self.left);
            self.left -= count;
            self.running += count;
            calls.accept(&offer, (0..count).map(|_| Task::command("sleep 60", &need)));
        }
    }

    fn on_update(&mut self, update: TaskUpdate, calls: &mut Calls) {
        match update.state {
            TaskState::Failed | TaskState::Lost => {
                self.left += 1;
                self.running -= 1;
            }
            TaskState::Finished => self.running -= 1,
            _ => return,
        }
        if self.left + self.running == 0 {
            calls.stop();
        }
    }
}

#[test]
fn offers_are_filled_and_the_rest_is_declined() {
    let (mut framework, mut calls) = (
        Sleepers {
            left: 3,
            running: 0,
        },
        Calls::default(),
    );
    let room = || Resources::new().cpus(0.2).mem_mib(1024);
    let offers = (1..=3)
        .map(|n| sdk::testing::offer(&format!("agent-{n}"), room()))
        .collect();
    framework.on_offers(offers, &mut calls);
    let called = calls.take();
    let launched: Vec<_> = called.iter().map(|call| call.tasks().count()).collect();
    assert_eq!(launched, [2, 1, 0]);
    assert!(matches!(
        called[..],
        [
            Call::Accept { .. },
            Call::Accept { .. },
            Call::Decline { .. }
        ]
    ));
}

#[test]
fn a_failed_sleep_is_slept_again_and_the_last_one_ends_it() {
    let (mut framework, mut calls) = (
        Sleepers {
            left: 0,
            running: 1,
        },
        Calls::default(),
    );
    let task_id = TaskId::new("t").expect("a plain word");
    framework.on_update(
        sdk::testing::update(&task_id, TaskState::Failed),
        &mut calls,
    );
    assert_eq!((framework.left, calls.take()), (1, vec![]));
    framework.left = 0;
    framework.running = 1;
    framework.on_update(
        sdk::testing::update(&task_id, TaskState::Finished),
        &mut calls,
    );
    assert_eq!(calls.take(), [Call::Stop(Stop::Done(ExitCode::SUCCESS))]);
}
