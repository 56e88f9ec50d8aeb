//! The laws of resources.

use proptest::collection::vec;
use proptest::prelude::*;
use types::{
    DiskInfo, Operation, Persistence, Range, Ranges, Reservation, Resource, ResourceName,
    ResourceQuantities, Resources, Role, Scalar, Set, Value,
};

fn name() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just("cpus"),
        Just("mem"),
        Just("disk"),
        Just("gpus"),
        Just("ports"),
        Just("disks")
    ]
}

fn value(name: &str) -> BoxedStrategy<Value> {
    match name {
        "ports" => vec((0u64..40, 0u64..4), 0..5)
            .prop_map(|pairs| {
                let ranges = pairs.into_iter().map(|(begin, n)| Range {
                    begin,
                    end: begin + n,
                });
                Value::Ranges(Ranges::try_from(ranges.collect::<Vec<_>>()).unwrap())
            })
            .boxed(),
        "disks" => vec("[a-d]", 0..4)
            .prop_map(|words| Value::Set(Set::try_from(words).unwrap()))
            .boxed(),
        "gpus" => (0u64..4)
            .prop_map(|units| Value::Scalar(Scalar::from_units(units)))
            .boxed(),
        _ => (0u64..9_000)
            .prop_map(|t| Value::Scalar(Scalar::from_thousandths(t)))
            .boxed(),
    }
}

fn reservations() -> impl Strategy<Value = Vec<Reservation>> {
    let role = |text: &str| Role::new(text).unwrap();
    prop_oneof![
        3 => Just(vec![]),
        1 => Just(vec![Reservation::fixed(role("a"))]),
        1 => Just(vec![Reservation::dynamic(role("a"), Some("ops".into()))]),
        1 => Just(vec![Reservation::fixed(role("a")), Reservation::dynamic(role("a/b"), None)]),
    ]
}

fn plain() -> impl Strategy<Value = Resource> {
    (name(), reservations()).prop_flat_map(|(name, reservations)| {
        value(name).prop_map(move |value| Resource {
            reservations: reservations.clone(),
            ..Resource::new(ResourceName::new(name).unwrap(), value)
        })
    })
}

fn volume() -> impl Strategy<Value = Resource> {
    ("[u-w]", any::<bool>()).prop_map(|(id, shared)| {
        let persistence = Some(Persistence {
            id,
            principal: None,
        });
        Resource {
            disk: Some(Box::new(DiskInfo {
                persistence,
                ..DiskInfo::default()
            })),
            reservations: vec![Reservation::dynamic(Role::new("a").unwrap(), None)],
            shared,
            ..Resource::scalar(ResourceName::DISK, Scalar::from_units(3))
        }
    })
}

fn plains() -> impl Strategy<Value = Resources> {
    vec(plain(), 0..8).prop_map(|list| Resources::try_from(list).unwrap())
}

fn resources() -> impl Strategy<Value = Resources> {
    vec(prop_oneof![5 => plain(), 1 => volume()], 0..8)
        .prop_map(|list| Resources::try_from(list).unwrap())
}

/// Ranges and sets have each member once, so a sum forgets what both sides had.
fn apart(a: &Resources, b: &Resources) -> bool {
    let members = |r: &Resource| r.value.as_scalar().is_none();
    (a - b).filter(members) == a.filter(members)
}

proptest! {
    #[test]
    fn what_is_added_can_be_taken_away(a in resources(), b in resources()) {
        prop_assume!(apart(&a, &b));
        prop_assert_eq!(&(&a + &b) - &b, a);
    }

    #[test]
    fn the_order_of_adding_does_not_matter(a in resources(), b in resources(), c in resources()) {
        prop_assert_eq!(&a + &b, &b + &a);
        prop_assert_eq!(&(&a + &b) + &c, &a + &(&b + &c));
    }

    #[test]
    fn a_sum_contains_its_parts(a in resources(), b in resources()) {
        let sum = &a + &b;
        prop_assert!(sum.contains(&a));
        prop_assert!(sum.contains(&b));
        prop_assert!(sum.contains(&Resources::new()));
    }

    #[test]
    fn containing_each_other_is_being_equal(a in plains(), b in plains()) {
        prop_assert_eq!(a.contains(&b) && b.contains(&a), a == b);
    }

    #[test]
    fn what_is_contained_makes_the_whole_with_the_rest(a in resources(), b in resources()) {
        match a.checked_sub(&b) {
            Some(rest) => prop_assert_eq!(rest + &b, a),
            None => prop_assert!(!a.contains(&b)),
        }
    }

    #[test]
    fn a_difference_takes_no_more_than_is_there(a in resources(), b in resources()) {
        let difference = &a - &b;
        prop_assert!(a.contains(&difference));
        prop_assert!(difference.iter().all(|resource| !resource.value.is_empty()));
    }

    #[test]
    fn the_order_of_listing_does_not_matter(list in vec(plain(), 0..8)) {
        let forward = Resources::try_from(list.clone()).unwrap();
        let mut one_by_one = Resources::new();
        for resource in list.into_iter().rev() {
            one_by_one.insert(resource).unwrap();
        }
        prop_assert_eq!(forward, one_by_one);
    }

    #[test]
    fn the_text_of_plain_resources_reads_as_the_resources(a in plains()) {
        let text_only = |r: &Resource| match r.reservations.as_slice() {
            [] => true,
            [one] => *one == Reservation::fixed(one.role.clone()),
            _ => false,
        };
        let a = a.filter(text_only);
        prop_assert_eq!(a.to_string().parse::<Resources>().unwrap(), a);
    }

    #[test]
    fn the_json_of_resources_reads_as_the_resources(a in resources()) {
        prop_assert_eq!(Resources::from_json(&a.to_json().to_string()).unwrap(), a);
    }

    #[test]
    fn the_wire_gives_back_what_it_was_given(a in resources()) {
        let bytes = rmp_serde::to_vec_named(&a).unwrap();
        prop_assert_eq!(rmp_serde::from_slice::<Resources>(&bytes).unwrap(), a);
    }

    #[test]
    fn count_is_how_often_need_can_be_taken(a in plains(), need in plains()) {
        let (mut left, mut times) = (a.clone(), 0);
        while !need.is_empty() {
            let Some(rest) = left.checked_sub(&need) else { break };
            left = rest;
            times += 1;
            prop_assert!(times <= 9_000);
        }
        prop_assert_eq!(a.count(&need), times);
    }

    #[test]
    fn what_is_found_is_in_the_pool_and_enough(pool in plains(), need in plains()) {
        let (need, role) = (need.unreserved(), Role::new("a").unwrap());
        match pool.find(&need, &role) {
            Some(found) => {
                prop_assert!(pool.contains(&found));
                prop_assert_eq!(found.without_reservations(), need);
            }
            None => prop_assert!(!pool.allocatable_to(&role).without_reservations().contains(&need)),
        }
    }

    #[test]
    fn quantities_add_up_as_resources_do(a in plains(), b in plains()) {
        let mut sum = ResourceQuantities::from(&a);
        sum += &b;
        prop_assert_eq!(&sum, &ResourceQuantities::from(&(&a + &b)));
        sum -= &b;
        prop_assert_eq!(sum, ResourceQuantities::from(&a));
    }

    #[test]
    fn unreserving_undoes_reserving(a in plains()) {
        let (total, role) = (a.unreserved(), Role::new("c").unwrap());
        let resources = total.push_reservation(&Reservation::dynamic(role, None)).unwrap();
        let reserved = total.apply(&Operation::Reserve { resources: resources.clone() }).unwrap();
        prop_assert_eq!(&reserved, &resources);
        prop_assert_eq!(reserved.apply(&Operation::Unreserve { resources }).unwrap(), total);
    }

    #[test]
    fn no_text_makes_the_parsers_panic(text in ".{0,60}", other in r"[a-d:;()\[\]{}0-9,. -]{0,40}") {
        for text in [text, other] {
            let _ = text.parse::<Resources>();
            let _ = Resources::from_json(&text);
            let _ = text.parse::<types::Attributes>();
            let _ = text.parse::<Role>();
            let _ = types::TaskId::new(text.as_str());
            let _ = types::parse_duration(&text);
            let _ = types::parse_bytes(&text);
        }
    }
}
