//! Accept: operations are applied in order to what was offered, and to what each leaves. Pure.

use std::collections::{BTreeMap, BTreeSet};

use types::{ExecutorInfo, Operation, Resources, TaskId, TaskInfo};

use crate::books::{Agent, Framework};
use crate::validation::{Fault, Ground};

/// What becomes of an operation, or of one task of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The task is launched, with its executor if that is not there yet.
    Launch {
        /// The task.
        task: Box<TaskInfo>,
        /// Its executor, to be started.
        executor: Option<Box<ExecutorInfo>>,
    },
    /// The task is not launched.
    Refuse {
        /// The task.
        task_id: TaskId,
        /// Why.
        fault: Fault,
    },
    /// The group is launched, under an executor that is started if it is not there yet.
    LaunchGroup {
        /// The executor.
        executor: Box<ExecutorInfo>,
        /// It is not there yet.
        starts: bool,
        /// The tasks.
        tasks: Vec<TaskInfo>,
    },
    /// The group is not launched.
    RefuseGroup {
        /// Its tasks.
        tasks: Vec<TaskId>,
        /// Why.
        fault: Fault,
    },
    /// The operation, of this name, is not one this master carries out.
    Ignore(&'static str),
}

/// Decides what becomes of each operation. What is left of `offered` comes back with it.
pub(crate) fn plan(
    framework: &Framework,
    agent: &Agent,
    offered: Resources,
    operations: Vec<Operation>,
) -> (Vec<Step>, Resources) {
    let mut steps = Vec::new();
    let mut ground = Ground {
        framework,
        agent,
        left: offered,
        launched: BTreeSet::new(),
        started: BTreeMap::new(),
    };
    for operation in operations {
        match operation {
            Operation::Launch { tasks } => {
                steps.extend(tasks.into_iter().map(|task| launch(task, &mut ground)));
            }
            Operation::LaunchGroup { executor, tasks } => {
                steps.push(launch_group(executor, tasks, &mut ground));
            }
            Operation::Reserve { .. }
            | Operation::Unreserve { .. }
            | Operation::Create { .. }
            | Operation::Destroy { .. } => steps.push(Step::Ignore(operation.name())),
        }
    }
    (steps, ground.left)
}

fn launch(mut task: TaskInfo, ground: &mut Ground<'_>) -> Step {
    let need = match ground.validate(&task) {
        Ok(need) => need,
        Err(fault) => {
            let task_id = task.task_id;
            return Step::Refuse { task_id, fault };
        }
    };
    ground.left -= &need.resources;
    ground.launched.insert(task.task_id.clone());
    if let Some(executor) = &mut task.executor {
        executor.framework_id = Some(ground.framework.id.clone());
    }
    if let Some(executor) = &need.executor {
        let id = executor.executor_id.clone();
        ground.started.insert(id, executor.clone());
    }
    Step::Launch {
        task: Box::new(task),
        executor: need.executor.map(Box::new),
    }
}

fn launch_group(executor: ExecutorInfo, mut tasks: Vec<TaskInfo>, ground: &mut Ground<'_>) -> Step {
    tasks.iter_mut().for_each(|task| task.executor = None);
    let need = match ground.validate_group(&executor, &tasks) {
        Ok(need) => need,
        Err(fault) => {
            let tasks = tasks.into_iter().map(|task| task.task_id).collect();
            return Step::RefuseGroup { tasks, fault };
        }
    };
    ground.left -= &need.resources;
    let names = tasks.iter().map(|task| task.task_id.clone());
    ground.launched.extend(names);
    let executor = ExecutorInfo {
        framework_id: Some(ground.framework.id.clone()),
        ..executor
    };
    let starts = need.executor.is_some();
    if starts {
        let id = executor.executor_id.clone();
        ground.started.insert(id, executor.clone());
    }
    Step::LaunchGroup {
        executor: Box::new(executor),
        starts,
        tasks,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::master::FrameworkState;
    use types::{AgentId, AgentInfo, CommandInfo, ExecutorId, FrameworkInfo};

    fn framework() -> Framework {
        let id = "f".parse().unwrap();
        Framework::new(id, FrameworkInfo::new("f"), FrameworkState::Active)
    }

    fn agent() -> Agent {
        let id: AgentId = "a".parse().unwrap();
        let info = AgentInfo::new("host", 5051, Resources::new().cpus(4.0).mem_mib(1024));
        let pid = "agent@127.0.0.1:5051".parse().unwrap();
        Agent::new(id, info, pid, String::new())
    }

    fn task(id: &str, cpus: f64) -> TaskInfo {
        let resources = Resources::new().cpus(cpus).mem_mib(32);
        TaskInfo::command(
            id.parse().unwrap(),
            "a".parse().unwrap(),
            CommandInfo::shell("true"),
            resources,
        )
    }

    fn with_executor(id: &str, executor: &str, command: &str) -> TaskInfo {
        let executor_id = ExecutorId::new(executor).unwrap();
        let mut executor = ExecutorInfo::custom(executor_id, CommandInfo::shell(command));
        executor.resources = Resources::new().cpus(1.0);
        TaskInfo {
            command: None,
            executor: Some(executor),
            ..task(id, 1.0)
        }
    }

    fn run(tasks: Vec<TaskInfo>) -> (Vec<String>, Resources) {
        run_all(vec![Operation::Launch { tasks }])
    }

    fn run_all(operations: Vec<Operation>) -> (Vec<String>, Resources) {
        let agent = agent();
        let offered = agent.info.resources.clone();
        let (steps, left) = plan(&framework(), &agent, offered, operations);
        let word = |step: Step| match step {
            Step::Launch { task, executor } => {
                let with = if executor.is_some() { "+executor" } else { "" };
                format!("{}{with}", task.task_id)
            }
            Step::Refuse { task_id, fault } => format!("{task_id}: {fault}"),
            Step::LaunchGroup { starts, tasks, .. } => {
                let names: Vec<_> = tasks.iter().map(|task| task.task_id.as_str()).collect();
                let with = if starts { "+executor" } else { "" };
                format!("[{}]{with}", names.join(" "))
            }
            Step::RefuseGroup { tasks, fault } => format!("no {}: {fault}", tasks.len()),
            Step::Ignore(name) => name.to_owned(),
        };
        (steps.into_iter().map(word).collect(), left)
    }

    #[test]
    fn tasks_take_from_what_those_before_left() {
        let (steps, left) = run(vec![task("1", 3.0), task("2", 2.0), task("3", 1.0)]);
        assert_eq!(steps[0], "1");
        assert!(
            steps[1].starts_with("2: the task uses cpus:2"),
            "{}",
            steps[1]
        );
        assert_eq!(steps[2], "3");
        assert_eq!(left, Resources::new().mem_mib(1024 - 64));
    }

    fn group(executor: &str, tasks: Vec<TaskInfo>) -> Operation {
        let resources = Resources::new().cpus(0.5).mem_mib(32);
        let executor = ExecutorInfo::group(ExecutorId::new(executor).unwrap(), resources);
        Operation::LaunchGroup { executor, tasks }
    }

    #[test]
    fn a_group_is_launched_whole_under_one_executor() {
        let (steps, left) = run_all(vec![
            group("e", vec![task("1", 1.0), task("2", 0.5)]),
            group("e", vec![task("3", 1.0)]),
        ]);
        assert_eq!(steps, ["[1 2]+executor", "[3]"]);
        assert_eq!(left, Resources::new().cpus(1.0).mem_mib(1024 - 4 * 32));
    }

    #[test]
    fn one_wrong_task_of_a_group_refuses_the_group() {
        let total = agent().info.resources;
        let wrong = TaskInfo {
            resources: Resources::new(),
            ..task("2", 1.0)
        };
        let (steps, left) = run_all(vec![group("e", vec![task("1", 1.0), wrong])]);
        assert_eq!(
            steps,
            ["no 2: Task '2' is invalid: the task is invalid: the task uses no resources"]
        );
        assert_eq!(left, total);
        let twice = group("e", vec![task("1", 1.0), task("1", 1.0)]);
        assert!(run_all(vec![twice]).0[0].contains("has a task 1 already"));
        let large = group("e", vec![task("1", 2.0), task("2", 2.0)]);
        assert!(run_all(vec![large]).0[0].starts_with("no 2: Total resources"));
        let (steps, _) = run_all(vec![group("e", vec![])]);
        assert!(steps[0].contains("no tasks"), "{}", steps[0]);
    }

    #[test]
    fn the_executor_of_a_group_says_enough_of_itself() {
        let refused = |change: fn(&mut ExecutorInfo)| {
            let Operation::LaunchGroup {
                mut executor,
                tasks,
            } = group("e", vec![task("1", 1.0)])
            else {
                unreachable!("it is a group");
            };
            change(&mut executor);
            run_all(vec![Operation::LaunchGroup { executor, tasks }])
                .0
                .remove(0)
        };
        let small = refused(|executor| executor.resources = Resources::new().cpus(0.5));
        assert!(small.contains("'e' uses less memory (0)"), "{small}");
        let named = refused(|executor| executor.command = Some(CommandInfo::shell("x")));
        assert!(named.contains("must not be set for 'DEFAULT'"), "{named}");
    }

    #[test]
    fn one_wrong_task_leaves_the_others_alone() {
        let wrong = TaskInfo {
            resources: Resources::new(),
            ..task("2", 1.0)
        };
        let (steps, _) = run(vec![task("1", 1.0), wrong, task("1", 1.0), task("3", 1.0)]);
        assert_eq!((steps[0].as_str(), steps[3].as_str()), ("1", "3"));
        assert!(steps[1].contains("uses no resources"), "{}", steps[1]);
        assert!(steps[2].contains("has a task 1 already"), "{}", steps[2]);
    }

    #[test]
    fn an_executor_is_paid_for_once_and_stays_the_same() {
        let (steps, left) = run(vec![
            with_executor("1", "e", "run"),
            with_executor("2", "e", "run"),
            with_executor("3", "e", "walk"),
        ]);
        assert_eq!(steps[..2], ["1+executor", "2"]);
        assert!(steps[2].contains("differs"), "{}", steps[2]);
        assert_eq!(left.total_cpus().to_string(), "1");
    }

    #[test]
    fn what_is_not_done_here_changes_nothing() {
        let (framework, agent) = (framework(), agent());
        let offered = agent.info.resources.clone();
        let reserve = Operation::Reserve {
            resources: "cpus(a):1".parse().unwrap(),
        };
        let (steps, left) = plan(&framework, &agent, offered.clone(), vec![reserve]);
        assert_eq!((steps, left), (vec![Step::Ignore("RESERVE")], offered));
    }
}
