//! Where a pattern is played: a node of its own, warmed up before it is measured.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use libproc::Node;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::measure::cpu::processor_time;
use crate::measure::reading::Each;

/// The share of the work that is done first, unmeasured.
const WARM_UP: f64 = 0.1;

/// How much of a pattern is to be done, and on how many arbiters.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Arbiters of the node: threads that run processes.
    pub arbiters: usize,
    /// Of the usual count.
    pub scale: f64,
}

impl Load {
    /// So much of `usual`, 1 at least.
    #[must_use]
    pub fn of(self, usual: u64) -> u64 {
        ((usual as f64 * self.scale) as u64).max(1)
    }

    fn warm_up(self) -> Load {
        Load {
            scale: self.scale * WARM_UP,
            ..self
        }
    }
}

/// Plays a pattern on a fresh node, once small to warm up and once in full; gives what comes of
/// the second.
pub(super) fn warmed<T>(
    load: Load,
    play: impl AsyncFn(&Node, Load) -> io::Result<T>,
) -> io::Result<T> {
    libproc::run(async {
        once(load.warm_up(), &play).await?;
        once(load, &play).await
    })
}

/// Plays a pattern on a fresh node, without warming up: where memory is looked at.
pub(super) fn cold<T>(
    load: Load,
    play: impl AsyncFn(&Node, Load) -> io::Result<T>,
) -> io::Result<T> {
    libproc::run(once(load, &play))
}

async fn once<T>(load: Load, play: &impl AsyncFn(&Node, Load) -> io::Result<T>) -> io::Result<T> {
    let node = Node::builder()
        .workers(load.arbiters)
        .bind("127.0.0.1:0")
        .await?;
    let played = play(&node, load).await;
    node.shutdown().await;
    played
}

/// Starts the clock, does `start`, and stops it when the process that has the [`Finish`] is done.
pub(super) async fn timed<T>(
    finished: oneshot::Receiver<T>,
    start: impl FnOnce(),
) -> io::Result<(Took, T)> {
    let clock = Clock::start();
    start();
    let value = finished.await.map_err(io::Error::other)?;
    Ok((clock.stop(), value))
}

/// Takes the time: on the wall, and of the processor.
pub(super) struct Clock {
    began: Instant,
    cpu: Duration,
}

impl Clock {
    pub(super) fn start() -> Clock {
        let cpu = processor_time();
        let began = Instant::now();
        Clock { began, cpu }
    }

    pub(super) fn stop(&self) -> Took {
        Took {
            elapsed: self.began.elapsed(),
            cpu: processor_time().saturating_sub(self.cpu),
        }
    }
}

/// What something took.
pub(super) struct Took {
    elapsed: Duration,
    cpu: Duration,
}

/// What each of `count` operations took.
pub(super) fn each(took: &Took, count: u64) -> Each {
    let share = |time: Duration| time.as_nanos() as f64 / count as f64;
    Each {
        nanoseconds: share(took.elapsed),
        cpu: Some(share(took.cpu)),
    }
}

/// Held by the process that knows when a pattern is over.
pub(super) struct Finish<T>(Option<oneshot::Sender<T>>);

impl<T> Finish<T> {
    pub(super) fn new() -> (Finish<T>, oneshot::Receiver<T>) {
        let (sender, finished) = oneshot::channel();
        (Finish(Some(sender)), finished)
    }

    /// For a process that plays along, and never knows.
    pub(super) fn nobody() -> Finish<T> {
        Finish(None)
    }

    /// The pattern is over, with `value`.
    pub(super) fn with(&mut self, value: T) {
        if let Some(sender) = self.0.take() {
            // Whoever measures waits until this, or has given up.
            drop(sender.send(value));
        }
    }
}

/// Held by many processes: the pattern is over when the last of them has counted down.
#[derive(Clone)]
pub(super) struct Countdown(Arc<(AtomicU64, Mutex<Finish<()>>)>);

impl Countdown {
    pub(super) fn new(from: u64) -> (Countdown, oneshot::Receiver<()>) {
        let (finish, finished) = Finish::new();
        let shared = (AtomicU64::new(from), Mutex::new(finish));
        (Countdown(Arc::new(shared)), finished)
    }

    pub(super) fn down(&self) {
        if self.0.0.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.1.lock().with(());
        }
    }
}
