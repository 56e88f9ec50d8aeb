//! Pages that may be long: written part by part, from the books of one moment.
//!
//! A page is written by an async function that gives way whenever a part of it is full. It begins
//! in the master's turn; when a page is not done with its first, small part, a [`Clerk`] goes on
//! with it on a thread of its own, as fast as its reader reads. So the first bytes leave at once, a
//! short page is one turn's work and has a length, a long one keeps neither the master waiting nor
//! the memory for all of it.

mod clerk;

use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::{Notify, mpsc};

pub(crate) use clerk::Clerk;

/// The first part, which is written in the master's turn, has about so many bytes.
const FIRST_BYTES: usize = 16 << 10;
/// A later part has about so many bytes, and is one chunk on the wire.
const PART_BYTES: usize = 64 << 10;
/// So many parts wait for a reader.
const PARTS_WAITING: usize = 2;
/// A reader that takes no part for so long does not read.
const PATIENCE: Duration = Duration::from_secs(60);
/// What it costs to look at one record, in bytes that could be written in that time.
pub(crate) const LOOK: usize = 64;

/// A page that is being written.
#[derive(Debug)]
pub(crate) struct Page {
    out: Vec<u8>,
    /// What was written last: whether a comma has to follow.
    last: u8,
    /// How much of the work for this part is done, in bytes.
    spent: usize,
    part_bytes: usize,
    /// None of a page that is wanted whole.
    parts: Option<mpsc::Sender<Bytes>>,
    /// Told when the reader does not read.
    unread: Arc<Notify>,
}

impl Page {
    fn new(parts: Option<mpsc::Sender<Bytes>>, unread: Arc<Notify>) -> Self {
        Self {
            out: Vec::with_capacity(FIRST_BYTES + FIRST_BYTES / 4),
            last: b'(',
            spent: 0,
            part_bytes: FIRST_BYTES,
            parts,
            unread,
        }
    }

    /// Writes this as it is.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
        self.spent += bytes.len();
        if let Some(last) = bytes.last() {
            self.last = *last;
        }
    }

    /// Writes a value in JSON.
    pub(crate) fn json(&mut self, value: &impl Serialize) {
        let before = self.out.len();
        serde_json::to_writer(&mut self.out, value).expect("a page has text keys only");
        self.spent += self.out.len() - before;
        self.last = self.out.last().copied().unwrap_or(self.last);
    }

    /// Begins an object with the fields of a value, to which others are added; [`Self::end`]s it.
    pub(crate) fn object(&mut self, value: &impl Serialize) {
        self.comma();
        self.json(value);
        let brace = self.out.pop();
        debug_assert_eq!(brace, Some(b'}'), "an object");
        self.last = self.out.last().copied().unwrap_or(b',');
    }

    /// Writes a field of an object, but for its value.
    pub(crate) fn name(&mut self, name: &str) {
        self.comma();
        self.raw(b"\"");
        self.raw(name.as_bytes());
        self.raw(b"\":");
    }

    /// Writes a field of an object.
    pub(crate) fn field(&mut self, name: &str, value: &impl Serialize) {
        self.name(name);
        self.json(value);
    }

    /// Begins a field that is a list.
    pub(crate) fn list(&mut self, name: &str) {
        self.name(name);
        self.raw(b"[");
    }

    /// Writes an item of a list.
    pub(crate) fn item(&mut self, value: &impl Serialize) {
        self.comma();
        self.json(value);
    }

    /// Writes an item of a list that is JSON already.
    pub(crate) fn raw_item(&mut self, json: &[u8]) {
        self.comma();
        self.raw(json);
    }

    /// Ends an object, a list, or a call of a function: `end` is its closing bracket.
    pub(crate) fn end(&mut self, end: char) {
        self.raw(&[end as u8]);
    }

    fn comma(&mut self) {
        if !matches!(self.last, b'{' | b'[' | b'(' | b':') {
            self.raw(b",");
        }
    }

    /// Gives way if a part is full. To be called after each record.
    pub(crate) async fn pause(&mut self) {
        if self.spent >= self.part_bytes {
            self.hand_over().await;
        }
    }

    /// Says that work was done that wrote nothing, such as to look at records; gives way if that
    /// and what was written is as much as a part.
    pub(crate) async fn work(&mut self, bytes: usize) {
        self.spent += bytes;
        self.pause().await;
    }

    async fn hand_over(&mut self) {
        self.spent = 0;
        self.part_bytes = PART_BYTES;
        if self.parts.is_some() && !self.out.is_empty() {
            let room = Vec::with_capacity(PART_BYTES + PART_BYTES / 4);
            let part = std::mem::replace(&mut self.out, room);
            self.send(part.into()).await;
        }
        let mut gave_way = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut gave_way, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    /// Sends what is left.
    async fn finish(mut self) {
        if !self.out.is_empty() {
            let rest = std::mem::take(&mut self.out);
            self.send(rest.into()).await;
        }
    }

    /// Sends a part when there is room. When nobody reads, that is told, and this never comes back.
    async fn send(&self, part: Bytes) {
        let Some(parts) = &self.parts else {
            return;
        };
        let Err(full) = parts.try_send(part) else {
            return;
        };
        let sending = parts.send(full.into_inner());
        let sent = tokio::time::timeout(PATIENCE, sending).await;
        if !matches!(sent, Ok(Ok(()))) {
            self.unread.notify_one();
            pending::<()>().await;
        }
    }
}
