//! A time in which this is the writer: what it has sent, and what came of it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use replog::{LogError, Position, Refused, Writer};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Shared;
use super::record::{Kind, Piece, SessionId};
use super::view::{Completed, Damage, Outcome, View};
use crate::StorageError;

/// How long one try to become the writer may take: longer than an election.
const ONE_TRY: Duration = Duration::from_secs(2);
/// How long to wait before it is tried again.
const AGAIN: Duration = Duration::from_millis(50);

/// What changes, of what handles share.
pub(super) struct Inner {
    pub(super) view: View,
    /// Known once the log was read from its beginning.
    pub(super) opened: bool,
    /// What nobody can go on from.
    pub(super) damage: Option<Damage>,
    session: Option<Session>,
    /// There was one, and another writer has started since, or the log has another leader.
    pub(super) superseded: bool,
    awaited: BTreeMap<(SessionId, u64), Awaited>,
}

/// A time in which this is the writer.
pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) writer: Writer,
    messages: u64,
    /// Entries that were sent, from the first whose fate is open; and how many were before.
    sent: VecDeque<Sent>,
    settled: u64,
    /// Whether all variables are being written.
    pub(super) saving: bool,
    /// How much more the log is to grow before that, since it did not work: in bytes.
    pub(super) put_off: u64,
}

struct Sent {
    data: Bytes,
    fate: Fate,
}

#[derive(Clone, Copy)]
enum Fate {
    Open,
    At(Position),
    /// Nothing was written.
    Refused,
}

/// A message whose outcome somebody waits for.
#[derive(Default)]
struct Awaited {
    wake: Option<oneshot::Sender<()>>,
    outcome: Option<Outcome>,
    /// Part of the log was forgotten before it was read here, and it may have been in that.
    skipped: bool,
}

/// Why an entry is not known to be written.
#[derive(Debug, Clone)]
pub(super) enum Unsent {
    /// It is not, and the session goes on.
    Refused(Arc<LogError>),
    /// It is not, and the session is over.
    Over(Arc<LogError>),
    /// It may be, and the session is over.
    Unknown(Arc<LogError>),
}

impl Inner {
    pub(super) fn new() -> Inner {
        Inner {
            view: View::new(Position::FIRST),
            opened: false,
            damage: None,
            session: None,
            superseded: false,
            awaited: BTreeMap::new(),
        }
    }

    pub(super) fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    pub(super) fn session_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.session.as_mut().filter(|session| session.id == id)
    }

    /// Begins one. Everything that others wrote has been applied.
    pub(super) fn begin(&mut self, writer: Writer) -> SessionId {
        let id = SessionId::after(self.view.session());
        self.superseded = false;
        self.session = Some(Session {
            id,
            writer,
            messages: 0,
            sent: VecDeque::new(),
            settled: 0,
            saving: false,
            put_off: 0,
        });
        id
    }

    /// It is over: what was sent and not applied yet is to be read, not applied as it comes.
    pub(super) fn end(&mut self, id: SessionId) {
        if self.session_mut(id).is_none() {
            return;
        }
        self.session = None;
        self.superseded = true;
        for awaited in self.awaited.values_mut() {
            if let Some(wake) = awaited.wake.take() {
                // Whoever does not wait any more need not wake up.
                let _ = wake.send(());
            }
        }
    }

    /// Applies an entry that comes next.
    ///
    /// # Errors
    /// When it is not what a writer writes. The variables cannot be used from then on.
    pub(super) fn apply(&mut self, position: Position, data: &Bytes) -> Result<(), Damage> {
        if position <= self.view.applied() {
            return Ok(());
        }
        let completed = self.view.apply(position, data).inspect_err(|damage| {
            tracing::error!(%damage, "the log of a state is damaged");
            self.damage = Some(damage.clone());
        })?;
        for completed in completed {
            self.tell(completed);
        }
        if let Some(id) = self.session.as_ref().map(|session| session.id)
            && self.view.session() > Some(id)
        {
            self.end(id);
        }
        Ok(())
    }

    fn tell(&mut self, (id, outcome): Completed) {
        if let Some(awaited) = self.awaited.get_mut(&id) {
            awaited.outcome = Some(outcome);
            if let Some(wake) = awaited.wake.take() {
                let _ = wake.send(());
            }
        }
    }

    /// What became of an entry that was sent. Applies what is next in the log by it.
    fn settle(&mut self, id: SessionId, number: u64, fate: Fate) {
        let Some(session) = self.session.as_mut().filter(|session| session.id == id) else {
            return;
        };
        let place = number.checked_sub(session.settled);
        let place = place.and_then(|place| usize::try_from(place).ok());
        if let Some(sent) = place.and_then(|place| session.sent.get_mut(place)) {
            sent.fate = fate;
        }
        let mut ready = Vec::new();
        while let Some(sent) = session.sent.front() {
            match sent.fate {
                Fate::Open => break,
                Fate::At(position) => ready.push((position, sent.data.clone())),
                Fate::Refused => {}
            }
            session.sent.pop_front();
            session.settled += 1;
        }
        for (position, data) in ready {
            if self.apply(position, &data).is_err() {
                self.end(id);
                return;
            }
        }
    }

    /// A number for another message of the session; what becomes of it is told.
    pub(super) fn number(&mut self, id: SessionId) -> Option<u64> {
        let session = self.session_mut(id)?;
        let message = session.messages;
        session.messages += 1;
        self.awaited.insert((id, message), Awaited::default());
        Some(message)
    }

    /// What became of a message, if that is known; no more is told of it then.
    pub(super) fn take_outcome(&mut self, id: (SessionId, u64)) -> Option<Outcome> {
        let outcome = self.awaited.get(&id)?.outcome?;
        self.awaited.remove(&id);
        Some(outcome)
    }

    /// No more need be told of it. False if it may have been where nobody here has read.
    pub(super) fn forget(&mut self, id: (SessionId, u64)) -> bool {
        let awaited = self.awaited.remove(&id);
        awaited.is_none_or(|awaited| !awaited.skipped)
    }

    /// The variables come anew, from a log that begins here: what was before is not read.
    pub(super) fn skip_to(&mut self, begin: Position) {
        if let Some(id) = self.session().map(|session| session.id) {
            self.end(id);
        }
        for awaited in self.awaited.values_mut() {
            awaited.skipped = true;
        }
        self.view = View::new(begin);
    }

    /// A message of this session is not written to its end.
    pub(super) fn give_up(&mut self, id: (SessionId, u64)) {
        self.forget(id);
        if self.session_mut(id.0).is_some() {
            self.view.give_up(id.1);
        }
    }

    /// Rings when something becomes of a message, or the session is over.
    pub(super) fn bell(&mut self, id: (SessionId, u64)) -> Option<oneshot::Receiver<()>> {
        let lives = self
            .session
            .as_ref()
            .is_some_and(|session| session.id == id.0);
        let awaited = self.awaited.get_mut(&id)?;
        if !lives || awaited.outcome.is_some() {
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        awaited.wake = Some(sender);
        Some(receiver)
    }
}

impl Shared {
    /// Becomes the writer, if it is not.
    pub(super) async fn start(&self) -> Result<SessionId, StorageError> {
        let _one = self.starting.lock().await;
        if let Some(session) = self.inner.lock().session() {
            return Ok(session.id);
        }
        if !self.options.here {
            // So that a leader is known, and nobody is superseded by one who cannot go on.
            self.catch_up().await?;
        }
        let writer = self
            .take_over()
            .await
            .map_err(|error| StorageError::failed("become the writer of the log", error))?;
        // Whatever others wrote is settled, and they write no more.
        self.catch_up().await?;
        let id = self.inner.lock().begin(writer);
        let begin = Piece {
            kind: Kind::Begin,
            session: id,
            message: u64::MAX,
            index: 0,
            data: Bytes::new(),
        };
        let Ok(sending) = self.send(begin) else {
            return Err(StorageError::Superseded);
        };
        match sending.await {
            Ok(_) => Ok(id),
            Err(unsent) => {
                self.inner.lock().end(id);
                let (Unsent::Refused(error) | Unsent::Over(error) | Unsent::Unknown(error)) =
                    unsent;
                Err(StorageError::Failed {
                    doing: "become the writer of the log".to_owned(),
                    source: error,
                })
            }
        }
    }

    /// A writer, to the exclusion of others. Tries as long as one has patience, since a replica that
    /// is asked while the log is about to begin hears late that another one leads.
    async fn take_over(&self) -> Result<Writer, LogError> {
        let deadline = Instant::now() + self.options.patience;
        loop {
            let mut writer = self.log.writer();
            let starting = async {
                match self.options.here {
                    true => writer.start_here().await,
                    false => writer.start().await,
                }
            };
            let until = deadline.min(Instant::now() + ONE_TRY);
            let started = tokio::time::timeout_at(until, starting).await;
            match started.unwrap_or(Err(LogError::Ask(libproc::AskError::Timeout))) {
                Ok(_) => return Ok(writer),
                // Another replica leads: that is an answer.
                Err(error @ LogError::Refused(Refused::NotLeader { .. })) if self.options.here => {
                    return Err(error);
                }
                Err(error) if Instant::now() >= deadline => return Err(error),
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    /// Sends an entry, at once: the order of calls is that of the log.
    ///
    /// # Errors
    /// When the session is over.
    pub(super) fn send(
        &self,
        piece: Piece,
    ) -> Result<impl Future<Output = Result<Position, Unsent>> + Send + '_, SessionOver> {
        let id = piece.session;
        let data = piece.encode();
        let mut inner = self.inner.lock();
        let session = inner.session_mut(id).ok_or(SessionOver)?;
        let appending = session.writer.append(data.clone());
        let number = session.settled + session.sent.len() as u64;
        let fate = Fate::Open;
        session.sent.push_back(Sent { data, fate });
        drop(inner);
        Ok(async move {
            let appended = tokio::time::timeout(self.options.patience, appending).await;
            let appended = appended.unwrap_or(Err(LogError::Ask(libproc::AskError::Timeout)));
            let mut inner = self.inner.lock();
            match appended {
                Ok(position) => {
                    inner.settle(id, number, Fate::At(position));
                    Ok(position)
                }
                Err(error) => {
                    let unsent = unsent(error);
                    match unsent {
                        Unsent::Refused(_) => inner.settle(id, number, Fate::Refused),
                        Unsent::Over(_) | Unsent::Unknown(_) => inner.end(id),
                    }
                    Err(unsent)
                }
            }
        })
    }
}

/// The session in which something was to be sent is over.
#[derive(Debug)]
pub(super) struct SessionOver;

/// What an error says of the entry, and of the session.
fn unsent(error: LogError) -> Unsent {
    use libproc::AskError;
    let make = match &error {
        LogError::Refused(Refused::Busy | Refused::Full | Refused::TooLarge { .. }) => {
            Unsent::Refused
        }
        LogError::Refused(Refused::Unknown) => Unsent::Unknown,
        LogError::Refused(_) => Unsent::Over,
        // It was not sent, or there was nobody to hear it.
        LogError::Ask(AskError::NoProcess | AskError::Refused | AskError::NotAccepted) => {
            Unsent::Over
        }
        _ => Unsent::Unknown,
    };
    make(Arc::new(error))
}
