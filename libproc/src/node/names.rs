//! The names of a node's processes: each living one under the address it was given.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use crate::pid::Upid;
use crate::table::Handle;

/// Which process has which id. An entry is one pointer: the id is read from the address itself.
#[derive(Default)]
pub(super) struct Names {
    table: HashTable<Upid>,
    /// Ids come from peers, who must not be able to make them collide.
    hasher: RandomState,
}

impl Names {
    /// Where the process with this id lives.
    pub(super) fn find(&self, id: &str) -> Option<Handle> {
        let hash = self.hasher.hash_one(id);
        self.table.find(hash, |upid| upid.id() == id)?.handle()
    }

    /// Adds the address of a process whose id is not taken.
    pub(super) fn add(&mut self, upid: Upid) {
        let hash = self.hasher.hash_one(upid.id());
        let hash_of = |upid: &Upid| self.hasher.hash_one(upid.id());
        self.table.insert_unique(hash, upid, hash_of);
    }

    pub(super) fn clear(&mut self) {
        self.table.clear();
    }

    /// Removes the process of this address, and no other that has its id.
    pub(super) fn remove(&mut self, upid: &Upid) {
        let hash = self.hasher.hash_one(upid.id());
        if let Ok(entry) = self.table.find_entry(hash, |other| other.is(upid)) {
            entry.remove();
        }
    }
}
