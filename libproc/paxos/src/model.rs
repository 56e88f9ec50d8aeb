//! Every order of events of small configurations, by stateright.
//!
//! The wire loses and reorders; each message arrives at most once (the simulator doubles them). Disks
//! are durable at once, except where a crash takes what was not synced. Time stands still: who stands
//! for election does so by decision of the checker. Configurations that take minutes are ignored:
//! `cargo test --release -p paxos -- --ignored model` (limit the memory first: `ulimit -v 8000000`).

use crate::durable::AfterWrite;
use crate::replica::Role;
use crate::{
    Action, Append, Ballot, Change, ClusterId, Config, Damage, Durable, Envelope, Input, Life,
    Member, Message, Millis, NodeId, Options, Output, Position, Quorums, Record, Replica, Setup,
    Span, Status, Ticket,
};
use stateright::{Checker, Model, Property};
use std::collections::{BTreeMap, BTreeSet};

/// What the checker may do, and how often.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
struct Budget {
    campaigns: u8,
    appends: u8,
    crashes: u8,
    /// Entries lost in a crash.
    damages: u8,
    /// Promises lost in a crash.
    forgets: u8,
    truncations: u8,
    /// Changes of the members: replica 3 gives its place to 4.
    changes: u8,
    /// Heartbeats, by which followers learn.
    beats: u8,
}

#[derive(Clone)]
struct Small {
    members: u64,
    spares: u64,
    quorums: Quorums,
    budget: Budget,
    /// Only these stand and append.
    proposers: u64,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct State {
    replicas: Vec<Replica>,
    disks: Vec<Durable>,
    wire: BTreeSet<Envelope>,
    left: Budget,
    starts: u64,
    chosen: BTreeMap<Position, Action>,
    /// The last position each leader acknowledged.
    acknowledged: BTreeMap<Ballot, Position>,
    wrong: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Step {
    Deliver(Envelope),
    Campaign(usize),
    Append(usize),
    Truncate(usize),
    Change(usize),
    Beat(usize),
    Crash(usize),
    CrashDamaged(usize, Position),
    CrashForgetting(usize),
}

impl Small {
    fn new(members: u64, budget: Budget) -> Self {
        Self {
            members,
            spares: 0,
            quorums: Quorums::Majority,
            budget,
            proposers: 2,
        }
    }

    fn setup(&self, node: u64) -> Setup {
        Setup {
            cluster: ClusterId(1),
            node: NodeId(node),
            peers: (1..=self.members).map(NodeId).collect(),
            quorums: self.quorums,
            options: Options {
                window: 2,
                ahead: 4,
                keep: 1,
                ..Options::default()
            },
        }
    }

    fn apply(&self, state: &mut State, site: usize, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let outputs = state.replicas[site].step(Millis(0), input);
            self.carry_out(state, site, outputs, &mut inputs);
        }
    }

    fn carry_out(
        &self,
        state: &mut State,
        site: usize,
        outputs: Vec<Output>,
        inputs: &mut Vec<Input>,
    ) {
        for output in outputs {
            match output {
                Output::Persist(number, record) => {
                    state.disks[site].apply(record);
                    inputs.retain(|input| !matches!(input, Input::Persisted(_)));
                    inputs.insert(0, Input::Persisted(number));
                }
                Output::Send(envelope) => {
                    state.wire.insert(envelope);
                }
                Output::Chosen { position, action } => {
                    let known = state
                        .chosen
                        .entry(position)
                        .or_insert_with(|| action.clone());
                    if *known != action {
                        state.wrong = Some(format!("{known:?} and {action:?} at {position}"));
                    }
                }
                Output::Appended { position, .. } => {
                    let ballot = state.replicas[site].leading().unwrap_or_default();
                    state.acknowledged.insert(ballot, position);
                }
                Output::Elected { next, ballot } => {
                    let mut before = state.acknowledged.range(..ballot);
                    if before.any(|(_, last)| next <= *last) {
                        state.wrong = Some(format!("elected at {next}"));
                    }
                }
                Output::Halted(violation) => state.wrong = Some(violation.to_string()),
                Output::Load { .. }
                | Output::Demoted { .. }
                | Output::Follows(_)
                | Output::Refused { .. }
                | Output::Unknown { .. }
                | Output::Readable { .. }
                | Output::Changed { .. }
                | Output::Install(_)
                | Output::Truncated(_)
                | Output::StatusIs(_)
                | Output::Stuck(_)
                | Output::Stranger { .. } => {}
            }
        }
        if let Some(violation) = state.replicas[site].check() {
            state.wrong = Some(violation.to_string());
        }
    }

    fn restart(&self, state: &mut State, site: usize) {
        state.starts += 1;
        let durable = state.disks[site].clone();
        let setup = self.setup(site as u64 + 1);
        let (replica, outputs) = Replica::start(setup, durable, state.starts, Millis(0));
        state.replicas[site] = replica;
        let mut inputs = Vec::new();
        self.carry_out(state, site, outputs, &mut inputs);
        for input in inputs {
            self.apply(state, site, input);
        }
    }

    /// Drops what can never have an effect again, and forgets in replicas what only counts.
    fn simplify(&self, state: &mut State) {
        for replica in &mut state.replicas {
            if replica.after.is_settled() {
                replica.after = AfterWrite::new();
            }
        }
        let replicas = &state.replicas;
        let ballot = |node: NodeId| match &replicas[site(node)].role {
            Role::Preparing(campaign) => Some(campaign.ballot),
            Role::Leading(leader) => Some(leader.ballot),
            Role::Follower { .. } | Role::Canvassing(_) => None,
        };
        // Where followers need not learn, a lost heartbeat is as good as any.
        let silent = self.budget.beats == 0;
        state
            .wire
            .retain(|envelope| !(silent && matches!(envelope.message, Message::Heartbeat { .. })));
        state.wire.retain(|envelope| match &envelope.message {
            // An answer to a ballot its proposer has left.
            Message::Promised { ballot: to, .. }
            | Message::Accepted { ballot: to, .. }
            | Message::Followed { ballot: to, .. }
            | Message::Rejected { ballot: to, .. }
            | Message::Behind { ballot: to, .. }
            | Message::Ignored { ballot: to, .. } => ballot(envelope.to) == Some(*to),
            // A request that would be rejected, to a proposer that has left it.
            Message::Prepare { ballot: of, .. }
            | Message::Accept { ballot: of, .. }
            | Message::Heartbeat { ballot: of, .. } => {
                *of >= replicas[site(envelope.to)].promised
                    || ballot(envelope.from.node) == Some(*of)
            }
            Message::Refused { .. } => false,
            _ => true,
        });
    }
}

fn site(node: NodeId) -> usize {
    usize::try_from(node.0 - 1).expect("few")
}

impl Model for Small {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let members = (1..=self.members).map(|node| Member {
            node: NodeId(node),
            life: Life(1),
        });
        let config = Config::new(members, self.quorums).unwrap();
        let mut state = State {
            replicas: Vec::new(),
            disks: Vec::new(),
            wire: BTreeSet::new(),
            left: self.budget,
            starts: 1,
            chosen: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            wrong: None,
        };
        for node in 1..=self.members + self.spares {
            let mut disk = Durable::default();
            disk.apply(Record::Configured {
                from: Position::FIRST,
                config: config.clone(),
            });
            let voting = node <= self.members;
            let status = if voting {
                Status::Voting
            } else {
                Status::Recovering
            };
            disk.apply(Record::Status {
                status,
                life: Life(1),
                starting: None,
            });
            let (replica, _) = Replica::start(self.setup(node), disk.clone(), 1, Millis(0));
            state.disks.push(disk);
            state.replicas.push(replica);
        }
        for site in 0..state.replicas.len() {
            self.restart(&mut state, site);
        }
        state.starts = 10;
        self.simplify(&mut state);
        vec![state]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        if state.wrong.is_some() {
            return;
        }
        steps.extend(state.wire.iter().cloned().map(Step::Deliver));
        for site in 0..state.replicas.len() {
            let replica = &state.replicas[site];
            let proposes = (site as u64) < self.proposers;
            let leads = replica.leader() == Some(replica.member().node);
            let left = &state.left;
            if proposes && left.campaigns > 0 {
                steps.push(Step::Campaign(site));
            }
            if leads && left.appends > 0 {
                steps.push(Step::Append(site));
            }
            if leads && left.truncations > 0 && replica.commit() > Position::ZERO {
                steps.push(Step::Truncate(site));
            }
            if leads && left.changes > 0 {
                steps.push(Step::Change(site));
            }
            if replica.leading().is_some() && left.beats > 0 {
                steps.push(Step::Beat(site));
            }
            if left.crashes > 0 {
                steps.push(Step::Crash(site));
            }
            if left.damages > 0 && state.disks[site].end() > Position::ZERO {
                steps.push(Step::CrashDamaged(site, state.disks[site].end()));
            }
            if left.forgets > 0 && site < 3 {
                steps.push(Step::CrashForgetting(site));
            }
        }
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = last.clone();
        match step {
            Step::Deliver(envelope) => {
                state.wire.remove(&envelope);
                let to = site(envelope.to);
                self.apply(&mut state, to, Input::Receive(envelope));
            }
            Step::Campaign(site) => {
                state.left.campaigns -= 1;
                self.apply(&mut state, site, Input::Campaign);
            }
            Step::Append(site) => {
                state.left.appends -= 1;
                let ticket = Ticket(u64::from(state.left.appends));
                let data = vec![state.left.appends].into();
                self.apply(
                    &mut state,
                    site,
                    Input::Append(vec![Append { ticket, data }]),
                );
            }
            Step::Truncate(site) => {
                state.left.truncations -= 1;
                let to = state.replicas[site].commit().next();
                self.apply(
                    &mut state,
                    site,
                    Input::Truncate {
                        ticket: Ticket(90),
                        to,
                    },
                );
            }
            Step::Change(site) => {
                state.left.changes -= 1;
                let change = Change::Replace {
                    old: NodeId(3),
                    new: NodeId(4),
                };
                // The new one listens and has everything; the others answered just now.
                let commit = state.replicas[site].commit();
                let members: Vec<_> = state
                    .replicas
                    .iter()
                    .map(|r| (r.member(), r.held()))
                    .collect();
                let leader = &mut state.replicas[site];
                let ballot = leader.leading()?;
                leader.listens(members[3].0, commit);
                for (member, held) in &members[..3] {
                    leader.followed(*member, ballot, 0, *held);
                }
                self.apply(
                    &mut state,
                    site,
                    Input::Change {
                        ticket: Ticket(91),
                        change,
                    },
                );
            }
            Step::Beat(site) => {
                state.left.beats -= 1;
                state.replicas[site].beat();
                self.apply(&mut state, site, Input::Read { ticket: Ticket(92) });
            }
            Step::Crash(site) => {
                state.left.crashes -= 1;
                self.restart(&mut state, site);
            }
            Step::CrashDamaged(site, position) => {
                state.left.damages -= 1;
                let span = Span::new(position, position);
                state.disks[site].damaged(Damage::Entries(vec![span]));
                self.restart(&mut state, site);
            }
            Step::CrashForgetting(site) => {
                state.left.forgets -= 1;
                state.disks[site].damaged(Damage::Promise);
                self.restart(&mut state, site);
            }
        }
        self.simplify(&mut state);
        if state == *last { None } else { Some(state) }
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("nothing is wrong", |_, state: &State| state.wrong.is_none()),
            Property::sometimes("something is acknowledged", |_, state: &State| {
                !state.acknowledged.is_empty()
            }),
        ]
    }
}

/// Explores all of it; fails on what must never be, and if nothing was ever acknowledged.
fn explore(model: Small) {
    let started = std::time::Instant::now();
    let checker = model.checker().threads(2).spawn_bfs().join();
    eprintln!(
        "{} states, depth {}, {:.1} s",
        checker.unique_state_count(),
        checker.max_depth(),
        started.elapsed().as_secs_f64()
    );
    if let Some(path) = checker.discovery("nothing is wrong") {
        let wrong = path.last_state().wrong.clone();
        panic!("{wrong:?}\n{:#?}", path.into_actions());
    }
    checker.assert_any_discovery("something is acknowledged");
}

fn budget(campaigns: u8, appends: u8) -> Budget {
    Budget {
        campaigns,
        appends,
        ..Budget::default()
    }
}

#[test]
fn model_three_elections_and_an_append() {
    explore(Small::new(3, budget(3, 1)));
}

#[test]
fn model_a_crash_between() {
    explore(Small::new(
        3,
        Budget {
            crashes: 1,
            ..budget(2, 1)
        },
    ));
}

#[test]
fn model_a_lost_entry() {
    explore(Small::new(
        3,
        Budget {
            damages: 1,
            ..budget(2, 1)
        },
    ));
}

#[test]
fn model_a_lost_promise() {
    explore(Small::new(
        3,
        Budget {
            forgets: 1,
            ..budget(2, 1)
        },
    ));
}

#[test]
fn model_a_truncation() {
    explore(Small::new(
        3,
        Budget {
            truncations: 1,
            ..budget(2, 1)
        },
    ));
}

#[test]
fn model_flexible_quorums() {
    let quorums = Quorums::Of {
        electing: 3,
        accepting: 1,
    };
    explore(Small {
        quorums,
        ..Small::new(3, budget(2, 2))
    });
}

#[test]
fn model_a_change_of_members() {
    let budget = Budget {
        changes: 1,
        ..budget(2, 1)
    };
    explore(Small {
        proposers: 1,
        spares: 1,
        ..Small::new(3, budget)
    });
}

#[test]
#[ignore = "minutes: 419,620 states"]
fn model_a_change_of_members_and_two_proposers() {
    let budget = Budget {
        changes: 1,
        ..budget(2, 1)
    };
    explore(Small {
        spares: 1,
        ..Small::new(3, budget)
    });
}

#[test]
#[ignore = "minutes"]
fn model_two_elections_and_two_appends() {
    explore(Small::new(3, budget(2, 2)));
}

#[test]
#[ignore = "minutes"]
fn model_three_elections_and_two_appends() {
    explore(Small::new(3, budget(3, 2)));
}

#[test]
#[ignore = "minutes"]
fn model_three_elections_a_change_and_an_append() {
    let budget = Budget {
        changes: 1,
        ..budget(3, 1)
    };
    explore(Small {
        spares: 1,
        ..Small::new(3, budget)
    });
}

#[test]
#[ignore = "minutes"]
fn model_three_elections_and_a_lost_promise() {
    explore(Small::new(
        3,
        Budget {
            forgets: 1,
            ..budget(3, 1)
        },
    ));
}

#[test]
#[ignore = "minutes"]
fn model_heartbeats_by_which_followers_learn() {
    explore(Small::new(
        3,
        Budget {
            beats: 1,
            ..budget(2, 1)
        },
    ));
}
