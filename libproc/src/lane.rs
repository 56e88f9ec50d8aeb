//! The lane of a process: its letters in order, in a queue typed by the protocol it speaks.
//!
//! Typed, so that a message lies in the queue itself. Who does not know the protocol (the system,
//! the transport, a worker) sees [`AnyLane`].

use std::any::{Any, TypeId};
use std::collections::VecDeque;

use crate::ask::AskError;
use crate::letter::{Letter, ReplyTo, Sender, System};
use crate::node::Node;
use crate::protocol::Page;

/// An empty lane never keeps room for more bytes than these; what a burst took is given back.
const KEEP_BYTES: usize = 1 << 20;
/// Room of an empty lane up to which it counts as large.
const LARGE_BYTES: usize = 64 << 10;
/// Room of an empty lane up to which it counts as small.
const SMALL_BYTES: usize = 1 << 10;

/// How much room an empty lane keeps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Warmth {
    /// None: it allocates when the next letter comes.
    #[default]
    Cold,
    /// Up to 1 KiB.
    Small,
    /// Up to 64 KiB.
    Large,
    /// Up to 1 MiB.
    Huge,
}

/// The letters of a process that speaks `P`.
pub(crate) struct Lane<P: Page> {
    pub(crate) letters: VecDeque<Letter<P>>,
}

/// A letter that came to nothing, for whoever counts and reports it.
pub(crate) struct Refused {
    pub(crate) from: Sender,
    pub(crate) message: &'static str,
}

/// How a lane is after a turn of its process.
pub(crate) enum Finished {
    /// Letters wait in it.
    More,
    /// It is empty, and keeps this much room.
    Empty(Warmth),
}

/// A lane, whatever the protocol.
pub(crate) trait AnyLane: Any + Send {
    fn len(&self) -> usize;
    /// Adds a letter of the system itself; a stop goes to the front.
    fn system(&mut self, letter: System);
    /// Moves every letter into `batch`, an empty lane of the same protocol; how many there are.
    fn begin(&mut self, batch: &mut dyn AnyLane) -> usize;
    /// After a turn: takes back the room it had and, in front of what came since, the letters left
    /// in `batch`.
    fn finish(&mut self, batch: &mut dyn AnyLane) -> Finished;
    /// Takes up to `most` letters from the front of a lane of the same protocol.
    fn append(&mut self, from: &mut dyn AnyLane, most: usize);
    /// Drops every letter; whoever waits for an answer is told, and `each` message is reported.
    fn refuse_all(&mut self, error: &AskError, node: &Node, each: &mut dyn FnMut(Refused));
    /// Drops the oldest message to make room; none when only letters of the system wait.
    fn refuse_oldest(&mut self) -> Option<(Refused, Option<ReplyTo>)>;
    /// How much room there is, used or not.
    fn room(&self) -> Warmth;
    fn protocol(&self) -> TypeId;
    /// The names of the first messages that wait, up to `most`.
    fn waiting(&self, most: usize) -> Vec<&'static str>;
}

/// The lane as that of the protocol `P`, if it is one.
#[inline]
pub(crate) fn typed<P: Page>(lane: &mut dyn AnyLane) -> Option<&mut Lane<P>> {
    (lane as &mut dyn Any).downcast_mut()
}

impl<P: Page> Lane<P> {
    /// A lane for a letter that comes now: most of the processes that rest get one at a time.
    pub(crate) fn for_one() -> Lane<P> {
        let letters = VecDeque::with_capacity(1);
        Lane { letters }
    }

    fn bytes(&self) -> usize {
        self.letters.capacity() * size_of::<Letter<P>>()
    }
}

impl<P: Page> AnyLane for Lane<P> {
    fn len(&self) -> usize {
        self.letters.len()
    }

    fn system(&mut self, letter: System) {
        match letter {
            System::Stop(_) => self.letters.push_front(Letter::System(letter)),
            System::Work(_) | System::Reply { .. } | System::Exited(_) | System::Http(_) => {
                self.letters.push_back(Letter::System(letter));
            }
        }
    }

    fn begin(&mut self, batch: &mut dyn AnyLane) -> usize {
        let Some(batch) = typed::<P>(batch) else {
            return 0;
        };
        std::mem::swap(&mut self.letters, &mut batch.letters);
        batch.letters.len()
    }

    fn finish(&mut self, batch: &mut dyn AnyLane) -> Finished {
        let Some(batch) = typed::<P>(batch) else {
            return Finished::Empty(Warmth::Cold);
        };
        if !batch.letters.is_empty() {
            batch.letters.append(&mut self.letters);
        } else {
            batch.letters.clear(); // the next letter goes where the first was: into the caches
            if !self.letters.is_empty() {
                return Finished::More;
            }
        }
        std::mem::swap(&mut self.letters, &mut batch.letters);
        if !self.letters.is_empty() {
            return Finished::More;
        }
        if self.bytes() > KEEP_BYTES {
            self.letters = VecDeque::new();
        }
        Finished::Empty(self.room())
    }

    fn append(&mut self, from: &mut dyn AnyLane, most: usize) {
        let Some(from) = typed::<P>(from) else { return };
        if most >= from.letters.len() {
            return self.letters.append(&mut from.letters);
        }
        self.letters.extend(from.letters.drain(..most));
    }

    fn refuse_all(&mut self, error: &AskError, node: &Node, each: &mut dyn FnMut(Refused)) {
        for letter in std::mem::take(&mut self.letters) {
            let Some((refused, reply)) = refused(letter) else {
                continue;
            };
            each(refused);
            if let Some(reply) = reply {
                reply.fail(error.clone(), node);
            }
        }
    }

    fn refuse_oldest(&mut self) -> Option<(Refused, Option<ReplyTo>)> {
        let message = |letter: &Letter<P>| !matches!(letter, Letter::System(_));
        let oldest = self.letters.iter().position(message)?;
        self.letters.remove(oldest).and_then(refused)
    }

    fn room(&self) -> Warmth {
        match self.bytes() {
            0 => Warmth::Cold,
            1..=SMALL_BYTES => Warmth::Small,
            bytes if bytes <= LARGE_BYTES => Warmth::Large,
            _ => Warmth::Huge,
        }
    }

    fn protocol(&self) -> TypeId {
        TypeId::of::<P>()
    }

    fn waiting(&self, most: usize) -> Vec<&'static str> {
        self.letters.iter().take(most).map(Letter::name).collect()
    }
}

/// What is to be reported of a message that comes to nothing, and to whom an answer is owed.
fn refused<P: Page>(letter: Letter<P>) -> Option<(Refused, Option<ReplyTo>)> {
    let (from, message, reply) = letter.open().ok()?;
    let message = P::name_of(&message);
    Some((Refused { from, message }, reply))
}
