//! Ending when told to: by a signal, or because whoever started this program is gone.

use std::fs;
use std::io::{self, Read as _};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// How long a daemon that lost its parent may take to end in order.
const ORDERLY_END: Duration = Duration::from_secs(10);

/// The signals that end a program, and what it then exits with.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// None when whoever started this wants it to outlive the terminal, as `nohup` does.
    hangup: Option<Signal>,
}

/// A signal that asks a program to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Ctrl-C.
    Interrupt,
    /// What `kill` sends.
    Terminate,
    /// The terminal is gone.
    Hangup,
}

impl Asked {
    /// Its number.
    pub(crate) fn number(self) -> u8 {
        match self {
            Asked::Interrupt => 2,
            Asked::Terminate => 15,
            Asked::Hangup => 1,
        }
    }
}

impl Signals {
    /// Takes the signals from here on.
    ///
    /// # Errors
    /// When the operating system does not let us.
    pub(crate) fn take() -> io::Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: match is_ignored(Asked::Hangup) {
                true => None,
                false => Some(signal(SignalKind::hangup())?),
            },
        })
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) -> Asked {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => Asked::Interrupt,
            _ = self.terminate.recv() => Asked::Terminate,
            _ = hangup => Asked::Hangup,
        }
    }
}

/// Whether this program was started with a signal ignored.
fn is_ignored(signal: Asked) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal.number() - 1) & 1 == 1)
}

/// Tells when standard input closes, which its other end does by ending in whatever way.
///
/// Should this program not end then by itself, it is ended.
pub(crate) fn parent_gone() -> oneshot::Receiver<()> {
    let (sender, receiver) = oneshot::channel();
    let watch = move || {
        let mut ignored = [0; 64];
        while !matches!(io::stdin().read(&mut ignored), Ok(0) | Err(_)) {}
        let _ = sender.send(()); // nobody waits when it is ending already
        std::thread::sleep(ORDERLY_END);
        std::process::exit(1);
    };
    std::thread::Builder::new()
        .name("lifeline".to_owned())
        .spawn(watch)
        .expect("a program that starts has room for one more thread");
    receiver
}
