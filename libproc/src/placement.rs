//! Placement: on which member of the cluster a process is to be started.

use std::net::SocketAddr;
use std::time::Duration;

use rand::seq::SliceRandom as _;

use crate::env;
use crate::members::Member;
use crate::node::Node;
use crate::pid::Pid;
use crate::spawn_on::{SpawnOnError, Spawnable};
use crate::system::{self, Load};

/// Members that are asked for their load at most: the least loaded of a few, chosen by chance, is
/// nearly as good a choice as that of all.
const ASKED_MAX: usize = 8;
/// Longest wait for a member that is asked for its load.
const ASKED: Duration = Duration::from_secs(2);

/// Which member of the cluster a process is started on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    choice: Choice,
    role: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Choice {
    Node(SocketAddr),
    RoundRobin,
    FewestProcesses,
}

impl Placement {
    /// The node at `address`, whether a member or not.
    #[must_use]
    pub fn node(address: SocketAddr) -> Placement {
        Placement {
            choice: Choice::Node(address),
            role: None,
        }
    }

    /// Each member in turn, by address; this node keeps count for all that it places so.
    #[must_use]
    pub fn round_robin() -> Placement {
        Placement {
            choice: Choice::RoundRobin,
            role: None,
        }
    }

    /// The member with the fewest processes among those that offer the kind: all of them are asked
    /// in a cluster of eight or less, eight chosen by chance in a larger one.
    #[must_use]
    pub fn fewest_processes() -> Placement {
        Placement {
            choice: Choice::FewestProcesses,
            role: None,
        }
    }

    /// The address, when it is always the same.
    pub(crate) fn node_address(&self) -> Option<SocketAddr> {
        match self.choice {
            Choice::Node(address) => Some(address),
            Choice::RoundRobin | Choice::FewestProcesses => None,
        }
    }

    /// Only members with this [role](crate::MemberInfo::role).
    #[must_use]
    pub fn role(mut self, role: &str) -> Placement {
        self.role = Some(role.to_owned());
        self
    }
}

impl Node {
    /// The node where a process of the kind `kind` would be started; none when no member is fit.
    pub async fn place(&self, placement: &Placement, kind: &str) -> Option<SocketAddr> {
        let mut members = self.members();
        if let Some(role) = &placement.role {
            members.retain(|member| member.info.get_role() == role);
        }
        match placement.choice {
            Choice::Node(address) => Some(address),
            Choice::RoundRobin => self.next_in_turn(&members),
            Choice::FewestProcesses => self.least_loaded(members, kind).await,
        }
    }

    fn next_in_turn(&self, members: &[Member]) -> Option<SocketAddr> {
        let mut books = self.cluster_state().books();
        let addresses = || members.iter().map(|member| member.address);
        let later = addresses().find(|address| books.placed.is_none_or(|last| *address > last));
        let next = later.or_else(|| addresses().next())?;
        books.placed = Some(next);
        Some(next)
    }

    async fn least_loaded(&self, mut members: Vec<Member>, kind: &str) -> Option<SocketAddr> {
        if members.len() > ASKED_MAX {
            let (chosen, _) = members.partial_shuffle(&mut env::rng(), ASKED_MAX);
            members = chosen.to_vec();
        }
        let ask = |member: &Member| {
            let kind = kind.to_owned();
            let asked = self.ask(&system::at(member.address), Load { kind });
            (member.address, asked)
        };
        // All are asked before the first is waited for.
        let asked: Vec<_> = members.iter().map(ask).collect();
        let until = tokio::time::Instant::now() + ASKED;
        let mut least = None;
        for (address, asked) in asked {
            let Ok(Ok(Some(load))) = tokio::time::timeout_at(until, asked).await else {
                continue;
            };
            least = Some((load, address)).min(least.or(Some((load, address))));
        }
        least.map(|(_, address)| address)
    }

    /// Starts an `A` made from `args` as the process `id` of a member of the cluster.
    ///
    /// # Errors
    /// [`SpawnOnError`]; [`NoMember`](SpawnOnError::NoMember) when none is fit.
    pub async fn spawn_placed<A: Spawnable>(
        &self,
        placement: &Placement,
        id: &str,
        args: A::Args,
    ) -> Result<Pid<A::Protocol>, SpawnOnError> {
        let place = self.place(placement, A::KIND).await;
        let address = place.ok_or(SpawnOnError::NoMember)?;
        self.spawn_on::<A>(address, id, args).await
    }
}
