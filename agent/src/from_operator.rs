//! What operators ask: what runs here, and the files in the sandbox of a task, also of one that
//! ended.

use std::error::Error as _;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use api::agent::{AgentReport, Chunk, FileEntry, FileError, GetAgent, ListFiles, READ_MAX};
use api::agent::{ReadFile, TaskOf};
use executor::TASKS;
use libproc::prelude::*;
use types::ExecutorKind;

use crate::agent::Agent;
use crate::books::Phase;
use crate::sandbox::{EntryKind, Sandbox, SandboxError};

impl Agent {
    /// The sandbox of a task, where in it its files are, and whether nobody writes to them any more.
    fn sandbox_of(&self, of: &TaskOf) -> Result<((Sandbox, PathBuf), bool), FileError> {
        if let Some((_, executor)) = self.books.executor_of(of) {
            let terminal = |task: &types::Task| task.state.is_terminal();
            let ended = executor.phase == Phase::Gone
                && executor.tasks.get(&of.task_id).is_none_or(terminal);
            return Ok((files_of(executor.info.kind, &executor.sandbox, of), ended));
        }
        let mut running = self.books.framework(&of.framework_id).into_iter();
        let running = running.find_map(|framework| {
            let had = |executor: &&crate::books::Executor| {
                executor.ended.iter().any(|task| task.task_id == of.task_id)
            };
            framework.executors.values().find(had)
        });
        if let Some(executor) = running {
            let files = files_of(executor.info.kind, &executor.sandbox, of);
            return Ok((files, executor.phase == Phase::Gone));
        }
        match self.books.history.executor_of(of) {
            Some(executor) => {
                let files = files_of(executor.info.kind, &executor.sandbox, of);
                Ok((files, true))
            }
            None => Err(FileError::UnknownTask),
        }
    }

    /// Reads part of a file of a task, beside the agent: a disk may take its time.
    pub(crate) fn read_file(
        &self,
        message: ReadFile,
        ctx: &mut Context<Self>,
        then: impl FnOnce(Result<Chunk, FileError>) + Send + 'static,
    ) {
        let ReadFile {
            framework_id,
            task_id,
            path,
            offset,
            length,
        } = message;
        // Asked before it is read: what is written in between belongs to a task that runs.
        let ((sandbox, below), ended) = match self.sandbox_of(&TaskOf {
            framework_id,
            task_id,
        }) {
            Ok(found) => found,
            Err(error) => return then(Err(error)),
        };
        let path = below.join(relative(&path));
        let read = move || sandbox.read(&path, offset, length.min(READ_MAX) as usize);
        ctx.defer(tokio::task::spawn_blocking(read), move |_, read, _| {
            then(match read {
                Ok(Ok(chunk)) => Ok(Chunk {
                    data: chunk.data,
                    offset,
                    size: chunk.size,
                    ended,
                }),
                Ok(Err(error)) => Err(why_not(&error)),
                Err(error) => Err(FileError::Failed(error.to_string())),
            });
        });
    }
}

/// Where the files of a task are: of one of a group, what it prints, for the rest is everybody's.
fn files_of(kind: ExecutorKind, sandbox: &Path, of: &TaskOf) -> (Sandbox, PathBuf) {
    let below = match kind {
        ExecutorKind::Default => Path::new(TASKS).join(of.task_id.as_str()),
        ExecutorKind::Command | ExecutorKind::Custom => PathBuf::new(),
    };
    (Sandbox::at(sandbox), below)
}

/// A path of the sandbox, also when somebody takes the sandbox for the root of everything.
fn relative(path: &str) -> PathBuf {
    Path::new(path.trim_start_matches('/')).to_owned()
}

fn why_not(error: &SandboxError) -> FileError {
    match error {
        SandboxError::Outside(_) => FileError::NotFound,
        SandboxError::Io { source, .. } if source.kind() == ErrorKind::NotFound => {
            FileError::NotFound
        }
        error => {
            let cause = error.source().map(|cause| format!(": {cause}"));
            FileError::Failed(format!("{error}{}", cause.unwrap_or_default()))
        }
    }
}

impl Handler<GetAgent> for Agent {
    type Result = Reply<AgentReport>;
    fn handle(&mut self, _: GetAgent, _: &mut Context<Self>) -> Self::Result {
        let frameworks = self.books.frameworks();
        let executors = frameworks.flat_map(|(_, framework)| framework.executors.values());
        let tasks = executors.flat_map(|executor| executor.tasks.values());
        Reply(AgentReport {
            info: self.info.clone(),
            registered: self.registration.is_registered(),
            used: self.books.used().clone(),
            tasks: tasks.cloned().collect(),
            unacknowledged: self.updates.unacknowledged().cloned().collect(),
        })
    }
}

impl Handler<ReadFile> for Agent {
    type Result = Later<Result<Chunk, FileError>>;
    fn handle(&mut self, message: ReadFile, ctx: &mut Context<Self>) -> Self::Result {
        let (answer, later) = Later::new();
        self.read_file(message, ctx, |chunk| answer.send(chunk));
        later
    }
}

impl Handler<ListFiles> for Agent {
    type Result = Later<Result<Vec<FileEntry>, FileError>>;
    fn handle(&mut self, message: ListFiles, ctx: &mut Context<Self>) -> Self::Result {
        let ListFiles {
            framework_id,
            task_id,
            path,
        } = message;
        let (answer, later) = Later::new();
        let (sandbox, below) = match self.sandbox_of(&TaskOf {
            framework_id,
            task_id,
        }) {
            Ok((files, _)) => files,
            Err(error) => {
                answer.send(Err(error));
                return later;
            }
        };
        let path = below.join(relative(&path));
        let list = tokio::task::spawn_blocking(move || sandbox.list(&path));
        ctx.defer(list, move |_, listed, _| {
            answer.send(match listed {
                Ok(Ok(entries)) => Ok(entries.into_iter().map(entry).collect()),
                Ok(Err(error)) => Err(why_not(&error)),
                Err(error) => Err(FileError::Failed(error.to_string())),
            });
        });
        later
    }
}

fn entry(entry: crate::sandbox::Entry) -> FileEntry {
    FileEntry {
        name: entry.name,
        size: entry.size,
        directory: entry.kind == EntryKind::Directory,
        modified_ms: u64::try_from(entry.modified_s)
            .unwrap_or(0)
            .saturating_mul(1_000),
    }
}
