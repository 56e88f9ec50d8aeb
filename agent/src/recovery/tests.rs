//! What must hold of a recovery, whatever was left and whatever survives.

use std::collections::BTreeMap;

use api::agent::TaskOf;
use proptest::prelude::*;
use types::{FrameworkId, Source, TaskId, TaskStatus, UpdateId};

use super::*;
use crate::books::tests::{apply, check, event, write_down};
use crate::checkpoints::Records;
use crate::status_updates::Taken;

fn total() -> Resources {
    Resources::new().cpus(4.0).mem_mib(100)
}

proptest! {
    #[test]
    fn each_container_is_awaited_told_to_end_or_gone_and_a_stranger_is_nobodys(
        events in prop::collection::vec(event(), 0..60),
        alive in prop::collection::vec(any::<bool>(), 60),
        restarted in any::<bool>(),
    ) {
        let (mut books, mut records) = (Books::new(total()), Records::new());
        for (number, event) in events.into_iter().enumerate() {
            apply(&mut books, number, event);
            write_down(&mut books, &mut records);
        }
        let containers = books.containers();
        let alive = containers.iter().zip(alive).filter(|(_, alive)| *alive && !restarted);
        let mut survivors: Survivors = alive.map(|(id, _)| (id.to_string(), 7)).collect();
        survivors.insert("stranger".to_owned(), 8);
        let machine = if restarted { Machine::Restarted } else { Machine::Running };
        let recovery = decide(Snapshot::of(&records), total(), &survivors, machine);
        check(&recovery.books);
        prop_assert_eq!(&recovery.strangers, &["stranger"]);
        let (awaited, ending, gone) = (&recovery.awaited, &recovery.ending, &recovery.gone);
        let mut all: Vec<_> = awaited.iter().chain(ending).chain(gone).cloned().collect();
        all.sort();
        prop_assert_eq!(&all, &containers);
        prop_assert!(awaited.iter().chain(ending).all(|id| survivors.contains_key(id.as_str())));
        prop_assert!(gone.iter().all(|id| !survivors.contains_key(id.as_str())));
        if restarted {
            prop_assert!(recovery.orphans.is_empty());
        }
        // Of what is gone, each task has an end to tell, and then nothing is used by it.
        let Recovery { mut books, gone, .. } = recovery;
        for container_id in gone {
            prop_assert!(books.in_container(&container_id).unwrap().fate.is_some());
            let ended = books.ended(&container_id).unwrap();
            for task_id in ended.tasks {
                let state = ended.fate.as_ref().unwrap().state;
                let status = TaskStatus::new(task_id.clone(), state, Source::Agent, 1);
                let framework_id = ended.framework_id.clone();
                let of = TaskOf { framework_id, task_id };
                prop_assert!(books.record(&of, &status));
            }
            books.settle(&ended.framework_id, &ended.executor_id);
        }
        check(&books);
    }

    #[test]
    fn a_crash_at_any_moment_loses_no_update_and_tells_none_twice(
        steps in prop::collection::vec((0..4u8, 0..4u8), 0..60),
    ) {
        let (mut updates, mut records) = (StatusUpdates::default(), Records::new());
        updates.resume(0);
        let mut told: BTreeMap<u8, Vec<UpdateId>> = BTreeMap::new();
        let mut heard: BTreeMap<u8, Vec<UpdateId>> = BTreeMap::new();
        for (task, what) in steps {
            let task_id = TaskId::new(format!("t{task}")).unwrap();
            let of = TaskOf { framework_id: FrameworkId::new("F").unwrap(), task_id };
            match what {
                0 | 1 => {
                    let id = UpdateId::random();
                    let state = if what == 0 { TaskState::Running } else { TaskState::Finished };
                    let status = TaskStatus::new(of.task_id.clone(), state, Source::Executor, 1);
                    let (taken, _) = updates.update(&of, status.acknowledged_as(id), 1);
                    if taken == Taken::Fresh {
                        told.entry(task).or_default().push(id);
                    }
                }
                2 => {
                    let front = updates.front(&of).and_then(|status| status.update_id);
                    if let Some(id) = front {
                        prop_assert!(updates.acknowledge(&of, id, 1).is_some());
                        heard.entry(task).or_default().push(id);
                    }
                }
                _ => {
                    updates = StatusUpdates::restored(Snapshot::of(&records).streams);
                    let sent = updates.resume(1);
                    prop_assert_eq!(sent.len(), updates.unacknowledged().count());
                    for id in told.get(&task).into_iter().flatten() {
                        // An executor that tells it again is told that it is known, if it matters.
                        let over = heard.get(&task).is_some_and(|heard| heard.contains(id));
                        prop_assert!(over || updates.is_known(&of, *id));
                    }
                }
            }
            for key in updates.take_changed() {
                let crate::checkpoints::Key::Stream(of) = &key else { unreachable!() };
                match updates.record_of(of) {
                    Some(record) => drop(records.insert(key.stored(), record)),
                    None => drop(records.remove(&key.stored())),
                }
            }
        }
        for (task, told) in told {
            let task_id = TaskId::new(format!("t{task}")).unwrap();
            let of = TaskOf { framework_id: FrameworkId::new("F").unwrap(), task_id };
            let heard = heard.entry(task).or_default();
            while let Some(id) = updates.front(&of).and_then(|status| status.update_id) {
                prop_assert!(updates.acknowledge(&of, id, 1).is_some());
                heard.push(id);
            }
            prop_assert_eq!(&told, heard);
        }
    }
}
