//! Who was met where: an address that a member of the cluster holds is not for delegates.
//!
//! Certificates and keys speak of machines, not of ports. A task that gets hold of the credentials
//! delegated to its executor could otherwise listen on the port of a master that is down, and be
//! taken for it.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use parking_lot::Mutex;

use super::Denied;

/// Most addresses remembered of each kind: a node dials masters and agents, of which a cluster has
/// fewer, and has executors, of which a machine has fewer.
const REMEMBERED_MAX: usize = 1 << 16;

/// What a peer has shown itself to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rank {
    /// It has a key or certificate of the cluster.
    Member,
    /// It has what this node delegated to it.
    Delegate,
}

/// The addresses at which somebody was met.
#[derive(Default)]
pub(crate) struct Acquaintances(Mutex<Met>);

#[derive(Default)]
struct Met {
    /// Members that this node has dialed: it looks for them there.
    members: BTreeSet<SocketAddr>,
    delegates: BTreeSet<SocketAddr>,
}

impl Acquaintances {
    /// Somebody of `rank` dialed, and says that it is reached at `address`.
    pub(crate) fn came(&self, address: SocketAddr, rank: Rank) -> Result<(), Denied> {
        let mut met = self.0.lock();
        match rank {
            Rank::Member => {
                met.delegates.remove(&address);
            }
            Rank::Delegate if met.members.contains(&address) => {
                return Err(Denied::NotForDelegates);
            }
            Rank::Delegate => remember(&mut met.delegates, address),
        }
        Ok(())
    }

    /// Somebody of `rank` was found at `address`.
    pub(crate) fn found(&self, address: SocketAddr, rank: Rank) -> Result<(), Denied> {
        let mut met = self.0.lock();
        match rank {
            Rank::Member => {
                met.delegates.remove(&address);
                remember(&mut met.members, address);
                Ok(())
            }
            Rank::Delegate if met.delegates.contains(&address) => Ok(()),
            Rank::Delegate => Err(Denied::NotForDelegates),
        }
    }
}

fn remember(addresses: &mut BTreeSet<SocketAddr>, address: SocketAddr) {
    if addresses.len() >= REMEMBERED_MAX {
        addresses.pop_first();
    }
    addresses.insert(address);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delegate_takes_no_address_that_a_member_was_found_at() {
        let (master, executor) = (address(5050), address(40_000));
        let met = Acquaintances::default();
        assert_eq!(met.found(master, Rank::Member), Ok(()));
        let denied = Err(Denied::NotForDelegates);
        assert_eq!(met.came(master, Rank::Delegate), denied);
        assert_eq!(met.found(master, Rank::Delegate), denied);
        assert_eq!(met.found(executor, Rank::Delegate), denied);
        assert_eq!(met.came(executor, Rank::Delegate), Ok(()));
        assert_eq!(met.found(executor, Rank::Delegate), Ok(()));
        // The port of an executor that has gone is anybody's.
        assert_eq!(met.came(executor, Rank::Member), Ok(()));
        assert_eq!(met.found(executor, Rank::Delegate), denied);
        assert_eq!(met.came(executor, Rank::Delegate), Ok(()));
    }

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }
}
