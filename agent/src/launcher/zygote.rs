//! The zygote: forks executors, waits for them, ends what they leave, and tells the agent.
//!
//! One thread, no runtime, one loop around `poll(2)`: a fork copies only the calling thread, so
//! this must be all there is. Its memory is copied with it, so this must be small.
//!
//! The agent's end of the socket is its life line. When that closes the agent is gone, and nobody
//! would know of the executors: they are asked to end, then killed, and the zygote leaves.

use std::{
    fs,
    io::{self, ErrorKind, Write},
    os::{
        fd::{AsFd, AsRawFd},
        unix::net::UnixStream,
    },
    process,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        prctl,
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
        stat::{Mode, umask},
    },
    unistd::setsid,
};

use super::{
    ExecutorStart,
    brood::Brood,
    descriptors, raw,
    wire::{Frames, Request, WireError, encode},
};

/// A built-in executor. It gets a process of its own with one thread, and may start more and a
/// runtime; what it returns is the exit status.
pub type RunExecutor = fn(ExecutorStart) -> i32;

/// How long executors have to end by themselves when the agent is gone.
const AGENT_GONE_GRACE: Duration = Duration::from_secs(2);
/// How long after that the zygote waits for killed processes to be gone: somewhat longer than it
/// waits for any single one.
const KILLED_GRACE: Duration = Duration::from_secs(6);
/// Reports kept for an agent that does not read them, in bytes, before requests are left unread.
const OUTPUT_BYTES_MAX: usize = 1024 * 1024;

/// Why a zygote failed.
#[derive(Debug, thiserror::Error)]
enum ZygoteError {
    #[error("a zygote must have one thread, not {0}")]
    Threads(usize),
    #[error("standard input is not the agent's socket")]
    NoSocket(#[source] io::Error),
    #[error("cannot {0}")]
    System(&'static str, #[source] io::Error),
    #[error("the agent sent nonsense")]
    Nonsense(#[source] WireError),
}

/// Runs as the zygote on the socket that is standard input, until the agent closes it. To be
/// called before any thread or runtime is started. `run_executor` is called in a child for every
/// built-in executor.
pub fn main(run_executor: RunExecutor) -> ! {
    let result = Zygote::new(run_executor).and_then(Zygote::run);
    let Err(error) = result else { process::exit(0) };
    let mut text = format!("zygote: {error}");
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    eprintln!("{text}");
    process::exit(1)
}

struct Zygote {
    socket: UnixStream,
    signals: SignalFd,
    requests: Frames,
    output: Vec<u8>,
    brood: Brood,
    phase: Phase,
}

/// Whether there is an agent to serve.
enum Phase {
    Serving,
    /// The agent is gone: everything is to end, by itself until `kill_at`, by force until
    /// `leave_at`.
    Ending {
        kill_at: Option<Instant>,
        leave_at: Instant,
        failure: Option<ZygoteError>,
    },
}

impl Zygote {
    fn new(run_executor: RunExecutor) -> Result<Zygote, ZygoteError> {
        let system = |what| move |errno: Errno| ZygoteError::System(what, errno.into());
        let threads = fs::read_dir("/proc/self/task")
            .map_err(|error| ZygoteError::System("count threads", error))?
            .count();
        if threads != 1 {
            return Err(ZygoteError::Threads(threads));
        }
        let socket = descriptors::take_stdin().map_err(ZygoteError::NoSocket)?;
        descriptors::close_others(&socket)
            .map_err(|error| ZygoteError::System("close files", error))?;
        // Away from the agent's terminal: Ctrl-C is for the agent, which then closes the socket.
        // It fails for the leader of a group, as one started by hand is, and is not needed then.
        let _ = setsid();
        umask(Mode::from_bits_truncate(0o022));
        raw::default_signals();
        raw::prepare_to_spawn();
        // What the CPU can do is found out once, here, and not in every executor. The generator
        // itself comes from the system each time: none is shared.
        let _ = libproc::env::rng();
        raw::ignore_broken_pipes(true);
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGCHLD);
        signals.add(Signal::SIGTERM);
        signals.thread_block().map_err(system("block signals"))?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let signals = SignalFd::with_flags(&signals, flags).map_err(system("take signals"))?;
        prctl::set_child_subreaper(true).map_err(system("become a subreaper"))?;
        let inherited = vec![socket.as_raw_fd(), signals.as_fd().as_raw_fd()];
        let brood = Brood::new(run_executor, inherited);
        let (requests, output, phase) = (Frames::default(), Vec::new(), Phase::Serving);
        Ok(Zygote {
            socket,
            signals,
            requests,
            output,
            brood,
            phase,
        })
    }

    fn run(mut self) -> Result<(), ZygoteError> {
        loop {
            self.wait()?;
            self.read_signals();
            self.brood
                .reap()
                .map_err(|error| ZygoteError::System("wait for children", error))?;
            self.read_requests();
            self.brood.expire(Instant::now());
            self.write_reports();
            if self.is_done() {
                break;
            }
        }
        match self.phase {
            Phase::Ending {
                failure: Some(failure),
                ..
            } => Err(failure),
            Phase::Ending { failure: None, .. } | Phase::Serving => Ok(()),
        }
    }

    /// Sleeps until there is something to do.
    fn wait(&self) -> Result<(), ZygoteError> {
        let mut wanted = PollFlags::empty();
        if matches!(self.phase, Phase::Serving) {
            wanted.set(PollFlags::POLLIN, self.output.len() < OUTPUT_BYTES_MAX);
        }
        wanted.set(PollFlags::POLLOUT, !self.output.is_empty());
        let mut files = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        if !wanted.is_empty() {
            files.push(PollFd::new(self.socket.as_fd(), wanted));
        }
        files.extend(
            self.brood
                .answers()
                .map(|pipe| PollFd::new(pipe, PollFlags::POLLIN)),
        );
        let deadline = match self.phase {
            Phase::Serving => self.brood.deadline(),
            Phase::Ending {
                kill_at, leave_at, ..
            } => [self.brood.deadline(), kill_at, Some(leave_at)]
                .into_iter()
                .flatten()
                .min(),
        };
        let timeout = deadline.map_or(PollTimeout::NONE, |deadline| {
            // Rounded up, so as not to wake just before it.
            let left = deadline
                .saturating_duration_since(Instant::now())
                .as_millis()
                + 1;
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        });
        match poll(&mut files, timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(ZygoteError::System("poll", errno.into())),
        }
    }

    /// Empties the queue of signals. What died is found by waiting for it.
    fn read_signals(&mut self) {
        while let Ok(Some(signal)) = self.signals.read_signal() {
            if signal.ssi_signo == Signal::SIGCHLD as u32 {
                self.brood.child_died();
            } else {
                self.end(None); // SIGTERM: whoever stops the machine sends it to everyone
            }
        }
    }

    fn read_requests(&mut self) {
        while matches!(self.phase, Phase::Serving) && self.output.len() < OUTPUT_BYTES_MAX {
            match self.requests.read_from(&mut self.socket) {
                Ok(0) => return self.end(None),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return self.end(None), // reset: the agent died with reports unread
            }
            loop {
                match self.requests.next() {
                    Ok(Some(Request::Launch { token, request })) => {
                        self.brood.launch(token, request);
                    }
                    Ok(Some(Request::Destroy { container_id, how })) => {
                        self.brood.destroy(&container_id, how, Instant::now());
                    }
                    Ok(None) => break,
                    Err(error) => return self.end(Some(ZygoteError::Nonsense(error))),
                }
            }
            self.write_reports();
        }
    }

    /// Sends what there is to report, as far as the agent takes it. An agent that is gone takes
    /// nothing, which shows when reading.
    fn write_reports(&mut self) {
        for report in self.brood.take_reports() {
            let frame = match encode(&report) {
                Ok(frame) => frame,
                // Only an executor with an absurd name; its launch did not fit a frame either.
                Err(_) => continue,
            };
            self.output.extend_from_slice(&frame);
        }
        while !self.output.is_empty() {
            match self.socket.write(&self.output) {
                Ok(length) => drop(self.output.drain(..length)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.output.clear(),
            }
        }
    }

    /// The agent is gone, or as good as gone. Executors do not outlive it: whoever lets them must
    /// first have another agent find this zygote, and begins here.
    fn end(&mut self, failure: Option<ZygoteError>) {
        if matches!(self.phase, Phase::Serving) {
            let kill_at = Instant::now() + AGENT_GONE_GRACE;
            let leave_at = kill_at + KILLED_GRACE;
            self.brood.terminate();
            self.phase = Phase::Ending {
                kill_at: Some(kill_at),
                leave_at,
                failure,
            };
        }
    }

    /// Carries out what is left of an ending; true when nothing is.
    fn is_done(&mut self) -> bool {
        let Phase::Ending {
            kill_at, leave_at, ..
        } = &mut self.phase
        else {
            return false;
        };
        let now = Instant::now();
        if kill_at.is_some_and(|kill_at| now >= kill_at) {
            *kill_at = None;
            self.brood.kill();
        }
        (self.brood.is_empty() && self.output.is_empty()) || now >= *leave_at
    }
}
