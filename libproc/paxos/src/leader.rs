//! Leading: who follows and who listens, the heartbeats that tell, and how it ends.

use crate::{
    Action, Ballot, Config, Failure, Life, Member, Message, Millis, NodeId, Output, Position,
    Replica,
    change::Changing,
    options::LEARNERS_MAX,
    proposer::{Flight, Request},
    reads::Waiting,
    replica::Role,
};
use std::collections::{BTreeMap, VecDeque};

/// A replica that leads.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Leader {
    pub(crate) ballot: Ballot,
    /// The last position it had to propose again. Until that is chosen it serves nobody.
    pub(crate) tail: Position,
    /// The last of these changes who votes: phase 1 begins again after it.
    pub(crate) again: bool,
    pub(crate) next: Position,
    /// From the commit on.
    pub(crate) flights: VecDeque<Flight>,
    pub(crate) bytes: usize,
    pub(crate) queue: VecDeque<Request>,
    pub(crate) followers: BTreeMap<Member, Follower>,
    pub(crate) learners: BTreeMap<NodeId, Learner>,
    pub(crate) round: u64,
    rounds: VecDeque<(u64, Millis)>,
    beat_at: Millis,
    since: Millis,
    pub(crate) reads: VecDeque<Waiting>,
    pub(crate) changing: Option<Changing>,
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
        self.catch_up.stop();
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

    pub(crate) fn elected(&mut self) {
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
