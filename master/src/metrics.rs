//! What a master counts since it started.

use std::collections::BTreeMap;

use serde::Serialize;
use types::TaskState;

/// Counters of a master.
#[derive(Debug, Default, Clone, Serialize)]
pub(crate) struct Metrics {
    /// Tasks that ended, by state.
    pub(crate) tasks_ended: BTreeMap<String, u64>,
    pub(crate) tasks_launched: u64,
    pub(crate) tasks_refused: u64,
    /// Messages that were not for us, or not from whom they said, by name.
    pub(crate) messages_dropped: BTreeMap<&'static str, u64>,
    pub(crate) agent_registrations: u64,
    pub(crate) agent_reregistrations: u64,
    pub(crate) agents_unreachable: u64,
    pub(crate) agents_removed: u64,
    pub(crate) framework_subscriptions: u64,
    pub(crate) framework_failovers: u64,
    pub(crate) frameworks_removed: u64,
    pub(crate) offers_sent: u64,
    pub(crate) offers_accepted: u64,
    pub(crate) offers_declined: u64,
    pub(crate) offers_rescinded: u64,
    pub(crate) offers_invalid: u64,
    pub(crate) status_updates: u64,
    /// Allocations that were void when they came.
    pub(crate) allocations_void: u64,
}

impl Metrics {
    pub(crate) fn ended(&mut self, state: TaskState) {
        *self.tasks_ended.entry(state.to_string()).or_default() += 1;
    }

    pub(crate) fn dropped(&mut self, message: &'static str) {
        *self.messages_dropped.entry(message).or_default() += 1;
    }
}
