//! A zygote's end of the connection to its agent.

use std::{
    io::{ErrorKind, Write},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
        unix::net::UnixStream,
    },
};

use nix::poll::PollFlags;

use super::wire::{Frames, Report, Request, WireError, encode};

/// Reports kept for an agent that does not read them, in bytes, before requests are left unread.
const OUTPUT_BYTES_MAX: usize = 1024 * 1024;

/// What reading from an agent came to.
pub(super) enum Heard {
    /// It wants this.
    Request(Request),
    /// It has said no more, for the moment.
    Nothing,
    /// It is gone.
    Gone,
    /// It said what makes no sense.
    Nonsense(WireError),
}

/// A connection to an agent, which never blocks.
pub(super) struct Line {
    socket: UnixStream,
    requests: Frames,
    output: Vec<u8>,
}

impl Line {
    pub(super) fn new(socket: UnixStream) -> Line {
        let (requests, output) = (Frames::default(), Vec::new());
        Line {
            socket,
            requests,
            output,
        }
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// The descriptor, which children must close.
    pub(super) fn descriptor(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// What to wait for. An agent that does not listen is not listened to.
    pub(super) fn wanted(&self) -> PollFlags {
        let mut wanted = PollFlags::empty();
        wanted.set(PollFlags::POLLIN, !self.is_full());
        wanted.set(PollFlags::POLLOUT, !self.output.is_empty());
        wanted
    }

    pub(super) fn is_empty(&self) -> bool {
        self.output.is_empty()
    }

    fn is_full(&self) -> bool {
        self.output.len() >= OUTPUT_BYTES_MAX
    }

    /// Takes the next request.
    pub(super) fn hear(&mut self) -> Heard {
        if self.is_full() {
            return Heard::Nothing;
        }
        loop {
            match self.requests.next() {
                Ok(Some(request)) => return Heard::Request(request),
                Ok(None) => {}
                Err(error) => return Heard::Nonsense(error),
            }
            match self.requests.read_from(&mut self.socket) {
                Ok(0) => return Heard::Gone,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Heard::Nothing,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Heard::Gone, // reset: the agent died with reports unread
            }
        }
    }

    /// Sends reports, as far as the agent takes them. An agent that is gone takes nothing, which
    /// shows when reading.
    pub(super) fn say(&mut self, reports: Vec<Report>) {
        for report in reports {
            // Only an executor with an absurd name has none; its launch did not fit a frame either.
            if let Ok(frame) = encode(&report) {
                self.output.extend_from_slice(&frame);
            }
        }
        while !self.output.is_empty() {
            match self.socket.write(&self.output) {
                Ok(length) => drop(self.output.drain(..length)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.output.clear(),
            }
        }
    }
}
