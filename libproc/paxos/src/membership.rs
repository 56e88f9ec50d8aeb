//! Who votes: configurations, quorums, and how one follows another.
//!
//! # The rule
//! A configuration is an entry of the log. An entry [`Action::Configure`](crate::Action::Configure)
//! at position *s* governs the positions after *s*, until the next. So the configuration of a
//! position is a function of the entries before it, and
//!
//! 1. a leader proposes nothing after *s* before *s* is chosen (it drains its window);
//! 2. entries are learned in order: *p* is known to be chosen only by who knows all before *p*;
//! 3. a leader that **re-proposed** *s* (found it in phase 1) goes through phase 1 again, with a
//!    higher ballot, among the members of the new configuration, before it proposes after *s*;
//!    one that proposed *s* itself goes on with its ballot;
//! 4. votes are of a [`Member`]: a node *in one life*. A replica that forgot what it promised has
//!    another life, is not in any configuration, and comes back by being configured.
//!
//! # Why it is safe
//! *Claim: if leader n learns v at p, every leader k > n that proposes at p proposes v.* By
//! induction over positions, then over ballots. Let the claim hold below p. Then all leaders above n
//! that reach p agree on the entries before p, hence on the configuration C of p, and k has
//! had phase 1 in C for p: either directly, or, by 3, because it proposed the last `Configure`
//! before p itself. In the first case its phase 1 quorum meets n's accepting quorum (q1 + q2 > |C|)
//! in a member that accepted v at p under n before it promised k, and reports it or something under
//! a ballot between n and k, which by induction over ballots is v as well; the highest reported wins.
//! In the second case, let s < p be that entry, proposed afresh by k. It was not in k's phase 1 in
//! the configuration of s, so no ballot below k had chosen anything at s, or ever can; thus by
//! 1 and 2 no leader below k ever learned anything after s. Then n < k cannot have learned v at p. ∎
//!
//! A life that ended is a member that crashed for good, whatever still arrives from it was true when
//! it was said; by 4 its successor is another member. So forgetting is a crash and a join, and needs no
//! further argument. Consecutive configurations need not overlap: any number of members may change
//! at once.
//!
//! # Why nothing is lost
//! Before it proposes a `Configure` the leader waits until an accepting quorum of the *new* members
//! holds every entry before it durably, and it reports the change as done only when
//! an accepting quorum of them holds the entry itself. From then on the old members may go.

use crate::{Epoch, Life, NodeId, Position, options::MEMBERS_MAX};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A replica in one of its lives: whose votes count.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Member {
    /// The replica.
    pub node: NodeId,
    /// Its memory.
    pub life: Life,
}

/// Who votes, and how many votes it takes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct Config {
    epoch: Epoch,
    members: Vec<Member>,
    electing: usize,
    accepting: usize,
}

#[derive(Serialize, Deserialize)]
struct Parts {
    epoch: Epoch,
    members: Vec<Member>,
    electing: usize,
    accepting: usize,
}

/// How many votes an election and an entry take. Every electing quorum must meet every accepting
/// one (Howard, Malkhi, Spiegelman: *Flexible Paxos*, 2016); two of a kind need not meet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Quorums {
    /// More than half for both, whatever the number of members.
    Majority,
    /// Given numbers.
    Of {
        /// Promises to lead.
        electing: usize,
        /// Votes for an entry.
        accepting: usize,
    },
}

/// Why a configuration cannot be.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// It has no members or too many.
    #[error("a log needs 1 to {MEMBERS_MAX} replicas, not {0}")]
    Size(usize),
    /// A node is in it twice.
    #[error("replica {0} is in the configuration twice")]
    Twice(NodeId),
    /// An election might miss what was accepted.
    #[error(
        "quorums of {electing} to elect and {accepting} to accept do not always meet among {members} replicas"
    )]
    Quorums {
        /// Promises to lead.
        electing: usize,
        /// Votes for an entry.
        accepting: usize,
        /// Replicas.
        members: usize,
    },
    /// The node to remove or replace is not a member.
    #[error("replica {0} is not a member")]
    NotMember(NodeId),
    /// The node to add is a member already.
    #[error("replica {0} is a member already")]
    Already(NodeId),
}

/// A change of the members.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Change {
    /// Another replica votes. It must run, and have caught up.
    Add(NodeId),
    /// A replica votes no longer.
    Remove(NodeId),
    /// One takes the place of another.
    Replace {
        /// Who goes.
        old: NodeId,
        /// Who comes. It must run, and have caught up.
        new: NodeId,
    },
    /// Other sizes of the quorums.
    Quorums(Quorums),
}

impl Change {
    /// Who would come.
    pub fn comes(self) -> Option<NodeId> {
        match self {
            Change::Add(node) | Change::Replace { new: node, .. } => Some(node),
            Change::Remove(_) | Change::Quorums(_) => None,
        }
    }
}

impl Config {
    /// The first configuration of a log.
    ///
    /// # Errors
    /// If the members or quorums cannot be.
    pub fn new(
        members: impl IntoIterator<Item = Member>,
        quorums: Quorums,
    ) -> Result<Self, ConfigError> {
        Self::with_epoch(Epoch(1), members.into_iter().collect(), quorums)
    }

    fn with_epoch(
        epoch: Epoch,
        mut members: Vec<Member>,
        quorums: Quorums,
    ) -> Result<Self, ConfigError> {
        members.sort_unstable();
        let size = members.len();
        if size == 0 || size > MEMBERS_MAX {
            return Err(ConfigError::Size(size));
        }
        if let Some(pair) = members.windows(2).find(|pair| pair[0].node == pair[1].node) {
            return Err(ConfigError::Twice(pair[0].node));
        }
        let (electing, accepting) = match quorums {
            Quorums::Majority => (size / 2 + 1, size / 2 + 1),
            Quorums::Of {
                electing,
                accepting,
            } => (electing, accepting),
        };
        let possible = 1..=size;
        let meet = electing.saturating_add(accepting) > size;
        if !possible.contains(&electing) || !possible.contains(&accepting) || !meet {
            return Err(ConfigError::Quorums {
                electing,
                accepting,
                members: size,
            });
        }
        Ok(Self {
            epoch,
            members,
            electing,
            accepting,
        })
    }

    /// Its number.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Who votes, in order of their nodes.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Promises it takes to lead.
    pub fn electing(&self) -> usize {
        self.electing
    }

    /// Votes it takes to choose an entry.
    pub fn accepting(&self) -> usize {
        self.accepting
    }

    /// The life in which `node` votes.
    pub fn life(&self, node: NodeId) -> Option<Life> {
        let index = self
            .members
            .binary_search_by_key(&node, |member| member.node)
            .ok()?;
        Some(self.members[index].life)
    }

    /// Whether `member` votes.
    pub fn has(&self, member: Member) -> bool {
        self.index(member).is_some()
    }

    /// Where `member` is in [`members`](Self::members).
    pub(crate) fn index(&self, member: Member) -> Option<usize> {
        self.members.iter().position(|other| *other == member)
    }

    /// The configuration after `change`; `life` is that of whoever comes.
    ///
    /// # Errors
    /// If it cannot be.
    pub fn change(&self, change: Change, life: Life) -> Result<Self, ConfigError> {
        let mut members = self.members.clone();
        let mut quorums = self.quorums();
        match change {
            Change::Add(node) => self.add(&mut members, Member { node, life })?,
            Change::Remove(node) => self.remove(&mut members, node)?,
            Change::Replace { old, new } => {
                self.remove(&mut members, old)?;
                self.add(&mut members, Member { node: new, life })?;
            }
            Change::Quorums(wanted) => quorums = wanted,
        }
        Self::with_epoch(Epoch(self.epoch.0 + 1), members, quorums)
    }

    /// The configuration in which `member`, who forgot its former life, votes again.
    pub(crate) fn reborn(&self, member: Member) -> Result<Self, ConfigError> {
        let mut members = self.members.clone();
        members.retain(|other| other.node != member.node);
        if members.len() == self.members.len() {
            return Err(ConfigError::NotMember(member.node));
        }
        members.push(member);
        Self::with_epoch(Epoch(self.epoch.0 + 1), members, self.quorums())
    }

    fn quorums(&self) -> Quorums {
        let majority = self.members.len() / 2 + 1;
        if (self.electing, self.accepting) == (majority, majority) {
            return Quorums::Majority;
        }
        Quorums::Of {
            electing: self.electing,
            accepting: self.accepting,
        }
    }

    fn add(&self, members: &mut Vec<Member>, member: Member) -> Result<(), ConfigError> {
        if self.life(member.node).is_some() {
            return Err(ConfigError::Already(member.node));
        }
        members.push(member);
        Ok(())
    }

    fn remove(&self, members: &mut Vec<Member>, node: NodeId) -> Result<(), ConfigError> {
        if self.life(node).is_none() {
            return Err(ConfigError::NotMember(node));
        }
        members.retain(|member| member.node != node);
        Ok(())
    }
}

impl TryFrom<Parts> for Config {
    type Error = ConfigError;

    fn try_from(parts: Parts) -> Result<Self, ConfigError> {
        let Parts {
            epoch,
            members,
            electing,
            accepting,
        } = parts;
        Self::with_epoch(
            epoch,
            members,
            Quorums::Of {
                electing,
                accepting,
            },
        )
    }
}

impl From<Config> for Parts {
    fn from(config: Config) -> Self {
        let Config {
            epoch,
            members,
            electing,
            accepting,
        } = config;
        Self {
            epoch,
            members,
            electing,
            accepting,
        }
    }
}

/// The configurations of the positions that are kept, by the first position each governs.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Configs(BTreeMap<Position, Config>);

impl Configs {
    /// `config` governs from `position` on.
    pub(crate) fn insert(&mut self, position: Position, config: Config) {
        self.0.insert(position, config);
    }

    /// The configuration of `position`.
    pub fn at(&self, position: Position) -> Option<&Config> {
        self.0
            .range(..=position)
            .next_back()
            .map(|(_, config)| config)
    }

    /// The last.
    pub fn latest(&self) -> Option<&Config> {
        self.0.values().next_back()
    }

    /// Forgets what governs only positions before `begin`.
    pub(crate) fn trim(&mut self, begin: Position) {
        let Some((&first, _)) = self.0.range(..=begin).next_back() else {
            return;
        };
        self.0 = self.0.split_off(&first);
    }

    /// Each, with the first position it governs.
    pub fn iter(&self) -> impl Iterator<Item = (Position, &Config)> {
        self.0.iter().map(|(position, config)| (*position, config))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(nodes: impl IntoIterator<Item = u64>) -> Vec<Member> {
        nodes
            .into_iter()
            .map(|node| Member {
                node: NodeId(node),
                life: Life(1),
            })
            .collect()
    }

    #[test]
    fn quorums_that_do_not_meet_are_refused() {
        let quorums = Quorums::Of {
            electing: 2,
            accepting: 3,
        };
        assert_eq!(
            Config::new(members(1..=5), quorums),
            Err(ConfigError::Quorums {
                electing: 2,
                accepting: 3,
                members: 5
            })
        );
        assert!(
            Config::new(
                members(1..=5),
                Quorums::Of {
                    electing: 4,
                    accepting: 2
                }
            )
            .is_ok()
        );
    }

    #[test]
    fn a_configuration_has_each_node_once() {
        let twice = members([1, 2, 1]);
        assert_eq!(
            Config::new(twice, Quorums::Majority),
            Err(ConfigError::Twice(NodeId(1)))
        );
    }

    #[test]
    fn majorities_stay_majorities_when_members_come_and_go() {
        let three = Config::new(members(1..=3), Quorums::Majority).unwrap();
        let four = three.change(Change::Add(NodeId(4)), Life(7)).unwrap();
        assert_eq!(
            (four.electing(), four.accepting(), four.epoch()),
            (3, 3, Epoch(2))
        );
        assert_eq!(four.life(NodeId(4)), Some(Life(7)));
        let three = four.change(Change::Remove(NodeId(1)), Life(0)).unwrap();
        assert_eq!((three.electing(), three.members().len()), (2, 3));
    }

    #[test]
    fn the_configuration_of_a_position_is_the_last_before_it() {
        let mut configs = Configs::default();
        let first = Config::new(members(1..=3), Quorums::Majority).unwrap();
        let second = first.change(Change::Remove(NodeId(3)), Life(0)).unwrap();
        configs.insert(Position(1), first.clone());
        configs.insert(Position(8), second.clone());
        assert_eq!(configs.at(Position(7)), Some(&first));
        assert_eq!(configs.at(Position(8)), Some(&second));
        configs.trim(Position(7));
        assert_eq!(configs.at(Position(7)), Some(&first));
        configs.trim(Position(9));
        assert_eq!(configs.iter().count(), 1);
    }
}
