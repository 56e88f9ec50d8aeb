//! A simple allocator's books, against which the real one's are checked.

use std::collections::{BTreeMap, BTreeSet};

use allocator::{AgentEntry, Allocation, Allocator, FrameworkEntry, Options};
use types::{AgentId, Conversion, Filters, FrameworkId, Reservation, ResourceQuantities};
use types::{Resources, Role};

use crate::helpers::*;

/// Something that happens.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    AddFramework {
        framework: usize,
        roles: Vec<usize>,
        used: Option<usize>,
    },
    RemoveFramework(usize),
    ActivateFramework(usize),
    DeactivateFramework(usize),
    UpdateFramework {
        framework: usize,
        roles: Vec<usize>,
    },
    Suppress(usize, Vec<usize>),
    Revive(usize, Vec<usize>),
    AddAgent {
        agent: usize,
        size: u64,
        used: Option<(usize, usize)>,
    },
    RemoveAgent(usize),
    ActivateAgent(usize),
    DeactivateAgent(usize),
    UpdateAgent {
        agent: usize,
        size: u64,
    },
    Recover {
        which: usize,
        part: u64,
        refuse_s: Option<u8>,
    },
    Reserve {
        which: usize,
    },
    Weigh(usize, u8),
    Pass(u16),
    Allocate,
    AllocateAll,
}

pub(crate) const ROLES: [&str; 5] = ["*", "a", "a/x", "a/y", "b"];

type Party = (FrameworkId, Role, AgentId);

#[derive(Debug, Default)]
struct Framework {
    roles: BTreeSet<Role>,
    suppressed: BTreeSet<Role>,
    active: bool,
}

struct Agent {
    total: Resources,
    active: bool,
}

pub(crate) struct Model {
    pub(crate) allocator: Allocator,
    frameworks: BTreeMap<FrameworkId, Framework>,
    agents: BTreeMap<AgentId, Agent>,
    allocated: BTreeMap<Party, Resources>,
    filters: Vec<(Party, Resources, u64)>,
    now_ms: u64,
    pub(crate) history: Vec<Vec<Allocation>>,
}

fn framework_id(i: usize) -> FrameworkId {
    framework(&format!("f{i}"))
}

fn agent_id(i: usize) -> AgentId {
    agent(&format!("a{i}"))
}

fn some_roles(indices: &[usize]) -> BTreeSet<Role> {
    indices
        .iter()
        .map(|i| role(ROLES[i % ROLES.len()]))
        .collect()
}

fn total(size: u64) -> Resources {
    let plain = Resources::new()
        .cpus(size as f64)
        .mem_mib(size * 100)
        .ports(1..=size);
    plain + resources("cpus(a):2;cpus(a/x):1;mem(b):64")
}

impl Model {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            allocator: Allocator::new(Options {
                seed,
                ..Options::default()
            }),
            frameworks: BTreeMap::new(),
            agents: BTreeMap::new(),
            allocated: BTreeMap::new(),
            filters: Vec::new(),
            now_ms: 0,
            history: Vec::new(),
        }
    }

    pub(crate) fn run(&mut self, event: Event) {
        self.apply(event);
        self.allocated.retain(|_, resources| !resources.is_empty());
        self.check();
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::AddFramework {
                framework,
                roles,
                used,
            } => {
                self.add_framework(&framework_id(framework), some_roles(&roles), used);
            }
            Event::RemoveFramework(i) => {
                let id = framework_id(i);
                let known = self.frameworks.remove(&id).is_some();
                let has_something = self.allocated.keys().any(|party| party.0 == id);
                if known || has_something {
                    self.allocated.retain(|party, _| party.0 != id);
                    self.filters.retain(|(party, ..)| party.0 != id);
                }
                self.allocator.remove_framework(&id);
            }
            Event::ActivateFramework(i) => self.set_active(&framework_id(i), true),
            Event::DeactivateFramework(i) => self.set_active(&framework_id(i), false),
            Event::UpdateFramework { framework, roles } => {
                let (id, roles) = (framework_id(framework), some_roles(&roles));
                self.allocator.update_framework(
                    &id,
                    roles.clone(),
                    BTreeSet::new(),
                    &BTreeSet::new(),
                );
                if let Some(known) = self.frameworks.get_mut(&id) {
                    self.filters
                        .retain(|(party, ..)| party.0 != id || roles.contains(&party.1));
                    known.roles = roles;
                    known.suppressed.clear();
                }
            }
            Event::Suppress(i, roles) => {
                let (id, named) = (framework_id(i), some_roles(&roles));
                self.allocator.suppress(&id, &named);
                if let Some(known) = self.frameworks.get_mut(&id) {
                    let all = named.is_empty();
                    let theirs = known
                        .roles
                        .iter()
                        .filter(|role| all || named.contains(*role));
                    known.suppressed.extend(theirs.cloned());
                }
            }
            Event::Revive(i, roles) => {
                let (id, named) = (framework_id(i), some_roles(&roles));
                self.allocator.revive(&id, &named);
                if let Some(known) = self.frameworks.get_mut(&id) {
                    let hit = |role: &Role| named.is_empty() || named.contains(role);
                    known.suppressed.retain(|role| !hit(role));
                    self.filters
                        .retain(|(party, ..)| party.0 != id || !hit(&party.1));
                }
            }
            Event::AddAgent { agent, size, used } => {
                self.add_agent(&agent_id(agent), size, used);
            }
            Event::RemoveAgent(i) => {
                let id = agent_id(i);
                self.allocator.remove_agent(&id);
                self.forget_agent(&id);
            }
            Event::ActivateAgent(i) => {
                self.allocator.activate_agent(&agent_id(i));
                if let Some(known) = self.agents.get_mut(&agent_id(i)) {
                    known.active = true;
                }
            }
            Event::DeactivateAgent(i) => {
                self.allocator.deactivate_agent(&agent_id(i));
                if let Some(known) = self.agents.get_mut(&agent_id(i)) {
                    known.active = false;
                }
            }
            Event::UpdateAgent { agent, size } => {
                self.allocator.update_agent(&agent_id(agent), total(size));
                if let Some(known) = self.agents.get_mut(&agent_id(agent)) {
                    known.total = total(size);
                }
            }
            Event::Recover {
                which,
                part,
                refuse_s,
            } => self.recover(which, part, refuse_s),
            Event::Reserve { which } => self.reserve(which),
            Event::Weigh(i, weight) => {
                let weight = allocator::Weight::from_f64(f64::from(weight) + 1.0).unwrap();
                self.allocator
                    .update_weights([(role(ROLES[i % ROLES.len()]), weight)]);
            }
            Event::Pass(ms) => self.now_ms += u64::from(ms),
            Event::Allocate => {
                let round = self.allocator.allocate(self.now_ms);
                self.follow(round);
            }
            Event::AllocateAll => {
                let round = self.allocator.allocate_all(self.now_ms);
                self.follow(round);
                self.check_nothing_is_left();
            }
        }
    }

    fn add_framework(&mut self, id: &FrameworkId, roles: BTreeSet<Role>, used: Option<usize>) {
        let mut entry = FrameworkEntry::new(id.clone(), roles.clone());
        let host = used
            .map(agent_id)
            .filter(|agent| self.agents.contains_key(agent));
        if let (Some(host), Some(first)) = (host, roles.first()) {
            let party = (id.clone(), first.clone(), host.clone());
            let known = self.allocated.get(&party).cloned().unwrap_or_default();
            // What it has, or a little of what is free: never what is another's.
            let free = self.free(&host).unreserved();
            let little = Resources::new().cpus(0.5);
            let now = if free.contains(&little) {
                known + little
            } else {
                known
            };
            if !now.is_empty() {
                entry
                    .used
                    .entry(host)
                    .or_default()
                    .insert(first.clone(), now.clone());
                self.allocated.insert(party, now);
            }
        }
        self.allocator.add_framework(entry);
        if let Some(known) = self.frameworks.get(id) {
            let left: Vec<Role> = known.roles.difference(&roles).cloned().collect();
            self.filters
                .retain(|(party, ..)| party.0 != *id || !left.contains(&party.1));
        }
        let known = Framework {
            roles,
            suppressed: BTreeSet::new(),
            active: true,
        };
        self.frameworks.insert(id.clone(), known);
    }

    fn set_active(&mut self, id: &FrameworkId, active: bool) {
        if active {
            self.allocator.activate_framework(id);
        } else {
            self.allocator.deactivate_framework(id);
            if self.frameworks.contains_key(id) {
                self.filters.retain(|(party, ..)| party.0 != *id);
            }
        }
        if let Some(known) = self.frameworks.get_mut(id) {
            known.active = active;
        }
    }

    fn add_agent(&mut self, id: &AgentId, size: u64, used: Option<(usize, usize)>) {
        self.forget_agent(id);
        let mut entry = AgentEntry::new(id.clone(), total(size));
        if let Some((i, of_role)) = used {
            let of_role = role(ROLES[of_role % ROLES.len()]);
            let taken = resources("cpus:1;ports:[1-1]");
            let by_role = BTreeMap::from([(of_role.clone(), taken.clone())]);
            entry.used.insert(framework_id(i), by_role);
            self.allocated
                .insert((framework_id(i), of_role, id.clone()), taken);
        }
        self.allocator.add_agent(entry);
        self.agents.insert(
            id.clone(),
            Agent {
                total: total(size),
                active: true,
            },
        );
    }

    fn forget_agent(&mut self, id: &AgentId) {
        self.agents.remove(id);
        self.allocated.retain(|party, _| party.2 != *id);
        self.filters.retain(|(party, ..)| party.2 != *id);
    }

    /// One of the allocations, or none if there are none.
    fn pick(&self, which: usize) -> Option<(Party, Resources)> {
        let count = self.allocated.len().max(1);
        let picked = self.allocated.iter().nth(which % count)?;
        Some((picked.0.clone(), picked.1.clone()))
    }

    fn recover(&mut self, which: usize, part: u64, refuse_s: Option<u8>) {
        let Some((party, resources)) = self.pick(which) else {
            return;
        };
        let back = match part % 3 {
            0 => resources,
            1 => resources.filter(|resource| resource.name == types::ResourceName::CPUS),
            _ => resources.unreserved(),
        };
        let filters = refuse_s.map(|seconds| Filters::from_seconds(f64::from(seconds)));
        let (framework, role, agent) = &party;
        self.allocator
            .recover(framework, agent, role, &back, filters, self.now_ms);
        *self.allocated.get_mut(&party).unwrap() -= &back;
        let refuse_ms = filters.map_or(0, |filters| filters.refuse_ms());
        let listens = self.frameworks.get(framework);
        let listens = listens.is_some_and(|f| f.active && f.roles.contains(role));
        if refuse_ms > 0 && listens && !back.is_empty() {
            self.filters
                .push((party, back, self.now_ms + refuse_ms.max(1_000)));
        }
    }

    fn reserve(&mut self, which: usize) {
        let Some((party, resources)) = self.pick(which) else {
            return;
        };
        let (framework, role, agent) = &party;
        let consumed = resources.unreserved();
        if role.is_any() || consumed.is_empty() {
            return;
        }
        let reservation = Reservation::dynamic(role.clone(), None);
        let converted = consumed.push_reservation(&reservation).unwrap();
        let known = &self.agents[agent].total;
        let possible = known.contains(&consumed);
        let conversion = Conversion {
            consumed,
            converted,
        };
        let result = self.allocator.update_allocation(
            framework,
            agent,
            role,
            std::slice::from_ref(&conversion),
        );
        assert_eq!(result.is_ok(), possible);
        if possible {
            let convert = |resources: &mut Resources| {
                *resources -= &conversion.consumed;
                *resources += &conversion.converted;
            };
            convert(&mut self.agents.get_mut(agent).unwrap().total);
            convert(self.allocated.get_mut(&party).unwrap());
        }
    }

    fn free(&self, agent: &AgentId) -> Resources {
        let total = self.agents[agent].total.clone();
        let of_agent = self.allocated.iter().filter(|(party, _)| party.2 == *agent);
        of_agent.fold(total, |free, (_, resources)| free - resources)
    }

    fn is_blocked(&self, party: &Party, resources: &Resources) -> bool {
        self.filters.iter().any(|(whose, refused, until_ms)| {
            whose == party && *until_ms > self.now_ms && refused.contains(resources)
        })
    }

    /// Checks each allocation against the books, and enters it.
    fn follow(&mut self, round: Vec<Allocation>) {
        for Allocation {
            framework,
            role,
            agent,
            resources,
        } in &round
        {
            let known = &self.frameworks[framework];
            assert!(known.active, "{framework} is not active");
            assert!(known.roles.contains(role), "{framework} is not in {role}");
            assert!(
                !known.suppressed.contains(role),
                "{framework} suppresses {role}"
            );
            assert!(self.agents[agent].active, "{agent} is not active");
            assert!(!resources.is_empty());
            assert!(
                self.free(agent).contains(resources),
                "{resources} of {agent} are not free"
            );
            assert_eq!(resources.allocatable_to(role), *resources);
            let party = (framework.clone(), role.clone(), agent.clone());
            assert!(
                !self.is_blocked(&party, resources),
                "{framework} refused {resources}"
            );
            *self.allocated.entry(party).or_default() += resources;
        }
        self.history.push(round);
    }

    /// After a round over all agents, nobody willing could have been given anything.
    fn check_nothing_is_left(&self) {
        for (agent, known) in self.agents.iter().filter(|(_, known)| known.active) {
            let free = self.free(agent);
            for (framework, entry) in self.frameworks.iter().filter(|(_, entry)| entry.active) {
                for role in entry.roles.difference(&entry.suppressed) {
                    let offer = free.allocatable_to(role);
                    let worthwhile = offer.total_cpus().thousandths() >= 10
                        || offer.total_mem_mib().units() >= 32;
                    let party = (framework.clone(), role.clone(), agent.clone());
                    let passed_over = worthwhile && !self.is_blocked(&party, &offer);
                    assert!(
                        !passed_over,
                        "{framework} could have {offer} of {}",
                        known.total
                    );
                }
            }
        }
    }

    fn check(&self) {
        self.allocator.assert_consistent();
        let mut sum = ResourceQuantities::new();
        let mut by_role: BTreeMap<Role, ResourceQuantities> = BTreeMap::new();
        for ((_, role, _), resources) in &self.allocated {
            sum += resources;
            for level in std::iter::once(role.clone()).chain(role.ancestors()) {
                *by_role.entry(level).or_default() += resources;
            }
        }
        assert_eq!(*self.allocator.offered_or_allocated(), sum);
        for text in ROLES {
            let expected = by_role.remove(&role(text)).unwrap_or_default();
            assert_eq!(
                self.allocator.offered_or_allocated_to(&role(text)),
                expected,
                "{text}"
            );
        }
        let mut total = ResourceQuantities::new();
        self.agents.values().for_each(|agent| total += &agent.total);
        assert_eq!(*self.allocator.total(), total);
    }
}
