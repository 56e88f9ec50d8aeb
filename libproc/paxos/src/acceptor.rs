//! The acceptor: what is promised and what is accepted. It serves whoever has the highest ballot.

use crate::{
    Action, Ballot, Entry, Member, Message, Position, Record, Replica, Space, Span, Violation,
    replica::{Effect, Role},
};

/// What an acceptor says in phase 1.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Promise {
    /// What it knows to be chosen.
    pub(crate) commit: Position,
    /// What it accepted from the candidate's position on.
    pub(crate) entries: Vec<(Position, Entry)>,
    /// What it cannot speak for.
    pub(crate) damaged: Vec<Span>,
}

impl Replica {
    /// Phase 1, asked by `from`.
    pub(crate) fn prepare(&mut self, from: Member, ballot: Ballot, first: Position) {
        if !self.votes() {
            return self.ignore(from, ballot);
        }
        if ballot < self.promised {
            let promised = self.promised;
            return self.answer(from.node, Message::Rejected { ballot, promised });
        }
        // Whatever keeps it from promising: if it stands itself, then above this.
        self.overheard = self.overheard.max(ballot);
        if !self.can_tell_from(first) && self.is_damaged(first) {
            return self.answer(from.node, Message::Failed { ballot }); // nor could it be fetched here
        }
        if !self.can_tell_from(first) {
            return self.answer(
                from.node,
                Message::Behind {
                    ballot,
                    commit: self.commit,
                },
            );
        }
        if self.space == Space::Full && ballot > self.promised {
            return self.answer(from.node, Message::Failed { ballot });
        }
        self.raise(ballot);
        let Promise {
            commit,
            entries,
            damaged,
        } = self.promise_from(first);
        self.answer(
            from.node,
            Message::Promised {
                ballot,
                commit,
                entries,
                damaged,
            },
        );
    }

    /// What it has from `first` on.
    pub(crate) fn promise_from(&self, first: Position) -> Promise {
        let entries = self
            .window
            .from(first)
            .map(|(at, entry)| (at, entry.clone()))
            .collect();
        let spans = self.damage.spans.iter().filter(|span| span.last >= first);
        Promise {
            commit: self.commit,
            entries,
            damaged: spans.copied().collect(),
        }
    }

    /// Whether everything from `first` on is in memory and fits into a message. What is not chosen
    /// always does (see [`room_for`](Self::room_for)), so a candidate that catches up will be told.
    fn can_tell_from(&self, first: Position) -> bool {
        let options = &self.setup.options;
        let limit = options.ahead_bytes.saturating_add(options.append_bytes);
        first >= self.window.first()
            && (self.window.bytes() <= limit || self.bytes_from(first) <= limit)
    }

    fn bytes_from(&self, first: Position) -> usize {
        self.window
            .from(first)
            .map(|(_, entry)| entry.action.weight())
            .sum()
    }

    /// Whether an entry may be accepted at `position`, so far past what is known to be chosen.
    fn room_for(&self, position: Position) -> bool {
        let options = &self.setup.options;
        let next = self.commit.next();
        if position <= next || self.window.bytes() <= options.ahead_bytes {
            return position.since(next) < options.ahead;
        }
        let before = self.window.from(next).take_while(|(at, _)| *at < position);
        let bytes: usize = before.map(|(_, entry)| entry.action.weight()).sum();
        position.since(next) < options.ahead && bytes <= options.ahead_bytes
    }

    /// Phase 2, asked by `from`. Accepting is promising.
    pub(crate) fn accept(
        &mut self,
        from: Member,
        ballot: Ballot,
        first: Position,
        actions: Vec<Action>,
        commit: Position,
    ) {
        if !self.votes() {
            self.hear_of(from.node, commit);
            return self.ignore(from, ballot);
        }
        if ballot < self.promised {
            let promised = self.promised;
            return self.answer(from.node, Message::Rejected { ballot, promised });
        }
        if self.space == Space::Full {
            return self.answer(from.node, Message::Failed { ballot });
        }
        self.follow(from, ballot);
        let mut last = first.previous();
        for action in actions {
            if !self.room_for(last.next()) {
                break;
            }
            last = last.next();
            self.accept_one(last, Entry { ballot, action });
        }
        self.learn_up_to(from.node, ballot, commit);
        if last >= first {
            let (commit, begin) = (self.commit, self.begin);
            self.answer(
                from.node,
                Message::Accepted {
                    ballot,
                    first,
                    last,
                    commit,
                    begin,
                },
            );
        }
    }

    /// Accepts at one position, unless it is known to be chosen or was accepted before.
    pub(crate) fn accept_one(&mut self, position: Position, entry: Entry) {
        if position <= self.commit {
            return; // chosen: whatever a higher ballot proposes there is the same
        }
        if let Some(old) = self.window.get(position) {
            if old.ballot == entry.ballot && old.action == entry.action {
                return;
            }
            if old.ballot >= entry.ballot {
                return self.halt(Violation::TwoValuesOfOneBallot {
                    position,
                    ballot: entry.ballot,
                });
            }
        }
        self.write_entry(position, entry);
    }

    /// Remembers an entry, and that its ballot is promised.
    pub(crate) fn write_entry(&mut self, position: Position, entry: Entry) {
        #[cfg(feature = "sim")]
        let raise = self.flaw != Some(crate::flaw::Flaw::AcceptWithoutPromise);
        #[cfg(not(feature = "sim"))]
        let raise = true;
        if raise {
            self.promised = self.promised.max(entry.ballot);
        }
        self.window.set(position, entry.clone());
        self.persist(Record::Accepted { position, entry });
        self.repaired(position);
    }

    /// Raises the promise to `ballot` if it is lower.
    pub(crate) fn raise(&mut self, ballot: Ballot) {
        if ballot > self.promised {
            self.promised = ballot;
            self.persist(Record::Promised(ballot));
            self.overruled(ballot);
        }
    }

    /// `ballot`, not its own, leads: whatever it did under another is over.
    pub(crate) fn follow(&mut self, from: Member, ballot: Ballot) {
        self.heard = self.now;
        #[cfg(feature = "sim")]
        if self.flaw == Some(crate::flaw::Flaw::AcceptWithoutPromise) {
            return self.become_follower(Some(from.node));
        }
        self.raise(ballot);
        self.become_follower(Some(from.node));
    }

    pub(crate) fn ignore(&mut self, from: Member, ballot: Ballot) {
        let (status, commit) = (self.status(), self.held());
        self.answer(
            from.node,
            Message::Ignored {
                ballot,
                status,
                commit,
            },
        );
    }

    /// Promised `ballot` to another: a proposer with a lower one is finished.
    fn overruled(&mut self, ballot: Ballot) {
        let mine = match &self.role {
            Role::Follower { .. } | Role::Canvassing(_) => return,
            Role::Preparing(campaign) => campaign.ballot,
            Role::Leading(leader) => leader.ballot,
        };
        if mine < ballot {
            self.become_follower(None);
        }
    }

    /// Its own vote in phase 2, when it is durable.
    pub(crate) fn vote_myself(&mut self, ballot: Ballot, first: Position, last: Position) {
        self.after.hold(Effect::Accepted {
            ballot,
            first,
            last,
        });
    }
}
