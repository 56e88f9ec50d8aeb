//! One simulated cluster: events in order of time, carried out one by one.

use super::{
    chance::Chance,
    checker::{Checker, Wrong},
    report::Outcome,
    site::Site,
    swarm::Swarm,
};
use crate::{
    Append, ClusterId, Durable, Envelope, Input, NodeId, Output, Replica, Setup, Snapshot, Status,
    WriteNumber, flaw::Flaw,
};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};

/// What happens at a time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Event {
    Deliver(Box<Envelope>),
    Synced { site: usize, start: u32 },
    Timer { site: usize, start: u32 },
    Restart { site: usize },
    Emptied { site: usize, start: u32 },
    Request,
    Partition,
    Crash,
    Pause,
    Rot,
    Change,
    Unrest,
    Fill,
}

/// An event and its place in the order.
#[derive(Clone, Debug)]
struct Due {
    at: u64,
    number: u64,
    event: Event,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// A cluster, its network, its disks, and who watches.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) swarm: Swarm,
    pub(crate) chance: Chance,
    flaw: Option<Flaw>,
    /// Is told of every step.
    trace: Option<fn(&str)>,
    /// Microseconds since the start.
    pub(crate) time: u64,
    due: BinaryHeap<Reverse<Due>>,
    scheduled: u64,
    pub(crate) sites: Vec<Site>,
    /// Who does not hear whom.
    pub(crate) cut: Vec<Vec<bool>>,
    pub(crate) checker: Checker,
    pub(crate) counts: BTreeMap<&'static str, u64>,
    /// Until then a change of the members may be under way.
    pub(crate) change_until: u64,
    /// Every member has voted once: from then on disks may lose what they have.
    pub(crate) begun: bool,
    /// Faults happen.
    pub(crate) faulty: bool,
    starts: u64,
    history: u64,
    pub(crate) wrong: Option<Wrong>,
}

impl World {
    pub(crate) fn new(seed: u64, flaw: Option<Flaw>) -> Self {
        let mut chance = Chance::new(seed);
        let swarm = Swarm::draw(&mut chance);
        let count = swarm.members + swarm.spares;
        let drift = swarm.drift;
        let sites = (1..=count)
            .map(|node| {
                let permille = chance.between(1_000 - drift, 1_001 + drift);
                Site::new(NodeId(node), chance.between(0, 1_000_000), permille)
            })
            .collect();
        let size = usize::try_from(count).expect("a few");
        Self {
            seed,
            swarm,
            chance,
            flaw,
            trace: None,
            time: 0,
            due: BinaryHeap::new(),
            scheduled: 0,
            sites,
            cut: vec![vec![false; size]; size],
            checker: Checker::default(),
            counts: BTreeMap::new(),
            change_until: 0,
            begun: false,
            faulty: true,
            starts: 0,
            history: 0xcbf2_9ce4_8422_2325,
            wrong: None,
        }
    }

    /// Tells `trace` of every step.
    pub(crate) fn traced(mut self, trace: fn(&str)) -> Self {
        self.trace = Some(trace);
        self
    }

    /// Runs it: a time with faults, in which nothing may go wrong, and a time without, in which
    /// everything must go on.
    pub(crate) fn run(mut self) -> Outcome {
        for site in 0..self.sites.len() {
            let at = self.chance.between(0, 200_000);
            self.at(at, Event::Restart { site });
        }
        self.plan_faults();
        let end = self.swarm.faulty_seconds * 1_000_000;
        self.run_until(end, |_| false);
        if self.wrong.is_none() {
            self.heal();
            let patience = end + 120_000_000;
            self.run_until(patience, Self::has_converged);
            if self.wrong.is_none() && !self.has_converged() {
                let report = self.progress();
                self.wrong = Some(format!("no progress after the faults: {report}"));
            }
            self.check_disks();
        }
        self.count("appends acknowledged", self.checker.appends);
        self.count("reads answered", self.checker.read);
        Outcome {
            seed: self.seed,
            swarm: self.swarm,
            violation: self.wrong,
            simulated_ms: self.time / 1_000,
            counts: self.counts,
            history: self.history,
        }
    }

    fn run_until(&mut self, end: u64, done: impl Fn(&Self) -> bool) {
        let mut events = 0u64;
        while self.wrong.is_none() {
            let Some(Reverse(next)) = self.due.pop() else {
                break;
            };
            if next.at > end {
                self.due.push(Reverse(next));
                self.time = end;
                break;
            }
            self.time = self.time.max(next.at);
            self.happen(next.event);
            events += 1;
            if events.is_multiple_of(64) && done(self) {
                break;
            }
        }
        self.count("events", events);
    }

    pub(crate) fn at(&mut self, after: u64, event: Event) {
        self.scheduled += 1;
        let due = Due {
            at: self.time.saturating_add(after),
            number: self.scheduled,
            event,
        };
        self.due.push(Reverse(due));
    }

    /// After about so many milliseconds, if any.
    pub(crate) fn at_about(&mut self, ms: u64, event: Event) {
        if ms > 0 {
            let after = self.chance.between(ms * 500, ms * 1_500);
            self.at(after, event);
        }
    }

    pub(crate) fn note(&self, what: impl FnOnce() -> String) {
        if let Some(trace) = self.trace {
            trace(&format!("{:>12.6} {}", self.time as f64 / 1e6, what()));
        }
    }

    pub(crate) fn count(&mut self, kind: &'static str, by: u64) {
        if by > 0 && kind != "messages" {
            self.note(|| format!("{by} {kind}"));
        }
        if by > 0 {
            *self.counts.entry(kind).or_default() += by;
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Deliver(envelope) => {
                let site = self.index(envelope.to);
                if self.later(site, || Event::Deliver(envelope.clone())) {
                    return;
                }
                if self.sites[site].replica.is_some() {
                    self.step(site, Input::Receive(*envelope));
                }
            }
            Event::Synced { site, start } => {
                if self.sites[site].start != start {
                    return;
                }
                if self.later(site, || Event::Synced { site, start }) {
                    return;
                }
                if let Some(last) = self.sites[site].disk.synced() {
                    self.note_begun();
                    self.step(site, Input::Persisted(last));
                }
            }
            Event::Timer { site, start } => self.timer(site, start),
            Event::Restart { site } => self.restart(site),
            Event::Emptied { site, start } => self.emptied(site, start),
            Event::Request => self.request(),
            Event::Partition => self.partition(),
            Event::Crash => self.crash(),
            Event::Pause => self.pause(),
            Event::Rot => self.rot(),
            Event::Change => self.change(),
            Event::Unrest => self.unrest(),
            Event::Fill => self.fill(),
        }
    }

    /// Puts an event off if the process stands still.
    fn later(&mut self, site: usize, event: impl FnOnce() -> Event) -> bool {
        let until = self.sites[site].paused_until;
        if until <= self.time {
            return false;
        }
        let after = until - self.time;
        self.at(after, event());
        true
    }

    fn timer(&mut self, site: usize, start: u32) {
        if self.sites[site].start != start || self.sites[site].replica.is_none() {
            return;
        }
        if self.later(site, || Event::Timer { site, start }) {
            return;
        }
        self.sites[site].timer_at = u64::MAX;
        let now = self.sites[site].clock(self.time);
        let due = self.sites[site]
            .replica
            .as_ref()
            .is_some_and(|r| r.deadline() <= now);
        if due {
            let random = self.chance.number();
            self.step(site, Input::Tick { random });
        } else {
            self.set_timer(site);
        }
    }

    pub(crate) fn index(&self, node: NodeId) -> usize {
        usize::try_from(node.0 - 1).expect("sites are few")
    }

    pub(crate) fn restart(&mut self, index: usize) {
        if self.sites[index].replica.is_some() || self.sites[index].retired {
            return;
        }
        self.starts += 1;
        let peers: BTreeSet<NodeId> = (1..=self.swarm.members).map(NodeId).collect();
        let site = &mut self.sites[index];
        let setup = Setup {
            cluster: ClusterId(1),
            node: site.node,
            peers,
            quorums: self.swarm.quorums,
            options: self.swarm.options.clone(),
        };
        let durable: Durable = site.disk.durable.clone();
        let now = site.clock(self.time);
        let (replica, outputs) = Replica::start_with(setup, durable, self.starts, now, self.flaw);
        let what = self
            .trace
            .map(|_| format!("{}: starts -> {outputs:?}", index + 1));
        site.learned = replica.commit();
        site.replica = Some(replica);
        site.start += 1;
        site.timer_at = u64::MAX;
        if let Some(what) = what {
            self.note(|| what);
        }
        self.carry_out(index, outputs);
    }

    pub(crate) fn step(&mut self, site: usize, input: Input) {
        let now = self.sites[site].clock(self.time);
        let Some(replica) = &mut self.sites[site].replica else {
            return;
        };
        let what = self.trace.map(|_| format!("{input:?}"));
        let outputs = replica.step(now, input);
        if let Some(violation) = replica.check() {
            self.wrong = Some(format!("replica {}: {violation}", site + 1));
        }
        let commit = replica.commit().0;
        if let Some(what) = what {
            self.note(|| format!("{}: {what} -> {outputs:?}", site + 1));
        }
        self.fold(site as u64 ^ (outputs.len() as u64) << 8 ^ commit << 16);
        self.carry_out(site, outputs);
    }

    fn fold(&mut self, what: u64) {
        for part in [self.time, what] {
            self.history = (self.history ^ part).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn carry_out(&mut self, site: usize, outputs: Vec<Output>) {
        let mut inputs = VecDeque::new();
        for output in outputs {
            if let Err(wrong) = self.carry_out_one(site, output, &mut inputs) {
                self.wrong = Some(format!("replica {}: {wrong}", site + 1));
                return;
            }
        }
        let start = self.sites[site].start;
        if self.sites[site].disk.sync().is_some() {
            let mut after = self.chance.between(50, self.swarm.sync_us);
            if self.faulty && self.chance.permille(self.swarm.slow_syncs) {
                after *= 100;
                self.count("slow syncs", 1);
            }
            self.at(after, Event::Synced { site, start });
        }
        for input in inputs {
            self.step(site, input);
        }
        self.set_timer(site);
    }

    fn carry_out_one(
        &mut self,
        site: usize,
        output: Output,
        inputs: &mut VecDeque<Input>,
    ) -> Result<(), Wrong> {
        match output {
            Output::Persist(number, record) => self.write(site, number, record),
            Output::Send(envelope) => {
                self.checker.sent(&envelope)?;
                self.send(site, envelope);
            }
            Output::Load {
                to,
                request,
                span,
                bytes,
            } => {
                let entries = self.sites[site].disk.read(span, bytes);
                inputs.push_back(Input::Loaded {
                    to,
                    request,
                    first: span.first,
                    entries,
                });
            }
            Output::Elected { ballot, next } => {
                self.count("elections", 1);
                self.checker.elected(ballot, next)?;
            }
            Output::Appended { ticket, position } => {
                let leading = self.sites[site].replica.as_ref().and_then(Replica::leading);
                // Without: it resigned in the same step, after this.
                self.checker
                    .appended(leading.unwrap_or_default(), ticket, position)?;
            }
            Output::Refused { ticket, .. } => {
                self.count("requests refused", 1);
                self.checker.refused(ticket)?;
            }
            Output::Unknown { .. } => self.count("requests of unknown outcome", 1),
            Output::Readable { ticket, position } => self.checker.readable(ticket, position)?,
            Output::Changed { .. } => {
                self.count("changes of the members done", 1);
                self.change_until = self.time;
            }
            Output::Chosen { position, action } => {
                self.checker.chosen(position, &action)?;
                let learned = &mut self.sites[site].learned;
                if position != learned.next() {
                    return Err(format!("learned {position} after {learned}"));
                }
                *learned = position;
            }
            Output::Install(base) => {
                self.checker.installed(&base)?;
                self.count("bases installed", 1);
                let learned = &mut self.sites[site].learned;
                *learned = (*learned).max(base.begin.previous());
            }
            Output::Truncated(begin) => {
                if begin > self.checker.begin.max(crate::Position::FIRST) {
                    return Err(format!(
                        "truncated to {begin}, asked to {}",
                        self.checker.begin
                    ));
                }
            }
            Output::StatusIs(status) => {
                if status == Status::Voting {
                    self.count("replicas that came to vote or were repaired", 1);
                }
            }
            Output::Stuck(failure) => return Err(format!("cannot begin: {failure}")),
            Output::Halted(violation) => return Err(violation.to_string()),
            Output::Demoted { .. } | Output::Follows(_) | Output::Stranger { .. } => {}
        }
        Ok(())
    }

    fn write(&mut self, site: usize, number: WriteNumber, record: crate::Record) {
        self.sites[site].disk.write(number, record);
    }

    /// Has the timer of a site due when its replica wants it.
    fn set_timer(&mut self, site: usize) {
        let Some(replica) = &self.sites[site].replica else {
            return;
        };
        let deadline = replica.deadline();
        if deadline == crate::Millis::NEVER {
            return;
        }
        let at = self.sites[site].when(deadline).max(self.time);
        if at < self.sites[site].timer_at {
            self.sites[site].timer_at = at;
            let start = self.sites[site].start;
            self.at(at - self.time, Event::Timer { site, start });
        }
    }

    /// A client asks for something.
    fn request(&mut self) {
        let ms = self.swarm.requests_ms;
        self.at_about(ms, Event::Request);
        let site = match self.a_leader() {
            Some(leader) if self.chance.permille(800) => leader,
            _ => usize::try_from(self.chance.between(0, self.sites.len() as u64)).expect("few"),
        };
        let Some(replica) = &self.sites[site].replica else {
            return;
        };
        if self.sites[site].paused_until > self.time {
            return;
        }
        let (begin, commit) = (replica.begin(), replica.commit());
        let ticket = self.checker.ticket();
        if self.chance.permille(self.swarm.reads) {
            self.checker.asks(ticket);
            return self.step(site, Input::Read { ticket });
        }
        if self.chance.permille(self.swarm.truncations) {
            let to = crate::Position(self.chance.between(begin.0, commit.0 + 2));
            if self.swarm.snapshots {
                let state = commit.0.to_le_bytes().to_vec().into();
                self.step(
                    site,
                    Input::Snapshot(Snapshot {
                        through: commit,
                        state,
                    }),
                );
            }
            return self.step(site, Input::Truncate { ticket, to });
        }
        let mut appends = vec![append(ticket.0, self.chance.between(0, 40))];
        for _ in 0..self.chance.between(0, 6).saturating_sub(2) {
            appends.push(append(self.checker.ticket().0, self.chance.between(0, 40)));
        }
        self.step(site, Input::Append(appends));
    }

    /// A replica that thinks it leads.
    pub(crate) fn a_leader(&self) -> Option<usize> {
        let leads = |site: &Site| site.replica.as_ref().is_some_and(|r| r.leading().is_some());
        self.sites.iter().rposition(leads)
    }

    fn note_begun(&mut self) {
        if !self.begun {
            let members = usize::try_from(self.swarm.members).expect("few");
            let votes = |site: &Site| site.disk.durable.status() == Status::Voting;
            self.begun = self.sites[..members].iter().all(votes);
            return;
        }
        let Some(config) = &self.checker.config else {
            return;
        };
        for site in &mut self.sites {
            let votes = site.disk.durable.status() == Status::Voting && config.has(site.member());
            if votes
                && site
                    .forgot
                    .is_some_and(|life| life != site.disk.durable.life())
            {
                site.forgot = None;
            }
        }
    }

    /// Whatever is kept is what was chosen.
    fn check_disks(&mut self) {
        for site in &self.sites {
            if self.wrong.is_some() || site.replica.is_none() {
                continue;
            }
            let durable = &site.disk.durable;
            let span = crate::Span::new(durable.begin(), durable.commit());
            let kept = site
                .disk
                .log
                .range(span.first..)
                .map(|(position, entry)| (position, entry));
            let kept: Vec<_> = kept.take_while(|(at, _)| **at <= span.last).collect();
            let gap = kept.len() as u64 != span.last.next().since(span.first);
            let actions: Vec<_> = kept.into_iter().map(|(_, entry)| &entry.action).collect();
            let wrong = match self.checker.kept(span, &actions) {
                Ok(()) if gap => Some(format!("does not keep all of {span:?}")),
                Ok(()) => None,
                Err(wrong) => Some(wrong),
            };
            self.wrong = wrong.map(|wrong| format!("replica {}: {wrong}", site.node));
        }
    }
}

fn append(ticket: u64, padding: u64) -> Append {
    let mut data = ticket.to_le_bytes().to_vec();
    data.resize(8 + usize::try_from(padding).expect("a few"), 0);
    Append {
        ticket: crate::Ticket(ticket),
        data: data.into(),
    }
}
