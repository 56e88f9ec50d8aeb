//! Who a member is, as the gossip tells members apart.

use std::net::SocketAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::info::MemberInfo;
use crate::env;

/// A member at one time of its life.
///
/// Two are equal when address and generation are: what else a member says of itself changes only
/// with its generation. Encoded it is only those; a [`Card`] is all of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) address: SocketAddr,
    /// Rises whenever the member starts anew, comes back, or has something else to say. Begins with
    /// the clock of its host, so that a node that was started later has the higher one.
    pub(crate) generation: u64,
    /// What only cards bring.
    #[serde(skip)]
    pub(crate) says: Option<Arc<Says>>,
}

/// What a member says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Says {
    /// Which start of the node at its address it is.
    pub(crate) incarnation: u64,
    pub(crate) info: MemberInfo,
    /// It is about to leave: when it is gone it was not lost.
    pub(crate) leaves: bool,
}

/// An identity with what it says, as it is encoded.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Card {
    pub(crate) identity: Identity,
    pub(crate) says: Arc<Says>,
}

/// Largest generation, so that there is always a larger one.
pub(crate) const GENERATION_MAX: u64 = 1 << 53;

impl Identity {
    /// Someone at `address` of whom no more is known.
    pub(crate) fn unknown(address: SocketAddr) -> Identity {
        Identity {
            address,
            generation: 0,
            says: None,
        }
    }

    /// The same member, saying this from now on.
    pub(crate) fn saying(&self, says: Says) -> Identity {
        self.at_least(self.generation + 1, Arc::new(says))
    }

    fn at_least(&self, generation: u64, says: Arc<Says>) -> Identity {
        Identity {
            address: self.address,
            generation: generation.max(env::unix_ms()).min(GENERATION_MAX),
            says: Some(says),
        }
    }

    /// The same member, known anew, and as later than `generation`.
    pub(crate) fn after(&self, generation: u64) -> Option<Identity> {
        let says = self.says.clone()?;
        Some(self.at_least(generation.max(self.generation) + 1, says))
    }

    pub(crate) fn leaves(&self) -> bool {
        self.says.as_ref().is_some_and(|says| says.leaves)
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Identity) -> bool {
        (self.address, self.generation) == (other.address, other.generation)
    }
}

impl Eq for Identity {}

impl foca::Identity for Identity {
    type Addr = SocketAddr;

    fn renew(&self) -> Option<Identity> {
        self.after(self.generation)
    }

    fn addr(&self) -> SocketAddr {
        self.address
    }

    fn win_addr_conflict(&self, adversary: &Identity) -> bool {
        self.generation > adversary.generation
    }
}

impl Card {
    /// None for an identity of which only the address is known.
    pub(crate) fn of(identity: &Identity) -> Option<Card> {
        Some(Card {
            identity: identity.clone(),
            says: identity.says.clone()?,
        })
    }

    /// The identity, when a member could say so.
    pub(crate) fn checked(self) -> Option<Identity> {
        let Card { mut identity, says } = self;
        identity.says = Some(says);
        (identity.is_possible() && identity.says.as_ref().is_some_and(|s| s.info.is_valid()))
            .then_some(identity)
    }
}

impl Identity {
    /// Whether a node could be there, and could be of that generation.
    pub(crate) fn is_possible(&self) -> bool {
        let ip = self.address.ip();
        self.generation <= GENERATION_MAX
            && self.address.port() != 0
            && !ip.is_unspecified()
            && !ip.is_multicast()
    }
}
