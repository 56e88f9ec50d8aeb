//! The masters of an ensemble, as their replicas say.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::anyhow;
use election::{Electing, Place, REGISTRY_LOG, WhoLeads};
use libproc::{Node, Pid};
use replog::{Log, Replication, Status};

use crate::client::pid_at;

/// How long each may take to answer.
const ANSWER: Duration = Duration::from_secs(1);

/// One of several masters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OneOf {
    pub(crate) address: SocketAddr,
    pub(crate) role: Role,
}

/// What a master of an ensemble does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Leads,
    Follows,
    /// It is there, and does not vote: it is about to begin, or gets back what its disk has lost.
    Recovers,
    Missing,
}

impl Role {
    /// The word for it, for people and for scripts.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Role::Leads => "leads",
            Role::Follows => "follows",
            Role::Recovers => "recovers",
            Role::Missing => "does not answer",
        }
    }
}

/// All masters of the ensemble of which one, that leads, is at an address; none when it is of none.
pub(crate) async fn of(node: &Node, leader: SocketAddr) -> Vec<OneOf> {
    let Some(seen) = replica(node, leader).await else {
        return Vec::new();
    };
    let mut others = Vec::new();
    for member in seen.members {
        let Some(address) = seen.book.get(&member.node).copied() else {
            continue;
        };
        let node = node.clone();
        let role = async move {
            match replica(&node, address).await.map(|status| status.status) {
                _ if address == leader => Role::Leads,
                Some(Status::Voting) => Role::Follows,
                Some(_) => Role::Recovers,
                None => Role::Missing,
            }
        };
        others.push((address, tokio::task::spawn_local(role)));
    }
    let mut masters = Vec::new();
    for (address, role) in others {
        let role = role.await.unwrap_or(Role::Missing);
        masters.push(OneOf { address, role });
    }
    masters.sort_by_key(|master| master.address);
    masters
}

async fn replica(node: &Node, address: SocketAddr) -> Option<replog::ReplicaStatus> {
    let replica: Pid<Replication> = pid_at(REGISTRY_LOG, address);
    let log = Log::at(node, replica);
    tokio::time::timeout(ANSWER, log.status()).await.ok()?.ok()
}

/// All of them in a line, and how many must be there.
pub(crate) fn described(masters: &[OneOf]) -> String {
    let each = masters
        .iter()
        .map(|master| format!("{} {}", master.address, master.role.word()));
    let each: Vec<String> = each.collect();
    let (count, quorum) = (masters.len(), masters.len() / 2 + 1);
    format!("{}; {quorum} of {count} must be there", each.join(", "))
}

/// What to do when nobody leads among these.
pub(crate) async fn nobody_leads(node: &Node, places: &[Place]) -> anyhow::Error {
    let mut there = Vec::new();
    for place in places {
        let asked = tokio::time::timeout(ANSWER, async {
            let address = place.look_up().await.ok()?;
            let election: Pid<Electing> = pid_at(election::ELECTION, address);
            node.ask(&election, WhoLeads {}).await.ok()
        });
        if let Ok(Some(_)) = asked.await {
            there.push(place.to_string());
        }
    }
    let names: Vec<String> = places.iter().map(Place::to_string).collect();
    let names = names.join(",");
    match there.len() {
        0 => anyhow!(
            "no master answers at {names}: start them with `tepui master --masters={names}`, or \
             name others with --master"
        ),
        count if count <= places.len() / 2 => anyhow!(
            "no master leads: of {names} only {} answers, and more than half must: start the others",
            there.join(", ")
        ),
        _ => anyhow!(
            "no master leads, though {} answer: their logs say why",
            there.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masters_are_described_with_how_many_must_be_there() {
        let one = |port, role| OneOf {
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            role,
        };
        let masters = [
            one(1, Role::Follows),
            one(2, Role::Leads),
            one(3, Role::Missing),
        ];
        assert_eq!(
            described(&masters),
            "127.0.0.1:1 follows, 127.0.0.1:2 leads, 127.0.0.1:3 does not answer; \
             2 of 3 must be there"
        );
    }
}
