//! The proposer that was elected: a window of entries in flight, chosen in order.

use crate::{
    Action, Append, Ballot, Config, Entry, Failure, Member, Message, Millis, Output, Position,
    Replica, Ticket, replica::Role,
};

/// An entry proposed and not chosen.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Flight {
    votes: u32,
    pub(crate) ticket: Option<Ticket>,
    sent: Millis,
}

/// A request that waits for room.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Request {
    pub(crate) ticket: Ticket,
    action: Action,
}

impl Replica {
    /// Takes appends, if it leads.
    pub(crate) fn append(&mut self, appends: Vec<Append>) {
        for Append { ticket, data } in appends {
            if data.len() > self.setup.options.append_bytes {
                self.refuse(
                    ticket,
                    Failure::TooLong {
                        limit: self.setup.options.append_bytes,
                    },
                );
                continue;
            }
            self.enqueue(ticket, Action::Append(data));
        }
        self.pump();
    }

    /// Takes a truncation, if it leads.
    pub(crate) fn truncate(&mut self, ticket: Ticket, to: Position) {
        if to > self.commit.next() {
            return self.refuse(ticket, Failure::NotYetWritten { end: self.commit });
        }
        self.enqueue(ticket, Action::Truncate { to });
        self.pump();
    }

    fn enqueue(&mut self, ticket: Ticket, action: Action) {
        let failure = match &mut self.role {
            Role::Leading(leader) if !leader.is_elected(self.commit) => Failure::NotLeader(None),
            Role::Leading(leader) if leader.queue.len() >= self.setup.options.queue => {
                Failure::Busy
            }
            Role::Leading(_) if !self.configs.latest().is_some_and(|c| c.has(self.me)) => {
                Failure::NotLeader(None)
            }
            Role::Leading(leader) => {
                leader.queue.push_back(Request { ticket, action });
                return;
            }
            Role::Follower { leader, .. } => Failure::NotLeader(*leader),
            Role::Canvassing(_) | Role::Preparing(_) => Failure::NotLeader(None),
        };
        self.refuse(ticket, failure);
    }

    /// Proposes what waits, as far as there is room.
    pub(crate) fn pump(&mut self) {
        let options = &self.setup.options;
        let Role::Leading(leader) = &mut self.role else {
            return;
        };
        if leader
            .changing
            .as_ref()
            .is_some_and(|changing| !changing.lets_propose())
        {
            return;
        }
        let mut batch = Vec::new();
        let mut bytes = leader.bytes;
        while let Some(waiting) = leader.queue.front() {
            let count = leader.flights.len() + batch.len();
            let weight = waiting.action.weight();
            let full = count as u64 >= options.window || bytes + weight > options.window_bytes;
            if count > 0 && full {
                break;
            }
            bytes += weight;
            let Request { ticket, action } = leader.queue.pop_front().expect("there is a front");
            batch.push((action, Some(ticket)));
        }
        if !batch.is_empty() {
            self.propose(batch);
        }
    }

    /// Phase 2, for consecutive positions from the next on.
    pub(crate) fn propose(&mut self, batch: Vec<(Action, Option<Ticket>)>) {
        self.note_commit();
        let Role::Leading(leader) = &mut self.role else {
            return;
        };
        let (ballot, first) = (leader.ballot, leader.next);
        let mut actions = Vec::with_capacity(batch.len());
        for (action, ticket) in batch {
            leader.bytes += action.weight();
            leader.flights.push_back(Flight {
                votes: 0,
                ticket,
                sent: self.now,
            });
            leader.next = leader.next.next();
            actions.push(action);
        }
        let last = leader.next.previous();
        for (position, action) in (first.0..).map(Position).zip(&actions) {
            self.accept_one(
                position,
                Entry {
                    ballot,
                    action: action.clone(),
                },
            );
        }
        self.vote_myself(ballot, first, last);
        let commit = self.commit;
        for node in self.others() {
            let actions = actions.clone();
            self.send(
                node,
                Message::Accept {
                    ballot,
                    first,
                    actions,
                    commit,
                },
            );
        }
    }

    /// `member` has accepted these positions durably.
    pub(crate) fn accepted(
        &mut self,
        member: Member,
        ballot: Ballot,
        first: Position,
        last: Position,
    ) {
        let Some(config) = self.configs.latest() else {
            return;
        };
        let Role::Leading(leader) = &mut self.role else {
            return;
        };
        let Some(index) = config.index(member) else {
            return;
        };
        if leader.ballot != ballot {
            return;
        }
        let start = self.commit.next();
        let skip = usize::try_from(first.since(start)).unwrap_or(usize::MAX);
        let count = usize::try_from(last.next().since(first.max(start))).unwrap_or(usize::MAX);
        for flight in leader.flights.iter_mut().skip(skip).take(count) {
            flight.votes |= 1 << index;
        }
        self.advance();
    }

    /// Learns what has its votes, in order, and goes on.
    fn advance(&mut self) {
        let before = self.commit;
        loop {
            let Some(quorum) = self.config().map(Config::accepting) else {
                return;
            };
            let position = self.commit.next();
            let Role::Leading(leader) = &mut self.role else {
                return;
            };
            let enough = |flight: &Flight| flight.votes.count_ones() as usize >= quorum;
            if !leader.flights.front().is_some_and(enough) {
                break;
            }
            let ticket = leader.flights.pop_front().and_then(|flight| flight.ticket);
            let Some(entry) = self.window.get(position) else {
                return self.halt(crate::Violation::Lost { position });
            };
            let action = entry.action.clone();
            leader.bytes -= action.weight();
            let tail = leader.tail;
            let changes = matches!(action, Action::Configure(_));
            let old = if changes {
                self.config().cloned()
            } else {
                None
            };
            self.choose(position, action);
            if let Some(ticket) = ticket {
                self.out.push(Output::Appended { ticket, position });
            }
            if position == tail {
                self.elected();
            }
            if let Some(old) = old {
                self.change_chosen(position, &old);
            }
        }
        if before < self.commit {
            self.pump();
            self.go_on_changing();
        }
    }

    /// Sends again what somebody has not accepted for a while.
    pub(crate) fn resend(&mut self) {
        let Some(config) = self.config().cloned() else {
            return;
        };
        for (index, member) in config.members().iter().enumerate() {
            if *member == self.me {
                continue;
            }
            let Some((ballot, first, actions)) = self.unaccepted(index) else {
                continue;
            };
            let commit = self.commit;
            self.send(
                member.node,
                Message::Accept {
                    ballot,
                    first,
                    actions,
                    commit,
                },
            );
        }
        let Role::Leading(leader) = &mut self.role else {
            return;
        };
        for flight in &mut leader.flights {
            if self.now.since(flight.sent) >= self.setup.options.resend_ms {
                flight.sent = self.now;
            }
        }
    }

    /// The first run of entries that the member at `index` has not accepted for a while.
    fn unaccepted(&self, index: usize) -> Option<(Ballot, Position, Vec<Action>)> {
        let Role::Leading(leader) = &self.role else {
            return None;
        };
        let late = |flight: &Flight| {
            flight.votes & (1 << index) == 0
                && self.now.since(flight.sent) >= self.setup.options.resend_ms
        };
        let skip = leader.flights.iter().position(late)?;
        let first = self.commit.next().plus(skip as u64);
        let (mut actions, mut bytes) = (Vec::new(), 0);
        for (position, flight) in (first.0..)
            .map(Position)
            .zip(leader.flights.iter().skip(skip))
        {
            let Some(entry) = self.window.get(position) else {
                break;
            };
            bytes += entry.action.weight();
            if !late(flight) || (bytes > self.setup.options.window_bytes && !actions.is_empty()) {
                break;
            }
            actions.push(entry.action.clone());
        }
        Some((leader.ballot, first, actions))
    }
}
