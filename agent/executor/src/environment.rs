//! The variables an agent sets for its executors, in our names.
//!
//! The agent sets Mesos's names beside these, for executors that were written for it.

/// The address of the agent's process.
pub const AGENT: &str = "TEPUI_AGENT";
/// The id of the agent.
pub const AGENT_ID: &str = "TEPUI_AGENT_ID";
/// The id of the framework.
pub const FRAMEWORK_ID: &str = "TEPUI_FRAMEWORK_ID";
/// The id of the executor.
pub const EXECUTOR_ID: &str = "TEPUI_EXECUTOR_ID";
/// The id of the container.
pub const CONTAINER_ID: &str = "TEPUI_CONTAINER_ID";
/// The directory the executor and its tasks may write to.
pub const SANDBOX: &str = "TEPUI_SANDBOX";
/// How long the executor has to end when it is told to, in milliseconds.
pub const SHUTDOWN_GRACE_MS: &str = "TEPUI_SHUTDOWN_GRACE_MS";
/// How long the executor waits for its agent to be started again, in milliseconds. Without it, the
/// executor ends with its agent.
pub const RECOVERY_TIMEOUT_MS: &str = "TEPUI_RECOVERY_TIMEOUT_MS";
/// The file with what the executor shows to its agent, if the agent asks for that. Only the
/// executor's own user can read it; [`run`](crate::run) reads and removes it.
pub const CREDENTIALS_FILE: &str = "TEPUI_CREDENTIALS_FILE";
/// The program of the agent, so that tasks can use its commands.
pub const TEPUI: &str = "TEPUI";
