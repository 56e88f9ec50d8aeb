//! What must be true of a replica after every step (the numbers are those of the protocol's description).

use crate::{Position, Replica, Violation};

impl Replica {
    /// What is not true and must be, if anything. Debug builds ask after every step, simulations too.
    pub(crate) fn check(&self) -> Option<Violation> {
        #[cfg(feature = "sim")]
        if self.flaw.is_some() {
            return None; // planted bugs are for the simulator's checkers to find
        }
        let newest = self
            .window
            .from(Position::ZERO)
            .max_by_key(|(_, entry)| entry.ballot);
        // I2: accepting is promising.
        if let Some((position, entry)) = newest.filter(|(_, entry)| entry.ballot > self.promised) {
            return Some(Violation::AcceptedWithoutPromise {
                position,
                ballot: entry.ballot,
            });
        }
        // I6: what is truncated was chosen.
        if self.begin > self.commit.next() {
            return Some(Violation::BeginPastCommit {
                begin: self.begin,
                commit: self.commit,
            });
        }
        // The end of the log in memory joins what is chosen.
        if self.window.first() > self.commit.next() {
            return Some(Violation::Lost {
                position: self.commit.next(),
            });
        }
        // I7: who votes knows with whom.
        let position = self.commit.next();
        if self.votes() && self.configs.at(self.begin).is_none() {
            return Some(Violation::NoConfig { position });
        }
        None
    }
}
