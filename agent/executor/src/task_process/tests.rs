//! Tasks with real processes.

use nix::sys::stat::Mode;

use super::*;

fn shell(line: &str) -> TaskCommand {
    TaskCommand {
        shell: true,
        value: line.into(),
        arguments: vec![],
        environment: [("PATH".into(), "/usr/bin:/bin".into())].into(),
        directory: None,
        output: None,
    }
}

/// As `shell`, beside a named pipe called `fifo`.
fn in_directory(line: &str, directory: &Path) -> TaskCommand {
    nix::unistd::mkfifo(&directory.join("fifo"), Mode::S_IRWXU).unwrap();
    TaskCommand {
        directory: Some(directory.into()),
        ..shell(line)
    }
}

/// What is written to the pipe until all its writers have closed it.
async fn read_fifo(directory: impl AsRef<Path>) -> String {
    let path = directory.as_ref().join("fifo");
    let text = tokio::task::spawn_blocking(|| std::fs::read_to_string(path));
    text.await.unwrap().unwrap().trim().to_string()
}

fn exited(code: i32) -> Ended {
    Ended {
        exit_code: Some(code),
        signal: None,
    }
}

fn signaled(signal: Signal) -> Ended {
    Ended {
        exit_code: None,
        signal: Some(signal as i32),
    }
}

#[tokio::test]
async fn the_exit_status_is_told() {
    let mut task = TaskProcess::start(&shell("exit 3")).unwrap();
    let ended = task.wait().await.unwrap();
    assert_eq!(ended, exited(3));
    assert_eq!(ended.to_string(), "Command exited with status 3");
    assert_eq!(task.wait().await.unwrap(), ended);
}

#[tokio::test]
async fn a_program_gets_its_arguments_environment_and_directory() {
    let script = r#"test "$0 $1 $GREETING $(pwd)" = "first second hello /usr""#;
    let command = TaskCommand {
        shell: false,
        value: "sh".into(),
        arguments: ["sh", "-c", script, "first", "second"]
            .map(Into::into)
            .to_vec(),
        environment: [("PATH", "/usr/bin:/bin"), ("GREETING", "hello")]
            .map(|(name, value)| (name.into(), value.into()))
            .into(),
        directory: Some("/usr".into()),
        output: None,
    };
    let mut task = TaskProcess::start(&command).unwrap();
    assert_eq!(task.wait().await.unwrap(), exited(0));
}

#[tokio::test]
async fn a_missing_program_is_an_error() {
    let command = TaskCommand {
        shell: false,
        value: "/no/such".into(),
        ..shell("")
    };
    let error = TaskProcess::start(&command).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

#[tokio::test]
async fn a_task_that_heeds_sigterm_ends_within_its_grace() {
    let mut task = TaskProcess::start(&shell("sleep 1000")).unwrap();
    let ended = task.kill(Duration::from_secs(100)).await.unwrap();
    assert_eq!(ended, signaled(Signal::SIGTERM));
    assert_eq!(
        ended.to_string(),
        "Command terminated with signal Terminated"
    );
}

#[tokio::test]
async fn a_task_that_ignores_sigterm_is_killed_after_its_grace() {
    let directory = tempfile::tempdir().unwrap();
    let line = "trap '' TERM; echo ready > fifo; sleep 1000";
    let mut task = TaskProcess::start(&in_directory(line, directory.path())).unwrap();
    assert_eq!(read_fifo(directory.path()).await, "ready");
    let ended = task.kill(Duration::from_millis(1)).await.unwrap();
    assert_eq!(ended, signaled(Signal::SIGKILL));
    assert_eq!(ended.to_string(), "Command terminated with signal Killed");
}

#[tokio::test]
async fn nothing_of_the_group_survives_the_task() {
    let directory = tempfile::tempdir().unwrap();
    // The last writer closes the pipe: reading to its end is waiting for the death of all.
    let line = "exec 3> fifo; sleep 1000 & echo left >&3";
    let mut task = TaskProcess::start(&in_directory(line, directory.path())).unwrap();
    let left = tokio::spawn(read_fifo(directory.path().to_path_buf()));
    assert_eq!(task.wait().await.unwrap(), exited(0));
    assert_eq!(left.await.unwrap(), "left");
}

#[tokio::test]
async fn a_dropped_task_is_killed() {
    let task = TaskProcess::start(&shell("sleep 1000")).unwrap();
    let pid = Pid::from_raw(task.pid() as i32);
    drop(task);
    assert_eq!(nix::sys::signal::kill(pid, None), Err(Errno::ESRCH));
}

#[tokio::test]
async fn what_a_task_left_is_waited_for_and_the_task_is_not_taken_from_its_owner() {
    nix::sys::prctl::set_child_subreaper(true).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let line = "(setsid sh -c 'echo $$ > fifo' &); exit 3";
    let mut task = TaskProcess::start(&in_directory(line, directory.path())).unwrap();
    drop(task.ended.readable().await.unwrap());
    let left = read_fifo(directory.path().to_path_buf()).await;
    while Path::new("/proc").join(&left).exists() {
        adopted::reap().unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(task.wait().await.unwrap(), exited(3));
}
