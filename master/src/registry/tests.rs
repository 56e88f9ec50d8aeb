//! Changes of a registry, and what is stored for them.

use types::{FrameworkInfo, Resources};

use super::*;

const LIMITS: Limits = Limits {
    unreachable: 2,
    ended_frameworks: 1,
};

fn info(id: &str) -> AgentInfo {
    AgentInfo {
        id: Some(id.parse().unwrap()),
        ..AgentInfo::new("host", 5051, Resources::new())
    }
}

fn upid() -> Upid {
    "agent@10.0.0.1:5051".parse().unwrap()
}

fn admit(id: &str) -> Operation {
    let (info, upid) = (info(id), upid());
    Operation::Admit { info, upid }
}

fn back(id: &str) -> Operation {
    let (info, upid) = (info(id), upid());
    Operation::MarkReachable { info, upid }
}

fn unreachable(id: &str, since_ms: u64) -> Operation {
    Operation::MarkUnreachable {
        agent_id: id.parse().unwrap(),
        since_ms,
    }
}

fn framework(id: &str, away_since_ms: Option<u64>) -> FrameworkRecord {
    let info = FrameworkInfo {
        id: Some(id.parse().unwrap()),
        ..FrameworkInfo::new("framework")
    };
    FrameworkRecord {
        info,
        away_since_ms,
        ended_ms: None,
    }
}

/// Keeps what is to be stored, as a storage does.
fn store(stored: &mut BTreeMap<String, Record>, edits: Vec<Edit>) {
    for Edit { name, record } in edits {
        match record {
            Some(record) => drop(stored.insert(name, record)),
            None => drop(stored.remove(&name)),
        }
    }
}

#[test]
fn an_agent_is_admitted_once() {
    let mut registry = Registry::new(LIMITS);
    assert_eq!(registry.apply(admit("a")).unwrap().len(), 1);
    assert_eq!(registry.apply(admit("a")), Err(Refusal::NotAdmissible));
    let info = AgentInfo {
        id: None,
        ..info("a")
    };
    let nameless = Operation::Admit { info, upid: upid() };
    assert_eq!(registry.apply(nameless), Err(Refusal::NotAdmissible));
}

#[test]
fn an_agent_goes_and_comes_back() {
    let mut registry = Registry::new(LIMITS);
    registry.apply(admit("a")).unwrap();
    registry.apply(unreachable("a", 7)).unwrap();
    assert!(registry.apply(unreachable("a", 8)).is_err());
    let a: AgentId = "a".parse().unwrap();
    assert_eq!(registry.unreachable_since(&a), Some(7));
    registry.apply(back("a")).unwrap();
    assert_eq!(registry.unreachable_since(&a), None);
    registry.apply(Operation::Remove(a.clone())).unwrap();
    assert!(registry.apply(Operation::Remove(a)).is_err());
    assert_eq!(registry.admitted, 0);
}

#[test]
fn an_agent_nobody_knows_is_taken_back() {
    let mut registry = Registry::new(LIMITS);
    assert_eq!(registry.apply(back("a")).unwrap().len(), 1);
}

#[test]
fn an_agent_that_comes_back_as_it_was_costs_no_write() {
    let mut registry = Registry::new(LIMITS);
    registry.apply(admit("a")).unwrap();
    assert_eq!(registry.apply(back("a")), Ok(Vec::new()));
}

#[test]
fn the_unreachable_are_bounded_in_number_and_age() {
    let mut registry = Registry::new(LIMITS);
    for (id, at_ms) in [("a", 1), ("b", 2), ("c", 3)] {
        registry.apply(admit(id)).unwrap();
        registry.apply(unreachable(id, at_ms)).unwrap();
    }
    let left = |registry: &Registry| -> Vec<String> {
        registry.agents().map(|(id, _)| id.to_string()).collect()
    };
    assert_eq!(left(&registry), ["b", "c"]);
    let edits = registry.apply(Operation::Forget { before_ms: 3 }).unwrap();
    assert_eq!(edits.len(), 1);
    assert_eq!(left(&registry), ["c"]);
}

fn gone(id: &str, since_ms: u64) -> Operation {
    Operation::MarkGone {
        agent_id: id.parse().unwrap(),
        since_ms,
    }
}

fn drain(id: &str) -> Operation {
    Operation::Drain {
        agent_id: id.parse().unwrap(),
        config: DrainConfig::default(),
        since_ms: 5,
    }
}

#[test]
fn an_agent_that_is_gone_does_not_come_back() {
    let mut registry = Registry::new(LIMITS);
    for (since_ms, id) in ["a", "b", "c"].into_iter().enumerate() {
        registry.apply(admit(id)).unwrap();
        registry.apply(gone(id, since_ms as u64)).unwrap();
    }
    assert_eq!(registry.admitted, 0);
    let refused = Err(Refusal::Gone("c".parse().unwrap()));
    assert_eq!(registry.apply(back("c")), refused);
    assert!(registry.apply(gone("c", 9)).is_err());
    assert!(registry.apply(drain("c")).is_err());
    // Which is remembered of so many.
    assert_eq!(registry.apply(back("a")).unwrap().len(), 1);
}

#[test]
fn an_agent_is_set_aside_emptied_and_taken_back() {
    let mut registry = Registry::new(LIMITS);
    let id: AgentId = "a".parse().unwrap();
    assert!(registry.apply(drain("a")).is_err());
    registry.apply(admit("a")).unwrap();
    registry.apply(Operation::Deactivate(id.clone())).unwrap();
    let emptied = || Operation::MarkDrained("a".parse().unwrap());
    assert!(registry.apply(emptied()).is_err());
    registry.apply(drain("a")).unwrap();
    registry.apply(unreachable("a", 7)).unwrap();
    registry.apply(emptied()).unwrap();
    registry.apply(back("a")).unwrap();
    assert!(registry.agents[&id].aside.is_some(), "also when it is back");
    registry.apply(Operation::Reactivate(id.clone())).unwrap();
    assert!(registry.apply(Operation::Reactivate(id)).is_err());
}

#[test]
fn a_framework_that_has_ended_is_remembered_for_a_while() {
    let mut registry = Registry::new(LIMITS);
    for id in ["f", "g"] {
        let kept = Operation::KeepFramework(framework(id, None));
        assert_eq!(registry.apply(kept.clone()).unwrap().len(), 1);
        assert_eq!(registry.apply(kept), Ok(Vec::new()));
    }
    registry
        .apply(Operation::EndFramework("f".parse().unwrap(), 5))
        .unwrap();
    assert_eq!(registry.frameworks().count(), 2);
    let edits = registry
        .apply(Operation::EndFramework("g".parse().unwrap(), 6))
        .unwrap();
    assert_eq!(edits.len(), 2, "one has ended, and one is forgotten");
    assert_eq!(registry.frameworks().count(), 1);
    let unknown = Operation::EndFramework("x".parse().unwrap(), 7);
    assert_eq!(registry.apply(unknown), Ok(Vec::new()));
}

#[test]
fn what_was_stored_is_what_there_was() {
    let mut registry = Registry::new(LIMITS);
    let mut stored = BTreeMap::new();
    let role: Role = "web".parse().unwrap();
    let operations = [
        admit("a"),
        admit("b"),
        admit("c"),
        unreachable("b", 3),
        Operation::Remove("c".parse().unwrap()),
        unreachable("a", 4),
        back("a"),
        drain("a"),
        admit("d"),
        gone("d", 6),
        Operation::KeepFramework(framework("f", Some(9))),
        Operation::KeepFramework(framework("g", None)),
        Operation::EndFramework("g".parse().unwrap(), 10),
        Operation::SetWeights(BTreeMap::from([(role, 2_000)])),
    ];
    for operation in operations {
        let edits = registry.apply(operation).unwrap();
        store(&mut stored, edits);
    }
    // As it goes to a storage and comes back.
    let stored = stored.into_values().map(|record| {
        let json = serde_json::to_string(&record).unwrap();
        serde_json::from_str::<Record>(&json).unwrap()
    });
    let restored = Registry::restore(LIMITS, stored);
    assert_eq!(restored.agents, registry.agents);
    assert_eq!(restored.admitted, 1);
    assert_eq!(restored.order, ["b".parse().unwrap()]);
    assert_eq!(restored.gone, registry.gone);
    assert_eq!(restored.frameworks, registry.frameworks);
    assert_eq!(restored.ended, registry.ended);
    assert_eq!(restored.weights, registry.weights);
}
