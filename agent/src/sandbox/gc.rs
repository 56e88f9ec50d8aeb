//! Garbage collection of sandboxes: which are to go, by their age and how full the disk is.
//!
//! The longest a directory is kept is `delay × max(0, 1 − headroom − usage)`, as in Mesos: an empty
//! disk keeps it for nearly the whole delay, one with no more than the headroom left keeps none.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

/// One whole, in millionths.
const WHOLE_PPM: u32 = 1_000_000;

/// How long directories are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The longest time.
    pub delay: Duration,
    /// The share of the disk to keep free, in millionths.
    pub headroom_ppm: u32,
}

impl Default for Policy {
    /// A week, and a tenth of the disk.
    fn default() -> Policy {
        Policy {
            delay: Duration::from_secs(7 * 24 * 60 * 60),
            headroom_ppm: WHOLE_PPM / 10,
        }
    }
}

impl Policy {
    /// How old a directory may become while `usage_ppm` millionths of the disk are in use.
    pub fn age_max(&self, usage_ppm: u32) -> Duration {
        let share = WHOLE_PPM
            .saturating_sub(self.headroom_ppm)
            .saturating_sub(usage_ppm);
        let nanoseconds = self.delay.as_nanos() * u128::from(share) / u128::from(WHOLE_PPM);
        Duration::new(
            (nanoseconds / 1_000_000_000) as u64, // no more than the delay has
            (nanoseconds % 1_000_000_000) as u32,
        )
    }
}

/// The directories that nobody needs any more, and since when. Time is the caller's: a span since
/// any fixed moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collector {
    policy: Policy,
    unused: BTreeMap<PathBuf, Duration>,
}

impl Collector {
    /// One that knows of no directory.
    pub fn new(policy: Policy) -> Collector {
        Collector {
            policy,
            unused: BTreeMap::new(),
        }
    }

    /// Notes that a directory is unused since `since`. The last word holds.
    pub fn schedule(&mut self, directory: impl Into<PathBuf>, since: Duration) {
        self.unused.insert(directory.into(), since);
    }

    /// Takes a directory back into use. Returns false when it was not scheduled: it never was, or
    /// has been given out for removal.
    pub fn unschedule(&mut self, directory: &Path) -> bool {
        self.unused.remove(directory).is_some()
    }

    /// How old a directory may become while `usage_ppm` millionths of the disk are in use.
    pub fn age_max(&self, usage_ppm: u32) -> Duration {
        self.policy.age_max(usage_ppm)
    }

    /// How many directories are scheduled.
    pub fn len(&self) -> usize {
        self.unused.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.unused.is_empty()
    }

    /// Takes the directories to remove by `now`, the oldest first.
    pub fn due(&mut self, now: Duration, usage_ppm: u32) -> Vec<PathBuf> {
        let age_max = self.policy.age_max(usage_ppm);
        let is_due = |since: &Duration| now.saturating_sub(*since) >= age_max;
        let mut due: Vec<_> = self
            .unused
            .extract_if(.., |_, since| is_due(since))
            .collect();
        due.sort_by_key(|(_, since)| *since);
        due.into_iter().map(|(directory, _)| directory).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn policy() -> Policy {
        Policy {
            delay: 10 * HOUR,
            headroom_ppm: 100_000,
        }
    }

    #[test]
    fn the_fuller_the_disk_the_younger_directories_go() {
        for (usage_ppm, hours) in [
            (0, 9),
            (400_000, 5),
            (800_000, 1),
            (900_000, 0),
            (1_000_000, 0),
            (u32::MAX, 0),
        ] {
            assert_eq!(policy().age_max(usage_ppm), hours * HOUR, "{usage_ppm}");
        }
        assert_eq!(
            Policy {
                headroom_ppm: u32::MAX,
                ..policy()
            }
            .age_max(0),
            Duration::ZERO
        );
        let longest = Policy {
            delay: Duration::MAX,
            headroom_ppm: 0,
        };
        assert_eq!(longest.age_max(0), Duration::MAX);
    }

    #[test]
    fn directories_are_due_by_age_and_given_out_once_the_oldest_first() {
        let mut collector = Collector::new(policy());
        collector.schedule("b", HOUR);
        collector.schedule("a", 2 * HOUR);
        collector.schedule("young", 8 * HOUR);
        assert_eq!(collector.due(9 * HOUR, 0), Vec::<PathBuf>::new());
        assert_eq!(collector.due(12 * HOUR, 0), ["b", "a"].map(PathBuf::from));
        assert_eq!(collector.due(12 * HOUR, 0), Vec::<PathBuf>::new());
        assert_eq!(collector.due(12 * HOUR, 500_000), [PathBuf::from("young")]);
        assert!(collector.is_empty());
    }

    #[test]
    fn what_is_used_again_is_kept() {
        let mut collector = Collector::new(policy());
        collector.schedule("a", Duration::ZERO);
        assert!(collector.unschedule(Path::new("a")));
        assert!(!collector.unschedule(Path::new("a")));
        assert_eq!(collector.due(100 * HOUR, 1_000_000), Vec::<PathBuf>::new());
    }
}
