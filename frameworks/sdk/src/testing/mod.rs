//! Tests of frameworks without a cluster: offers and updates to hand to a framework, and a
//! [`Stage`] that plays one against a pretended cluster, with faults, in milliseconds.
//!
//! Simulations with the real master and agents are in the crate `cluster`.

mod play;
mod stage;
#[cfg(test)]
mod tests;

pub use play::Played;
pub use stage::{Actual, Stage};

use std::sync::atomic::{AtomicU64, Ordering};

use types::{AgentId, Attributes, FrameworkId, MasterInfo, Offer, OfferId, Resources, Role};
use types::{Source, TaskId, TaskState, TaskStatus};

use crate::framework::{Subscribed, TaskUpdate};

/// Numbers offers, so that no two are the same.
static OFFERS: AtomicU64 = AtomicU64::new(1);

/// An offer of `resources` on the agent `agent`, for the role `*` of the framework `framework`.
///
/// # Panics
/// When `agent` cannot be an id.
pub fn offer(agent: &str, resources: Resources) -> Offer {
    let number = OFFERS.fetch_add(1, Ordering::Relaxed);
    Offer {
        id: OfferId::new(format!("offer-{number}")).expect("a number has no slashes"),
        framework_id: FrameworkId::new("framework").expect("a plain word"),
        agent_id: AgentId::new(agent).expect("the agent of a test has a valid id"),
        hostname: "localhost".to_owned(),
        role: Role::any(),
        resources,
        attributes: Attributes::default(),
        executor_ids: Vec::new(),
        agent_address: "127.0.0.1:5051".to_owned(),
    }
}

/// An update that says that `task_id` is in `state`.
pub fn update(task_id: &TaskId, state: TaskState) -> TaskUpdate {
    TaskStatus::new(task_id.clone(), state, Source::Agent, 0)
}

/// The answer to a subscription, of a master that is nowhere.
pub fn subscribed() -> Subscribed {
    Subscribed {
        framework_id: FrameworkId::new("framework").expect("a plain word"),
        master: MasterInfo {
            id: "master".to_owned(),
            hostname: "localhost".to_owned(),
            address: "127.0.0.1:5050".to_owned(),
            version: api::VERSION.to_owned(),
        },
    }
}
