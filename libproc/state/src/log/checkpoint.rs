//! Checkpoints: all variables are written into the log again, and what was before is forgotten.
//!
//! What is written is how they were at one moment, of which a copy costs nothing. Commits go on
//! meanwhile: they are in the log behind that moment, which is where it is cut off afterwards.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use replog::Position;

use super::Shared;
use super::record::{Message, Saved, SessionId};
use super::view::{Entries, Outcome};

/// So many entries of the log are written at once.
const PIECES: usize = 16;

/// All variables, at one moment.
struct Moment {
    /// Everything up to here has been applied.
    at: Position,
    /// Whoever knows them needs nothing before.
    begin: Position,
    entries: Entries,
    session: Option<SessionId>,
}

impl Shared {
    /// Writes all variables aside, if the log has grown enough.
    pub(super) fn save_if_grown(self: &Arc<Self>, id: SessionId) {
        let mut inner = self.inner.lock();
        let view = &inner.view;
        let most = self.options.checkpoint_bytes.max(view.weight());
        let moment = Moment {
            at: view.applied(),
            begin: view.needed_from(),
            entries: view.entries().clone(),
            session: view.session(),
        };
        let growth = view.growth();
        let Some(session) = inner.session_mut(id) else {
            return;
        };
        if session.saving || growth < most + session.put_off {
            return;
        }
        session.saving = true;
        drop(inner);
        let this = self.clone();
        self.hands.start(async move {
            let saved = this.save(id, moment).await;
            let mut inner = this.inner.lock();
            if let Some(session) = inner.session_mut(id) {
                session.saving = false;
                session.put_off = match saved {
                    Some(()) => 0,
                    // Not at once again, when the log does not take it.
                    None => growth - most + this.options.checkpoint_bytes,
                };
            }
        });
    }

    /// None when it does not come to its end.
    async fn save(&self, id: SessionId, moment: Moment) -> Option<()> {
        let at = moment.at.0;
        let most = self.piece_bytes.load(Ordering::Relaxed) * PIECES;
        let mut some = Vec::new();
        let mut bytes = 0;
        for entry in moment.entries.values() {
            bytes += entry.name.len() + entry.value.len();
            some.push(Saved {
                name: entry.name.clone(),
                version: entry.version,
                value: entry.value.clone(),
            });
            if bytes >= most {
                let entries = std::mem::take(&mut some);
                self.note(id, Message::Saved { at, entries }).await?;
                bytes = 0;
            }
        }
        if !some.is_empty() {
            let entries = some;
            self.note(id, Message::Saved { at, entries }).await?;
        }
        let checkpoint = Message::Checkpoint {
            at,
            begin: moment.begin.0,
            count: moment.entries.len() as u64,
            session: moment.session,
        };
        self.note(id, checkpoint).await?;
        let truncating = {
            let mut inner = self.inner.lock();
            let session = inner.session_mut(id)?;
            session.writer.truncate(moment.begin)
        };
        match tokio::time::timeout(self.options.patience, truncating).await {
            Ok(Ok(_)) => Some(()),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the log of a state was not truncated");
                None
            }
            Err(_) => None,
        }
    }

    /// Writes a message that changes nothing.
    async fn note(&self, id: SessionId, message: Message) -> Option<()> {
        match self.write(id, message.encode()).await {
            Ok(Outcome::Noted) => Some(()),
            _ => None,
        }
    }
}
