//! A ballot: who proposes, and who is overruled by whom.

use crate::{Incarnation, NodeId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A ballot number. Ordered by round, then node, then incarnation, so that no two proposers ever
/// share one: a node is in its own ballots, and each of its starts too.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub struct Ballot {
    /// Raised above everything seen by whoever wants to lead.
    pub round: u64,
    /// The proposer.
    pub node: NodeId,
    /// The start of the proposer.
    pub incarnation: Incarnation,
}

impl Ballot {
    /// Lower than every ballot of a proposer.
    pub const ZERO: Self = Self {
        round: 0,
        node: NodeId(0),
        incarnation: Incarnation(0),
    };

    /// Not below any ballot.
    pub const MAX: Self = Self {
        round: u64::MAX,
        node: NodeId(u64::MAX),
        incarnation: Incarnation(u64::MAX),
    };

    /// The lowest ballot of `node` in this `incarnation` that is above `self`.
    pub fn above(self, node: NodeId, incarnation: Incarnation) -> Self {
        Self {
            round: self.round.saturating_add(1),
            node,
            incarnation,
        }
    }
}

impl fmt::Display for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.round, self.node, self.incarnation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ballot_above_another_is_higher_whoever_holds_it() {
        let high = Ballot {
            round: 4,
            node: NodeId(9),
            incarnation: Incarnation(9),
        };
        assert!(high.above(NodeId(0), Incarnation(0)) > high);
    }

    #[test]
    fn two_starts_of_one_node_never_share_a_ballot() {
        let first = Ballot::ZERO.above(NodeId(1), Incarnation(1));
        let second = Ballot::ZERO.above(NodeId(1), Incarnation(2));
        assert!(first < second);
    }
}
