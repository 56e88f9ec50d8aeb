//! The calls the compiler cannot vouch for: all of this module is for a process with one thread.

use std::{
    collections::BTreeMap,
    env,
    io::{self, Write},
    os::unix::process::CommandExt,
    process::{Command, Stdio},
};

use nix::{
    errno::Errno,
    libc,
    sys::signal::{self, SigHandler, Signal},
    unistd::{self, ForkResult, Pid},
};

use super::ExitStatus;

/// Forks.
///
/// # Errors
/// When the process, user or system has no room for one more.
#[expect(unsafe_code, reason = "forking is what a zygote is for")]
pub(super) fn fork() -> io::Result<ForkResult> {
    // SAFETY: `zygote::main` refuses to run beside other threads and starts none, so no lock is
    // held by a thread that the child lacks: the child may run any code, allocation included.
    Ok(unsafe { unistd::fork() }?)
}

/// Waits for a child that is dead already; `None` when there is none.
///
/// Not by nix, which takes the child and then returns only an error when a real-time signal ended
/// it: any task could stop the zygote that way.
///
/// # Errors
/// When the system call fails, which it has no reason to.
#[expect(
    unsafe_code,
    reason = "nix has no name for the signals that may end a child"
)]
pub(super) fn wait_for_any() -> io::Result<Option<(Pid, ExitStatus)>> {
    let mut status = 0;
    // SAFETY: `status` is writable for the length of the call.
    match Errno::result(unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) }) {
        Ok(0) | Err(Errno::ECHILD) => Ok(None),
        Ok(pid) if libc::WIFEXITED(status) => Ok(Some((
            Pid::from_raw(pid),
            ExitStatus::Exited(libc::WEXITSTATUS(status)),
        ))),
        // Stopped and continued children were not asked for.
        Ok(pid) => Ok(Some((
            Pid::from_raw(pid),
            ExitStatus::Signaled(libc::WTERMSIG(status)),
        ))),
        Err(errno) => Err(errno.into()),
    }
}

/// Makes `variables` the whole environment of this process.
///
/// A name or value that no environment can hold (`=` or a NUL byte in it) is left out.
#[expect(
    unsafe_code,
    reason = "an executor that is not executed needs its environment too"
)]
pub(super) fn replace_environment(variables: &BTreeMap<String, String>) {
    // SAFETY: no other thread exists that could read the environment meanwhile.
    unsafe {
        let _ = nix::env::clearenv(); // fails on no system that has fork
        for (name, value) in variables {
            let bad = name.is_empty() || name.contains(['=', '\0']) || value.contains('\0');
            if !bad {
                env::set_var(name, value);
            }
        }
    }
}

/// Gives every signal its default meaning, as a program expects that was not started by us. What
/// an agent under `nohup` ignores would otherwise be ignored by every task.
#[expect(unsafe_code, reason = "dispositions can be set in no other way")]
pub(super) fn default_signals() {
    // What Rust itself handles, to tell of a stack overflow, stays; executing resets it anyway.
    let ours = [Signal::SIGSEGV, Signal::SIGBUS];
    for signal in Signal::iterator().filter(|signal| !ours.contains(signal)) {
        // SAFETY: the default disposition runs no code of ours. SIGKILL and SIGSTOP refuse, which
        // is as well.
        let _ = unsafe { signal::signal(signal, SigHandler::SigDfl) };
    }
}

/// Ignores or honours SIGPIPE. Rust programs ignore it; all others expect it.
#[expect(unsafe_code, reason = "dispositions can be set in no other way")]
pub(super) fn ignore_broken_pipes(ignore: bool) {
    let handler = if ignore {
        SigHandler::SigIgn
    } else {
        SigHandler::SigDfl
    };
    // SAFETY: neither disposition runs code of ours.
    let _ = unsafe { signal::signal(Signal::SIGPIPE, handler) };
}

/// Ends an executor, with what it printed written out, but without the exit handlers, which are
/// the zygote's; running them would also load a dozen pages of code that nothing else needs.
#[expect(unsafe_code, reason = "the one way to skip exit handlers")]
pub(super) fn exit(code: i32) -> ! {
    let _ = io::stdout().flush(); // a full disk is no reason to stay
    // SAFETY: it does not return, and there is no other thread whose work it could cut short but
    // those the executor chose to leave.
    unsafe { libc::_exit(code) }
}

/// Has the standard library find, before any fork, what it looks up when it first starts a
/// program: every executor is about to, and would otherwise look again.
pub(super) fn prepare_to_spawn() {
    // A directory cannot be executed, so no process comes of it.
    let _ = Command::new("/")
        .process_group(0)
        .stdin(Stdio::null())
        .current_dir("/")
        .spawn();
}
