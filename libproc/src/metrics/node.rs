//! The node's own metrics: read from what it keeps anyway, when somebody looks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::name::{self, Labels};
use super::reading::{Number, Reading, Readings};
use super::registry::{Family, Kind};
use crate::node::Node;
use crate::transport::PeerLook;

/// Most peers whose outboxes are shown one by one: those with most waiting. The others are one.
const PEERS_SHOWN: usize = 64;

/// All families whose members' names in the snapshot begin with `prefix`.
pub(crate) fn readings(node: &Node, prefix: &str) -> Vec<Readings> {
    let mut page = Page {
        prefix,
        families: Vec::new(),
    };
    if !prefix.starts_with("libproc") && !"libproc/".starts_with(prefix) {
        return page.families;
    }
    processes(node, &mut page);
    workers(node, &mut page);
    network(node, &mut page);
    peers(node, &mut page);
    http(node, &mut page);
    system(node, &mut page);
    page.families
}

fn processes(node: &Node, page: &mut Page<'_>) {
    page.gauge(
        "processes",
        "Processes that live here",
        node.process_count(),
    );
    let reasons = node.dead_letters().map(|(reason, count)| {
        let reason = serde_json::to_value(reason).ok();
        let reason = reason
            .as_ref()
            .and_then(|reason| reason.as_str())
            .unwrap_or("Other");
        (vec![("reason", reason.to_owned())], Number::Whole(count))
    });
    let help = "Letters that could not be delivered";
    page.add("dead_letters", Kind::Counter, None, help, reasons.collect());
    let help = "Wake-ups that processes with timers wait for";
    page.gauge("timers_pending", help, node.alarms().len() as u64);
    let help = "Metrics beside the node's own";
    page.gauge("metrics", help, node.registry().count() as u64);
}

fn workers(node: &Node, page: &mut Page<'_>) {
    let workers = node.pool().look();
    let each = |value: &dyn Fn(&crate::worker::Look) -> Option<Number>| {
        let values = workers.iter().enumerate().filter_map(|(index, worker)| {
            Some((vec![("worker", index.to_string())], value(worker)?))
        });
        values.collect::<Vec<_>>()
    };
    let handled = workers.iter().map(|worker| worker.handled).sum();
    page.counter(
        "letters_handled",
        "Letters that processes have handled",
        handled,
    );
    let handled = each(&|worker| Some(Number::Whole(worker.handled)));
    let help = "Letters handled on this thread";
    page.add("workers/handled", Kind::Counter, None, help, handled);
    let queue = each(&|worker| Some(Number::Whole(worker.queue as u64)));
    let help = "Processes that wait for a turn on this thread";
    page.add("workers/queue", Kind::Gauge, None, help, queue);
    let used = each(&|worker| Some(Number::Real(worker.used?.as_secs_f64())));
    let help = "Processor time of this thread, whatever ran on it";
    page.add(
        "workers/busy_seconds",
        Kind::Counter,
        Some("seconds"),
        help,
        used,
    );
    let ratio = each(&|worker| worker.ratio.map(Number::Real));
    let help = "Part of the last second or more that this thread was busy";
    page.add(
        "workers/busy_ratio",
        Kind::Gauge,
        Some("ratio"),
        help,
        ratio,
    );
    let help = "Turns that wait for any worker";
    page.gauge("turns_injected", help, node.pool().injected() as u64);
}

fn network(node: &Node, page: &mut Page<'_>) {
    let counters = node.counters();
    let bytes = [
        (
            "bytes_sent",
            "Bytes sent to other nodes",
            &counters.bytes_sent,
        ),
        (
            "bytes_received",
            "Bytes from other nodes",
            &counters.bytes_received,
        ),
    ];
    for (name, help, counter) in bytes {
        let value = vec![(Labels::new(), Number::Whole(counter.get()))];
        page.add(name, Kind::Counter, None, help, value);
    }
    let help = "Frames from other nodes";
    page.counter("frames_received", help, counters.frames_received.get());
    let help = "Connections that were closed for what was no frame";
    page.counter("bad_frames", help, counters.bad_frames.get());
    let help = "Connections of nodes that were not accepted";
    page.counter(
        "refused_connections",
        help,
        counters.refused_connections.get(),
    );
    let help = "Connections that did not show in time who they are, or had to make room";
    let evicted = counters.evicted_connections.get();
    page.counter("evicted_connections", help, evicted);
    let help = "Requests of clients that did not show that they may make them";
    page.counter("denied_requests", help, counters.denied_requests.get());
    for (why, count) in node.denials().by_reason() {
        let help = "Nodes that were denied, by reason";
        page.counter(&format!("denied/{why:?}"), help, count);
    }
}

fn peers(node: &Node, page: &mut Page<'_>) {
    let mut looks = node.peer_looks();
    let mut phases = BTreeMap::from([("connected", 0), ("dialing", 0), ("idle", 0)]);
    for look in &looks {
        *phases.entry(look.phase).or_default() += 1;
    }
    let phases = phases
        .into_iter()
        .map(|(phase, count)| (vec![("state", phase.to_owned())], Number::Whole(count)));
    page.add(
        "peers",
        Kind::Gauge,
        None,
        "Nodes that this one knows",
        phases.collect(),
    );
    let asks = looks.iter().map(|look| look.asks as u64).sum();
    page.gauge(
        "asks_outstanding",
        "Asks that wait for answers of other nodes",
        asks,
    );
    looks.sort_by_key(|look| (std::cmp::Reverse(look.outbox_bytes), look.address));
    let rest = looks.split_off(PEERS_SHOWN.min(looks.len()));
    let bytes = |looks: &[PeerLook]| looks.iter().map(|look| look.outbox_bytes as u64).sum();
    let one = |look: &PeerLook| (look.address.to_string(), look.outbox_bytes as u64);
    let mut outboxes: Vec<(String, u64)> = looks.iter().map(one).collect();
    if !rest.is_empty() {
        outboxes.push(("other".to_owned(), bytes(&rest)));
    }
    let outboxes = outboxes
        .into_iter()
        .map(|(peer, bytes)| (vec![("peer", peer)], Number::Whole(bytes)));
    let help = "Bytes that wait to be sent";
    page.add(
        "outbox_bytes",
        Kind::Gauge,
        Some("bytes"),
        help,
        outboxes.collect(),
    );
}

fn http(node: &Node, page: &mut Page<'_>) {
    let counters = node.counters();
    page.counter(
        "http_requests",
        "Requests by HTTP",
        counters.http_requests.get(),
    );
    let classes = counters
        .http_responses
        .iter()
        .enumerate()
        .map(|(index, counter)| {
            let class = vec![("class", format!("{}xx", index + 1))];
            (class, Number::Whole(counter.get()))
        });
    let help = "Responses by HTTP";
    page.add(
        "http_responses",
        Kind::Counter,
        None,
        help,
        classes.collect(),
    );
    let latency = Reading::Distribution(Box::new(counters.http_latency.read()));
    let help = "Time from a request to the head of its response";
    page.family(
        "http_latency",
        Kind::Timer,
        Some("seconds"),
        help,
        vec![(Labels::new(), latency)],
    );
}

fn system(node: &Node, page: &mut Page<'_>) {
    let uptime = vec![(Labels::new(), Number::Real(node.uptime().as_secs_f64()))];
    let help = "Time since the node was bound";
    page.add("uptime_seconds", Kind::Gauge, Some("seconds"), help, uptime);
    if let Some(bytes) = resident_bytes() {
        let help = "Memory of the whole program that is resident";
        let value = vec![(Labels::new(), Number::Whole(bytes))];
        page.add(
            "memory_resident_bytes",
            Kind::Gauge,
            Some("bytes"),
            help,
            value,
        );
    }
}

/// None where the system does not tell.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

struct Page<'a> {
    prefix: &'a str,
    families: Vec<Readings>,
}

impl Page<'_> {
    fn counter(&mut self, name: &str, help: &str, value: u64) {
        let value = vec![(Labels::new(), Number::Whole(value))];
        self.add(name, Kind::Counter, None, help, value);
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        let value = vec![(Labels::new(), Number::Whole(value))];
        self.add(name, Kind::Gauge, None, help, value);
    }

    fn add(
        &mut self,
        name: &str,
        kind: Kind,
        unit: Option<&'static str>,
        help: &str,
        members: Vec<(Labels, Number)>,
    ) {
        let members = members.into_iter();
        let members = members.map(|(labels, number)| (labels, Reading::Number(number)));
        self.family(name, kind, unit, help, members.collect());
    }

    fn family(
        &mut self,
        name: &str,
        kind: Kind,
        unit: Option<&'static str>,
        help: &str,
        members: Vec<(Labels, Reading)>,
    ) {
        let name = format!("libproc/{name}");
        let wanted =
            |(labels, _): &(Labels, _)| name::flat(&name, kind, labels).starts_with(self.prefix);
        let members: Vec<_> = members.into_iter().filter(wanted).collect();
        if members.is_empty() {
            return;
        }
        let family = Arc::new(Family {
            exposed: name::exposed(&name, kind, unit),
            help: help.to_owned(),
            name,
            kind,
            unit,
        });
        self.families.push(Readings { family, members });
    }
}

impl Node {
    /// How long ago the node was bound.
    pub fn uptime(&self) -> Duration {
        self.inner().bound.elapsed()
    }
}
