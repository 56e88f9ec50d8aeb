//! Requests of those who use the log: to write, to know the end, to change the replicas.

use std::collections::BTreeMap;
use std::time::Duration;

use libproc::prelude::*;
use paxos::{Ballot, Change, Failure, Input, Position, Ticket};

use super::{ReplicaProcess, Tickets, is_ready};
use crate::error::Refused;
use crate::protocol::{
    Append, AskEnd, Bounds, Introduced, Reconfiguration, Reconfigure, Resign, StartWriting,
    Started, Truncate, WriterId,
};

/// How long somebody who wants to write waits for a leader to be elected.
const ELECTION_PATIENCE: Duration = Duration::from_secs(10);

/// Who waits for what.
#[derive(Debug, Default)]
pub(super) struct Requests {
    tickets: Tickets,
    /// Handed to the protocol at the end of the turn.
    pub(super) incoming: Vec<paxos::Append>,
    writes: BTreeMap<Ticket, Answer<Result<Position, Refused>>>,
    ends: BTreeMap<Ticket, Answer<Result<Bounds, Refused>>>,
    changes: BTreeMap<Ticket, Answer<Result<(), Refused>>>,
    /// Who may read on when this replica has learned so much.
    readable: Vec<(Position, Answer<Result<Bounds, Refused>>)>,
    /// Who wants to write as soon as somebody leads.
    candidates: Vec<(u64, Answer<Result<Started, Refused>>)>,
    candidate: u64,
    /// Who began to write, and waits for what others wrote before.
    starting: Vec<(WriterId, Answer<Result<Started, Refused>>)>,
    /// The writer of this term.
    writer: u64,
}

impl ReplicaProcess {
    fn not_leader(&self) -> Refused {
        let leadership = self.leadership();
        Refused::NotLeader {
            leader: leadership.leader,
            address: leadership.address,
        }
    }

    /// The ballot this replica leads with, when it serves requests.
    fn term(&self) -> Option<Ballot> {
        self.leadership().leading
    }

    /// # Errors
    /// Unless `writer` is the one that writes.
    fn check_writer(&self, writer: WriterId) -> Result<(), Refused> {
        match self.term() {
            None => Err(self.not_leader()),
            Some(ballot) if ballot == writer.ballot && self.requests.writer == writer.number => {
                Ok(())
            }
            Some(_) => Err(Refused::Superseded),
        }
    }

    /// Hands in what was asked for in this turn.
    pub(super) fn hand_in(&mut self, ctx: &mut Context<Self>) {
        let incoming = std::mem::take(&mut self.requests.incoming);
        if !incoming.is_empty() {
            self.feed(Input::Append(incoming), ctx);
        }
    }

    pub(super) fn elected(&mut self, ballot: Ballot) {
        for (_, answer) in std::mem::take(&mut self.requests.candidates) {
            self.start_writing(ballot, answer);
        }
    }

    /// Another replica leads: whoever wants to write is sent there.
    pub(super) fn lost_to_another(&mut self) {
        for (_, answer) in std::mem::take(&mut self.requests.candidates) {
            answer.send(Err(self.not_leader()));
        }
    }

    /// Makes somebody the writer, once what others wrote is settled.
    fn start_writing(&mut self, ballot: Ballot, answer: Answer<Result<Started, Refused>>) {
        self.requests.writer += 1;
        let number = self.requests.writer;
        self.requests
            .starting
            .push((WriterId { ballot, number }, answer));
        self.settle_starts();
    }

    fn settle_starts(&mut self) {
        if !self.requests.writes.is_empty() || self.requests.starting.is_empty() {
            return;
        }
        let (term, end) = (self.term(), self.core.end());
        for (writer, answer) in std::mem::take(&mut self.requests.starting) {
            let is_it = term == Some(writer.ballot) && self.requests.writer == writer.number;
            answer.send(match is_it {
                true => Ok(Started { writer, end }),
                false => Err(Refused::Superseded),
            });
        }
    }

    /// A request came to its end.
    pub(super) fn done(&mut self, ticket: Ticket, outcome: Result<Position, Refused>) {
        if let Some(answer) = self.requests.writes.remove(&ticket) {
            answer.send(outcome);
            self.settle_starts();
        } else if let Some(answer) = self.requests.changes.remove(&ticket) {
            answer.send(outcome.map(drop));
        } else if let Some(answer) = self.requests.ends.remove(&ticket) {
            let refused = outcome.err().unwrap_or(Refused::Unknown);
            answer.send(Err(refused));
        }
    }

    pub(super) fn refused(&mut self, ticket: Ticket, failure: Failure) {
        let refused = match failure {
            Failure::NotLeader(_) => self.not_leader(),
            Failure::Busy => Refused::Busy,
            Failure::Full => Refused::Full,
            Failure::TooLong { limit } => Refused::TooLarge { max: limit as u64 },
            other => Refused::Impossible(with_causes(&other)),
        };
        self.done(ticket, Err(refused));
    }

    pub(super) fn readable(&mut self, ticket: Ticket, position: Position) {
        if let Some(answer) = self.requests.ends.remove(&ticket) {
            self.requests.readable.push((position, answer));
        }
    }

    /// Answers readers that may read, now that this replica knows so much.
    pub(super) fn readers_at(&mut self, commit: Position) {
        if self.requests.readable.is_empty() {
            return;
        }
        let begin = self.core.begin();
        for (end, answer) in std::mem::take(&mut self.requests.readable) {
            match end <= commit {
                true => answer.send(Ok(Bounds { begin, end })),
                false => self.requests.readable.push((end, answer)),
            }
        }
    }

    /// Waits for a leader, as a candidate if nobody leads.
    fn stand(&mut self, answer: Answer<Result<Started, Refused>>, ctx: &mut Context<Self>) {
        self.requests.candidate += 1;
        let number = self.requests.candidate;
        self.requests.candidates.push((number, answer));
        ctx.after(ELECTION_PATIENCE, move |this, _| {
            let waiting = &mut this.requests.candidates;
            if let Some(at) = waiting.iter().position(|(other, _)| *other == number) {
                let (_, answer) = waiting.swap_remove(at);
                answer.send(Err(this.not_leader()));
            }
        });
        // Otherwise the log is about to begin, or the replica to be repaired.
        if is_ready(self.core.status()) {
            self.feed(Input::Campaign, ctx);
        }
    }
}

fn with_causes(failure: &dyn std::error::Error) -> String {
    match failure.source() {
        Some(cause) => format!("{failure}: {cause}"),
        None => failure.to_string(),
    }
}

impl Handler<StartWriting> for ReplicaProcess {
    type Result = Later<Result<Started, Refused>>;
    fn handle(&mut self, message: StartWriting, ctx: &mut Context<Self>) -> Self::Result {
        let (answer, later) = Later::new();
        match (self.term(), self.core.leader()) {
            (Some(ballot), _) => self.start_writing(ballot, answer),
            (None, None) if self.pending.is_full() => answer.send(Err(Refused::Full)),
            (None, None) if message.campaign => {
                self.stand(answer, ctx);
            }
            (None, _) => answer.send(Err(self.not_leader())),
        }
        later
    }
}

impl Handler<Append> for ReplicaProcess {
    type Result = Later<Result<Position, Refused>>;
    fn handle(&mut self, Append { writer, data }: Append, ctx: &mut Context<Self>) -> Self::Result {
        let (answer, later) = Later::new();
        match self.check_writer(writer) {
            Ok(()) => {
                let ticket = self.requests.tickets.next();
                self.requests.writes.insert(ticket, answer);
                self.requests.incoming.push(paxos::Append { ticket, data });
                self.gather(ctx);
            }
            Err(refused) => answer.send(Err(refused)),
        }
        later
    }
}

impl Handler<Truncate> for ReplicaProcess {
    type Result = Later<Result<Position, Refused>>;
    fn handle(&mut self, message: Truncate, ctx: &mut Context<Self>) -> Self::Result {
        let Truncate { writer, to } = message;
        let (answer, later) = Later::new();
        match self.check_writer(writer) {
            Ok(()) => {
                // What was asked for before goes before.
                self.hand_in(ctx);
                let ticket = self.requests.tickets.next();
                self.requests.writes.insert(ticket, answer);
                self.feed(Input::Truncate { ticket, to }, ctx);
            }
            Err(refused) => answer.send(Err(refused)),
        }
        later
    }
}

impl Handler<AskEnd> for ReplicaProcess {
    type Result = Later<Result<Bounds, Refused>>;
    fn handle(&mut self, _: AskEnd, ctx: &mut Context<Self>) -> Self::Result {
        let (answer, later) = Later::new();
        let ticket = self.requests.tickets.next();
        self.requests.ends.insert(ticket, answer);
        self.feed(Input::Read { ticket }, ctx);
        later
    }
}

impl Handler<Resign> for ReplicaProcess {
    type Result = ();
    fn handle(&mut self, _: Resign, ctx: &mut Context<Self>) {
        if self.term().is_some() {
            self.feed(Input::Resign, ctx);
        }
    }
}

impl Handler<Reconfigure> for ReplicaProcess {
    type Result = Later<Result<(), Refused>>;
    fn handle(&mut self, message: Reconfigure, ctx: &mut Context<Self>) -> Self::Result {
        let (answer, later) = Later::new();
        if self.term().is_none() {
            answer.send(Err(self.not_leader()));
            return later;
        }
        let (change, comes) = match message.change {
            Reconfiguration::Add { node, address } => (Change::Add(node), Some((node, address))),
            Reconfiguration::Remove { node } => (Change::Remove(node), None),
            Reconfiguration::Replace { old, new, address } => {
                (Change::Replace { old, new }, Some((new, address)))
            }
            Reconfiguration::Quorums(quorums) => (Change::Quorums(quorums), None),
        };
        if let Some((node, address)) = comes {
            if self.network.note(node, address) {
                self.keep_book();
            }
            let (cluster, book) = (self.options.cluster, self.network.book().clone());
            for node in book.keys().filter(|node| **node != self.options.node) {
                if let Some(pid) = self.network.pid(*node) {
                    let book = book.clone();
                    ctx.tell(pid, Introduced { cluster, book });
                }
            }
        }
        let ticket = self.requests.tickets.next();
        self.requests.changes.insert(ticket, answer);
        self.feed(Input::Change { ticket, change }, ctx);
        later
    }
}
