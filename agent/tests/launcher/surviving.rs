//! Executors outlive an agent, and are found by the next one.

use agent::launcher::{Survival, Survivors};
use nix::sys::wait::{WaitStatus, waitpid};

use super::*;

/// Ends the agent there is, and starts the launcher of the next one.
async fn next(cluster: &mut Cluster) -> Survivors {
    leave(cluster).await;
    let survival = Survival {
        directory: cluster.directory.path().join("launchers"),
        patience: TEST_MAX,
    };
    let started = Launcher::start_surviving(&executable(), &["zygote"], &survival);
    let (launcher, events, survivors) = started.expect("a zygote");
    (cluster.launcher, cluster.events) = (launcher, events);
    survivors
}

/// Ends the agent there is. Its zygote has heard of that when this returns.
async fn leave(cluster: &mut Cluster) {
    let (launcher, events) = Launcher::start(&executable(), &["zygote"]).expect("a zygote");
    cluster.launcher = launcher;
    let mut former = std::mem::replace(&mut cluster.events, events);
    while former.recv().await.is_some() {}
}

async fn launch_surviving(cluster: &Cluster, id: &str, what: What) -> u32 {
    let request = LaunchRequest {
        outlives_agent: true,
        ..cluster.request(id, what)
    };
    cluster.launcher.launch(request).await.expect("a launch")
}

pub(crate) async fn what_outlives_an_agent_is_found_by_the_next(mut cluster: Cluster) {
    assert_eq!(next(&mut cluster).await, Survivors::new());
    let pid = launch_surviving(&cluster, "a", shell("echo > fifo; exec sleep 1000")).await;
    cluster.ready("a").await;
    let bound = cluster
        .launch("b", shell("echo > fifo; exec sleep 1000"))
        .await;
    cluster.ready("b").await;
    let former = cluster.launcher.zygote();
    leave(&mut cluster).await;
    while !is_gone(bound as i32) {
        time::sleep(Duration::from_millis(10)).await; // nobody is left to tell of it
    }
    assert_eq!(
        next(&mut cluster).await,
        Survivors::from([("a".into(), pid)])
    );
    assert_ne!(cluster.launcher.zygote(), former);
    cluster.launch("c", builtin("exit 3")).await;
    assert_eq!(cluster.exit().await, ("c".into(), ExitStatus::Exited(3)));
    assert!(!is_gone(pid as i32));
    cluster.launcher.destroy("a", Destroy::Now);
    assert_eq!(cluster.exit().await, ("a".into(), ExitStatus::Signaled(9)));
    cluster.launcher.settled("a");
    let left = task::spawn_blocking(move || waitpid(Pid::from_raw(former as i32), None));
    let left = left.await.expect("no panic").expect("a child of ours");
    assert!(matches!(left, WaitStatus::Exited(_, 0)), "{left:?}");
}

pub(crate) async fn an_end_nobody_saw_is_told_until_it_is_written_down(mut cluster: Cluster) {
    next(&mut cluster).await;
    let pid = launch_surviving(&cluster, "a", shell("read line < fifo; exit 5")).await;
    let pipe = cluster.directory.path().join("a").join("fifo");
    leave(&mut cluster).await;
    let writing = task::spawn_blocking(|| fs::write(pipe, "\n"));
    writing.await.expect("no panic").expect("a pipe");
    for _ in 0..2 {
        assert_eq!(
            next(&mut cluster).await,
            Survivors::from([("a".into(), pid)])
        );
        assert_eq!(cluster.exit().await, ("a".into(), ExitStatus::Exited(5)));
    }
    cluster.launcher.settled("a");
    while !next(&mut cluster).await.is_empty() {} // it may not have heard yet
}

pub(crate) async fn a_zygote_that_dies_is_not_found(mut cluster: Cluster) {
    next(&mut cluster).await;
    let line = "exec 3>fifo; echo >&3; exec sleep 1000";
    launch_surviving(&cluster, "a", shell(line)).await;
    let mut pipe = cluster.fifo("a").await;
    read_line(&mut pipe);
    let zygote = Pid::from_raw(cluster.launcher.zygote() as i32);
    kill(zygote, Signal::SIGKILL).expect("a zygote");
    assert_eq!(cluster.exit().await, ("a".into(), ExitStatus::Unknown));
    // Its new parent may take its time to wait for it.
    let rest = task::spawn_blocking(move || io::copy(&mut pipe, &mut io::sink()));
    assert_eq!(rest.await.expect("no panic").expect("a pipe"), 0);
    assert_eq!(next(&mut cluster).await, Survivors::new());
}
