//! What a run was made on: without that a figure says nothing.

use std::fs;

use serde::Serialize;

/// The machine and the moment of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// What the processor calls itself.
    pub processor: String,
    /// How many threads the system lets this program have.
    pub cores: usize,
    /// The kernel.
    pub kernel: String,
    /// The distribution.
    pub system: String,
    /// Memory, in MiB.
    pub memory_mib: u64,
    /// Jobs that were waiting for a core when the run began, over the last minute.
    pub load: f64,
    /// When it began, in seconds since 1970.
    pub unix_seconds: u64,
}

impl Machine {
    /// This machine, now. What cannot be found out is empty.
    #[must_use]
    pub fn here() -> Machine {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let system = read("/etc/os-release");
        let system = field(&system, "PRETTY_NAME=").trim_matches('"');
        let memory = read("/proc/meminfo");
        let kib = field(&memory, "MemTotal:").trim_end_matches("kB").trim();
        let load = read("/proc/loadavg");
        Machine {
            processor: field(&read("/proc/cpuinfo"), "model name").to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            system: system.to_owned(),
            memory_mib: kib.parse::<u64>().unwrap_or_default() / 1024,
            load: load
                .split(' ')
                .next()
                .and_then(|load| load.parse().ok())
                .unwrap_or_default(),
            unix_seconds: libproc::env::unix_ms() / 1000,
        }
    }

    /// On one line.
    #[must_use]
    pub fn line(&self) -> String {
        format!(
            "{}, {} cores, {} MiB, {}, Linux {}; load {} before",
            self.processor, self.cores, self.memory_mib, self.system, self.kernel, self.load
        )
    }
}

/// What follows `name` in the first line that begins with it, without colon and space.
fn field<'a>(text: &'a str, name: &str) -> &'a str {
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .map_or("", |rest| rest.trim_matches([' ', '\t', ':']))
}

/// Resident memory of this OS process, in bytes; 0 when the system does not say.
#[must_use]
pub fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = field(&status, "VmRSS:").trim_end_matches("kB").trim();
    kib.parse::<u64>().unwrap_or_default() * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_what_follows_its_name() {
        assert_eq!(field("a: 1\nmodel name\t: EPYC\n", "model name"), "EPYC");
        assert_eq!(field("VmRSS:\t  12 kB\n", "VmRSS:"), "12 kB");
        assert_eq!(field("", "VmRSS:"), "");
    }

    #[test]
    fn this_program_has_memory() {
        assert!(resident_bytes() > 1 << 16);
    }
}
