//! `/containers`, `/monitor/statistics` and GET_CONTAINERS: executors that run, and what they use.

use std::collections::BTreeSet;

use api::v1::agent::response::Container;
use api::v1::{ContainerStatus, ResourceStatistics};
use libproc::env;
use libproc::http::{Answer, Request};
use libproc::prelude::*;
use serde_json::{Value, json};

use super::files::later;
use super::{Query, Refusal};
use crate::agent::Agent;
use crate::books::Phase;
use crate::usage::{Usage, measure};

/// A container, and where it comes from for people.
#[derive(Debug, Clone)]
pub(super) struct Described {
    container: Container,
    source: String,
}

pub(super) fn containers(agent: &mut Agent, request: Request, ctx: &mut Context<Agent>) -> Answer {
    let (query, described) = (Query::of(&request), agent.described_containers());
    later(agent, ctx, move || {
        let page = |container: &Described| {
            let mut page = statistics_of(container);
            let Container {
                container_id,
                container_status,
                ..
            } = &container.container;
            page["container_id"] = json!(container_id.value);
            page["status"] = json!(container_status);
            page
        };
        query.json(
            &with_statistics(described)?
                .iter()
                .map(page)
                .collect::<Value>(),
        )
    })
}

pub(super) fn statistics(agent: &mut Agent, request: Request, ctx: &mut Context<Agent>) -> Answer {
    let (query, described) = (Query::of(&request), agent.described_containers());
    later(agent, ctx, move || {
        let pages = with_statistics(described)?;
        query.json(&pages.iter().map(statistics_of).collect::<Value>())
    })
}

fn statistics_of(described: &Described) -> Value {
    let Container {
        framework_id,
        executor_id,
        executor_name,
        resource_statistics,
        ..
    } = &described.container;
    json!({
        "executor_id": executor_id.as_ref().map(|id| &id.value),
        "executor_name": executor_name,
        "framework_id": framework_id.as_ref().map(|id| &id.value),
        "source": described.source,
        "statistics": resource_statistics,
    })
}

impl Agent {
    /// The containers that have not ended, with what their tasks asked for.
    pub(super) fn described_containers(&self) -> Vec<Described> {
        let executors = self.books.frameworks().flat_map(|(id, framework)| {
            let executors = framework.executors.values();
            executors.map(move |executor| (id, executor))
        });
        let living = executors.filter(|(_, executor)| executor.phase != Phase::Gone);
        let described = living.map(|(framework_id, executor)| {
            let mut allocated = executor.info.resources.clone();
            for task in executor
                .tasks
                .values()
                .filter(|task| !task.state.is_terminal())
            {
                allocated += &task.resources;
            }
            let memory_bytes = allocated.total_mem_mib().as_f64() * f64::from(1 << 20);
            let container_id = api::v1::ContainerId::from(&executor.container_id);
            Described {
                source: executor.info.source.clone(),
                container: Container {
                    framework_id: Some(framework_id.into()),
                    executor_id: Some((&executor.info.executor_id).into()),
                    executor_name: Some(executor.info.name.clone()),
                    container_id: container_id.clone(),
                    container_status: Some(ContainerStatus {
                        container_id: Some(container_id),
                        executor_pid: executor.os_pid,
                        ..ContainerStatus::default()
                    }),
                    resource_statistics: Some(Box::new(ResourceStatistics {
                        timestamp: env::unix_ms() as f64 / 1_000.0,
                        cpus_soft_limit: Some(allocated.total_cpus().as_f64()),
                        mem_limit_bytes: Some(memory_bytes as u64),
                        mem_soft_limit_bytes: Some(memory_bytes as u64),
                        ..ResourceStatistics::default()
                    })),
                },
            }
        });
        described.collect()
    }
}

/// Adds what the containers use. Reads the machine's table of processes.
fn with_statistics(described: Vec<Described>) -> Result<Vec<Described>, Refusal> {
    let pid = |described: &Described| {
        let status = described.container.container_status.as_ref();
        status.and_then(|status| status.executor_pid)
    };
    let leaders: BTreeSet<u32> = described.iter().filter_map(pid).collect();
    let usage = measure(&leaders).map_err(|error| Refusal::failed(&error))?;
    let mut described = described;
    for container in &mut described {
        let usage = pid(container).and_then(|pid| usage.get(&pid));
        let statistics = container.container.resource_statistics.as_mut();
        if let (Some(usage), Some(statistics)) = (usage, statistics) {
            add(usage, statistics);
        }
    }
    Ok(described)
}

/// The containers as the operator API has them.
pub(super) fn measured(described: Vec<Described>) -> Result<Vec<Container>, Refusal> {
    let described = with_statistics(described)?.into_iter();
    Ok(described.map(|described| described.container).collect())
}

fn add(usage: &Usage, statistics: &mut ResourceStatistics) {
    statistics.processes = Some(usage.processes);
    statistics.threads = Some(usage.threads);
    statistics.cpus_user_time_secs = Some(usage.user_time);
    statistics.cpus_system_time_secs = Some(usage.system_time);
    statistics.mem_rss_bytes = Some(usage.rss_bytes);
}
