//! Trying again: how often, after how long, and how much of it a whole framework may do. Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How often something is tried again, and after how long.
///
/// ```
/// use std::time::Duration;
/// use sdk::retry::Retries;
///
/// let retries = Retries { most: 3, first: Duration::from_secs(1), ..Retries::default() };
/// assert_eq!(retries.wait_after(1), Some(Duration::from_secs(1)));
/// assert_eq!(retries.wait_after(3), Some(Duration::from_secs(4)));
/// assert_eq!(retries.wait_after(4), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retries {
    /// How often at most, after the first attempt.
    pub most: u32,
    /// The wait after the first failure; it doubles with each.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
}

impl Default for Retries {
    /// None at all; a second, doubling to five minutes, for who sets only how often.
    fn default() -> Retries {
        Retries {
            most: 0,
            first: Duration::from_secs(1),
            longest: Duration::from_secs(300),
        }
    }
}

impl Retries {
    /// How long to wait after this many failures; none when it is enough.
    pub fn wait_after(&self, failures: u32) -> Option<Duration> {
        if failures == 0 || failures > self.most {
            return None;
        }
        let doubled = 1_u32.checked_shl(failures - 1).unwrap_or(u32::MAX);
        Some(self.first.saturating_mul(doubled).min(self.longest))
    }
}

/// How many retries all of a framework's work may have together: a bucket that fills up again, so
/// that a cluster on which everything fails is not kept busy with failing.
#[derive(Debug, Clone)]
pub struct Budget {
    most: u32,
    every: Duration,
    left: u32,
    filled_ms: u64,
}

impl Budget {
    /// At most `most` at once, and one more `every` so long.
    pub fn new(most: u32, every: Duration, now_ms: u64) -> Budget {
        Budget {
            most,
            every,
            left: most,
            filled_ms: now_ms,
        }
    }

    /// Takes one out; or says how long to wait until there is one.
    ///
    /// # Errors
    /// The wait, when there is none.
    pub fn take(&mut self, now_ms: u64) -> Result<(), Duration> {
        let every_ms = (self.every.as_millis() as u64).max(1);
        let more = now_ms.saturating_sub(self.filled_ms) / every_ms;
        self.filled_ms += more * every_ms;
        self.left = u64::from(self.left)
            .saturating_add(more)
            .min(self.most.into()) as u32;
        match self.left.checked_sub(1) {
            Some(left) => {
                if self.left == self.most {
                    self.filled_ms = self.filled_ms.max(now_ms); // a full bucket does not fill
                }
                self.left = left;
                Ok(())
            }
            None => {
                let next = (self.filled_ms + every_ms).saturating_sub(now_ms);
                Err(Duration::from_millis(next))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn waits_grow_up_to_the_longest_and_end_with_the_last_retry(most in 0_u32..200, failures in 0_u32..300) {
            let retries = Retries { most, ..Retries::default() };
            match retries.wait_after(failures) {
                Some(wait) => {
                    prop_assert!(failures >= 1 && failures <= most);
                    prop_assert!(wait >= retries.first && wait <= retries.longest);
                    prop_assert!(retries.wait_after(failures + 1).is_none_or(|next| next >= wait));
                }
                None => prop_assert!(failures == 0 || failures > most),
            }
        }

        #[test]
        fn a_budget_is_never_overspent(most in 1_u32..10, waits in proptest::collection::vec(0_u64..500, 1..100)) {
            let mut budget = Budget::new(most, Duration::from_millis(100), 0);
            let (mut now, mut taken) = (0, 0);
            for wait in waits {
                now += wait;
                match budget.take(now) {
                    Ok(()) => taken += 1,
                    Err(wait) => {
                        now += wait.as_millis() as u64;
                        prop_assert!(budget.take(now).is_ok(), "after the wait there is one");
                        taken += 1;
                    }
                }
                prop_assert!(taken <= u64::from(most) + now / 100);
            }
        }
    }
}
