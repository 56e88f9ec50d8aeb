//! A cluster of daemons, each a process that can be killed by itself.

use std::collections::BTreeSet;
use std::time::Duration;

use api::master::{AgentState, AgentSummary, GetAgents, GetTasks, Mastering};
use libproc::{Accepts, Node, Pid, Upid, Wire};
use serde_json::Value;
use types::Task;

use super::daemon::{Daemon, Plan};
use super::place::Place;
use super::{eventually, http, processes};

/// Longest time for an answer of the master.
const ANSWER: Duration = Duration::from_secs(5);
/// Longest time until all agents have registered.
const REGISTERED: Duration = Duration::from_secs(20);

/// One master and its agents.
pub(crate) struct Cluster {
    pub(crate) node: Node,
    pub(crate) master: Daemon,
    pub(crate) agents: Vec<Daemon>,
}

impl Cluster {
    /// Starts a cluster and waits until all agents have registered.
    pub(crate) async fn start(
        place: &Place,
        agents: usize,
        master_flags: &[&str],
        resources: &str,
    ) -> Cluster {
        let node = Node::bind(&format!("{}:0", place.ip))
            .await
            .expect("a node of the test");
        let mut flags = vec!["--log-level=debug,libproc=info".to_owned()];
        flags.extend(master_flags.iter().map(|flag| (*flag).to_owned()));
        let master = Daemon::start(plan(place, "master", "master", flags));
        let start = |number| {
            let name = format!("agent-{number}");
            let flags = vec![
                format!("--master={}", master.address()),
                format!("--resources={resources}"),
                "--log-level=debug,libproc=info".to_owned(),
            ];
            Daemon::start(plan(place, &name, "agent", flags))
        };
        let agents = (1..=agents).map(start).collect();
        let cluster = Cluster {
            node,
            master,
            agents,
        };
        cluster.await_agents(REGISTERED).await;
        cluster
    }

    pub(crate) fn master_pid(&self) -> Pid<Mastering> {
        let upid = Upid::new(api::MASTER, self.master.address()).expect("an address");
        Pid::assume(upid)
    }

    /// Asks the master; says what went wrong when it does not answer.
    pub(crate) async fn ask<M: Wire>(&self, message: M) -> Result<M::Result, String>
    where
        Mastering: Accepts<M>,
    {
        let asked = self.node.ask(&self.master_pid(), message);
        match tokio::time::timeout(ANSWER, asked).await {
            Ok(answer) => answer.map_err(|error| format!("the master: {error}")),
            Err(_) => Err("the master does not answer".to_owned()),
        }
    }

    /// Waits until the master has every agent, active, and no other.
    pub(crate) async fn await_agents(&self, limit: Duration) -> Vec<AgentSummary> {
        eventually("all agents are active", limit, || async {
            let summaries = self.ask(GetAgents {}).await?;
            let active = summaries
                .iter()
                .filter(|agent| agent.state == AgentState::Active);
            let active: BTreeSet<_> = active.map(|agent| agent.pid.upid().address()).collect();
            let wanted: BTreeSet<_> = self.agents.iter().map(Daemon::address).collect();
            match active == wanted {
                true => Ok(summaries),
                false => Err(format!("{summaries:?}")),
            }
        })
        .await
    }

    /// The tasks that have not ended, by the master's books.
    pub(crate) async fn tasks(&self) -> Result<Vec<Task>, String> {
        let tasks = self
            .ask(GetTasks {
                framework_id: None,
                ended: false,
            })
            .await?;
        Ok(tasks.into_iter().map(|summary| summary.task).collect())
    }

    /// The agents' pages of their state.
    pub(crate) async fn states(&self) -> Result<Vec<Value>, String> {
        let mut states = Vec::new();
        for agent in &self.agents {
            states.push(http::json(agent.address(), "/agent/state").await?);
        }
        Ok(states)
    }

    /// Compares the books: the tasks that have not ended are the same for the master as for the
    /// agents, and so is what they use.
    pub(crate) async fn compare_books(&self) -> Result<usize, String> {
        let here = self.tasks().await?;
        let here: BTreeSet<String> = here
            .iter()
            .map(|task| format!("{} {}", task.agent_id, task.task_id))
            .collect();
        let summaries = self.ask(GetAgents {}).await?;
        let mut there = BTreeSet::new();
        for state in self.states().await? {
            let id = state["id"].as_str().unwrap_or("none").to_owned();
            there.extend(
                live_tasks(&state)
                    .into_iter()
                    .map(|task| format!("{id} {task}")),
            );
            let summary = summaries.iter().find(|agent| agent.agent_id.as_str() == id);
            let summary = summary.ok_or(format!("the master does not know the agent {id}"))?;
            let (ours, theirs) = (summary.used.to_json(), &state["used_resources_full"]);
            if ours != *theirs {
                return Err(format!("{id} uses {theirs}, but for the master {ours}"));
            }
        }
        match here == there {
            true => Ok(here.len()),
            false => Err(format!(
                "only in the master's books: {:?}; only in those of agents: {:?}",
                here.difference(&there).collect::<Vec<_>>(),
                there.difference(&here).collect::<Vec<_>>()
            )),
        }
    }

    /// The zygotes of the agents, which fork their executors.
    pub(crate) fn zygotes(&self) -> Vec<i32> {
        self.agents
            .iter()
            .flat_map(|agent| processes::children(agent.pid()))
            .collect()
    }

    /// Ends all of it in order, and panics unless each daemon ends well.
    pub(crate) fn stop(&mut self) {
        for daemon in self.agents.iter_mut().chain([&mut self.master]) {
            let status = daemon.stop();
            let well = status.is_some_and(|status| status.success());
            assert!(well, "{status:?} at the end; {}", daemon.tail());
        }
    }
}

/// A daemon of the command at an address of the test's own.
pub(crate) fn plan(place: &Place, name: &str, command: &str, flags: Vec<String>) -> Plan {
    let mut words = vec![
        command.to_owned(),
        format!("--ip={}", place.ip),
        "--port=0".to_owned(),
        format!("--work-dir={}", place.make(name).display()),
    ];
    words.extend(flags);
    Plan {
        before: Vec::new(),
        words,
        log: place.path().join(format!("{name}.log")),
    }
}

/// The tasks on an agent that have not ended.
fn live_tasks(state: &Value) -> Vec<String> {
    let array = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let executors = array(&state["frameworks"])
        .into_iter()
        .flat_map(|f| array(&f["executors"]));
    let tasks = executors.flat_map(|executor| array(&executor["tasks"]));
    let ended = |task: &Value| {
        let state = task["state"].as_str().unwrap_or_default();
        state
            .parse::<types::TaskState>()
            .is_ok_and(types::TaskState::is_terminal)
    };
    tasks
        .filter(|task| !ended(task))
        .map(|task| task["id"].as_str().unwrap_or("none").to_owned())
        .collect()
}
