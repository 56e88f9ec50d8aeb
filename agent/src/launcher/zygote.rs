//! The zygote: forks executors, waits for them, ends what they leave, and tells the agent.
//!
//! One thread, no runtime, one loop around `poll(2)`: a fork copies only the calling thread, so
//! this must be all there is. Its memory is copied with it, so this must be small.
//!
//! The agent's end of the socket is its life line. When that closes the agent is gone. Executors
//! are asked to end, then killed, and the zygote leaves; unless some are to outlive the agent: these
//! go on, and the zygote waits behind its [`Door`] for the next one.

use std::{
    fs, io,
    os::fd::{AsFd, AsRawFd},
    path::Path,
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
    unistd::{dup2_stderr, dup2_stdout, setsid},
};

use super::{
    ExecutorStart,
    brood::Brood,
    descriptors,
    door::Door,
    line::{Heard, Line},
    raw,
    wire::{Report, Request, WireError},
};

/// A built-in executor. It gets a process of its own with one thread, and may start more and a
/// runtime; what it returns is the exit status.
pub type RunExecutor = fn(ExecutorStart) -> i32;

/// How long executors have to end by themselves when the agent is gone.
const AGENT_GONE_GRACE: Duration = Duration::from_secs(2);
/// How long after that the zygote waits for killed processes to be gone: somewhat longer than it
/// waits for any single one.
const KILLED_GRACE: Duration = Duration::from_secs(6);

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
    /// The connection to the agent, while there is one.
    line: Option<Line>,
    /// Where later agents come, and how long they are waited for.
    door: Option<(Door, Duration)>,
    /// Its agent is a later one: when nothing runs any more, nothing will.
    adopted: bool,
    signals: SignalFd,
    brood: Brood,
    phase: Phase,
}

/// Whether there is an agent to serve.
enum Phase {
    Serving,
    /// The agent is gone, and not all that runs was to end with it: it has until then to come back.
    Waiting {
        until: Instant,
    },
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
        let mut zygote = Zygote {
            line: Some(Line::new(socket)),
            door: None,
            adopted: false,
            signals,
            brood: Brood::new(run_executor),
            phase: Phase::Serving,
        };
        zygote.update_inherited();
        Ok(zygote)
    }

    /// Names all that is open here: children close it.
    fn update_inherited(&mut self) {
        let line = self.line.iter().map(Line::descriptor);
        let door = self.door.iter().map(|(door, _)| door.descriptor());
        let signals = self.signals.as_fd().as_raw_fd();
        self.brood
            .set_inherited(line.chain(door).chain([signals]).collect());
    }

    fn run(mut self) -> Result<(), ZygoteError> {
        loop {
            self.wait()?;
            self.read_signals();
            self.brood
                .reap()
                .map_err(|error| ZygoteError::System("wait for children", error))?;
            self.open_door();
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
            Phase::Ending { failure: None, .. } | Phase::Serving | Phase::Waiting { .. } => Ok(()),
        }
    }

    /// Sleeps until there is something to do.
    fn wait(&self) -> Result<(), ZygoteError> {
        let mut files = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        if let Some(line) = &self.line {
            let mut wanted = line.wanted();
            if matches!(self.phase, Phase::Ending { .. }) {
                wanted.remove(PollFlags::POLLIN);
            }
            if !wanted.is_empty() {
                files.push(PollFd::new(line.as_fd(), wanted));
            }
        }
        if let (Some((door, _)), Phase::Serving | Phase::Waiting { .. }) = (&self.door, &self.phase)
        {
            files.push(PollFd::new(door.as_fd(), PollFlags::POLLIN));
        }
        files.extend(
            self.brood
                .answers()
                .map(|pipe| PollFd::new(pipe, PollFlags::POLLIN)),
        );
        let deadline = match self.phase {
            Phase::Serving => self.brood.deadline(),
            Phase::Waiting { until } => self.brood.deadline().into_iter().chain([until]).min(),
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

    /// Lets an agent in that has come. Two at once there are not: each holds the lock on what it
    /// has written down, so whoever was here before is gone.
    fn open_door(&mut self) {
        let (Some((door, _)), Phase::Serving | Phase::Waiting { .. }) = (&self.door, &self.phase)
        else {
            return;
        };
        if let Some(socket) = door.accept() {
            self.line = Some(Line::new(socket));
            self.phase = Phase::Serving;
            self.update_inherited();
        }
    }

    fn read_requests(&mut self) {
        while let (Phase::Serving, Some(line)) = (&self.phase, &mut self.line) {
            match line.hear() {
                Heard::Request(request) => self.carry_out(request),
                Heard::Nothing => return,
                Heard::Gone => return self.agent_gone(),
                Heard::Nonsense(error) => return self.end(Some(ZygoteError::Nonsense(error))),
            }
            self.write_reports();
        }
    }

    fn carry_out(&mut self, request: Request) {
        match request {
            Request::Launch { token, request } => self.brood.launch(token, request),
            Request::Destroy { container_id, how } => {
                self.brood.destroy(&container_id, how, Instant::now());
            }
            Request::Settled { container_id } => self.brood.settled(&container_id),
            Request::Listen { path, patience } => {
                let error = self.listen(&path, patience).err();
                if let Some(line) = &mut self.line {
                    let error = error.map(|error| error.to_string());
                    line.say(vec![Report::Listening { error }]);
                }
            }
            Request::Adopt => {
                self.adopted = true;
                self.brood.introduce();
            }
        }
    }

    fn listen(&mut self, path: &Path, patience: Duration) -> io::Result<()> {
        self.door = Some((Door::open(path)?, patience));
        self.update_inherited();
        Ok(())
    }

    fn write_reports(&mut self) {
        let Some(line) = &mut self.line else {
            return; // what is worth keeping is kept, and told with the introduction
        };
        line.say(self.brood.take_reports());
    }

    /// The agent is gone: what outlives it waits for the next one, all else ends.
    fn agent_gone(&mut self) {
        let Some((_, patience)) = &self.door else {
            return self.end(None);
        };
        if !self.brood.outlives_agent() {
            return self.end(None);
        }
        let now = Instant::now();
        self.phase = Phase::Waiting {
            until: now + *patience,
        };
        self.line = None;
        self.update_inherited();
        self.brood.abandon(now, AGENT_GONE_GRACE);
        // Whoever reads what the agent printed is not to wait for this process.
        if let Ok(nowhere) = fs::File::options().write(true).open("/dev/null") {
            let _ = dup2_stdout(&nowhere).and_then(|()| dup2_stderr(&nowhere));
        }
    }

    /// Everything is to end, and then the zygote.
    fn end(&mut self, failure: Option<ZygoteError>) {
        if !matches!(self.phase, Phase::Ending { .. }) {
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
        let now = Instant::now();
        let said = self.line.as_ref().is_none_or(Line::is_empty);
        match &mut self.phase {
            Phase::Serving => {
                let idle = self.brood.is_empty() && !self.brood.outlives_agent();
                self.adopted && idle && said
            }
            Phase::Waiting { until } => {
                if now >= *until || !self.brood.outlives_agent() {
                    self.end(None);
                }
                false
            }
            Phase::Ending {
                kill_at, leave_at, ..
            } => {
                if kill_at.is_some_and(|kill_at| now >= kill_at) {
                    *kill_at = None;
                    self.brood.kill();
                }
                (self.brood.is_empty() && said) || now >= *leave_at
            }
        }
    }
}
