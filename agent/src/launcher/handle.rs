//! The agent's end: starts the zygote, asks it for executors, hears what became of them.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    os::{fd::OwnedFd, unix::net},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
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
    Destroy, ExitStatus, Launch, LaunchError, LaunchRequest, LauncherEvent, Launching, door,
    former::{self, Former},
    sweep,
    wire::{FRAME_BYTES_MAX, Frames, Report, Request, WireError, encode},
};

/// Launches that may wait for the zygote at once: more than any machine forks in a second.
const LAUNCHES_WAITING_MAX: usize = 16 * 1024;
/// Frames written with one system call, in bytes.
const WRITE_BYTES: usize = 64 * 1024;
/// How long a zygote may take to start, on a machine that is busy.
const ZYGOTE_START_MAX: Duration = Duration::from_secs(60);

/// Launches executors through a zygote of its own. Clones share it; when the last is dropped the
/// zygote ends every executor that does not outlive its agent, and itself with the last.
#[derive(Clone, Debug)]
pub struct Launcher {
    line: Line,
    /// To zygotes of agents that were here before.
    former: Vec<Line>,
    zygote: u32,
}

/// What makes executors outlive their agent.
#[derive(Clone, Debug)]
pub struct Survival {
    /// Where a later agent finds them. Made unless it is there; nobody else's.
    pub directory: PathBuf,
    /// How long a later agent may take to come before everything is ended after all.
    pub patience: Duration,
}

/// The containers that outlived former agents, with the processes that lead them. Of those that
/// have ended meanwhile, an event tells.
pub type Survivors = BTreeMap<String, u32>;

/// A connection to a zygote.
#[derive(Clone, Debug)]
struct Line {
    frames: mpsc::UnboundedSender<Vec<u8>>,
    books: Arc<Mutex<Books>>,
}

#[derive(Debug, Default)]
struct Books {
    token: u64,
    waiting: HashMap<u64, Waiting>,
    running: HashMap<String, Running>,
    zygote_died: bool,
    /// Executors may outlive this agent.
    surviving: bool,
    /// The launcher was dropped: what goes on does so without this agent.
    let_go: bool,
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
        let (child, socket) = spawn_zygote(executable, arguments)?;
        let (events, receiver) = mpsc::unbounded_channel();
        let launcher = Launcher::of(child, (socket, Frames::default()), None, events)?;
        Ok((launcher, receiver))
    }

    /// Does as [`start`](Launcher::start), and lets executors outlive this agent as they have those
    /// before it. For one agent at a time.
    ///
    /// # Errors
    /// As above, or when the directory is not to be used.
    pub fn start_surviving(
        executable: &Path,
        arguments: &[&str],
        survival: &Survival,
    ) -> io::Result<(Launcher, mpsc::UnboundedReceiver<LauncherEvent>, Survivors)> {
        door::make_directory(&survival.directory)?;
        let former = former::find(&survival.directory)?;
        let survivors = former.iter().flat_map(|former| &former.executors);
        let survivors = survivors.map(|known| (known.container_id.clone(), known.pid));
        let survivors = survivors.collect();
        let (child, mut socket) = spawn_zygote(executable, arguments)?;
        let frames = await_agents(&mut socket, survival)?;
        let (events, receiver) = mpsc::unbounded_channel();
        let launcher = Launcher::of(child, (socket, frames), Some(former), events)?;
        Ok((launcher, receiver, survivors))
    }

    fn of(
        child: Child,
        (socket, frames): (net::UnixStream, Frames),
        former: Option<Vec<Former>>,
        events: mpsc::UnboundedSender<LauncherEvent>,
    ) -> io::Result<Launcher> {
        let (zygote, surviving) = (child.id(), former.is_some());
        let mut lines = Vec::new();
        for Former {
            socket,
            frames,
            executors,
        } in former.into_iter().flatten()
        {
            let running = executors.into_iter().map(|known| {
                let (pid, sandbox) = (known.pid, known.sandbox);
                (known.container_id, Running { pid, sandbox })
            });
            let books = Books {
                running: running.collect(),
                surviving,
                ..Books::default()
            };
            lines.push(Line::open(socket, frames, books, None, events.clone())?);
        }
        let books = Books {
            surviving,
            ..Books::default()
        };
        let line = Line::open(socket, frames, books, Some(child), events)?;
        Ok(Launcher {
            line,
            former: lines,
            zygote,
        })
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
        let mut books = lock(&self.line.books);
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
        self.line
            .frames
            .send(frame)
            .map_err(|_| LaunchError::ZygoteDied)?;
        Ok(receiver)
    }

    /// Tells all zygotes; those that know nothing of it ignore it.
    fn tell_all(&self, request: &Request) {
        match encode(request) {
            // Without a zygote nothing is left.
            Ok(frame) => self.former.iter().chain([&self.line]).for_each(|line| {
                let _ = line.frames.send(frame.clone());
            }),
            Err(error) => warn!(%error, "a container with such an id cannot have been launched"),
        }
    }
}

impl Line {
    fn open(
        socket: net::UnixStream,
        frames: Frames,
        books: Books,
        zygote: Option<Child>,
        events: mpsc::UnboundedSender<LauncherEvent>,
    ) -> io::Result<Line> {
        socket.set_nonblocking(true)?;
        let (reader, writer) = UnixStream::from_std(socket)?.into_split();
        let (sender, receiver) = mpsc::unbounded_channel();
        let books = Arc::new(Mutex::new(books));
        task::spawn_local(write(writer, receiver, Arc::clone(&books)));
        task::spawn_local(read((reader, frames), zygote, Arc::clone(&books), events));
        let frames = sender;
        Ok(Line { frames, books })
    }
}

/// Starts a zygote, with a socket to it that blocks.
fn spawn_zygote(executable: &Path, arguments: &[&str]) -> io::Result<(Child, net::UnixStream)> {
    let (ours, theirs) = net::UnixStream::pair()?;
    let child = Command::new(executable)
        .args(arguments)
        .env("LD_BIND_NOW", "1") // functions found on first use are found again in each fork
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .spawn()?;
    Ok((child, ours))
}

/// Has a zygote wait for later agents, and waits until it does.
fn await_agents(socket: &mut net::UnixStream, survival: &Survival) -> io::Result<Frames> {
    let name = uuid::Builder::from_random_bytes(rand::Rng::random(&mut libproc::env::rng()));
    let path = survival.directory.join(name.into_uuid().to_string());
    let patience = survival.patience;
    socket.set_read_timeout(Some(ZYGOTE_START_MAX))?;
    former::say(socket, &Request::Listen { path, patience })?;
    let mut frames = Frames::default();
    match former::hear(socket, &mut frames)? {
        Report::Listening { error: None } => Ok(frames),
        Report::Listening { error: Some(error) } => Err(io::Error::other(error)),
        _ => Err(io::ErrorKind::InvalidData.into()), // it has nothing else to tell
    }
}

impl Launch for Launcher {
    fn launch(&self, request: LaunchRequest) -> Launching {
        let sent = self.send_launch(request);
        Box::pin(async { sent?.await.unwrap_or(Err(LaunchError::ZygoteDied)) })
    }

    fn destroy(&self, container_id: &str, how: Destroy) {
        let container_id = container_id.to_string();
        self.tell_all(&Request::Destroy { container_id, how });
    }

    fn settled(&self, container_id: &str) {
        let container_id = container_id.to_string();
        self.tell_all(&Request::Settled { container_id });
    }
}

fn lock(books: &Mutex<Books>) -> MutexGuard<'_, Books> {
    books.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes frames, as many together as have come, until the last launcher is dropped; then closes
/// this direction, which tells the zygote to end.
async fn write(
    mut socket: OwnedWriteHalf,
    mut frames: mpsc::UnboundedReceiver<Vec<u8>>,
    books: Arc<Mutex<Books>>,
) {
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
    lock(&books).let_go = true;
}

/// Reads reports until the zygote is gone, then settles what it left open. One of a former agent
/// is no child of ours, and goes when it has nothing left.
async fn read(
    (mut socket, mut frames): (OwnedReadHalf, Frames),
    zygote: Option<Child>,
    books: Arc<Mutex<Books>>,
    events: mpsc::UnboundedSender<LauncherEvent>,
) {
    if let Err(error) = read_reports((&mut socket, &mut frames), &books, &events).await {
        error!(%error, "the zygote sent nonsense");
    }
    // It closed its end by ending, or is of no use. Either way this waits for no longer than
    // the kernel needs to take it down.
    let (surviving, let_go) = {
        let books = lock(&books);
        (books.surviving, books.let_go)
    };
    if surviving && let_go {
        return; // it waits for the next agent
    }
    let own = zygote.is_some();
    if let Some(mut zygote) = zygote {
        let _ = zygote.kill();
        let _ = zygote.wait();
    }
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
    if own {
        let _ = events.send(LauncherEvent::ZygoteDied);
    }
}

async fn read_reports(
    (socket, frames): (&mut OwnedReadHalf, &mut Frames),
    books: &Mutex<Books>,
    events: &mpsc::UnboundedSender<LauncherEvent>,
) -> Result<(), WireError> {
    loop {
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
                // Said once, before there is anybody to read here.
                Report::Listening { .. } | Report::Runs { .. } | Report::Introduced => {}
            }
        }
        let Ok(1..) = socket.read_buf(frames.buffer()).await else {
            return Ok(());
        };
    }
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
