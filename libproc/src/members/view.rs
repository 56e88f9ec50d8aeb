//! The members as this node sees them, and who wants to hear of changes.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use actix::Message;
use serde::{Deserialize, Serialize};

use super::identity::Identity;
use super::info::MemberInfo;
use crate::table::Handle;

/// A node of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Where it is reached.
    pub address: SocketAddr,
    /// Which start of the node at that address it is: after a restart it is another member.
    pub incarnation: u64,
    /// What it says of itself.
    pub info: MemberInfo,
}

/// A change among the members, as [`Context::watch_members`](crate::Context::watch_members) tells
/// it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberEvent {
    /// It was not there before.
    Joined(Member),
    /// It says something else of itself.
    Changed(Member),
    /// It has left, and said so.
    Left(Member),
    /// It can no longer be heard, or was started anew.
    Lost(Member),
}

impl Message for MemberEvent {
    type Result = ();
}

type Notify = Box<dyn Fn(MemberEvent) + Send>;

#[derive(Default)]
pub(crate) struct View {
    members: BTreeMap<SocketAddr, Member>,
    subscribers: BTreeMap<Handle, Notify>,
}

impl View {
    pub(crate) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    pub(crate) fn member(&self, address: SocketAddr) -> Option<&Member> {
        self.members.get(&address)
    }

    pub(crate) fn knows(&self, at: Handle) -> bool {
        self.subscribers.contains_key(&at)
    }

    pub(crate) fn subscriber_count(&self) -> usize {
        self.subscribers.len()
    }

    /// Tells a process of the members there are, and of every change to come.
    pub(crate) fn subscribe(&mut self, at: Handle, notify: Notify) {
        for member in self.members.values() {
            notify(MemberEvent::Joined(member.clone()));
        }
        self.subscribers.insert(at, notify);
    }

    pub(crate) fn unsubscribe(&mut self, at: Handle) {
        self.subscribers.remove(&at);
    }

    /// `identity` is active; the events that makes, the members changed accordingly.
    pub(crate) fn up(&mut self, identity: &Identity) -> Vec<MemberEvent> {
        let Some(says) = identity.says.as_deref() else {
            return Vec::new();
        };
        if says.leaves {
            return Vec::new(); // it says goodbye
        }
        let member = Member {
            address: identity.address,
            incarnation: says.incarnation,
            info: says.info.clone(),
        };
        let before = self.members.insert(identity.address, member.clone());
        match before {
            Some(before) if before == member => Vec::new(),
            Some(before) if before.incarnation == member.incarnation => {
                vec![MemberEvent::Changed(member)]
            }
            Some(before) => vec![MemberEvent::Lost(before), MemberEvent::Joined(member)],
            None => vec![MemberEvent::Joined(member)],
        }
    }

    /// `identity` took the place of another, whether active or not.
    pub(crate) fn renamed(&mut self, identity: &Identity) -> Vec<MemberEvent> {
        if self.members.contains_key(&identity.address) {
            return self.up(identity);
        }
        Vec::new()
    }

    /// `identity` is no longer active.
    pub(crate) fn down(&mut self, identity: &Identity) -> Vec<MemberEvent> {
        let Some(member) = self.members.remove(&identity.address) else {
            return Vec::new();
        };
        let event = if identity.leaves() {
            MemberEvent::Left(member)
        } else {
            MemberEvent::Lost(member)
        };
        vec![event]
    }

    /// This node is in no cluster any more.
    pub(crate) fn clear(&mut self, own: SocketAddr) -> Vec<MemberEvent> {
        let members = std::mem::take(&mut self.members);
        let event = |member: Member| {
            if member.address == own {
                MemberEvent::Left(member)
            } else {
                MemberEvent::Lost(member)
            }
        };
        members.into_values().map(event).collect()
    }

    pub(crate) fn publish(&self, event: &MemberEvent) {
        for notify in self.subscribers.values() {
            notify(event.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::identity::Says;
    use super::*;

    fn identity(generation: u64, incarnation: u64, leaves: bool) -> Identity {
        Identity {
            address: SocketAddr::from(([10, 0, 0, 1], 5050)),
            generation,
            says: Some(Arc::new(Says {
                incarnation,
                info: MemberInfo::new().name(&generation.to_string()),
                leaves,
            })),
        }
    }

    fn names(events: Vec<MemberEvent>) -> Vec<String> {
        let name = |event| match event {
            MemberEvent::Joined(member) => format!("joined {}", member.info.get_name()),
            MemberEvent::Changed(member) => format!("changed {}", member.info.get_name()),
            MemberEvent::Left(member) => format!("left {}", member.info.get_name()),
            MemberEvent::Lost(member) => format!("lost {}", member.info.get_name()),
        };
        events.into_iter().map(name).collect()
    }

    #[test]
    fn a_new_incarnation_replaces_the_old_one_and_a_new_saying_does_not() {
        let mut view = View::default();
        assert_eq!(names(view.up(&identity(1, 7, false))), ["joined 1"]);
        assert_eq!(names(view.up(&identity(1, 7, false))), [""; 0]);
        assert_eq!(names(view.renamed(&identity(2, 7, false))), ["changed 2"]);
        assert_eq!(
            names(view.renamed(&identity(3, 8, false))),
            ["lost 2", "joined 3"]
        );
        assert_eq!(names(view.down(&identity(3, 8, false))), ["lost 3"]);
        assert_eq!(names(view.renamed(&identity(4, 8, false))), [""; 0]);
    }

    #[test]
    fn who_says_goodbye_has_left() {
        let mut view = View::default();
        view.up(&identity(1, 7, false));
        assert_eq!(names(view.renamed(&identity(2, 7, true))), [""; 0]);
        assert_eq!(names(view.down(&identity(2, 7, true))), ["left 1"]);
    }
}
