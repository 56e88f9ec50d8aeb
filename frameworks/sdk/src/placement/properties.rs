//! What placement promises, whatever is asked of it.

use std::collections::BTreeMap;

use proptest::prelude::*;
use types::{Attributes, Offer, Resources};

use super::*;
use crate::testing;

fn agent(number: usize, cpus: u8) -> Offer {
    let attributes: Attributes = format!("rack:r{}", number % 3).parse().unwrap();
    Offer {
        hostname: format!("host-{number}"),
        attributes,
        ..testing::offer(
            &format!("agent-{number}"),
            Resources::new().cpus(cpus.into()),
        )
    }
}

/// Places tasks of one processor until no more go anywhere; gives how many each value of a field
/// got.
fn fill(
    cpus: &[u8],
    constraints: &[Constraint],
    preference: Preference,
    most: usize,
    look: impl Fn(&Offer) -> String,
) -> BTreeMap<String, usize> {
    let need = Resources::new().cpus(1.0);
    let mut offers: Vec<_> = cpus
        .iter()
        .enumerate()
        .map(|(n, cpus)| agent(n, *cpus))
        .collect();
    let (mut fleet, mut groups) = (Fleet::default(), BTreeMap::new());
    while fleet.len() < most {
        let Ok(at) = fleet.place(&offers, &need, constraints, preference) else {
            break;
        };
        assert!(
            offers[at].resources.contains(&need),
            "what is chosen has room"
        );
        fleet.add(format!("task-{}", fleet.len()), &offers[at]);
        *groups.entry(look(&offers[at])).or_insert(0) += 1;
        offers[at].resources -= &need;
    }
    groups
}

fn host(offer: &Offer) -> String {
    offer.hostname.clone()
}

fn rack(offer: &Offer) -> String {
    offer.attributes.get("rack").unwrap().to_string()
}

fn constraint(text: &str) -> Vec<Constraint> {
    vec![text.parse().unwrap()]
}

fn any_cpus() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(0_u8..6, 1..12)
}

proptest! {
    #[test]
    fn unique_puts_one_on_each_host_with_room(cpus in any_cpus()) {
        let groups = fill(&cpus, &constraint("hostname:UNIQUE"), Preference::First, 100, host);
        prop_assert!(groups.values().all(|count| *count == 1));
        prop_assert_eq!(groups.len(), cpus.iter().filter(|cpus| **cpus > 0).count());
    }

    #[test]
    fn max_per_is_reached_where_there_is_room_and_never_passed(cpus in any_cpus(), most in 1_u8..5) {
        let groups = fill(&cpus, &constraint(&format!("hostname:MAX_PER:{most}")), Preference::First, 100, host);
        for (number, cpus) in cpus.iter().enumerate() {
            let got = groups.get(&format!("host-{number}")).copied().unwrap_or(0);
            prop_assert_eq!(got, usize::from((*cpus).min(most)));
        }
    }

    #[test]
    fn cluster_keeps_to_one_rack(cpus in any_cpus()) {
        let groups = fill(&cpus, &constraint("rack:CLUSTER"), Preference::First, 100, rack);
        prop_assert!(groups.len() <= 1);
    }

    #[test]
    fn groups_differ_by_one_at_most(cpus in proptest::collection::vec(1_u8..6, 3..12), most in 1_usize..30) {
        let groups = fill(&cpus, &constraint("rack:GROUP_BY:3"), Preference::First, most, rack);
        let most = groups.values().max().copied().unwrap_or(0);
        let least = if groups.len() < 3 { 0 } else { groups.values().min().copied().unwrap_or(0) };
        prop_assert!(most - least <= 1, "{groups:?}");
    }

    #[test]
    fn like_and_unlike_share_all_agents_between_them(cpus in any_cpus()) {
        let like = fill(&cpus, &constraint("rack:LIKE:r[01]"), Preference::First, 100, rack);
        let unlike = fill(&cpus, &constraint("rack:UNLIKE:r[01]"), Preference::First, 100, rack);
        prop_assert!(like.keys().all(|rack| rack != "r2"));
        prop_assert!(unlike.keys().all(|rack| rack == "r2"));
        let all: usize = cpus.iter().map(|cpus| usize::from(*cpus)).sum();
        prop_assert_eq!(like.values().chain(unlike.values()).sum::<usize>(), all);
    }

    #[test]
    fn spread_fills_evenly_and_pack_leaves_agents_empty(agents in 1_usize..8, tasks in 0_usize..24) {
        let cpus = vec![3_u8; agents];
        let spread = fill(&cpus, &[], Preference::Spread, tasks, host);
        let most = spread.values().max().copied().unwrap_or(0);
        let least = if spread.len() < agents { 0 } else { spread.values().min().copied().unwrap_or(0) };
        prop_assert!(most - least <= 1, "{spread:?}");
        let pack = fill(&cpus, &[], Preference::Pack, tasks, host);
        prop_assert_eq!(pack.len(), tasks.min(agents * 3).div_ceil(3));
    }

    #[test]
    fn what_goes_nowhere_is_told_what_stands_in_the_way(cpus in any_cpus()) {
        let offers: Vec<_> = cpus.iter().enumerate().map(|(n, cpus)| agent(n, *cpus)).collect();
        let fleet = Fleet::default();
        let huge = Resources::new().cpus(100.0);
        let unplaced = fleet.place(&offers, &huge, &[], Preference::First);
        prop_assert_eq!(unplaced, Err(Unplaced::Resources("cpus:100".to_owned())));
        let nowhere = constraint("rack:IS:nowhere");
        let need = Resources::new().cpus(0.0).mem_mib(0);
        let unplaced = fleet.place(&offers, &need, &nowhere, Preference::First);
        prop_assert_eq!(unplaced, Err(Unplaced::Constraint(nowhere[0].clone())));
        prop_assert_eq!(fleet.place(&[], &huge, &[], Preference::First), Err(Unplaced::NoOffers));
    }
}
