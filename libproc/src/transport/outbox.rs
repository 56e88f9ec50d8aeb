//! What waits to be sent to one peer, encoded: an ordered lane of letters and answers in chunks,
//! and a lane for what passes them.

use std::collections::VecDeque;

use serde::Serialize;

use super::encode::{TooLarge, begin, failure, finish, plain};
use super::frame::{HEAD, Kind, LENGTH, NOBODY, WINDOW};
use super::numbers::Numbers;
use crate::ask::AskError;
use crate::link::ExitReason;
use crate::pid::Upid;
use crate::protocol::Wire;
use crate::trace::{self, TraceContext};

/// Bytes after which a chunk of the ordered lane is closed: what one write hands to the system, and
/// how much a ping may have to wait for.
const CHUNK: usize = 64 << 10;
/// Chunks that were sent and are kept to be filled again.
const SPARE_CHUNKS: usize = 8;
/// Bytes past which no larger answer waits, however much may wait of letters: it is the peer that
/// causes answers, and it may read none.
const ANSWERS_MAX: usize = 16 << 20;
/// Largest answer, in bytes, that is sent however much waits: it is hardly longer than a refusal.
const SMALL_REPLY: usize = 1 << 10;
/// Past this many bytes unsent of what is never refused, nothing more is taken in from the peer:
/// what it says makes them, and it does not read them.
const OWED_MAX: usize = 4 << 20;
/// Past this many the connection ends when the peer asks for more: links are heard even while it
/// reads nothing, for it may be about to.
const SWAMPED: usize = 16 << 20;
/// Longest text of a panic that is sent, in characters.
const PANIC_TEXT_MAX: usize = 1000;

pub(crate) struct Outbox {
    chunks: VecDeque<Chunk>,
    spare: Vec<Vec<u8>>,
    /// Bytes of the ordered lane that wait, those being written included.
    queued: usize,
    /// Those being written.
    writing: usize,
    /// What is left of them after a socket took only a part.
    rest: Vec<u8>,
    control: Vec<u8>,
    /// Pings and pongs: they pass everything else.
    beats: Vec<u8>,
    /// Bytes that wait and could not be refused: failures, exits, small answers.
    owed: usize,
    /// Bytes of the ordered lane that were handed to the writer, and that the peer took in.
    sent: u64,
    consumed: u64,
    numbers: Numbers,
    /// Bytes of the ordered lane past which nothing more is let in.
    high_water: usize,
}

/// A part of the ordered lane.
#[derive(Default)]
struct Chunk {
    bytes: Vec<u8>,
    letters: u64,
    owed: usize,
}

/// Why something was not put into the outbox.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Too much waits already.
    Busy,
    TooLarge,
}

impl Outbox {
    /// An outbox that is busy while more than `high_water` bytes of letters wait.
    pub(crate) fn new(high_water: usize) -> Outbox {
        Outbox {
            chunks: VecDeque::new(),
            spare: Vec::new(),
            queued: 0,
            writing: 0,
            rest: Vec::new(),
            control: Vec::new(),
            beats: Vec::new(),
            owed: 0,
            sent: 0,
            consumed: 0,
            numbers: Numbers::default(),
            high_water,
        }
    }

    /// Whether everything was written.
    pub(crate) fn is_empty(&self) -> bool {
        self.queued == 0 && self.rest.is_empty() && self.control.is_empty() && self.beats.is_empty()
    }

    /// Whether a chunk is full that could be written, as far as is known here.
    #[inline]
    pub(crate) fn has_full_chunk(&self) -> bool {
        let full = |chunk: &Chunk| chunk.bytes.len() >= CHUNK;
        self.chunks.front().is_some_and(full) && self.rest.is_empty()
    }

    /// Whether so much waits that letters are refused.
    pub(crate) fn is_busy(&self) -> bool {
        self.queued > self.high_water
    }

    /// Whether so much waits that answers are refused.
    pub(crate) fn is_unread(&self) -> bool {
        self.queued > self.high_water.min(ANSWERS_MAX)
    }

    /// Whether so much waits that the peer is not to cause more of it.
    pub(crate) fn is_overfull(&self) -> bool {
        self.owed > OWED_MAX
    }

    /// Whether so much waits that a peer that causes more of it means harm.
    pub(crate) fn is_swamped(&self) -> bool {
        self.owed > SWAMPED
    }

    /// Whether the ordered lane may move.
    fn is_open(&self) -> bool {
        self.sent - self.consumed < WINDOW as u64
    }

    /// Whether there is something that may be sent.
    pub(crate) fn has_next(&self) -> bool {
        let ordered = self.is_open() && !self.chunks.is_empty();
        ordered || !self.rest.is_empty() || !self.control.is_empty() || !self.beats.is_empty()
    }

    /// How many letters wait and are not being written.
    pub(crate) fn letters(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.letters).sum()
    }

    /// What waits and is not being written, encoded, and what its numbers stand for.
    pub(super) fn unsent(&self) -> (impl DoubleEndedIterator<Item = &[u8]>, &Numbers) {
        let chunks = self.chunks.iter().map(|chunk| &chunk.bytes[..]);
        (chunks, &self.numbers)
    }

    /// Bytes of the ordered lane that wait.
    pub(crate) fn queued(&self) -> usize {
        self.queued
    }

    /// What [`next`](Outbox::next) gave was written; its bytes come back to be filled again.
    pub(crate) fn wrote(&mut self, spent: Vec<u8>) {
        self.keep(spent);
        if self.rest.is_empty() {
            self.queued -= self.writing;
            self.writing = 0;
        }
    }

    /// Of what [`next`](Outbox::next) gave, only the first `count` bytes were written.
    pub(crate) fn wrote_part(&mut self, mut bytes: Vec<u8>, count: usize) {
        bytes.drain(..count);
        self.rest = bytes;
    }

    /// The next bytes to write, if there are any that may be sent; to be followed by
    /// [`wrote`](Outbox::wrote).
    pub(crate) fn next(&mut self) -> Option<Vec<u8>> {
        if !self.rest.is_empty() {
            return Some(std::mem::take(&mut self.rest));
        }
        if !self.beats.is_empty() || !self.control.is_empty() {
            self.owed = self.owed.saturating_sub(self.control.len());
            let mut first = std::mem::take(&mut self.beats);
            first.append(&mut self.control);
            return Some(first);
        }
        if !self.is_open() {
            return None;
        }
        let chunk = self.chunks.pop_front()?;
        self.owed = self.owed.saturating_sub(chunk.owed);
        self.writing = chunk.bytes.len();
        self.sent += chunk.bytes.len() as u64;
        Some(chunk.bytes)
    }

    fn keep(&mut self, mut spent: Vec<u8>) {
        let useful = (1..=2 * CHUNK).contains(&spent.capacity());
        if useful && self.spare.len() < SPARE_CHUNKS {
            spent.clear();
            self.spare.push(spent);
        }
    }

    /// Gives back the memory that is kept for a next burst.
    pub(crate) fn trim(&mut self) {
        self.spare = Vec::new();
    }

    /// The peer has taken in so many bytes of the ordered lane; false when it cannot have.
    pub(crate) fn consumed(&mut self, consumed: u64) -> bool {
        let possible = (self.consumed..=self.sent).contains(&consumed);
        if possible {
            self.consumed = consumed;
        }
        possible
    }

    /// Adds a message: a plain one, or with a number one that expects an answer.
    #[inline]
    pub(crate) fn letter<M: Wire>(
        &mut self,
        to: &Upid,
        from: Option<&Upid>,
        message: &M,
        number: Option<u64>,
    ) -> Result<(), Refused> {
        if self.is_busy() {
            return Err(Refused::Busy);
        }
        if self.numbers.is_full() {
            self.numbers = Numbers::default();
            self.text(Kind::Forget, "");
        }
        let (to_number, new) = self.numbers.to(to);
        if new {
            self.text(Kind::To, to.id());
        }
        let from_number = match from.map(|from| (from, self.numbers.from(from))) {
            Some((from, (number, new))) => {
                if new {
                    self.text(Kind::From, from.id());
                }
                number
            }
            None => NOBODY,
        };
        let (name, new) = self.numbers.name(M::NAME);
        if new {
            self.text(Kind::Name, M::NAME);
        }
        if let Some(context) = trace::outgoing() {
            self.trace(context);
        }
        let chunk = self.chunk();
        let start = chunk.bytes.len();
        let mut head = [0; HEAD + 10];
        head[LENGTH] = if number.is_some() {
            Kind::Ask as u8
        } else {
            Kind::Letter as u8
        };
        head[5..9].copy_from_slice(&to_number.to_le_bytes());
        head[9..13].copy_from_slice(&from_number.to_le_bytes());
        head[13..15].copy_from_slice(&name.to_le_bytes());
        chunk.bytes.extend_from_slice(&head);
        if let Some(number) = number {
            chunk.bytes.extend_from_slice(&number.to_le_bytes());
        }
        let length = finish(&mut chunk.bytes, start, message).map_err(too_large)?;
        chunk.letters += 1;
        self.queued += length;
        Ok(())
    }

    /// Says which trace the next letter belongs to.
    #[cold]
    fn trace(&mut self, context: TraceContext) {
        let chunk = self.chunk();
        begin(&mut chunk.bytes, Kind::Trace);
        let start = chunk.bytes.len() - HEAD;
        chunk.bytes.extend_from_slice(&context.to_bytes());
        let length = chunk.bytes.len() - start;
        let said = ((length - LENGTH) as u32).to_le_bytes();
        chunk.bytes[start..start + LENGTH].copy_from_slice(&said);
        self.queued += length;
    }

    /// Adds the answer to an ask.
    pub(crate) fn reply<T: Serialize>(&mut self, number: u64, value: &T) -> Result<(), Refused> {
        let busy = self.is_unread();
        let chunk = self.chunk();
        let start = chunk.bytes.len();
        begin(&mut chunk.bytes, Kind::Reply);
        chunk.bytes.extend_from_slice(&number.to_le_bytes());
        let length = finish(&mut chunk.bytes, start, value).map_err(too_large)?;
        if busy && length > SMALL_REPLY {
            chunk.bytes.truncate(start);
            return Err(Refused::Busy);
        }
        if busy {
            chunk.owed += length;
            self.owed += length;
        }
        self.queued += length;
        Ok(())
    }

    /// Adds why an ask has no answer, after what its process sent before.
    pub(crate) fn failed(&mut self, number: u64, error: &AskError) {
        let chunk = self.chunk();
        let length = failure(&mut chunk.bytes, Kind::Failed, number, error);
        chunk.owed += length;
        self.owed += length;
        self.queued += length;
    }

    /// Adds why an ask came to nothing, ahead of everything that has an order.
    pub(crate) fn refused(&mut self, number: u64, error: &AskError) {
        self.owed += failure(&mut self.control, Kind::Refused, number, error);
    }

    pub(crate) fn exited(&mut self, id: &str, reason: &ExitReason) {
        let text: ExitReason = match reason {
            ExitReason::Panicked(text) => {
                ExitReason::Panicked(text.chars().take(PANIC_TEXT_MAX).collect())
            }
            ExitReason::Failed(why) => ExitReason::Failed(why.chars().take(1000).collect()),
            ExitReason::Stopped
            | ExitReason::NoProcess
            | ExitReason::Disconnected
            | ExitReason::Unreachable
            | ExitReason::Denied(_) => reason.clone(),
        };
        let chunk = self.chunk();
        let start = chunk.bytes.len();
        begin(&mut chunk.bytes, Kind::Exited);
        // Never too large: the only text in it was cut above.
        let length = finish(&mut chunk.bytes, start, &(id, text)).unwrap_or(0);
        chunk.owed += length;
        self.owed += length;
        self.queued += length;
    }

    pub(crate) fn link(&mut self, id: &str) {
        plain(&mut self.control, Kind::Link, id.as_bytes());
    }

    pub(crate) fn unlink(&mut self, id: &str) {
        plain(&mut self.control, Kind::Unlink, id.as_bytes());
    }

    /// Tells the peer how much of its ordered lane was taken in.
    pub(crate) fn took_in(&mut self, bytes: u64) {
        plain(&mut self.control, Kind::Consumed, &bytes.to_le_bytes());
    }

    /// Adds a ping or a pong.
    pub(crate) fn beat(&mut self, kind: Kind) {
        // One says as much as several.
        let waits = |beat: &[u8]| beat.last() == Some(&(kind as u8));
        if !self.beats.chunks(HEAD).any(waits) {
            plain(&mut self.beats, kind, &[]);
        }
    }

    /// The chunk to write to.
    #[inline]
    fn chunk(&mut self) -> &mut Chunk {
        let full = self
            .chunks
            .back()
            .is_none_or(|last| last.bytes.len() >= CHUNK);
        if full {
            // The first of a burst grows as it needs to, those that follow are likely to be filled.
            let room = if self.chunks.is_empty() {
                0
            } else {
                CHUNK + CHUNK / 4
            };
            let spare = self.spare.pop();
            let bytes = spare.unwrap_or_else(|| Vec::with_capacity(room));
            self.chunks.push_back(Chunk {
                bytes,
                ..Chunk::default()
            });
        }
        let last = self.chunks.len() - 1;
        &mut self.chunks[last]
    }

    /// Adds a frame of the ordered lane that is a short text.
    #[cold]
    fn text(&mut self, kind: Kind, text: &str) {
        let chunk = self.chunk();
        plain(&mut chunk.bytes, kind, text.as_bytes());
        self.queued += HEAD + text.len();
    }
}

fn too_large(_: TooLarge) -> Refused {
    Refused::TooLarge
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::frame::{FRAME_MAX, split};

    /// Everything that may be sent at present, as a peer that takes nothing in would read it.
    fn drain(outbox: &mut Outbox) -> Vec<Kind> {
        let mut kinds = Vec::new();
        while let Some(bytes) = outbox.next() {
            let mut rest = &bytes[..];
            while let Some(frame) = split(rest).expect("its own frames") {
                kinds.push(frame.kind);
                rest = &rest[frame.length()..];
            }
            assert!(rest.is_empty(), "frames are not torn");
            outbox.wrote(bytes);
        }
        kinds
    }

    #[test]
    fn a_peer_that_reads_nothing_is_refused_answers_and_one_beat_is_enough() {
        let mut outbox = Outbox::new(16 << 20);
        let page = "x".repeat(1 << 20);
        let taken = (0..100)
            .take_while(|number| outbox.reply(*number, &page).is_ok())
            .count();
        assert!(taken > 0 && taken < 20, "{taken} answers of a mebibyte");
        assert!(outbox.is_busy() && !outbox.is_overfull());
        assert_eq!(
            outbox.reply(7, &"short"),
            Ok(()),
            "hardly longer than a refusal"
        );
        while !outbox.is_overfull() {
            outbox.failed(1, &AskError::Lost);
            outbox.refused(1, &AskError::Busy);
        }
        for kind in [Kind::Pong, Kind::Ping, Kind::Pong, Kind::Ping] {
            outbox.beat(kind);
        }
        let kinds = drain(&mut outbox);
        assert_eq!(kinds[..3], [Kind::Pong, Kind::Ping, Kind::Refused]);
        assert!(!kinds[2..].contains(&Kind::Ping));
        assert!(!outbox.is_empty(), "the window is closed");
        let sent = outbox.sent;
        assert!(!outbox.consumed(sent + 1), "more than was sent");
        while !outbox.is_empty() {
            let sent = outbox.sent;
            assert!(outbox.consumed(sent));
            drain(&mut outbox);
        }
        assert!(!outbox.is_busy() && !outbox.is_overfull());
        assert_eq!(outbox.reply(1, &page), Ok(()));
    }

    #[test]
    fn no_more_than_a_window_and_a_frame_is_under_way() {
        let mut outbox = Outbox::new(usize::MAX);
        let page = vec![0u8; 100_000];
        for number in 0..150 {
            outbox
                .reply(number, &serde_bytes::Bytes::new(&page))
                .expect("it fits");
        }
        drain(&mut outbox);
        assert!(outbox.sent as usize >= WINDOW && (outbox.sent as usize) < WINDOW + (200 << 10));
        assert!(!outbox.is_open());
        outbox.link("a");
        assert_eq!(
            drain(&mut outbox),
            [Kind::Link],
            "not held up by the window"
        );
    }

    #[test]
    fn what_is_too_large_leaves_no_trace() {
        let mut outbox = Outbox::new(1 << 30);
        outbox.reply(1, &1).expect("it fits");
        let queued = outbox.queued();
        let page = vec![0u8; FRAME_MAX];
        let page = serde_bytes::Bytes::new(&page);
        assert_eq!(outbox.reply(2, &page), Err(Refused::TooLarge));
        assert_eq!(outbox.queued(), queued);
        assert_eq!(drain(&mut outbox), [Kind::Reply]);
        assert!(outbox.is_empty());
    }

    #[test]
    fn what_a_socket_took_in_part_goes_on_where_it_stopped_before_anything_else() {
        let mut outbox = Outbox::new(1 << 30);
        let page = vec![7u8; CHUNK];
        let page = serde_bytes::Bytes::new(&page);
        outbox.reply(1, &page).expect("it fits");
        assert!(outbox.has_full_chunk());
        let whole = outbox.next().expect("it may be sent");
        let queued = outbox.queued();
        outbox.wrote_part(whole.clone(), 1000);
        outbox.beat(Kind::Ping);
        outbox.reply(2, &page).expect("it fits");
        assert!(!outbox.has_full_chunk(), "the socket takes no more");
        assert!(outbox.has_next() && !outbox.is_empty());
        outbox.wrote(Vec::new());
        assert!(outbox.queued() > queued, "none of it is out");
        let rest = outbox.next().expect("it may be sent");
        assert_eq!(rest, whole[1000..]);
        outbox.wrote(rest);
        assert_eq!(drain(&mut outbox), [Kind::Ping, Kind::Reply]);
        assert!(outbox.is_empty());
    }
}
