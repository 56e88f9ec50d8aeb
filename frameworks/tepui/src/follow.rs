//! Reading a file in a task's sandbox from its agent, part by part, until the task has ended.

use anyhow::{Result, anyhow};
use api::agent::{Agenting, Chunk, FileError, ListFiles, READ_MAX, ReadFile};
use libproc::{Node, Pid};
use types::{FrameworkId, TaskId};

/// The file a task's standard output goes to.
pub(crate) const STDOUT: &str = "stdout";
/// The file a task's standard error goes to.
pub(crate) const STDERR: &str = "stderr";

/// A task, and where the files in its sandbox are read.
#[derive(Clone)]
pub(crate) struct Sandbox {
    pub(crate) node: Node,
    pub(crate) agent: Pid<Agenting>,
    pub(crate) framework_id: FrameworkId,
    pub(crate) task_id: TaskId,
}

/// What reading a part gave.
pub(crate) enum Part {
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
    /// Reads a part of a file.
    ///
    /// # Errors
    /// When the agent cannot be asked, or says no.
    pub(crate) async fn read(&self, path: &str, offset: u64, length: u32) -> Result<Chunk> {
        let message = ReadFile {
            framework_id: self.framework_id.clone(),
            task_id: self.task_id.clone(),
            path: path.to_owned(),
            offset,
            length,
        };
        let answer = self.node.ask(&self.agent, message).await;
        let answer = answer.map_err(|error| self.unreachable(error))?;
        Ok(answer?)
    }

    /// Reads what comes next of a file that grows.
    ///
    /// # Errors
    /// When the agent cannot be asked, knows no such task, or cannot read the file.
    pub(crate) async fn next(&self, path: &str, offset: u64) -> Result<Part> {
        let chunk = match self.read(path, offset, READ_MAX).await {
            Ok(chunk) => chunk,
            Err(error) => match error.downcast_ref() {
                Some(FileError::NotFound) => return Ok(Part::NoFile),
                Some(_) | None => return Err(error),
            },
        };
        Ok(match chunk {
            Chunk { data, .. } if !data.is_empty() => Part::Bytes(data),
            Chunk { ended: true, .. } => Part::End,
            Chunk { .. } => Part::NoneYet,
        })
    }

    /// The names of the files in the sandbox.
    ///
    /// # Errors
    /// When the agent cannot be asked, or says no.
    pub(crate) async fn files(&self) -> Result<Vec<String>> {
        let (framework_id, task_id) = (self.framework_id.clone(), self.task_id.clone());
        let message = ListFiles {
            framework_id,
            task_id,
            path: String::new(),
        };
        let answer = self.node.ask(&self.agent, message).await;
        let entries = answer.map_err(|error| self.unreachable(error))??;
        Ok(entries.into_iter().map(|entry| entry.name).collect())
    }

    fn unreachable(&self, error: libproc::AskError) -> anyhow::Error {
        let agent = self.agent.upid().address();
        if let libproc::AskError::Denied(why) = error {
            return crate::client::denied(&format!("the agent at {agent}"), why);
        }
        anyhow!(error).context(format!(
            "could not read the output from the agent at {agent}"
        ))
    }
}
