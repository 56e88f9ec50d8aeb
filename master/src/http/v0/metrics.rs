//! Metrics under the names of the original, those that have a meaning here.

use std::collections::BTreeMap;

use libproc::Node;
use types::{ResourceName, Resources, TaskState};

use super::task;
use crate::http::page::{LOOK, Page};
use crate::http::snapshot::Snapshot;
use crate::metrics::Metrics;
use crate::process::MasterProcess;

/// What is shown of each resource.
const RESOURCES: [ResourceName; 4] = [
    ResourceName::CPUS,
    ResourceName::DISK,
    ResourceName::GPUS,
    ResourceName::MEM,
];

/// The states tasks are counted in while they are in them.
const GAUGES: [TaskState; 5] = [
    TaskState::Staging,
    TaskState::Starting,
    TaskState::Running,
    TaskState::Killing,
    TaskState::Unreachable,
];

/// The states tasks are counted in once they have ended in them.
const COUNTERS: [TaskState; 8] = [
    TaskState::Finished,
    TaskState::Failed,
    TaskState::Killed,
    TaskState::Error,
    TaskState::Lost,
    TaskState::Dropped,
    TaskState::Gone,
    TaskState::GoneByOperator,
];

/// All there is to count at one moment; to count it may take longer than the master has time.
pub(in crate::http) struct Metering {
    snapshot: Snapshot,
    counters: Metrics,
    /// What the node itself measures.
    readings: BTreeMap<String, f64>,
    uptime_secs: f64,
}

impl MasterProcess {
    pub(in crate::http) fn metering(&self, node: &Node) -> Metering {
        let readings = node.readings().into_iter();
        Metering {
            snapshot: self.snapshot(),
            counters: self.metrics.clone(),
            readings: readings
                .filter_map(|(name, number)| Some((name, number.as_f64()?)))
                .collect(),
            uptime_secs: self.started.elapsed().as_secs_f64(),
        }
    }
}

impl Metering {
    /// Every metric of the master and of its node, by name; gives way to the other work of the
    /// `page` they are for.
    pub(in crate::http) async fn values(mut self, page: &mut Page) -> BTreeMap<String, f64> {
        let mut values = std::mem::take(&mut self.readings);
        let mut put = |name: &str, value: f64| {
            values.insert(format!("master/{name}"), value);
        };
        put("uptime_secs", self.uptime_secs);
        put("elected", 1.0);
        self.count_members(&mut put);
        self.count_tasks(&mut put, page).await;
        self.measure_resources(&mut put);
        self.count_messages(&mut put);
        values
    }

    fn count_members(&self, put: &mut impl FnMut(&str, f64)) {
        let books = &self.snapshot.books;
        let agents = books.agents().count() as f64;
        let connected = books.agents().filter(|agent| agent.connected).count() as f64;
        put("slaves_connected", connected);
        put("slaves_disconnected", agents - connected);
        put("slaves_active", connected);
        put("slaves_inactive", agents - connected);
        put(
            "slaves_unreachable",
            books.unreachable_agents().count() as f64,
        );
        let frameworks = books.frameworks().count() as f64;
        let active = books.frameworks().filter(|f| f.is_active()).count() as f64;
        put("frameworks_connected", active);
        put("frameworks_disconnected", frameworks - active);
        put("frameworks_active", active);
        put("frameworks_inactive", frameworks - active);
        put("outstanding_offers", books.offers().count() as f64);
    }

    async fn count_tasks(&self, put: &mut impl FnMut(&str, f64), page: &mut Page) {
        let metric = |state| {
            let name = task::name(state).trim_start_matches("TASK_");
            format!("tasks_{}", name.to_lowercase())
        };
        let mut living: BTreeMap<TaskState, u64> = GAUGES.map(|state| (state, 0)).into();
        for framework in self.snapshot.books.frameworks() {
            page.work(LOOK * framework.tasks().len()).await;
            for (state, tasks) in &framework.sums().states {
                if let Some(count) = living.get_mut(state) {
                    *count += tasks;
                }
            }
            let unreachable = framework.unreachable_tasks().count() as u64;
            *living.entry(TaskState::Unreachable).or_default() += unreachable;
        }
        for (state, count) in living {
            put(&metric(state), count as f64);
        }
        for state in COUNTERS {
            let ended = self.counters.tasks_ended.get(&state.to_string());
            put(&metric(state), ended.copied().unwrap_or(0) as f64);
        }
    }

    fn measure_resources(&self, put: &mut impl FnMut(&str, f64)) {
        let connected = || self.snapshot.books.agents().filter(|agent| agent.connected);
        let total: Resources = connected().map(|agent| &agent.info.resources).sum();
        let used: Resources = connected().map(|agent| agent.used()).sum();
        for name in &RESOURCES {
            let (total, used) = (total.scalar(name).as_f64(), used.scalar(name).as_f64());
            put(&format!("{name}_total"), total);
            put(&format!("{name}_used"), used);
            let share = if total > 0.0 { used / total } else { 0.0 };
            put(&format!("{name}_percent"), share);
        }
    }

    fn count_messages(&self, put: &mut impl FnMut(&str, f64)) {
        let metrics = &self.counters;
        let dropped: u64 = metrics.messages_dropped.values().sum();
        for (name, count) in [
            ("dropped_messages", dropped),
            ("slave_registrations", metrics.agent_registrations),
            ("slave_reregistrations", metrics.agent_reregistrations),
            (
                "slave_removals",
                metrics.agents_removed + metrics.agents_unreachable,
            ),
            (
                "slave_removals/reason_unhealthy",
                metrics.agents_unreachable,
            ),
            ("slave_unreachable_completed", metrics.agents_unreachable),
            ("messages_status_update", metrics.status_updates),
            ("offers_sent", metrics.offers_sent),
            ("offers_accepted", metrics.offers_accepted),
            ("offers_declined", metrics.offers_declined),
            ("offers_rescinded", metrics.offers_rescinded),
            ("tasks_launched", metrics.tasks_launched),
            ("framework_subscriptions", metrics.framework_subscriptions),
            ("framework_failovers", metrics.framework_failovers),
            ("frameworks_removed", metrics.frameworks_removed),
        ] {
            put(name, count as f64);
        }
    }
}
