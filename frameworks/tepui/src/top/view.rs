//! What happened between two looks: rates of the node and of each process.

use std::collections::HashMap;

use clap::ValueEnum;
use serde::Serialize;

use super::feed::{Look, Process};

/// Nanoseconds in a second.
const NS_A_SECOND: f64 = 1e9;

/// What the processes with most of come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sort {
    /// Time spent, then letters handled, between two looks
    Busy,
    /// Letters that wait
    Mailbox,
    /// Letters handled between two looks
    Handled,
}

impl Sort {
    /// What the page of processes calls it.
    pub(super) fn parameter(self) -> &'static str {
        match self {
            Sort::Busy => "busy",
            Sort::Mailbox => "mailbox",
            Sort::Handled => "handled",
        }
    }
}

/// A node and its processes between two looks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct View {
    pub(crate) node: NodeView,
    pub(crate) processes: Vec<ProcessView>,
}

/// The node as a whole. What it does not tell is none.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct NodeView {
    pub(crate) uptime_s: f64,
    pub(crate) processes: u64,
    pub(crate) workers: usize,
    pub(crate) letters_per_s: Option<f64>,
    /// Part of the time that its workers were busy, all together: from 0 to 1.
    pub(crate) busy_ratio: Option<f64>,
    pub(crate) dead_letters_per_s: Option<f64>,
    pub(crate) bytes_received_per_s: Option<f64>,
    pub(crate) bytes_sent_per_s: Option<f64>,
    pub(crate) peers_connected: u64,
    pub(crate) memory_resident_bytes: Option<u64>,
}

/// One process.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ProcessView {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) state: String,
    pub(crate) mailbox: u64,
    pub(crate) capacity: u64,
    pub(crate) handled: u64,
    /// None for a process that was not there at the look before.
    pub(crate) handled_per_s: Option<f64>,
    pub(crate) busy_ratio: Option<f64>,
    pub(crate) links: Option<u64>,
    pub(crate) watchers: u64,
    pub(crate) age_s: u64,
}

/// What happened from one look to the next.
pub(crate) fn measured(before: &Look, now: &Look, sort: Sort) -> View {
    let seconds = now.at.duration_since(before.at).as_secs_f64();
    let earlier: HashMap<&str, &Process> = before
        .processes
        .iter()
        .map(|process| (process.id.as_str(), process))
        .collect();
    let view = |process: &Process| {
        let earlier = earlier.get(process.id.as_str()).filter(|earlier| {
            // Another process may have taken the id.
            earlier.age_s <= process.age_s && earlier.handled <= process.handled
        });
        process_view(process, earlier.copied(), seconds)
    };
    let mut processes: Vec<ProcessView> = now.processes.iter().map(view).collect();
    let handled = |process: &ProcessView| process.handled_per_s.unwrap_or(0.0);
    let key = |process: &ProcessView| match sort {
        Sort::Busy => (process.busy_ratio.unwrap_or(0.0), handled(process)),
        Sort::Mailbox => (process.mailbox as f64, handled(process)),
        Sort::Handled => (handled(process), process.handled as f64),
    };
    processes.sort_by(|one, other| {
        let (one_first, one_second) = key(one);
        let (other_first, other_second) = key(other);
        let by_key = other_first.total_cmp(&one_first);
        let by_both = by_key.then(other_second.total_cmp(&one_second));
        by_both.then_with(|| one.id.cmp(&other.id))
    });
    View {
        node: node_view(before, now, seconds),
        processes,
    }
}

fn process_view(process: &Process, earlier: Option<&Process>, seconds: f64) -> ProcessView {
    let rate = |count: fn(&Process) -> u64| {
        let earlier = earlier.filter(|_| seconds > 0.0)?;
        Some(count(process).saturating_sub(count(earlier)) as f64 / seconds)
    };
    let Process {
        id, kind, state, ..
    } = process.clone();
    ProcessView {
        id,
        kind,
        state,
        mailbox: process.mailbox,
        capacity: process.capacity,
        handled: process.handled,
        handled_per_s: rate(|process| process.handled),
        busy_ratio: rate(|process| process.busy_ns).map(|ns| ns / NS_A_SECOND),
        links: process.links,
        watchers: process.watchers,
        age_s: process.age_s,
    }
}

fn node_view(before: &Look, now: &Look, seconds: f64) -> NodeView {
    let number = |name: &str| now.numbers.get(name).copied();
    let sum = |look: &Look, prefix: &str| {
        let numbers = look.numbers.iter();
        let parts = numbers.filter(|(name, _)| name.starts_with(prefix));
        let parts: Vec<f64> = parts.map(|(_, number)| *number).collect();
        (!parts.is_empty()).then(|| parts.iter().sum::<f64>())
    };
    let rate = |prefix: &str| {
        let grown = (sum(now, prefix)? - sum(before, prefix)?).max(0.0);
        (seconds > 0.0).then_some(grown / seconds)
    };
    let queues = now.numbers.keys();
    let workers = queues
        .filter(|name| name.starts_with("libproc/workers/queue/"))
        .count();
    let busy = rate("libproc/workers/busy_seconds/");
    NodeView {
        uptime_s: number("libproc/uptime_seconds").unwrap_or(0.0),
        processes: number("libproc/processes").unwrap_or(0.0) as u64,
        workers,
        letters_per_s: rate("libproc/letters_handled"),
        busy_ratio: busy.map(|busy| busy / workers.max(1) as f64),
        dead_letters_per_s: rate("libproc/dead_letters/"),
        bytes_received_per_s: rate("libproc/bytes_received"),
        bytes_sent_per_s: rate("libproc/bytes_sent"),
        peers_connected: number("libproc/peers/connected").unwrap_or(0.0) as u64,
        memory_resident_bytes: number("libproc/memory_resident_bytes").map(|bytes| bytes as u64),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;

    pub(in crate::top) fn process(id: &str, handled: u64, mailbox: u64) -> Process {
        Process {
            id: id.to_owned(),
            kind: "shop::Shop".to_owned(),
            state: "idle".to_owned(),
            mailbox,
            capacity: 100,
            handled,
            busy_ns: handled * 1_000_000,
            links: Some(1),
            watchers: 2,
            age_s: 90,
        }
    }

    pub(in crate::top) fn looks() -> [Look; 2] {
        let numbers = |letters, dead, busy| {
            let numbers = [
                ("libproc/letters_handled", letters),
                ("libproc/dead_letters/NoProcess", dead),
                ("libproc/dead_letters/MailboxFull", 1.0),
                ("libproc/workers/busy_seconds/0", busy),
                ("libproc/workers/busy_seconds/1", 7.0),
                ("libproc/workers/queue/0", 0.0),
                ("libproc/workers/queue/1", 3.0),
                ("libproc/processes", 3.0),
                ("libproc/uptime_seconds", 61.0),
            ];
            numbers
                .map(|(name, number)| (name.to_owned(), number))
                .into()
        };
        let look = |at, numbers: BTreeMap<String, f64>, processes| Look {
            at,
            numbers,
            processes,
        };
        let start = tokio::time::Instant::now();
        let before = vec![
            process("a", 10, 0),
            process("b", 10, 0),
            process("c", 500, 0),
        ];
        let after = vec![
            process("a", 30, 9),
            process("b", 110, 0),
            process("c", 5, 1),
        ];
        [
            look(start, numbers(100.0, 5.0, 1.0), before),
            look(
                start + Duration::from_secs(2),
                numbers(1100.0, 7.0, 2.0),
                after,
            ),
        ]
    }

    fn ids(view: &View) -> Vec<&str> {
        view.processes
            .iter()
            .map(|process| process.id.as_str())
            .collect()
    }

    #[test]
    fn rates_are_what_happened_between_two_looks() {
        let [before, now] = looks();
        let view = measured(&before, &now, Sort::Busy);
        let NodeView {
            letters_per_s,
            busy_ratio,
            dead_letters_per_s,
            workers,
            ..
        } = view.node;
        assert_eq!(
            (letters_per_s, dead_letters_per_s),
            (Some(500.0), Some(1.0))
        );
        assert_eq!((busy_ratio, workers), (Some(0.25), 2));
        assert_eq!(
            (view.node.bytes_sent_per_s, view.node.memory_resident_bytes),
            (None, None)
        );
        assert_eq!(ids(&view), ["b", "a", "c"]);
        let rates = |index: usize| {
            let process: &ProcessView = &view.processes[index];
            (process.handled_per_s, process.busy_ratio)
        };
        assert_eq!(rates(0), (Some(50.0), Some(0.05)));
        assert_eq!(rates(2), (None, None), "another process has the id");
    }

    #[test]
    fn the_order_is_by_what_is_wanted() {
        let [before, now] = looks();
        assert_eq!(
            ids(&measured(&before, &now, Sort::Mailbox)),
            ["a", "c", "b"]
        );
        assert_eq!(
            ids(&measured(&before, &now, Sort::Handled)),
            ["b", "a", "c"]
        );
        assert_eq!(measured(&now, &now, Sort::Handled).node.letters_per_s, None);
    }
}
