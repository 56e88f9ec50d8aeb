//! What a master can be told when it starts; the defaults are those of Mesos.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use allocator::Weight;
use api::v1::authentication::Authentication;
use api::v1::verbosity::LogSwitch;
use types::{ResourceQuantities, Role};

/// What a master can be told when it starts.
#[derive(Debug, Clone)]
pub struct Options {
    /// The name of its machine, told to agents and frameworks; the node's address if none.
    pub hostname: Option<String>,
    /// The name of the cluster, for people.
    pub cluster: Option<String>,
    /// An offer that is not answered for so long is rescinded; never, if none.
    pub offer_timeout: Option<Duration>,
    /// How often agents are asked whether they are there, and how long they may take. 15 s.
    pub agent_ping_timeout: Duration,
    /// So many unanswered questions in a row make an agent unreachable. 5.
    pub max_agent_ping_timeouts: u32,
    /// How long agents have to come back to a new master. 10 min.
    pub agent_reregister_timeout: Duration,
    /// Resources are offered if they have any one of these quantities. A hundredth of a processor,
    /// or 32 MiB of memory.
    pub min_allocatable: Vec<ResourceQuantities>,
    /// How long the allocator waits for more to happen before it runs a round after a quiet time.
    /// 0 ms: only for what has happened already.
    pub allocation_debounce: Duration,
    /// The least time from a round that gave something away to the next. 2 ms.
    pub min_allocation_interval: Duration,
    /// How much roles count beside their siblings; one, if not named.
    pub weights: BTreeMap<Role, Weight>,
    /// The only roles frameworks may have; any, if none.
    pub roles: Option<BTreeSet<Role>>,
    /// The file of its log, to be shown as `/master/log`, if whoever started it writes one.
    pub external_log_file: Option<PathBuf>,
    /// What turns its log up and down; it cannot be, if none.
    pub log: Option<LogSwitch>,
    /// Where HTTP clients have to say who they are, and who may come; nowhere, usually.
    pub authentication: Authentication,
    /// How many frameworks that have ended are remembered. 50.
    pub max_completed_frameworks: usize,
    /// How many tasks that have ended are remembered of each framework. 1,000.
    pub max_completed_tasks_per_framework: usize,
    /// How many tasks on unreachable agents are remembered of each framework. 1,000.
    pub max_unreachable_tasks_per_framework: usize,
    /// How many agents that are unreachable or gone are remembered. 100,000.
    pub max_removed_agents: usize,
    /// How long the registry remembers agents that are unreachable. Two weeks.
    pub registry_max_agent_age: Duration,
    /// When more than this share of the agents does not come back to a new master, in percent, it
    /// ends instead of giving them up. 100: never.
    pub recovery_agent_removal_limit_percent: u8,
    /// What the ids it makes up and the order of allocation follow from; chance, if none.
    pub seed: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            hostname: None,
            cluster: None,
            offer_timeout: None,
            agent_ping_timeout: Duration::from_secs(15),
            max_agent_ping_timeouts: 5,
            agent_reregister_timeout: Duration::from_secs(600),
            min_allocatable: allocator::Options::default().min_allocatable,
            allocation_debounce: Duration::ZERO,
            min_allocation_interval: Duration::from_millis(2),
            weights: BTreeMap::new(),
            roles: None,
            external_log_file: None,
            log: None,
            authentication: Authentication::default(),
            max_completed_frameworks: 50,
            max_completed_tasks_per_framework: 1_000,
            max_unreachable_tasks_per_framework: 1_000,
            max_removed_agents: 100_000,
            registry_max_agent_age: Duration::from_secs(14 * 24 * 60 * 60),
            recovery_agent_removal_limit_percent: 100,
            seed: None,
        }
    }
}

impl Options {
    /// The time after which an agent that does not answer is unreachable: 75 s by default.
    pub fn agent_silence(&self) -> Duration {
        self.agent_ping_timeout
            .saturating_mul(self.max_agent_ping_timeouts)
    }
}

impl From<&Options> for crate::registry::Limits {
    fn from(options: &Options) -> Self {
        Self {
            unreachable: options.max_removed_agents,
            ended_frameworks: options.max_completed_frameworks,
        }
    }
}
