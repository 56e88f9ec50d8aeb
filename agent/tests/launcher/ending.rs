//! Executors end, with all they have started.

use super::*;

pub(crate) async fn exit_codes_and_signals_are_told_apart(mut cluster: Cluster) {
    for (what, status) in [
        (builtin("exit 3"), ExitStatus::Exited(3)),
        (builtin("raise SIGKILL"), ExitStatus::Signaled(9)),
        (builtin("panic on purpose"), ExitStatus::Exited(101)),
        (shell("exit 4"), ExitStatus::Exited(4)),
        (shell("kill -TERM $$"), ExitStatus::Signaled(15)),
    ] {
        cluster.launch("a", what).await;
        assert_eq!(cluster.exit().await, ("a".into(), status));
    }
}

pub(crate) async fn a_real_time_signal_does_not_stop_the_zygote(mut cluster: Cluster) {
    cluster.launch("a", shell("kill -40 $$")).await;
    assert_eq!(cluster.exit().await, ("a".into(), ExitStatus::Signaled(40)));
    cluster.launch("b", builtin("exit 0")).await;
    assert_eq!(cluster.exit().await, ("b".into(), ExitStatus::Exited(0)));
}

/// A shell that starts a child, and one in a session of its own whose parent is gone, writes their
/// pids to the pipe and waits. All of them keep the pipe open.
pub(crate) const TREE: &str = "exec 3>fifo; sleep 1000 & setsid sh -c 'sleep 1000 & echo $! >&3; sleep 1000' & \
                    echo $! >&3; (setsid sleep 1000 & echo $! >&3); wait";

/// Reads the pids `TREE` writes.
pub(crate) fn read_tree(pipe: &mut File) -> Vec<i32> {
    (0..3)
        .map(|_| read_line(pipe).parse().expect("a pid"))
        .collect()
}

pub(crate) async fn killing_an_executor_kills_its_task_tree(mut cluster: Cluster) {
    for what in [builtin(&format!("sh {TREE}")), shell(TREE)] {
        let executor = cluster.launch("a", what).await;
        let pids = read_tree(&mut cluster.fifo("a").await);
        kill(Pid::from_raw(executor as i32), Signal::SIGKILL).expect("an executor");
        assert_eq!(cluster.exit().await, ("a".into(), ExitStatus::Signaled(9)));
        for pid in pids {
            assert!(is_gone(pid), "{pid}");
        }
    }
}

pub(crate) async fn what_a_task_left_running_dies_with_its_executor(mut cluster: Cluster) {
    cluster
        .launch("a", shell("exec 3>fifo; setsid sleep 1000 & echo $! >&3"))
        .await;
    let left = read_line(&mut cluster.fifo("a").await)
        .parse()
        .expect("a pid");
    assert_eq!(cluster.exit().await, ("a".into(), ExitStatus::Exited(0)));
    assert!(is_gone(left));
}

pub(crate) async fn strays_of_one_container_do_not_harm_another(mut cluster: Cluster) {
    cluster.launch("a", shell(TREE)).await;
    let mut pipe = cluster.fifo("a").await;
    let pids = read_tree(&mut pipe);
    cluster
        .launch("b", shell("setsid sleep 1000 & exit 0"))
        .await;
    assert_eq!(cluster.exit().await, ("b".into(), ExitStatus::Exited(0)));
    assert!(pids.into_iter().all(|pid| !is_gone(pid)));
}

pub(crate) async fn a_container_with_grace_ends_by_itself_or_is_killed(mut cluster: Cluster) {
    cluster
        .launch(
            "heeds",
            shell("trap 'exit 5' TERM; echo > fifo; sleep 1000 & wait"),
        )
        .await;
    cluster.ready("heeds").await;
    cluster
        .launcher
        .destroy("heeds", Destroy::After { grace: TEST_MAX });
    assert_eq!(
        cluster.exit().await,
        ("heeds".into(), ExitStatus::Exited(5))
    );

    cluster
        .launch(
            "ignores",
            shell("trap '' TERM; echo > fifo; sleep 1000 & wait"),
        )
        .await;
    cluster.ready("ignores").await;
    let grace = Duration::from_millis(10);
    cluster
        .launcher
        .destroy("ignores", Destroy::After { grace });
    assert_eq!(
        cluster.exit().await,
        ("ignores".into(), ExitStatus::Signaled(9))
    );
    cluster.launcher.destroy("unknown", Destroy::Now);
}
