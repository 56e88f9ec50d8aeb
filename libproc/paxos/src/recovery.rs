//! Beginning: how a log comes to be, and how a replica without a vote comes to one.
//!
//! *Empty → starting → voting.* Replicas that begin a log together tell each other their lives. When all
//! of them are empty each writes down the same first configuration, with all lives in it; when
//! all have written it, they vote. Nothing is left to a quorum: a replica that lost its disk meanwhile has
//! another life, which is not in what the others wrote down, so a log that may hold data
//! is never begun again while one disk of it remains.
//!
//! *Empty → recovering → voting.* A replica that meets a log which exists learns it, and waits to be
//! configured: an operator adds it, or the leader, if it knows a former life of it.

use crate::{
    Config, Failure, Life, Member, Message, Millis, NodeId, Output, Position, Record, Refusal,
    Replica, Report, RequestId, Space, Status, replica::Role,
};
use std::collections::{BTreeMap, BTreeSet};

/// What a replica without a vote knows of the others.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Recovery {
    reports: BTreeMap<NodeId, (Life, Report)>,
    ask_at: Millis,
    stuck: bool,
}

impl Replica {
    /// Whether it has to ask the others how they are.
    fn listens_only(&self) -> bool {
        match self.status {
            Status::Empty | Status::Starting | Status::Recovering => true,
            Status::Voting | Status::Repairing => {
                !self.config().is_some_and(|config| config.has(self.me))
            }
        }
    }

    pub(crate) fn recovery_deadline(&self) -> Millis {
        if self.listens_only() {
            self.recovery.ask_at
        } else {
            Millis::NEVER
        }
    }

    pub(crate) fn tick_recovery(&mut self) {
        if !self.listens_only() || self.now < self.recovery.ask_at {
            return;
        }
        self.recovery.ask_at = self.now.plus(self.setup.options.resend_ms);
        for node in self.peers() {
            self.ask_status(node);
        }
        self.consider(); // a log of one replica has nobody to ask
    }

    fn ask_status(&mut self, node: NodeId) {
        let (request, report) = (self.next_request(), self.report());
        self.answer(node, Message::AskStatus { request, report });
    }

    /// Everybody it may ask: whom it was told of at the start, and who votes.
    pub(crate) fn peers(&self) -> Vec<NodeId> {
        let members = self.config().map_or(&[][..], Config::members);
        let mut peers: BTreeSet<NodeId> = members.iter().map(|member| member.node).collect();
        peers.extend(&self.setup.peers);
        peers.remove(&self.me.node);
        peers.into_iter().collect()
    }

    fn report(&self) -> Report {
        let config = self.config().or(self.starting.as_ref()).cloned();
        let leader = self.leader();
        Report {
            status: self.status(),
            config,
            commit: self.held(),
            leader,
        }
    }

    pub(crate) fn asked_status(&mut self, from: Member, request: RequestId, report: Report) {
        let mine = self.report();
        self.answer(
            from.node,
            Message::StatusIs {
                request,
                report: mine,
            },
        );
        self.heard_report(from, report);
    }

    pub(crate) fn status_is(&mut self, from: Member, request: RequestId, report: Report) {
        if request.incarnation == self.incarnation {
            self.heard_report(from, report);
        }
    }

    fn heard_report(&mut self, from: Member, report: Report) {
        let commit = report.commit;
        if self.listens_only() && self.peers().contains(&from.node) {
            self.recovery.reports.insert(from.node, (from.life, report));
            self.consider();
        }
        match self.status {
            Status::Empty | Status::Starting => {}
            Status::Recovering | Status::Voting | Status::Repairing => {
                self.listens(from, commit);
                self.hear_of(from.node, commit);
            }
        }
    }

    /// Whether what the others said is enough for the next step.
    fn consider(&mut self) {
        match self.status {
            Status::Empty => self.consider_empty(),
            Status::Starting => self.consider_starting(),
            Status::Recovering | Status::Voting | Status::Repairing => {}
        }
    }

    fn consider_empty(&mut self) {
        if self
            .recovery
            .reports
            .values()
            .any(|(_, report)| report.status.has_begun())
        {
            return self.recover();
        }
        let everyone = self.peers();
        let heard = |node: &NodeId| self.recovery.reports.contains_key(node);
        if !self.setup.peers.contains(&self.me.node) || !everyone.iter().all(heard) {
            return;
        }
        let lives = self
            .recovery
            .reports
            .iter()
            .map(|(node, (life, _))| (*node, *life));
        let members = lives
            .map(|(node, life)| Member { node, life })
            .chain([self.me]);
        let config = match Config::new(members, self.setup.quorums) {
            Ok(config) => config,
            Err(error) => return self.stuck(error.into()),
        };
        for (node, (_, report)) in &self.recovery.reports {
            if report.status == Status::Starting && report.config.as_ref() != Some(&config) {
                let node = *node;
                return self.stuck(Failure::BegunBefore(node));
            }
        }
        self.starting = Some(config);
        self.turn(Status::Starting);
    }

    fn consider_starting(&mut self) {
        let Some(config) = self.starting.clone() else {
            return;
        };
        for (_, report) in self.recovery.reports.values() {
            if report.status.has_begun() {
                let counted = report
                    .config
                    .as_ref()
                    .is_some_and(|config| config.has(self.me));
                return if counted {
                    self.begin_to_vote(config)
                } else {
                    self.recover()
                };
            }
        }
        let others = config.members().iter().filter(|member| **member != self.me);
        let mut all = true;
        for member in others {
            match self.recovery.reports.get(&member.node) {
                Some((life, _)) if *life != member.life => {
                    let node = member.node;
                    return self.stuck(Failure::BegunBefore(node));
                }
                Some((_, report)) => {
                    all &= report.status == Status::Starting
                        && report.config.as_ref() == Some(&config);
                }
                None => all = false,
            }
        }
        if all {
            self.begin_to_vote(config);
        }
    }

    fn begin_to_vote(&mut self, config: Config) {
        self.configs.insert(Position::FIRST, config.clone());
        self.persist(Record::Configured {
            from: Position::FIRST,
            config,
        });
        self.starting = None;
        self.turn(Status::Voting);
    }

    /// There is a log, of which this replica knows nothing.
    fn recover(&mut self) {
        let reports = self.recovery.reports.values();
        let known = reports.filter_map(|(_, report)| report.config.as_ref()?.life(self.me.node));
        if let Some(known) = known.max().filter(|known| *known >= self.me.life) {
            self.me.life = Life(known.0.saturating_add(1));
        }
        self.starting = None;
        self.turn(Status::Recovering);
        let commits: Vec<_> = self
            .recovery
            .reports
            .iter()
            .map(|(n, (_, r))| (*n, r.commit))
            .collect();
        for (node, commit) in commits {
            self.hear_of(node, commit);
        }
    }

    fn stuck(&mut self, failure: Failure) {
        if !std::mem::replace(&mut self.recovery.stuck, true) {
            self.out.push(Output::Stuck(failure));
        }
    }

    pub(crate) fn turn(&mut self, status: Status) {
        self.status = status;
        self.heard = self.now;
        self.recovery = Recovery::default();
        self.recovery.ask_at = self.now;
        self.persist_status();
        self.out.push(Output::StatusIs(self.status()));
    }

    /// Somebody does not listen to this replica.
    pub(crate) fn was_refused(&mut self, from: Member, refusal: Refusal) {
        match refusal {
            // Perhaps it was removed: it finds out by learning.
            Refusal::Stranger => self.ask_status(from.node),
            // Its memory is older than what it promised: a disk of long ago.
            Refusal::Life(life) if life > self.me.life => {
                self.become_follower(None);
                self.forget(life);
            }
            Refusal::Life(_) | Refusal::Cluster | Refusal::Forged => {}
        }
    }

    pub(crate) fn set_space(&mut self, space: Space) {
        self.space = space;
        if space == Space::Full && matches!(self.role, Role::Leading(_)) {
            self.resign();
        }
    }
}
