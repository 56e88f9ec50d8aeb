//! Registration with a master: when to try, when to try again, when to give the master up for lost.
//!
//! The first attempt is made at once and what fails quickly is repeated quickly, so that a cluster
//! that starts together is up together; the pauses double up to a minute. All pauses are random
//! within their upper half: a thousand agents that lost their master do not come back as one.

use std::time::Duration;

use rand::Rng as _;
use rand::rngs::StdRng;

/// Longest pause between two attempts.
const PAUSE_MAX_MS: u64 = 60_000;
/// What fails quickly is first repeated after this part of the backoff factor.
const QUICK: u64 = 16;

/// What an agent knows of its registration.
#[derive(Debug)]
pub(crate) struct Registration {
    phase: Phase,
    factor_ms: u64,
    rng: StdRng,
}

/// Where a registration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// There is no master to register with.
    Detached,
    /// It never was registered with this master.
    Registering(Attempts),
    /// The master keeps it in its books; it was last heard at `heard_ms`.
    Registered { silence_ms: u64, heard_ms: u64 },
    /// It was registered, and has to be again.
    Disconnected(Attempts),
}

/// A row of attempts without success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attempts {
    /// How many were made.
    made: u32,
    /// How many of them failed before their pause was over.
    failed: u32,
    /// When the next one is due.
    due_ms: u64,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing yet.
    Nothing,
    /// Link to the master and ask it to register the agent.
    Attempt,
    /// The master was silent for too long: it counts as lost.
    Lost,
}

impl Registration {
    pub(crate) fn new(factor: Duration, rng: StdRng) -> Registration {
        let factor_ms = u64::try_from(factor.as_millis()).unwrap_or(PAUSE_MAX_MS);
        Registration {
            phase: Phase::Detached,
            factor_ms: factor_ms.clamp(1, PAUSE_MAX_MS),
            rng,
        }
    }

    /// There is a master: the first attempt is due.
    pub(crate) fn attach(&mut self, now_ms: u64) {
        self.phase = Phase::Registering(Attempts {
            made: 0,
            failed: 0,
            due_ms: now_ms,
        });
    }

    /// Another master leads: the first attempt with it is due, within milliseconds, so that not
    /// all agents come at once. True when the one before had the agent in its books.
    pub(crate) fn begin_anew(&mut self, now_ms: u64) -> bool {
        let was_registered = self.is_registered();
        let attempts = Attempts {
            made: 0,
            failed: 0,
            due_ms: now_ms + self.pause(self.factor_ms / QUICK),
        };
        self.phase = match self.phase {
            Phase::Detached | Phase::Registering(_) => Phase::Registering(attempts),
            Phase::Registered { .. } | Phase::Disconnected(_) => Phase::Disconnected(attempts),
        };
        was_registered
    }

    pub(crate) fn is_registered(&self) -> bool {
        matches!(self.phase, Phase::Registered { .. })
    }

    /// When [`due`](Registration::due) has something to say.
    pub(crate) fn next_due_ms(&self) -> Option<u64> {
        match self.phase {
            Phase::Detached => None,
            Phase::Registering(attempts) | Phase::Disconnected(attempts) => Some(attempts.due_ms),
            Phase::Registered {
                silence_ms,
                heard_ms,
            } => Some(heard_ms.saturating_add(silence_ms)),
        }
    }

    /// Says what is to be done by now.
    pub(crate) fn due(&mut self, now_ms: u64) -> Due {
        if self.next_due_ms().is_none_or(|due_ms| due_ms > now_ms) {
            return Due::Nothing;
        }
        match self.phase {
            Phase::Detached => Due::Nothing,
            Phase::Registering(attempts) => {
                self.phase = Phase::Registering(self.attempted(attempts, now_ms));
                Due::Attempt
            }
            Phase::Disconnected(attempts) => {
                self.phase = Phase::Disconnected(self.attempted(attempts, now_ms));
                Due::Attempt
            }
            Phase::Registered { .. } => {
                self.lost(now_ms);
                Due::Lost
            }
        }
    }

    /// The master has the agent in its books, and is lost when it is silent for `silence`.
    pub(crate) fn registered(&mut self, silence: Duration, now_ms: u64) {
        let silence_ms = u64::try_from(silence.as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
        self.phase = Phase::Registered {
            silence_ms,
            heard_ms: now_ms,
        };
    }

    /// The master was heard.
    pub(crate) fn heard(&mut self, now_ms: u64) {
        if let Phase::Registered { heard_ms, .. } = &mut self.phase {
            *heard_ms = now_ms;
        }
    }

    /// The master cannot be reached, or has the agent not in its books. True when it had.
    pub(crate) fn lost(&mut self, now_ms: u64) -> bool {
        match self.phase {
            Phase::Detached => false,
            Phase::Registered { .. } => {
                let due_ms = now_ms + self.pause(self.factor_ms / QUICK);
                self.phase = Phase::Disconnected(Attempts {
                    made: 0,
                    failed: 0,
                    due_ms,
                });
                true
            }
            Phase::Registering(attempts) => {
                self.phase = Phase::Registering(self.failed(attempts, now_ms));
                false
            }
            Phase::Disconnected(attempts) => {
                self.phase = Phase::Disconnected(self.failed(attempts, now_ms));
                false
            }
        }
    }

    fn attempted(&mut self, attempts: Attempts, now_ms: u64) -> Attempts {
        let longest_ms = doubled(self.factor_ms, attempts.made);
        let (made, due_ms) = (
            attempts.made.saturating_add(1),
            now_ms + self.pause(longest_ms),
        );
        Attempts {
            made,
            due_ms,
            ..attempts
        }
    }

    fn failed(&mut self, attempts: Attempts, now_ms: u64) -> Attempts {
        let longest_ms = doubled(self.factor_ms.div_ceil(QUICK), attempts.failed);
        let due_ms = attempts.due_ms.min(now_ms + self.pause(longest_ms));
        Attempts {
            failed: attempts.failed.saturating_add(1),
            due_ms,
            ..attempts
        }
    }

    fn pause(&mut self, longest_ms: u64) -> u64 {
        self.rng.random_range(longest_ms / 2..=longest_ms)
    }
}

/// `pause_ms`, doubled `times`, up to the longest there is.
fn doubled(pause_ms: u64, times: u32) -> u64 {
    pause_ms
        .saturating_mul(1 << times.min(32))
        .min(PAUSE_MAX_MS)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    fn registration() -> Registration {
        Registration::new(Duration::from_secs(1), StdRng::seed_from_u64(1))
    }

    const SILENCE: Duration = Duration::from_secs(75);

    #[test]
    fn the_first_attempt_is_due_at_once_and_later_ones_after_doubling_pauses() {
        let mut registration = registration();
        assert_eq!(registration.next_due_ms(), None);
        registration.attach(7);
        assert_eq!(registration.due(7), Due::Attempt);
        let mut now_ms = 7;
        for longest_ms in [1, 2, 4, 8, 16, 32, 60, 60].map(|s| s * 1_000) {
            let due_ms = registration.next_due_ms().unwrap();
            let pause_ms = due_ms - now_ms;
            assert!(
                longest_ms / 2 <= pause_ms && pause_ms <= longest_ms,
                "{pause_ms}"
            );
            assert_eq!(registration.due(due_ms - 1), Due::Nothing);
            assert_eq!(registration.due(due_ms), Due::Attempt);
            now_ms = due_ms;
        }
    }

    #[test]
    fn a_master_that_is_not_there_yet_is_tried_again_within_milliseconds() {
        let mut registration = registration();
        registration.attach(0);
        let (mut now_ms, mut attempts) = (0, 0);
        while now_ms < 1_000 {
            assert_eq!(registration.due(now_ms), Due::Attempt);
            assert!(!registration.lost(now_ms));
            attempts += 1;
            now_ms = registration.next_due_ms().unwrap();
        }
        assert!((5..=8).contains(&attempts), "{attempts}");
        assert!(now_ms <= 2_000);
    }

    #[test]
    fn a_master_that_is_lost_is_tried_again_at_once() {
        let mut registration = registration();
        registration.attach(0);
        assert_eq!(registration.due(0), Due::Attempt);
        registration.registered(SILENCE, 1);
        assert!(registration.is_registered());
        assert!(registration.lost(1_000));
        assert!(!registration.is_registered());
        let due_ms = registration.next_due_ms().unwrap();
        assert!(due_ms <= 1_063, "{due_ms}");
        assert_eq!(registration.due(due_ms), Due::Attempt);
    }

    #[test]
    fn another_master_is_tried_at_once_whatever_was_before() {
        let mut registration = registration();
        assert!(!registration.begin_anew(0));
        let due_ms = registration.next_due_ms().unwrap();
        assert!(due_ms <= 63, "{due_ms}");
        assert_eq!(registration.due(due_ms), Due::Attempt);
        assert_eq!(registration.due(60_000), Due::Attempt);
        registration.registered(SILENCE, 60_001);
        assert!(registration.begin_anew(70_000));
        assert!(!registration.is_registered());
        assert!(registration.next_due_ms().unwrap() <= 70_063);
    }

    #[test]
    fn a_master_is_lost_when_it_is_silent_for_too_long() {
        let mut registration = registration();
        registration.attach(0);
        registration.registered(SILENCE, 0);
        registration.heard(10_000);
        assert_eq!(registration.next_due_ms(), Some(85_000));
        assert_eq!(registration.due(84_999), Due::Nothing);
        assert_eq!(registration.due(85_000), Due::Lost);
        assert!(!registration.is_registered());
        assert!(registration.next_due_ms().unwrap() <= 85_063);
    }
}
