//! What an offer has in it.

use allocator::{AgentEntry, Allocator, FrameworkEntry, Locality, Options};
use types::{FrameworkCapability, Resource, ResourceName, ResourceQuantities, Resources, Scalar};

use crate::helpers::*;

fn capable(name: &str, of_role: &str, capability: FrameworkCapability) -> FrameworkEntry {
    let entry = FrameworkEntry::new(framework(name), [role(of_role)]);
    FrameworkEntry {
        capabilities: [capability].into(),
        ..entry
    }
}

fn revocable_cpus(units: u64) -> Resource {
    let cpus = Resource::scalar(ResourceName::CPUS, Scalar::from_units(units));
    Resource {
        revocable: true,
        ..cpus
    }
}

#[test]
fn an_agent_is_offered_whole_to_one_framework() {
    let mut allocator = allocator([("f", "*"), ("g", "*")]);
    add_agent(&mut allocator, "a", "cpus:4;mem:100;ports:[1-9]");
    let round = allocator.allocate(0);
    assert_eq!(
        lines(&round),
        ["f gets cpus:4; mem:100; ports:[1-9] of a for *"]
    );
    assert_eq!(allocator.allocate_all(0), []);
}

#[test]
fn lowest_dominant_share_is_offered_first() {
    let mut allocator = allocator([("f", "*"), ("g", "*")]);
    for name in ["a", "b", "c"] {
        add_agent(&mut allocator, name, "cpus:1;mem:1000");
    }
    let round = allocator.allocate(0);
    let given: Vec<_> = round.iter().map(|a| a.framework.as_str()).collect();
    assert_eq!(given, ["f", "g", "f"]);
}

#[test]
fn reserved_resources_go_to_their_role_and_below_and_the_rest_to_anyone() {
    let mut allocator = allocator([("f", "a/b"), ("g", "c")]);
    add_agent(
        &mut allocator,
        "1",
        "cpus:1;mem:100;cpus(c):2;cpus(a):4;cpus(a/b):8;cpus(d):16",
    );
    let round = lines(&allocator.allocate(0));
    assert_eq!(
        round,
        [
            "f gets cpus:1; cpus(a):4; cpus(a/b):8; mem:100 of 1 for a/b",
            "g gets cpus(c):2 of 1 for c"
        ]
    );
}

#[test]
fn a_remainder_is_offered_if_it_has_enough_of_anything() {
    let mut allocator = allocator([("f", "*")]);
    add_agent(&mut allocator, "a", "cpus:0.009;mem:31");
    assert_eq!(allocator.allocate(0), []);
    add_agent(&mut allocator, "b", "cpus:0.01;mem:1");
    add_agent(&mut allocator, "c", "cpus:0.001;mem:32");
    assert_eq!(allocator.allocate(0).len(), 2);
}

#[test]
fn a_framework_may_ask_for_more_than_the_least() {
    let mut allocator = Allocator::new(Options::default());
    let min: ResourceQuantities = "cpus:2".parse().unwrap();
    let entry = FrameworkEntry::new(framework("f"), [role("a"), role("b")]);
    let min_allocatable = [(role("a"), vec![min])].into();
    allocator.add_framework(FrameworkEntry {
        min_allocatable,
        ..entry
    });
    add_agent(&mut allocator, "1", "cpus:1;mem:100");
    assert_eq!(
        lines(&allocator.allocate(0)),
        ["f gets cpus:1; mem:100 of 1 for b"]
    );
}

#[test]
fn agents_with_graphics_processors_are_for_those_who_ask() {
    let mut allocator = allocator([("f", "*")]);
    add_agent(&mut allocator, "a", "cpus:1;mem:100;gpus:1");
    assert_eq!(allocator.allocate(0), []);
    allocator.add_framework(capable("g", "*", FrameworkCapability::GpuResources));
    assert_eq!(
        lines(&allocator.allocate(0)),
        ["g gets cpus:1; mem:100; gpus:1 of a for *"]
    );
}

#[test]
fn agents_of_other_regions_are_for_those_who_ask() {
    let mut allocator = allocator([("f", "*")]);
    let entry = AgentEntry::new(agent("a"), resources("cpus:1"));
    allocator.add_agent(AgentEntry {
        locality: Locality::Remote,
        ..entry
    });
    assert_eq!(allocator.allocate(0), []);
    allocator.add_framework(capable("g", "*", FrameworkCapability::RegionAware));
    assert_eq!(lines(&allocator.allocate(0)), ["g gets cpus:1 of a for *"]);
}

#[test]
fn revocable_resources_are_for_those_who_can_take_them() {
    let mut allocator = allocator([("f", "*")]);
    let mut total = resources("cpus:1");
    total.insert(revocable_cpus(5)).unwrap();
    allocator.add_agent(AgentEntry::new(agent("a"), total));
    assert_eq!(lines(&allocator.allocate(0)), ["f gets cpus:1 of a for *"]);
    allocator.add_framework(capable("g", "*", FrameworkCapability::RevocableResources));
    assert_eq!(
        lines(&allocator.allocate(0)),
        ["g gets cpus{REV}:5 of a for *"]
    );
    allocator.assert_consistent();
}

#[test]
fn refined_reservations_are_for_those_who_know_them() {
    let refined: Resources = Resources::from_json(
        r#"[{"name": "cpus", "type": "SCALAR", "scalar": {"value": 1}, "reservations":
            [{"type": "STATIC", "role": "a"}, {"type": "DYNAMIC", "role": "a/b"}]}]"#,
    )
    .unwrap();
    let mut allocator = allocator([("f", "a/b")]);
    allocator.add_agent(AgentEntry::new(agent("1"), refined.clone()));
    assert_eq!(allocator.allocate(0), []);
    allocator.add_framework(capable(
        "g",
        "a/b",
        FrameworkCapability::ReservationRefinement,
    ));
    assert_eq!(allocator.allocate(0)[0].resources, refined);
}

#[test]
fn nothing_is_given_away_while_paused() {
    let mut allocator = allocator([("f", "*")]);
    add_agent(&mut allocator, "a", "cpus:1");
    allocator.pause();
    assert_eq!(allocator.allocate(0), []);
    assert!(allocator.has_candidates());
    allocator.resume();
    assert_eq!(allocator.allocate(0).len(), 1);
    assert!(!allocator.has_candidates());
}

#[test]
fn the_seed_decides_the_order_of_agents() {
    let run = |seed| {
        let mut allocator = Allocator::new(Options {
            seed,
            ..Options::default()
        });
        allocator.add_framework(FrameworkEntry::new(framework("f"), [role("*")]));
        for i in 0..20 {
            add_agent(&mut allocator, &format!("a{i}"), "cpus:1");
        }
        let round = allocator.allocate(0);
        round.into_iter().map(|a| a.agent).collect::<Vec<_>>()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}
