//! Zygotes of agents that were here before: found, and asked what still runs under them.

use std::{
    io::{self, ErrorKind, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    door,
    wire::{Frames, Report, Request, encode},
};

/// How long a zygote may take to say what it has. It has nothing else to do.
const INTRODUCTION_MAX: Duration = Duration::from_secs(10);

/// A zygote that was found again.
pub(super) struct Former {
    /// Does not block.
    pub(super) socket: UnixStream,
    /// What it has said since its introduction.
    pub(super) frames: Frames,
    /// What runs under it, and what has ended without an agent to hear of it.
    pub(super) executors: Vec<Introduced>,
}

/// An executor that is there, or was.
pub(super) struct Introduced {
    pub(super) container_id: String,
    pub(super) pid: u32,
    pub(super) sandbox: PathBuf,
}

/// Finds all of them. One that does not answer is left to itself: it ends by itself when nobody
/// has come for it in time.
///
/// # Errors
/// When their directory cannot be read.
pub(super) fn find(directory: &Path) -> io::Result<Vec<Former>> {
    let mut formers = Vec::new();
    for (path, socket) in door::knock(directory)? {
        match meet(socket) {
            Ok(former) => formers.push(former),
            Err(error) => {
                tracing::warn!(door = %path.display(), %error, "a former launcher does not answer");
            }
        }
    }
    Ok(formers)
}

fn meet(mut socket: UnixStream) -> io::Result<Former> {
    socket.set_read_timeout(Some(INTRODUCTION_MAX))?;
    socket.set_write_timeout(Some(INTRODUCTION_MAX))?;
    say(&mut socket, &Request::Adopt)?;
    let (mut frames, mut executors) = (Frames::default(), Vec::new());
    loop {
        match hear(&mut socket, &mut frames)? {
            Report::Runs {
                container_id,
                pid,
                sandbox,
            } => executors.push(Introduced {
                container_id,
                pid,
                sandbox,
            }),
            Report::Introduced => break,
            // Of what the agent before was interested in.
            Report::Launched { .. }
            | Report::Refused { .. }
            | Report::Exited { .. }
            | Report::Listening { .. } => {}
        }
    }
    socket.set_nonblocking(true)?;
    Ok(Former {
        socket,
        frames,
        executors,
    })
}

/// Says one thing to a zygote, and waits until it has been taken.
pub(super) fn say(socket: &mut UnixStream, request: &Request) -> io::Result<()> {
    socket.write_all(&encode(request).map_err(io::Error::other)?)
}

/// Waits for the next thing a zygote says.
pub(super) fn hear(socket: &mut UnixStream, frames: &mut Frames) -> io::Result<Report> {
    loop {
        if let Some(report) = frames.next().map_err(io::Error::other)? {
            return Ok(report);
        }
        if frames.read_from(socket)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
}
