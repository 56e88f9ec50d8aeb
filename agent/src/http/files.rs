//! `/files/{browse,read,download,debug}`, LIST_FILES and READ_FILE: what lies in sandboxes.
//!
//! A sandbox is found by its own path on the machine, and the latest one of an executor as `latest`
//! beside it and as `/frameworks/<id>/executors/<id>/runs/latest`. Nothing else is: see [`Sandbox`] for why no path
//! and no link leads out of it.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use api::v1::{FileInfo, TimeInfo};
use libproc::http::{Answer, Body, Request, Respond as _, Response, StatusCode, header};
use libproc::prelude::*;
use nix::errno::Errno;
use nix::unistd::{Gid, Group, Uid, User};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{Query, Refusal, page};
use crate::agent::Agent;
use crate::sandbox::{Entry, EntryKind, READ_BYTES_MAX, Sandbox, SandboxError};

/// Most bytes that one read gives: 16 pages of memory, as at Apache Mesos.
const READ_MAX: usize = 16 * 4096;
/// Pages that wait for a disk, or for the table of processes, at once: the others take turns.
pub(crate) const PAGES_AT_ONCE: usize = 16;
/// Pieces of a download, of a mebibyte each, that may wait for a client that reads slowly.
const PIECES_MAX: usize = 2;

/// A path below a sandbox.
#[derive(Debug, Clone)]
pub(super) struct Found {
    sandbox: Sandbox,
    /// From the sandbox.
    below: PathBuf,
    /// As it was asked for, without a slash at its end.
    asked: String,
}

/// Part of a file.
#[derive(Debug)]
pub(super) struct Part {
    /// Where it begins.
    pub(super) offset: u64,
    /// The whole file, in bytes.
    pub(super) size: u64,
    pub(super) data: Vec<u8>,
}

pub(super) fn browse(agent: &mut Agent, request: Request, ctx: &mut Context<Agent>) -> Answer {
    let query = Query::of(&request);
    let found = match query.needed("path").and_then(|path| agent.found(&path)) {
        Ok(found) => found,
        Err(refusal) => return refusal.into(),
    };
    later(agent, ctx, move || {
        let entries = found.list()?;
        query.json(&entries.iter().map(entry).collect::<Value>())
    })
}

pub(super) fn read(agent: &mut Agent, request: Request, ctx: &mut Context<Agent>) -> Answer {
    let query = Query::of(&request);
    let asked = || {
        let found = agent.found(&query.needed("path")?)?;
        let offset = query.number("offset")?;
        // That of a file that is only measured, for the pailer of the web interface.
        let length = query.number("length")?.filter(|length| *length != -1);
        let length = length.map(usize::try_from).transpose();
        let length = length.map_err(|_| Refusal::bad("Negative length provided.\n"))?;
        Ok((found, offset.unwrap_or(-1), length))
    };
    let (found, offset, length) = match asked() {
        Ok(asked) => asked,
        Err(refusal) => return Refusal::into(refusal),
    };
    later(agent, ctx, move || {
        let part = match u64::try_from(offset) {
            Ok(offset) => found.read(offset, length)?,
            Err(_) if offset == -1 => {
                let Part { size, data, .. } = found.read(0, Some(0))?;
                let offset = size;
                Part { offset, size, data }
            }
            Err(_) => return Err(Refusal::bad("Negative offset provided.\n")),
        };
        let data = String::from_utf8_lossy(&part.data);
        query.json(&json!({"data": data, "offset": part.offset}))
    })
}

pub(super) fn download(agent: &mut Agent, request: Request, ctx: &mut Context<Agent>) -> Answer {
    let query = Query::of(&request);
    let found = match query.needed("path").and_then(|path| agent.found(&path)) {
        Ok(found) => found,
        Err(refusal) => return refusal.into(),
    };
    let sending = tokio::runtime::Handle::current();
    later(agent, ctx, move || {
        let size = found.read(0, Some(0))?.size;
        let name = found.below.file_name().unwrap_or_default();
        let name: String = name.to_string_lossy().chars().filter(plain).collect();
        let mut response = Response::with(StatusCode::OK, "application/octet-stream", "");
        let disposition = format!("attachment; filename=\"{name}\"");
        if let Ok(disposition) = disposition.parse() {
            response
                .headers_mut()
                .insert(header::CONTENT_DISPOSITION, disposition);
        }
        let (pieces, body) = mpsc::channel(PIECES_MAX);
        sending.spawn(found.send(size, pieces));
        *response.body_mut() = Body::Stream(body);
        Ok(response)
    })
}

pub(super) fn debug(agent: &mut Agent, request: Request, _: &mut Context<Agent>) -> Answer {
    let attached: BTreeMap<String, &Path> = agent.attached().collect();
    page(&request, &json!(attached))
}

/// Whether a character may be in the name of a file that a browser is told.
fn plain(character: &char) -> bool {
    character.is_ascii_graphic() && !matches!(character, '"' | '\\')
}

/// Answers when something is done that may wait for a disk.
pub(super) fn later(
    agent: &Agent,
    ctx: &mut Context<Agent>,
    work: impl FnOnce() -> Result<Response, Refusal> + Send + 'static,
) -> Answer {
    let (answer, later) = Later::new();
    let turns = Arc::clone(&agent.page_turns);
    let done = async move {
        let _turn = turns.acquire().await;
        tokio::task::spawn_blocking(work).await
    };
    ctx.defer(done, |_, done, _| {
        answer.send(match done {
            Ok(done) => done.unwrap_or_else(Response::from),
            Err(error) => Response::error(StatusCode::INTERNAL_SERVER_ERROR, error),
        });
    });
    later.into()
}

impl Agent {
    /// Where each sandbox is found, and where it is.
    fn attached(&self) -> impl Iterator<Item = (String, &Path)> {
        let living = self.books.frameworks().flat_map(|(id, framework)| {
            let executors = framework.executors.values();
            executors.map(move |executor| (id, &executor.info, executor.sandbox.as_path()))
        });
        let ended = self.books.history.frameworks().flat_map(|past| {
            let executors = past.executors.iter();
            executors.map(|executor| {
                let sandbox = executor.sandbox.as_path();
                (&past.framework_id, &executor.info, sandbox)
            })
        });
        // Of two runs of an executor the later one comes later.
        let all = ended.chain(living);
        let made = all.filter(|(_, _, sandbox)| !sandbox.as_os_str().is_empty());
        made.flat_map(|(framework_id, executor, sandbox)| {
            let executor_id = &executor.executor_id;
            let latest = format!("/frameworks/{framework_id}/executors/{executor_id}/runs/latest");
            let runs = sandbox.parent().unwrap_or(sandbox);
            let linked = runs.join("latest").display().to_string();
            let own = sandbox.display().to_string();
            [(own, sandbox), (latest, sandbox), (linked, sandbox)]
        })
    }

    /// Finds what lies in a sandbox. Whether it is there, the disk will say.
    pub(super) fn found(&self, path: &str) -> Result<Found, Refusal> {
        let asked = path.trim_end_matches('/');
        let below = |(name, sandbox): (String, &Path)| {
            let rest = asked.strip_prefix(name.as_str())?;
            let below = rest.strip_prefix('/').or(rest.is_empty().then_some(""))?;
            Some(Found {
                sandbox: Sandbox::at(sandbox),
                below: below.trim_start_matches('/').into(),
                asked: asked.to_owned(),
            })
        };
        self.attached()
            .filter_map(below)
            .last()
            .ok_or_else(|| missing(path))
    }
}

impl Found {
    /// Lists a directory by name; a file has no entries.
    pub(super) fn list(&self) -> Result<Vec<FileInfo>, Refusal> {
        let entries = match self.sandbox.list(&self.below) {
            Err(SandboxError::Kind { .. }) => {
                self.read(0, Some(0))?; // it may be neither
                return Ok(Vec::new());
            }
            listed => listed.map_err(|error| self.refuse(&error))?,
        };
        let mut names = Names::default();
        let entries = entries.iter();
        let info = |entry: &Entry| names.describe(format!("{}/{}", self.asked, entry.name), entry);
        Ok(entries.map(info).collect())
    }

    /// Reads part of a file, as much as is given at once unless less is asked for.
    pub(super) fn read(&self, offset: u64, length: Option<usize>) -> Result<Part, Refusal> {
        let length = length.unwrap_or(READ_MAX).min(READ_MAX);
        let chunk = self.sandbox.read(&self.below, offset, length);
        let chunk = chunk.map_err(|error| self.refuse(&error))?;
        Ok(Part {
            offset,
            size: chunk.size,
            data: chunk.data,
        })
    }

    /// Sends the first `size` bytes of a file, fewer when it is cut meanwhile. A client that reads
    /// slowly keeps no thread waiting.
    async fn send(self, size: u64, pieces: mpsc::Sender<bytes::Bytes>) {
        let mut offset = 0;
        while offset < size {
            let rest = usize::try_from(size - offset).unwrap_or(usize::MAX);
            let (found, limit) = (self.clone(), rest.min(READ_BYTES_MAX));
            let read = move || found.sandbox.read(&found.below, offset, limit);
            match tokio::task::spawn_blocking(read).await {
                Ok(Ok(chunk)) if !chunk.data.is_empty() => {
                    offset += chunk.data.len() as u64;
                    // Whoever has hung up wants no more.
                    if pieces.send(chunk.data.into()).await.is_err() {
                        return;
                    }
                }
                Ok(_) | Err(_) => return,
            }
        }
    }

    fn refuse(&self, error: &SandboxError) -> Refusal {
        match error {
            SandboxError::Outside(_) => missing(&self.asked),
            SandboxError::Io { source, .. } => match source.kind() {
                // The last three are names that nothing can have, and links in a circle.
                ErrorKind::NotFound
                | ErrorKind::NotADirectory
                | ErrorKind::InvalidInput
                | ErrorKind::InvalidFilename => missing(&self.asked),
                _ if source.raw_os_error() == Some(Errno::ELOOP as i32) => missing(&self.asked),
                _ => {
                    let text = format!("'path': cannot read {:?}: {source}.\n", self.asked);
                    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, text)
                }
            },
            SandboxError::Kind { .. } => Refusal::bad("Cannot read a directory.\n"),
            SandboxError::Name(_) | SandboxError::User(_) => missing(&self.asked),
        }
    }
}

fn missing(path: &str) -> Refusal {
    let text = format!("'path': there is no {path:?} in a sandbox of this agent.\n");
    Refusal::new(StatusCode::NOT_FOUND, text)
}

/// The names of users and groups, looked up once.
#[derive(Default)]
struct Names {
    users: BTreeMap<u32, String>,
    groups: BTreeMap<u32, String>,
}

impl Names {
    fn describe(&mut self, path: String, entry: &Entry) -> FileInfo {
        let user = self.users.entry(entry.uid).or_insert_with(|| {
            let user = User::from_uid(Uid::from_raw(entry.uid)).ok().flatten();
            user.map_or_else(|| entry.uid.to_string(), |user| user.name)
        });
        let group = self.groups.entry(entry.gid).or_insert_with(|| {
            let group = Group::from_gid(Gid::from_raw(entry.gid)).ok().flatten();
            group.map_or_else(|| entry.gid.to_string(), |group| group.name)
        });
        FileInfo {
            path,
            nlink: Some(i32::try_from(entry.links).unwrap_or(i32::MAX)),
            size: Some(entry.size),
            mtime: Some(TimeInfo {
                nanoseconds: entry.modified_s.saturating_mul(1_000_000_000),
            }),
            mode: Some(kind_bits(entry.kind) | entry.mode),
            uid: Some(user.clone()),
            gid: Some(group.clone()),
        }
    }
}

/// The bits of `st_mode` that say what something is.
fn kind_bits(kind: EntryKind) -> u32 {
    match kind {
        EntryKind::File => 0o100_000,
        EntryKind::Directory => 0o040_000,
        EntryKind::Link => 0o120_000,
        EntryKind::Other => 0o010_000,
    }
}

/// An entry as `/files/browse` shows it.
fn entry(info: &FileInfo) -> Value {
    json!({
        "gid": info.gid,
        "mode": mode_text(info.mode.unwrap_or_default()),
        "mtime": info.mtime.as_ref().map(|time| time.nanoseconds / 1_000_000_000),
        "nlink": info.nlink,
        "path": info.path,
        "size": info.size,
        "uid": info.uid,
    })
}

/// The mode as `ls` prints it.
fn mode_text(mode: u32) -> String {
    let mut text = String::from(match mode & 0o170_000 {
        0o040_000 => "d",
        0o120_000 => "l",
        0o010_000 => "p",
        _ => "-",
    });
    for (bits, special, letters) in [
        (mode >> 6, mode & 0o4000, ['s', 'S']),
        (mode >> 3, mode & 0o2000, ['s', 'S']),
        (mode, mode & 0o1000, ['t', 'T']),
    ] {
        text.push(if bits & 4 == 0 { '-' } else { 'r' });
        text.push(if bits & 2 == 0 { '-' } else { 'w' });
        text.push(match (bits & 1, special) {
            (0, 0) => '-',
            (_, 0) => 'x',
            (0, _) => letters[1],
            (_, _) => letters[0],
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_written_as_ls_does() {
        for (mode, text) in [
            (0o100_644, "-rw-r--r--"),
            (0o040_755, "drwxr-xr-x"),
            (0o120_777, "lrwxrwxrwx"),
            (0o104_755, "-rwsr-xr-x"),
            (0o041_776, "drwxrwxrwT"),
        ] {
            assert_eq!(mode_text(mode), text);
        }
    }
}
