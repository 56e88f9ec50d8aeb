//! Why there is no place for a task: what it needs, beside what the agents have.

use api::master::{AgentState, AgentSummary};
use types::{ResourceName, ResourceQuantities, Resources, Role};

/// Why there is no place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shortage {
    /// There will be, as far as can be seen.
    Waiting(String),
    /// No agent is large enough, whatever else ends.
    Impossible(String),
}

/// Explains why a task of `role` that needs `need` waits.
pub(crate) fn explain(need: &Resources, role: &Role, agents: &[AgentSummary]) -> Shortage {
    let active: Vec<&AgentSummary> = agents
        .iter()
        .filter(|agent| agent.state == AgentState::Active)
        .collect();
    if active.is_empty() {
        return Shortage::Waiting("no agent is registered".to_owned());
    }
    let need_quantities = ResourceQuantities::from(need);
    let totals: Vec<ResourceQuantities> = active
        .iter()
        .map(|agent| usable(&agent.total, role))
        .collect();
    if let Some((name, least, largest)) = lacking(&need_quantities, &totals) {
        return Shortage::Impossible(format!(
            "needs {name}:{least}, the largest agent has {name}:{largest}"
        ));
    }
    if !totals.iter().any(|total| total.contains(&need_quantities)) {
        return Shortage::Impossible(format!("needs {need}, no agent has all of that"));
    }
    let free: Vec<ResourceQuantities> = active
        .iter()
        .map(|agent| usable(&(&(&agent.total - &agent.used) - &agent.offered), role))
        .collect();
    Shortage::Waiting(match lacking(&need_quantities, &free) {
        Some((name, least, most)) => {
            format!("needs {name}:{least}, the most that is free on one agent is {name}:{most}")
        }
        None if free.iter().any(|free| free.contains(&need_quantities)) => {
            format!("needs {need}, which is free: the master has yet to offer it")
        }
        None => format!("needs {need}, on no agent is all of that free"),
    })
}

/// What a role can use of resources, by name.
fn usable(resources: &Resources, role: &Role) -> ResourceQuantities {
    ResourceQuantities::from(&resources.allocatable_to(role).non_revocable())
}

/// The first resource that none of the places has enough of, how much is needed of it, and the
/// most that one has.
fn lacking<'a>(
    need: &'a ResourceQuantities,
    places: &[ResourceQuantities],
) -> Option<(&'a ResourceName, types::Scalar, types::Scalar)> {
    need.iter().find_map(|(name, least)| {
        let most = places
            .iter()
            .map(|place| place.get(name))
            .max()
            .unwrap_or_default();
        (most < least).then_some((name, least, most))
    })
}

#[cfg(test)]
mod tests {
    use types::{AgentId, Attributes};

    use super::*;

    fn agent(total: &str, used: &str) -> AgentSummary {
        AgentSummary {
            agent_id: AgentId::new("a").unwrap(),
            hostname: "box".into(),
            pid: "agent@127.0.0.1:1".parse().unwrap(),
            state: AgentState::Active,
            total: total.parse().unwrap(),
            used: used.parse().unwrap(),
            offered: Resources::new(),
            attributes: Attributes::new(),
            tasks: 0,
            registered_ms: 0,
        }
    }

    fn why(need: &str, agents: &[AgentSummary]) -> Shortage {
        explain(&need.parse().unwrap(), &Role::any(), agents)
    }

    #[test]
    fn a_cluster_without_agents_may_get_some() {
        let gone = AgentSummary {
            state: AgentState::Unreachable,
            ..agent("cpus:9", "{}")
        };
        let expected = Shortage::Waiting("no agent is registered".into());
        assert_eq!(why("cpus:1", &[gone]), expected);
    }

    #[test]
    fn what_no_agent_has_is_named_with_the_most_that_one_has() {
        let agents = [agent("cpus:2;mem:100", "{}"), agent("cpus:4;mem:50", "{}")];
        let text = "needs cpus:64, the largest agent has cpus:4";
        assert_eq!(
            why("cpus:64;mem:1", &agents),
            Shortage::Impossible(text.into())
        );
        let text = "needs gpus:1, the largest agent has gpus:0";
        assert_eq!(
            why("cpus:1;gpus:1", &agents),
            Shortage::Impossible(text.into())
        );
        let text = "needs cpus:4; mem:100, no agent has all of that";
        assert_eq!(
            why("cpus:4;mem:100", &agents),
            Shortage::Impossible(text.into())
        );
    }

    #[test]
    fn what_is_in_use_is_waited_for() {
        let agents = [
            agent("cpus:2;mem:100", "cpus:1.5"),
            agent("cpus:4;mem:50", "cpus:4;mem:1"),
        ];
        let text = "needs cpus:1, the most that is free on one agent is cpus:0.5";
        assert_eq!(
            why("cpus:1;mem:10", &agents),
            Shortage::Waiting(text.into())
        );
        let text = "needs cpus:0.5; mem:30, which is free: the master has yet to offer it";
        assert_eq!(
            why("cpus:0.5;mem:30", &agents),
            Shortage::Waiting(text.into())
        );
    }

    #[test]
    fn what_is_reserved_to_others_is_not_there() {
        let agents = [agent("cpus(other):4;cpus:1", "{}")];
        let text = "needs cpus:2, the largest agent has cpus:1";
        assert_eq!(why("cpus:2", &agents), Shortage::Impossible(text.into()));
    }
}
