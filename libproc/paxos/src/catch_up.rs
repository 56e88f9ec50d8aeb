//! Catching up: chosen entries are fetched in ranges, damaged ones again, and where the range is
//! truncated a base to begin at comes instead.
//!
//! Nobody pushes what is learned: a replica believes only the answers to its own questions. A leader
//! proposes at most a window of entries in the time an answer takes; so that who lags comes nearer however
//! fast is written and however little fits into an answer, ranges for two windows at least are asked for
//! at a time. What comes before what is before it waits.

use crate::{
    Ballot, Base, Entry, Leading, Member, Message, Millis, NodeId, Options, Output, Position,
    Record, Replica, RequestId, Span,
    ranges::{Question, Ranges},
    replica::{Effect, Role},
};

/// What a replica knows it lacks, and whom it asked.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct CatchUp {
    /// The highest commit heard of.
    wanted: Position,
    /// Who told.
    source: Option<NodeId>,
    /// What comes after the commit.
    ahead: Ranges,
    /// About anything else: what is damaged, or where to begin.
    other: Option<Question>,
    /// Positions in one question: about as many entries as fit into an answer.
    stride: u64,
    /// After a question without use: not before.
    pause: Option<Millis>,
    /// Chooses among the peers.
    turn: u64,
}

/// What is missing.
enum Missing {
    Ahead(Span),
    Other(Span),
}

/// Positions in the first question: how large the entries are is not known yet.
const STRIDE_FIRST: u64 = 64;

/// Entries asked for at a time, at least: a leader whom a vote close by is enough for writes several windows
/// while a question travels.
const ENTRIES_MIN: u64 = 128;

/// Ranges asked for at a time, at least: enough to keep a disk and a wire busy both.
const RANGES_MIN: u64 = 4;

impl Default for CatchUp {
    fn default() -> Self {
        Self {
            wanted: Position::ZERO,
            source: None,
            ahead: Ranges::default(),
            other: None,
            stride: STRIDE_FIRST,
            pause: None,
            turn: 0,
        }
    }
}

impl CatchUp {
    pub(crate) fn deadline(&self) -> Millis {
        let other = self.other.as_ref().map(|question| question.until);
        let pause = self.pause.unwrap_or(Millis::NEVER);
        self.ahead
            .deadline()
            .min(other.unwrap_or(Millis::NEVER))
            .min(pause)
    }

    /// A leader learns from its votes: nothing asked for before is waited for.
    pub(crate) fn stop(&mut self) {
        self.ahead.clear();
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
        let mut late = self.catch_up.ahead.expire(self.now);
        let now = self.now;
        late |= self
            .catch_up
            .other
            .take_if(|question| now >= question.until)
            .is_some();
        if late {
            self.try_another();
        }
        if self.catch_up.pause.is_some_and(|pause| self.now >= pause) {
            self.catch_up.pause = None;
            self.ask_for_more();
        }
    }

    /// Learns what came early as far as it follows, and asks for what is missing and not asked for.
    pub(crate) fn ask_for_more(&mut self) {
        self.learn_early();
        while self.catch_up.pause.is_none()
            && let Some(missing) = self.missing()
        {
            let span = match missing {
                Missing::Ahead(span) | Missing::Other(span) => span,
            };
            let Some(peer) = self.peer_to_ask() else {
                self.catch_up.pause = Some(self.now.plus(self.setup.options.resend_ms));
                return;
            };
            let request = self.next_request();
            let patience = Millis(self.setup.options.resend_ms.0.saturating_mul(2));
            let question = Question {
                request,
                peer,
                span,
                until: self.now.plus(patience),
            };
            match missing {
                Missing::Ahead(_) => self.catch_up.ahead.ask(question),
                Missing::Other(_) => self.catch_up.other = Some(question),
            }
            self.send(peer, Message::Fetch { request, span });
        }
    }

    /// What to ask for: damaged positions first, since they may be needed by others.
    fn missing(&self) -> Option<Missing> {
        let other = |span| {
            let free = self.catch_up.other.is_none();
            free.then_some(Missing::Other(span))
        };
        if let Some(span) = self
            .damage
            .spans
            .iter()
            .find(|span| span.first <= self.commit)
        {
            return other(Span::new(span.first, span.last.min(self.commit)));
        }
        if let Role::Leading(_) = &self.role {
            return None; // learns from its votes
        }
        if self.configs.latest().is_none() {
            // Who votes at the beginning is in no entry: it comes with the base. Nobody keeps zero.
            let zero = Span::new(Position::ZERO, Position::ZERO);
            return if self.has_begun() { other(zero) } else { None };
        }
        let next = self.commit.next();
        if self.commit < self.catch_up.wanted {
            return self.missing_ahead(next);
        }
        // Nothing to fetch, but the leader can tell how far the damage may reach.
        if self.damage.spans.is_empty() {
            None
        } else {
            other(Span::new(next, next))
        }
    }

    fn missing_ahead(&self, next: Position) -> Option<Missing> {
        let Options { window, fetch, .. } = self.setup.options;
        let fetch = fetch.max(1);
        let entries = window.saturating_mul(2).max(ENTRIES_MIN);
        let most = entries.div_ceil(fetch).max(RANGES_MIN);
        let gap = self.catch_up.ahead.gap(next);
        // What is needed next is asked for in any case: nothing else makes room.
        if gap.first > self.catch_up.wanted
            || (gap.first > next && self.catch_up.ahead.count() >= most)
        {
            return None;
        }
        let stride = self.catch_up.stride.clamp(1, fetch);
        let last = gap.first.plus(stride - 1).min(gap.last);
        Some(Missing::Ahead(Span::new(
            gap.first,
            last.min(self.catch_up.wanted),
        )))
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

    /// After a while, and perhaps of another peer.
    fn try_another(&mut self) {
        if self.catch_up.pause.is_none() {
            self.catch_up.turn += 1;
            self.catch_up.pause = Some(self.now.plus(self.setup.options.resend_ms));
        }
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
        let Some(answered) = self.answered(from, request) else {
            return;
        };
        let (Missing::Ahead(span) | Missing::Other(span)) = answered;
        let mut useful = self.is_overtaken(&answered);
        let mut early = (Position::ZERO, Vec::new());
        let mut position = first;
        for entry in entries {
            if self.halted.is_some() || !span.has(position) || position > commit {
                break;
            }
            let learns = !matches!(self.role, Role::Leading(_));
            if position <= self.commit && self.is_damaged(position) {
                self.write_entry(position, entry);
                useful = true;
            } else if position == self.commit.next() && learns {
                self.learn(position, entry);
                useful = true;
            } else if position > self.commit && learns {
                if early.1.is_empty() {
                    early.0 = position;
                }
                early.1.push(entry);
                useful = true;
            }
            position = position.next();
        }
        if let Missing::Ahead(_) = answered {
            self.catch_up.ahead.keep(early.0, early.1);
            self.adapt_stride(span, position.since(first));
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

    /// An answer about `span` had so many entries: asks for so many, or if all were there for more.
    fn adapt_stride(&mut self, span: Span, count: u64) {
        let asked = span.last.next().since(span.first);
        if count < asked {
            self.catch_up.stride = count.max(1);
        } else if count >= self.catch_up.stride {
            let most = self.setup.options.fetch.max(1);
            self.catch_up.stride = count.saturating_mul(2).min(most);
        }
    }

    fn learn_early(&mut self) {
        while let Some(entries) = self.catch_up.ahead.take(self.commit.next()) {
            for entry in entries {
                if self.halted.is_some() {
                    return;
                }
                self.learn(self.commit.next(), entry);
            }
            self.note_commit();
        }
    }

    pub(crate) fn truncated(&mut self, from: Member, request: RequestId, base: Base) {
        let Some(answered) = self.answered(from, request) else {
            return;
        };
        let useful = base.begin > self.begin || self.configs.latest().is_none();
        let ahead = base.begin > self.commit.next();
        if ahead && matches!(self.role, Role::Leading(_)) {
            return; // it asked before it was elected, and learns from its votes what it lacks
        }
        if ahead {
            self.install(base);
        } else if useful {
            self.begin_at(base);
        }
        self.go_on(useful || self.is_overtaken(&answered));
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
            self.try_another();
        }
    }

    /// What was asked, if this is an answer that waits.
    fn answered(&mut self, from: Member, request: RequestId) -> Option<Missing> {
        let other = self
            .catch_up
            .other
            .take_if(|question| question.request == request && question.peer == from.node);
        if let Some(question) = other {
            return Some(Missing::Other(question.span));
        }
        let question = self.catch_up.ahead.answered(from.node, request)?;
        Some(Missing::Ahead(question.span))
    }

    /// Whether the replica has learned meanwhile what it asked for: the answer is not to blame.
    fn is_overtaken(&self, answered: &Missing) -> bool {
        match answered {
            Missing::Ahead(span) => span.first <= self.commit,
            Missing::Other(_) => false,
        }
    }

    fn go_on(&mut self, useful: bool) {
        if useful {
            self.ask_for_more();
        } else if self.missing().is_some() {
            self.try_another();
        }
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
