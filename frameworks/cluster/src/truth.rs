//! What really runs where, whatever anybody believes: the pretended commands tell.

use std::collections::BTreeMap;

use agent::simulated::Happening;
use types::{FrameworkId, Resources, TaskId};

/// A task of the whole cluster.
pub type Key = (FrameworkId, TaskId);

/// How a task really ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Its command came to its end, with this exit code.
    Exited(i32),
    /// It was killed, or its executor crashed.
    Ended,
    /// Its machine crashed.
    Lost,
}

/// What really runs, and what ran.
#[derive(Debug, Default)]
pub struct Truth {
    totals: BTreeMap<String, Resources>,
    running: BTreeMap<Key, Running>,
    ended: BTreeMap<Key, End>,
    started: u64,
}

/// A task that really runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Running {
    /// The host it runs on.
    pub host: String,
    /// What it was given.
    pub resources: Resources,
}

impl Truth {
    /// A host has so much.
    pub(crate) fn add_host(&mut self, host: &str, total: Resources) {
        self.totals.insert(host.to_owned(), total);
    }

    /// Takes in what happened on a host; what comes back must not be.
    pub(crate) fn happened(&mut self, host: &str, happening: Happening<'_>) -> Result<(), String> {
        match happening {
            Happening::Started(framework_id, task) => {
                let key = (framework_id.clone(), task.task_id.clone());
                if let Some(other) = self.running.get(&key) {
                    return Err(format!("task {} runs on {} and {host}", key.1, other.host));
                }
                if let Some(end) = self.ended.get(&key) {
                    return Err(format!(
                        "task {} ran before ({end:?}) and runs again",
                        key.1
                    ));
                }
                self.started += 1;
                let running = Running {
                    host: host.to_owned(),
                    resources: task.resources.clone(),
                };
                self.running.insert(key, running);
                self.check_room(host)
            }
            Happening::Ended(framework_id, task_id, code) => {
                let key = (framework_id.clone(), task_id.clone());
                // A crashed host has ended all it ran already.
                if self
                    .running
                    .get(&key)
                    .is_some_and(|running| running.host == host)
                {
                    self.running.remove(&key);
                    self.ended.insert(key, code.map_or(End::Ended, End::Exited));
                }
                Ok(())
            }
        }
    }

    /// What runs on a host must be a part of what it has: nothing is used twice.
    fn check_room(&self, host: &str) -> Result<(), String> {
        let here = self.running.values().filter(|running| running.host == host);
        let used: Resources = here.map(|running| &running.resources).sum();
        match self.totals.get(host) {
            Some(total) if !total.contains(&used) => {
                Err(format!("{host} has {total}, and runs tasks with {used}"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// A host crashed, and everything on it.
    pub(crate) fn crashed(&mut self, host: &str) {
        let here = self
            .running
            .extract_if(.., |_, running| running.host == host);
        let lost = here.map(|(key, _)| (key, End::Lost));
        self.ended.extend(lost);
    }

    /// What runs, of all frameworks, everywhere.
    pub fn running(&self) -> &BTreeMap<Key, Running> {
        &self.running
    }

    /// How a task ended, if it ran and does not any more.
    pub fn ended(&self, key: &Key) -> Option<End> {
        self.ended.get(key).copied()
    }

    /// How many tasks ever ran.
    pub fn started(&self) -> u64 {
        self.started
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{AgentId, CommandInfo, TaskInfo};

    fn task(id: &str, cpus: f64) -> TaskInfo {
        let agent = AgentId::new("a").unwrap();
        let resources = Resources::new().cpus(cpus);
        TaskInfo::command(
            TaskId::new(id).unwrap(),
            agent,
            CommandInfo::shell("true"),
            resources,
        )
    }

    #[test]
    fn what_runs_twice_or_uses_too_much_must_not_be() {
        let framework = FrameworkId::new("f").unwrap();
        let mut truth = Truth::default();
        truth.add_host("agent-1", Resources::new().cpus(2.0));
        let (one, two) = (task("one", 1.5), task("two", 1.0));
        assert_eq!(
            truth.happened("agent-1", Happening::Started(&framework, &one)),
            Ok(())
        );
        assert!(
            truth
                .happened("agent-2", Happening::Started(&framework, &one))
                .is_err()
        );
        assert!(
            truth
                .happened("agent-1", Happening::Started(&framework, &two))
                .is_err()
        );
        let ended = Happening::Ended(&framework, &one.task_id, Some(3));
        assert_eq!(truth.happened("agent-1", ended), Ok(()));
        assert_eq!(
            truth.ended(&(framework.clone(), one.task_id.clone())),
            Some(End::Exited(3))
        );
        assert!(
            truth
                .happened("agent-1", Happening::Started(&framework, &one))
                .is_err()
        );
        truth.crashed("agent-1");
        assert!(truth.running().is_empty());
    }
}
