//! What this machine has to offer, when nobody says: the rules of Mesos, on what Linux tells.

use std::{fs, io, num::NonZero, path::Path, thread};

use nix::{sys::statvfs::statvfs, unistd::gethostname};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
/// Memory left to the system, in MiB; half of it when there is less than twice that.
const MEMORY_KEPT_MIB: u64 = 1024;
/// Disk left to the system, in MiB; half of it when there is less than twice that.
const DISK_KEPT_MIB: u64 = 5 * 1024;
/// The ports offered.
const PORTS: (u16, u16) = (31000, 32000);
/// Where control groups of version 2 and of memory in version 1 say how much memory they have.
const CGROUP_LIMITS: [(&str, &str, &str); 2] = [
    ("0::", "/sys/fs/cgroup", "memory.max"),
    (":memory:", "/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
];

/// What can be offered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detected {
    /// Processors this process may use, by its affinity and the quota of its control group.
    pub cpus: f64,
    /// Memory, in MiB, less what the system needs.
    pub mem_mib: u64,
    /// Disk that holds the work directory, in MiB, less what the system needs.
    pub disk_mib: u64,
    /// The first and the last port.
    pub ports: (u16, u16),
}

/// Looks at the machine. `work_directory` must exist.
///
/// # Errors
/// When the system tells nothing of its memory or of the work directory's disk.
pub fn detect(work_directory: &Path) -> io::Result<Detected> {
    let memory = total_memory(&fs::read_to_string("/proc/meminfo")?)
        .ok_or_else(|| io::Error::other("/proc/meminfo has no MemTotal"))?;
    let memory = cgroup_memory().map_or(memory, |limit| limit.min(memory));
    Ok(Detected {
        cpus: thread::available_parallelism().map_or(1, NonZero::get) as f64,
        mem_mib: keep(memory / MIB, MEMORY_KEPT_MIB),
        disk_mib: keep(disk(work_directory)?.total / MIB, DISK_KEPT_MIB),
        ports: PORTS,
    })
}

/// The machine's name, as it knows it itself.
///
/// # Errors
/// When it has none that is text.
pub fn hostname() -> io::Result<String> {
    gethostname()?
        .into_string()
        .map_err(|_| io::Error::other("the host name is not text"))
}

/// The share of the disk under `directory` that is in use, in millionths. What is reserved for
/// root counts as used.
///
/// # Errors
/// When there is no such directory.
pub fn disk_usage_ppm(directory: &Path) -> io::Result<u32> {
    let Disk { total, available } = disk(directory)?;
    let used = u128::from(total.saturating_sub(available));
    Ok((used * 1_000_000 / u128::from(total.max(1))) as u32)
}

/// Sizes in bytes.
struct Disk {
    total: u64,
    available: u64,
}

fn disk(directory: &Path) -> io::Result<Disk> {
    let status = statvfs(directory)?;
    let bytes = |blocks: u64| blocks.saturating_mul(status.fragment_size());
    Ok(Disk {
        total: bytes(status.blocks()),
        available: bytes(status.blocks_available()),
    })
}

/// What is left of `total` when the system keeps `kept`, or half when it is a small one.
fn keep(total: u64, kept: u64) -> u64 {
    match total >= 2 * kept {
        true => total - kept,
        false => total / 2,
    }
}

/// Reads the memory of the machine from `/proc/meminfo`, in bytes.
fn total_memory(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * KIB)
}

/// The least memory limit of our control group and those above it, in bytes.
fn cgroup_memory() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let limits = CGROUP_LIMITS.iter().flat_map(|(marker, mount, file)| {
        let groups = groups.lines();
        // A container sees its own group as the root, whatever the path says.
        let group = groups
            .filter_map(|line| Some(line.split_once(marker)?.1))
            .next()
            .unwrap_or("");
        let ancestors: Vec<_> = Path::new(group.trim_start_matches('/'))
            .ancestors()
            .collect();
        ancestors
            .into_iter()
            .map(move |group| Path::new(mount).join(group).join(file))
    });
    limits
        .filter_map(|file| parse_limit(&fs::read_to_string(file).ok()?))
        .min()
}

/// Reads a limit; `max`, and in version 1 a number of no machine, is none.
fn parse_limit(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_keeps_its_part_or_half_of_a_small_machine() {
        for (total, left) in [
            (16 * 1024, 15 * 1024),
            (2048, 1024),
            (2047, 1023),
            (1024, 512),
            (0, 0),
        ] {
            assert_eq!(keep(total, MEMORY_KEPT_MIB), left, "{total}");
        }
        assert_eq!(keep(10 * 1024, DISK_KEPT_MIB), 5 * 1024);
        assert_eq!(keep(8 * 1024, DISK_KEPT_MIB), 4 * 1024);
    }

    #[test]
    fn memory_is_read_in_kibibytes() {
        let meminfo = "MemFree:  1 kB\nMemTotal:       2048 kB\n";
        assert_eq!(total_memory(meminfo), Some(2048 * 1024));
        assert_eq!(total_memory("MemFree: 1 kB\n"), None);
    }

    #[test]
    fn no_limit_is_not_a_limit() {
        assert_eq!(parse_limit("max\n"), None);
        assert_eq!(parse_limit("1048576\n"), Some(MIB));
    }

    #[test]
    fn this_machine_has_something_to_offer() {
        let detected = detect(Path::new("/")).unwrap();
        assert!(detected.cpus >= 1.0 && detected.mem_mib > 0 && detected.disk_mib > 0);
        assert_eq!(detected.ports, (31000, 32000));
        assert!(disk_usage_ppm(Path::new("/")).unwrap() <= 1_000_000);
        assert!(!hostname().unwrap().is_empty());
    }
}
