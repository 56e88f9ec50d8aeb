//! The process `groups` of a node in a cluster: tells the others who of this node is in which group.
//!
//! Each node follows every other member. It links to that one's `groups`, asks for everything, and
//! is told of each change after that, one answer at a time; when the connection breaks it starts
//! over. So nothing is lost, and nobody has to compare notes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Handler};

use super::books::Entry;
use super::{ENTRIES_MAX, valid_name};
use crate::context::Context;
use crate::link::Exited;
use crate::members::{MEMBERS_MAX, MemberEvent};
use crate::pid::{Pid, Upid, valid_id};
use crate::process::Process;

/// The id of the process; no other process should take it.
pub(crate) const GROUPS: &str = "groups";
/// Wait before a member is followed again, or is told again what it was too busy to hear.
const AGAIN: Duration = Duration::from_secs(1);
/// Changes that wait for a follower; past that it is told everything.
const PENDING_MAX: usize = 1024;

crate::protocol! {
    /// What the process `groups` accepts.
    pub(crate) protocol Grouping {
        /// Tell the sender who of this node is in which group, until it exits.
        message Follow {} -> ();
        /// These have joined, and left, their groups; after a reset nobody else is in any.
        message Grouped {
            incarnation: u64,
            reset: bool,
            joined: Vec<(Arc<str>, Box<str>)>,
            left: Vec<(Arc<str>, Box<str>)>,
        } -> ();
    }
}

pub(crate) struct GroupsProcess {
    followers: BTreeMap<Upid, Follower>,
    /// Counts followers, to tell a late answer from one that is awaited.
    count: u64,
}

struct Follower {
    number: u64,
    pending: Pending,
    /// It has not yet answered what it was told last.
    told: bool,
}

enum Pending {
    Everything,
    Changes(BTreeSet<Entry>),
}

fn groups_at(address: SocketAddr) -> Pid<Grouping> {
    Pid::assume(Upid::elsewhere(GROUPS, address))
}

impl GroupsProcess {
    pub(crate) fn new() -> GroupsProcess {
        GroupsProcess {
            followers: BTreeMap::new(),
            count: 0,
        }
    }

    /// Somebody of this node joined or left a group.
    fn changed(&mut self, entry: &Entry, ctx: &mut Context<Self>) {
        for follower in self.followers.values_mut() {
            if let Pending::Changes(changes) = &mut follower.pending {
                changes.insert(entry.clone());
                if changes.len() > PENDING_MAX {
                    follower.pending = Pending::Everything;
                }
            }
        }
        let followers: Vec<Upid> = self.followers.keys().cloned().collect();
        for follower in followers {
            self.tell(&follower, ctx);
        }
    }

    /// Tells a follower what it does not know, unless it has yet to answer.
    fn tell(&mut self, to: &Upid, ctx: &mut Context<Self>) {
        let Some(follower) = self.followers.get_mut(to) else {
            return;
        };
        let nothing = matches!(&follower.pending, Pending::Changes(changes) if changes.is_empty());
        if follower.told || nothing {
            return;
        }
        follower.told = true;
        let none = Pending::Changes(BTreeSet::new());
        let pending = std::mem::replace(&mut follower.pending, none);
        let books = ctx.node().cluster_state().books();
        let (reset, (joined, left)) = match pending {
            Pending::Everything => (true, (books.groups.local_entries(), Vec::new())),
            Pending::Changes(changes) => {
                let changes = changes.into_iter();
                (
                    false,
                    changes.partition(|entry| books.groups.has_local(entry)),
                )
            }
        };
        drop(books);
        let grouped = Grouped {
            incarnation: ctx.node().incarnation(),
            reset,
            joined,
            left,
        };
        let number = follower.number;
        let answered = ctx.ask(&Pid::<Grouping>::assume(to.clone()), grouped);
        let to = to.clone();
        ctx.defer(answered, move |groups, answer, ctx| {
            let follower = groups.followers.get_mut(&to);
            let Some(follower) = follower.filter(|follower| follower.number == number) else {
                return;
            };
            if answer.is_ok() {
                follower.told = false;
                return groups.tell(&to, ctx);
            }
            follower.pending = Pending::Everything;
            ctx.after(AGAIN, move |groups, ctx| {
                let follower = groups.followers.get_mut(&to);
                if let Some(follower) = follower.filter(|follower| follower.number == number) {
                    follower.told = false;
                    groups.tell(&to, ctx);
                }
            });
        });
    }

    /// Follows the member at `address`, again and again until it answers or is no member.
    fn follow(&mut self, address: SocketAddr, incarnation: u64, ctx: &mut Context<Self>) {
        let member = ctx.node().cluster_state().books();
        let is_member = member
            .view
            .member(address)
            .is_some_and(|member| member.incarnation == incarnation);
        drop(member);
        if !is_member {
            return;
        }
        let groups = groups_at(address);
        ctx.link(groups.upid());
        let answered = ctx.ask(&groups, Follow {});
        ctx.defer(answered, move |_, answer, ctx| {
            if answer.is_err() {
                // Whom one cannot reach is of no use, and may have gone.
                ctx.node().cluster_state().books().groups.lose(address);
                ctx.after(AGAIN, move |groups, ctx| {
                    groups.follow(address, incarnation, ctx)
                });
            }
        });
    }
}

impl Actor for GroupsProcess {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let local = ctx.local();
        let spread = move |entry: Entry| {
            local.run(move |groups: &mut GroupsProcess, ctx| groups.changed(&entry, ctx));
        };
        let mut books = ctx.node().cluster_state().books();
        books.groups.spread = Some(Box::new(spread));
        drop(books);
        if let Err(error) = ctx.watch_members() {
            ctx.fail(error.to_string());
        }
    }

    fn stopped(&mut self, ctx: &mut Context<Self>) {
        ctx.node().cluster_state().books().groups.spread = None;
    }
}

impl Process for GroupsProcess {
    type Protocol = Grouping;
}

impl Handler<MemberEvent> for GroupsProcess {
    type Result = ();
    fn handle(&mut self, event: MemberEvent, ctx: &mut Context<Self>) {
        match event {
            MemberEvent::Joined(member) if member.address != ctx.node().address() => {
                self.follow(member.address, member.incarnation, ctx);
            }
            // Who is lost is in no group any more: the books have seen to that.
            MemberEvent::Joined(_)
            | MemberEvent::Changed(_)
            | MemberEvent::Left(_)
            | MemberEvent::Lost(_) => {}
        }
    }
}

impl Handler<Follow> for GroupsProcess {
    type Result = ();
    fn handle(&mut self, _: Follow, ctx: &mut Context<Self>) {
        let Some(follower) = ctx.sender().cloned().filter(|upid| upid.id() == GROUPS) else {
            return;
        };
        if self.followers.len() >= MEMBERS_MAX && !self.followers.contains_key(&follower) {
            return;
        }
        ctx.link(&follower);
        self.count += 1;
        let anew = Follower {
            number: self.count,
            pending: Pending::Everything,
            told: false,
        };
        self.followers.insert(follower.clone(), anew);
        self.tell(&follower, ctx);
    }
}

impl Handler<Grouped> for GroupsProcess {
    type Result = ();
    fn handle(&mut self, message: Grouped, ctx: &mut Context<Self>) {
        let Grouped {
            incarnation,
            reset,
            joined,
            left,
        } = message;
        let Some(sender) = ctx.sender().filter(|upid| upid.id() == GROUPS) else {
            return;
        };
        let valid = |entry: &Entry| valid_name(&entry.0) && valid_id(&entry.1);
        let most = joined.len().max(left.len());
        if most > ENTRIES_MAX || !joined.iter().chain(&left).all(valid) {
            tracing::warn!(upid = %sender, "groups that make no sense");
            return;
        }
        let address = sender.address();
        let mut books = ctx.node().cluster_state().books();
        let member = books.view.member(address);
        // Of one who is not yet a member all will be asked for when it is.
        if member.is_some_and(|member| member.incarnation == incarnation) {
            books.groups.learn(address, reset, joined, left);
        }
    }
}

impl Handler<Exited> for GroupsProcess {
    type Result = ();
    fn handle(&mut self, Exited { upid, .. }: Exited, ctx: &mut Context<Self>) {
        self.followers.remove(&upid);
        let address = upid.address();
        let member = ctx.node().cluster_state().books();
        let incarnation = member.view.member(address).map(|member| member.incarnation);
        drop(member);
        if let Some(incarnation) = incarnation {
            ctx.after(AGAIN, move |groups, ctx| {
                groups.follow(address, incarnation, ctx)
            });
        }
    }
}
