//! Operations that make something else of resources.

use allocator::Error;
use types::{Conversion, Operation, Reservation, Resources};

use crate::helpers::*;

fn reserved(text: &str) -> Resources {
    resources(text)
        .push_reservation(&Reservation::dynamic(role("r"), None))
        .unwrap()
}

fn reserve(text: &str) -> Conversion {
    Operation::Reserve {
        resources: reserved(text),
    }
    .conversion()
    .unwrap()
    .unwrap()
}

#[test]
fn what_a_framework_reserves_stays_its_and_returns_to_its_role_only() {
    let mut allocator = allocator([("f", "r"), ("g", "s")]);
    add_agent(&mut allocator, "a", "cpus:4");
    let round = allocator.allocate(0);
    let a = &round[0];
    assert_eq!(a.framework, framework("f"));
    allocator
        .update_allocation(&a.framework, &a.agent, &a.role, &[reserve("cpus:1")])
        .unwrap();
    allocator.assert_consistent();
    assert_eq!(allocator.total().to_string(), "cpus:4");
    assert_eq!(allocator.offered_or_allocated().to_string(), "cpus:4");
    let rest = resources("cpus:3") + reserved("cpus:1");
    allocator.recover(&a.framework, &a.agent, &a.role, &rest, None, 0);
    allocator.suppress(&framework("f"), &roles([]));
    assert_eq!(lines(&allocator.allocate(0)), ["g gets cpus:3 of a for s"]);
}

#[test]
fn only_what_is_allocated_is_converted() {
    let mut allocator = allocator([("f", "r"), ("g", "s")]);
    add_agent(&mut allocator, "a", "cpus:4");
    allocator.allocate(0);
    let result = |allocator: &mut allocator::Allocator, name, text| {
        allocator.update_allocation(&framework(name), &agent("a"), &role("r"), &[reserve(text)])
    };
    assert!(matches!(
        result(&mut allocator, "f", "cpus:5"),
        Err(Error::NotAllocated { .. })
    ));
    assert!(matches!(
        result(&mut allocator, "g", "cpus:1"),
        Err(Error::NotAllocated { .. })
    ));
    assert!(matches!(
        allocator.update_allocation(&framework("f"), &agent("b"), &role("r"), &[]),
        Err(Error::UnknownAgent(_))
    ));
    allocator.assert_consistent();
}

#[test]
fn an_operator_converts_what_is_free() {
    let mut allocator = allocator([("f", "s")]);
    add_agent(&mut allocator, "a", "cpus:4");
    allocator
        .update_available(&agent("a"), &[reserve("cpus:1")])
        .unwrap();
    assert_eq!(lines(&allocator.allocate(0)), ["f gets cpus:3 of a for s"]);
    let result = allocator.update_available(&agent("a"), &[reserve("cpus:1")]);
    assert!(matches!(result, Err(Error::NotFree { .. })));
    allocator.assert_consistent();
}

#[test]
fn a_framework_nobody_added_is_forgotten_with_the_last_it_had() {
    let mut allocator = allocator([]);
    let entry = allocator::AgentEntry::new(agent("a"), resources("cpus:4"));
    let used = used("unknown", "r", "cpus:1");
    allocator.add_agent(allocator::AgentEntry { used, ..entry });
    let gone = Conversion {
        consumed: resources("cpus:1"),
        converted: Resources::new(),
    };
    allocator
        .update_allocation(&framework("unknown"), &agent("a"), &role("r"), &[gone])
        .unwrap();
    assert_eq!(allocator.frameworks_count(), 0);
    assert_eq!(allocator.total().to_string(), "cpus:3");
    allocator.assert_consistent();
}
