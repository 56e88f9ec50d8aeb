//! How busy a thread is: the processor time the system has given it.
//!
//! Asked for when somebody looks, so that it costs the thread nothing.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Processor time is counted in hundredths of a second on every Linux.
const TICK: Duration = Duration::from_millis(10);
/// Shortest time a ratio is taken over: many ticks.
const SPAN: Duration = Duration::from_secs(1);

/// The processor time of one thread.
pub(crate) struct ThreadCpu {
    /// Where the system says it.
    path: String,
    /// The last two looks that were at least [`SPAN`] apart.
    looks: Mutex<[Look; 2]>,
}

#[derive(Clone, Copy)]
struct Look {
    at: Instant,
    used: Duration,
}

impl ThreadCpu {
    /// That of the thread that calls; none where the system does not tell.
    pub(crate) fn of_this_thread() -> Option<ThreadCpu> {
        let thread = std::fs::read_link("/proc/thread-self").ok()?;
        let path = format!("/proc/{}/stat", thread.to_str()?);
        let (at, used) = (Instant::now(), used(&path)?);
        let looks = Mutex::new([Look { at, used }; 2]);
        Some(ThreadCpu { path, looks })
    }

    /// What it has used so far; none when the thread has gone.
    pub(crate) fn used(&self) -> Option<Duration> {
        used(&self.path)
    }

    /// The part of the last second or more that it was busy, from 0 to 1.
    pub(crate) fn ratio(&self) -> Option<f64> {
        let look = Look {
            at: Instant::now(),
            used: self.used()?,
        };
        let mut looks = self.looks.lock();
        if look.at.duration_since(looks[1].at) >= SPAN {
            *looks = [looks[1], look];
        }
        let passed = look.at.duration_since(looks[0].at).max(TICK);
        let busy = look.used.saturating_sub(looks[0].used);
        Some((busy.as_secs_f64() / passed.as_secs_f64()).min(1.0))
    }
}

fn used(path: &str) -> Option<Duration> {
    ticks(&std::fs::read_to_string(path).ok()?).map(|ticks| TICK * ticks)
}

/// Ticks in user and in system mode: the 14th and 15th field, counted from behind the name, which
/// may contain anything.
fn ticks(stat: &str) -> Option<u32> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u32>().ok();
    next()?.checked_add(next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_with_any_name_is_read() {
        let stat = "17 (a) b) R 1 17 17 0 -1 4194560 99 0 0 0 250 40 0 0 20 0 1 0 5 6 7";
        assert_eq!(ticks(stat), Some(290));
        assert_eq!(ticks("17 (a"), None);
    }

    #[test]
    fn a_ratio_is_between_nothing_and_all() {
        let Some(cpu) = ThreadCpu::of_this_thread() else {
            return; // a system that does not tell
        };
        let ratio = cpu.ratio().expect("this thread lives");
        assert!((0.0..=1.0).contains(&ratio), "{ratio}");
    }
}
