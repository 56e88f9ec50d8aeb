//! Finding the master that leads, again and again.

mod list;

use std::sync::Arc;

use libproc::{Node, Pid, Upid};
use state::zookeeper::RealEnsemble;
use tokio::sync::{Notify, watch};
use types::MasterInfo;

use api::master::Mastering;

use crate::masters::{Masters, Place};
use crate::zookeeper::{self, SESSION_TIMEOUT};

/// The master that leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leader {
    /// Its process.
    pub pid: Pid<Mastering>,
    /// Who it is, if somebody said.
    pub info: Option<MasterInfo>,
}

impl Leader {
    /// The master of this description; none if it does not say where it is.
    pub fn of(info: MasterInfo) -> Option<Leader> {
        let address = info.address.parse().ok()?;
        let upid = Upid::new(api::MASTER, address).ok()?;
        Some(Leader {
            pid: Pid::assume(upid),
            info: Some(info),
        })
    }
}

/// Tells who leads, as it changes. Clones tell the same.
#[derive(Debug, Clone)]
pub struct Detector {
    leader: watch::Receiver<Option<Leader>>,
    /// Somebody has lost the leader.
    missed: Arc<Notify>,
}

impl Detector {
    /// A leader that is always the same.
    pub fn fixed(pid: Pid<Mastering>) -> Detector {
        Detector::told(watch::channel(Some(Leader { pid, info: None })).1)
    }

    /// A leader that somebody tells.
    pub fn told(leader: watch::Receiver<Option<Leader>>) -> Detector {
        let missed = Arc::default();
        Detector { leader, missed }
    }

    /// The leader of these masters, asked for through `node`.
    ///
    /// # Errors
    /// When one master is named, by a name that cannot be looked up.
    pub async fn of(masters: &Masters, node: &Node) -> std::io::Result<Detector> {
        Ok(match masters {
            Masters::One(place) => {
                let upid = Upid::new(api::MASTER, place.look_up().await?);
                let upid = upid.map_err(std::io::Error::other)?;
                Detector::fixed(Pid::assume(upid))
            }
            Masters::List(places) => Detector::of_list(places.clone(), node),
            Masters::ZooKeeper(url) => {
                let ensemble = RealEnsemble::new(url.clone(), SESSION_TIMEOUT);
                zookeeper::detector(Arc::new(ensemble), url.path())
            }
        })
    }

    /// The leader that these masters name. Called where local tasks can be spawned, as every
    /// node's owner is.
    pub fn of_list(places: Vec<Place>, node: &Node) -> Detector {
        let (found, leader) = watch::channel(None);
        let detector = Detector::told(leader);
        let search = list::Search::new(places, node.clone(), detector.missed.clone(), found);
        // Asking goes through the thread of whoever asks.
        drop(tokio::task::spawn_local(search.run()));
        detector
    }

    /// Who leads now; none if nobody does, or nobody knows.
    pub fn leader(&self) -> Option<Leader> {
        self.leader.borrow().clone()
    }

    /// Waits until it is not `known` who leads; returns who does.
    pub async fn other_than(&mut self, known: Option<&Leader>) -> Option<Leader> {
        let other = self
            .leader
            .wait_for(|leader| leader.as_ref() != known)
            .await;
        let other = other.map(|leader| leader.clone());
        match other {
            Ok(leader) => leader,
            Err(_) => std::future::pending().await, // nobody will ever say anything else
        }
    }

    /// Waits until somebody leads.
    pub async fn found(&mut self) -> Leader {
        loop {
            if let Some(leader) = self.leader() {
                return leader;
            }
            if let Some(leader) = self.other_than(None).await {
                return leader;
            }
        }
    }

    /// Says that the leader cannot be reached: whoever searches looks at once.
    pub fn miss(&self) {
        self.missed.notify_one();
    }
}
