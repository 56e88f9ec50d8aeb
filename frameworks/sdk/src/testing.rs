//! Offers and updates for tests of frameworks without a cluster.

use std::sync::atomic::{AtomicU64, Ordering};

use types::{AgentId, Attributes, FrameworkId, Offer, OfferId, Resources, Role, Source, TaskId};
use types::{TaskState, TaskStatus};

use crate::framework::TaskUpdate;

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
