//! Offers: resources of one agent that a framework may use, until it answers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{AgentId, Attributes, ExecutorId, FrameworkId, OfferId, Resources, Role};

/// How long refused resources are not offered again, if the framework does not say.
pub const DEFAULT_REFUSE: Duration = Duration::from_secs(5);

/// No refusal counts longer than this: a year.
pub const MAX_REFUSE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Resources of one agent, offered to one framework for one of its roles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Names the offer, once.
    pub id: OfferId,
    /// To whom it is made.
    pub framework_id: FrameworkId,
    /// Whose resources they are.
    pub agent_id: AgentId,
    /// Where the agent runs.
    pub hostname: String,
    /// The role the resources are allocated to.
    pub role: Role,
    /// What is offered.
    pub resources: Resources,
    /// What the agent tells about itself.
    pub attributes: Attributes,
    /// The executors of the framework that run there.
    pub executor_ids: Vec<ExecutorId>,
    /// The address the agent listens on, `ip:port`.
    pub agent_address: String,
}

/// How long a framework does not want to be offered what it refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filters {
    /// The time, from five seconds to a year; zero for not at all.
    pub refuse: Duration,
}

impl Filters {
    /// Returns filters that refuse nothing: what is declined may be offered at once.
    pub const NONE: Filters = Filters {
        refuse: Duration::ZERO,
    };

    /// Returns filters that refuse for some time, at most a year.
    pub fn refuse(time: Duration) -> Self {
        Self {
            refuse: time.min(MAX_REFUSE),
        }
    }

    /// Returns filters from a number of seconds, as frameworks write it: five seconds for what is
    /// negative or no number, a year for what is more.
    pub fn from_seconds(seconds: f64) -> Self {
        if seconds.is_nan() || seconds < 0.0 {
            return Self::default();
        }
        Self {
            refuse: Duration::try_from_secs_f64(seconds)
                .unwrap_or(MAX_REFUSE)
                .min(MAX_REFUSE),
        }
    }

    /// Returns the time in milliseconds, at most a year.
    pub fn refuse_ms(&self) -> u64 {
        self.refuse.min(MAX_REFUSE).as_millis() as u64
    }
}

impl Default for Filters {
    fn default() -> Self {
        Self {
            refuse: DEFAULT_REFUSE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_between_nothing_and_a_year() {
        assert_eq!(Filters::default().refuse_ms(), 5_000);
        assert_eq!(Filters::from_seconds(0.0), Filters::NONE);
        assert_eq!(Filters::from_seconds(0.5).refuse_ms(), 500);
        assert_eq!(Filters::from_seconds(-1.0), Filters::default());
        assert_eq!(Filters::from_seconds(f64::NAN), Filters::default());
        assert_eq!(Filters::from_seconds(1e300).refuse, MAX_REFUSE);
        assert_eq!(Filters::from_seconds(f64::INFINITY).refuse, MAX_REFUSE);
        assert_eq!(Filters::refuse(Duration::MAX).refuse, MAX_REFUSE);
        assert_eq!(
            Filters {
                refuse: Duration::MAX
            }
            .refuse_ms(),
            31_536_000_000
        );
    }
}
