//! Reading what a task wrote, from its agent.

use std::time::Duration;

use api::agent::{Agenting, Chunk, FileEntry, FileError, ListFiles, READ_MAX, ReadFile};
use libproc::{AskError, Node, Pid};
use types::{FrameworkId, TaskId};

/// The file a task's standard output goes to.
pub const STDOUT: &str = "stdout";
/// The file a task's standard error goes to.
pub const STDERR: &str = "stderr";
/// How long an agent may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// A task, and where the files in its sandbox are read: also after its end, until the agent
/// collects it.
#[derive(Clone)]
pub struct Sandbox {
    /// Who reads.
    pub node: Node,
    /// The agent it is or was on.
    pub agent: Pid<Agenting>,
    /// Whose it is.
    pub framework_id: FrameworkId,
    /// Which it is.
    pub task_id: TaskId,
}

/// Why a file was not read.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// The agent does not answer.
    #[error("could not ask the agent at {agent}")]
    Ask {
        /// Where it is.
        agent: String,
        /// Why.
        source: AskError,
    },
    /// It says no.
    #[error(transparent)]
    File(#[from] FileError),
}

/// What reading the next part of a file gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Bytes, at the place asked for.
    Bytes(Vec<u8>),
    /// Nothing more is there; there may be later.
    NoneYet,
    /// There is no such file; there may be later.
    NoFile,
    /// Nothing more is there, nor will be.
    End,
}

impl Sandbox {
    /// Reads at most `length` bytes of a file, from `offset` on.
    ///
    /// # Errors
    /// When the agent does not answer, knows no such task, or cannot read the file.
    pub async fn read(&self, path: &str, offset: u64, length: u32) -> Result<Chunk, SandboxError> {
        let message = ReadFile {
            framework_id: self.framework_id.clone(),
            task_id: self.task_id.clone(),
            path: path.to_owned(),
            offset,
            length: length.min(READ_MAX),
        };
        let answer = tokio::time::timeout(ANSWER, self.node.ask(&self.agent, message)).await;
        let answer = answer.unwrap_or(Err(AskError::Timeout));
        Ok(answer.map_err(|error| self.unreachable(error))??)
    }

    /// Reads what comes next of a file that grows.
    ///
    /// # Errors
    /// When the agent does not answer, knows no such task, or cannot read the file.
    pub async fn next(&self, path: &str, offset: u64) -> Result<Part, SandboxError> {
        Ok(match self.read(path, offset, READ_MAX).await {
            Err(SandboxError::File(FileError::NotFound)) => Part::NoFile,
            Err(error) => return Err(error),
            Ok(Chunk { data, .. }) if !data.is_empty() => Part::Bytes(data),
            Ok(Chunk { ended: true, .. }) => Part::End,
            Ok(Chunk { .. }) => Part::NoneYet,
        })
    }

    /// The last `length` bytes of a file.
    ///
    /// # Errors
    /// When the agent does not answer, knows no such task, or cannot read the file.
    pub async fn tail(&self, path: &str, length: u32) -> Result<Vec<u8>, SandboxError> {
        let size = self.read(path, 0, 0).await?.size;
        let from = size.saturating_sub(length.into());
        Ok(self.read(path, from, length).await?.data)
    }

    /// What lies in a directory; an empty path is the sandbox.
    ///
    /// # Errors
    /// When the agent does not answer, knows no such task, or there is no such directory.
    pub async fn list(&self, path: &str) -> Result<Vec<FileEntry>, SandboxError> {
        let message = ListFiles {
            framework_id: self.framework_id.clone(),
            task_id: self.task_id.clone(),
            path: path.to_owned(),
        };
        let answer = tokio::time::timeout(ANSWER, self.node.ask(&self.agent, message)).await;
        let answer = answer.unwrap_or(Err(AskError::Timeout));
        Ok(answer.map_err(|error| self.unreachable(error))??)
    }

    fn unreachable(&self, source: AskError) -> SandboxError {
        let agent = self.agent.upid().address().to_string();
        SandboxError::Ask { agent, source }
    }
}
