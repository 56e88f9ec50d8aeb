//! The launcher with real processes. This program is its own zygote, which must have one thread,
//! so it brings its own small harness.

use std::{
    fs::{self, File},
    future::Future,
    io::{self, Read, Write},
    os::{fd::OwnedFd, unix::fs::MetadataExt, unix::net::UnixStream},
    path::PathBuf,
    process::{Child, Command, ExitCode, Stdio},
    time::Duration,
};

use agent::launcher::{
    Destroy, ExecutorStart, ExitStatus, Launch, LaunchError, LaunchRequest, Launcher,
    LauncherEvent, Limit, LimitKind, What, zygote,
};
use nix::{
    errno::Errno,
    sys::signal::{Signal, kill, raise},
    sys::stat::Mode,
    unistd::{Pid, User, geteuid, mkfifo},
};
use tempfile::TempDir;
use tokio::{runtime, sync::mpsc, task, time};

/// The longest any test may take: far more than all of them together do.
const TEST_MAX: Duration = Duration::from_secs(60);

macro_rules! tests {
    ($($name:ident)*) => {
        fn main() -> ExitCode {
            let filter = std::env::args().nth(1).unwrap_or_default();
            if filter == "zygote" {
                zygote::main(run_executor)
            }
            $(if stringify!($name).contains(&filter) {
                println!("test {} ...", stringify!($name));
                run_test($name);
            })*
            ExitCode::SUCCESS
        }
    };
}

tests! {
    a_builtin_executor_runs_in_its_sandbox_with_its_environment
    a_command_runs_with_its_arguments_and_output_is_appended
    exit_codes_and_signals_are_told_apart
    a_real_time_signal_does_not_stop_the_zygote
    what_cannot_run_is_refused_with_its_reason
    a_container_id_is_free_again_after_a_refusal_and_an_exit
    killing_an_executor_kills_its_task_tree
    what_a_task_left_running_dies_with_its_executor
    strays_of_one_container_do_not_harm_another
    a_container_with_grace_ends_by_itself_or_is_killed
    two_hundred_executors_run_at_once
    limits_hold
    an_executor_inherits_no_descriptors
    a_user_switch_takes_all_rights
    a_dropped_launcher_leaves_nothing_running
    an_agent_that_dies_leaves_nothing_running
    garbage_ends_the_zygote_and_its_executors
    a_killed_zygote_takes_its_executors_along
    a_zygote_without_an_agent_refuses_to_start
}

/// The built-in executor of these tests: does what its start says.
fn run_executor(start: ExecutorStart) -> i32 {
    match String::from_utf8_lossy(&start.start).split_once(' ') {
        Some(("exit", code)) => code.parse().expect("a number"),
        Some(("panic", why)) => panic!("{why}"),
        Some(("raise", "SIGKILL")) => raise(Signal::SIGKILL).map_or(1, |()| 0),
        Some(("sh", line)) => {
            let status = Command::new("/bin/sh")
                .arg("-c")
                .arg(line)
                .status()
                .expect("a shell");
            status.code().unwrap_or(1)
        }
        Some(("look", _)) => {
            let directory = std::env::current_dir().expect("a working directory");
            let variables: Vec<_> = std::env::vars().collect();
            println!("{} {variables:?}", directory == start.sandbox);
            eprintln!("{}", start.container_id);
            0
        }
        other => panic!("{other:?}"),
    }
}

fn run_test<F: Future<Output = ()>>(test: fn(Cluster) -> F) {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let local = task::LocalSet::new();
    local.block_on(&runtime, async {
        let test = test(Cluster::start());
        time::timeout(TEST_MAX, test)
            .await
            .expect("the test ends in time");
    });
}

/// A launcher, its events, and a directory for sandboxes.
struct Cluster {
    launcher: Launcher,
    events: mpsc::UnboundedReceiver<LauncherEvent>,
    directory: TempDir,
}

impl Cluster {
    fn start() -> Cluster {
        let (launcher, events) = Launcher::start(&executable(), &["zygote"]).expect("a zygote");
        Cluster {
            launcher,
            events,
            directory: tempfile::tempdir().expect("a directory"),
        }
    }

    /// A request with a sandbox that has a named pipe `fifo` in it.
    fn request(&self, id: &str, what: What) -> LaunchRequest {
        let sandbox = self.directory.path().join(id);
        if !sandbox.exists() {
            fs::create_dir(&sandbox).expect("a sandbox");
            mkfifo(&sandbox.join("fifo"), Mode::S_IRWXU).expect("a pipe");
        }
        let environment = [("PATH".to_string(), "/usr/bin:/bin".to_string())].into();
        let (container_id, user, limits) = (id.to_string(), None, vec![]);
        LaunchRequest {
            container_id,
            sandbox,
            user,
            environment,
            limits,
            what,
        }
    }

    async fn launch(&self, id: &str, what: What) -> u32 {
        self.launcher
            .launch(self.request(id, what))
            .await
            .expect("a launch")
    }

    async fn refusal(&self, request: LaunchRequest) -> String {
        match self.launcher.launch(request).await {
            Err(LaunchError::Refused(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    /// The next event, which must be the end of a container.
    async fn exit(&mut self) -> (String, ExitStatus) {
        match self.events.recv().await {
            Some(LauncherEvent::Exited {
                container_id,
                status,
                ..
            }) => (container_id, status),
            other => panic!("{other:?}"),
        }
    }

    fn output(&self, id: &str, file: &str) -> String {
        fs::read_to_string(self.directory.path().join(id).join(file)).expect("an output")
    }

    /// Opens a container's pipe for reading, as soon as something writes to it.
    async fn fifo(&self, id: &str) -> File {
        let path = self.directory.path().join(id).join("fifo");
        task::spawn_blocking(|| File::open(path))
            .await
            .expect("no panic")
            .expect("a pipe")
    }

    /// Waits until a container has written a line to its pipe.
    async fn ready(&self, id: &str) {
        read_line(&mut self.fifo(id).await);
    }
}

fn executable() -> PathBuf {
    std::env::current_exe().expect("a path")
}

fn builtin(start: &str) -> What {
    What::Builtin {
        start: start.into(),
    }
}

fn shell(line: &str) -> What {
    What::Command {
        shell: true,
        value: line.into(),
        arguments: vec![],
    }
}

fn program(value: &str, arguments: &[&str]) -> What {
    let arguments = arguments.iter().map(ToString::to_string).collect();
    What::Command {
        shell: false,
        value: value.into(),
        arguments,
    }
}

fn read_line(pipe: &mut File) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while pipe.read(&mut byte).expect("a readable pipe") == 1 && byte != *b"\n" {
        line.push(byte[0]);
    }
    String::from_utf8(line).expect("text")
}

fn is_gone(pid: i32) -> bool {
    kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH)
}

/// A shell that starts a child, and one in a session of its own whose parent is gone, writes their
/// pids to the pipe and waits. All of them keep the pipe open.
const TREE: &str = "exec 3>fifo; sleep 1000 & setsid sh -c 'sleep 1000 & echo $! >&3; sleep 1000' & \
                    echo $! >&3; (setsid sleep 1000 & echo $! >&3); wait";

/// Reads the pids `TREE` writes.
fn read_tree(pipe: &mut File) -> Vec<i32> {
    (0..3)
        .map(|_| read_line(pipe).parse().expect("a pid"))
        .collect()
}

async fn a_builtin_executor_runs_in_its_sandbox_with_its_environment(mut cluster: Cluster) {
    cluster.launch("a", builtin("look ")).await;
    assert_eq!(cluster.exit().await, ("a".into(), ExitStatus::Exited(0)));
    assert_eq!(
        cluster.output("a", "stdout"),
        "true [(\"PATH\", \"/usr/bin:/bin\")]\n"
    );
    assert_eq!(cluster.output("a", "stderr"), "a\n");
}

async fn a_command_runs_with_its_arguments_and_output_is_appended(mut cluster: Cluster) {
    cluster
        .launch(
            "a",
            program("sh", &["sh", "-c", "echo $0 $#; pwd", "x", "y"]),
        )
        .await;
    assert_eq!(cluster.exit().await, ("a".into(), ExitStatus::Exited(0)));
    cluster.launch("a", program("echo", &[])).await;
    assert_eq!(cluster.exit().await, ("a".into(), ExitStatus::Exited(0)));
    let sandbox = cluster.directory.path().join("a");
    assert_eq!(
        cluster.output("a", "stdout"),
        format!("x 1\n{}\n\n", sandbox.display())
    );
}

async fn exit_codes_and_signals_are_told_apart(mut cluster: Cluster) {
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

async fn a_real_time_signal_does_not_stop_the_zygote(mut cluster: Cluster) {
    cluster.launch("a", shell("kill -40 $$")).await;
    assert_eq!(cluster.exit().await, ("a".into(), ExitStatus::Signaled(40)));
    cluster.launch("b", builtin("exit 0")).await;
    assert_eq!(cluster.exit().await, ("b".into(), ExitStatus::Exited(0)));
}

async fn what_cannot_run_is_refused_with_its_reason(cluster: Cluster) {
    let mut homeless = cluster.request("a", builtin("exit 0"));
    homeless.sandbox = "/no/such/sandbox".into();
    let why = cluster.refusal(homeless).await;
    assert!(
        why.starts_with("sandbox /no/such/sandbox: No such file"),
        "{why}"
    );

    let why = cluster
        .refusal(cluster.request("a", program("/no/such/program", &[])))
        .await;
    assert!(
        why.starts_with("execute \"/no/such/program\": No such file"),
        "{why}"
    );

    let mut nobody = cluster.request("a", builtin("exit 0"));
    nobody.user = Some("no such user".into());
    assert_eq!(
        cluster.refusal(nobody).await,
        "user \"no such user\": unknown"
    );

    let mut planted = cluster.request("a", shell("true"));
    planted.sandbox = cluster.directory.path().join("link");
    std::os::unix::fs::symlink("/", &planted.sandbox).expect("a link");
    let why = cluster.refusal(planted).await;
    assert!(why.ends_with("(os error 20)"), "{why}");

    let planted = cluster.request("planted", shell("true"));
    std::os::unix::fs::symlink("fifo", planted.sandbox.join("stdout")).expect("a link");
    let why = cluster.refusal(planted).await;
    assert!(why.starts_with("open stdout: "), "{why}");

    let mut large = cluster.request("a", builtin("exit 0"));
    large
        .environment
        .insert("X".into(), "x".repeat(1024 * 1024));
    assert!(matches!(
        cluster.launcher.launch(large).await,
        Err(LaunchError::TooLarge { .. })
    ));
}

async fn a_container_id_is_free_again_after_a_refusal_and_an_exit(mut cluster: Cluster) {
    cluster
        .refusal(cluster.request("a", program("/no/such/program", &[])))
        .await;
    cluster.launch("a", shell("read line < fifo")).await;
    let why = cluster
        .refusal(cluster.request("a", builtin("exit 0")))
        .await;
    assert_eq!(why, "container a runs already");
    cluster.launcher.destroy("a", Destroy::Now);
    assert_eq!(cluster.exit().await, ("a".into(), ExitStatus::Signaled(9)));
    cluster.launch("a", builtin("exit 0")).await;
    assert_eq!(cluster.exit().await, ("a".into(), ExitStatus::Exited(0)));
}

async fn killing_an_executor_kills_its_task_tree(mut cluster: Cluster) {
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

async fn what_a_task_left_running_dies_with_its_executor(mut cluster: Cluster) {
    cluster
        .launch("a", shell("exec 3>fifo; setsid sleep 1000 & echo $! >&3"))
        .await;
    let left = read_line(&mut cluster.fifo("a").await)
        .parse()
        .expect("a pid");
    assert_eq!(cluster.exit().await, ("a".into(), ExitStatus::Exited(0)));
    assert!(is_gone(left));
}

async fn strays_of_one_container_do_not_harm_another(mut cluster: Cluster) {
    cluster.launch("a", shell(TREE)).await;
    let mut pipe = cluster.fifo("a").await;
    let pids = read_tree(&mut pipe);
    cluster
        .launch("b", shell("setsid sleep 1000 & exit 0"))
        .await;
    assert_eq!(cluster.exit().await, ("b".into(), ExitStatus::Exited(0)));
    assert!(pids.into_iter().all(|pid| !is_gone(pid)));
}

async fn a_container_with_grace_ends_by_itself_or_is_killed(mut cluster: Cluster) {
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

async fn two_hundred_executors_run_at_once(mut cluster: Cluster) {
    let names: Vec<String> = (0..200).map(|number| format!("{number:03}")).collect();
    for name in &names {
        cluster
            .launch(name, builtin("sh echo > fifo; sleep 1000"))
            .await;
    }
    for name in &names {
        cluster.ready(name).await;
    }
    for name in &names {
        cluster.launcher.destroy(name, Destroy::Now);
    }
    let mut ended = Vec::new();
    for _ in &names {
        let (name, status) = cluster.exit().await;
        assert_eq!(status, ExitStatus::Signaled(9));
        ended.push(name);
    }
    ended.sort();
    assert_eq!(ended, names);
}

async fn limits_hold(mut cluster: Cluster) {
    let mut request = cluster.request("a", shell("ulimit -Sn; ulimit -Hn; umask"));
    request.limits = vec![Limit {
        kind: LimitKind::OpenFiles,
        soft: Some(50),
        hard: Some(60),
    }];
    cluster.launcher.launch(request).await.expect("a launch");
    cluster.exit().await;
    assert_eq!(cluster.output("a", "stdout"), "50\n60\n0022\n");
}

async fn an_executor_inherits_no_descriptors(mut cluster: Cluster) {
    // A program still being started keeps a pipe open in the zygote.
    let line = "for file in /proc/self/fd/*; do readlink $file; done | sort; cat < /dev/stdin";
    let starting = cluster.launcher.launch(cluster.request("a", shell(line)));
    cluster.launch("b", builtin(&format!("sh {line}"))).await;
    starting.await.expect("a launch");
    let (first, second) = (cluster.exit().await, cluster.exit().await);
    assert_eq!(
        (first.1, second.1),
        (ExitStatus::Exited(0), ExitStatus::Exited(0))
    );
    for id in ["a", "b"] {
        let text = cluster.output(id, "stdout");
        let sandbox = format!("{}/{id}", cluster.directory.path().display());
        // The pipe to `sort` is the script's own, as is the directory it reads.
        let foreign = text.lines().filter(|file| {
            let own = file.starts_with(&sandbox) || *file == "/dev/null";
            !own && !file.starts_with("pipe:") && !file.starts_with("/proc/")
        });
        assert_eq!(foreign.collect::<Vec<_>>(), Vec::<&str>::new());
        assert!(
            text.lines()
                .filter(|file| file.starts_with("pipe:"))
                .count()
                <= 1,
            "{text}"
        );
    }
}

async fn a_user_switch_takes_all_rights(mut cluster: Cluster) {
    let Some(nobody) = User::from_name("nobody")
        .expect("users")
        .filter(|_| geteuid().is_root())
    else {
        return println!("skipped: needs root, and a user nobody");
    };
    // Others cannot enter a temporary directory otherwise.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(cluster.directory.path(), open).expect("our directory");
    for (id, what) in [
        ("a", shell("id -u; id -G; touch mine")),
        ("b", builtin("sh id -u; id -G")),
    ] {
        let mut request = cluster.request(id, what);
        request.user = Some("nobody".into());
        let sandbox = request.sandbox.clone();
        cluster.launcher.launch(request).await.expect("a launch");
        assert_eq!(cluster.exit().await, (id.into(), ExitStatus::Exited(0)));
        let expected = format!("{}\n{}\n", nobody.uid, nobody.gid);
        assert_eq!(cluster.output(id, "stdout"), expected);
        for file in [
            sandbox.clone(),
            sandbox.join("stdout"),
            sandbox.join("stderr"),
        ] {
            let owner = fs::metadata(&file).expect("a file").uid();
            assert_eq!(owner, nobody.uid.as_raw(), "{}", file.display());
        }
    }
}

async fn a_dropped_launcher_leaves_nothing_running(cluster: Cluster) {
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

async fn an_agent_that_dies_leaves_nothing_running(cluster: Cluster) {
    let (zygote, mut socket) = bare_zygote();
    let pids = launch_stubborn(&cluster, &mut socket).await;
    drop(socket);
    assert_eq!(last_words(zygote).await, (true, String::new()));
    assert!(pids.into_iter().all(is_gone));
}

async fn garbage_ends_the_zygote_and_its_executors(cluster: Cluster) {
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

async fn a_killed_zygote_takes_its_executors_along(mut cluster: Cluster) {
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

async fn a_zygote_without_an_agent_refuses_to_start(_: Cluster) {
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
