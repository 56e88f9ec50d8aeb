//! The proposer that was elected: a window of entries in flight, chosen in order.

use crate::{
    Action, Append, Ballot, Config, Entry, Failure, Life, Member, Message, Millis, NodeId, Output,
    Position, Replica, Ticket, change::Changing, options::LEARNERS_MAX, reads::Waiting,
    replica::Role,
};
use std::collections::{BTreeMap, VecDeque};

/// A replica that leads.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Leader {
    pub(crate) ballot: Ballot,
    /// The last position it had to propose again. Until that is chosen it serves nobody.
    tail: Position,
    /// The last of these changes who votes: phase 1 begins again after it.
    again: bool,
    next: Position,
    /// From the commit on.
    flights: VecDeque<Flight>,
    bytes: usize,
    queue: VecDeque<Request>,
    pub(crate) followers: BTreeMap<Member, Follower>,
    pub(crate) learners: BTreeMap<NodeId, Learner>,
    pub(crate) round: u64,
    rounds: VecDeque<(u64, Millis)>,
    beat_at: Millis,
    since: Millis,
    pub(crate) reads: VecDeque<Waiting>,
    pub(crate) changing: Option<Changing>,
}

/// An entry proposed and not chosen.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Flight {
    votes: u32,
    ticket: Option<Ticket>,
    sent: Millis,
}

/// A request that waits for room.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Request {
    ticket: Ticket,
    action: Action,
}

/// What a leader knows of who follows it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Follower {
    /// The last heartbeat it answered.
    pub(crate) round: u64,
    /// When that was sent.
    contact: Millis,
    /// What it holds durably.
    pub(crate) commit: Position,
}

/// A replica that does not vote and wants to.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Learner {
    pub(crate) life: Life,
    pub(crate) commit: Position,
    heard: Millis,
}

impl Leader {
    pub(crate) fn is_elected(&self, commit: Position) -> bool {
        commit >= self.tail && !self.again
    }

    /// The last position it proposed at.
    pub(crate) fn proposed(&self) -> Position {
        self.next.previous().max(self.tail)
    }

    pub(crate) fn deadline(&self) -> Millis {
        self.beat_at
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.flights.is_empty()
    }

    fn sent(&self, round: u64) -> Option<Millis> {
        self.rounds
            .iter()
            .find(|(number, _)| *number == round)
            .map(|(_, at)| *at)
    }

    /// How many of `config` besides `me` answered heartbeat `round` or a later one.
    pub(crate) fn answered(&self, config: &Config, me: Member, round: u64) -> usize {
        let others = config.members().iter().filter(|member| **member != me);
        others
            .filter(|member| self.followers.get(member).is_some_and(|f| f.round >= round))
            .count()
    }
}

impl Learner {
    pub(crate) fn new(life: Life, commit: Position, heard: Millis) -> Self {
        Self {
            life,
            commit,
            heard,
        }
    }
}

impl Replica {
    /// Leads under `ballot`, and first proposes `actions` again, from the commit on.
    pub(crate) fn lead(&mut self, ballot: Ballot, actions: Vec<Action>) {
        let tail = self.commit.plus(actions.len() as u64);
        let again = matches!(actions.last(), Some(Action::Configure(_)));
        self.role = Role::Leading(Box::new(Leader {
            ballot,
            tail,
            again,
            next: self.commit.next(),
            flights: VecDeque::new(),
            bytes: 0,
            queue: VecDeque::new(),
            followers: BTreeMap::new(),
            learners: BTreeMap::new(),
            round: 0,
            rounds: VecDeque::new(),
            beat_at: self.now.plus(self.setup.options.heartbeat_ms),
            since: self.now,
            reads: VecDeque::new(),
            changing: None,
        }));
        self.heard = self.now;
        if !again && self.damage.ballot < ballot {
            self.lost_nothing_after(tail, ballot);
        }
        self.beat();
        if actions.is_empty() {
            self.elected();
        } else {
            self.propose(actions.into_iter().map(|action| (action, None)).collect());
        }
    }

    fn elected(&mut self) {
        let Role::Leading(leader) = &self.role else {
            return;
        };
        if leader.again {
            // Proposed a change of the members for another: what comes after needs their promises.
            self.become_follower(None);
            return self.stand();
        }
        let (ballot, next) = (leader.ballot, leader.next);
        self.out.push(Output::Elected { ballot, next });
    }

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

    pub(crate) fn tick_leader(&mut self) {
        let options = &self.setup.options;
        let Some(config) = self.configs.latest() else {
            return;
        };
        let Role::Leading(leader) = &mut self.role else {
            return;
        };
        let patience = Millis(options.election_ms.0 * 3 / 4);
        let mut contacts: Vec<Millis> = config
            .members()
            .iter()
            .map(|member| {
                if *member == self.me {
                    return self.now;
                }
                leader
                    .followers
                    .get(member)
                    .map_or(leader.since, |f| f.contact.max(leader.since))
            })
            .collect();
        contacts.sort_unstable();
        let quorum = contacts[contacts.len() - config.accepting()];
        if self.now.since(quorum) > patience {
            return self.become_follower(None); // a quorum may follow another
        }
        let lost = self
            .damage
            .spans
            .first()
            .is_some_and(|span| span.first <= self.commit);
        if lost && self.now.since(leader.since) > Millis(4 * options.election_ms.0) {
            // It is chosen and nobody else knows: phase 1 finds it.
            self.become_follower(None);
            return self.stand();
        }
        if self.now >= leader.beat_at {
            let old = Millis(options.election_ms.0 * 10);
            leader
                .learners
                .retain(|_, learner| self.now.since(learner.heard) < old);
            leader.beat_at = self.now.plus(options.heartbeat_ms); // whatever reads cause meanwhile
            self.note_commit();
            self.beat();
            self.resend();
            self.go_on_changing();
            self.ask_for_more();
        }
    }

    /// Says to all that it is there.
    pub(crate) fn beat(&mut self) {
        let Role::Leading(leader) = &mut self.role else {
            return;
        };
        leader.round += 1;
        leader.rounds.push_back((leader.round, self.now));
        while leader.rounds.len() > 64 {
            leader.rounds.pop_front();
        }
        let (ballot, round, commit) = (leader.ballot, leader.round, self.commit);
        let learners: Vec<NodeId> = leader.learners.keys().copied().collect();
        let mut to = self.others();
        to.extend(
            learners
                .into_iter()
                .filter(|node| !to.contains(node))
                .collect::<Vec<_>>(),
        );
        for node in to {
            self.send(
                node,
                Message::Heartbeat {
                    ballot,
                    round,
                    commit,
                },
            );
        }
    }

    /// Sends again what somebody has not accepted for a while.
    fn resend(&mut self) {
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

    pub(crate) fn followed(&mut self, from: Member, ballot: Ballot, round: u64, commit: Position) {
        let Role::Leading(leader) = &mut self.role else {
            return;
        };
        if leader.ballot != ballot || round > leader.round {
            return;
        }
        let sent = leader.sent(round);
        if leader.followers.len() > 2 * crate::options::MEMBERS_MAX {
            leader.followers.clear(); // only who votes is missed, until it answers again
        }
        let follower = leader.followers.entry(from).or_default();
        follower.round = follower.round.max(round);
        follower.commit = follower.commit.max(commit);
        if let Some(sent) = sent {
            follower.contact = follower.contact.max(sent);
        }
        self.serve_reads();
        self.go_on_changing();
    }

    /// A heartbeat of `from`.
    pub(crate) fn heartbeat(&mut self, from: Member, ballot: Ballot, round: u64, commit: Position) {
        if !self.votes() {
            self.hear_of(from.node, commit);
            return self.ignore(from, ballot);
        }
        if ballot < self.promised {
            let promised = self.promised;
            return self.answer(from.node, Message::Rejected { ballot, promised });
        }
        self.follow(from, ballot);
        self.learn_up_to(from.node, ballot, commit);
        self.ask_for_more();
        self.answer(
            from.node,
            Message::Followed {
                ballot,
                round,
                commit: self.held(),
            },
        );
    }

    /// A replica that does not vote, but listens.
    pub(crate) fn ignored(&mut self, from: Member, ballot: Ballot, commit: Position) {
        if self.leading() == Some(ballot) {
            self.listens(from, commit);
        }
    }

    /// `from` has everything up to `commit` durably, and does not vote.
    pub(crate) fn listens(&mut self, from: Member, commit: Position) {
        let voting = self.config().is_some_and(|config| config.has(from));
        let now = self.now;
        let Role::Leading(leader) = &mut self.role else {
            return;
        };
        if voting {
            return;
        }
        if leader.learners.len() >= LEARNERS_MAX && !leader.learners.contains_key(&from.node) {
            return;
        }
        let fresh = Learner {
            life: from.life,
            commit,
            heard: now,
        };
        let learner = leader
            .learners
            .entry(from.node)
            .or_insert_with(|| fresh.clone());
        if learner.life <= from.life {
            *learner = fresh;
        }
        self.readmit(from);
        self.go_on_changing();
    }

    /// Gives up leading, to whoever is best prepared.
    pub(crate) fn resign(&mut self) {
        let Role::Leading(leader) = &self.role else {
            return;
        };
        let Some(config) = self.config() else { return };
        let voting = leader
            .followers
            .iter()
            .filter(|(member, _)| config.has(**member) && **member != self.me);
        let heir = voting.max_by_key(|(_, follower)| (follower.commit, follower.round));
        let (ballot, heir) = (leader.ballot, heir.map(|(member, _)| member.node));
        self.become_follower(None);
        self.heard = self.now;
        if let Some(node) = heir {
            self.send(node, Message::TakeOver { ballot });
        }
    }

    /// Tells everybody who waits for this leader what became of it.
    pub(crate) fn retire(&mut self, leader: Leader) {
        let elected = leader.is_elected(self.commit);
        for ticket in leader
            .flights
            .into_iter()
            .filter_map(|flight| flight.ticket)
        {
            self.out.push(Output::Unknown { ticket });
        }
        for Request { ticket, .. } in leader.queue {
            self.refuse(ticket, Failure::NotLeader(None));
        }
        for waiting in leader.reads {
            self.refuse_read(waiting);
        }
        if let Some(changing) = leader.changing {
            self.give_up_change(changing);
        }
        if elected {
            self.out.push(Output::Demoted {
                ballot: leader.ballot,
            });
        }
    }
}
