//! Short words for the tests.

use std::collections::{BTreeMap, BTreeSet};

use allocator::{AgentEntry, Allocation, Allocator, FrameworkEntry, Options};
use types::{AgentId, Filters, FrameworkId, Resources, Role};

pub(crate) fn framework(name: &str) -> FrameworkId {
    FrameworkId::new(name).unwrap()
}

pub(crate) fn agent(name: &str) -> AgentId {
    AgentId::new(name).unwrap()
}

pub(crate) fn role(text: &str) -> Role {
    Role::new(text).unwrap()
}

pub(crate) fn roles<const N: usize>(texts: [&str; N]) -> BTreeSet<Role> {
    texts.into_iter().map(role).collect()
}

pub(crate) fn resources(text: &str) -> Resources {
    text.parse().unwrap()
}

/// An allocator with frameworks, each with its one role.
pub(crate) fn allocator<const N: usize>(frameworks: [(&str, &str); N]) -> Allocator {
    let mut allocator = Allocator::new(Options::default());
    for (name, of_role) in frameworks {
        allocator.add_framework(FrameworkEntry::new(framework(name), [role(of_role)]));
    }
    allocator
}

pub(crate) fn add_agent(allocator: &mut Allocator, name: &str, total: &str) {
    allocator.add_agent(AgentEntry::new(agent(name), resources(total)));
}

/// What a framework uses of an agent, as an agent tells it.
pub(crate) fn used(
    name: &str,
    of_role: &str,
    text: &str,
) -> BTreeMap<FrameworkId, BTreeMap<Role, Resources>> {
    BTreeMap::from([(
        framework(name),
        BTreeMap::from([(role(of_role), resources(text))]),
    )])
}

/// Gives everything in a round back.
pub(crate) fn recover(
    allocator: &mut Allocator,
    round: &[Allocation],
    filters: Option<Filters>,
    now_ms: u64,
) {
    for Allocation {
        framework,
        role,
        agent,
        resources,
    } in round
    {
        allocator.recover(framework, agent, role, resources, filters, now_ms);
    }
}

/// A round as lines, sorted, since the order of agents is drawn.
pub(crate) fn lines(round: &[Allocation]) -> Vec<String> {
    let line = |a: &Allocation| {
        format!(
            "{} gets {} of {} for {}",
            a.framework, a.resources, a.agent, a.role
        )
    };
    let mut lines: Vec<String> = round.iter().map(line).collect();
    lines.sort();
    lines
}
