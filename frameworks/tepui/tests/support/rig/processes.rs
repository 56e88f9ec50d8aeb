//! The processes of this machine, as `/proc` shows them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// A process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    /// One letter, `Z` for a zombie.
    pub(crate) state: char,
    pub(crate) name: String,
}

/// All processes; those that end meanwhile are left out.
pub(crate) fn all() -> BTreeMap<i32, Process> {
    let entries = fs::read_dir("/proc").expect("/proc is there").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, read(pid)?))).collect()
}

fn read(pid: i32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (head, rest) = stat.rsplit_once(')')?;
    let (_, name) = head.split_once('(')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    Some(Process {
        pid,
        parent,
        state,
        name: name.to_owned(),
    })
}

/// The children of a process.
pub(crate) fn children(pid: i32) -> Vec<i32> {
    all()
        .values()
        .filter(|process| process.parent == pid)
        .map(|process| process.pid)
        .collect()
}

/// Everything below these processes, themselves left out.
pub(crate) fn below(roots: &[i32]) -> Vec<Process> {
    let all = all();
    let mut found: BTreeSet<i32> = roots.iter().copied().collect();
    loop {
        let before = found.len();
        let new = all
            .values()
            .filter(|process| found.contains(&process.parent));
        found.extend(new.map(|process| process.pid).collect::<Vec<_>>());
        if found.len() == before {
            break;
        }
    }
    found.retain(|pid| !roots.contains(pid));
    found
        .iter()
        .filter_map(|pid| all.get(pid).cloned())
        .collect()
}

/// The processes whose environment sets `name` to `value`.
pub(crate) fn with_variable(name: &str, value: &str) -> Vec<i32> {
    let wanted = format!("{name}={value}");
    let has = |pid: &i32| variables(*pid).any(|variable| variable == wanted);
    all().into_keys().filter(has).collect()
}

/// A variable of a process.
pub(crate) fn variable(pid: i32, name: &str) -> Option<String> {
    let prefix = format!("{name}=");
    variables(pid).find_map(|variable| Some(variable.strip_prefix(&prefix)?.to_owned()))
}

fn variables(pid: i32) -> impl Iterator<Item = String> {
    let bytes = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    bytes
        .split(|byte| *byte == 0)
        .map(text)
        .collect::<Vec<_>>()
        .into_iter()
}

/// The memory a process has in use, in KiB.
pub(crate) fn memory_kib(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or_else(|| panic!("process {pid} is gone, or says nothing of its memory"))
}
