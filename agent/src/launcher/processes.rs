//! Executors and what belongs to them, by way of the system's process table.
//!
//! Reading the whole table takes milliseconds on a busy machine, so it is read only when something went
//! wrong: when the agent or the zygote died.

use std::{collections::BTreeSet, fs, io};

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};

/// A process, its parent and its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: Pid,
    pub(super) parent: Pid,
    pub(super) session: Pid,
}

/// Reads the table of the living: the dead that nobody waited for are left out. Processes that come or go meanwhile may be missing.
pub(super) fn scan() -> io::Result<Vec<Process>> {
    let mut processes = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // Gone since the directory was read, or hidden from us, and then not ours.
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
            continue;
        };
        processes.extend(parse_stat(Pid::from_raw(pid), &stat));
    }
    Ok(processes)
}

/// The members of `processes` that are `roots`, are in a session one of them leads, or descend
/// from such a process.
pub(super) fn family(processes: &[Process], roots: &BTreeSet<Pid>) -> BTreeSet<Pid> {
    let mut family = BTreeSet::new();
    loop {
        let before = family.len();
        for process in processes {
            let belongs = roots.contains(&process.pid)
                || roots.contains(&process.session)
                || family.contains(&process.parent);
            if belongs {
                family.insert(process.pid);
            }
        }
        if family.len() == before {
            return family;
        }
    }
}

/// Signals an executor with its process group, which is its own until it was waited for, or alone
/// while it was just forked and has no group.
pub(super) fn signal(executor: Pid, signal: Signal) {
    if killpg(executor, signal).is_err() {
        let _ = kill(executor, signal); // dead already
    }
}

/// Reads a line of `/proc/<pid>/stat`; nothing comes of the dead. The second field is a name in
/// parentheses that its process chose, and may itself hold spaces and parentheses.
fn parse_stat(pid: Pid, stat: &str) -> Option<Process> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = after_name.split_ascii_whitespace().collect();
    // The third field, the state, is the first after the name.
    let field = |number: usize| fields.get(number - 3).copied();
    let number = |field: Option<&str>| field?.parse::<i32>().ok();
    let (state, parent, session, threads) = (
        field(3)?,
        number(field(4))?,
        number(field(6))?,
        number(field(20))?,
    );
    // A process whose first thread has ended looks dead while others run.
    let is_dead = matches!(state, "Z" | "X") && threads <= 1;
    (!is_dead).then(|| Process {
        pid,
        parent: Pid::from_raw(parent),
        session: Pid::from_raw(session),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, parent: i32, session: i32) -> Process {
        Process {
            pid: Pid::from_raw(pid),
            parent: Pid::from_raw(parent),
            session: Pid::from_raw(session),
        }
    }

    #[test]
    fn a_name_with_parentheses_and_spaces_is_read_over() {
        let stat = "42 (a) R 7 7 (b) S 10 11 12 0 -1 4194304 1 0 0 0 1 2 0 0 20 0 1 0 99";
        assert_eq!(
            parse_stat(Pid::from_raw(42), stat),
            Some(process(42, 10, 12))
        );
        assert_eq!(parse_stat(Pid::from_raw(42), "42 (cut"), None);
    }

    #[test]
    fn the_dead_are_left_out_unless_a_thread_of_theirs_lives() {
        let stat = |threads| format!("42 (a) Z 10 11 12 0 -1 4 1 0 0 0 1 2 0 0 20 0 {threads} 0");
        assert_eq!(parse_stat(Pid::from_raw(42), &stat(1)), None);
        assert_eq!(
            parse_stat(Pid::from_raw(42), &stat(2)),
            Some(process(42, 10, 12))
        );
    }

    #[test]
    fn a_family_is_the_session_and_whoever_descends_from_it() {
        let table = [
            process(31, 30, 31), // a session of its own, started by 30
            process(10, 1, 10),
            process(11, 10, 10),
            process(12, 1, 10), // its parent died, the session remains
            process(30, 12, 10),
            process(50, 1, 50), // somebody else's
        ];
        let family: Vec<i32> = family(&table, &[Pid::from_raw(10)].into())
            .into_iter()
            .map(Pid::as_raw)
            .collect();
        assert_eq!(family, [10, 11, 12, 30, 31]);
    }

    #[test]
    fn this_process_is_in_the_table() {
        let me = Pid::this();
        let found = scan()
            .unwrap()
            .into_iter()
            .find(|process| process.pid == me)
            .unwrap();
        assert_eq!(found.parent, Pid::parent());
    }
}
