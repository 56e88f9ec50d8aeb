//! A task process on its way to its end: waits for it, and kills it when told to.

use std::future::pending;
use std::io;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep_until};

use crate::task_process::{Ended, TaskProcess};

/// Waits for `process` to end. Each time a grace period comes over `kills` it is asked to end, and
/// what still runs when the shortest of them is over is killed.
pub(crate) async fn watch(
    mut process: TaskProcess,
    mut kills: UnboundedReceiver<Duration>,
) -> io::Result<Ended> {
    let mut deadline: Option<Instant> = None;
    let mut killable = true;
    loop {
        let overdue = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            ended = process.wait() => return ended,
            kill = kills.recv(), if killable => match kill {
                Some(grace) => {
                    process.signal(Signal::SIGTERM);
                    // None: a grace beyond all clocks, which shortens no other.
                    let until = Instant::now().checked_add(grace);
                    deadline = deadline.into_iter().chain(until).min();
                }
                // Nobody is left who could want it dead.
                None => killable = false,
            },
            () = overdue => {
                process.signal(Signal::SIGKILL);
                return process.wait().await;
            }
        }
    }
}
