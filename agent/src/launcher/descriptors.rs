//! The descriptors a zygote keeps: as few as it can, because each is its children's to close.

use std::{
    fs::{self, File},
    io,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    unistd::{self, dup2_stdin, pipe2},
};

/// Takes the socket from standard input, which becomes `/dev/null` for all children.
pub(super) fn take_stdin() -> io::Result<UnixStream> {
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    socket.peer_addr()?; // fails unless it is a connected socket
    socket.set_nonblocking(true)?;
    dup2_stdin(OwnedFd::from(fs::File::open("/dev/null")?))?;
    Ok(socket)
}

/// Closes whatever the agent's own parents left open: it would reach every task.
pub(super) fn close_others(socket: &UnixStream) -> io::Result<()> {
    let mut open = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        open.extend(
            entry?
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<i32>().ok()),
        );
    }
    for descriptor in open {
        if descriptor > 2 && descriptor != socket.as_raw_fd() {
            let _ = unistd::close(descriptor); // the directory just read is closed already
        }
    }
    Ok(())
}

/// A pipe whose reading end never blocks and whose ends close on exec.
pub(super) fn answer_pipe() -> io::Result<(File, OwnedFd)> {
    let (read, write) = pipe2(OFlag::O_CLOEXEC)?;
    fcntl(&read, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok((File::from(read), write))
}
