//! Refusals: what a framework is not offered, and until when.

use std::collections::BTreeSet;
use std::time::Duration;

use allocator::Allocator;
use types::Filters;

use crate::helpers::*;

/// One framework that was offered `text` at time zero and refused it for ten seconds.
fn refused(text: &str) -> Allocator {
    let mut allocator = allocator([("f", "*")]);
    add_agent(&mut allocator, "a", text);
    let round = allocator.allocate(0);
    assert_eq!(round.len(), 1);
    recover(&mut allocator, &round, Some(Filters::from_seconds(10.0)), 0);
    allocator
}

#[test]
fn a_refusal_holds_until_it_ends_and_its_agent_is_a_candidate_then() {
    let mut allocator = refused("cpus:2");
    assert_eq!(allocator.allocate_all(9_999), []);
    assert!(!allocator.has_candidates());
    assert_eq!(allocator.next_expiry_ms(), Some(10_000));
    assert_eq!(allocator.active_filters(&role("*")), 1);
    assert_eq!(
        lines(&allocator.allocate(10_000)),
        ["f gets cpus:2 of a for *"]
    );
    assert_eq!(allocator.next_expiry_ms(), None);
    assert_eq!(allocator.active_filters(&role("*")), 0);
}

#[test]
fn a_refusal_is_of_what_was_refused_or_less_and_not_of_more() {
    let mut allocator = refused("cpus:2;mem:100");
    allocator.update_agent(&agent("a"), resources("cpus:1;mem:100"));
    assert_eq!(allocator.allocate(1), []);
    allocator.update_agent(&agent("a"), resources("cpus:2;mem:101"));
    assert_eq!(allocator.allocate(2).len(), 1);
}

#[test]
fn a_refusal_is_of_one_agent_by_one_framework_for_one_role() {
    let mut allocator = refused("cpus:2");
    add_agent(&mut allocator, "b", "cpus:2");
    assert_eq!(
        lines(&allocator.allocate_all(1)),
        ["f gets cpus:2 of b for *"]
    );
    let other = allocator::FrameworkEntry::new(framework("g"), [role("*")]);
    allocator.add_framework(other);
    assert_eq!(lines(&allocator.allocate(2)), ["g gets cpus:2 of a for *"]);
}

#[test]
fn a_short_refusal_outlives_the_interval_of_rounds_and_none_is_none() {
    let mut allocator = allocator([("f", "*")]);
    add_agent(&mut allocator, "a", "cpus:2");
    let round = allocator.allocate(0);
    recover(
        &mut allocator,
        &round,
        Some(Filters::refuse(Duration::from_millis(1))),
        500,
    );
    assert_eq!(allocator.next_expiry_ms(), Some(1_500));
    let round = allocator.allocate(1_500);
    recover(&mut allocator, &round, Some(Filters::NONE), 1_500);
    assert_eq!(allocator.next_expiry_ms(), None);
    assert_eq!(allocator.allocate(1_500).len(), 1);
}

#[test]
fn reviving_and_deactivating_forget_refusals() {
    let mut allocator = refused("cpus:2");
    allocator.revive(&framework("f"), &BTreeSet::new());
    let round = allocator.allocate(1);
    assert_eq!(round.len(), 1);
    recover(&mut allocator, &round, Some(Filters::default()), 1);
    allocator.deactivate_framework(&framework("f"));
    assert_eq!(allocator.next_expiry_ms(), None);
    allocator.activate_framework(&framework("f"));
    assert_eq!(allocator.allocate(2).len(), 1);
}

#[test]
fn a_removed_agent_or_framework_leaves_no_refusals() {
    let mut allocator = refused("cpus:2");
    allocator.remove_agent(&agent("a"));
    assert_eq!(allocator.next_expiry_ms(), None);
    let mut allocator = refused("cpus:2");
    allocator.remove_framework(&framework("f"));
    assert_eq!(allocator.next_expiry_ms(), None);
}

#[test]
fn refusals_are_bounded_for_each_agent() {
    let mut allocator = refused("cpus:100");
    let partly = Some(Filters::from_seconds(1_000.0));
    for i in 0..1_000 {
        let ports = resources(&format!("ports:[{i}-{i}]"));
        allocator.recover(&framework("f"), &agent("a"), &role("*"), &ports, partly, i);
    }
    let mut endings = 0;
    while let Some(at) = allocator.next_expiry_ms() {
        allocator.allocate(at);
        endings += 1;
    }
    assert_eq!(endings, 16);
}
