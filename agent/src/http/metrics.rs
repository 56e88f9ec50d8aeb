//! `/metrics/snapshot` and GET_METRICS: the numbers of Apache Mesos's agent that mean something
//! here, under its names, with those of the node.

use std::collections::BTreeMap;
use std::fs;

use libproc::env;
use libproc::http::{Answer, Request};
use libproc::prelude::*;
use serde_json::json;
use types::{ResourceName, Task, TaskState};

use super::{Query, page};
use crate::agent::Agent;
use crate::books::Phase;

/// Numbers by name.
pub(super) type Metrics = BTreeMap<String, f64>;

pub(super) fn serve(agent: &mut Agent, request: Request, ctx: &mut Context<Agent>) -> Answer {
    // The numbers are at hand: nothing takes so long that it would be left out.
    if let Err(refusal) = Query::of(&request).duration("timeout") {
        return refusal.into();
    }
    let mut metrics = json!(agent.metrics());
    for (name, value) in ctx.node().readings() {
        metrics[name] = json!(value);
    }
    page(&request, &metrics)
}

pub(super) fn system_stats(_: &mut Agent, request: Request, _: &mut Context<Agent>) -> Answer {
    let mut metrics = Metrics::new();
    system(&mut metrics);
    let names = [
        ("avg_load_1min", "system/load_1min"),
        ("avg_load_5min", "system/load_5min"),
        ("avg_load_15min", "system/load_15min"),
        ("cpus_total", "system/cpus_total"),
        ("mem_free_bytes", "system/mem_free_bytes"),
        ("mem_total_bytes", "system/mem_total_bytes"),
    ];
    let known = names
        .iter()
        .filter_map(|(name, metric)| Some((*name, metrics.get(*metric)?)));
    page(&request, &json!(known.collect::<BTreeMap<_, _>>()))
}

impl Agent {
    pub(super) fn metrics(&self) -> Metrics {
        let mut metrics = Metrics::new();
        system(&mut metrics);
        let mut set = |name: &str, value: f64| {
            metrics.insert(format!("slave/{name}"), value);
        };
        self.resource_metrics(&mut set);
        self.task_metrics(&mut set);
        self.executor_metrics(&mut set);
        let counters = &self.counters;
        for (name, value) in [
            ("tasks_failed", counters.tasks_failed),
            ("tasks_finished", counters.tasks_finished),
            ("tasks_gone", counters.tasks_gone),
            ("tasks_killed", counters.tasks_killed),
            ("tasks_lost", counters.tasks_lost),
            ("executors_terminated", counters.executors_terminated),
            ("container_launch_errors", counters.container_launch_errors),
            ("valid_status_updates", counters.valid_status_updates),
            ("invalid_status_updates", counters.invalid_status_updates),
            (
                "valid_framework_messages",
                counters.valid_framework_messages,
            ),
            (
                "invalid_framework_messages",
                counters.invalid_framework_messages,
            ),
        ] {
            set(name, value as f64);
        }
        let uptime_ms = env::unix_ms().saturating_sub(self.started_ms);
        set("uptime_secs", uptime_ms as f64 / 1_000.0);
        let registered = self.registration.is_registered();
        set("registered", f64::from(u8::from(registered)));
        set("frameworks_active", self.books.frameworks().count() as f64);
        let age = self.garbage.age_max(&self.options.work_dir);
        if let Some(age) = age {
            set("executor_directory_max_allowed_age_secs", age.as_secs_f64());
        }
        // Nothing is taken from executors for others, and nothing is recovered.
        set("executors_preempted", 0.0);
        set("recovery_errors", 0.0);
        let removals = self.garbage.removals();
        for (name, count) in [
            ("pending", removals.pending),
            ("succeeded", removals.succeeded),
            ("failed", removals.failed),
        ] {
            metrics.insert(format!("gc/path_removals_{name}"), count as f64);
        }
        metrics
    }

    fn resource_metrics(&self, set: &mut impl FnMut(&str, f64)) {
        let (all, used) = (&self.info.resources, self.books.used());
        for (name, text) in [
            (ResourceName::CPUS, "cpus"),
            (ResourceName::MEM, "mem"),
            (ResourceName::DISK, "disk"),
            (ResourceName::GPUS, "gpus"),
        ] {
            for (revocable, suffix) in [(false, ""), (true, "_revocable")] {
                let sum = |resources: &types::Resources| {
                    let fitting = resources.iter().filter(|resource| {
                        resource.name == name && resource.revocable == revocable
                    });
                    let amounts = fitting.filter_map(|resource| resource.value.as_scalar());
                    amounts
                        .map(types::Scalar::as_f64)
                        .fold(0.0, |sum, amount| sum + amount)
                };
                let (total, used) = (sum(all), sum(used));
                set(&format!("{text}{suffix}_total"), total);
                set(&format!("{text}{suffix}_used"), used);
                let share = if total > 0.0 { used / total } else { 0.0 };
                set(&format!("{text}{suffix}_percent"), share);
            }
        }
    }

    fn task_metrics(&self, set: &mut impl FnMut(&str, f64)) {
        let frameworks = self.books.frameworks();
        let executors = frameworks.flat_map(|(_, framework)| framework.executors.values());
        let tasks: Vec<&Task> = executors
            .flat_map(|executor| executor.tasks.values())
            .collect();
        for (name, state) in [
            ("tasks_staging", TaskState::Staging),
            ("tasks_starting", TaskState::Starting),
            ("tasks_running", TaskState::Running),
            ("tasks_killing", TaskState::Killing),
        ] {
            let count = tasks.iter().filter(|task| task.state == state).count();
            set(name, count as f64);
        }
    }

    fn executor_metrics(&self, set: &mut impl FnMut(&str, f64)) {
        for (name, phase) in [
            ("executors_registering", Phase::Starting),
            ("executors_running", Phase::Running),
            ("executors_terminating", Phase::Ending),
        ] {
            let frameworks = self.books.frameworks();
            let executors = frameworks.flat_map(|(_, framework)| framework.executors.values());
            let count = executors.filter(|executor| executor.phase == phase).count();
            set(name, count as f64);
        }
    }
}

/// What Linux says of the machine; what it does not say is left out.
fn system(metrics: &mut Metrics) {
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    metrics.insert("system/cpus_total".to_owned(), cpus as f64);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load
        .split(' ')
        .map_while(|number| number.parse::<f64>().ok());
    for (minutes, load) in ["1min", "5min", "15min"].into_iter().zip(load) {
        metrics.insert(format!("system/load_{minutes}"), load);
    }
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    for (name, line) in [("free", "MemFree:"), ("total", "MemTotal:")] {
        let rest = memory.lines().find_map(|text| text.strip_prefix(line));
        let kib = rest.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<f64>().ok());
        if let Some(kib) = kib {
            metrics.insert(format!("system/mem_{name}_bytes"), kib * 1_024.0);
        }
    }
}
