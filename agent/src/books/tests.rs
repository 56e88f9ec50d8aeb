//! What must hold of the books, whatever happens.

use proptest::prelude::*;
use types::{AgentId, CommandInfo, Role, Source};

use super::*;
use crate::checkpoints::{Records, Snapshot};

fn task_info(id: u8, own_executor: bool) -> TaskInfo {
    let task_id = TaskId::new(format!("t{id}")).unwrap();
    let resources = Resources::new().cpus(1.0).mem_mib(10);
    let command = CommandInfo::shell("true");
    let agent_id = AgentId::new("S1").unwrap();
    let info = TaskInfo::command(task_id, agent_id, command.clone(), resources);
    if !own_executor {
        return info;
    }
    let executor = ExecutorInfo {
        resources: Resources::new().cpus(0.5),
        ..ExecutorInfo::custom(ExecutorId::new("e").unwrap(), command)
    };
    TaskInfo {
        command: None,
        executor: Some(executor),
        ..info
    }
}

fn framework_id(number: u8) -> FrameworkId {
    FrameworkId::new(format!("F{number}")).unwrap()
}

/// Something that happens to an agent's books.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    Run {
        framework: u8,
        task: u8,
        own_executor: bool,
    },
    Register {
        pick: usize,
    },
    Status {
        framework: u8,
        task: u8,
        state: TaskState,
    },
    Kill {
        framework: u8,
        task: u8,
    },
    Acknowledge {
        framework: u8,
        task: u8,
    },
    EndFramework {
        framework: u8,
    },
    ContainerEnded {
        pick: usize,
    },
}

pub(crate) fn event() -> impl Strategy<Value = Event> {
    let (framework, task) = (0..2u8, 0..6u8);
    let of = (framework.clone(), task);
    let states = [
        TaskState::Running,
        TaskState::Killing,
        TaskState::Finished,
        TaskState::Failed,
    ];
    prop_oneof![
        6 => (of.clone(), any::<bool>()).prop_map(|((framework, task), own_executor)| {
            Event::Run { framework, task, own_executor }
        }),
        3 => any::<usize>().prop_map(|pick| Event::Register { pick }),
        4 => (of.clone(), prop::sample::select(states.to_vec()))
            .prop_map(|((framework, task), state)| Event::Status { framework, task, state }),
        2 => of.clone().prop_map(|(framework, task)| Event::Kill { framework, task }),
        3 => of.prop_map(|(framework, task)| Event::Acknowledge { framework, task }),
        1 => framework.prop_map(|framework| Event::EndFramework { framework }),
        3 => any::<usize>().prop_map(|pick| Event::ContainerEnded { pick }),
    ]
}

fn of(framework: u8, task: u8) -> TaskOf {
    let task_id = TaskId::new(format!("t{task}")).unwrap();
    TaskOf {
        framework_id: framework_id(framework),
        task_id,
    }
}

pub(crate) fn apply(books: &mut Books, number: usize, event: Event) {
    let status = |of: &TaskOf, state| TaskStatus::new(of.task_id.clone(), state, Source::Agent, 1);
    match event {
        Event::Run {
            framework,
            task,
            own_executor,
        } => {
            let container_id = ContainerId::new(format!("c{number}")).unwrap();
            let (info, id) = (FrameworkInfo::new("f"), framework_id(framework));
            let task = task_info(task, own_executor);
            // Refused or not, the books have to balance.
            let _ = books.admit(&info, &id, &task, Role::any(), &container_id);
        }
        Event::Register { pick } => {
            let containers = books.containers();
            let Some(container_id) = containers.get(pick % containers.len().max(1)) else {
                return;
            };
            let (framework_id, executor_id) = books.containers[container_id].clone();
            let process = "executor@127.0.0.1:1".parse().unwrap();
            let _ = books.register(&framework_id, &executor_id, container_id, process);
        }
        Event::Status {
            framework,
            task,
            state,
        } => {
            let of = of(framework, task);
            books.record(&of, &status(&of, state));
        }
        Event::Kill { framework, task } => {
            let of = of(framework, task);
            if matches!(books.kill(&of), Killing::Dequeued(_)) {
                assert!(books.record(&of, &status(&of, TaskState::Killed)));
            }
        }
        Event::Acknowledge { framework, task } => {
            let of = of(framework, task);
            if books.task(&of).is_some_and(|task| task.state.is_terminal()) {
                books.acknowledged(&of);
            }
        }
        Event::EndFramework { framework } => {
            books.end_framework(&framework_id(framework));
        }
        Event::ContainerEnded { pick } => {
            let containers = books.containers();
            let Some(container_id) = containers.get(pick % containers.len().max(1)) else {
                return;
            };
            let ended = books.ended(container_id).unwrap();
            for task_id in ended.tasks {
                let of = TaskOf {
                    framework_id: ended.framework_id.clone(),
                    task_id,
                };
                assert!(books.record(&of, &status(&of, TaskState::Failed)));
            }
            books.settle(&ended.framework_id, &ended.executor_id);
        }
    }
}

/// What is used, counted anew.
fn count(books: &Books) -> Resources {
    let executors = books
        .frameworks
        .values()
        .flat_map(|framework| framework.executors.values());
    let living = executors
        .clone()
        .filter(|executor| executor.phase != Phase::Gone);
    let tasks = executors.flat_map(|executor| executor.tasks.values());
    let tasks = tasks.filter(|task| !task.state.is_terminal());
    let executors: Resources = living.map(|executor| &executor.info.resources).sum();
    executors + tasks.map(|task| &task.resources).sum::<Resources>()
}

pub(crate) fn check(books: &Books) {
    assert_eq!(books.used, count(books));
    assert!(books.total.contains(&books.used));
    let mut containers = 0;
    for (framework_id, framework) in &books.frameworks {
        assert!(
            !framework.executors.is_empty(),
            "a framework without executors is forgotten"
        );
        for (executor_id, executor) in &framework.executors {
            let gone = executor.phase == Phase::Gone;
            assert!(
                !gone || !executor.tasks.is_empty(),
                "an executor with nothing left to say"
            );
            containers += usize::from(!gone);
            let whose = (framework_id.clone(), executor_id.clone());
            assert_eq!(
                books.containers.get(&executor.container_id),
                (!gone).then_some(&whose)
            );
            for task_id in executor.tasks.keys() {
                assert_eq!(framework.tasks.get(task_id), Some(executor_id));
            }
            let known = |task: &TaskInfo| executor.tasks.contains_key(&task.task_id);
            assert!(
                executor
                    .queued
                    .iter()
                    .flat_map(|(_, batch)| batch.tasks())
                    .all(known)
            );
        }
        let tasks: usize = framework.executors.values().map(|e| e.tasks.len()).sum();
        assert_eq!(framework.tasks.len(), tasks);
    }
    assert_eq!(books.containers.len(), containers);
}

/// Writes down what has changed, and only that.
pub(crate) fn write_down(books: &mut Books, records: &mut Records) {
    for key in books.take_changed() {
        match books.record_of(&key) {
            Some(record) => drop(records.insert(key.stored(), record)),
            None => drop(records.remove(&key.stored())),
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_down_is_the_books_at_any_moment(
        events in prop::collection::vec(event(), 0..80),
    ) {
        let mut books = Books::new(Resources::new().cpus(4.0).mem_mib(100));
        let mut records = Records::new();
        for (number, event) in events.into_iter().enumerate() {
            apply(&mut books, number, event);
            write_down(&mut books, &mut records);
            let snapshot = Snapshot::of(&records);
            prop_assert!(snapshot.damaged.is_empty());
            let keys = snapshot.keys();
            let Snapshot { frameworks, executors, tasks, .. } = snapshot;
            let restored = Books::restored(books.total.clone(), frameworks, executors, tasks);
            check(&restored);
            prop_assert_eq!(&restored.used, &books.used);
            prop_assert_eq!(&restored.containers, &books.containers);
            prop_assert_eq!(keys.len(), records.len());
            for key in keys {
                prop_assert_eq!(restored.record_of(&key), books.record_of(&key));
            }
        }
    }

    #[test]
    fn the_books_balance_whatever_happens(events in prop::collection::vec(event(), 0..80)) {
        let mut books = Books::new(Resources::new().cpus(4.0).mem_mib(100));
        for (number, event) in events.into_iter().enumerate() {
            apply(&mut books, number, event);
            check(&books);
        }
        // In the end everything ends and is acknowledged: nothing is left but history.
        while let Some(container_id) = books.containers().first().cloned() {
            apply(&mut books, 0, Event::ContainerEnded { pick: 0 });
            prop_assert!(!books.containers.contains_key(&container_id));
        }
        for framework in 0..2 {
            for task in 0..6 {
                apply(&mut books, 0, Event::Acknowledge { framework, task });
            }
        }
        check(&books);
        prop_assert!(books.frameworks.is_empty());
        prop_assert_eq!(books.used, Resources::new());
    }
}
