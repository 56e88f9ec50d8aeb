//! An executor's first steps: from a request, past the fork, to its own code.

use std::{
    ffi::CString,
    fs::File,
    io::{self, Write},
    os::fd::OwnedFd,
    panic::{AssertUnwindSafe, catch_unwind},
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, open, openat},
    sys::{
        prctl,
        resource::{RLIM_INFINITY, Resource, setrlimit},
        signal::{SigSet, SigmaskHow, sigprocmask},
        stat::Mode,
    },
    unistd::{
        self, Gid, Uid, User, dup2_stderr, dup2_stdout, execvp, fchdir, fchown, geteuid,
        initgroups, setgid, setsid, setuid,
    },
};

use super::{
    ExecutorStart, LaunchRequest, Limit, LimitKind, What, brood::ANSWER_BYTES_MAX, raw,
    zygote::RunExecutor,
};

/// The exit status of an executor that could not be set up, as `sysexits.h` has it (EX_OSERR).
const EXIT_SETUP: i32 = 71;
/// The exit status of a built-in executor that panicked, as Rust has it.
const EXIT_PANIC: i32 = 101;

/// A launch that was checked: the errors a user can cause come before the fork, where they can be
/// answered at once.
#[derive(Debug)]
pub(super) struct Prepared {
    request: LaunchRequest,
    sandbox: OwnedFd,
    /// Whom to become, when it is not who we are.
    user: Option<User>,
}

impl Prepared {
    /// Checks a request. Looking up the user may take as long as the system's name service does.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub(super) fn new(request: LaunchRequest) -> Result<Prepared, String> {
        // Through the last component only: the path above it is the agent's own.
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_RDONLY;
        let sandbox = open(&request.sandbox, flags, Mode::empty())
            .map_err(|errno| format!("sandbox {}: {}", request.sandbox.display(), text(errno)))?;
        let user = match &request.user {
            Some(name) => other_user(name)?,
            None => None,
        };
        Ok(Prepared {
            request,
            sandbox,
            user,
        })
    }

    /// Whether success shows only in the child, which then answers through a pipe.
    pub(super) fn executes(&self) -> bool {
        matches!(self.request.what, What::Command { .. })
    }

    /// Turns a process just forked into the executor. `inherited` are the zygote's descriptors;
    /// `answer` takes the reason when a program cannot be executed, and closes when it was.
    pub(super) fn become_executor(
        self,
        run: RunExecutor,
        inherited: &[i32],
        answer: Option<OwnedFd>,
    ) -> ! {
        let failure = match self.set_up(inherited) {
            Ok(()) => match self.request.what {
                What::Builtin { start } => {
                    drop(self.sandbox);
                    raw::ignore_broken_pipes(true);
                    let LaunchRequest {
                        container_id,
                        sandbox,
                        environment,
                        ..
                    } = self.request;
                    let start = ExecutorStart {
                        container_id,
                        sandbox,
                        environment,
                        start,
                    };
                    let ended = catch_unwind(AssertUnwindSafe(|| run(start)));
                    raw::exit(ended.unwrap_or(EXIT_PANIC))
                }
                What::Command {
                    shell,
                    value,
                    arguments,
                } => execute(shell, value, arguments),
            },
            Err(failure) => failure,
        };
        match answer {
            Some(pipe) => {
                let length = failure.len().min(ANSWER_BYTES_MAX);
                let _ = File::from(pipe).write_all(&failure.as_bytes()[..length]); // zygote died
            }
            None => eprintln!("executor: {failure}"),
        }
        raw::exit(EXIT_SETUP)
    }

    fn set_up(&self, inherited: &[i32]) -> Result<(), String> {
        let step = |what: &str, errno| format!("{what}: {}", text(errno));
        setsid().map_err(|errno| step("setsid", errno))?;
        // What makes `Strays` exact.
        prctl::set_child_subreaper(true).map_err(|errno| step("child subreaper", errno))?;
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
            .map_err(|errno| step("signal mask", errno))?;
        raw::ignore_broken_pipes(false);
        for descriptor in inherited {
            let _ = unistd::close(*descriptor); // open in the zygote, so open here
        }
        raw::replace_environment(&self.request.environment);
        fchdir(&self.sandbox).map_err(|errno| step("change to sandbox", errno))?;
        let stdout = self.open_output("stdout")?;
        let stderr = self.open_output("stderr")?;
        dup2_stdout(&stdout).map_err(|errno| step("stdout", errno))?;
        dup2_stderr(&stderr).map_err(|errno| step("stderr", errno))?;
        for limit in &self.request.limits {
            set_limit(*limit).map_err(|errno| step(&format!("limit {:?}", limit.kind), errno))?;
        }
        let Some(user) = &self.user else {
            return Ok(());
        };
        give(&self.sandbox, user.uid, user.gid)
            .and_then(|()| give(&stdout, user.uid, user.gid))
            .and_then(|()| give(&stderr, user.uid, user.gid))
            .map_err(|errno| step("give the sandbox away", errno))?;
        let name = CString::new(user.name.as_str()).expect("it was found by a C string");
        initgroups(&name, user.gid)
            .and_then(|()| setgid(user.gid))
            .and_then(|()| setuid(user.uid)) // last: it takes the right to do the others
            .map_err(|errno| step(&format!("become {}", user.name), errno))
    }

    /// Opens a file of output for appending. A sandbox may hold what an earlier user of it put
    /// there, so links are not followed and nothing but a file is waited for.
    fn open_output(&self, name: &str) -> Result<OwnedFd, String> {
        let flags = OFlag::O_WRONLY
            | OFlag::O_CREAT
            | OFlag::O_APPEND
            | OFlag::O_NOFOLLOW
            | OFlag::O_NONBLOCK
            | OFlag::O_CLOEXEC;
        openat(&self.sandbox, name, flags, Mode::from_bits_truncate(0o644))
            .map_err(|errno| format!("open {name}: {}", text(errno)))
    }
}

/// Replaces the process by a program; returns why not.
fn execute(shell: bool, value: String, arguments: Vec<String>) -> String {
    let (program, arguments) = match (shell, arguments.is_empty()) {
        (true, _) => (
            "/bin/sh".to_string(),
            vec!["sh".to_string(), "-c".to_string(), value],
        ),
        (false, true) => (value.clone(), vec![value]),
        (false, false) => (value, arguments),
    };
    let strings: Result<Vec<CString>, _> = arguments.into_iter().map(CString::new).collect();
    let (Ok(name), Ok(strings)) = (CString::new(program.as_str()), strings) else {
        return format!("execute {program:?}: a NUL byte in it or its arguments");
    };
    let Err(errno) = execvp(&name, &strings);
    format!("execute {program:?}: {}", text(errno))
}

/// Looks up a user to become; `None` when that is who we are already.
fn other_user(name: &str) -> Result<Option<User>, String> {
    let user = User::from_name(name)
        .map_err(|errno| format!("user {name:?}: {}", text(errno)))?
        .ok_or_else(|| format!("user {name:?}: unknown"))?;
    let me = geteuid();
    match user.uid == me {
        true => Ok(None),
        false if me.is_root() => Ok(Some(user)),
        false => Err(format!("user {name:?}: the agent does not run as root")),
    }
}

fn give(file: &OwnedFd, uid: Uid, gid: Gid) -> nix::Result<()> {
    fchown(file, Some(uid), Some(gid))
}

fn set_limit(limit: Limit) -> nix::Result<()> {
    let resource = match limit.kind {
        LimitKind::AddressSpace => Resource::RLIMIT_AS,
        LimitKind::Core => Resource::RLIMIT_CORE,
        LimitKind::Cpu => Resource::RLIMIT_CPU,
        LimitKind::Data => Resource::RLIMIT_DATA,
        LimitKind::FileSize => Resource::RLIMIT_FSIZE,
        LimitKind::LockedMemory => Resource::RLIMIT_MEMLOCK,
        LimitKind::OpenFiles => Resource::RLIMIT_NOFILE,
        LimitKind::Processes => Resource::RLIMIT_NPROC,
        LimitKind::Stack => Resource::RLIMIT_STACK,
    };
    let value = |limit: Option<u64>| limit.unwrap_or(RLIM_INFINITY);
    setrlimit(resource, value(limit.soft), value(limit.hard))
}

/// An error number in words, with its number.
fn text(errno: Errno) -> io::Error {
    errno.into()
}
