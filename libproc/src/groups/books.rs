//! Who is in which group, on this node and on the others, and who wants to hear of changes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use actix::Message;

use crate::pid::Upid;
use crate::table::Handle;

/// A change in a group, as [`Context::watch_group`](crate::Context::watch_group) tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupEvent {
    /// The process is in the group.
    Joined {
        /// The name of the group.
        group: Arc<str>,
        /// The process.
        upid: Upid,
    },
    /// The process is no longer in the group: it left, exited, or its node is lost.
    Left {
        /// The name of the group.
        group: Arc<str>,
        /// The process.
        upid: Upid,
    },
}

impl Message for GroupEvent {
    type Result = ();
}

/// A process in a group: the names of both, the latter on its node.
pub(crate) type Entry = (Arc<str>, Box<str>);

type Notify = Box<dyn Fn(GroupEvent) + Send>;

#[derive(Default)]
pub(crate) struct Groups {
    local: BTreeMap<Arc<str>, BTreeMap<Box<str>, Handle>>,
    /// In how many groups each process of this node is.
    joined: BTreeMap<Handle, BTreeSet<Entry>>,
    local_count: usize,
    remote: BTreeMap<SocketAddr, BTreeSet<Entry>>,
    subscribers: BTreeMap<Arc<str>, BTreeMap<Handle, Notify>>,
    /// Is told of every change on this node, when there are others to tell it to.
    pub(crate) spread: Option<Box<dyn Fn(Entry) + Send>>,
}

impl Groups {
    pub(crate) fn local_count(&self) -> usize {
        self.local_count
    }

    pub(crate) fn subscriber_count(&self, group: &str) -> usize {
        self.subscribers.get(group).map_or(0, BTreeMap::len)
    }

    /// Whether anything is kept here for the process at `at`.
    pub(crate) fn knows(&self, at: Handle) -> bool {
        self.joined.contains_key(&at) || self.subscribers.values().any(|all| all.contains_key(&at))
    }

    /// Everyone in `group`, by address and id.
    pub(crate) fn members(&self, group: &str, own: SocketAddr) -> Vec<Upid> {
        let here = self.local.get(group).into_iter().flatten();
        let here = here.map(|(id, _)| Upid::elsewhere(id, own));
        let there = self.remote.iter().flat_map(|(address, entries)| {
            let first: Entry = (Arc::from(group), Box::from(""));
            let of_group = entries
                .range(first..)
                .take_while(|(name, _)| **name == *group);
            of_group.map(|(_, id)| Upid::elsewhere(id, *address))
        });
        let mut members: Vec<Upid> = here.chain(there).collect();
        members.sort_unstable();
        members
    }

    /// Everyone of this node in any group.
    pub(crate) fn local_entries(&self) -> Vec<Entry> {
        let group = |(group, ids): (&Arc<str>, &BTreeMap<Box<str>, Handle>)| {
            let group = Arc::clone(group);
            let entries = ids.keys().map(|id| (Arc::clone(&group), id.clone()));
            entries.collect::<Vec<_>>()
        };
        self.local.iter().flat_map(group).collect()
    }

    pub(crate) fn has_local(&self, entry: &Entry) -> bool {
        let ids = self.local.get(&entry.0);
        ids.is_some_and(|ids| ids.contains_key(&entry.1))
    }

    /// Enters a process of this node; nothing happens when it is in the group.
    pub(crate) fn join(&mut self, entry: Entry, at: Handle, own: SocketAddr) {
        let ids = self.local.entry(Arc::clone(&entry.0)).or_default();
        if let Some(before) = ids.insert(entry.1.clone(), at) {
            if before == at {
                return;
            }
            // One that had the id before and has gone, of which we are about to hear.
            self.disjoin(before, &entry);
        } else {
            self.local_count += 1;
            self.tell(&entry, own, true);
        }
        self.joined.entry(at).or_default().insert(entry);
    }

    /// Takes a process of this node out; nothing happens when it is not in the group.
    pub(crate) fn leave(&mut self, entry: &Entry, at: Handle, own: SocketAddr) {
        let Some(ids) = self.local.get_mut(&entry.0) else {
            return;
        };
        if ids.get(&entry.1) != Some(&at) {
            return;
        }
        ids.remove(&entry.1);
        if ids.is_empty() {
            self.local.remove(&entry.0);
        }
        self.local_count -= 1;
        self.disjoin(at, entry);
        self.tell(entry, own, false);
    }

    fn disjoin(&mut self, at: Handle, entry: &Entry) {
        if let Some(entries) = self.joined.get_mut(&at) {
            entries.remove(entry);
            if entries.is_empty() {
                self.joined.remove(&at);
            }
        }
    }

    /// Takes a process of this node out of every group, and tells it of no more.
    pub(crate) fn forget(&mut self, at: Handle, own: SocketAddr) {
        for entry in self.joined.get(&at).cloned().unwrap_or_default() {
            self.leave(&entry, at, own);
        }
        self.subscribers.retain(|_, all| {
            all.remove(&at);
            !all.is_empty()
        });
    }

    /// Learns of changes on the node at `address`; after a `reset` it has those in `joined` only.
    pub(crate) fn learn(
        &mut self,
        address: SocketAddr,
        reset: bool,
        joined: Vec<Entry>,
        left: Vec<Entry>,
    ) {
        let mut entries = self.remote.remove(&address).unwrap_or_default();
        let joined: BTreeSet<Entry> = joined.into_iter().collect();
        let left: Vec<Entry> = if reset {
            entries.difference(&joined).cloned().collect()
        } else {
            left
        };
        for entry in left {
            if entries.remove(&entry) {
                self.notify(&entry, address, false);
            }
        }
        for entry in joined {
            if entries.len() < super::ENTRIES_MAX && entries.insert(entry.clone()) {
                self.notify(&entry, address, true);
            }
        }
        if !entries.is_empty() {
            self.remote.insert(address, entries);
        }
    }

    /// The node at `address` is lost, and everyone on it.
    pub(crate) fn lose(&mut self, address: SocketAddr) {
        for entry in self.remote.remove(&address).unwrap_or_default() {
            self.notify(&entry, address, false);
        }
    }

    /// Tells a process of everyone in `group`, and of every change to come.
    pub(crate) fn subscribe(
        &mut self,
        group: Arc<str>,
        at: Handle,
        notify: Notify,
        own: SocketAddr,
    ) {
        for upid in self.members(&group, own) {
            let group = Arc::clone(&group);
            notify(GroupEvent::Joined { group, upid });
        }
        self.subscribers
            .entry(group)
            .or_default()
            .insert(at, notify);
    }

    pub(crate) fn unsubscribe(&mut self, group: &str, at: Handle) {
        if let Some(all) = self.subscribers.get_mut(group) {
            all.remove(&at);
            if all.is_empty() {
                self.subscribers.remove(group);
            }
        }
    }

    /// Tells this node and the others of a change here.
    fn tell(&self, entry: &Entry, own: SocketAddr, joined: bool) {
        self.notify(entry, own, joined);
        if let Some(spread) = &self.spread {
            spread(entry.clone());
        }
    }

    fn notify(&self, entry: &Entry, address: SocketAddr, joined: bool) {
        let Some(subscribers) = self.subscribers.get(&entry.0) else {
            return;
        };
        let upid = Upid::elsewhere(&entry.1, address);
        let group = Arc::clone(&entry.0);
        let event = if joined {
            GroupEvent::Joined { group, upid }
        } else {
            GroupEvent::Left { group, upid }
        };
        for notify in subscribers.values() {
            notify(event.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(group: &str, id: &str) -> Entry {
        (group.into(), id.into())
    }

    fn at(index: u32) -> Handle {
        Handle {
            index,
            generation: 1,
        }
    }

    #[test]
    fn a_group_has_members_of_all_nodes_and_loses_them_one_by_one() {
        let [own, other] = [1, 2].map(|n| SocketAddr::from(([10, 0, 0, n], 5050)));
        let mut groups = Groups::default();
        let names = |groups: &Groups| {
            let members = groups.members("a", own);
            members.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        groups.join(entry("a", "x"), at(1), own);
        groups.join(entry("b", "x"), at(1), own);
        let joined = ["z", "y"].map(|id| entry("a", id)).to_vec();
        groups.learn(other, true, joined, vec![]);
        let all = ["x@10.0.0.1:5050", "y@10.0.0.2:5050", "z@10.0.0.2:5050"];
        assert_eq!(names(&groups), all);
        groups.learn(other, false, vec![], vec![entry("a", "y"), entry("b", "y")]);
        assert_eq!(names(&groups), [all[0], all[2]]);
        groups.learn(other, true, vec![entry("a", "y")], vec![]);
        assert_eq!(names(&groups), all[..2]);
        groups.forget(at(1), own);
        assert_eq!((groups.local_count(), groups.knows(at(1))), (0, false));
        groups.lose(other);
        assert_eq!(names(&groups), [""; 0]);
    }

    #[test]
    fn the_exit_of_one_who_had_the_id_before_takes_nobody_out() {
        let own = SocketAddr::from(([10, 0, 0, 1], 5050));
        let mut groups = Groups::default();
        groups.join(entry("a", "x"), at(1), own);
        groups.join(entry("a", "x"), at(2), own);
        groups.forget(at(1), own);
        assert_eq!(groups.members("a", own).len(), 1);
        assert!(!groups.knows(at(1)) && groups.knows(at(2)));
    }
}
