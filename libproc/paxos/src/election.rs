//! Elections: when to stand, who would vote, and phase 1.
//!
//! A follower that has heard no leader for a while waits a random time more, asks whether it would be
//! promised (so that one who cannot win disturbs nobody), and only then raises its ballot. Followers
//! that hear a leader say no.

use crate::{
    Action, Ballot, Entry, Epoch, Member, Message, Millis, NodeId, Output, Position, Replica,
    Space,
    acceptor::Promise,
    replica::{Effect, Role},
};
use std::collections::{BTreeMap, BTreeSet};

/// How far past what is chosen a promise may tell of entries: far more than a window ever is, and little
/// enough to walk through.
const SPREAD_MAX: u64 = 65_536;

/// A replica that asks who would promise.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Canvass {
    pub(crate) ballot: Ballot,
    granted: BTreeSet<Member>,
    pub(crate) until: Millis,
}

/// A replica in phase 1.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Campaign {
    pub(crate) ballot: Ballot,
    /// The configuration whose promises count.
    epoch: Epoch,
    /// The first position asked about.
    from: Position,
    promises: BTreeMap<Member, Promise>,
    /// It lost something chosen, and waits for more than a quorum that may know it.
    patient: bool,
    pub(crate) until: Millis,
    pub(crate) resend_at: Millis,
}

impl Campaign {
    /// The last position anything may be at, as far as the promises tell.
    fn top(&self, commit: Position) -> Position {
        let entries = self
            .promises
            .values()
            .filter_map(|promise| promise.entries.last());
        let top = entries
            .map(|(at, _)| *at)
            .max()
            .unwrap_or(commit)
            .max(commit);
        let spans = self.promises.values().flat_map(|promise| &promise.damaged);
        let near = spans
            .map(|span| span.last)
            .filter(|last| last.since(top) <= SPREAD_MAX);
        near.max().unwrap_or(top).max(top)
    }

    /// How many speak for `position`.
    fn speaking_for(&self, position: Position) -> usize {
        let speaks = |promise: &&Promise| !promise.damaged.iter().any(|span| span.has(position));
        self.promises.values().filter(speaks).count()
    }

    /// How many speak for everything after `top`.
    fn speaking_after(&self, top: Position) -> usize {
        let speaks = |promise: &&Promise| promise.damaged.iter().all(|span| span.last <= top);
        self.promises.values().filter(speaks).count()
    }

    /// What must be proposed at `position`: the action of the highest ballot, or nothing.
    fn pick(&self, position: Position) -> Action {
        let found = self.promises.values().filter_map(|promise| {
            let index = promise
                .entries
                .binary_search_by_key(&position, |(at, _)| *at)
                .ok()?;
            Some(&promise.entries[index].1)
        });
        let highest = found.max_by_key(|entry| entry.ballot);
        highest.map_or(Action::Nop, |Entry { action, .. }| action.clone())
    }
}

impl Replica {
    /// Whether it may lead.
    pub(crate) fn may_stand(&self) -> bool {
        self.ready
            && self.votes()
            && self.space == Space::Available
            && self.config().is_some_and(|config| config.has(self.me))
    }

    pub(crate) fn tick_election(&mut self) {
        let options = &self.setup.options;
        match &mut self.role {
            Role::Follower {
                stand_at: Some(at), ..
            } if self.now >= *at => self.canvass(),
            Role::Follower { stand_at: None, .. } => {
                let silence = self.now.since(self.heard);
                if silence >= options.election_ms && self.may_stand() {
                    self.become_follower(None);
                    self.stand_later();
                }
            }
            Role::Canvassing(canvass) if self.now >= canvass.until => self.stand_later(),
            Role::Preparing(campaign) if self.now >= campaign.until => self.stand_later(),
            Role::Preparing(campaign) if self.now >= campaign.resend_at => {
                campaign.resend_at = self.now.plus(options.resend_ms);
                campaign.patient = false;
                self.ask_again();
                self.decide();
            }
            Role::Follower { .. } | Role::Canvassing(_) | Role::Preparing(_) | Role::Leading(_) => {
            }
        }
    }

    /// Asks those for a promise who have not given it.
    fn ask_again(&mut self) {
        let Role::Preparing(Campaign {
            ballot,
            from,
            promises,
            ..
        }) = &self.role
        else {
            return;
        };
        let (ballot, from) = (*ballot, *from);
        let promised: BTreeSet<NodeId> = promises.keys().map(|member| member.node).collect();
        for node in self.others() {
            if !promised.contains(&node) {
                self.send(node, Message::Prepare { ballot, from });
            }
        }
    }

    /// Stands after a random time, if it hears nobody until then.
    fn stand_later(&mut self) {
        let jitter = self.random % self.setup.options.jitter_ms.0.max(1);
        let stand_at = Some(self.now.plus(Millis(jitter)));
        self.role = Role::Follower {
            leader: None,
            stand_at,
        };
    }

    fn canvass(&mut self) {
        if !self.may_stand() {
            self.role = Role::Follower {
                leader: None,
                stand_at: None,
            };
            self.heard = self.now;
            return;
        }
        let ballot = self.next_ballot();
        let until = self.now.plus(self.setup.options.election_ms);
        self.role = Role::Canvassing(Canvass {
            ballot,
            granted: BTreeSet::new(),
            until,
        });
        for node in self.others() {
            self.send(
                node,
                Message::PreVote {
                    ballot,
                    commit: self.commit,
                },
            );
        }
        self.pre_voted(self.me, ballot);
    }

    fn next_ballot(&self) -> Ballot {
        self.promised
            .max(self.overheard)
            .above(self.me.node, self.incarnation)
    }

    /// Would this replica promise?
    pub(crate) fn pre_vote(&mut self, from: Member, ballot: Ballot, commit: Position) {
        if !self.votes() {
            return self.ignore(from, ballot);
        }
        if commit.next() < self.window.first() {
            return self.answer(
                from.node,
                Message::Behind {
                    ballot,
                    commit: self.commit,
                },
            );
        }
        let quiet = self.now.since(self.heard) >= self.setup.options.election_ms;
        let hears_a_leader = match &self.role {
            Role::Leading(_) => true,
            Role::Follower { leader, .. } => leader.is_some() && !quiet,
            Role::Canvassing(_) | Role::Preparing(_) => false,
        };
        if ballot <= self.promised || hears_a_leader {
            let promised = self.promised;
            return self.answer(from.node, Message::PreVoteRefused { ballot, promised });
        }
        self.answer(from.node, Message::PreVoted { ballot });
    }

    pub(crate) fn pre_voted(&mut self, from: Member, ballot: Ballot) {
        let Some(config) = self.configs.latest() else {
            return;
        };
        let Role::Canvassing(canvass) = &mut self.role else {
            return;
        };
        if canvass.ballot != ballot || !config.has(from) {
            return;
        }
        canvass.granted.insert(from);
        if canvass.granted.len() >= config.electing() {
            self.stand();
        }
    }

    pub(crate) fn pre_vote_refused(&mut self, ballot: Ballot, promised: Ballot) {
        if matches!(&self.role, Role::Canvassing(canvass) if canvass.ballot == ballot) {
            self.overheard = self.overheard.max(promised);
        }
    }

    /// Begins phase 1.
    pub(crate) fn stand(&mut self) {
        if !self.may_stand() || matches!(self.role, Role::Leading(_)) {
            return;
        }
        let Some(epoch) = self.config().map(crate::Config::epoch) else {
            return;
        };
        let ballot = self.next_ballot();
        self.become_follower(None);
        self.raise(ballot);
        let from = self.held().next();
        let options = &self.setup.options;
        self.role = Role::Preparing(Campaign {
            ballot,
            epoch,
            from,
            promises: BTreeMap::new(),
            patient: from <= self.commit,
            until: self.now.plus(options.election_ms),
            resend_at: self.now.plus(options.resend_ms),
        });
        self.after.hold(Effect::Promised(ballot));
        for node in self.others() {
            self.send(node, Message::Prepare { ballot, from });
        }
    }

    /// The leader that resigns wants this replica to follow it.
    pub(crate) fn take_over(&mut self, _: Member, ballot: Ballot) {
        if ballot >= self.promised && !matches!(self.role, Role::Leading(_) | Role::Preparing(_)) {
            self.stand();
        }
    }

    /// Its own promise is durable.
    pub(crate) fn promised_myself(&mut self, ballot: Ballot) {
        let Role::Preparing(campaign) = &self.role else {
            return;
        };
        let promise = self.promise_from(campaign.from);
        self.promised(self.me, ballot, promise);
    }

    pub(crate) fn promised(&mut self, from: Member, ballot: Ballot, promise: Promise) {
        let limit = promise.commit.max(self.commit).plus(SPREAD_MAX);
        let Some(config) = self.configs.latest() else {
            return;
        };
        let Role::Preparing(campaign) = &mut self.role else {
            return;
        };
        let orderly = promise.entries.windows(2).all(|pair| pair[0].0 < pair[1].0)
            && promise.entries.last().is_none_or(|(at, _)| *at <= limit);
        if campaign.ballot != ballot || !config.has(from) || !orderly {
            return;
        }
        campaign.promises.insert(from, promise);
        self.decide();
    }

    /// Leads if the promises allow it.
    fn decide(&mut self) {
        let Some(config) = self.config() else { return };
        let Role::Preparing(campaign) = &self.role else {
            return;
        };
        if campaign.epoch != config.epoch() {
            return self.stand(); // learned meanwhile that others vote
        }
        let quorum = config.electing();
        let (found, all) = self.lost_and_found(campaign, quorum);
        if campaign.patient && campaign.promises.len() < config.members().len() && !all {
            return;
        }
        let top = campaign.top(self.commit);
        if campaign.promises.len() < quorum || campaign.speaking_after(top) < quorum {
            return;
        }
        let mut actions = Vec::new();
        let mut position = self.commit.next();
        while position <= top {
            if campaign.speaking_for(position) < quorum {
                return;
            }
            let action = campaign.pick(position);
            position = position.next();
            let governs = matches!(action, Action::Configure(_));
            actions.push(action);
            if governs {
                break; // others vote on what comes after
            }
        }
        let ballot = campaign.ballot;
        for (position, action) in found {
            self.write_entry(position, Entry { ballot, action });
        }
        self.lead(ballot, actions);
    }

    /// What is chosen where this replica lost it: perhaps nobody else knows that it is chosen, so that
    /// nobody can be asked, but a quorum that speaks for the position has it.
    fn lost_and_found(
        &self,
        campaign: &Campaign,
        quorum: usize,
    ) -> (Vec<(Position, Action)>, bool) {
        let (mut found, mut all) = (Vec::new(), true);
        for span in &self.damage.spans {
            let mut position = span.first.max(campaign.from);
            while position <= span.last.min(self.commit) {
                if campaign.speaking_for(position) >= quorum {
                    found.push((position, campaign.pick(position)));
                } else {
                    all = false;
                }
                position = position.next();
            }
        }
        (found, all)
    }

    /// A higher ballot than ours was promised somewhere.
    pub(crate) fn rejected(&mut self, ballot: Ballot, promised: Ballot) {
        let mine = match &self.role {
            Role::Preparing(campaign) => campaign.ballot,
            Role::Leading(leader) => leader.ballot,
            Role::Follower { .. } | Role::Canvassing(_) => return,
        };
        if mine != ballot || promised <= ballot {
            return;
        }
        self.overheard = self.overheard.max(promised);
        self.become_follower(None);
        self.heard = self.now; // whoever was promised gets its time
    }

    /// Somebody could not tell us all it would have to.
    pub(crate) fn behind(&mut self, from: Member, ballot: Ballot, commit: Position) {
        let mine = match &self.role {
            Role::Canvassing(canvass) => canvass.ballot,
            Role::Preparing(campaign) => campaign.ballot,
            Role::Follower { .. } | Role::Leading(_) => return,
        };
        if mine == ballot {
            let stand_at = Some(self.now.plus(self.setup.options.resend_ms));
            self.role = Role::Follower {
                leader: None,
                stand_at,
            };
            self.hear_of(from.node, commit);
        }
    }

    /// Gives up whatever it was for following `leader`.
    pub(crate) fn become_follower(&mut self, leader: Option<NodeId>) {
        let follower = Role::Follower {
            leader,
            stand_at: None,
        };
        let old = match &self.role {
            Role::Follower { leader: old, .. } => *old,
            Role::Canvassing(_) | Role::Preparing(_) | Role::Leading(_) => None,
        };
        let was = std::mem::replace(&mut self.role, follower);
        if let Role::Leading(leader) = was {
            self.retire(*leader);
        }
        if old != leader {
            self.out.push(Output::Follows(leader));
        }
    }
}
