//! The learner: what is known to be chosen, in order, and what follows from it.

use crate::{
    Action, Ballot, Base, Config, Entry, NodeId, Output, Position, Record, Replica, Status,
    Violation, replica::Effect,
};

impl Replica {
    /// The leader `source` says that under its `ballot` everything up to `commit` is chosen.
    pub(crate) fn learn_up_to(&mut self, source: NodeId, ballot: Ballot, commit: Position) {
        while self.commit < commit && self.halted.is_none() {
            let next = self.commit.next();
            let Some(entry) = self.window.get(next) else {
                break;
            };
            // What was accepted under another ballot may not be what this leader had chosen.
            #[cfg(feature = "sim")]
            let unchecked = self.flaw == Some(crate::flaw::Flaw::LearnUnchecked);
            #[cfg(not(feature = "sim"))]
            let unchecked = false;
            if entry.ballot != ballot && !unchecked {
                break;
            }
            let action = entry.action.clone();
            self.choose(next, action);
        }
        self.note_commit();
        if self.commit < commit {
            self.hear_of(source, commit);
        }
    }

    /// Another replica knows this to be chosen right after what we know.
    pub(crate) fn learn(&mut self, position: Position, entry: Entry) {
        debug_assert_eq!(position, self.commit.next(), "entries are learned in order");
        let action = entry.action.clone();
        match self.window.get(position) {
            Some(mine) if mine.action == entry.action && mine.ballot >= entry.ballot => {}
            Some(_) | None => self.write_entry(position, entry),
        }
        self.choose(position, action);
    }

    /// `action` is chosen at `position`, the next one.
    pub(crate) fn choose(&mut self, position: Position, action: Action) {
        if position != self.commit.next() {
            return self.halt(Violation::OutOfOrder {
                position,
                commit: self.commit,
            });
        }
        self.commit = position;
        match &action {
            Action::Nop | Action::Append(_) => {}
            Action::Truncate { to } => self.truncate_to((*to).min(position)),
            Action::Configure(config) => self.configured(position.next(), config.clone()),
        }
        self.out.push(Output::Chosen { position, action });
        self.forget_old();
    }

    /// Puts the commit on record, with whatever is written next to it.
    pub(crate) fn note_commit(&mut self) {
        if self.noted < self.commit {
            self.noted = self.commit;
            self.persist(Record::Committed(self.commit));
        }
    }

    fn truncate_to(&mut self, to: Position) {
        #[cfg(feature = "sim")]
        let to = match self.flaw {
            Some(crate::flaw::Flaw::TruncateOffByOne) => to.next(),
            _ => to,
        };
        if to <= self.begin {
            return;
        }
        let Some(config) = self.configs.at(to).cloned() else {
            return self.halt(Violation::NoConfig { position: to });
        };
        self.begin = to;
        self.configs.trim(to);
        self.note_commit();
        let base = Base {
            begin: to,
            config,
            snapshot: self.snapshot.clone(),
        };
        self.persist(Record::Base(base));
        self.window.drop_before(to.min(self.commit.next()));
        self.repaired_before(to);
        self.after.hold(Effect::Report(Output::Truncated(to)));
    }

    fn configured(&mut self, from: Position, config: Config) {
        self.configs.insert(from, config.clone());
        self.persist(Record::Configured {
            from,
            config: config.clone(),
        });
        self.membership_is(&config);
    }

    /// Whether it votes under `config`, which it has learned.
    pub(crate) fn membership_is(&mut self, config: &Config) {
        if self.status == Status::Recovering && config.has(self.me) {
            self.turn(Status::Voting);
        }
    }

    /// Begins at `base`, because what is before is gone everywhere or not worth having.
    pub(crate) fn install(&mut self, base: Base) {
        if base.begin <= self.commit.next() {
            return;
        }
        self.begin = base.begin;
        self.commit = base.begin.previous();
        self.noted = self.commit;
        self.configs.insert(base.begin, base.config.clone());
        self.configs.trim(base.begin);
        self.snapshot = base.snapshot.clone();
        self.window.drop_before(base.begin);
        self.persist(Record::Base(base.clone()));
        self.repaired_before(base.begin);
        self.out.push(Output::Install(base.clone()));
        self.after
            .hold(Effect::Report(Output::Truncated(base.begin)));
        self.membership_is(&base.config);
    }

    /// Lets go of what nobody is likely to ask for.
    fn forget_old(&mut self) {
        let options = &self.setup.options;
        let keep = Position(self.commit.0.saturating_sub(options.keep)).next();
        self.window.drop_before(keep);
        while self.window.bytes() > options.keep_bytes && self.window.first() <= self.commit {
            self.window.drop_before(self.window.first().next());
        }
    }
}
