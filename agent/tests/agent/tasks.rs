//! Tasks: from the order to run one to the acknowledgement of its end.

use std::time::Duration;

use agent::launcher::{ExitStatus, What};
use api::agent::{RunTask, ShutdownFramework};
use api::executor::{Kill, Launch, Shutdown};
use api::master::UpdateStatus;
use executor::{Start, Work};
use types::{
    AgentId, CommandInfo, ExecutorId, FrameworkCapability, FrameworkInfo, Reason, Resources, Role,
    Source, TaskInfo, TaskState, TaskStatus,
};

use crate::rig::{Rig, command, custom, framework, framework_id, paused, status};

#[test]
fn a_command_gets_an_executor_of_its_own_in_a_sandbox() {
    paused(async {
        let mut rig = Rig::registered().await;
        rig.run(command("t"));
        let (launched, executor) = rig.launched().await;
        let request = &launched.request;
        assert!(executor.sandbox.is_dir());
        assert!(
            executor
                .sandbox
                .ends_with(format!("t/runs/{}", executor.container_id))
        );
        assert_eq!(request.environment["MESOS_FRAMEWORK_ID"], "F1");
        assert_eq!(request.environment["MESOS_SLAVE_ID"], "S1");
        assert_eq!(request.environment["TEPUI_AGENT"], rig.agent.to_string());
        let What::Builtin { start } = &request.what else {
            panic!("a command is run by our own executor");
        };
        let start = Start::from_bytes(start).unwrap();
        assert_eq!(start.agent, rig.agent);
        assert_eq!(
            (start.executor_id.as_str(), start.work),
            ("t", Work::Command(Box::new(command("t"))))
        );
    });
}

#[test]
fn news_go_to_the_master_one_at_a_time_until_they_are_acknowledged() {
    paused(async {
        let mut rig = Rig::registered().await;
        rig.run(command("t"));
        let mut executor = rig.executor().await;
        rig.tells(&mut executor, "t", TaskState::Running).await;
        rig.tells(&mut executor, "t", TaskState::Finished).await;

        let first: UpdateStatus = rig.master.expect().await;
        assert_eq!(first.agent_id.as_str(), "S1");
        assert_eq!(first.framework_id, framework_id());
        let status = &first.status;
        assert_eq!(
            (status.state, status.source),
            (TaskState::Running, Source::Executor)
        );
        assert_eq!(status.agent_id.as_ref().map(AgentId::as_str), Some("S1"));
        assert_eq!(
            status.executor_id.as_ref().map(ExecutorId::as_str),
            Some("t")
        );
        let container = status.container.clone().unwrap();
        assert_eq!(container.container_id, Some(executor.container_id.clone()));
        assert_eq!(container.pid, Some(7));
        assert!(status.timestamp_ms > 0);

        rig.master
            .expect_nothing(Duration::from_millis(9_900))
            .await;
        let again: UpdateStatus = rig.master.expect().await;
        assert_eq!(
            again,
            UpdateStatus {
                latest: TaskState::Finished,
                ..first
            }
        );
        rig.acknowledge(&again.status);
        rig.acknowledge(&again.status);
        let last: UpdateStatus = rig.master.expect().await;
        assert_eq!(
            (last.status.state, last.latest),
            (TaskState::Finished, TaskState::Finished)
        );
        rig.acknowledge(&last.status);
        rig.exited(&executor, ExitStatus::Exited(0));
        rig.master.expect_nothing(Duration::from_secs(3_600)).await;
    });
}

#[test]
fn news_that_are_told_again_are_taken_again_but_sent_once() {
    paused(async {
        let mut rig = Rig::registered().await;
        rig.run(command("t"));
        let mut executor = rig.executor().await;
        let running = status("t", TaskState::Running);
        for _ in 0..3 {
            rig.tell_status(&executor, running.clone());
            executor.probe.expect::<api::executor::Acknowledged>().await;
        }
        let sent = rig.update().await;
        rig.acknowledge(&sent);
        rig.tell_status(&executor, running);
        executor.probe.expect::<api::executor::Acknowledged>().await;
        rig.master.expect_nothing(Duration::from_secs(3_600)).await;
    });
}

#[test]
fn news_that_cannot_be_are_dropped() {
    paused(async {
        let mut rig = Rig::registered().await;
        rig.run(command("t"));
        let mut executor = rig.executor().await;
        rig.tells(&mut executor, "other", TaskState::Running).await;
        rig.tells(&mut executor, "t", TaskState::Unreachable).await;
        rig.tells(&mut executor, "t", TaskState::Failed).await;
        rig.tells(&mut executor, "t", TaskState::Running).await;
        rig.tells(&mut executor, "t", TaskState::Finished).await;
        let failed = rig.update().await;
        assert_eq!(failed.state, TaskState::Failed);
        rig.acknowledge(&failed);
        rig.master.expect_nothing(Duration::from_secs(3_600)).await;
    });
}

#[test]
fn a_status_that_is_too_large_loses_its_words_but_not_its_state() {
    paused(async {
        let mut rig = Rig::registered().await;
        rig.run(command("t"));
        let executor = rig.executor().await;
        let data = vec![0; types::MAX_DATA_BYTES + 1];
        rig.tell_status(
            &executor,
            TaskStatus {
                data,
                ..status("t", TaskState::Failed)
            },
        );
        let failed = rig.update().await;
        assert_eq!((failed.state, failed.data.len()), (TaskState::Failed, 0));
    });
}

#[test]
fn a_task_killed_before_its_executor_registers_is_killed_with_it() {
    paused(async {
        let mut rig = Rig::registered().await;
        rig.run(command("t"));
        rig.kill("t");
        let (launched, mut executor) = rig.launched().await;
        rig.expect_destroyed(&executor).await;
        launched.succeed(7);
        rig.register(&executor);
        executor.probe.expect::<Shutdown>().await;
        rig.exited(&executor, ExitStatus::Signaled(9));
        let killed = rig.update().await;
        assert_eq!(
            (killed.state, killed.source),
            (TaskState::Killed, Source::Agent)
        );
        assert_eq!(killed.reason, Some(Reason::TaskKilledDuringLaunch));
    });
}

#[test]
fn a_task_that_runs_is_killed_by_its_executor() {
    paused(async {
        let mut rig = Rig::registered().await;
        rig.run(command("t"));
        let mut executor = rig.executor().await;
        rig.kill("t");
        assert_eq!(executor.probe.expect::<Kill>().await.task_id.as_str(), "t");
        rig.tells(&mut executor, "t", TaskState::Killed).await;
        rig.kill("t");
        executor.probe.expect_nothing(Duration::from_secs(60)).await;
    });
}

#[test]
fn killing_a_task_the_agent_never_had_is_answered() {
    paused(async {
        let mut rig = Rig::registered().await;
        rig.kill("t");
        let dropped = rig.update().await;
        assert_eq!(
            (dropped.state, dropped.reason),
            (TaskState::Dropped, Some(Reason::TaskUnknown))
        );
    });
}

#[test]
fn a_failed_launch_fails_the_task_with_the_cause() {
    paused(async {
        let mut rig = Rig::registered().await;
        rig.run(command("t"));
        let (launched, _) = rig.launched().await;
        launched.fail("no such user");
        let failed = rig.update().await;
        assert_eq!(failed.state, TaskState::Failed);
        assert_eq!(failed.reason, Some(Reason::ContainerLaunchFailed));
        assert_eq!(
            failed.message.as_deref(),
            Some("launch refused: no such user")
        );
        rig.run(command("u"));
        rig.executor().await;
    });
}

#[test]
fn an_executor_that_ends_early_fails_its_task() {
    paused(async {
        let mut rig = Rig::registered().await;
        rig.run(command("t"));
        let executor = rig.executor().await;
        rig.exited(&executor, ExitStatus::Signaled(11));
        let failed = rig.update().await;
        assert_eq!(failed.state, TaskState::Failed);
        assert_eq!(failed.reason, Some(Reason::CommandExecutorFailed));
        assert_eq!(
            failed.message.as_deref(),
            Some("Executor terminated with signal 11")
        );
    });
}

#[test]
fn what_is_not_free_is_not_given_until_a_task_ends() {
    paused(async {
        let mut rig = Rig::registered().await;
        let large = |id| TaskInfo {
            resources: Resources::new().cpus(3.0),
            ..command(id)
        };
        rig.run(large("t"));
        let mut executor = rig.executor().await;
        rig.run(large("u"));
        let dropped = rig.update().await;
        assert_eq!(
            (dropped.task_id.as_str(), dropped.state),
            ("u", TaskState::Dropped)
        );
        assert_eq!(dropped.reason, Some(Reason::ResourcesUnknown));
        rig.tells(&mut executor, "t", TaskState::Finished).await;
        rig.run(large("v"));
        rig.launched().await;
    });
}

#[test]
fn two_tasks_cannot_have_one_port() {
    paused(async {
        let mut rig = Rig::registered().await;
        let ports = |id, ports| TaskInfo {
            resources: Resources::new().ports(ports),
            ..command(id)
        };
        rig.run(ports("t", 31000..=31004));
        let _launched = rig.launched().await;
        rig.run(ports("u", 31004..=31005));
        assert_eq!(rig.update().await.state, TaskState::Dropped);
        rig.run(ports("v", 31009..=31010));
        assert_eq!(rig.update().await.state, TaskState::Dropped);
        rig.run(ports("w", 31005..=31009));
        rig.launched().await;
    });
}

#[test]
fn a_framework_without_word_of_partitions_has_its_refused_tasks_lost() {
    paused(async {
        let mut rig = Rig::registered().await;
        let mut framework = framework();
        framework
            .capabilities
            .remove(&FrameworkCapability::PartitionAware);
        let task = TaskInfo {
            resources: Resources::new().cpus(99.0),
            ..command("t")
        };
        rig.node.tell(
            &rig.agent,
            RunTask {
                framework,
                task,
                role: Role::any(),
            },
        );
        assert_eq!(rig.update().await.state, TaskState::Lost);
    });
}

#[test]
fn a_task_that_is_there_is_not_started_twice() {
    paused(async {
        let mut rig = Rig::registered().await;
        rig.run(command("t"));
        rig.run(command("t"));
        let _launched = rig.launched().await;
        rig.master.expect_nothing(Duration::from_secs(30)).await;
        assert!(rig.launches.try_recv().is_err());
    });
}

#[test]
fn the_id_of_a_task_is_free_again_when_its_executor_has_gone() {
    paused(async {
        let mut rig = Rig::registered().await;
        rig.run(command("t"));
        let mut executor = rig.executor().await;
        rig.tells(&mut executor, "t", TaskState::Finished).await;
        let finished = rig.update().await;
        rig.acknowledge(&finished);
        rig.run(command("t"));
        let dropped = rig.update().await;
        assert_eq!(dropped.reason, Some(Reason::ExecutorTerminated));
        rig.acknowledge(&dropped);
        rig.exited(&executor, ExitStatus::Exited(0));
        rig.settle().await;
        rig.run(command("t"));
        rig.executor().await;
    });
}

#[test]
fn a_task_without_sense_is_an_error() {
    paused(async {
        let mut rig = Rig::registered().await;
        rig.run(TaskInfo {
            command: None,
            ..command("t")
        });
        let error = rig.update().await;
        assert_eq!(
            (error.state, error.reason),
            (TaskState::Error, Some(Reason::TaskInvalid))
        );
        let anonymous = FrameworkInfo {
            id: None,
            ..framework()
        };
        let task = command("u");
        rig.node.tell(
            &rig.agent,
            RunTask {
                framework: anonymous,
                task,
                role: Role::any(),
            },
        );
        rig.run(command("v"));
        assert_eq!(rig.launched().await.1.executor_id.as_str(), "v");
    });
}

#[test]
fn a_task_of_another_user_is_refused_by_an_agent_that_does_not_switch() {
    paused(async {
        let mut rig = Rig::start_with(|options| agent::Options {
            switch_user: false,
            ..options
        })
        .await;
        rig.master.expect::<api::master::Register>().await;
        rig.node
            .tell(&rig.agent, crate::rig::registered(crate::rig::SILENCE));
        let command_of = CommandInfo {
            user: Some("somebody".into()),
            ..CommandInfo::shell("true")
        };
        rig.run(TaskInfo {
            command: Some(command_of),
            ..command("t")
        });
        let failed = rig.update().await;
        assert_eq!(failed.reason, Some(Reason::ContainerLaunchFailed));
        assert!(failed.message.unwrap().contains("run as somebody"));
    });
}

#[test]
fn a_framework_that_is_shut_down_takes_its_executors_with_it() {
    paused(async {
        let mut rig = Rig::registered().await;
        rig.run(command("t"));
        rig.run(custom("c"));
        rig.run(command("u"));
        let mut polite = rig.executor().await;
        let mut rude = rig.executor().await;
        let (launched, late) = rig.launched().await;
        launched.succeed(9);
        rig.node.tell(
            &rig.agent,
            ShutdownFramework {
                framework_id: framework_id(),
            },
        );
        polite.probe.expect::<Shutdown>().await;
        rude.probe.expect::<Launch>().await;
        rude.probe.expect::<Shutdown>().await;
        rig.expect_destroyed(&late).await;
        rig.tells(&mut polite, "t", TaskState::Killed).await;
        rig.exited(&polite, ExitStatus::Exited(0));
        rig.exited(&late, ExitStatus::Signaled(9));
        // Those that are gone by then are destroyed too, which means nothing.
        rig.expect_destroyed(&rude).await;
        rig.expect_destroyed(&polite).await;
        rig.exited(&rude, ExitStatus::Signaled(9));
        let exited: api::master::ExecutorExited = rig.master.expect().await;
        assert_eq!(exited.executor_id.as_str(), "e");
        rig.master.expect_nothing(Duration::from_secs(3_600)).await;
        // All it used is free again.
        let all = TaskInfo {
            resources: Resources::new().cpus(4.0),
            ..command("all")
        };
        rig.run(all);
        rig.launched().await;
    });
}
