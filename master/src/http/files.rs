//! `/files/{browse,read,download,debug}`, LIST_FILES and READ_FILE: the files a master shows, which
//! are those that are attached by name, such as its log.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use api::v1::target::parameter;
use api::v1::{FileInfo, TimeInfo};
use libproc::http::{Answer, Body, Request, Respond as _, Response, Routes, StatusCode, header};
use libproc::prelude::*;
use serde_json::json;
use tokio::sync::mpsc;

use super::refusal::Refusal;
use super::v0;
use crate::process::MasterProcess;
use api::v1::authentication::Realm;

/// What the log is called.
const LOG: &str = "/master/log";
/// Most bytes that one read gives: 16 pages of memory, as at Apache Mesos.
const READ_MAX: u64 = 16 * 4096;
/// The pieces of a download, in bytes.
const PIECE: u64 = 1 << 20;
/// Pieces that may wait for a client that reads slowly.
const PIECES_MAX: usize = 2;

/// A file that is shown.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    file: PathBuf,
    name: String,
}

/// Part of a file.
pub(super) struct Part {
    pub(super) offset: u64,
    /// The whole file, in bytes.
    pub(super) size: u64,
    pub(super) data: Vec<u8>,
}

type Served = Result<Response, Refusal>;

/// Adds the routes of the pages.
pub(super) fn routes(routes: &mut Routes<MasterProcess>) {
    routes.any("files/browse", |master, request, ctx| {
        later(master, request, ctx, |shown, request| {
            v0::json(request, &shown.list()?)
        })
    });
    routes.any("files/read", |master, request, ctx| {
        later(master, request, ctx, read)
    });
    routes.any("files/download", |master, request, ctx| {
        later(master, request, ctx, download)
    });
    routes.any("files/debug", |master, request, _| {
        master.gated(request, Realm::MasterReadOnly, |master, request| {
            let attached: BTreeMap<&str, &Path> = master.attached().collect();
            v0::json(&request, &json!(attached)).unwrap_or_else(Response::from)
        })
    });
}

/// Answers what may wait for a disk.
fn later(
    master: &mut MasterProcess,
    request: Request,
    ctx: &mut Context<MasterProcess>,
    work: fn(&Shown, &Request) -> Served,
) -> Answer {
    let found = master
        .admit_client(&request, Realm::MasterReadOnly)
        .and_then(|_| {
            let path = request.uri().query().and_then(|q| parameter(q, "path"));
            let path = path.filter(|path| !path.is_empty());
            let path = path.ok_or_else(|| Refusal::bad("Expecting 'path=value' in query.\n"))?;
            master.shown(&path)
        });
    match found {
        Ok(shown) => beside(ctx, move || work(&shown, &request)),
        Err(refusal) => Response::from(refusal).into(),
    }
}

/// Works on a thread of its own.
pub(super) fn beside(
    ctx: &mut Context<MasterProcess>,
    work: impl FnOnce() -> Served + Send + 'static,
) -> Answer {
    let (answer, later) = Later::new();
    let done = tokio::task::spawn_blocking(work);
    ctx.defer(done, |_, done, _| {
        answer.send(match done {
            Ok(done) => done.unwrap_or_else(Response::from),
            Err(error) => Response::error(StatusCode::INTERNAL_SERVER_ERROR, error),
        });
    });
    later.into()
}

fn number(request: &Request, name: &str) -> Result<Option<i64>, Refusal> {
    let Some(text) = request.uri().query().and_then(|q| parameter(q, name)) else {
        return Ok(None);
    };
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = |error| Refusal::bad(format!("Failed to parse {name}: {error}.\n"));
    text.parse().map(Some).map_err(wrong)
}

fn read(shown: &Shown, request: &Request) -> Served {
    let offset = number(request, "offset")?.unwrap_or(-1);
    // That of a file that is only measured, for the pailer of the web interface.
    let length = number(request, "length")?.filter(|length| *length != -1);
    let length = length.map(u64::try_from).transpose();
    let length = length.map_err(|_| Refusal::bad("Negative length provided.\n"))?;
    let part = match u64::try_from(offset) {
        Ok(offset) => shown.read(offset, length)?,
        Err(_) if offset == -1 => {
            let Part { size, data, .. } = shown.read(0, Some(0))?;
            let offset = size;
            Part { offset, size, data }
        }
        Err(_) => return Err(Refusal::bad("Negative offset provided.\n")),
    };
    let data = String::from_utf8_lossy(&part.data);
    v0::json(request, &json!({"data": data, "offset": part.offset}))
}

fn download(shown: &Shown, _: &Request) -> Served {
    let size = shown.read(0, Some(0))?.size;
    let file = shown.open()?;
    let mut response = Response::with(StatusCode::OK, "application/octet-stream", "");
    let disposition = header::HeaderValue::from_static("attachment; filename=\"log\"");
    response
        .headers_mut()
        .insert(header::CONTENT_DISPOSITION, disposition);
    let (pieces, body) = mpsc::channel(PIECES_MAX);
    std::thread::spawn(move || {
        let mut offset = 0;
        while offset < size {
            let mut data = vec![0; PIECE.min(size - offset) as usize];
            match file.read_at(&mut data, offset) {
                Ok(0) | Err(_) => return, // it was cut meanwhile
                Ok(length) => data.truncate(length),
            }
            offset += data.len() as u64;
            if pieces.blocking_send(data.into()).is_err() {
                return; // whoever has hung up wants no more
            }
        }
    });
    *response.body_mut() = Body::Stream(body);
    Ok(response)
}

impl MasterProcess {
    /// Where each file is found, and where it is.
    fn attached(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let log = self.options.external_log_file.as_deref();
        log.map(|log| (LOG, log)).into_iter()
    }

    /// Finds a file that is attached.
    pub(super) fn shown(&self, path: &str) -> Result<Shown, Refusal> {
        let asked = path.trim_end_matches('/');
        let found = self.attached().find(|(name, _)| *name == asked);
        found
            .map(|(name, file)| Shown {
                file: file.to_owned(),
                name: name.to_owned(),
            })
            .ok_or_else(|| {
                let shown: String = asked.chars().take(256).collect();
                let text = format!("The master has no file '{shown}'");
                Refusal::new(StatusCode::NOT_FOUND, text)
            })
    }
}

impl Shown {
    fn open(&self) -> Result<File, Refusal> {
        File::open(&self.file).map_err(|error| self.refuse(&error))
    }

    fn refuse(&self, error: &io::Error) -> Refusal {
        let status = match error.kind() {
            io::ErrorKind::NotFound => StatusCode::NOT_FOUND,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Refusal::new(status, format!("cannot read '{}': {error}", self.name))
    }

    /// A file has no entries, but is one of those that can be listed.
    pub(super) fn list(&self) -> Result<Vec<FileInfo>, Refusal> {
        let metadata = self
            .open()?
            .metadata()
            .map_err(|error| self.refuse(&error))?;
        Ok(vec![FileInfo {
            path: self.name.clone(),
            nlink: Some(i32::try_from(metadata.nlink()).unwrap_or(i32::MAX)),
            size: Some(metadata.len()),
            mtime: Some(TimeInfo {
                nanoseconds: metadata.mtime().saturating_mul(1_000_000_000),
            }),
            mode: Some(metadata.permissions().mode()),
            uid: Some(metadata.uid().to_string()),
            gid: Some(metadata.gid().to_string()),
        }])
    }

    /// Reads part of the file, as much as is given at once unless less is asked for.
    pub(super) fn read(&self, offset: u64, length: Option<u64>) -> Result<Part, Refusal> {
        let failed = |error: io::Error| self.refuse(&error);
        let file = self.open()?;
        let size = file.metadata().map_err(failed)?.len();
        let most = length.unwrap_or(READ_MAX).min(READ_MAX);
        let mut data = vec![0; most.min(size.saturating_sub(offset)) as usize];
        let mut got = 0;
        while got < data.len() {
            match file.read_at(&mut data[got..], offset + got as u64) {
                Ok(0) => break, // it was cut meanwhile
                Ok(more) => got += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
        data.truncate(got);
        Ok(Part { offset, size, data })
    }
}
