//! What must hold of streams of updates, by example and by property.

use proptest::prelude::*;
use types::{Source, TaskId};

use super::*;

fn of(task: &str) -> TaskOf {
    let framework_id = FrameworkId::new("f").unwrap();
    TaskOf {
        framework_id,
        task_id: TaskId::new(task).unwrap(),
    }
}

fn status(task: &str, state: TaskState) -> TaskStatus {
    TaskStatus::new(TaskId::new(task).unwrap(), state, Source::Executor, 1)
        .acknowledged_as(UpdateId::random())
}

fn forward(status: &TaskStatus, latest: TaskState) -> Forward {
    let framework_id = FrameworkId::new("f").unwrap();
    Forward {
        framework_id,
        status: status.clone(),
        latest,
    }
}

fn resumed() -> StatusUpdates {
    let mut updates = StatusUpdates::default();
    assert_eq!(updates.resume(0), []);
    updates
}

#[test]
fn updates_go_one_at_a_time_and_in_order() {
    let (running, finished) = (
        status("t", TaskState::Running),
        status("t", TaskState::Finished),
    );
    let mut updates = resumed();
    let sent = updates.update(&of("t"), running.clone(), 5);
    assert_eq!(
        sent,
        (Taken::Fresh, Some(forward(&running, TaskState::Running)))
    );
    assert_eq!(
        updates.update(&of("t"), finished.clone(), 6),
        (Taken::Fresh, None)
    );
    assert_eq!(updates.front(&of("t")), Some(&running));
    let next = Some(forward(&finished, TaskState::Finished));
    let acknowledged = updates.acknowledge(&of("t"), running.update_id.unwrap(), 7);
    assert_eq!(acknowledged, Some(Acknowledged { ended: false, next }));
    let acknowledged = updates.acknowledge(&of("t"), finished.update_id.unwrap(), 8);
    assert_eq!(
        acknowledged,
        Some(Acknowledged {
            ended: true,
            next: None
        })
    );
    assert!(!updates.has(&of("t")));
    assert_eq!(updates.next_due_ms(), None);
}

#[test]
fn an_update_is_sent_again_with_doubling_pauses_up_to_ten_minutes() {
    let running = status("t", TaskState::Running);
    let mut updates = resumed();
    updates.update(&of("t"), running.clone(), 0);
    let finished = status("t", TaskState::Finished);
    updates.update(&of("t"), finished, 0);
    let mut pauses = Vec::new();
    let mut now_ms = 0;
    for _ in 0..9 {
        let due_ms = updates.next_due_ms().unwrap();
        assert_eq!(updates.due(due_ms - 1), []);
        assert_eq!(
            updates.due(due_ms),
            [forward(&running, TaskState::Finished)]
        );
        pauses.push((due_ms - now_ms) / 1_000);
        now_ms = due_ms;
    }
    assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 600, 600, 600]);
}

#[test]
fn what_is_told_twice_or_after_the_end_is_not_sent() {
    let (running, failed) = (
        status("t", TaskState::Running),
        status("t", TaskState::Failed),
    );
    let mut updates = resumed();
    updates.update(&of("t"), running.clone(), 0);
    assert!(updates.is_known(&of("t"), running.update_id.unwrap()));
    assert_eq!(
        updates.update(&of("t"), running.clone(), 0),
        (Taken::Duplicate, None)
    );
    updates.update(&of("t"), failed.clone(), 0);
    assert_eq!(
        updates.update(&of("t"), failed, 0),
        (Taken::Duplicate, None)
    );
    let late = status("t", TaskState::Finished);
    assert_eq!(updates.update(&of("t"), late, 0), (Taken::AfterEnd, None));
}

#[test]
fn an_acknowledgement_of_anything_but_the_update_sent_changes_nothing() {
    let (running, failed) = (
        status("t", TaskState::Running),
        status("t", TaskState::Failed),
    );
    let mut updates = resumed();
    updates.update(&of("t"), running.clone(), 0);
    updates.update(&of("t"), failed.clone(), 0);
    assert_eq!(
        updates.acknowledge(&of("t"), failed.update_id.unwrap(), 1),
        None
    );
    assert_eq!(
        updates.acknowledge(&of("u"), running.update_id.unwrap(), 1),
        None
    );
    assert!(
        updates
            .acknowledge(&of("t"), running.update_id.unwrap(), 1)
            .is_some()
    );
    assert_eq!(
        updates.acknowledge(&of("t"), running.update_id.unwrap(), 1),
        None
    );
}

#[test]
fn nothing_is_sent_without_a_master_and_everything_when_there_is_one_again() {
    let (running, failed) = (
        status("t", TaskState::Running),
        status("u", TaskState::Failed),
    );
    let mut updates = resumed();
    updates.update(&of("t"), running.clone(), 0);
    updates.pause();
    assert_eq!(
        updates.update(&of("u"), failed.clone(), 0),
        (Taken::Fresh, None)
    );
    assert_eq!(updates.next_due_ms(), None);
    assert_eq!(updates.due(u64::MAX), []);
    let both = [
        forward(&running, TaskState::Running),
        forward(&failed, TaskState::Failed),
    ];
    assert_eq!(updates.resume(9), both);
    assert_eq!(updates.next_due_ms(), Some(9 + RETRY_MIN_MS));
}

#[test]
fn a_flood_is_refused_but_for_the_end() {
    let mut updates = resumed();
    for _ in 0..PENDING_MAX {
        let (taken, _) = updates.update(&of("t"), status("t", TaskState::Running), 0);
        assert_eq!(taken, Taken::Fresh);
    }
    let more = status("t", TaskState::Running);
    assert_eq!(updates.update(&of("t"), more, 0), (Taken::Full, None));
    assert_eq!(
        updates.update(&of("t"), status("t", TaskState::Failed), 0),
        (Taken::Fresh, None)
    );
}

#[test]
fn a_framework_that_is_gone_is_forgotten() {
    let mut updates = resumed();
    updates.update(&of("t"), status("t", TaskState::Running), 0);
    updates.forget_framework(&FrameworkId::new("f").unwrap());
    assert!(!updates.has(&of("t")));
    assert_eq!(updates.next_due_ms(), None);
}

/// Something that happens to a set of streams.
#[derive(Debug, Clone)]
enum Event {
    Update {
        task: u8,
        terminal: bool,
    },
    /// Told again: one of those told before.
    Repeat {
        pick: usize,
    },
    /// Acknowledges one of those sent, whether or not it is the latest.
    Acknowledge {
        pick: usize,
    },
    Pause,
    Resume,
    Wait {
        ms: u64,
    },
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        4 => (0..3u8, prop::bool::weighted(0.2))
            .prop_map(|(task, terminal)| Event::Update { task, terminal }),
        1 => any::<usize>().prop_map(|pick| Event::Repeat { pick }),
        4 => any::<usize>().prop_map(|pick| Event::Acknowledge { pick }),
        1 => Just(Event::Pause),
        1 => Just(Event::Resume),
        2 => (0..30_000u64).prop_map(|ms| Event::Wait { ms }),
    ];
    prop::collection::vec(event, 0..80)
}

/// A framework that notes the order in which it sees updates for the first time.
#[derive(Default)]
struct Model {
    told: Vec<(TaskOf, TaskStatus)>,
    taken: Vec<(TaskOf, UpdateId)>,
    sent: Vec<(TaskOf, UpdateId)>,
    seen: Vec<(TaskOf, UpdateId)>,
}

impl Model {
    fn sent(&mut self, forwards: impl IntoIterator<Item = Forward>) {
        for Forward {
            framework_id,
            status,
            ..
        } in forwards
        {
            let of = TaskOf {
                framework_id,
                task_id: status.task_id,
            };
            let sent = (of, status.update_id.unwrap());
            if !self.seen.contains(&sent) {
                self.seen.push(sent.clone());
            }
            self.sent.push(sent);
        }
    }

    fn of(list: &[(TaskOf, UpdateId)], of: &TaskOf) -> Vec<UpdateId> {
        list.iter()
            .filter(|(other, _)| other == of)
            .map(|(_, id)| *id)
            .collect()
    }
}

fn run(events: Vec<Event>) -> Model {
    let (mut updates, mut model, mut now_ms) = (StatusUpdates::default(), Model::default(), 0);
    for event in events {
        match event {
            Event::Update { task, terminal } => {
                let state = [TaskState::Running, TaskState::Finished][usize::from(terminal)];
                let task = task.to_string();
                let status = status(&task, state);
                model.told.push((of(&task), status.clone()));
                let id = status.update_id.unwrap();
                let (taken, forward) = updates.update(&of(&task), status, now_ms);
                if taken == Taken::Fresh {
                    model.taken.push((of(&task), id));
                }
                model.sent(forward);
            }
            Event::Repeat { pick } if !model.told.is_empty() => {
                let (of, status) = model.told[pick % model.told.len()].clone();
                let id = status.update_id.unwrap();
                // What is told after its whole stream was acknowledged is news of a new one.
                if updates.is_known(&of, id) {
                    assert_eq!(
                        updates.update(&of, status, now_ms),
                        (Taken::Duplicate, None)
                    );
                }
            }
            Event::Acknowledge { pick } if !model.sent.is_empty() => {
                let (of, id) = model.sent[pick % model.sent.len()].clone();
                let acknowledged = updates.acknowledge(&of, id, now_ms);
                model.sent(acknowledged.and_then(|acknowledged| acknowledged.next));
            }
            Event::Pause => updates.pause(),
            Event::Resume => model.sent(updates.resume(now_ms)),
            Event::Wait { ms } => {
                now_ms += ms;
                model.sent(updates.due(now_ms));
            }
            Event::Repeat { .. } | Event::Acknowledge { .. } => {}
        }
    }
    // In the end the master is there, and the framework acknowledges what it gets.
    model.sent(updates.resume(now_ms));
    for task in ["0", "1", "2"] {
        while let Some(front) = updates.front(&of(task)).cloned() {
            let acknowledged = updates.acknowledge(&of(task), front.update_id.unwrap(), now_ms);
            model.sent(acknowledged.unwrap().next);
        }
    }
    assert_eq!(updates.next_due_ms(), None);
    model
}

proptest! {
    #[test]
    fn a_framework_sees_every_update_that_was_taken_once_and_in_order(events in events()) {
        let model = run(events);
        for task in ["0", "1", "2"] {
            let taken = Model::of(&model.taken, &of(task));
            prop_assert_eq!(Model::of(&model.seen, &of(task)), taken);
        }
    }
}
