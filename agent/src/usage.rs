//! What containers use, as the system's process table tells it.
//!
//! A container is the session its executor leads and all that descends from it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;

use nix::unistd::{SysconfVar, sysconf};

/// What the processes of a container use.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Usage {
    pub(crate) processes: u32,
    pub(crate) threads: u32,
    /// In seconds, that of children that have ended included.
    pub(crate) user_time: f64,
    /// The same, in the system.
    pub(crate) system_time: f64,
    /// Memory in use, in bytes; what several share counts for each.
    pub(crate) rss_bytes: u64,
}

/// A line of the table.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Line {
    parent: u32,
    session: u32,
    /// In ticks.
    user: u64,
    system: u64,
    threads: u32,
    rss_pages: u64,
}

/// Measures the containers that these processes lead. Reads the whole table once, which takes
/// milliseconds on a busy machine. A container that is gone is not in the answer.
///
/// # Errors
/// When there is no table.
pub(crate) fn measure(leaders: &BTreeSet<u32>) -> io::Result<BTreeMap<u32, Usage>> {
    let constant = |variable| match sysconf(variable) {
        Ok(Some(value)) => u64::try_from(value).unwrap_or(1),
        Ok(None) | Err(_) => 1,
    };
    let (page_bytes, ticks) = (
        constant(SysconfVar::PAGE_SIZE),
        constant(SysconfVar::CLK_TCK),
    );
    let table = scan()?;
    let mut usage = BTreeMap::<u32, Usage>::new();
    for (pid, line) in &table {
        let Some(leader) = leader_of(*pid, &table, leaders) else {
            continue;
        };
        let usage = usage.entry(leader).or_default();
        usage.processes += 1;
        usage.threads += line.threads;
        usage.user_time += line.user as f64 / ticks as f64;
        usage.system_time += line.system as f64 / ticks as f64;
        usage.rss_bytes += line.rss_pages * page_bytes;
    }
    Ok(usage)
}

/// Whose container a process is in.
fn leader_of(pid: u32, table: &BTreeMap<u32, Line>, leaders: &BTreeSet<u32>) -> Option<u32> {
    let mut pid = pid;
    // Parents are not in a circle, but the table was read while they changed.
    for _ in 0..table.len() {
        let line = table.get(&pid)?;
        if let Some(leader) = [pid, line.session].iter().find(|pid| leaders.contains(pid)) {
            return Some(*leader);
        }
        pid = line.parent;
    }
    None
}

fn scan() -> io::Result<BTreeMap<u32, Line>> {
    let mut table = BTreeMap::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // Gone since the directory was read, or hidden from us, and then not ours.
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
            continue;
        };
        if let Some(line) = parse(&stat) {
            table.insert(pid, line);
        }
    }
    Ok(table)
}

/// Reads a line of `/proc/<pid>/stat`, see proc(5). The name of the program, in brackets, may hold
/// anything.
fn parse(stat: &str) -> Option<Line> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    // The first field after the name is the third of the manual.
    let number = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(Line {
        parent: u32::try_from(number(4)?).ok()?,
        session: u32::try_from(number(6)?).ok()?,
        user: number(14)? + number(16)?,
        system: number(15)? + number(17)?,
        threads: u32::try_from(number(20)?).ok()?,
        rss_pages: number(24)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_table_is_read_whatever_the_program_is_called() {
        let stat = "42 (a) S 7 (b) R 1 41 40 0 -1 4194304 9 8 7 6 100 50 20 10 20 0 3 0 999 \
                    123456 77 18446744073709551615";
        let expected = Line {
            parent: 1,
            session: 40,
            user: 120,
            system: 60,
            threads: 3,
            rss_pages: 77,
        };
        assert_eq!(parse(stat), Some(expected));
        for bad in ["", "42 (a", "42 (a) S", "42 (a) S x 41 40"] {
            assert_eq!(parse(bad), None);
        }
    }

    #[test]
    fn a_process_is_in_the_container_of_its_session_or_its_ancestor() {
        let line = |parent, session| Line {
            parent,
            session,
            user: 0,
            system: 0,
            threads: 1,
            rss_pages: 0,
        };
        let table = BTreeMap::from([
            (1, line(0, 1)),
            (10, line(1, 10)),
            (11, line(1, 10)),
            (12, line(11, 12)),
            (20, line(1, 20)),
            (30, line(31, 30)),
            (31, line(30, 31)),
        ]);
        let leaders = BTreeSet::from([10, 99]);
        let of = |pid| leader_of(pid, &table, &leaders);
        assert_eq!([10, 11, 12].map(of), [Some(10); 3]);
        assert_eq!([1, 20, 30, 99].map(of), [None; 4]);
    }

    #[test]
    fn this_process_uses_something() {
        let pid = std::process::id();
        let usage = measure(&BTreeSet::from([pid])).unwrap()[&pid];
        assert!(usage.processes >= 1 && usage.threads >= 1 && usage.rss_bytes > 0);
    }
}
