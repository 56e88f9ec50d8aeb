//! The variables an executor finds: ours, and the same in the names of Mesos.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use executor::environment as ours;
use libproc::Upid;
use types::{AgentId, ContainerId, ExecutorInfo, FrameworkId};

/// Whose home and name must not pass to another user.
const PERSONAL: [&str; 4] = ["HOME", "USER", "LOGNAME", "SHELL"];

/// The longest pause between two of its attempts to subscribe again.
const SUBSCRIPTION_BACKOFF_MAX: Duration = Duration::from_secs(2);

/// What an executor is told of itself and its surroundings.
pub(crate) struct Surroundings<'a> {
    pub(crate) agent: &'a Upid,
    pub(crate) agent_id: &'a AgentId,
    pub(crate) framework_id: &'a FrameworkId,
    pub(crate) executor: &'a ExecutorInfo,
    pub(crate) container_id: &'a ContainerId,
    pub(crate) sandbox: &'a Path,
    pub(crate) grace: Duration,
    /// How long it waits for another agent; none if it ends with this one.
    pub(crate) recovery_timeout: Option<Duration>,
    /// The program of the agent.
    pub(crate) executable: Option<&'a Path>,
    /// The user it becomes, when that is not the agent's own.
    pub(crate) user: Option<&'a str>,
}

impl Surroundings<'_> {
    /// The whole environment, on top of `base`; the executor's own variables come last.
    pub(crate) fn variables(&self, base: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut variables = base.clone();
        if let Some(user) = self.user {
            PERSONAL
                .iter()
                .for_each(|name| drop(variables.remove(*name)));
            variables.insert("USER".to_owned(), user.to_owned());
            variables.insert("LOGNAME".to_owned(), user.to_owned());
        }
        let own = [self.ours(), self.mesos()].into_iter().flatten();
        variables.extend(own.map(|(name, value)| (name.to_owned(), value)));
        if let Some(command) = &self.executor.command {
            variables.extend(command.environment.0.clone());
        }
        variables
    }

    fn ours(&self) -> Vec<(&'static str, String)> {
        let mut variables = vec![
            (ours::AGENT, self.agent.to_string()),
            (ours::AGENT_ID, self.agent_id.to_string()),
            (ours::FRAMEWORK_ID, self.framework_id.to_string()),
            (ours::EXECUTOR_ID, self.executor.executor_id.to_string()),
            (ours::CONTAINER_ID, self.container_id.to_string()),
            (ours::SANDBOX, self.sandbox.display().to_string()),
            (ours::SHUTDOWN_GRACE_MS, self.grace.as_millis().to_string()),
        ];
        if let Some(executable) = self.executable {
            variables.push((ours::TEPUI, executable.display().to_string()));
        }
        if let Some(timeout) = self.recovery_timeout {
            variables.push((ours::RECOVERY_TIMEOUT_MS, timeout.as_millis().to_string()));
        }
        variables
    }

    fn mesos(&self) -> Vec<(&'static str, String)> {
        let address = self.agent.address();
        let sandbox = self.sandbox.display().to_string();
        let mut variables = vec![
            ("MESOS_FRAMEWORK_ID", self.framework_id.to_string()),
            ("MESOS_EXECUTOR_ID", self.executor.executor_id.to_string()),
            ("MESOS_SLAVE_ID", self.agent_id.to_string()),
            ("MESOS_AGENT_ID", self.agent_id.to_string()),
            (
                "MESOS_SLAVE_PID",
                format!("{}@{address}", crate::http::PROCESS),
            ),
            ("MESOS_AGENT_ENDPOINT", address.to_string()),
            ("MESOS_DIRECTORY", sandbox.clone()),
            ("MESOS_SANDBOX", sandbox),
            (
                "MESOS_CHECKPOINT",
                u8::from(self.recovery_timeout.is_some()).to_string(),
            ),
            (
                "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD",
                types::format_duration(self.grace),
            ),
            ("MESOS_HTTP_COMMAND_EXECUTOR", "0".to_owned()),
            ("LIBPROCESS_IP", address.ip().to_string()),
            ("LIBPROCESS_PORT", "0".to_owned()),
        ];
        if let Some(timeout) = self.recovery_timeout {
            let duration = types::format_duration;
            variables.extend([
                ("MESOS_RECOVERY_TIMEOUT", duration(timeout)),
                (
                    "MESOS_SUBSCRIPTION_BACKOFF_MAX",
                    duration(SUBSCRIPTION_BACKOFF_MAX),
                ),
            ]);
        }
        variables
    }
}

#[cfg(test)]
mod tests {
    use types::{CommandInfo, ExecutorId};

    use super::*;

    #[test]
    fn an_executor_finds_its_ids_and_its_own_variables_come_last() {
        let command = CommandInfo::shell("true").env("LANG", "own");
        let executor = ExecutorInfo::custom(ExecutorId::new("e").unwrap(), command);
        let base = [("LANG", "C"), ("HOME", "/root")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        let surroundings = Surroundings {
            agent: &"agent@10.0.0.2:5051".parse().unwrap(),
            agent_id: &AgentId::new("S1").unwrap(),
            framework_id: &FrameworkId::new("F1").unwrap(),
            executor: &executor,
            container_id: &ContainerId::new("c").unwrap(),
            sandbox: Path::new("/work/run"),
            grace: Duration::from_secs(5),
            recovery_timeout: Some(Duration::from_secs(15 * 60)),
            executable: Some(Path::new("/usr/bin/tepui")),
            user: Some("nobody"),
        };
        let variables = surroundings.variables(&BTreeMap::from(base));
        let expected = [
            ("LANG", "own"),
            ("USER", "nobody"),
            ("TEPUI", "/usr/bin/tepui"),
            ("TEPUI_AGENT", "agent@10.0.0.2:5051"),
            ("MESOS_SLAVE_PID", "slave(1)@10.0.0.2:5051"),
            ("MESOS_AGENT_ENDPOINT", "10.0.0.2:5051"),
            ("MESOS_FRAMEWORK_ID", "F1"),
            ("MESOS_EXECUTOR_ID", "e"),
            ("MESOS_DIRECTORY", "/work/run"),
            ("MESOS_CHECKPOINT", "1"),
            ("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "5secs"),
            ("MESOS_RECOVERY_TIMEOUT", "15mins"),
            ("MESOS_SUBSCRIPTION_BACKOFF_MAX", "2secs"),
        ];
        for (name, value) in expected {
            assert_eq!(
                variables.get(name).map(String::as_str),
                Some(value),
                "{name}"
            );
        }
        assert!(!variables.contains_key("HOME"));
    }
}
