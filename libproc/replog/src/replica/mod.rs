//! The replica's process: letters and time go into the protocol, what comes out is carried out.
//!
//! Nothing here decides. Requests that come in one turn are handed to the protocol together at its
//! end, and what it wants written then is written with one flush, on a thread for work that blocks;
//! meanwhile the next batch gathers. The protocol lets answers go when it hears what is durable.

mod commits;
mod metrics;
mod reading;
mod requests;
mod verifying;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use libproc::env::{self, Instant};
use libproc::prelude::*;
use paxos::{
    Durable, Entry, Input, Millis, NodeId, Output, Position, Replica, Setup, Span, Status, Ticket,
    WriteNumber,
};
use rand::Rng;
use rand::rngs::StdRng;

use crate::ledger::Ledger;
use crate::network::Network;
use crate::options::{BrokenDisk, LogOptions};
use crate::protocol::{Introduced, Leadership, ReplicaStatus, Replication, Told};
use crate::store::{LogStore, StoreReader};

use commits::Pending;
use requests::Requests;

/// A replica of a log: see the [module](self).
pub(crate) struct ReplicaProcess {
    options: LogOptions,
    core: Replica,
    /// What the start of the protocol wants done.
    first: Vec<Output>,
    started: Instant,
    chance: StdRng,
    ledger: Ledger,
    network: Network,
    /// Not here while records are being written.
    store: Option<Box<dyn LogStore>>,
    reader: StoreReader,
    pending: Pending,
    /// Segments that nobody has read since the start.
    unread: VecDeque<u64>,
    /// Entries whose records are not durable, so that readers do not find them in the store.
    writing: BTreeMap<Position, (WriteNumber, Entry)>,
    requests: Requests,
    /// Who waits for more to be chosen than this.
    more: Vec<(Position, Answer<Position>)>,
    /// Who waits for another leadership than this.
    changes: Vec<(Option<Leadership>, Answer<Leadership>)>,
    /// When the timer that is set is due.
    alarm: Option<Instant>,
    /// A flush of what came in this turn is on its way.
    gathering: bool,
}

/// What a replica is started with.
pub(crate) struct Beginning {
    pub(crate) options: LogOptions,
    pub(crate) store: Box<dyn LogStore>,
    pub(crate) ledger: Ledger,
    pub(crate) durable: Durable,
    pub(crate) book: BTreeMap<NodeId, std::net::SocketAddr>,
    /// The store found damage that the protocol has just been told of.
    pub(crate) damaged: bool,
    /// Segments that the start did not read.
    pub(crate) unread: Vec<u64>,
}

impl ReplicaProcess {
    pub(crate) fn new(beginning: Beginning) -> ReplicaProcess {
        let Beginning {
            options,
            store,
            ledger,
            durable,
            book,
            damaged,
            unread,
        } = beginning;
        let setup = Setup {
            cluster: options.cluster,
            node: options.node,
            peers: options.replicas.keys().copied().collect(),
            quorums: options.quorums,
            options: options.protocol.clone(),
        };
        let (core, first) = Replica::start(setup, durable, env::unix_ms(), Millis(0));
        ReplicaProcess {
            network: Network::new(&options.name, options.replicas.clone(), book),
            options,
            core,
            first,
            started: Instant::now(),
            chance: env::rng(),
            ledger,
            reader: store.reader(),
            store: Some(store),
            pending: Pending::new(damaged),
            unread: unread.into(),
            writing: BTreeMap::new(),
            requests: Requests::default(),
            more: Vec::new(),
            changes: Vec::new(),
            alarm: None,
            gathering: false,
        }
    }

    fn now(&self) -> Millis {
        let elapsed = self.started.elapsed().as_millis();
        Millis(u64::try_from(elapsed).unwrap_or(u64::MAX))
    }

    /// Hands an input to the protocol, and carries out what comes out of it.
    fn feed(&mut self, input: Input, ctx: &mut Context<Self>) {
        let outputs = self.core.step(self.now(), input);
        self.carry_out(outputs, ctx);
    }

    fn carry_out(&mut self, outputs: Vec<Output>, ctx: &mut Context<Self>) {
        for output in outputs {
            match output {
                Output::Persist(number, record) => self.persist(number, record),
                Output::Send(envelope) => {
                    if let Some(pid) = self.network.pid(envelope.to) {
                        ctx.tell(pid, Told { envelope });
                    }
                }
                Output::Load {
                    to,
                    request,
                    span,
                    bytes,
                } => self.load(to, request, span, bytes, ctx),
                Output::Elected { ballot, next } => {
                    tracing::info!(%ballot, %next, "leads the log");
                    self.elected(ballot);
                }
                Output::Demoted { ballot } => {
                    tracing::info!(%ballot, "leads the log no longer");
                }
                Output::Follows(leader) => {
                    let leader = leader.map(|leader| leader.0);
                    tracing::debug!(leader, "follows");
                    if leader.is_some() {
                        self.lost_to_another();
                    }
                }
                Output::Appended { ticket, position } => self.done(ticket, Ok(position)),
                Output::Refused { ticket, failure } => self.refused(ticket, failure),
                Output::Unknown { ticket } => {
                    self.done(ticket, Err(crate::error::Refused::Unknown));
                }
                Output::Readable { ticket, position } => self.readable(ticket, position),
                Output::Changed { ticket, config } => {
                    tracing::info!(epoch = %config.epoch(), "the replicas of the log were changed");
                    self.done(ticket, Ok(Position::ZERO));
                }
                // Readers ask for what they want: they hear of it by the commit.
                Output::Chosen { .. } | Output::Install(_) | Output::Truncated(_) => {}
                Output::StatusIs(status) => tracing::info!(?status, "the replica's status is"),
                Output::Stuck(failure) => {
                    tracing::error!(%failure, "the replica cannot begin without a person");
                }
                Output::Stranger {
                    from,
                    cluster,
                    refusal,
                } => {
                    tracing::warn!(node = %from.node, %cluster, %refusal, "refused a letter");
                }
                Output::Halted(violation) => {
                    tracing::error!(%violation, "the replica found what cannot be, and stops");
                    ctx.fail(violation.to_string());
                }
            }
        }
        self.tell_waiting();
        self.gather(ctx);
        self.set_alarm(ctx);
    }

    /// Arranges for the end of this turn, where what gathered in it goes on together.
    fn gather(&mut self, ctx: &mut Context<Self>) {
        let something = !self.requests.incoming.is_empty() || self.pending.wants_commit();
        if self.gathering || !something {
            return;
        }
        self.gathering = true;
        ctx.local().run(|this, ctx| {
            this.gathering = false;
            this.hand_in(ctx);
            this.commit(ctx);
        });
    }

    /// Sees to it that the protocol hears of its deadline.
    fn set_alarm(&mut self, ctx: &mut Context<Self>) {
        let deadline = self.core.deadline();
        if deadline == Millis::NEVER {
            return;
        }
        let due = self.started + Duration::from_millis(deadline.0);
        if self.alarm.is_some_and(|alarm| alarm <= due) {
            return;
        }
        self.alarm = Some(due);
        let wait = due.saturating_duration_since(Instant::now());
        ctx.after(wait, move |this, ctx| {
            // An earlier one was set since, and has taken its place.
            if this.alarm == Some(due) {
                this.alarm = None;
                this.tick(ctx);
            }
        });
    }

    fn tick(&mut self, ctx: &mut Context<Self>) {
        if self.core.deadline() <= self.now() {
            let random = self.chance.random();
            self.feed(Input::Tick { random }, ctx);
        }
        self.set_alarm(ctx);
    }

    fn leadership(&self) -> Leadership {
        let leader = self.core.leader();
        Leadership {
            leader,
            address: leader.and_then(|leader| self.network.address(leader)),
            leading: leader
                .filter(|leader| *leader == self.options.node)
                .and_then(|_| self.core.leading()),
        }
    }

    /// Answers those for whom what they wait for has come.
    fn tell_waiting(&mut self) {
        let commit = self.core.commit();
        self.readers_at(commit);
        if self.more.iter().any(|(known, _)| *known < commit) {
            for (known, answer) in std::mem::take(&mut self.more) {
                match known < commit {
                    true => answer.send(commit),
                    false => self.more.push((known, answer)),
                }
            }
        }
        if self.changes.is_empty() {
            return;
        }
        let leadership = self.leadership();
        for (known, answer) in std::mem::take(&mut self.changes) {
            match known == Some(leadership) {
                false => answer.send(leadership),
                true => self.changes.push((known, answer)),
            }
        }
    }

    fn status(&self) -> ReplicaStatus {
        let config = self.core.config();
        ReplicaStatus {
            cluster: self.options.cluster,
            member: self.core.member(),
            status: self.core.status(),
            leadership: self.leadership(),
            begin: self.core.begin(),
            commit: self.core.commit(),
            end: self.core.end(),
            epoch: config.map(paxos::Config::epoch).unwrap_or_default(),
            members: config
                .map(|config| config.members().to_vec())
                .unwrap_or_default(),
            book: self.network.book().clone(),
            damaged: self.core.damage().to_vec(),
            full: self.pending.is_full(),
            unwritten: self.pending.count() as u64,
        }
    }

    /// Keeps the addresses of replicas for the next start.
    fn keep_book(&mut self) {
        self.pending.add([Ledger::book(self.network.book())]);
    }

    /// The disk does not do what it should: see [`BrokenDisk`].
    fn give_up(&mut self, error: &crate::store::StoreError, ctx: &mut Context<Self>) {
        let cause = std::error::Error::source(error).map(ToString::to_string);
        tracing::error!(%error, cause, "the log cannot be written, and the replica ends");
        match self.options.broken_disk {
            BrokenDisk::EndsProgram => {
                let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
                eprintln!("error: the log cannot be written: {error}{cause}");
                std::process::exit(BROKEN_DISK);
            }
            BrokenDisk::EndsReplica => ctx.fail(error.to_string()),
        }
    }
}

/// What a program exits with whose disk is broken: `EX_IOERR` of sysexits.h.
const BROKEN_DISK: i32 = 74;

impl Actor for ReplicaProcess {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.started = Instant::now();
        metrics::register(ctx);
        let first = std::mem::take(&mut self.first);
        self.keep_book();
        self.carry_out(first, ctx);
        self.verify_next(ctx);
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        // So that the next start finds the end of the log where it is. Whatever goes wrong here,
        // that finds out.
        if let Some(store) = &mut self.store {
            let _ = store.settle();
        }
    }
}

impl Process for ReplicaProcess {
    type Protocol = Replication;
}

impl Handler<Told> for ReplicaProcess {
    type Result = ();
    fn handle(&mut self, Told { envelope }: Told, ctx: &mut Context<Self>) {
        let node = envelope.from.node;
        if envelope.cluster == self.options.cluster
            && let Some(sender) = ctx.sender()
            && sender.id() == self.options.name
        {
            let address = sender.address();
            if self.network.note(node, address) {
                self.keep_book();
            }
        }
        self.feed(Input::Receive(envelope), ctx);
    }
}

impl Handler<Introduced> for ReplicaProcess {
    type Result = ();
    fn handle(&mut self, Introduced { cluster, book }: Introduced, ctx: &mut Context<Self>) {
        if cluster != self.options.cluster {
            return;
        }
        let mut news = false;
        for (node, address) in book {
            news |= self.network.note(node, address);
        }
        if news {
            self.keep_book();
            self.gather(ctx);
        }
    }
}

/// Whether a replica can be asked to write or read at all.
fn is_ready(status: Status) -> bool {
    matches!(status, Status::Voting | Status::Repairing)
}

/// How the protocol names requests.
#[derive(Debug, Default)]
struct Tickets(u64);

impl Tickets {
    fn next(&mut self) -> Ticket {
        self.0 += 1;
        Ticket(self.0)
    }
}

/// The positions of a span, of which there may be more than a range can count.
fn positions(span: Span) -> impl Iterator<Item = Position> {
    (span.first.0..=span.last.0).map(Position)
}
