//! Catching up: chosen entries are fetched in ranges, damaged ones again, and where the range is
//! truncated a base to begin at comes instead. One question at a time, to one peer at a time.
//!
//! Nobody pushes what is learned: a replica believes only the answer to its own question.

use crate::{
    Ballot, Base, Entry, Leading, Member, Message, Millis, NodeId, Output, Position, Record,
    Replica, RequestId, Snapshot, Span,
    replica::{Effect, Role},
};

/// What a replica knows it lacks, and whom it asked.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct CatchUp {
    /// The highest commit heard of.
    wanted: Position,
    /// Who told.
    source: Option<NodeId>,
    asked: Option<Asked>,
    /// After a question without use: not before.
    pause: Option<Millis>,
    /// Chooses among the peers.
    turn: u64,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Asked {
    request: RequestId,
    peer: NodeId,
    span: Span,
    until: Millis,
}

impl CatchUp {
    pub(crate) fn deadline(&self) -> Millis {
        match (&self.asked, self.pause) {
            (Some(asked), _) => asked.until,
            (None, Some(pause)) => pause,
            (None, None) => Millis::NEVER,
        }
    }
}

impl Replica {
    /// `source` knows everything up to `commit` to be chosen.
    pub(crate) fn hear_of(&mut self, source: NodeId, commit: Position) {
        if commit > self.catch_up.wanted {
            self.catch_up.wanted = commit;
            self.catch_up.source = Some(source);
        }
        self.ask_for_more();
    }

    pub(crate) fn tick_catch_up(&mut self) {
        if self
            .catch_up
            .asked
            .as_ref()
            .is_some_and(|asked| self.now >= asked.until)
        {
            self.give_up_asking();
        }
        if self.catch_up.pause.is_some_and(|pause| self.now >= pause) {
            self.catch_up.pause = None;
            self.ask_for_more();
        }
    }

    /// Asks for what is missing most, if anything is and no question is open.
    pub(crate) fn ask_for_more(&mut self) {
        if self.catch_up.asked.is_some() || self.catch_up.pause.is_some() {
            return;
        }
        let Some(span) = self.missing() else { return };
        let Some(peer) = self.peer_to_ask() else {
            self.catch_up.pause = Some(self.now.plus(self.setup.options.resend_ms));
            return;
        };
        let request = self.next_request();
        let until = self
            .now
            .plus(self.setup.options.resend_ms)
            .plus(self.setup.options.resend_ms);
        self.catch_up.asked = Some(Asked {
            request,
            peer,
            span,
            until,
        });
        self.send(peer, Message::Fetch { request, span });
    }

    /// Positions to ask for: damaged ones first, since they may be needed by others.
    fn missing(&self) -> Option<Span> {
        if let Some(span) = self
            .damage
            .spans
            .iter()
            .find(|span| span.first <= self.commit)
        {
            return Some(Span::new(span.first, span.last.min(self.commit)));
        }
        if let Role::Leading(_) = &self.role {
            return None; // learns from its votes
        }
        if self.configs.latest().is_none() {
            // Who votes at the beginning is in no entry: it comes with the base. Nobody keeps zero.
            return self
                .has_begun()
                .then_some(Span::new(Position::ZERO, Position::ZERO));
        }
        let next = self.commit.next();
        if self.commit < self.catch_up.wanted {
            return Some(Span::new(next, self.catch_up.wanted));
        }
        // Nothing to fetch, but the leader can tell how far the damage may reach.
        (!self.damage.spans.is_empty()).then_some(Span::new(next, next))
    }

    fn has_begun(&self) -> bool {
        self.status.has_begun() && self.catch_up.wanted > Position::ZERO
    }

    fn peer_to_ask(&self) -> Option<NodeId> {
        let leader = match &self.role {
            Role::Follower { leader, .. } => *leader,
            Role::Canvassing(_) | Role::Preparing(_) | Role::Leading(_) => None,
        };
        if self.catch_up.turn.is_multiple_of(2)
            && let Some(first) = self
                .catch_up
                .source
                .filter(|_| self.damage.spans.is_empty())
                .or(leader)
        {
            return Some(first);
        }
        let peers = self.peers();
        let count = u64::try_from(peers.len()).expect("peers are few");
        let index = (self.catch_up.turn / 2).checked_rem(count)?;
        peers
            .get(usize::try_from(index).expect("peers are few"))
            .copied()
    }

    fn give_up_asking(&mut self) {
        self.catch_up.asked = None;
        self.catch_up.turn += 1;
        self.catch_up.pause = Some(self.now.plus(self.setup.options.resend_ms));
    }

    /// Answers who lacks chosen entries.
    pub(crate) fn fetch(&mut self, from: Member, request: RequestId, span: Span) {
        let Some(config) = self.configs.at(self.begin).cloned() else {
            return self.send(from.node, Message::FetchRefused { request });
        };
        if span.first < self.begin {
            let base = Base {
                begin: self.begin,
                config,
                snapshot: self.snapshot.clone(),
            };
            return self.answer(from.node, Message::Truncated { request, base });
        }
        let mut last = span.last.min(self.commit);
        for damaged in &self.damage.spans {
            if damaged.has(span.first) && span.first <= self.commit {
                return self.send(from.node, Message::FetchRefused { request });
            }
            if damaged.first > span.first {
                last = last.min(damaged.first.previous());
            }
        }
        let span = Span::new(span.first, last);
        if span.first <= last && span.first < self.window.first() {
            let bytes = self.setup.options.fetch_bytes;
            return self.out.push(Output::Load {
                to: from.node,
                request,
                span,
                bytes,
            });
        }
        let entries = self.entries_of(span);
        self.send_fetched(from.node, request, span.first, entries);
    }

    fn entries_of(&self, span: Span) -> Vec<Entry> {
        let (mut entries, mut bytes) = (Vec::new(), 0);
        let limit = self.setup.options.fetch;
        for (position, entry) in self.window.from(span.first) {
            bytes += entry.action.weight();
            let count = entries.len() as u64;
            let full = count > 0 && (bytes > self.setup.options.fetch_bytes || count >= limit);
            if position > span.last || position != span.first.plus(count) || full {
                break;
            }
            entries.push(entry.clone());
        }
        entries
    }

    pub(crate) fn loaded(
        &mut self,
        to: NodeId,
        request: RequestId,
        first: Position,
        mut entries: Vec<Entry>,
    ) {
        entries.truncate(usize::try_from(self.commit.next().since(first)).unwrap_or(usize::MAX));
        if entries.is_empty() {
            return self.send(to, Message::FetchRefused { request });
        }
        self.send_fetched(to, request, first, entries);
    }

    fn send_fetched(
        &mut self,
        to: NodeId,
        request: RequestId,
        first: Position,
        entries: Vec<Entry>,
    ) {
        let leading = match &self.role {
            Role::Leading(leader) => Some(Leading {
                ballot: leader.ballot,
                proposed: leader.proposed(),
            }),
            Role::Follower { .. } | Role::Canvassing(_) | Role::Preparing(_) => None,
        };
        let commit = self.commit;
        self.send(
            to,
            Message::Fetched {
                request,
                first,
                entries,
                commit,
                leading,
            },
        );
    }

    pub(crate) fn fetched(
        &mut self,
        from: Member,
        request: RequestId,
        first: Position,
        entries: Vec<Entry>,
        commit: Position,
        leading: Option<Leading>,
    ) {
        let Some(span) = self.answered(from, request) else {
            return;
        };
        let mut useful = false;
        let mut position = first;
        for entry in entries {
            if self.halted.is_some() || !span.has(position) || position > commit {
                break;
            }
            if position <= self.commit && self.is_damaged(position) {
                self.write_entry(position, entry);
                useful = true;
            } else if position == self.commit.next() && !matches!(self.role, Role::Leading(_)) {
                self.learn(position, entry);
                useful = true;
            }
            position = position.next();
        }
        self.note_commit();
        if let Some(leading) = leading.filter(|leading| leading.ballot.node == from.node) {
            useful |= self.lost_nothing_after(leading.proposed, leading.ballot);
        }
        if commit > self.catch_up.wanted {
            (self.catch_up.wanted, self.catch_up.source) = (commit, Some(from.node));
        }
        self.go_on(useful);
    }

    pub(crate) fn truncated(&mut self, from: Member, request: RequestId, base: Base) {
        if self.answered(from, request).is_none() {
            return;
        }
        let useful = base.begin > self.begin || self.configs.latest().is_none();
        if base.begin > self.commit.next() && !matches!(self.role, Role::Leading(_)) {
            self.install(base);
        } else if useful {
            self.begin_at(base);
        }
        self.go_on(useful);
    }

    /// The others have truncated what this replica has learned and partly lost.
    fn begin_at(&mut self, base: Base) {
        self.begin = base.begin;
        self.configs.insert(base.begin, base.config.clone());
        self.configs.trim(base.begin);
        self.snapshot = base.snapshot.clone();
        self.note_commit();
        self.persist(Record::Base(base.clone()));
        self.window.drop_before(base.begin.min(self.commit.next()));
        self.repaired_before(base.begin);
        self.after
            .hold(Effect::Report(Output::Truncated(base.begin)));
        self.out.push(Output::Install(base));
    }

    pub(crate) fn fetch_refused(&mut self, from: Member, request: RequestId) {
        if self.answered(from, request).is_some() {
            self.give_up_asking();
        }
    }

    /// The open question, if this is its answer.
    fn answered(&mut self, from: Member, request: RequestId) -> Option<Span> {
        let asked = self
            .catch_up
            .asked
            .take_if(|asked| asked.request == request && asked.peer == from.node)?;
        Some(asked.span)
    }

    fn go_on(&mut self, useful: bool) {
        if useful {
            self.ask_for_more();
        } else if self.missing().is_some() {
            self.give_up_asking();
        }
    }

    /// Keeps what stands for the entries up to its end.
    pub(crate) fn keep_snapshot(&mut self, snapshot: Snapshot) {
        let newer = self
            .snapshot
            .as_ref()
            .is_none_or(|old| old.through < snapshot.through);
        let Some(config) = self.configs.at(self.begin).cloned() else {
            return;
        };
        if !newer || snapshot.through > self.commit {
            return;
        }
        self.snapshot = Some(snapshot.clone());
        self.note_commit();
        self.persist(Record::Base(Base {
            begin: self.begin,
            config,
            snapshot: Some(snapshot),
        }));
    }

    /// A leader says that after `proposed` nothing was chosen under a ballot below its own, and nothing
    /// proposed under its own before the question was asked. Returns whether that was news.
    pub(crate) fn lost_nothing_after(&mut self, proposed: Position, ballot: Ballot) -> bool {
        if ballot < self.damage.ballot || self.damage.spans.iter().all(|span| span.last <= proposed)
        {
            return false;
        }
        self.damage.spans.retain(|span| span.first <= proposed);
        for span in &mut self.damage.spans {
            span.last = span.last.min(proposed);
        }
        self.damage_changed();
        true
    }
}
