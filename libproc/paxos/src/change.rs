//! Changing the members, from the leader's side. Why it is safe is in `membership`.
//!
//! The leader waits until whoever comes has nearly caught up, stops proposing, waits until what is in
//! flight is chosen and a quorum of the new members holds it, proposes the configuration alone, and goes on
//! when it is chosen. It reports the change when a quorum of the new members holds it too.

use crate::{
    Action, Change, Config, Failure, Life, Member, Millis, NodeId, Output, Position, Replica,
    Ticket, WriteNumber, leader::Learner, replica::Role,
};

/// A change under way.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Changing {
    /// Of whom asked for it; nobody asks for the return of a member that forgot.
    ticket: Option<Ticket>,
    config: Config,
    stage: Stage,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Stage {
    /// Whoever comes catches up.
    CatchingUp { until: Millis },
    /// Nothing is proposed until all that is in flight is chosen and held.
    Draining { until: Millis },
    /// The configuration is in flight.
    Proposed,
    /// It is chosen, and must be held by a quorum of the new members.
    Chosen {
        position: Position,
        written: WriteNumber,
    },
}

impl Changing {
    /// Whether entries may be proposed.
    pub(crate) fn lets_propose(&self) -> bool {
        matches!(self.stage, Stage::CatchingUp { .. } | Stage::Chosen { .. })
    }
}

impl Replica {
    /// Begins a change, if it leads and none is under way.
    pub(crate) fn change(&mut self, ticket: Ticket, change: Change) {
        let Some(config) = self.config() else {
            return self.refuse(ticket, Failure::NotLeader(None));
        };
        let leader = match &self.role {
            Role::Leading(leader) if leader.is_elected(self.commit) => leader,
            Role::Follower { leader, .. } => {
                let leader = *leader;
                return self.refuse(ticket, Failure::NotLeader(leader));
            }
            Role::Leading(_) | Role::Canvassing(_) | Role::Preparing(_) => {
                return self.refuse(ticket, Failure::NotLeader(None));
            }
        };
        if leader.changing.is_some() {
            return self.refuse(ticket, Failure::Changing);
        }
        let life = change
            .comes()
            .map(|node| (node, leader.learners.get(&node)));
        let life = match life {
            None => Life(0),
            Some((_, Some(learner))) => learner.life,
            Some((node, None)) => {
                // Whether it is a member already is the better answer.
                let failure = match config.change(change, Life(0)) {
                    Err(error) => error.into(),
                    Ok(_) => Failure::NotCaughtUp(node),
                };
                return self.refuse(ticket, failure);
            }
        };
        match config.change(change, life) {
            Ok(config) => self.begin_change(Some(ticket), config),
            Err(error) => self.refuse(ticket, error.into()),
        }
    }

    /// `member`, who forgot a former life, comes back.
    pub(crate) fn readmit(&mut self, member: Member) {
        let Role::Leading(leader) = &self.role else {
            return;
        };
        let Some(config) = self.config() else { return };
        let forgot = config
            .life(member.node)
            .is_some_and(|life| life < member.life);
        if !forgot || leader.changing.is_some() || !leader.is_elected(self.commit) {
            return;
        }
        if let Ok(config) = config.reborn(member) {
            self.begin_change(None, config);
        }
    }

    fn begin_change(&mut self, ticket: Option<Ticket>, config: Config) {
        let until = self.now.plus(self.setup.options.change_ms);
        let Role::Leading(leader) = &mut self.role else {
            return;
        };
        leader.changing = Some(Changing {
            ticket,
            config,
            stage: Stage::CatchingUp { until },
        });
        self.go_on_changing();
    }

    /// Takes a change as far as it can go.
    pub(crate) fn go_on_changing(&mut self) {
        let near = self.setup.options.window;
        let Role::Leading(leader) = &mut self.role else {
            return;
        };
        let Some(changing) = &leader.changing else {
            return;
        };
        match changing.stage {
            Stage::CatchingUp { until } | Stage::Draining { until } if self.now >= until => {
                let failure = match self.newcomer_missing(self.commit) {
                    Some(node) => Failure::NotCaughtUp(node),
                    None => Failure::TooFewCaughtUp,
                };
                self.abandon_change(failure);
            }
            Stage::CatchingUp { until } => {
                let nearly = Position(self.commit.0.saturating_sub(near));
                if self.newcomer_missing(nearly).is_none() {
                    self.set_stage(Stage::Draining { until });
                    self.go_on_changing();
                }
            }
            Stage::Draining { .. } => {
                let held = leader.is_idle() && self.is_held(self.commit, self.after.is_settled());
                if held && self.newcomer_missing(self.commit).is_none() {
                    self.propose_change();
                }
            }
            Stage::Proposed => {}
            Stage::Chosen { position, written } => {
                if self.is_held(position, self.after.is_durable(written)) {
                    self.change_done();
                }
            }
        }
    }

    fn set_stage(&mut self, stage: Stage) {
        let Role::Leading(leader) = &mut self.role else {
            return;
        };
        if let Some(changing) = &mut leader.changing {
            changing.stage = stage;
        }
    }

    /// A member of the configuration to come, but not of this, that does not hold everything up to
    /// `position`.
    fn newcomer_missing(&self, position: Position) -> Option<NodeId> {
        let Role::Leading(leader) = &self.role else {
            return None;
        };
        let (old, new) = (self.config()?, &leader.changing.as_ref()?.config);
        let holds = |member: &Member| {
            leader
                .learners
                .get(&member.node)
                .is_some_and(|learner: &Learner| {
                    learner.life == member.life && learner.commit >= position
                })
        };
        let missing = |member: &&Member| !old.has(**member) && !holds(member);
        new.members().iter().find(missing).map(|member| member.node)
    }

    /// Whether an accepting quorum of the configuration to come holds everything up to `position`; `mine`
    /// tells whether this replica does.
    fn is_held(&self, position: Position, mine: bool) -> bool {
        let Role::Leading(leader) = &self.role else {
            return false;
        };
        let Some(Changing { config, .. }) = &leader.changing else {
            return false;
        };
        let holds = |member: &&Member| {
            if **member == self.me {
                return mine && self.held() >= position;
            }
            let follows = leader
                .followers
                .get(member)
                .is_some_and(|f| f.commit >= position);
            let listens = leader.learners.get(&member.node);
            follows || listens.is_some_and(|l| l.life == member.life && l.commit >= position)
        };
        config.members().iter().filter(holds).count() >= config.accepting()
    }

    fn propose_change(&mut self) {
        self.set_stage(Stage::Proposed);
        let Role::Leading(leader) = &self.role else {
            return;
        };
        let Some(Changing { config, .. }) = &leader.changing else {
            return;
        };
        let action = Action::Configure(config.clone());
        self.propose(vec![(action, None)]);
    }

    /// A configuration is chosen at `position`, under this leader; `old` governed it.
    pub(crate) fn change_chosen(&mut self, position: Position, old: &Config) {
        let written = self.after.written();
        self.set_stage(Stage::Chosen { position, written });
        let now = self.now;
        let Some(new) = self.configs.latest() else {
            return;
        };
        let Role::Leading(leader) = &mut self.role else {
            return;
        };
        // Who votes no longer hears of it in the heartbeats of a while, and who votes, listens no longer.
        leader
            .learners
            .retain(|node, learner| new.life(*node) != Some(learner.life));
        for member in old
            .members()
            .iter()
            .filter(|member| new.life(member.node).is_none())
        {
            leader
                .learners
                .insert(member.node, Learner::new(member.life, Position::ZERO, now));
        }
        self.note_commit();
        self.beat();
    }

    fn change_done(&mut self) {
        let Role::Leading(leader) = &mut self.role else {
            return;
        };
        let Some(Changing { ticket, config, .. }) = leader.changing.take() else {
            return;
        };
        let stays = config.has(self.me);
        if let Some(ticket) = ticket {
            self.out.push(Output::Changed { ticket, config });
        }
        if stays {
            self.pump();
        } else {
            self.resign();
        }
    }

    fn abandon_change(&mut self, failure: Failure) {
        let Role::Leading(leader) = &mut self.role else {
            return;
        };
        let Some(changing) = leader.changing.take() else {
            return;
        };
        if let Some(ticket) = changing.ticket {
            self.refuse(ticket, failure);
        }
        self.pump();
    }

    /// The leader is one no longer.
    pub(crate) fn give_up_change(&mut self, changing: Changing) {
        let Some(ticket) = changing.ticket else {
            return;
        };
        match changing.stage {
            Stage::CatchingUp { .. } | Stage::Draining { .. } => {
                self.refuse(ticket, Failure::NotLeader(None));
            }
            Stage::Proposed | Stage::Chosen { .. } => self.out.push(Output::Unknown { ticket }),
        }
    }
}
