//! What the numbers stand for that a peer has defined on a connection.

use std::net::SocketAddr;
use std::sync::Arc;

use super::frame::{Address, BadFrame, NAMES_MAX, NOBODY, TABLE_MAX};
use crate::lane::AnyLane;
use crate::node::{Node, Target};
use crate::pid::{Home, Upid};
use crate::protocol::{Decode, MessageInfo};

/// Not looked up yet.
const UNKNOWN: u16 = u16::MAX;
/// Looked up: no message of the page.
const NO_MESSAGE: u16 = u16::MAX - 1;

pub(super) struct Arrivals {
    peer: Arc<Home>,
    to: Vec<Entry>,
    from: Vec<Upid>,
    /// Whom letters come from that were sent there from outside any process.
    nobody: Upid,
    names: Vec<Box<str>>,
    /// The pages of the processes that letters were for.
    pages: Vec<Page>,
}

/// A process of this node that letters are for.
struct Entry {
    target: Target,
    /// The place of its protocol in `pages`.
    page: usize,
}

/// A protocol, and which of its messages the names of the connection are.
struct Page {
    messages: &'static [MessageInfo],
    /// By number of the name: its place on the page, [`UNKNOWN`] or [`NO_MESSAGE`].
    places: Vec<u16>,
}

/// The protocol that a process speaks.
#[derive(Clone, Copy)]
pub(super) struct Protocol {
    messages: &'static [MessageInfo],
    /// Makes a lane of it.
    pub(super) lane: fn() -> Box<dyn AnyLane>,
}

impl Protocol {
    /// Whether it is one whose lanes are the same.
    pub(super) fn is(&self, other: &Protocol) -> bool {
        std::ptr::eq(self.messages, other.messages)
    }
}

/// What is to be done with a letter.
pub(super) enum Wanted {
    /// Decode it into a lane of its protocol.
    Message(Upid, Protocol, Decode),
    NoProcess,
    NotAccepted,
}

impl Arrivals {
    pub(super) fn new(peer: SocketAddr) -> Arrivals {
        let peer = Home::elsewhere(peer);
        Arrivals {
            nobody: Upid::of("~".into(), peer.clone(), 0),
            peer,
            to: Vec::new(),
            from: Vec::new(),
            names: Vec::new(),
            pages: Vec::new(),
        }
    }

    pub(super) fn define_to(&mut self, target: Target) -> Result<(), BadFrame> {
        let page = usize::MAX;
        define(&mut self.to, Entry { target, page }, TABLE_MAX)
    }

    pub(super) fn define_from(&mut self, id: &str) -> Result<(), BadFrame> {
        let upid = Upid::of(id.into(), self.peer.clone(), 0);
        define(&mut self.from, upid, TABLE_MAX)
    }

    pub(super) fn define_name(&mut self, name: &str) -> Result<(), BadFrame> {
        define(&mut self.names, name.into(), NAMES_MAX)
    }

    pub(super) fn forget(&mut self) {
        *self = Arrivals::new(self.peer.address);
    }

    /// The process that has the number `to`.
    pub(super) fn target(&mut self, to: usize) -> Option<&mut Target> {
        Some(&mut self.to.get_mut(to)?.target)
    }

    /// Finds who a letter is for, and what it is.
    #[inline]
    pub(super) fn find(&mut self, node: &Node, address: Address) -> Result<Wanted, BadFrame> {
        let from = match address.from {
            NOBODY => &self.nobody,
            from => self.from.get(from as usize).ok_or(BadFrame::Undefined)?,
        };
        let entry = self
            .to
            .get_mut(address.to as usize)
            .ok_or(BadFrame::Undefined)?;
        let name = usize::from(address.name);
        if name >= self.names.len() {
            return Err(BadFrame::Undefined);
        }
        if !node.resolve(&mut entry.target) {
            return Ok(Wanted::NoProcess);
        }
        let Some(kind) = entry.target.kind else {
            return Ok(Wanted::NoProcess);
        };
        let messages = kind.messages;
        let known = self.pages.get(entry.page);
        if known.is_none_or(|page| !std::ptr::eq(page.messages, messages)) {
            entry.page = page(&mut self.pages, messages);
        }
        let places = &mut self.pages[entry.page].places;
        let place = match places.get(name) {
            Some(&place) if place != UNKNOWN => place,
            _ => look_up(places, messages, name, &self.names[name]),
        };
        let Some(message) = messages.get(usize::from(place)) else {
            if node.forget_gone(&mut entry.target) {
                // Another process may have its name, and speak another protocol.
                return self.find(node, address);
            }
            return Ok(Wanted::NotAccepted);
        };
        let lane = kind.lane;
        Ok(Wanted::Message(
            from.clone(),
            Protocol { messages, lane },
            message.decode,
        ))
    }

    /// Whether the numbers of a letter are defined.
    pub(super) fn check(&self, address: Address) -> Result<(), BadFrame> {
        let to = (address.to as usize) < self.to.len();
        let from = address.from == NOBODY || (address.from as usize) < self.from.len();
        let name = usize::from(address.name) < self.names.len();
        if to && from && name {
            Ok(())
        } else {
            Err(BadFrame::Undefined)
        }
    }

    /// The receiver, the sender and the name of a letter, for the log.
    pub(super) fn describe(&self, address: Address) -> (&str, &Upid, &str) {
        let to = self.to.get(address.to as usize);
        let name = self.names.get(usize::from(address.name));
        (
            to.map_or("", |entry| &entry.target.id),
            self.from.get(address.from as usize).unwrap_or(&self.nobody),
            name.map_or("", |name| name),
        )
    }
}

/// The place of a protocol in `pages`.
#[cold]
fn page(pages: &mut Vec<Page>, messages: &'static [MessageInfo]) -> usize {
    let known = pages
        .iter()
        .position(|page| std::ptr::eq(page.messages, messages));
    known.unwrap_or_else(|| {
        let places = Vec::new();
        pages.push(Page { messages, places });
        pages.len() - 1
    })
}

/// Finds which message of a page a name is, and remembers that.
#[cold]
fn look_up(places: &mut Vec<u16>, messages: &[MessageInfo], number: usize, name: &str) -> u16 {
    let place = messages.iter().position(|message| message.name == name);
    let place = place.map_or(NO_MESSAGE, |place| place as u16);
    if places.len() <= number {
        places.resize(number + 1, UNKNOWN);
    }
    places[number] = place;
    place
}

fn define<T>(table: &mut Vec<T>, entry: T, most: usize) -> Result<(), BadFrame> {
    if table.len() >= most {
        return Err(BadFrame::TooMany);
    }
    table.push(entry);
    Ok(())
}
