//! Who takes part in the chaos: agents and frameworks that believe what they are told.

use std::collections::BTreeMap;
use std::time::Duration;

use api::agent::{self, RunTask};
use api::scheduler;
use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use types::{
    AgentId, FrameworkId, FrameworkInfo, Offer, Role, Task, TaskId, TaskState, TaskStatus,
};

use crate::world::*;

/// An agent that believes what it is told.
pub(super) struct Node {
    pub(super) name: String,
    pub(super) stand: Option<Agent>,
    pub(super) id: Option<AgentId>,
    pub(super) tasks: BTreeMap<(FrameworkId, TaskId), (Task, FrameworkInfo)>,
}

/// A framework that takes what it gets.
pub(super) struct Client {
    pub(super) name: String,
    pub(super) stand: Option<Scheduler>,
    pub(super) id: Option<FrameworkId>,
    pub(super) offers: Vec<Offer>,
    pub(super) launched: Vec<TaskId>,
}

impl Node {
    /// Starts, or says again that it is there.
    pub(super) async fn come(&mut self, world: &World) {
        if self.stand.is_none() {
            self.stand = Some(AgentStand::start(&world.node, &self.name, Mute::No).await);
        }
        let Some(stand) = &self.stand else { return };
        let Some(id) = &self.id else {
            return world.register(stand, agent_info());
        };
        let report = Report {
            frameworks: self.tasks.values().map(|(_, info)| info.clone()).collect(),
            executors: vec![],
            tasks: self.tasks.values().map(|(task, _)| task.clone()).collect(),
        };
        world.reregister(stand, id, report);
    }

    pub(super) async fn leave(&mut self) {
        if let Some(stand) = self.stand.take() {
            stand.end().await;
        }
    }

    pub(super) fn report_state(
        &mut self,
        key: &(FrameworkId, TaskId),
        state: TaskState,
        world: &World,
    ) {
        let (Some(stand), Some(id)) = (&self.stand, &self.id) else {
            return;
        };
        if let Some((task, _)) = self.tasks.get_mut(key) {
            task.state = state;
            world.update(stand, id, (&key.0, key.1.as_str()), state);
        }
        if state.is_terminal() {
            self.tasks.remove(key);
        }
    }

    pub(super) fn hear(&mut self, world: &World) {
        let Some(stand) = &mut self.stand else { return };
        for message in stand.take() {
            if let Some(registered) = message.downcast_ref::<agent::Registered>() {
                if self.id.as_ref() != Some(&registered.agent_id) {
                    self.tasks.clear();
                }
                self.id = Some(registered.agent_id.clone());
            } else if let Some(run) = message.downcast_ref::<RunTask>() {
                let framework_id = run.framework.id.clone().unwrap();
                let role = Role::any();
                let task = Task::staging(&run.task, framework_id.clone(), role, None);
                let key = (framework_id, run.task.task_id.clone());
                self.tasks.insert(key, (task, run.framework.clone()));
            } else if let Some(kill) = message.downcast_ref::<agent::KillTask>() {
                let key = (kill.framework_id.clone(), kill.task_id.clone());
                self.report_state(&key, TaskState::Killed, world);
            } else if let Some(end) = message.downcast_ref::<agent::ShutdownFramework>() {
                self.tasks.retain(|(id, _), _| *id != end.framework_id);
            } else if let Some(back) = message.downcast_ref::<agent::Reregistered>() {
                self.answer_for(&back.unknown, world);
            }
        }
    }

    fn answer_for(&self, unknown: &[agent::TaskOf], world: &World) {
        let (Some(stand), Some(id)) = (&self.stand, &self.id) else {
            return;
        };
        for of in unknown {
            let key = (of.framework_id.clone(), of.task_id.clone());
            let task = self.tasks.get(&key);
            let state = task.map_or(TaskState::Dropped, |(task, _)| task.state);
            world.update(stand, id, (&of.framework_id, of.task_id.as_str()), state);
        }
    }
}

impl Client {
    pub(super) async fn come(&mut self, world: &World, random: &mut StdRng) {
        if self.stand.is_none() {
            let name = format!("{}-{}", self.name, random.random::<u32>());
            self.stand = Some(SchedulerStand::start(&world.node, &name, Mute::No).await);
        }
        let timeouts = [0, 30, 3600];
        let seconds = timeouts.choose(random).copied().unwrap_or_default();
        let info = FrameworkInfo {
            id: self.id.clone(),
            failover_timeout: Duration::from_secs(seconds),
            checkpoint: random.random(),
            ..FrameworkInfo::new(self.name.clone())
        };
        if let Some(stand) = &self.stand {
            world.subscribe(stand, info);
        }
    }

    pub(super) async fn leave(&mut self) {
        self.offers.clear();
        if let Some(stand) = self.stand.take() {
            stand.end().await;
        }
    }

    pub(super) fn hear(&mut self, world: &World) {
        let Some(stand) = &mut self.stand else { return };
        for message in stand.take() {
            if let Some(subscribed) = message.downcast_ref::<scheduler::Subscribed>() {
                self.id = Some(subscribed.framework_id.clone());
            } else if let Some(offers) = message.downcast_ref::<scheduler::Offers>() {
                self.offers.extend(offers.offers.iter().cloned());
            } else if let Some(rescind) = message.downcast_ref::<scheduler::Rescind>() {
                self.offers.retain(|offer| offer.id != rescind.offer_id);
            } else if let Some(update) = message.downcast_ref::<scheduler::Update>() {
                acknowledge(stand, self.id.as_ref(), &update.status, world);
            } else if message.is::<scheduler::Rejected>() {
                self.id = None;
                self.offers.clear();
            }
        }
    }
}

fn acknowledge(stand: &Scheduler, id: Option<&FrameworkId>, status: &TaskStatus, world: &World) {
    if let Some(id) = id.filter(|_| status.update_id.is_some()) {
        world.acknowledge(stand, id, status);
    }
}
