//! Frameworks that come, go, fall silent and change.

use std::collections::{BTreeMap, BTreeSet};

use allocator::{AgentEntry, Allocator, FrameworkEntry, Options};

use crate::helpers::*;

#[test]
fn suppressed_frameworks_get_nothing_until_they_are_revived() {
    let mut allocator = allocator([("f", "*"), ("g", "*")]);
    allocator.suppress(&framework("f"), &BTreeSet::new());
    add_agent(&mut allocator, "a", "cpus:1");
    add_agent(&mut allocator, "b", "cpus:1");
    let round = allocator.allocate(0);
    assert_eq!(
        lines(&round),
        ["g gets cpus:1 of a for *", "g gets cpus:1 of b for *"]
    );
    allocator.suppress(&framework("g"), &roles(["*"]));
    recover(&mut allocator, &round, None, 0);
    assert_eq!(allocator.allocate_all(0), []);
    allocator.revive(&framework("f"), &BTreeSet::new());
    assert!(allocator.has_candidates());
    assert_eq!(allocator.allocate(0).len(), 2);
}

#[test]
fn roles_are_suppressed_one_by_one() {
    let mut allocator = Allocator::new(Options::default());
    let entry = FrameworkEntry::new(framework("f"), [role("a"), role("b")]);
    allocator.add_framework(FrameworkEntry {
        suppressed: roles(["a"]),
        ..entry
    });
    add_agent(&mut allocator, "1", "cpus:1");
    let round = allocator.allocate(0);
    assert_eq!(lines(&round), ["f gets cpus:1 of 1 for b"]);
    allocator.suppress(&framework("f"), &roles(["b", "other"]));
    allocator.revive(&framework("f"), &roles(["a"]));
    recover(&mut allocator, &round, None, 0);
    assert_eq!(lines(&allocator.allocate(0)), ["f gets cpus:1 of 1 for a"]);
}

#[test]
fn what_a_removed_framework_had_is_offered_to_others() {
    let mut allocator = allocator([("f", "*"), ("g", "r")]);
    add_agent(&mut allocator, "a", "cpus:1");
    assert_eq!(lines(&allocator.allocate(0)), ["f gets cpus:1 of a for *"]);
    allocator.remove_framework(&framework("f"));
    assert_eq!(allocator.frameworks_count(), 1);
    assert_eq!(allocator.role_share_ppm(&role("*")), None);
    assert_eq!(lines(&allocator.allocate(0)), ["g gets cpus:1 of a for r"]);
    allocator.remove_framework(&framework("f"));
    allocator.assert_consistent();
}

#[test]
fn a_deactivated_framework_keeps_what_it_has_and_gets_nothing() {
    let mut allocator = allocator([("f", "*")]);
    add_agent(&mut allocator, "a", "cpus:1");
    allocator.allocate(0);
    allocator.deactivate_framework(&framework("f"));
    add_agent(&mut allocator, "b", "cpus:1");
    assert_eq!(allocator.allocate(0), []);
    assert_eq!(allocator.offered_or_allocated().to_string(), "cpus:1");
    allocator.activate_framework(&framework("f"));
    assert_eq!(lines(&allocator.allocate(0)), ["f gets cpus:1 of b for *"]);
}

#[test]
fn a_framework_that_comes_back_is_charged_once_in_either_order() {
    let by_role = BTreeMap::from([(role("*"), resources("cpus:2"))]);
    let by_agent = BTreeMap::from([(agent("a"), by_role)]);
    let back = || {
        let entry = FrameworkEntry::new(framework("f"), [role("*")]);
        FrameworkEntry {
            used: by_agent.clone(),
            ..entry
        }
    };
    let with_tasks = || {
        let entry = AgentEntry::new(agent("a"), resources("cpus:4"));
        AgentEntry {
            used: used("f", "*", "cpus:2"),
            ..entry
        }
    };
    let mut agent_first = Allocator::new(Options::default());
    agent_first.add_agent(with_tasks());
    agent_first.add_framework(back());
    let mut framework_first = Allocator::new(Options::default());
    framework_first.add_framework(back());
    framework_first.add_agent(with_tasks());
    let mut empty_agent = Allocator::new(Options::default());
    add_agent(&mut empty_agent, "a", "cpus:4");
    empty_agent.add_framework(back());
    for mut allocator in [agent_first, framework_first, empty_agent] {
        assert_eq!(
            allocator.framework_share_ppm(&framework("f"), &role("*")),
            Some(500_000)
        );
        assert_eq!(lines(&allocator.allocate(0)), ["f gets cpus:2 of a for *"]);
        allocator.assert_consistent();
    }
}

#[test]
fn a_framework_keeps_what_it_has_in_a_role_it_leaves() {
    let mut allocator = allocator([("f", "a")]);
    add_agent(&mut allocator, "1", "cpus:1");
    let round = allocator.allocate(0);
    allocator.update_framework(&framework("f"), roles(["b"]), roles([]), &BTreeSet::new());
    assert_eq!(allocator.role_share_ppm(&role("a")), Some(1_000_000));
    assert_eq!(allocator.allocate(0), []);
    recover(&mut allocator, &round, None, 0);
    assert_eq!(allocator.role_share_ppm(&role("a")), None);
    assert_eq!(lines(&allocator.allocate(0)), ["f gets cpus:1 of 1 for b"]);
}

#[test]
fn events_about_the_unknown_change_nothing() {
    let mut allocator = allocator([("f", "*")]);
    add_agent(&mut allocator, "a", "cpus:1");
    let (unknown, nobody) = (agent("unknown"), framework("nobody"));
    allocator.remove_agent(&unknown);
    allocator.activate_agent(&unknown);
    allocator.deactivate_agent(&unknown);
    allocator.update_agent(&unknown, resources("cpus:9"));
    allocator.remove_framework(&nobody);
    allocator.activate_framework(&nobody);
    allocator.deactivate_framework(&nobody);
    allocator.suppress(&nobody, &BTreeSet::new());
    allocator.revive(&nobody, &BTreeSet::new());
    allocator.recover(
        &nobody,
        &agent("a"),
        &role("*"),
        &resources("cpus:1"),
        None,
        0,
    );
    allocator.recover(
        &framework("f"),
        &unknown,
        &role("*"),
        &resources("cpus:1"),
        None,
        0,
    );
    allocator.recover(
        &framework("f"),
        &agent("a"),
        &role("r"),
        &resources("cpus:1"),
        None,
        0,
    );
    allocator.recover(
        &framework("f"),
        &agent("a"),
        &role("*"),
        &resources("cpus:1"),
        None,
        0,
    );
    assert_eq!(lines(&allocator.allocate(0)), ["f gets cpus:1 of a for *"]);
    allocator.assert_consistent();
}
