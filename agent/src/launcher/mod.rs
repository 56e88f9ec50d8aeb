//! Starting and ending executors: one operating system process each, forked by one small zygote.
//!
//! Executing the agent's program afresh for every task would cost more than most tasks do. The
//! agent therefore starts its own executable once, as the [`zygote`]: a process with one thread
//! and no runtime, that forks an executor per request. An executor that is built in goes on in
//! the forked image; any other one is executed from there. The zygote is the parent of every
//! executor, so it alone waits for them, ends what they leave behind, and reports.
//!
//! A zygote that is given a [`Survival`] goes on without its agent as long as executors do that are
//! to outlive it. A later agent finds it, hears what runs and what has ended meanwhile, and
//! starts what is new through a zygote of its own: one that is of its own version.
//!
//! [`Launcher`] is the agent's end of the socket between the two. [`Launch`] is what the agent
//! asks for, so that a simulation can start executors its own way.

mod brood;
mod child;
mod descriptors;
mod door;
mod former;
mod handle;
mod line;
mod processes;
mod raw;
mod strays;
mod sweep;
mod wire;
pub mod zygote;

pub(crate) use sweep::kill_all as end_orphans;

pub use handle::{Launcher, Survival, Survivors};

use std::{collections::BTreeMap, fmt, future::Future, path::PathBuf, pin::Pin, time::Duration};

use serde::{Deserialize, Serialize};

/// What an executor needs to be started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchRequest {
    /// Names the container in every later request and event; unique among the living.
    pub container_id: String,
    /// An existing directory: where the executor starts, and where its `stdout` and `stderr` go.
    pub sandbox: PathBuf,
    /// The user to run as, who also gets the sandbox; the agent's own user when absent. Only an
    /// agent that runs as root can name another user.
    pub user: Option<String>,
    /// The whole environment; nothing of the agent's own is added.
    pub environment: BTreeMap<String, String>,
    /// Limits set before the executor runs; those not named stay the agent's.
    pub limits: Vec<Limit>,
    /// Whether it goes on without its agent, and waits for another one to come. Only under a
    /// launcher that can be found again.
    pub outlives_agent: bool,
    /// What to run.
    pub what: What,
}

/// What runs as the executor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// The function the zygote was given, without executing anything.
    Builtin {
        /// Passed to the function as it is.
        #[serde(with = "serde_bytes")]
        start: Vec<u8>,
    },
    /// A program.
    Command {
        /// Whether `value` is a line for `/bin/sh -c`; otherwise it is a program, looked up in the
        /// `PATH` of the request's environment.
        shell: bool,
        /// The line or the program.
        value: String,
        /// The program's whole `argv`, its own name included; `value` alone when empty. Ignored
        /// with a shell.
        arguments: Vec<String>,
    },
}

/// A soft and hard limit on one resource, in the units of `setrlimit(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// What is limited.
    pub kind: LimitKind,
    /// The limit enforced; `None` is unlimited.
    pub soft: Option<u64>,
    /// How far the soft one may be raised; `None` is unlimited.
    pub hard: Option<u64>,
}

/// The resources that can be limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LimitKind {
    /// Address space, in bytes.
    AddressSpace,
    /// Size of a core file, in bytes.
    Core,
    /// CPU time, in seconds.
    Cpu,
    /// Data segment, in bytes.
    Data,
    /// Size of a file written, in bytes.
    FileSize,
    /// Memory locked, in bytes.
    LockedMemory,
    /// Open files.
    OpenFiles,
    /// Processes of the user.
    Processes,
    /// Stack, in bytes.
    Stack,
}

/// What a built-in executor is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutorStart {
    /// The container it runs in.
    pub container_id: String,
    /// Its sandbox, which is also its working directory.
    pub sandbox: PathBuf,
    /// The environment asked for, which is also the process's own.
    pub environment: BTreeMap<String, String>,
    /// The bytes of [`What::Builtin`].
    pub start: Vec<u8>,
}

/// How to end a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Destroy {
    /// Kills it, with everything it started.
    Now,
    /// Sends SIGTERM to the executor's process group, and kills what is left after `grace`.
    After {
        /// How long the executor has.
        grace: Duration,
    },
}

/// How an executor ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExitStatus {
    /// It exited by itself, with this code.
    Exited(i32),
    /// This signal ended it.
    Signaled(i32),
    /// The zygote died with it, so nobody saw.
    Unknown,
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExitStatus::Exited(code) => write!(f, "exited with status {code}"),
            ExitStatus::Signaled(signal) => write!(f, "terminated with signal {signal}"),
            ExitStatus::Unknown => f.write_str("ended with unknown status"),
        }
    }
}

/// What the launcher tells the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LauncherEvent {
    /// An executor and every process it started are gone. This may arrive before the future of
    /// its launch is polled to its end.
    Exited {
        /// Whose executor it was.
        container_id: String,
        /// The process it was.
        pid: u32,
        /// How it ended.
        status: ExitStatus,
    },
    /// The zygote is gone: no launch can succeed. Comes last, after an `Exited` for every
    /// executor that was running.
    ZygoteDied,
}

/// Why an executor was not started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// The request cannot be carried out: no sandbox, no such user, no such program.
    #[error("launch refused: {0}")]
    Refused(String),
    /// The request, mostly its environment, is larger than the launcher takes.
    #[error("launch request of {bytes} bytes is larger than {limit}")]
    TooLarge {
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        limit: usize,
    },
    /// Too many launches wait for an answer.
    #[error("too many launches under way")]
    Busy,
    /// There is no zygote.
    #[error("the zygote is gone")]
    ZygoteDied,
}

/// The answer to a launch: the executor's process id.
pub type Launching = Pin<Box<dyn Future<Output = Result<u32, LaunchError>> + Send>>;

/// Starts and ends executors. What becomes of them arrives as [`LauncherEvent`]s, on a channel
/// that comes with the implementation.
pub trait Launch: Send + Sync {
    /// Starts an executor. It is under way when this returns, whether or not the future is polled.
    fn launch(&self, request: LaunchRequest) -> Launching;

    /// Ends a container; its `Exited` follows. A container that is unknown, because it is gone, is
    /// left alone.
    fn destroy(&self, container_id: &str, how: Destroy);

    /// It is written down how a container that outlives agents ended, so that a later agent need
    /// not hear of it.
    fn settled(&self, _container_id: &str) {}
}
