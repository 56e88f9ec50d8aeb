//! One of the two is gone, agent or zygote: nothing goes on without it.

use super::*;

pub(crate) async fn a_dropped_launcher_leaves_nothing_running(cluster: Cluster) {
    cluster.launch("a", shell(TREE)).await;
    let pids = read_tree(&mut cluster.fifo("a").await);
    let Cluster {
        launcher,
        mut events,
        directory: _directory,
    } = cluster;
    drop(launcher);
    let ended = events.recv().await;
    assert!(
        matches!(ended, Some(LauncherEvent::Exited { .. })),
        "{ended:?}"
    );
    assert_eq!(events.recv().await, Some(LauncherEvent::ZygoteDied));
    assert_eq!(events.recv().await, None);
    assert!(pids.into_iter().all(is_gone));
}

/// A zygote without a launcher, and the end of its socket.
fn bare_zygote() -> (Child, UnixStream) {
    let (ours, theirs) = UnixStream::pair().expect("sockets");
    let stdin = Stdio::from(OwnedFd::from(theirs));
    let mut zygote = Command::new(executable());
    zygote.arg("zygote").stdin(stdin).stderr(Stdio::piped());
    (zygote.spawn().expect("a zygote"), ours)
}

/// Asks a bare zygote for a shell that never ends by itself, not even when asked.
async fn launch_stubborn(cluster: &Cluster, socket: &mut UnixStream) -> Vec<i32> {
    #[derive(serde::Serialize)]
    enum Request {
        Launch { token: u64, request: LaunchRequest },
    }
    let request = cluster.request("a", shell(&format!("trap '' TERM; {TREE}")));
    let body = rmp_serde::to_vec_named(&Request::Launch { token: 1, request }).expect("a body");
    socket
        .write_all(&(body.len() as u32).to_le_bytes())
        .expect("a socket");
    socket.write_all(&body).expect("a socket");
    read_tree(&mut cluster.fifo("a").await)
}

/// Waits for a bare zygote to end; returns whether it was content, and what it said.
async fn last_words(zygote: Child) -> (bool, String) {
    let output = task::spawn_blocking(|| zygote.wait_with_output())
        .await
        .expect("no panic");
    let output = output.expect("an output");
    (
        output.status.success(),
        String::from_utf8(output.stderr).expect("text"),
    )
}

pub(crate) async fn an_agent_that_dies_leaves_nothing_running(cluster: Cluster) {
    let (zygote, mut socket) = bare_zygote();
    let pids = launch_stubborn(&cluster, &mut socket).await;
    drop(socket);
    assert_eq!(last_words(zygote).await, (true, String::new()));
    assert!(pids.into_iter().all(is_gone));
}

pub(crate) async fn garbage_ends_the_zygote_and_its_executors(cluster: Cluster) {
    for garbage in [&[0xff; 64][..], &[3, 0, 0, 0, 0xc1, 0xc1, 0xc1]] {
        let (zygote, mut socket) = bare_zygote();
        let pids = launch_stubborn(&cluster, &mut socket).await;
        socket.write_all(garbage).expect("a socket");
        let (content, words) = last_words(zygote).await;
        assert!(
            !content && words.starts_with("zygote: the agent sent nonsense: "),
            "{words}"
        );
        assert!(pids.into_iter().all(is_gone));
    }
}

pub(crate) async fn a_killed_zygote_takes_its_executors_along(mut cluster: Cluster) {
    cluster.launch("a", builtin(&format!("sh {TREE}"))).await;
    let mut pipe = cluster.fifo("a").await;
    read_tree(&mut pipe);
    kill(
        Pid::from_raw(cluster.launcher.zygote() as i32),
        Signal::SIGKILL,
    )
    .expect("a zygote");
    assert_eq!(cluster.exit().await, ("a".into(), ExitStatus::Unknown));
    assert_eq!(cluster.events.recv().await, Some(LauncherEvent::ZygoteDied));
    // All of the tree held the pipe open, and their new parent may take its time to wait for them.
    let rest = task::spawn_blocking(move || io::copy(&mut pipe, &mut io::sink()));
    assert_eq!(rest.await.expect("no panic").expect("a pipe"), 0);
    let refused = cluster
        .launcher
        .launch(cluster.request("b", builtin("exit 0")))
        .await;
    assert_eq!(refused, Err(LaunchError::ZygoteDied));
}

pub(crate) async fn a_zygote_without_an_agent_refuses_to_start(_: Cluster) {
    let zygote = Command::new(executable())
        .arg("zygote")
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a process");
    let (content, words) = last_words(zygote).await;
    assert!(
        !content && words.starts_with("zygote: standard input is not"),
        "{words}"
    );
}
