//! The agent's end: starts the zygote, asks it for executors, hears what became of them.

use std::{
    collections::HashMap,
    io,
    os::{fd::OwnedFd, unix::net},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, oneshot},
    task,
};
use tracing::{error, warn};

use super::{
    Destroy, ExitStatus, Launch, LaunchError, LaunchRequest, LauncherEvent, Launching, sweep,
    wire::{FRAME_BYTES_MAX, Frames, Report, Request, WireError, encode},
};

/// Launches that may wait for the zygote at once: more than any machine forks in a second.
const LAUNCHES_WAITING_MAX: usize = 16 * 1024;
/// Frames written with one system call, in bytes.
const WRITE_BYTES: usize = 64 * 1024;

/// Launches executors through a zygote of its own. Clones share it; when the last is dropped the
/// zygote ends every executor, and itself.
#[derive(Clone, Debug)]
pub struct Launcher {
    frames: mpsc::UnboundedSender<Vec<u8>>,
    books: Arc<Mutex<Books>>,
    zygote: u32,
}

#[derive(Debug, Default)]
struct Books {
    token: u64,
    waiting: HashMap<u64, Waiting>,
    running: HashMap<String, Running>,
    zygote_died: bool,
}

#[derive(Debug)]
struct Waiting {
    container_id: String,
    sandbox: PathBuf,
    answer: oneshot::Sender<Result<u32, LaunchError>>,
}

#[derive(Debug)]
struct Running {
    pid: u32,
    sandbox: PathBuf,
}

impl Launcher {
    /// Starts `executable` with `arguments`, which must lead it to [`super::zygote::main`], and
    /// what follows as two local tasks: this needs a `LocalSet` or a runtime that has one.
    ///
    /// The events are as many as the launches that succeeded, and one: the channel is bounded by
    /// them.
    ///
    /// # Errors
    /// When there are no descriptors or processes left, or nothing to execute.
    pub fn start(
        executable: &Path,
        arguments: &[&str],
    ) -> io::Result<(Launcher, mpsc::UnboundedReceiver<LauncherEvent>)> {
        let (ours, theirs) = net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let (reader, writer) = UnixStream::from_std(ours)?.into_split();
        let child = Command::new(executable)
            .args(arguments)
            .env("LD_BIND_NOW", "1") // functions found on first use are found again in each fork
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .spawn()?;
        let zygote = child.id();
        let (frames, frames_receiver) = mpsc::unbounded_channel();
        let (events, events_receiver) = mpsc::unbounded_channel();
        let books = Arc::<Mutex<Books>>::default();
        task::spawn_local(write(writer, frames_receiver));
        task::spawn_local(read(reader, child, Arc::clone(&books), events));
        Ok((
            Launcher {
                frames,
                books,
                zygote,
            },
            events_receiver,
        ))
    }

    /// The zygote's process id.
    pub fn zygote(&self) -> u32 {
        self.zygote
    }

    fn send_launch(
        &self,
        request: LaunchRequest,
    ) -> Result<oneshot::Receiver<Result<u32, LaunchError>>, LaunchError> {
        let (container_id, sandbox) = (request.container_id.clone(), request.sandbox.clone());
        let mut books = lock(&self.books);
        if books.zygote_died {
            return Err(LaunchError::ZygoteDied);
        }
        if books.waiting.len() >= LAUNCHES_WAITING_MAX {
            return Err(LaunchError::Busy);
        }
        let token = books.token;
        let frame = encode(&Request::Launch { token, request }).map_err(|error| match error {
            WireError::TooLarge(bytes) => LaunchError::TooLarge {
                bytes,
                limit: FRAME_BYTES_MAX,
            },
            WireError::Malformed(_) => unreachable!("encoding decodes nothing"),
        })?;
        books.token += 1;
        let (answer, receiver) = oneshot::channel();
        books.waiting.insert(
            token,
            Waiting {
                container_id,
                sandbox,
                answer,
            },
        );
        self.frames
            .send(frame)
            .map_err(|_| LaunchError::ZygoteDied)?;
        Ok(receiver)
    }
}

impl Launch for Launcher {
    fn launch(&self, request: LaunchRequest) -> Launching {
        let sent = self.send_launch(request);
        Box::pin(async { sent?.await.unwrap_or(Err(LaunchError::ZygoteDied)) })
    }

    fn destroy(&self, container_id: &str, how: Destroy) {
        let request = Request::Destroy {
            container_id: container_id.to_string(),
            how,
        };
        match encode(&request) {
            Ok(frame) => drop(self.frames.send(frame)), // without a zygote nothing is left to end
            Err(error) => warn!(%error, "a container with such an id cannot have been launched"),
        }
    }
}

fn lock(books: &Mutex<Books>) -> MutexGuard<'_, Books> {
    books.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes frames, as many together as have come, until the last launcher is dropped; then closes
/// this direction, which tells the zygote to end.
async fn write(mut socket: OwnedWriteHalf, mut frames: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(mut bytes) = frames.recv().await {
        while bytes.len() < WRITE_BYTES
            && let Ok(more) = frames.try_recv()
        {
            bytes.extend_from_slice(&more);
        }
        if socket.write_all(&bytes).await.is_err() {
            return; // the reader hears of it too, and says so
        }
    }
}

/// Reads reports until the zygote is gone, then settles what it left open.
async fn read(
    mut socket: OwnedReadHalf,
    mut zygote: Child,
    books: Arc<Mutex<Books>>,
    events: mpsc::UnboundedSender<LauncherEvent>,
) {
    if let Err(error) = read_reports(&mut socket, &books, &events).await {
        error!(%error, "the zygote sent nonsense");
    }
    // It closed its end by ending, or is of no use. Either way this waits for no longer than
    // the kernel needs to take it down.
    let _ = zygote.kill();
    let _ = zygote.wait();
    let (waiting, running) = {
        let mut books = lock(&books);
        books.zygote_died = true;
        (
            std::mem::take(&mut books.waiting),
            std::mem::take(&mut books.running),
        )
    };
    for (_, Waiting { answer, .. }) in waiting {
        let _ = answer.send(Err(LaunchError::ZygoteDied)); // nobody waits
    }
    let orphans = running
        .values()
        .map(|running| (running.pid, running.sandbox.as_path()));
    sweep::kill_all(orphans.collect()).await;
    let mut running: Vec<_> = running
        .into_iter()
        .map(|(id, running)| (running.pid, id))
        .collect();
    running.sort();
    for (pid, container_id) in running {
        let status = ExitStatus::Unknown;
        let _ = events.send(LauncherEvent::Exited {
            container_id,
            pid,
            status,
        });
    }
    let _ = events.send(LauncherEvent::ZygoteDied);
}

async fn read_reports(
    socket: &mut OwnedReadHalf,
    books: &Mutex<Books>,
    events: &mpsc::UnboundedSender<LauncherEvent>,
) -> Result<(), WireError> {
    let mut frames = Frames::default();
    while let Ok(1..) = socket.read_buf(frames.buffer()).await {
        while let Some(report) = frames.next()? {
            match report {
                Report::Launched { token, pid } => lock(books).launched(token, pid),
                Report::Refused { token, error } => lock(books).refused(token, error),
                Report::Exited {
                    container_id,
                    pid,
                    status,
                } => {
                    lock(books).running.remove(&container_id);
                    // The agent is on its way out when nobody listens.
                    let _ = events.send(LauncherEvent::Exited {
                        container_id,
                        pid,
                        status,
                    });
                }
            }
        }
    }
    Ok(())
}

impl Books {
    fn launched(&mut self, token: u64, pid: u32) {
        if let Some(Waiting {
            container_id,
            sandbox,
            answer,
        }) = self.waiting.remove(&token)
        {
            self.running.insert(container_id, Running { pid, sandbox });
            let _ = answer.send(Ok(pid)); // whoever asked may not care
        }
    }

    fn refused(&mut self, token: u64, error: String) {
        if let Some(Waiting { answer, .. }) = self.waiting.remove(&token) {
            let _ = answer.send(Err(LaunchError::Refused(error)));
        }
    }
}
