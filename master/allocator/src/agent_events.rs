//! What happens to agents: they come, go, grow, shrink, and are set aside.

use types::{AgentId, Resources};

use crate::Allocator;
use crate::agents::{Agent, AgentEntry};

impl Allocator {
    /// Adds an agent, in place of one by the same id. It becomes a candidate.
    ///
    /// What frameworks use of it is charged to them, whether they are known yet or not.
    pub fn add_agent(&mut self, entry: AgentEntry) {
        self.remove_agent(&entry.id);
        let index = self.agents.insert(Agent::new(&entry));
        self.totals.add(&entry.total);
        for (framework, roles) in &entry.used {
            for (role, resources) in roles.iter().filter(|(_, used)| !used.is_empty()) {
                let framework = self.frameworks.ensure(framework);
                let client = self.ensure_client(framework, role);
                self.charge(index, client, resources);
            }
        }
        if !entry.used.is_empty() {
            self.agents.get_mut(index).find_free();
        }
        self.roles.totals_changed();
        self.agents.add_candidate(index);
    }

    /// Removes an agent, and what frameworks have of it. One that is not known is ignored.
    pub fn remove_agent(&mut self, id: &AgentId) {
        let Some(index) = self.agents.find(id) else {
            return;
        };
        let allocated: Vec<_> = self
            .agents
            .get(index)
            .allocated
            .clone()
            .into_iter()
            .collect();
        for (client, resources) in allocated {
            self.uncharge(index, client, &resources);
        }
        self.filters.remove_agent(index);
        self.totals.subtract(&self.agents.get(index).total);
        self.agents.remove(index);
        self.roles.totals_changed();
    }

    /// Tells that an agent may be offered again. It becomes a candidate.
    pub fn activate_agent(&mut self, id: &AgentId) {
        let Some(index) = self.agents.find(id) else {
            return;
        };
        self.agents.get_mut(index).active = true;
        self.agents.add_candidate(index);
    }

    /// Tells that an agent may not be offered, because it does not answer or is draining. What
    /// frameworks have of it stays theirs.
    pub fn deactivate_agent(&mut self, id: &AgentId) {
        let Some(index) = self.agents.find(id) else {
            return;
        };
        self.agents.get_mut(index).active = false;
    }

    /// Replaces what an agent has. It becomes a candidate.
    ///
    /// What frameworks have of it stays theirs, even if it is more than there is.
    pub fn update_agent(&mut self, id: &AgentId, total: Resources) {
        let Some(index) = self.agents.find(id) else {
            return;
        };
        let agent = self.agents.get_mut(index);
        if agent.total != total {
            self.totals.subtract(&agent.total);
            self.totals.add(&total);
            agent.set_total(total);
            self.roles.totals_changed();
        }
        self.agents.add_candidate(index);
    }
}
