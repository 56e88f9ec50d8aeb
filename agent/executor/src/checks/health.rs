//! When a task is healthy, when that is worth telling, and when it has to go.
//!
//! The rules are those of Apache Mesos (`src/checks/health_checker.cpp`).

use std::time::Duration;

/// The health of one task, by the results of its checks.
#[derive(Debug)]
pub(super) struct Health {
    /// For so long failures do not count, unless a check has succeeded.
    grace: Duration,
    /// So many failures in a row are the end of the task.
    failures_max: u32,
    failures: u32,
    /// A check has succeeded.
    proven: bool,
}

/// What follows from a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing that its framework does not know.
    Nothing,
    /// The framework is told whether it is healthy.
    Told(bool),
    /// The framework is told that it is not, and it is killed.
    Killed,
}

impl Health {
    pub(super) fn new(grace: Duration, failures_max: u32) -> Health {
        Health {
            grace,
            failures_max: failures_max.max(1),
            failures: 0,
            proven: false,
        }
    }

    /// Takes the result of a check of a task that has run for `age`.
    pub(super) fn checked(&mut self, healthy: bool, age: Duration) -> Verdict {
        if healthy {
            let news = !self.proven || self.failures > 0;
            (self.proven, self.failures) = (true, 0);
            return match news {
                true => Verdict::Told(true),
                false => Verdict::Nothing,
            };
        }
        if !self.proven && age <= self.grace {
            return Verdict::Nothing;
        }
        self.failures = self.failures.saturating_add(1);
        match self.failures >= self.failures_max {
            true => Verdict::Killed,
            false => Verdict::Told(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(10);
    const LATER: Duration = Duration::from_secs(11);

    #[test]
    fn failures_within_the_grace_period_do_not_count() {
        let mut health = Health::new(GRACE, 1);
        assert_eq!(health.checked(false, GRACE), Verdict::Nothing);
        assert_eq!(health.checked(false, LATER), Verdict::Killed);
    }

    #[test]
    fn a_success_ends_the_grace_period_and_a_row_of_failures() {
        let mut health = Health::new(GRACE, 2);
        assert_eq!(health.checked(true, GRACE / 2), Verdict::Told(true));
        assert_eq!(health.checked(true, GRACE / 2), Verdict::Nothing);
        assert_eq!(health.checked(false, GRACE / 2), Verdict::Told(false));
        assert_eq!(health.checked(true, LATER), Verdict::Told(true));
        assert_eq!(health.checked(false, LATER), Verdict::Told(false));
        assert_eq!(health.checked(false, LATER), Verdict::Killed);
    }
}
