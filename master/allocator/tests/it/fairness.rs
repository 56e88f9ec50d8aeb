//! Who gets how much in the end.

use std::collections::BTreeMap;

use allocator::{AgentEntry, Allocator, FrameworkEntry, Options, Weight};
use proptest::collection::vec;
use proptest::prelude::*;
use types::{FrameworkId, Resources, Scalar};

use crate::helpers::*;

/// Frameworks that launch tasks of one size each.
struct Cluster {
    allocator: Allocator,
    needs: BTreeMap<FrameworkId, Resources>,
    tasks: BTreeMap<FrameworkId, u32>,
}

impl Cluster {
    fn new<const N: usize>(frameworks: [(&str, &str, &str); N], agents: &[Resources]) -> Self {
        let roles = frameworks.map(|(name, of_role, _)| (name, of_role));
        let mut allocator = allocator(roles);
        for (i, total) in agents.iter().enumerate() {
            allocator.add_agent(AgentEntry::new(agent(&format!("a{i}")), total.clone()));
        }
        let needs = frameworks.map(|(name, _, need)| (framework(name), resources(need)));
        Self {
            allocator,
            needs: needs.into(),
            tasks: BTreeMap::new(),
        }
    }

    /// Whoever is offered something first launches one task; all else goes back. Returns whether
    /// there was room.
    fn launch_one(&mut self) -> bool {
        let mut round = self.allocator.allocate_all(0);
        let Some(first) = round.first().map(|a| a.framework.clone()) else {
            return false;
        };
        let need = &self.needs[&first];
        let place = round
            .iter_mut()
            .find(|a| a.framework == first && a.resources.contains(need));
        let fits = place.map(|place| place.resources -= need).is_some();
        if fits {
            *self.tasks.entry(first).or_default() += 1;
        }
        recover(&mut self.allocator, &round, None, 0);
        fits
    }

    fn tasks(&self, name: &str) -> u32 {
        self.tasks.get(&framework(name)).copied().unwrap_or(0)
    }
}

#[test]
fn the_example_of_the_paper_gives_three_tasks_and_two() {
    let agents = [resources("cpus:9;mem:18")];
    let a = ("a", "*", "cpus:1;mem:4");
    let b = ("b", "*", "cpus:3;mem:1");
    let mut cluster = Cluster::new([a, b], &agents);
    while cluster.launch_one() {}
    assert_eq!((cluster.tasks("a"), cluster.tasks("b")), (3, 2));
    let share = |name| {
        cluster
            .allocator
            .framework_share_ppm(&framework(name), &role("*"))
    };
    assert_eq!((share("a"), share("b")), (Some(666_666), Some(666_666)));
    cluster.allocator.assert_consistent();
}

#[test]
fn the_example_of_the_paper_holds_between_roles_too() {
    let agents = [resources("cpus:9;mem:18")];
    let a = ("a", "x", "cpus:1;mem:4");
    let b = ("b", "y", "cpus:3;mem:1");
    let mut cluster = Cluster::new([a, b], &agents);
    while cluster.launch_one() {}
    assert_eq!((cluster.tasks("a"), cluster.tasks("b")), (3, 2));
}

#[test]
fn weights_of_one_and_two_give_shares_of_one_and_two() {
    let agents = [resources("cpus:300;mem:1000")];
    let need = "cpus:1;mem:1";
    let mut cluster = Cluster::new([("f", "a", need), ("g", "b", need)], &agents);
    cluster
        .allocator
        .update_weights([(role("b"), Weight::from_f64(2.0).unwrap())]);
    while cluster.launch_one() {}
    assert_eq!((cluster.tasks("f"), cluster.tasks("g")), (100, 200));
}

#[test]
fn siblings_share_what_their_parent_gets_at_each_level() {
    let agents = [resources("cpus:400;mem:1000")];
    let need = "cpus:1;mem:1";
    let frameworks = [
        ("f", "a/x", need),
        ("g", "a/y", need),
        ("h", "a", need),
        ("i", "b", need),
    ];
    let mut cluster = Cluster::new(frameworks, &agents);
    cluster
        .allocator
        .update_weights([(role("a/x"), Weight::from_f64(2.0).unwrap())]);
    while cluster.launch_one() {}
    let tasks = ["f", "g", "h", "i"].map(|name| cluster.tasks(name));
    assert_eq!(tasks, [100, 50, 50, 200]);
    assert_eq!(cluster.allocator.role_share_ppm(&role("a")), Some(500_000));
    assert_eq!(
        cluster.allocator.role_share_ppm(&role("a/x")),
        Some(250_000)
    );
}

#[test]
fn a_role_that_has_something_comes_after_a_role_below_it_that_has_nothing() {
    let mut allocator = allocator([("f", "a")]);
    add_agent(&mut allocator, "1", "cpus:1");
    add_agent(&mut allocator, "2", "cpus:1");
    allocator.deactivate_agent(&agent("2"));
    assert_eq!(lines(&allocator.allocate(0)), ["f gets cpus:1 of 1 for a"]);
    allocator.add_framework(FrameworkEntry::new(framework("g"), [role("a/x")]));
    allocator.activate_agent(&agent("2"));
    assert_eq!(
        lines(&allocator.allocate(0)),
        ["g gets cpus:1 of 2 for a/x"]
    );
}

#[test]
fn what_is_excluded_does_not_count() {
    let excluded_from_shares = vec![types::ResourceName::MEM];
    let options = Options {
        excluded_from_shares,
        ..Options::default()
    };
    let mut allocator = Allocator::new(options);
    for name in ["f", "g"] {
        allocator.add_framework(FrameworkEntry::new(framework(name), [role("*")]));
    }
    let entry = AgentEntry::new(agent("a"), resources("cpus:10;mem:10"));
    allocator.add_agent(AgentEntry {
        used: used("f", "*", "cpus:1;mem:9"),
        ..entry
    });
    assert_eq!(
        allocator.framework_share_ppm(&framework("f"), &role("*")),
        Some(100_000)
    );
}

/// What a task of this size adds to a dominant share, in parts per million, rounded up.
fn step_ppm(allocator: &Allocator, need: &Resources) -> u64 {
    let part = |(name, total): (_, Scalar)| {
        need.scalar(name).thousandths() * 1_000_000 / total.thousandths() + 1
    };
    allocator.total().iter().map(part).max().unwrap_or(0)
}

fn agent_sizes() -> impl Strategy<Value = Vec<Resources>> {
    let size = (8u32..64, 8u64..64);
    let build = |(cpus, mem)| Resources::new().cpus(f64::from(cpus)).mem_mib(mem);
    vec(size.prop_map(build), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn dominant_shares_stay_within_one_task(
        agents in agent_sizes(),
        (cpus, mem) in (1u32..20, 1u64..3),
        (other_cpus, other_mem) in (1u32..3, 1u64..20),
        distinct_roles in any::<bool>(),
    ) {
        let need = Resources::new().cpus(f64::from(cpus) / 10.0).mem_mib(mem);
        let other = Resources::new().cpus(f64::from(other_cpus) / 10.0).mem_mib(other_mem);
        let roles = if distinct_roles { ["x", "y"] } else { ["x", "x"] };
        let (need, other) = (need.to_string(), other.to_string());
        let frameworks = [("f", roles[0], need.as_str()), ("g", roles[1], other.as_str())];
        let mut cluster = Cluster::new(frameworks, &agents);
        let steps: Vec<u64> =
            cluster.needs.values().map(|need| step_ppm(&cluster.allocator, need)).collect();
        let allowed = steps.into_iter().max().unwrap();
        while cluster.launch_one() {
            let share = |name, of_role| {
                cluster.allocator.framework_share_ppm(&framework(name), &role(of_role)).unwrap()
            };
            let (f, g) = (share("f", roles[0]), share("g", roles[1]));
            prop_assert!(f.abs_diff(g) <= allowed, "{f} and {g} differ by more than {allowed}");
        }
        prop_assert!(cluster.tasks("f") > 0 || cluster.tasks("g") > 0);
    }

    #[test]
    fn shares_follow_weights_within_one_task(
        cpus in 50u32..500,
        weights in (1u64..10, 1u64..10),
    ) {
        let agents = [Resources::new().cpus(f64::from(cpus))];
        let frameworks = [("f", "a", "cpus:1"), ("g", "b", "cpus:1")];
        let mut cluster = Cluster::new(frameworks, &agents);
        let weigh = |name, weight: u64| (role(name), Weight::from_f64(weight as f64).unwrap());
        cluster.allocator.update_weights([weigh("a", weights.0), weigh("b", weights.1)]);
        while cluster.launch_one() {
            let (f, g) = (u64::from(cluster.tasks("f")), u64::from(cluster.tasks("g")));
            prop_assert!((f * weights.1).abs_diff(g * weights.0) <= weights.0.max(weights.1));
        }
        prop_assert_eq!(cluster.tasks("f") + cluster.tasks("g"), cpus);
    }
}
