//! The launcher with real processes. This program is its own zygote, which must have one thread,
//! so it brings its own small harness.

mod alone;
mod ending;
mod starting;
mod surviving;

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

use alone::*;
use ending::*;
use starting::*;
use surviving::*;

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
    what_outlives_an_agent_is_found_by_the_next
    an_end_nobody_saw_is_told_until_it_is_written_down
    a_zygote_that_dies_is_not_found
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
            outlives_agent: false,
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
