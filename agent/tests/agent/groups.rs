//! Groups of tasks: taken whole or not at all, handed over together, killed together.

use agent::launcher::{ExitStatus, What};
use api::agent::RunGroup;
use api::executor::{Exit, Launch, LaunchGroup};
use api::master::ExecutorExited;
use executor::{Start, Work};
use serde_json::json;
use types::{ExecutorId, ExecutorInfo, Reason, Resources, Role, TaskInfo, TaskState};

use crate::executor_api::{real, subscribe};
use crate::rig::{Rig, command, custom, framework, paused};

impl Rig {
    fn run_group(&self, executor: ExecutorInfo, tasks: &[TaskInfo]) {
        let message = RunGroup {
            framework: framework(),
            executor,
            tasks: tasks.to_vec(),
            role: Role::any(),
        };
        self.node.tell(&self.agent, message);
    }
}

fn ours() -> ExecutorInfo {
    let resources = Resources::new().cpus(0.5).mem_mib(32);
    ExecutorInfo::group(ExecutorId::new("e").unwrap(), resources)
}

fn theirs() -> ExecutorInfo {
    let executor = custom("t").executor.unwrap();
    ExecutorInfo {
        resources: ours().resources,
        ..executor
    }
}

#[test]
fn a_group_waits_for_one_executor_and_comes_whole() {
    paused(async {
        let mut rig = Rig::registered().await;
        let group = [command("a"), command("b")];
        rig.run_group(ours(), &group);
        rig.run_group(ours(), &[command("c")]);
        let (launched, mut executor) = rig.launched().await;
        let What::Builtin { start } = &launched.request.what else {
            panic!("a group is run by our own executor");
        };
        assert_eq!(Start::from_bytes(start).unwrap().work, Work::Groups);
        launched.succeed(7);
        rig.register(&executor);
        executor.probe.expect::<api::executor::Registered>().await;
        assert_eq!(executor.probe.expect::<LaunchGroup>().await.tasks, group);
        let second = executor.probe.expect::<LaunchGroup>().await.tasks;
        assert_eq!(second, [command("c")]);
        rig.run_group(ours(), &[command("d")]);
        let third = executor.probe.expect::<LaunchGroup>().await.tasks;
        assert_eq!(third, [command("d")]);
        rig.exited(&executor, ExitStatus::Exited(0));
        for _ in 0..4 {
            let lost = rig.update().await;
            assert_eq!(lost.state, TaskState::Failed);
            assert_eq!(lost.reason, Some(Reason::ExecutorTerminated));
            assert_eq!(lost.executor_id.unwrap().as_str(), "e");
        }
        let exited = rig.master.expect::<ExecutorExited>().await;
        assert_eq!(exited.exit, Exit::Code(0));
    });
}

#[test]
fn a_group_that_waits_is_killed_with_one_of_its_tasks() {
    paused(async {
        let mut rig = Rig::registered().await;
        rig.run_group(ours(), &[command("a"), command("b")]);
        rig.run_group(ours(), &[command("c")]);
        let (launched, mut executor) = rig.launched().await;
        rig.kill("b");
        for task in ["a", "b"] {
            let killed = rig.update().await;
            assert_eq!(
                (killed.task_id.as_str(), killed.state),
                (task, TaskState::Killed)
            );
            assert_eq!(killed.reason, Some(Reason::TaskKilledDuringLaunch));
        }
        launched.succeed(7);
        rig.register(&executor);
        executor.probe.expect::<api::executor::Registered>().await;
        let left = executor.probe.expect::<LaunchGroup>().await.tasks;
        assert_eq!(left, [command("c")]);
    });
}

#[test]
fn a_group_that_does_not_fit_is_refused_whole() {
    paused(async {
        let mut rig = Rig::registered().await;
        let large = TaskInfo {
            resources: Resources::new().cpus(4.0).mem_mib(16),
            ..command("b")
        };
        rig.run_group(ours(), &[command("a"), large]);
        for task in ["a", "b"] {
            let dropped = rig.update().await;
            assert_eq!(
                (dropped.task_id.as_str(), dropped.state),
                (task, TaskState::Dropped)
            );
        }
        let other = |user: &str| {
            let mut task = command(user);
            task.command.as_mut().unwrap().user = Some(user.to_owned());
            task
        };
        rig.run_group(ours(), &[other("c"), other("d")]);
        for task in ["c", "d"] {
            let refused = rig.update().await;
            assert_eq!(
                (refused.task_id.as_str(), refused.state),
                (task, TaskState::Error)
            );
            assert!(refused.message.unwrap().contains("as one user"));
        }
        // Nothing of it is left in the books.
        rig.run_group(ours(), &[command("a")]);
        rig.executor().await.probe.expect::<LaunchGroup>().await;
    });
}

#[test]
fn an_executor_of_a_framework_is_told_of_groups_in_the_words_of_the_api() {
    real(async {
        let mut rig = Rig::registered().await;
        rig.run_group(theirs(), &[command("a"), command("b")]);
        let (launched, _executor) = rig.launched().await;
        assert!(matches!(launched.request.what, What::Command { .. }));
        launched.succeed(7);
        let mut events = rig.subscribe(&subscribe(json!({}))).await;
        assert_eq!(events.event().await["type"], "SUBSCRIBED");
        let group = events.event().await;
        assert_eq!(group["type"], "LAUNCH_GROUP");
        let tasks = &group["launch_group"]["task_group"]["tasks"];
        assert_eq!(tasks[0]["task_id"]["value"], "a");
        assert_eq!(tasks[1]["task_id"]["value"], "b");
        let task = TaskInfo {
            executor: Some(theirs()),
            ..custom("c")
        };
        rig.run(task);
        assert_eq!(events.event().await["type"], "LAUNCH");
    });
}

#[test]
fn a_task_alone_for_an_executor_that_is_an_actor_is_still_a_launch() {
    paused(async {
        let mut rig = Rig::registered().await;
        rig.run_group(theirs(), &[command("a")]);
        let mut executor = rig.executor().await;
        executor.probe.expect::<LaunchGroup>().await;
        rig.run(TaskInfo {
            executor: Some(theirs()),
            ..custom("b")
        });
        assert_eq!(
            executor
                .probe
                .expect::<Launch>()
                .await
                .task
                .task_id
                .as_str(),
            "b"
        );
    });
}
