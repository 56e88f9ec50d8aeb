//! Staying awake: after a read a thread goes on polling its sockets for a moment before it sleeps.
//!
//! To be woken costs a thread some tens of microseconds, more than a fast network takes to bring
//! the next message. The clock here is the real one and nothing but the time of a sleep depends on it;
//! in a simulation it is not used.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// Moments in a row that brought nothing before fewer of them are tried.
const MISSES: u32 = 4;
/// Reads without a moment awake, at most, before one is tried again.
const SKIP_MAX: u32 = 256;
/// How long a look at how busy the machine is stays true.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

#[derive(Clone, Copy)]
struct State {
    /// The last read on this thread.
    read: Option<Instant>,
    /// A task polls.
    awake: bool,
    /// Moments in a row that brought nothing.
    misses: u32,
    /// Reads to come without a moment awake.
    skip: u32,
    /// When it was looked how busy the machine is, and whether it was.
    looked: Option<(Instant, bool)>,
}

thread_local! {
    /// Of a thread, not of a node: it is the thread that sleeps.
    static STATE: Cell<State> = const {
        Cell::new(State { read: None, awake: false, misses: 0, skip: 0, looked: None })
    };
}

/// Notes a read on this thread, and keeps it awake for `time` from now if that is likely to pay.
pub(super) fn read_something(time: Duration) {
    let mut state = STATE.get();
    let now = Instant::now();
    state.read = Some(now);
    if state.awake {
        return STATE.set(state);
    }
    if state.skip > 0 {
        state.skip -= 1;
        return STATE.set(state);
    }
    let busy = match state.looked {
        Some((at, busy)) if now.duration_since(at) < LOOK_AGAIN => busy,
        _ => {
            let busy = cores_are_busy();
            state.looked = Some((now, busy));
            busy
        }
    };
    state.awake = !busy;
    STATE.set(state);
    if !busy {
        tokio::task::spawn_local(poll(now, time, Asleep));
    }
}

/// Polls until nothing was read for `time`.
///
/// `_asleep` notes that it ends, also by being dropped with the other tasks of this thread.
async fn poll(began: Instant, time: Duration, _asleep: Asleep) {
    loop {
        // What else is ready has its turn, then the sockets are looked at.
        tokio::task::yield_now().await;
        let last = STATE.get().read.unwrap_or(began);
        if last.elapsed() >= time {
            return learn(last > began);
        }
    }
}

/// Lets what a moment awake brought decide how soon the next one is tried.
fn learn(paid: bool) {
    let mut state = STATE.get();
    state.misses = if paid { 0 } else { state.misses + 1 };
    if state.misses >= MISSES {
        state.skip = SKIP_MAX.min(1 << (state.misses - MISSES + 1).min(u32::BITS - 1));
    }
    STATE.set(state);
}

struct Asleep;

impl Drop for Asleep {
    fn drop(&mut self) {
        // Not when the thread itself is ending.
        let _ = STATE.try_with(|state| {
            state.set(State {
                awake: false,
                ..state.get()
            });
        });
    }
}

/// Whether more threads want to run than the machine has cores; false where that is not told.
fn cores_are_busy() -> bool {
    // 0.20 0.18 0.12 3/80 11206: averages, then how many run and how many there are.
    let runs = || {
        let load = std::fs::read_to_string("/proc/loadavg").ok()?;
        let counts = load.split_ascii_whitespace().nth(3)?;
        counts.split_once('/')?.0.parse::<usize>().ok()
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    runs().is_some_and(|running| running > cores)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reset() {
        let not_busy = Some((Instant::now() + Duration::from_secs(3600), false));
        STATE.set(State {
            read: None,
            awake: false,
            misses: 0,
            skip: 0,
            looked: not_busy,
        });
    }

    fn alone(test: impl Future<Output = ()>) {
        crate::run_alone(async {
            test.await;
            Ok(())
        })
        .expect("a runtime starts");
    }

    #[test]
    fn a_thread_falls_asleep_when_nothing_comes() {
        alone(async {
            reset();
            read_something(Duration::from_micros(50));
            assert!(STATE.get().awake);
            while STATE.get().awake {
                tokio::task::yield_now().await;
            }
            assert_eq!(STATE.get().misses, 1);
        });
    }

    #[test]
    fn moments_that_bring_nothing_become_rare_and_one_that_pays_brings_them_back() {
        alone(async {
            reset();
            let mut tried = 0;
            for _ in 0..1000 {
                read_something(Duration::ZERO);
                tried += u32::from(STATE.get().awake);
                while STATE.get().awake {
                    tokio::task::yield_now().await;
                }
            }
            assert!((MISSES..20).contains(&tried), "{tried} of 1000");
            STATE.set(State {
                skip: 0,
                ..STATE.get()
            });
            read_something(Duration::from_millis(1));
            read_something(Duration::from_millis(1));
            while STATE.get().awake {
                tokio::task::yield_now().await;
            }
            assert_eq!((STATE.get().misses, STATE.get().skip), (0, 0));
        });
    }

    #[test]
    fn tasks_that_are_dropped_leave_the_thread_asleep() {
        reset();
        alone(async { read_something(Duration::from_secs(1)) });
        assert!(!STATE.get().awake);
    }
}
