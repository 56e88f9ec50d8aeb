//! A few replicas in one thread, with a network and disks that do what they are told.

#![allow(dead_code, reason = "each test uses a part")]

use paxos::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// One replica with its disk.
pub(crate) struct Node {
    pub(crate) replica: Replica,
    pub(crate) disk: Vec<Record>,
    pub(crate) unwritten: Vec<(WriteNumber, Record)>,
    pub(crate) out: Vec<Output>,
}

/// Replicas, and the messages between them.
pub(crate) struct Cluster {
    pub(crate) now: Millis,
    pub(crate) nodes: BTreeMap<NodeId, Node>,
    pub(crate) wire: VecDeque<Envelope>,
    /// Nothing leaves or reaches these.
    pub(crate) cut: BTreeSet<NodeId>,
    pub(crate) quorums: Quorums,
    pub(crate) options: Options,
    starts: u64,
}

impl Cluster {
    /// Replicas 1 to `count` that begin a log.
    pub(crate) fn new(count: u64) -> Self {
        Self::with(count, Quorums::Majority, Options::default())
    }

    pub(crate) fn with(count: u64, quorums: Quorums, options: Options) -> Self {
        let mut cluster = Self {
            now: Millis(0),
            nodes: BTreeMap::new(),
            wire: VecDeque::new(),
            cut: BTreeSet::new(),
            quorums,
            options,
            starts: 0,
        };
        for node in 1..=count {
            cluster.start(
                NodeId(node),
                (1..=count).map(NodeId).collect(),
                Vec::new(),
                None,
            );
        }
        cluster
    }

    pub(crate) fn start(
        &mut self,
        node: NodeId,
        peers: BTreeSet<NodeId>,
        disk: Vec<Record>,
        damage: Option<Damage>,
    ) {
        self.starts += 1;
        let mut durable = Durable::default();
        for record in disk.clone() {
            durable.apply(record);
        }
        if let Some(damage) = damage {
            durable.damaged(damage);
        }
        let setup = Setup {
            cluster: ClusterId(1),
            node,
            peers,
            quorums: self.quorums,
            options: self.options.clone(),
        };
        let (replica, outputs) = Replica::start(setup, durable, self.starts, self.now);
        let fresh = Node {
            replica,
            disk,
            unwritten: Vec::new(),
            out: Vec::new(),
        };
        self.nodes.insert(node, fresh);
        self.carry_out(node, outputs);
    }

    /// Ends a replica and starts it from what was durable.
    pub(crate) fn restart(&mut self, node: u64) {
        self.restart_with(node, |_| None);
    }

    pub(crate) fn restart_with(
        &mut self,
        node: u64,
        damage: impl FnOnce(&mut Vec<Record>) -> Option<Damage>,
    ) {
        let mut old = self.nodes.remove(&NodeId(node)).expect("it runs");
        let peers = (1..=3).map(NodeId).collect();
        let damage = damage(&mut old.disk);
        self.start(NodeId(node), peers, old.disk, damage);
    }

    pub(crate) fn stop(&mut self, node: u64) -> Node {
        self.nodes.remove(&NodeId(node)).expect("it runs")
    }

    pub(crate) fn step(&mut self, node: u64, input: Input) {
        let id = NodeId(node);
        let outputs = self
            .nodes
            .get_mut(&id)
            .expect("it runs")
            .replica
            .step(self.now, input);
        self.carry_out(id, outputs);
    }

    fn carry_out(&mut self, id: NodeId, outputs: Vec<Output>) {
        let node = self.nodes.get_mut(&id).expect("it runs");
        let mut loads = Vec::new();
        for output in outputs {
            match output {
                Output::Persist(number, record) => node.unwritten.push((number, record)),
                Output::Send(envelope) => self.wire.push_back(envelope),
                Output::Load {
                    to, request, span, ..
                } => {
                    let mut found = BTreeMap::new();
                    for record in node
                        .disk
                        .iter()
                        .chain(node.unwritten.iter().map(|(_, r)| r))
                    {
                        if let Record::Accepted { position, entry } = record {
                            found.insert(*position, entry.clone());
                        }
                    }
                    let entries: Vec<Entry> = (span.first.0..=span.last.0)
                        .map_while(|position| found.get(&Position(position)).cloned())
                        .collect();
                    loads.push(Input::Loaded {
                        to,
                        request,
                        first: span.first,
                        entries,
                    });
                }
                output => {
                    assert!(!matches!(output, Output::Halted(_)), "{output:?}");
                    node.out.push(output);
                }
            }
        }
        for load in loads {
            self.step(id.0, load);
        }
    }

    /// Makes everything durable and delivers everything until nothing moves.
    pub(crate) fn settle(&mut self) {
        for _ in 0..100_000 {
            let ids: Vec<NodeId> = self.nodes.keys().copied().collect();
            let mut still = true;
            for id in ids {
                let node = self.nodes.get_mut(&id).expect("it runs");
                let Some((last, _)) = node.unwritten.last() else {
                    continue;
                };
                let last = *last;
                node.disk
                    .extend(node.unwritten.drain(..).map(|(_, record)| record));
                self.step(id.0, Input::Persisted(last));
                still = false;
            }
            if let Some(envelope) = self.wire.pop_front() {
                still = false;
                let cut = self.cut.contains(&envelope.from.node) || self.cut.contains(&envelope.to);
                if !cut && self.nodes.contains_key(&envelope.to) {
                    let to = envelope.to;
                    self.step(to.0, Input::Receive(envelope));
                }
            }
            if still {
                return;
            }
        }
        panic!("it never settles");
    }

    /// Lets `ms` pass.
    pub(crate) fn pass(&mut self, ms: u64) {
        let end = self.now.plus(Millis(ms));
        self.settle();
        loop {
            let next = self
                .nodes
                .values()
                .map(|node| node.replica.deadline())
                .min();
            let Some(next) = next.filter(|next| *next <= end) else {
                break;
            };
            self.now = self.now.max(next);
            let due: Vec<NodeId> = self
                .nodes
                .iter()
                .filter(|(_, node)| node.replica.deadline() <= self.now)
                .map(|(id, _)| *id)
                .collect();
            for id in due {
                self.step(id.0, Input::Tick { random: id.0 * 100 });
            }
            self.settle();
        }
        self.now = end;
    }

    /// The replica that leads, with the highest ballot.
    pub(crate) fn leader(&self) -> u64 {
        let leaders = self
            .nodes
            .iter()
            .filter(|(id, node)| node.replica.leader() == Some(**id));
        leaders
            .max_by_key(|(_, node)| node.replica.leading())
            .expect("somebody leads")
            .0
            .0
    }

    pub(crate) fn append(&mut self, node: u64, ticket: u64, data: &str) {
        let data = data.to_owned().into();
        self.step(
            node,
            Input::Append(vec![Append {
                ticket: Ticket(ticket),
                data,
            }]),
        );
    }

    pub(crate) fn replica(&self, node: u64) -> &Replica {
        &self.nodes[&NodeId(node)].replica
    }

    /// Takes what a replica put out since last asked.
    pub(crate) fn take(&mut self, node: u64) -> Vec<Output> {
        std::mem::take(&mut self.nodes.get_mut(&NodeId(node)).expect("it runs").out)
    }

    /// What a replica has learned and put out, as text.
    pub(crate) fn chosen(&self, node: u64) -> Vec<String> {
        let outputs = self.nodes[&NodeId(node)].out.iter();
        outputs
            .filter_map(|output| match output {
                Output::Chosen {
                    action: Action::Append(data),
                    ..
                } => Some(String::from_utf8(data.to_vec()).expect("tests append text")),
                _ => None,
            })
            .collect()
    }
}
