//! Decides who is offered what: dominant resource fairness over roles. Pure.
//!
//! The allocator knows agents and what is free on them, frameworks and what they have. Events tell
//! it what changed and mark agents as candidates; a round gives what is free on the candidates to
//! whoever has the lowest dominant share, first among roles, then among the frameworks of a role.
//! There is no clock, no mailbox and no I/O here: time comes in as milliseconds, allocations go
//! out as values, and the same calls with the same seed give the same rounds on any machine.
//!
//! ```
//! use allocator::{AgentEntry, Allocator, FrameworkEntry, Options};
//! use types::{AgentId, FrameworkId, Resources, Role};
//!
//! let mut allocator = Allocator::new(Options::default());
//! let sleepers = FrameworkId::new("sleepers")?;
//! allocator.add_framework(FrameworkEntry::new(sleepers.clone(), [Role::any()]));
//! let resources = Resources::new().cpus(4.0).mem_mib(1024);
//! allocator.add_agent(AgentEntry::new(AgentId::new("agent-1")?, resources.clone()));
//!
//! let round = allocator.allocate(0);
//! assert_eq!(round.len(), 1);
//! assert_eq!((&round[0].framework, &round[0].resources), (&sleepers, &resources));
//! assert_eq!(allocator.allocate(0), []);
//! # Ok::<(), types::InvalidId>(())
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod agent_events;
mod agents;
mod allocation_events;
mod constraints;
mod error;
mod filters;
mod framework_events;
mod frameworks;
mod metrics;
mod options;
mod ranking;
mod roles;
mod round;
mod share;
mod slab;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use types::Role;

pub use agents::{AgentEntry, Locality};
pub use constraints::whole_match;
pub use constraints::{Constraint, Constraints, InvalidConstraints, Predicate, Selector, Traits};
pub use error::Error;
pub use frameworks::FrameworkEntry;
pub use metrics::Counters;
pub use options::Options;
pub use round::Allocation;
pub use share::Weight;

use agents::{AgentIndex, Agents};
use filters::OfferFilters;
use frameworks::Frameworks;
use roles::Roles;
use share::Totals;

/// Decides who is offered what.
#[derive(Debug)]
pub struct Allocator {
    options: Options,
    random: StdRng,
    agents: Agents,
    frameworks: Frameworks,
    roles: Roles,
    filters: OfferFilters,
    totals: Totals,
    paused: bool,
    counters: Counters,
}

impl Allocator {
    /// Returns an allocator that knows nobody.
    pub fn new(options: Options) -> Self {
        Self {
            random: StdRng::seed_from_u64(options.seed),
            agents: Agents::default(),
            frameworks: Frameworks::default(),
            roles: Roles::new(),
            filters: OfferFilters::default(),
            totals: Totals::new(options.excluded_from_shares.clone()),
            paused: false,
            counters: Counters::default(),
            options,
        }
    }

    /// Returns whether a round could give something away: some agent changed since the last one.
    pub fn has_candidates(&self) -> bool {
        self.agents.has_candidates()
    }

    /// Returns when the next refusal ends, in milliseconds; the round after that moment considers
    /// its agent, so that nobody has to look at all agents again and again.
    pub fn next_expiry_ms(&self) -> Option<u64> {
        self.filters.next_expiry_ms()
    }

    /// Sets how much roles count beside their siblings. The next round goes by it.
    pub fn update_weights(&mut self, weights: impl IntoIterator<Item = (Role, Weight)>) {
        for (role, weight) in weights {
            self.roles.set_weight(&role, weight);
        }
    }

    /// Stops giving things away, while the state of the cluster is not known well enough.
    pub fn pause(&mut self) {
        self.paused = true;
    }

    /// Gives things away again.
    pub fn resume(&mut self) {
        self.paused = false;
    }

    /// Checks that on every agent what is free and what is allocated is what there is.
    ///
    /// For tests; it looks at everything.
    ///
    /// # Panics
    ///
    /// Panics when something is allocated twice, or to nobody.
    pub fn assert_consistent(&self) {
        for (_, agent) in self.agents.iter() {
            assert!(
                agent.is_consistent(),
                "agent {} is not consistent",
                agent.id
            );
        }
    }

    fn shuffle(&mut self, agents: &mut [AgentIndex]) {
        agents.shuffle(&mut self.random);
    }
}
