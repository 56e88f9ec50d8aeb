//! What each user uses, and whose turn it is.

use std::collections::BTreeMap;

use types::Resources;

/// What each user's runs use, by the amounts that are shared.
#[derive(Debug, Default)]
pub(super) struct Shares(BTreeMap<String, Amounts>);

/// Thousandths of cpus, MiB and gpus.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Amounts([u64; 3]);

impl Amounts {
    pub(super) fn of(resources: &Resources) -> Amounts {
        Amounts([
            resources.total_cpus().thousandths(),
            resources.total_mem_mib().thousandths(),
            resources.total_gpus().thousandths(),
        ])
    }

    pub(super) fn add(&mut self, other: Amounts) {
        self.0
            .iter_mut()
            .zip(other.0)
            .for_each(|(ours, more)| *ours = ours.saturating_add(more));
    }

    fn sub(&mut self, other: Amounts) {
        self.0
            .iter_mut()
            .zip(other.0)
            .for_each(|(ours, less)| *ours = ours.saturating_sub(less));
    }
}

impl Shares {
    /// A user uses more.
    pub(super) fn add(&mut self, user: &str, amounts: Amounts) {
        match self.0.get_mut(user) {
            Some(used) => used.add(amounts),
            None => drop(self.0.insert(user.to_owned(), amounts)),
        }
    }

    /// A user uses less.
    pub(super) fn sub(&mut self, user: &str, amounts: Amounts) {
        if let Some(used) = self.0.get_mut(user) {
            used.sub(amounts);
            if *used == Amounts::default() {
                self.0.remove(user);
            }
        }
    }

    /// The dominant share of a user in `total`, in parts per million.
    pub(super) fn share_ppm(&self, user: &str, total: Amounts) -> u64 {
        let used = self.0.get(user).copied().unwrap_or_default();
        let parts = used.0.iter().zip(total.0).map(|(used, total)| {
            let share = u128::from(*used) * 1_000_000 / u128::from(total.max(1));
            u64::try_from(share).unwrap_or(u64::MAX)
        });
        parts.max().unwrap_or(0)
    }
}
