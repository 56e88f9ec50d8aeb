//! A replica: everything it is, and the one function that changes it.

use crate::{
    Ballot, Canvass, Config, Configs, Damaged, Durable, Entry, Envelope, Epoch, Failure,
    Incarnation, Input, Leader, Life, Member, Message, Millis, NodeId, Output, Position, Record,
    Refusal, RequestId, Setup, Snapshot, Space, Span, Status, Ticket, Violation, acceptor,
    catch_up::CatchUp, durable::AfterWrite, election::Campaign, reads::Reads, recovery::Recovery,
    window::Window,
};

/// What becomes of a replica in the protocol's eyes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Role {
    /// It follows, or waits until `stand_at` to canvass if it hears nobody.
    Follower {
        leader: Option<NodeId>,
        stand_at: Option<Millis>,
    },
    /// It asks who would vote for it.
    Canvassing(Canvass),
    /// It is in phase 1.
    Preparing(Campaign),
    /// It leads.
    Leading(Box<Leader>),
}

/// What waits for the disk.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Effect {
    /// A message.
    Send(NodeId, Message),
    /// Its own vote in phase 1.
    Promised(Ballot),
    /// Its own votes in phase 2.
    Accepted {
        ballot: Ballot,
        first: Position,
        last: Position,
    },
    /// Something to tell.
    Report(Output),
    /// The start is on record: its ballots are its own.
    Ready,
}

/// A replica of the log: acceptor, learner, and when elected proposer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Replica {
    pub(crate) setup: Setup,
    pub(crate) me: Member,
    pub(crate) incarnation: Incarnation,
    pub(crate) status: Status,
    pub(crate) starting: Option<Config>,
    pub(crate) promised: Ballot,
    pub(crate) begin: Position,
    pub(crate) commit: Position,
    /// The commit that is on record.
    pub(crate) noted: Position,
    pub(crate) configs: Configs,
    pub(crate) snapshot: Option<Snapshot>,
    pub(crate) window: Window,
    pub(crate) damage: Damaged,
    pub(crate) after: AfterWrite<Effect>,
    pub(crate) ready: bool,
    pub(crate) space: Space,
    pub(crate) role: Role,
    /// When it last heard a leader.
    pub(crate) heard: Millis,
    /// The highest ballot it was told of, to be above it the next time it stands.
    pub(crate) overheard: Ballot,
    pub(crate) catch_up: CatchUp,
    pub(crate) recovery: Recovery,
    pub(crate) reads: Reads,
    pub(crate) requests: u64,
    pub(crate) halted: Option<Violation>,
    pub(crate) now: Millis,
    pub(crate) random: u64,
    pub(crate) out: Vec<Output>,
    #[cfg(feature = "sim")]
    pub(crate) flaw: Option<crate::flaw::Flaw>,
}

impl Replica {
    /// Starts a replica with the memory its storage replayed. `fresh` is a number that was never
    /// given to this replica before: milliseconds since 1970, or chance.
    pub fn start(setup: Setup, durable: Durable, fresh: u64, now: Millis) -> (Self, Vec<Output>) {
        Self::start_inner(setup, durable, fresh, now, |_| {})
    }

    /// Starts one with a planted bug.
    #[cfg(feature = "sim")]
    pub(crate) fn start_with(
        setup: Setup,
        durable: Durable,
        fresh: u64,
        now: Millis,
        flaw: Option<crate::flaw::Flaw>,
    ) -> (Self, Vec<Output>) {
        Self::start_inner(setup, durable, fresh, now, |replica| replica.flaw = flaw)
    }

    fn start_inner(
        setup: Setup,
        durable: Durable,
        fresh: u64,
        now: Millis,
        prepare: impl FnOnce(&mut Self),
    ) -> (Self, Vec<Output>) {
        let incarnation = Incarnation(durable.incarnation.0.saturating_add(1).max(fresh));
        let life = if durable.life == Life(0) {
            Life(fresh.max(1))
        } else {
            durable.life
        };
        let mut setup = setup;
        setup.options.ahead = setup.options.ahead.max(setup.options.window);
        let mut window = Window::new(durable.commit.next());
        for (position, entry) in durable.entries {
            window.set(position, entry);
        }
        let mut replica = Self {
            me: Member {
                node: setup.node,
                life,
            },
            setup,
            incarnation,
            status: durable.status,
            starting: durable.starting,
            promised: durable.promised,
            begin: durable.begin,
            commit: durable.commit,
            noted: durable.commit,
            configs: durable.configs,
            snapshot: durable.snapshot,
            window,
            damage: durable.damage,
            after: AfterWrite::new(),
            ready: false,
            space: Space::Available,
            role: Role::Follower {
                leader: None,
                stand_at: None,
            },
            heard: now,
            overheard: Ballot::ZERO,
            catch_up: CatchUp::default(),
            recovery: Recovery::default(),
            reads: Reads::default(),
            requests: 0,
            halted: None,
            now,
            random: fresh,
            out: Vec::new(),
            #[cfg(feature = "sim")]
            flaw: None,
        };
        prepare(&mut replica);
        replica.persist(Record::Started(incarnation));
        if durable.life == Life(0) {
            replica.persist_status();
        }
        replica.begin_with_damage(durable.forgot);
        replica.after.hold(Effect::Ready);
        let outputs = replica.finish();
        (replica, outputs)
    }

    /// Takes one input; returns what must be done, in order. `now` never goes back.
    pub fn step(&mut self, now: Millis, input: Input) -> Vec<Output> {
        if self.halted.is_some() {
            return Vec::new();
        }
        self.now = now.max(self.now);
        match input {
            Input::Tick { random } => {
                self.random = random;
                self.tick();
            }
            Input::Persisted(number) => {
                self.after.persisted(number);
                self.go_on_changing();
            }
            Input::Receive(envelope) => self.receive(envelope),
            Input::Append(appends) => self.append(appends),
            Input::Truncate { ticket, to } => self.truncate(ticket, to),
            Input::Read { ticket } => self.read(ticket),
            Input::Change { ticket, change } => self.change(ticket, change),
            Input::Loaded {
                to,
                request,
                first,
                entries,
            } => {
                self.loaded(to, request, first, entries);
            }
            Input::Damaged(damage) => self.damaged(damage),
            Input::Space(space) => self.set_space(space),
            Input::Snapshot(snapshot) => self.keep_snapshot(snapshot),
            Input::Resign => self.resign(),
            Input::Campaign => self.stand(),
        }
        self.finish()
    }

    /// When the next [`Input::Tick`] is due.
    pub fn deadline(&self) -> Millis {
        if self.halted.is_some() {
            return Millis::NEVER;
        }
        let role = match &self.role {
            Role::Follower {
                stand_at: Some(at), ..
            } => *at,
            Role::Follower { .. } if self.may_stand() => {
                self.heard.plus(self.setup.options.election_ms)
            }
            Role::Follower { .. } => Millis::NEVER,
            Role::Canvassing(canvass) => canvass.until,
            Role::Preparing(campaign) => campaign.resend_at.min(campaign.until),
            Role::Leading(leader) => leader.deadline(),
        };
        role.min(self.catch_up.deadline())
            .min(self.recovery_deadline())
            .min(self.reads.deadline())
    }

    fn tick(&mut self) {
        match &self.role {
            Role::Follower { .. } | Role::Canvassing(_) | Role::Preparing(_) => {
                self.tick_election()
            }
            Role::Leading(_) => self.tick_leader(),
        }
        self.tick_catch_up();
        self.tick_recovery();
        self.tick_reads();
    }

    /// Lets go what the disk no longer holds back.
    fn finish(&mut self) -> Vec<Output> {
        while self.halted.is_none() {
            let Some(effect) = self.release() else { break };
            match effect {
                Effect::Send(to, message) => self.send(to, message),
                Effect::Promised(ballot) => self.promised_myself(ballot),
                Effect::Accepted {
                    ballot,
                    first,
                    last,
                } => {
                    self.accepted(self.me, ballot, first, last);
                }
                Effect::Report(output) => self.out.push(output),
                Effect::Ready => self.ready = true,
            }
        }
        debug_assert!(self.check().is_none(), "{:?} in {self:?}", self.check());
        std::mem::take(&mut self.out)
    }

    fn release(&mut self) -> Option<Effect> {
        #[cfg(feature = "sim")]
        if self.flaw == Some(crate::flaw::Flaw::AckBeforeFsync) {
            self.after.persisted(crate::WriteNumber(u64::MAX));
        }
        self.after.release()
    }

    fn receive(&mut self, envelope: Envelope) {
        if envelope.to != self.me.node {
            return; // misdirected: whoever is meant will be told again
        }
        if let Some(refusal) = self.refusal(&envelope) {
            let Envelope {
                from,
                cluster,
                message,
                ..
            } = envelope;
            if !matches!(message, Message::Refused { .. }) {
                self.out.push(Output::Stranger {
                    from,
                    cluster,
                    refusal,
                });
                self.send(from.node, Message::Refused { refusal });
            }
            return;
        }
        let from = envelope.from;
        match envelope.message {
            Message::PreVote { ballot, commit } => self.pre_vote(from, ballot, commit),
            Message::PreVoted { ballot } => self.pre_voted(from, ballot),
            Message::PreVoteRefused { ballot, promised } => self.pre_vote_refused(ballot, promised),
            Message::Prepare {
                ballot,
                from: first,
            } => self.prepare(from, ballot, first),
            Message::Promised {
                ballot,
                commit,
                entries,
                damaged,
            } => {
                self.promised(
                    from,
                    ballot,
                    acceptor::Promise {
                        commit,
                        entries,
                        damaged,
                    },
                );
            }
            Message::Accept {
                ballot,
                first,
                actions,
                commit,
            } => {
                self.accept(from, ballot, first, actions, commit);
            }
            Message::Accepted {
                ballot,
                first,
                last,
                ..
            } => {
                self.accepted(from, ballot, first, last);
            }
            Message::Heartbeat {
                ballot,
                round,
                commit,
            } => {
                self.heartbeat(from, ballot, round, commit);
            }
            Message::Followed {
                ballot,
                round,
                commit,
            } => {
                self.followed(from, ballot, round, commit);
            }
            Message::Rejected { ballot, promised } => self.rejected(ballot, promised),
            Message::Ignored { ballot, commit, .. } => self.ignored(from, ballot, commit),
            Message::Behind { ballot, commit } => self.behind(from, ballot, commit),
            Message::Failed { .. } => {} // its vote is missing, as if it were down
            Message::Fetch { request, span } => self.fetch(from, request, span),
            Message::Fetched {
                request,
                first,
                entries,
                commit,
                leading,
            } => {
                self.fetched(from, request, first, entries, commit, leading);
            }
            Message::Truncated { request, base } => self.truncated(from, request, base),
            Message::FetchRefused { request } => self.fetch_refused(from, request),
            Message::AskRead { request } => self.asked_to_read(from, request),
            Message::ReadAt { request, position } => self.read_at(from, request, position),
            Message::ReadRefused { request } => self.read_refused(request),
            Message::AskStatus { request, report } => self.asked_status(from, request, report),
            Message::StatusIs { request, report } => self.status_is(from, request, report),
            Message::TakeOver { ballot } => self.take_over(from, ballot),
            Message::Refused { refusal } => self.was_refused(from, refusal),
        }
    }

    /// Why a message must not be listened to.
    fn refusal(&self, envelope: &Envelope) -> Option<Refusal> {
        let Envelope {
            cluster,
            epoch,
            from,
            message,
            ..
        } = envelope;
        if *cluster != self.setup.cluster {
            return Some(Refusal::Cluster);
        }
        if message
            .ballot_of_proposer()
            .is_some_and(|ballot| ballot.node != from.node)
        {
            return Some(Refusal::Forged);
        }
        if message.is_open_to_all() {
            return None;
        }
        let config = self.config()?;
        if *epoch > config.epoch() {
            return None; // it knows more; acceptors serve any proposer, and its answers are counted by life
        }
        match config.life(from.node) {
            None => Some(Refusal::Stranger),
            Some(life) if from.life < life => Some(Refusal::Life(life)),
            Some(_) => None,
        }
    }

    /// The configuration that votes on what comes next, as far as this replica knows.
    pub fn config(&self) -> Option<&Config> {
        self.configs.latest()
    }

    /// Whether it votes.
    pub fn status(&self) -> Status {
        match self.status {
            Status::Voting if !self.damage.spans.is_empty() => Status::Repairing,
            status => status,
        }
    }

    /// Which replica in which life.
    pub fn member(&self) -> Member {
        self.me
    }

    /// What it promised.
    pub fn promise(&self) -> Ballot {
        self.promised
    }

    /// The first position that is kept.
    pub fn begin(&self) -> Position {
        self.begin
    }

    /// Everything up to here is known to be chosen.
    pub fn commit(&self) -> Position {
        self.commit
    }

    /// The last position something is at.
    pub fn end(&self) -> Position {
        self.window.last().max(self.commit)
    }

    /// The entry at `position`, if it is in memory: what is not chosen yet, and a little of what is.
    pub fn entry(&self, position: Position) -> Option<&Entry> {
        self.window.get(position)
    }

    /// Who leads, as far as it knows; itself if it does and everything before is chosen.
    pub fn leader(&self) -> Option<NodeId> {
        match &self.role {
            Role::Follower { leader, .. } => *leader,
            Role::Leading(leader) => leader.is_elected(self.commit).then_some(self.me.node),
            Role::Canvassing(_) | Role::Preparing(_) => None,
        }
    }

    /// The ballot it leads with.
    pub fn leading(&self) -> Option<Ballot> {
        match &self.role {
            Role::Leading(leader) => Some(leader.ballot),
            Role::Follower { .. } | Role::Canvassing(_) | Role::Preparing(_) => None,
        }
    }

    /// What is damaged and not yet repaired.
    pub fn damage(&self) -> &[Span] {
        &self.damage.spans
    }

    pub(crate) fn persist(&mut self, record: Record) {
        let number = self.after.write();
        self.out.push(Output::Persist(number, record));
    }

    pub(crate) fn persist_status(&mut self) {
        let (status, life, starting) = (self.status, self.me.life, self.starting.clone());
        self.persist(Record::Status {
            status,
            life,
            starting,
        });
    }

    /// Sends at once.
    pub(crate) fn send(&mut self, to: NodeId, message: Message) {
        let epoch = self.config().map_or(Epoch(0), Config::epoch);
        let envelope = Envelope {
            cluster: self.setup.cluster,
            epoch,
            from: self.me,
            to,
            message,
        };
        self.out.push(Output::Send(envelope));
    }

    /// Sends when everything written so far is durable: every answer that tells what this replica has
    /// promised, accepted or become.
    pub(crate) fn answer(&mut self, to: NodeId, message: Message) {
        self.after.hold(Effect::Send(to, message));
    }

    /// The nodes of the other members.
    pub(crate) fn others(&self) -> Vec<NodeId> {
        let members = self.config().map_or(&[][..], Config::members);
        members
            .iter()
            .map(|member| member.node)
            .filter(|node| *node != self.me.node)
            .collect()
    }

    pub(crate) fn next_request(&mut self) -> RequestId {
        self.requests += 1;
        RequestId {
            incarnation: self.incarnation,
            number: self.requests,
        }
    }

    /// Whether it votes at all: what it says about single positions is another matter.
    pub(crate) fn votes(&self) -> bool {
        self.status == Status::Voting
    }

    pub(crate) fn halt(&mut self, violation: Violation) {
        self.halted = Some(violation.clone());
        self.out.push(Output::Halted(violation));
    }

    pub(crate) fn refuse(&mut self, ticket: Ticket, failure: Failure) {
        self.out.push(Output::Refused { ticket, failure });
    }
}
