//! Damage: a replica that lost what it had accepted does not speak for these positions, until a
//! quorum has told it what is there (*protocol-aware recovery*, Alagappan et al., FAST 2018).
//!
//! It still promises and accepts: the promise it remembers, and what it accepts is newer than what it
//! lost. But a candidate counts its promise only for the positions it can speak for. A position is
//! repaired when something is accepted there again, when what was chosen there is
//! fetched, when it is truncated, or when a leader knows that nothing was chosen there.

use crate::{
    Ballot, Damage, Life, Output, Position, Record, Replica, Span, Status, replica::Effect,
};

impl Replica {
    /// At the start: what the storage told, or a record of what it told before.
    pub(crate) fn begin_with_damage(&mut self, forgot: bool) {
        if forgot {
            return self.forget(self.me.life);
        }
        #[cfg(feature = "sim")]
        if self.flaw == Some(crate::flaw::Flaw::Amnesia) {
            self.damage = crate::Damaged::default();
        }
        self.damage.spans.retain(|span| span.last >= self.begin);
        self.forgive_unvoted();
        if self.damage.spans.is_empty() {
            return;
        }
        if self.damage.ballot == Ballot::MAX {
            self.damage.ballot = self.promised;
        }
        normalise(&mut self.damage.spans);
        self.lose_entries();
        self.persist(Record::Damaged(self.damage.clone()));
    }

    /// While running.
    pub(crate) fn damaged(&mut self, damage: Damage) {
        match damage {
            Damage::Promise => {
                self.become_follower(None);
                self.forget(self.me.life);
            }
            Damage::Entries(spans) => {
                self.become_follower(None);
                self.damage.spans.extend(spans);
                self.forgive_unvoted();
                self.damage
                    .spans
                    .retain(|span| span.last >= self.begin && span.first <= span.last);
                normalise(&mut self.damage.spans);
                self.damage.ballot = self.damage.ballot.max(self.promised);
                self.lose_entries();
                self.persist(Record::Damaged(self.damage.clone()));
                self.out.push(Output::StatusIs(self.status()));
                self.ask_for_more();
            }
        }
    }

    /// The promise of `former` is lost: what follows is another life, whose vote nobody counted yet. What is known
    /// to be chosen stays.
    pub(crate) fn forget(&mut self, former: Life) {
        self.starting = None; // even if no record says that it began: there was something to lose
        self.me.life = Life(former.0.saturating_add(1).max(self.incarnation.0));
        self.status = Status::Recovering;
        self.window.drop_after(self.commit);
        self.promised = Ballot::ZERO;
        self.forgive_unvoted();
        self.persist_status();
        self.persist(Record::Damaged(self.damage.clone()));
        self.out.push(Output::StatusIs(self.status));
    }

    /// In a life without a vote nothing was accepted that anybody counts: only what is chosen is missed.
    fn forgive_unvoted(&mut self) {
        if self.votes() {
            return;
        }
        self.damage.spans.retain(|span| span.first <= self.commit);
        for span in &mut self.damage.spans {
            span.last = span.last.min(self.commit);
        }
    }

    fn lose_entries(&mut self) {
        for span in &self.damage.spans {
            let mut position = span.first.max(self.window.first());
            while position <= span.last.min(self.window.last()) {
                self.window.lose(position);
                position = position.next();
            }
        }
    }

    /// Up to where it holds everything that is chosen.
    pub(crate) fn held(&self) -> Position {
        let lost = self
            .damage
            .spans
            .first()
            .map_or(Position::MAX, |span| span.first);
        self.commit.min(lost.previous())
    }

    pub(crate) fn is_damaged(&self, position: Position) -> bool {
        self.damage.spans.iter().any(|span| span.has(position))
    }

    /// Something is at `position` again.
    pub(crate) fn repaired(&mut self, position: Position) {
        let Some(index) = self.damage.spans.iter().position(|span| span.has(position)) else {
            return;
        };
        let Span { first, last } = self.damage.spans[index];
        let left = Span::new(first, position.previous());
        let right = Span::new(position.next(), last);
        let rest = [left, right]
            .into_iter()
            .filter(|span| span.first <= span.last);
        self.damage.spans.splice(index..=index, rest);
        self.damage_changed();
    }

    /// Nobody needs what is before `begin`.
    pub(crate) fn repaired_before(&mut self, begin: Position) {
        if self.damage.spans.iter().all(|span| span.first >= begin) {
            return;
        }
        self.damage.spans.retain(|span| span.last >= begin);
        for span in &mut self.damage.spans {
            span.first = span.first.max(begin);
        }
        self.damage_changed();
    }

    pub(crate) fn damage_changed(&mut self) {
        self.persist(Record::Damaged(self.damage.clone()));
        if self.damage.spans.is_empty() {
            self.damage.ballot = Ballot::ZERO;
            self.after
                .hold(Effect::Report(Output::StatusIs(self.status())));
        }
    }
}

/// Sorts and joins.
fn normalise(spans: &mut Vec<Span>) {
    spans.sort_unstable();
    let mut joined: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans.drain(..) {
        match joined.last_mut() {
            Some(last) if span.first <= last.last.next() => last.last = last.last.max(span.last),
            Some(_) | None => joined.push(span),
        }
    }
    *spans = joined;
}
