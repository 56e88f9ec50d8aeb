//! A daemon of the command, started and ended one by one.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long a daemon may take until it says where it is, and until it has ended.
const PATIENCE: Duration = Duration::from_secs(20);

/// The command under test.
pub(crate) const TEPUI: &str = env!("CARGO_BIN_EXE_tepui");

/// How a daemon is started.
#[derive(Clone)]
pub(crate) struct Plan {
    /// Words before the command: another program that becomes it.
    pub(crate) before: Vec<OsString>,
    pub(crate) words: Vec<String>,
    pub(crate) log: PathBuf,
}

/// A master or an agent, in a process of its own. Ends with the test.
pub(crate) struct Daemon {
    plan: Plan,
    child: Child,
    address: SocketAddr,
}

impl Daemon {
    /// Starts one and waits until it listens. `flags` give it a port of 0.
    pub(crate) fn start(plan: Plan) -> Daemon {
        let (child, address) = spawn(&plan);
        Daemon {
            plan,
            child,
            address,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    pub(crate) fn log(&self) -> &Path {
        &self.plan.log
    }

    /// Ends it as if the machine had taken it.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a child can be waited for");
    }

    /// Starts it where it was.
    pub(crate) fn start_again(&mut self) {
        let port = format!("--port={}", self.address.port());
        let mut plan = self.plan.clone();
        plan.words.retain(|word| !word.starts_with("--port="));
        plan.words.push(port);
        let (child, address) = spawn(&plan);
        assert_eq!(address, self.address, "a daemon comes back where it was");
        self.child = child;
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).expect("a child can be sent a signal");
    }

    /// Whether it runs; how it ended if not.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    /// Panics unless it runs.
    pub(crate) fn assert_alive(&mut self) {
        if let Some(status) = self.ended() {
            panic!(
                "{:?} has ended with {status}; its log ends:\n{}",
                self.plan.words,
                self.tail()
            );
        }
    }

    /// Tells it to end, and waits until it has.
    pub(crate) fn stop(&mut self) -> Option<ExitStatus> {
        self.signal(Signal::SIGTERM);
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }

    /// The end of its log.
    pub(crate) fn tail(&self) -> String {
        tail(&self.plan.log)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let pid = Pid::from_raw(self.pid());
            // An orderly end, so that its tasks end before the test does; it may be stopped.
            let _ = kill(pid, Signal::SIGTERM);
            let _ = kill(pid, Signal::SIGCONT);
            let until = Instant::now() + Duration::from_secs(5);
            while Instant::now() < until && matches!(self.child.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(10));
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn spawn(plan: &Plan) -> (Child, SocketAddr) {
    let log = File::options()
        .create(true)
        .append(true)
        .open(&plan.log)
        .expect("a log");
    let mut words = plan.before.iter().cloned().chain([TEPUI.into()]);
    let mut command = Command::new(words.next().expect("there is a program"));
    command.args(words).args(&plan.words).arg("--child");
    // A lifeline: should this program be killed, the daemon ends too.
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log);
    command.env("RUST_BACKTRACE", "1");
    let mut child = command.spawn().expect("the command starts");
    let stdout = child.stdout.take().expect("stdout is a pipe");
    let (sender, line) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = BufReader::new(stdout).read_line(&mut line);
        sender.send(read.map(|_| line))
    });
    let line = line.recv_timeout(PATIENCE);
    let said = line.ok().and_then(Result::ok).unwrap_or_default();
    let address = said
        .trim()
        .rsplit_once('@')
        .and_then(|(_, address)| address.parse().ok());
    match address {
        Some(address) => (child, address),
        None => {
            let _ = child.kill();
            let _ = child.wait();
            panic!(
                "{:?} says `{said}`, no address; its log ends:\n{}",
                plan.words,
                tail(&plan.log)
            )
        }
    }
}

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
