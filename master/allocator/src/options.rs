//! What the allocator can be told once, when it is made.

use std::time::Duration;

use types::{ResourceName, ResourceQuantities, Scalar};

/// What the allocator can be told once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Resources are offered if they have any one of these quantities; all are, if there are none.
    /// By default a hundredth of a processor, or 32 MiB of memory.
    pub min_allocatable: Vec<ResourceQuantities>,
    /// Decides the order in which agents are considered. By default zero.
    pub seed: u64,
    /// What does not count in shares, such as scarce devices. By default nothing.
    pub excluded_from_shares: Vec<ResourceName>,
    /// Whether agents with graphics processors are kept for frameworks that ask for them.
    pub gpus_for_gpu_frameworks: bool,
    /// A refusal holds for at least this long, so that it outlives the round that could ignore it.
    /// By default one second.
    pub min_refuse: Duration,
}

impl Default for Options {
    fn default() -> Self {
        let cpus = ResourceQuantities::new().with(ResourceName::CPUS, Scalar::from_thousandths(10));
        let mem = ResourceQuantities::new().with(ResourceName::MEM, Scalar::from_units(32));
        Self {
            min_allocatable: vec![cpus, mem],
            seed: 0,
            excluded_from_shares: Vec::new(),
            gpus_for_gpu_frameworks: true,
            min_refuse: Duration::from_secs(1),
        }
    }
}
