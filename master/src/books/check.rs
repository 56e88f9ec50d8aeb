//! That the books agree: for tests, and in debug builds after every change.

use types::Resources;

use super::{Agent, Books, Framework};

impl Books {
    /// How many entries a check looks at, roughly.
    pub(crate) fn size(&self) -> usize {
        self.agents.len() + self.frameworks.len() + self.offers.len() + self.task_count()
    }

    /// Checks every relation from both sides, and that nothing is promised twice.
    ///
    /// # Panics
    ///
    /// Panics when the books do not agree.
    pub(crate) fn check(&self) {
        self.agents
            .values()
            .for_each(|agent| self.check_agent(agent));
        let frameworks = self.frameworks.values();
        frameworks.for_each(|framework| self.check_framework(framework));
        for (id, offer) in &self.offers {
            assert_eq!(*id, offer.id);
            let agent = &self.agents[&offer.agent_id];
            let framework = &self.frameworks[&offer.framework_id];
            assert!(agent.connected && agent.offers.contains(id), "offer {id}");
            assert!(!self.aside.contains_key(&agent.id), "offer {id}");
            assert!(
                framework.is_active() && framework.offers.contains(id),
                "offer {id}"
            );
        }
        assert_eq!(self.agent_at.len(), self.agents.len());
        for (upid, id) in &self.framework_at {
            let pid = self.frameworks[id].pid.as_ref();
            assert_eq!(pid.map(libproc::Pid::upid), Some(upid));
        }
        assert!(self.aside.keys().all(|id| self.has_agent(id)));
        assert!(self.gone.iter().all(|id| !self.has_agent(id)));
        assert!(self.gone.len() <= self.limits.removed_agents);
        assert!(self.completed.len() <= self.limits.completed_frameworks);
        assert!(self.unreachable.len() <= self.limits.removed_agents);
    }

    fn check_agent(&self, agent: &Agent) {
        let id = &agent.id;
        assert_eq!(self.agent_at.get(agent.pid.upid()), Some(id));
        assert!(!self.unreachable.contains_key(id), "agent {id} is here");
        let used: Resources = self.charges(id).iter().sum();
        assert_eq!(agent.used, used, "used of agent {id}");
        let offers = agent
            .offers
            .iter()
            .map(|offer| &self.offers[offer].resources);
        let offered: Resources = offers.sum();
        assert_eq!(agent.offered, offered, "offered of agent {id}");
        let left = &agent.info.resources - &agent.used;
        assert!(
            left.contains(&offered.non_shared()),
            "agent {id} is promised twice"
        );
        for of in &agent.tasks {
            let task = &self.frameworks[&of.framework_id].tasks[&of.task_id].task;
            assert_eq!(task.agent_id, *id);
        }
        for (framework, executor) in &agent.executors {
            let key = (id.clone(), executor.clone());
            assert!(self.frameworks[framework].executors.contains_key(&key));
        }
    }

    fn check_framework(&self, framework: &Framework) {
        let id = &framework.id;
        assert_eq!(framework.info.id.as_ref(), Some(id));
        assert_eq!(*framework.sums(), framework.sum_up(), "sums of {id}");
        for (task_id, entry) in &framework.tasks {
            assert!(!framework.unreachable.contains_key(task_id));
            let agent = &self.agents[&entry.task.agent_id];
            let of = api::agent::TaskOf {
                framework_id: id.clone(),
                task_id: task_id.clone(),
            };
            assert!(agent.tasks.contains(&of), "task {task_id}");
        }
        for (agent, executor) in framework.executors.keys() {
            let key = (id.clone(), executor.clone());
            assert!(self.agents[agent].executors.contains(&key));
        }
        for offer in &framework.offers {
            assert_eq!(self.offers[offer].framework_id, *id);
        }
        assert!(framework.completed.len() <= self.limits.completed_tasks);
        assert!(framework.unreachable.len() <= self.limits.unreachable_tasks);
        assert!(framework.kills.keys().all(|task| framework.may_run(task)));
        if framework.is_active() {
            let pid = framework
                .pid
                .as_ref()
                .expect("an active framework is somewhere");
            assert_eq!(self.framework_at.get(pid.upid()), Some(id));
        }
    }
}
