//! A program of an executor: who it is and where its agent is come from the environment.

use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use libproc::Security;
use libproc::security::Delegation;

use crate::start::{EXECUTOR, bind_near};
use crate::{Executor, ExecutorProcess, Identity, environment};

/// How long an executor has to end when nobody says.
const GRACE: Duration = Duration::from_secs(5);

/// Why an executor could not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecutorError {
    /// A variable that agents set is missing, or not what it should be.
    #[error("the variable {0} is not as an agent sets it")]
    Environment(&'static str),
    /// What the executor is to show to its agent cannot be read.
    #[error("could not use the credentials in {}", file.display())]
    Credentials {
        /// Where they should be.
        file: PathBuf,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There is no node to be had.
    #[error("could not start a node")]
    Node(#[source] io::Error),
}

/// Runs `executor` for the agent that started this program, until it is done.
///
/// # Errors
/// When no agent started it, or the node cannot be bound.
pub fn run<E: Executor>(executor: E) -> Result<(), ExecutorError> {
    let agent = read::<libproc::Pid<api::agent::Agenting>>(environment::AGENT)?;
    let identity = Identity {
        framework_id: read(environment::FRAMEWORK_ID)?,
        executor_id: read(environment::EXECUTOR_ID)?,
        container_id: read(environment::CONTAINER_ID)?,
    };
    let recovery = read(environment::RECOVERY_TIMEOUT_MS).ok();
    let grace = read(environment::SHUTDOWN_GRACE_MS).map_or(GRACE, Duration::from_millis);
    let security = security()?;
    libproc::run_alone(async move {
        let node = bind_near(agent.upid().address(), security).await?;
        let process = ExecutorProcess::new(executor, identity, agent, grace)
            .recovering(recovery.map(Duration::from_millis));
        let pid = node.spawn(EXECUTOR, process);
        node.exit_of(pid.upid()).await;
        node.shutdown().await; // what was told last leaves before the program does
        Ok(())
    })
    .map_err(ExecutorError::Node)
}

fn security() -> Result<Security, ExecutorError> {
    match std::env::var_os(environment::CREDENTIALS_FILE) {
        Some(file) => take_credentials(Path::new(&file)),
        None => Ok(Security::none()),
    }
}

/// Takes what the agent has left for this executor; nobody else needs it.
fn take_credentials(file: &Path) -> Result<Security, ExecutorError> {
    let take = || -> Result<Security, Box<dyn std::error::Error + Send + Sync>> {
        let bytes = std::fs::read(file)?;
        std::fs::remove_file(file)?;
        Ok(Security::delegated(Delegation::from_bytes(&bytes)?)?)
    };
    take().map_err(|source| ExecutorError::Credentials {
        file: file.to_owned(),
        source,
    })
}

fn read<T: FromStr>(name: &'static str) -> Result<T, ExecutorError> {
    let text = std::env::var(name).map_err(|_| ExecutorError::Environment(name))?;
    text.parse().map_err(|_| ExecutorError::Environment(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_taken_once() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("credentials");
        std::fs::write(&file, Delegation::none().to_bytes()).unwrap();
        assert!(take_credentials(&file).is_ok());
        assert!(!file.exists());
        let error = take_credentials(&file).unwrap_err().to_string();
        assert!(
            error.contains("could not use the credentials in"),
            "{error}"
        );
        std::fs::write(&file, "nonsense").unwrap();
        assert!(take_credentials(&file).is_err());
    }
}
