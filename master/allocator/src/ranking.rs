//! Rankings: who comes next among those that compete, the one with the lowest share first.

use std::collections::BTreeSet;

use types::ResourceQuantities;

use crate::share::{Share, Totals, Weight};

/// Competitors in the order of their shares, then of the number of their allocations, then of
/// their names. Those that do not take part are not in it.
#[derive(Debug)]
pub(crate) struct Ranking<T>(BTreeSet<(Rank, T)>);

/// Where a competitor stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    share: Share,
    allocations: u64,
}

/// What a competitor has, and where it is listed.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// What it has, on all agents.
    pub(crate) allocated: ResourceQuantities,
    /// How often it was given something.
    pub(crate) allocations: u64,
    /// How much it counts.
    pub(crate) weight: Weight,
    /// The rank under which a ranking lists it, if one does.
    listed: Option<Rank>,
}

impl Standing {
    pub(crate) fn weighing(weight: Weight) -> Self {
        Self {
            weight,
            ..Self::default()
        }
    }

    /// Where it should be listed.
    pub(crate) fn rank(&self, totals: &Totals) -> Rank {
        let share = totals.dominant_share(&self.allocated, self.weight);
        Rank {
            share,
            allocations: self.allocations,
        }
    }
}

impl<T: Ord + Clone> Ranking<T> {
    /// Lists `who` under `rank`, or nowhere.
    pub(crate) fn list(&mut self, who: &T, standing: &mut Standing, rank: Option<Rank>) {
        if standing.listed == rank {
            return;
        }
        if let Some(old) = standing.listed {
            self.0.remove(&(old, who.clone()));
        }
        if let Some(rank) = rank {
            self.0.insert((rank, who.clone()));
        }
        standing.listed = rank;
    }

    /// Returns the competitors, the next one first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(_, who)| who)
    }
}

impl<T> Default for Ranking<T> {
    fn default() -> Self {
        Self(BTreeSet::new())
    }
}
