//! What this machine has, and a fair share of it for each of several agents.

use std::io;
use std::ops::RangeInclusive;
use std::path::Path;

use agent::detect::{Detected, detect};
use types::Resources;

/// An agent says it has at least this many processors, so that common jobs fit.
const CPUS_MIN: u64 = 2;
/// An agent says it has at least this much memory, in MiB.
const MEM_MIN_MIB: u64 = 256;
/// An agent says it has at least this much disk, in MiB.
const DISK_MIN_MIB: u64 = 256;

/// What a machine has to offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Machine {
    /// Processors.
    pub(crate) cpus: u64,
    /// Memory, in MiB.
    pub(crate) mem_mib: u64,
    /// Disk, in MiB.
    pub(crate) disk_mib: u64,
    /// Ports.
    pub(crate) ports: RangeInclusive<u64>,
}

impl Machine {
    /// What this machine has to offer, with the disk that holds `directory`.
    ///
    /// # Errors
    /// When the machine does not say.
    pub(crate) fn detect(directory: &Path) -> io::Result<Machine> {
        let Detected {
            cpus,
            mem_mib,
            disk_mib,
            ports,
        } = detect(directory)?;
        let ports = u64::from(ports.0)..=u64::from(ports.1);
        Ok(Machine {
            cpus: cpus.ceil() as u64,
            mem_mib,
            disk_mib,
            ports,
        })
    }

    /// What the agent `index` of `count` is to say it has.
    ///
    /// Memory, disk and ports are shared out. Processors too, but an agent always has two: an
    /// idle task needs none, and a job that asks for one or two should run on a small machine.
    pub(crate) fn share(&self, index: u64, count: u64) -> Resources {
        let count = count.max(1);
        let cpus = self.cpus.div_ceil(count).max(CPUS_MIN);
        let mem_mib = (self.mem_mib / count).max(MEM_MIN_MIB);
        let disk_mib = (self.disk_mib / count).max(DISK_MIN_MIB);
        let (first, last) = (*self.ports.start(), *self.ports.end());
        let each = ((last - first + 1) / count).max(1);
        let own = (first + index * each).min(last);
        let resources = Resources::new()
            .cpus(cpus as f64)
            .mem_mib(mem_mib)
            .disk_mib(disk_mib);
        resources.ports(own..=(own + each - 1).min(last))
    }

    /// How much more the agents say they have than there is, in words; none when they do not.
    pub(crate) fn overcommit(&self, count: u64) -> Option<String> {
        let each = self.cpus.div_ceil(count.max(1)).max(CPUS_MIN);
        let (said, have) = (each * count, self.cpus);
        (said > have).then(|| {
            format!("{count} agents with {each} cpus each share the {have} of this machine")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(cpus: u64, mem_mib: u64, disk_mib: u64) -> Machine {
        Machine {
            cpus,
            mem_mib,
            disk_mib,
            ports: 31_000..=32_000,
        }
    }

    #[test]
    fn agents_share_what_there_is() {
        let laptop = machine(8, 16_000, 100_000);
        let share = laptop.share(0, 2);
        assert_eq!(
            share.to_string(),
            "cpus:4; mem:8000; disk:50000; ports:[31000-31499]"
        );
        let all: Resources = (0..2).map(|index| laptop.share(index, 2)).sum();
        assert_eq!(all.total_ports().to_string(), "[31000-31999]");
        assert_eq!(laptop.overcommit(2), None);
    }

    #[test]
    fn agents_of_a_small_machine_are_large_enough_for_common_jobs() {
        let small = machine(1, 512, 0);
        let need = Resources::new().cpus(1.0).mem_mib(128);
        assert!(small.share(2, 3).contains(&need));
        let words = small.overcommit(3).unwrap();
        assert_eq!(
            words,
            "3 agents with 2 cpus each share the 1 of this machine"
        );
    }
}
