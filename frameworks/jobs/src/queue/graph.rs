//! The order of jobs that are submitted together and depend on each other: pure.

use std::collections::{BTreeMap, BTreeSet};

/// The jobs, by their places, such that each comes after all it depends on; jobs that need not wait
/// for each other stay in the order they were given.
///
/// # Errors
/// A cycle, as the places along it.
pub(super) fn sorted(after: &[BTreeSet<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    let mut waits: Vec<usize> = after.iter().map(BTreeSet::len).collect();
    let mut dependents: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (place, before) in after.iter().enumerate() {
        for other in before {
            dependents.entry(*other).or_default().push(place);
        }
    }
    let free = waits.iter().enumerate().filter(|(_, waits)| **waits == 0);
    let mut free: BTreeSet<usize> = free.map(|(place, _)| place).collect();
    let mut order = Vec::with_capacity(after.len());
    while let Some(place) = free.pop_first() {
        order.push(place);
        for dependent in dependents.get(&place).into_iter().flatten() {
            waits[*dependent] -= 1;
            if waits[*dependent] == 0 {
                free.insert(*dependent);
            }
        }
    }
    match order.len() == after.len() {
        true => Ok(order),
        false => Err(cycle(after, &waits)),
    }
}

/// Some cycle among the jobs that still wait: each of them waits for another one that does.
fn cycle(after: &[BTreeSet<usize>], waits: &[usize]) -> Vec<usize> {
    let waiting = |place: &&usize| waits[**place] > 0;
    let (mut path, mut at) = (Vec::new(), waits.iter().position(|waits| *waits > 0));
    while let Some(place) = at {
        if let Some(begin) = path.iter().position(|before| *before == place) {
            return path.split_off(begin);
        }
        path.push(place);
        at = after[place].iter().find(waiting).copied();
    }
    path
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn graph() -> impl Strategy<Value = Vec<BTreeSet<usize>>> {
        (1_usize..12).prop_flat_map(|count| {
            let before = proptest::collection::btree_set(0..count, 0..3);
            proptest::collection::vec(before, count)
        })
    }

    proptest! {
        #[test]
        fn what_is_sorted_comes_after_what_it_depends_on_and_what_is_not_has_a_cycle(after in graph()) {
            match sorted(&after) {
                Ok(order) => {
                    let place = |job: usize| order.iter().position(|other| *other == job).unwrap();
                    prop_assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), after.len());
                    for (job, before) in after.iter().enumerate() {
                        prop_assert!(before.iter().all(|other| place(*other) < place(job)));
                    }
                }
                Err(cycle) => {
                    prop_assert!(!cycle.is_empty());
                    for (step, job) in cycle.iter().enumerate() {
                        let next = cycle[(step + 1) % cycle.len()];
                        prop_assert!(after[*job].contains(&next), "{cycle:?} is no cycle");
                    }
                }
            }
        }
    }

    #[test]
    fn independent_jobs_stay_in_order() {
        assert_eq!(sorted(&vec![BTreeSet::new(); 3]), Ok(vec![0, 1, 2]));
        let diamond = [
            BTreeSet::from([3]),
            BTreeSet::from([0]),
            BTreeSet::from([0, 1]),
            BTreeSet::new(),
        ];
        assert_eq!(sorted(&diamond), Ok(vec![3, 0, 1, 2]));
        assert_eq!(sorted(&[BTreeSet::from([0])]), Err(vec![0]));
    }
}
