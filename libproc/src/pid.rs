//! Addresses: `id@ip:port`, and the same with the protocol its process speaks.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use ecow::EcoString;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::table::Handle;

/// Longest process id, in bytes.
pub const ID_MAX: usize = 255;

/// The untyped address of a process: an id, and the address of the node it lives on.
///
/// A value: it is compared, ordered, hashed, printed and sent as `id@ip:port`, and holding one says
/// nothing about whether the process lives. Cloning is one reference count.
#[derive(Clone)]
pub struct Upid(triomphe::Arc<Shared>);

struct Shared {
    /// On the heap only where it is longer than 15 bytes.
    id: EcoString,
    home: Arc<Home>,
    /// For an address made by the node of the process: its place in the table. For any other:
    /// what the transport likes to remember.
    hint: AtomicU64,
}

/// Where a node is reached; every address the node makes shares one, by which it knows its own.
pub(crate) struct Home {
    pub(crate) address: SocketAddr,
    /// It is that of a node of this OS process, and its addresses say where their processes live.
    pub(crate) is_node: bool,
}

impl Home {
    /// That of a node that only the network knows.
    pub(crate) fn elsewhere(address: SocketAddr) -> Arc<Home> {
        let is_node = false;
        Arc::new(Home { address, is_node })
    }
}

impl Upid {
    /// Makes an address from its two parts.
    ///
    /// # Errors
    /// [`InvalidUpid`] when `id` is empty, over [`ID_MAX`] bytes, or holds `@`, `/`, white space or
    /// a control character.
    pub fn new(id: impl AsRef<str>, address: SocketAddr) -> Result<Upid, InvalidUpid> {
        let id = id.as_ref();
        if !valid_id(id) {
            return Err(InvalidUpid(id.chars().take(ID_MAX).collect()));
        }
        Ok(Upid::elsewhere(id, address))
    }

    /// The address of a process that is not known to be of this node.
    pub(crate) fn elsewhere(id: &str, address: SocketAddr) -> Upid {
        Upid::of(id.into(), Home::elsewhere(address), 0)
    }

    /// The address of a process of the node whose home this is.
    pub(crate) fn at_home(id: EcoString, home: Arc<Home>, at: Handle) -> Upid {
        Upid::of(id, home, at.pack())
    }

    pub(crate) fn of(id: EcoString, home: Arc<Home>, hint: u64) -> Upid {
        let hint = AtomicU64::new(hint);
        Upid(triomphe::Arc::new(Shared { id, home, hint }))
    }

    /// As [`at_home`](Upid::at_home), in the memory of the address of a process of the same node
    /// that has gone, unless somebody holds that still.
    pub(crate) fn in_place_of(
        last: Option<Upid>,
        id: EcoString,
        home: &Arc<Home>,
        at: Handle,
    ) -> Upid {
        if let Some(mut last) = last
            && let Some(shared) = triomphe::Arc::get_mut(&mut last.0)
        {
            shared.id = id;
            *shared.hint.get_mut() = at.pack();
            return last;
        }
        Upid::at_home(id, home.clone(), at)
    }

    /// The id: unique on its node among the living.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// The address its node tells peers.
    #[inline]
    pub fn address(&self) -> SocketAddr {
        self.0.home.address
    }

    #[inline]
    pub(crate) fn is_of(&self, home: &Arc<Home>) -> bool {
        Arc::ptr_eq(&self.0.home, home)
    }

    /// The place of a process in the table of the node that made this address.
    #[inline]
    pub(crate) fn handle(&self) -> Option<Handle> {
        Handle::unpack(self.0.hint.load(Relaxed))
    }

    /// Writes another place into an address whose process has gone: one that got its id since.
    #[inline]
    pub(crate) fn remember(&self, at: Handle) {
        self.0.hint.store(at.pack(), Relaxed);
    }

    #[inline]
    pub(crate) fn is(&self, other: &Upid) -> bool {
        triomphe::Arc::ptr_eq(&self.0, &other.0)
    }

    /// What it was last numbered on a connection to its node; a hint, checked there.
    #[inline]
    pub(crate) fn number(&self) -> u32 {
        match self.0.home.is_node {
            true => u32::MAX,
            false => (self.0.hint.load(Relaxed) as u32).wrapping_sub(1),
        }
    }

    pub(crate) fn remember_number(&self, number: u32) {
        if !self.0.home.is_node {
            self.0.hint.store(u64::from(number) + 1, Relaxed);
        }
    }
}

pub(crate) fn valid_id(id: &str) -> bool {
    let bad = |c: char| c == '@' || c == '/' || c.is_whitespace() || c.is_control();
    !id.is_empty() && id.len() <= ID_MAX && !id.contains(bad)
}

/// A text that is not an address of the form `id@ip:port`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a process address of the form id@ip:port")]
pub struct InvalidUpid(String);

impl FromStr for Upid {
    type Err = InvalidUpid;
    fn from_str(text: &str) -> Result<Upid, InvalidUpid> {
        let invalid = || InvalidUpid(text.chars().take(ID_MAX).collect());
        let (id, address) = text.rsplit_once('@').ok_or_else(invalid)?;
        Upid::new(id, address.parse().map_err(|_| invalid())?)
    }
}

impl fmt::Display for Upid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.0.id, self.0.home.address)
    }
}

impl fmt::Debug for Upid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PartialEq for Upid {
    fn eq(&self, other: &Upid) -> bool {
        triomphe::Arc::ptr_eq(&self.0, &other.0)
            || (self.address() == other.address() && self.0.id == other.0.id)
    }
}

impl Eq for Upid {}

impl Hash for Upid {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
        self.address().hash(state);
    }
}

impl PartialOrd for Upid {
    fn partial_cmp(&self, other: &Upid) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Upid {
    fn cmp(&self, other: &Upid) -> Ordering {
        (self.address(), &self.0.id).cmp(&(other.address(), &other.0.id))
    }
}

impl Serialize for Upid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Upid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Upid, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The address of a process that speaks the protocol `P`.
///
/// Typed by the protocol, not by the actor that answers: whoever sends needs to know only the page
/// that declares the messages.
pub struct Pid<P> {
    upid: Upid,
    speaks: PhantomData<fn() -> P>,
}

impl<P> Pid<P> {
    /// Claims that whatever answers at `upid` speaks `P`.
    ///
    /// The one place to do so for an address that came as text. A wrong claim costs the sender a
    /// dead letter, never more.
    pub fn assume(upid: Upid) -> Pid<P> {
        Pid {
            upid,
            speaks: PhantomData,
        }
    }

    /// The same address without its protocol.
    #[inline]
    pub fn upid(&self) -> &Upid {
        &self.upid
    }
}

impl<P> Clone for Pid<P> {
    fn clone(&self) -> Self {
        Pid::assume(self.upid.clone())
    }
}

impl<P> PartialEq for Pid<P> {
    fn eq(&self, other: &Self) -> bool {
        self.upid == other.upid
    }
}

impl<P> Eq for Pid<P> {}

impl<P> Hash for Pid<P> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.upid.hash(state);
    }
}

impl<P> PartialOrd for Pid<P> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<P> Ord for Pid<P> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.upid.cmp(&other.upid)
    }
}

impl<P> fmt::Display for Pid<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.upid.fmt(f)
    }
}

impl<P> fmt::Debug for Pid<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.upid, f)
    }
}

impl<P> FromStr for Pid<P> {
    type Err = InvalidUpid;
    fn from_str(text: &str) -> Result<Pid<P>, InvalidUpid> {
        text.parse().map(Pid::assume)
    }
}

impl<P> Serialize for Pid<P> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.upid.serialize(serializer)
    }
}

impl<'de, P> Deserialize<'de> for Pid<P> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Pid<P>, D::Error> {
        Upid::deserialize(deserializer).map(Pid::assume)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_prints_as_it_is_read() {
        for text in ["counter@10.0.0.1:5050", "slave(1)@[::1]:5051"] {
            assert_eq!(
                text.parse::<Upid>().map(|upid| upid.to_string()),
                Ok(text.to_owned())
            );
        }
    }

    #[test]
    fn what_is_not_an_address_is_refused() {
        let long = format!("{}@1.2.3.4:5", "x".repeat(ID_MAX + 1));
        for text in [
            "",
            "@1.2.3.4:5",
            "a@",
            "a@host:1",
            "a b@1.2.3.4:5",
            "a/b@1.2.3.4:5",
            &long,
        ] {
            assert!(text.parse::<Upid>().is_err(), "{text}");
        }
    }
}
