//! Rest: when nothing is wrong any more, everybody's books must come to agree.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use api::agent::AgentReport;
use api::master::{AgentState, AgentSummary, FrameworkState, FrameworkSummary};
use api::master::{GetAgents, GetFrameworks, GetTasks};
use libproc::AskError;
use tokio::time::Instant;
use types::{AgentId, FrameworkId, Task, TaskId, TaskState};

use crate::cluster::Cluster;

/// How often the books are compared.
const LOOK: Duration = Duration::from_secs(5);
/// How long a healed cluster may take to agree: the longest pause before an agent tells an update
/// again, and some time to act on it.
const REST: Duration = Duration::from_secs(12 * 60);

/// The books of everybody, at about one time.
struct Books {
    agents: Vec<AgentSummary>,
    frameworks: Vec<FrameworkSummary>,
    tasks: Vec<Task>,
    /// By host.
    reports: BTreeMap<String, AgentReport>,
}

impl Books {
    /// Whether a framework is subscribed.
    fn has(&self, id: &FrameworkId) -> bool {
        let active = |framework: &&FrameworkSummary| framework.state == FrameworkState::Active;
        let mut active = self.frameworks.iter().filter(active);
        active.any(|framework| framework.info.id.as_ref() == Some(id))
    }
}

type State = (FrameworkId, TaskId, TaskState);

impl Cluster {
    /// Undoes all faults, and waits until the cluster rests: each agent and each framework is
    /// connected, no update waits to be acknowledged, and master, agents, frameworks and the truth
    /// agree on all tasks.
    ///
    /// # Panics
    /// When that is not so within twelve minutes, with all that is still wrong.
    pub async fn settle(&self) {
        self.heal().await;
        let until = Instant::now() + REST;
        loop {
            let wrong = match self.books().await {
                Ok(books) => self.differences(&books),
                Err(error) => vec![format!("somebody does not answer: {error}")],
            };
            if wrong.is_empty() {
                return self.world().deed("at rest");
            }
            tracing::debug!(?wrong, "not at rest");
            assert!(
                Instant::now() < until,
                "no rest within {REST:?}:\n  {}",
                wrong.join("\n  ")
            );
            self.sleep(LOOK).await;
        }
    }

    async fn books(&self) -> Result<Books, AskError> {
        let agents = self.ask(GetAgents {}).await?;
        let frameworks = self.ask(GetFrameworks {}).await?;
        let all = GetTasks {
            framework_id: None,
            ended: false,
        };
        let tasks = self.ask(all).await?;
        let mut reports = BTreeMap::new();
        for host in self.agent_hosts_up() {
            let report = self.agent_report(&host).await?;
            reports.insert(host, report);
        }
        let tasks = tasks.into_iter().map(|summary| summary.task).collect();
        Ok(Books {
            agents,
            frameworks,
            tasks,
            reports,
        })
    }

    fn agent_hosts_up(&self) -> Vec<String> {
        let agents: BTreeSet<_> = self.shape().agent_hosts().into_iter().collect();
        self.hosts_up()
            .into_iter()
            .filter(|host| agents.contains(host))
            .collect()
    }

    /// All that is not as it is when the cluster rests.
    fn differences(&self, books: &Books) -> Vec<String> {
        let mut wrong = Vec::new();
        self.compare_agents(books, &mut wrong);
        self.compare_frameworks(books, &mut wrong);
        self.compare_running(books, &mut wrong);
        wrong
    }

    fn compare_agents(&self, books: &Books, wrong: &mut Vec<String>) {
        for (host, report) in &books.reports {
            let Some(id) = report.info.id.as_ref().filter(|_| report.registered) else {
                wrong.push(format!("{host} is not registered"));
                continue;
            };
            let known = books.agents.iter().find(|agent| agent.agent_id == *id);
            let Some(known) = known.filter(|agent| agent.state == AgentState::Active) else {
                wrong.push(format!("the master does not have {host}, {id}"));
                continue;
            };
            // Who has ended acknowledges nothing; the agent gives up when it hears of that.
            let mut waiting = report
                .unacknowledged
                .iter()
                .filter(|of| books.has(&of.framework_id));
            if let Some(of) = waiting.next() {
                wrong.push(format!(
                    "{host} waits for a word on {of:?} and {} more",
                    waiting.count()
                ));
            }
            let (ours, theirs) = (living(&books.tasks, id), living(&report.tasks, id));
            if ours != theirs {
                let (more, less): (Vec<_>, Vec<_>) = (
                    ours.difference(&theirs).collect(),
                    theirs.difference(&ours).collect(),
                );
                wrong.push(format!(
                    "only the master has on {host} {more:?}, only {host} {less:?}"
                ));
            }
            if known.used != report.used {
                let (master, agent) = (&known.used, &report.used);
                wrong.push(format!(
                    "of {host} is used {agent}; the master thinks {master}"
                ));
            }
        }
        let active = books
            .agents
            .iter()
            .filter(|agent| agent.state == AgentState::Active);
        if active.count() != books.reports.len() {
            wrong.push("the master has agents that do not exist".to_owned());
        }
    }

    fn compare_frameworks(&self, books: &Books, wrong: &mut Vec<String>) {
        let connected: BTreeSet<&AgentId> = books
            .reports
            .values()
            .filter_map(|report| report.info.id.as_ref())
            .collect();
        let agents: BTreeSet<_> = self.fixed_hosts().into_iter().collect();
        for host in self
            .hosts_up()
            .into_iter()
            .filter(|host| !agents.contains(host))
        {
            let Some(id) = self.tape(&host, |tape| tape.id().cloned()) else {
                wrong.push(format!("{host} was never subscribed"));
                continue;
            };
            if !books.has(&id) {
                wrong.push(format!("{host} is not subscribed"));
            }
            let running = self.truth(|truth| truth.running().clone());
            self.tape(&host, |tape| {
                for (task, told) in tape.tasks() {
                    let runs = running.contains_key(&(id.clone(), task.clone()));
                    let here = told
                        .agent_id
                        .as_ref()
                        .is_some_and(|agent| connected.contains(agent));
                    let fine = match told.last() {
                        Some(state) if state.is_terminal() => !runs,
                        Some(TaskState::Unreachable) => !runs && !here,
                        Some(TaskState::Unknown) => !runs,
                        Some(TaskState::Running | TaskState::Killing) => runs,
                        Some(_) | None => false,
                    };
                    if !fine {
                        let last = told.last();
                        let really = if runs { "runs" } else { "does not run" };
                        wrong.push(format!(
                            "{host} last heard {last:?} of {task}, which {really}"
                        ));
                    }
                }
            });
        }
    }

    /// What really runs must be what the agents believe.
    fn compare_running(&self, books: &Books, wrong: &mut Vec<String>) {
        let believed: BTreeMap<(FrameworkId, TaskId), &String> = books
            .reports
            .iter()
            .flat_map(|(host, report)| report.tasks.iter().map(move |task| (host, task)))
            .filter(|(_, task)| !task.state.is_terminal())
            .map(|(host, task)| ((task.framework_id.clone(), task.task_id.clone()), host))
            .collect();
        self.truth(|truth| {
            for (key, running) in truth.running() {
                if believed.get(key) != Some(&&running.host) {
                    wrong.push(format!(
                        "task {} runs on {}, unknown to it",
                        key.1, running.host
                    ));
                }
            }
            for (key, host) in &believed {
                if !truth.running().contains_key(key) {
                    wrong.push(format!(
                        "{host} believes in task {}, which does not run",
                        key.1
                    ));
                }
            }
        });
    }
}

/// The tasks of an agent that have not ended.
fn living(tasks: &[Task], agent: &AgentId) -> BTreeSet<State> {
    let living = tasks
        .iter()
        .filter(|task| task.agent_id == *agent && !task.state.is_terminal());
    living
        .map(|task| (task.framework_id.clone(), task.task_id.clone(), task.state))
        .collect()
}
