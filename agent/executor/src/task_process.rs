//! The one process a command executor runs: started, waited for, ended with its whole group.
//!
//! It is started through the standard library's `posix_spawn` path, which shares memory with the
//! executor until the program is executed instead of copying it; anything to be run between
//! fork and exec would give that up, so there is no parent-death signal. None is needed: who runs
//! the executor kills what it leaves behind.

mod adopted;

use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    io,
    os::{
        fd::{FromRawFd, OwnedFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use nix::{
    errno::Errno,
    libc,
    sys::signal::{Signal, killpg},
    unistd::{AccessFlags, Pid, access},
};
use tokio::{io::unix::AsyncFd, time::timeout};

/// Where programs are looked up without a `PATH`, as in `execvp(3)`.
const PATH_DEFAULT: &str = "/bin:/usr/bin";

/// How often the dead that tasks left to the executor are waited for. Nothing but a pid is held
/// by them, so this need not be soon.
const REAP_EVERY: Duration = Duration::from_secs(10);

/// What a task runs.
#[derive(Debug)]
pub struct TaskCommand {
    /// Whether `value` is a line for `/bin/sh -c`; otherwise it is a program, looked up in the
    /// `PATH` of `environment`.
    pub shell: bool,
    /// The line or the program.
    pub value: String,
    /// The program's whole `argv`, its own name included; `value` alone when empty. Ignored with
    /// a shell.
    pub arguments: Vec<String>,
    /// The whole environment; nothing of the executor's own is added.
    pub environment: BTreeMap<String, String>,
    /// The working directory; the executor's own when absent.
    pub directory: Option<PathBuf>,
    /// Where its output goes; where the executor's own goes when absent.
    pub output: Option<TaskOutput>,
}

/// The files a task writes its output to.
#[derive(Debug)]
pub struct TaskOutput {
    /// What it prints.
    pub stdout: File,
    /// What it complains of.
    pub stderr: File,
}

/// How a task ended: exactly one of the two is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The status it exited with.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
}

impl Ended {
    /// Whether it exited with status 0.
    pub fn is_success(&self) -> bool {
        self.exit_code == Some(0)
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.exit_code, self.signal) {
            (Some(code), _) => write!(f, "Command exited with status {code}"),
            (None, Some(signal)) => write!(f, "Command terminated with signal {}", name(signal)),
            (None, None) => f.write_str("Command ended in an unknown way"),
        }
    }
}

/// A signal's description, as `strsignal(3)` has it for those that end tasks.
fn name(signal: i32) -> String {
    let name = match Signal::try_from(signal) {
        Ok(Signal::SIGHUP) => "Hangup",
        Ok(Signal::SIGINT) => "Interrupt",
        Ok(Signal::SIGQUIT) => "Quit",
        Ok(Signal::SIGILL) => "Illegal instruction",
        Ok(Signal::SIGTRAP) => "Trace/breakpoint trap",
        Ok(Signal::SIGABRT) => "Aborted",
        Ok(Signal::SIGBUS) => "Bus error",
        Ok(Signal::SIGFPE) => "Floating point exception",
        Ok(Signal::SIGKILL) => "Killed",
        Ok(Signal::SIGUSR1) => "User defined signal 1",
        Ok(Signal::SIGSEGV) => "Segmentation fault",
        Ok(Signal::SIGUSR2) => "User defined signal 2",
        Ok(Signal::SIGPIPE) => "Broken pipe",
        Ok(Signal::SIGALRM) => "Alarm clock",
        Ok(Signal::SIGTERM) => "Terminated",
        Ok(Signal::SIGXCPU) => "CPU time limit exceeded",
        Ok(Signal::SIGXFSZ) => "File size limit exceeded",
        Ok(Signal::SIGSYS) => "Bad system call",
        Ok(other) => other.as_str(),
        Err(_) => return format!("{signal}"), // a real-time signal
    };
    name.to_string()
}

/// A running task: the leader of a process group of its own. Its output goes where its command
/// says, its input is empty. Dropping it kills the group.
#[derive(Debug)]
pub struct TaskProcess {
    child: Child,
    /// Becomes readable when the leader ended.
    ended: AsyncFd<OwnedFd>,
    /// Set when the leader was waited for: its pid, and so the group's, may be another's.
    result: Option<Ended>,
}

impl TaskProcess {
    /// Starts `command`. Must be called within a tokio runtime that has I/O and time
    /// enabled.
    ///
    /// # Errors
    /// When there is no such program or directory, or no room for one more process.
    pub fn start(command: &TaskCommand) -> io::Result<TaskProcess> {
        let TaskCommand {
            shell,
            value,
            arguments,
            environment,
            directory,
            output,
        } = command;
        let mut started = match (shell, arguments.split_first()) {
            (true, _) => {
                let mut started = Command::new("/bin/sh");
                started.arg0("sh").arg("-c").arg(value);
                started
            }
            (false, None) => {
                let mut started = Command::new(find(value, environment)?);
                started.arg0(value);
                started
            }
            (false, Some((name, rest))) => {
                let mut started = Command::new(find(value, environment)?);
                started.arg0(name).args(rest);
                started
            }
        };
        started
            .env_clear()
            .envs(environment)
            .process_group(0)
            .stdin(Stdio::null());
        if let Some(directory) = directory {
            started.current_dir(directory);
        }
        if let Some(TaskOutput { stdout, stderr }) = output {
            started
                .stdout(stdout.try_clone()?)
                .stderr(stderr.try_clone()?);
        }
        let mut child = {
            let mut tasks = adopted::tasks();
            let child = started.spawn()?;
            tasks.insert(child.id());
            child
        };
        match open_pidfd(&child).and_then(watch) {
            Ok(ended) => Ok(TaskProcess {
                child,
                ended,
                result: None,
            }),
            Err(error) => {
                kill_group(&child, Signal::SIGKILL);
                let _ = reap(&mut child); // it was killed; the error is what is worth telling
                Err(error)
            }
        }
    }

    /// The process id, which is also its group's.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the task to end, then kills what is left of its group. Can be cancelled and
    /// called again, also after the end.
    ///
    /// # Errors
    /// When the system does not say, which it has no reason to.
    pub async fn wait(&mut self) -> io::Result<Ended> {
        if let Some(ended) = self.result {
            return Ok(ended);
        }
        // The readiness is not cleared: the descriptor stays readable.
        while let Err(_elapsed) = timeout(REAP_EVERY, self.ended.readable()).await {
            let _ = adopted::reap(); // without a list of children they stay a while longer
        }
        // The leader is dead and was not waited for, so the group is certainly still its own.
        kill_group(&self.child, Signal::SIGKILL);
        let status = reap(&mut self.child)?;
        let ended = Ended {
            exit_code: status.code(),
            signal: status.signal(),
        };
        self.result = Some(ended);
        Ok(ended)
    }

    /// Sends `signal` to the whole group; does nothing after the end.
    pub fn signal(&self, signal: Signal) {
        if self.result.is_none() {
            kill_group(&self.child, signal);
        }
    }

    /// Ends the task: SIGTERM to its group, and SIGKILL when it still runs after `grace`.
    ///
    /// # Errors
    /// As for [`TaskProcess::wait`].
    pub async fn kill(&mut self, grace: Duration) -> io::Result<Ended> {
        self.signal(Signal::SIGTERM);
        if let Ok(ended) = timeout(grace, self.wait()).await {
            return ended;
        }
        self.signal(Signal::SIGKILL);
        self.wait().await
    }
}

impl Drop for TaskProcess {
    fn drop(&mut self) {
        if self.result.is_none() {
            kill_group(&self.child, Signal::SIGKILL);
            let _ = reap(&mut self.child); // at once, as it was killed
        }
    }
}

/// Finds a program as a shell would, in the `PATH` of `environment`. The standard library searches
/// too, but gives up `posix_spawn` for it.
fn find(program: &str, environment: &BTreeMap<String, String>) -> io::Result<PathBuf> {
    if program.contains('/') {
        return Ok(program.into());
    }
    let path = environment.get("PATH").map_or(PATH_DEFAULT, String::as_str);
    path.split(':')
        .map(|directory| Path::new(directory).join(program))
        .find(|file| access(file, AccessFlags::X_OK).is_ok() && file.is_file())
        .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
}

/// Waits for a child that is dead or dying.
fn reap(child: &mut Child) -> io::Result<ExitStatus> {
    let status = child.wait();
    adopted::tasks().remove(&child.id());
    status
}

/// Signals the group `child` leads. It must not have been waited for.
fn kill_group(child: &Child, signal: Signal) {
    let _ = killpg(Pid::from_raw(child.id() as i32), signal); // refused only when it is dead
}

/// Opens a descriptor of a child, readable from its end on.
#[expect(unsafe_code, reason = "neither std nor nix has a stable pidfd")]
fn open_pidfd(child: &Child) -> io::Result<OwnedFd> {
    // SAFETY: the call takes two numbers and touches no memory.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_open, child.id(), 0) };
    let descriptor = Errno::result(result)? as i32;
    // SAFETY: the descriptor was just opened, and this is its only owner.
    let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
    Ok(descriptor)
}

/// Has the runtime wait for a descriptor.
#[expect(
    unsafe_code,
    reason = "tokio cannot know which types keep their descriptor open"
)]
fn watch(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is one descriptor, open until it is dropped, and nothing takes it out
    // of the `AsyncFd` before that is dropped too.
    Ok(unsafe { AsyncFd::register(descriptor) }?)
}

#[cfg(test)]
mod tests;
