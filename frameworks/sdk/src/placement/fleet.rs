//! Tasks that belong together, where they run, and where the next one goes.

use std::collections::BTreeMap;
use std::fmt;

use types::{AgentId, Offer, Resource, Resources};

use super::constraint::Constraint;

/// Which of the agents that will do a task goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Preference {
    /// The first that is offered.
    #[default]
    First,
    /// That on which the fewest siblings run: the loss of an agent costs few.
    Spread,
    /// That with the least left over: large tasks find room elsewhere.
    Pack,
}

/// Why a task goes nowhere among some offers, in the order of what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unplaced {
    /// Nothing is offered.
    NoOffers,
    /// No offer has so much: the first of its resources that none has enough of.
    Resources(String),
    /// Some have, but this constraint allows none of those.
    Constraint(Constraint),
}

impl fmt::Display for Unplaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unplaced::NoOffers => f.write_str("nothing is offered"),
            Unplaced::Resources(what) => write!(f, "no agent has {what} free"),
            Unplaced::Constraint(constraint) => {
                write!(
                    f,
                    "the constraint {constraint} allows none of the agents with room"
                )
            }
        }
    }
}

/// Tasks that belong together, and where they run.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    /// Where each runs: as much of an offer as constraints look at.
    tasks: BTreeMap<String, Offer>,
}

impl Fleet {
    /// A task runs on the agent of this offer.
    pub fn add(&mut self, task: impl Into<String>, offer: &Offer) {
        let offer = Offer {
            resources: Resources::new(),
            ..offer.clone()
        };
        self.tasks.insert(task.into(), offer);
    }

    /// A task runs no longer.
    pub fn remove(&mut self, task: &str) {
        self.tasks.remove(task);
    }

    /// How many run.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether none runs.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// How many run on an agent.
    pub fn on(&self, agent_id: &AgentId) -> usize {
        let here = |offer: &&Offer| offer.agent_id == *agent_id;
        self.tasks.values().filter(here).count()
    }

    /// The offer, by its place in the list, that the next task goes to.
    ///
    /// # Errors
    /// What stands in the way.
    pub fn place(
        &self,
        offers: &[Offer],
        need: &Resources,
        constraints: &[Constraint],
        preference: Preference,
    ) -> Result<usize, Unplaced> {
        let mut fits = Vec::new();
        for (index, offer) in offers.iter().enumerate() {
            if offer.resources.contains(need) {
                fits.push(index);
            }
        }
        if fits.is_empty() {
            return Err(self.short_of(offers, need));
        }
        for constraint in constraints {
            let others = self.tasks.values().map(|offer| constraint.look(offer));
            let others: Vec<_> = others.collect();
            fits.retain(|index| {
                let value = constraint.look(&offers[*index]);
                constraint.allows(value.as_deref(), &others)
            });
            if fits.is_empty() {
                return Err(Unplaced::Constraint(constraint.clone()));
            }
        }
        let chosen = match preference {
            Preference::First => fits.first().copied(),
            Preference::Spread => {
                let crowd = |index: &usize| self.on(&offers[*index].agent_id);
                fits.into_iter().min_by_key(crowd)
            }
            Preference::Pack => {
                let left = |index: &usize| {
                    let left = &offers[*index].resources - need;
                    (left.total_cpus(), left.total_mem_mib())
                };
                fits.into_iter().min_by_key(left)
            }
        };
        chosen.ok_or(Unplaced::NoOffers)
    }

    fn short_of(&self, offers: &[Offer], need: &Resources) -> Unplaced {
        if offers.is_empty() {
            return Unplaced::NoOffers;
        }
        let part = |resource: &Resource| {
            let mut part = Resources::new();
            part.insert(resource.clone()).ok().map(|()| part)
        };
        let lacks = |part: &Resources| !offers.iter().any(|o| o.resources.contains(part));
        let lacking = need.iter().filter_map(part).find(lacks);
        Unplaced::Resources(lacking.as_ref().unwrap_or(need).to_string())
    }
}
