//! Finding the leader among masters that are listed: they are asked who leads.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use libproc::{Node, Pid, Upid};
use tokio::sync::{Notify, watch};

use super::Leader;
use crate::masters::Place;
use crate::protocol::{ELECTION, Electing, Leadership, WhoLeads};

/// How long a master may take to answer.
const ANSWER: Duration = Duration::from_secs(1);
/// How often the masters are asked while nobody leads.
const SEARCH: Duration = Duration::from_millis(250);
/// How often they are asked while somebody does.
const LOOK: Duration = Duration::from_secs(5);

pub(super) struct Search {
    places: Vec<Place>,
    node: Node,
    missed: Arc<Notify>,
    found: watch::Sender<Option<Leader>>,
}

impl Search {
    pub(super) fn new(
        places: Vec<Place>,
        node: Node,
        missed: Arc<Notify>,
        found: watch::Sender<Option<Leader>>,
    ) -> Search {
        Search {
            places,
            node,
            missed,
            found,
        }
    }

    /// Searches for as long as anybody wants to know.
    pub(super) async fn run(self) {
        while !self.found.is_closed() {
            let leader = self.look().await;
            let pause = if leader.is_some() { LOOK } else { SEARCH };
            self.found.send_if_modified(|known| {
                let other = *known != leader;
                if other {
                    tracing::info!(leader = ?leader.as_ref().map(|l| &l.pid), "leader detected");
                    known.clone_from(&leader);
                }
                other
            });
            tokio::select! {
                () = self.missed.notified() => tokio::time::sleep(SEARCH / 5).await,
                () = tokio::time::sleep(pause) => {}
                () = self.found.closed() => {}
            }
        }
    }

    /// Asks everybody; the first that says that it leads itself is believed, and nobody waits for
    /// those that do not answer.
    async fn look(&self) -> Option<Leader> {
        let asked = self.places.iter().map(|place| self.ask(place));
        let mut answers: FuturesUnordered<_> = asked.collect();
        while let Some(answer) = answers.next().await {
            let leads = answer.filter(|answer| answer.is_me);
            if let Some(leader) = leads.and_then(|answer| Leader::of(answer.leader?)) {
                return Some(leader);
            }
        }
        None
    }

    async fn ask(&self, place: &Place) -> Option<Leadership> {
        let asked = tokio::time::timeout(ANSWER, async {
            let address: SocketAddr = place.look_up().await.ok()?;
            let election: Pid<Electing> = Pid::assume(Upid::new(ELECTION, address).ok()?);
            self.node.ask(&election, WhoLeads {}).await.ok()
        });
        asked.await.ok().flatten()
    }
}
