//! Agents that come, go and change.

use allocator::AgentEntry;

use crate::helpers::*;

#[test]
fn what_is_used_of_a_new_agent_is_charged_to_frameworks_known_or_not() {
    let mut allocator = allocator([("f", "*"), ("g", "*")]);
    let entry = AgentEntry::new(agent("a"), resources("cpus:4"));
    allocator.add_agent(AgentEntry {
        used: used("f", "*", "cpus:2"),
        ..entry
    });
    let entry = AgentEntry::new(agent("b"), resources("cpus:4"));
    allocator.add_agent(AgentEntry {
        used: used("unknown", "r", "cpus:3"),
        ..entry
    });
    assert_eq!(
        allocator.framework_share_ppm(&framework("f"), &role("*")),
        Some(250_000)
    );
    assert_eq!(
        allocator.framework_share_ppm(&framework("unknown"), &role("r")),
        Some(375_000)
    );
    assert_eq!(allocator.offered_or_allocated().to_string(), "cpus:5");
    assert_eq!(allocator.frameworks_count(), 3);
    let round = lines(&allocator.allocate(0));
    assert_eq!(round.len(), 2);
    assert!(
        round.iter().any(|line| line.starts_with("g gets")),
        "{round:?}"
    );
    allocator.recover(
        &framework("unknown"),
        &agent("b"),
        &role("r"),
        &resources("cpus:3"),
        None,
        0,
    );
    assert_eq!(allocator.frameworks_count(), 2);
    assert_eq!(allocator.role_share_ppm(&role("r")), None);
    allocator.assert_consistent();
}

#[test]
fn a_removed_agent_takes_its_allocations_with_it() {
    let mut allocator = allocator([("f", "*")]);
    add_agent(&mut allocator, "a", "cpus:4");
    add_agent(&mut allocator, "b", "cpus:4");
    let round = allocator.allocate(0);
    allocator.remove_agent(&agent("a"));
    allocator.remove_agent(&agent("a"));
    assert_eq!(allocator.total().to_string(), "cpus:4");
    assert_eq!(allocator.offered_or_allocated().to_string(), "cpus:4");
    recover(&mut allocator, &round, None, 0);
    assert!(allocator.offered_or_allocated().is_empty());
    assert_eq!(lines(&allocator.allocate(0)), ["f gets cpus:4 of b for *"]);
}

#[test]
fn an_agent_that_comes_twice_is_there_once() {
    let mut allocator = allocator([("f", "*")]);
    add_agent(&mut allocator, "a", "cpus:4");
    allocator.allocate(0);
    add_agent(&mut allocator, "a", "cpus:5");
    assert_eq!(allocator.agents_count(), 1);
    assert_eq!(allocator.total().to_string(), "cpus:5");
    assert_eq!(lines(&allocator.allocate(0)), ["f gets cpus:5 of a for *"]);
}

#[test]
fn an_inactive_agent_is_not_offered_and_keeps_its_allocations() {
    let mut allocator = allocator([("f", "*")]);
    add_agent(&mut allocator, "a", "cpus:4");
    allocator.deactivate_agent(&agent("a"));
    assert_eq!(allocator.allocate_all(0), []);
    allocator.activate_agent(&agent("a"));
    assert_eq!(allocator.allocate(0).len(), 1);
    allocator.deactivate_agent(&agent("a"));
    assert_eq!(allocator.offered_or_allocated().to_string(), "cpus:4");
}

#[test]
fn what_an_agent_grows_by_is_offered() {
    let mut allocator = allocator([("f", "*")]);
    add_agent(&mut allocator, "a", "cpus:4");
    allocator.allocate(0);
    allocator.update_agent(&agent("a"), resources("cpus:6;mem:100"));
    assert_eq!(
        lines(&allocator.allocate(0)),
        ["f gets cpus:2; mem:100 of a for *"]
    );
}

#[test]
fn an_agent_that_shrinks_below_its_allocations_offers_nothing_until_they_are_less() {
    let mut allocator = allocator([("f", "*")]);
    add_agent(&mut allocator, "a", "cpus:4;ports:[1-9]");
    let round = allocator.allocate(0);
    allocator.update_agent(&agent("a"), resources("cpus:2;ports:[1-9]"));
    let back = |allocator: &mut allocator::Allocator, text| {
        let a = &round[0];
        allocator.recover(&a.framework, &a.agent, &a.role, &resources(text), None, 0);
    };
    back(&mut allocator, "cpus:2");
    assert_eq!(allocator.allocate(0), []);
    back(&mut allocator, "cpus:1;ports:[1-3]");
    assert_eq!(
        lines(&allocator.allocate(0)),
        ["f gets cpus:1; ports:[1-3] of a for *"]
    );
    allocator.assert_consistent();
}
