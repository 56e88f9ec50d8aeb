//! Election and detection through ZooKeeper, in the znodes of Apache Mesos.

use std::sync::Arc;
use std::time::Duration;

use api::v1::Message as _;
use futures_util::future::{BoxFuture, FutureExt as _};
use libproc::Node;
use state::zookeeper::{Ensemble, Keeper, KeeperError, Mode};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use types::MasterInfo;

use crate::contest::{Candidacy, Contest, ElectionError, Standing};
use crate::detect::{Detector, Leader};

/// How long a master that is cut off still counts as there, unless the servers say otherwise.
pub const SESSION_TIMEOUT: Duration = Duration::from_secs(10);
/// The name of a master's znode, before its number.
const LABEL: &str = "json.info_";
/// Labels that older masters use, whose content is not for us.
const OTHER_LABELS: [&str; 2] = ["info_", ""];
/// How many digits the number has.
const DIGITS: usize = 10;
/// How long to wait before something that failed is tried again.
const PAUSE: Duration = Duration::from_millis(250);

/// Masters elect each other through ZooKeeper.
#[derive(Clone)]
pub struct ZooKeeperContest {
    ensemble: Arc<dyn Ensemble>,
    path: String,
}

impl ZooKeeperContest {
    /// Masters announce themselves below `path`.
    pub fn new(ensemble: impl Ensemble, path: &str) -> ZooKeeperContest {
        ZooKeeperContest {
            ensemble: Arc::new(ensemble),
            path: path.to_owned(),
        }
    }
}

impl Contest for ZooKeeperContest {
    fn join(
        &self,
        _node: &Node,
        info: &MasterInfo,
    ) -> BoxFuture<'static, Result<Candidacy, ElectionError>> {
        let (this, info) = (self.clone(), info.clone());
        async move {
            let joined = this.announce(&info).await;
            joined.map_err(|error| ElectionError(Arc::new(error)))
        }
        .boxed()
    }

    fn detector(&self, _node: &Node) -> Detector {
        detector(self.ensemble.clone(), &self.path)
    }
}

impl ZooKeeperContest {
    async fn announce(&self, info: &MasterInfo) -> Result<Candidacy, KeeperError> {
        let keeper = self.ensemble.connect().await?;
        let data = api::v1::MasterInfo::from(info).to_json();
        let path = format!("{}/{LABEL}", self.path);
        let znode = keeper
            .create(&path, data.into(), Mode::EphemeralSequential)
            .await?;
        tracing::info!(%znode, "announced in zookeeper");
        let (tell, standing) = watch::channel(Standing::Waiting);
        let candidate = Candidate {
            keeper: keeper.clone(),
            path: self.path.clone(),
            znode: znode.clone(),
            standing: tell,
        };
        drop(tokio::spawn(candidate.stand()));
        let resign = async move {
            // In vain when the session has ended, and the znode with it.
            drop(keeper.delete(&znode).await);
        };
        Ok(Candidacy::new(standing, resign.boxed()))
    }
}

/// A master that has announced itself.
struct Candidate {
    keeper: Arc<dyn Keeper>,
    path: String,
    znode: String,
    standing: watch::Sender<Standing>,
}

impl Candidate {
    async fn stand(self) {
        tokio::select! {
            biased;
            () = self.cut_off() => tracing::warn!("cut off from zookeeper"),
            () = self.keeper.ended() => tracing::warn!("session with zookeeper has expired"),
            () = self.follow() => tracing::warn!(znode = self.znode, "no candidate any more"),
            () = self.standing.closed() => {}
        }
        self.standing.send_replace(Standing::Lost);
    }

    /// Comes when the servers may soon take us for gone: two thirds of the time after which they
    /// will have passed since we asked something that was answered. So whoever led has stopped
    /// before another begins, as long as clocks run about equally fast.
    async fn cut_off(&self) {
        let timeout = self.keeper.timeout();
        let patience = timeout * 2 / 3;
        let mut heard = Instant::now();
        loop {
            let asked = Instant::now();
            match timeout_at(heard + patience, self.keeper.get(&self.znode)).await {
                Err(_) => return,
                Ok(Ok(Some(_))) => heard = asked,
                // Gone, with the session or by somebody's hand.
                Ok(Ok(None) | Err(KeeperError::Expired)) => return,
                Ok(Err(_)) if Instant::now() >= heard + patience => return,
                Ok(Err(_)) => {}
            }
            sleep(timeout / 20).await;
        }
    }

    /// Finds out whether it leads; returns when its znode is gone.
    async fn follow(&self) {
        loop {
            let listing = match self.keeper.list(&self.path).await {
                Ok(listing) => listing,
                Err(KeeperError::Expired | KeeperError::NoNode(_)) => return,
                Err(_) => {
                    sleep(PAUSE).await;
                    continue;
                }
            };
            let of_child = |child: &&String| format!("{}/{child}", self.path) == self.znode;
            let Some(own) = listing.children.iter().find(of_child) else {
                return;
            };
            let leads = least(&listing.children) == Some(own);
            if leads {
                self.standing.send_if_modified(|standing| {
                    let elected = *standing == Standing::Waiting;
                    if elected {
                        *standing = Standing::Leading;
                    }
                    elected
                });
            }
            listing.changed.await;
        }
    }
}

/// The number of a master's znode; none if it is something else.
fn number(child: &str) -> Option<u64> {
    let labels = [LABEL].into_iter().chain(OTHER_LABELS);
    let mut rests = labels.filter_map(|label| child.strip_prefix(label));
    let rest = rests.find(|rest| rest.len() == DIGITS && rest.bytes().all(|b| b.is_ascii_digit()));
    rest?.parse().ok()
}

/// The znode of the master that leads: that with the least number.
fn least(children: &[String]) -> Option<&String> {
    let numbered = children
        .iter()
        .filter_map(|child| Some((number(child)?, child)));
    numbered.min().map(|(_, child)| child)
}

/// Who leads below `path`. While ZooKeeper cannot be reached, it is whoever led before.
pub(crate) fn detector(ensemble: Arc<dyn Ensemble>, path: &str) -> Detector {
    let (found, leader) = watch::channel(None);
    let path = path.to_owned();
    drop(tokio::spawn(async move {
        tokio::select! {
            () = detect(ensemble, &path, &found) => {}
            () = found.closed() => {}
        }
    }));
    Detector::told(leader)
}

async fn detect(ensemble: Arc<dyn Ensemble>, path: &str, found: &watch::Sender<Option<Leader>>) {
    loop {
        match ensemble.connect().await {
            Ok(keeper) => {
                let ended = watch_leader(keeper, path, found).await;
                tracing::debug!(error = ?ended, "session with zookeeper is over");
            }
            Err(error) => tracing::warn!(%error, "zookeeper does not answer"),
        }
        sleep(PAUSE).await;
    }
}

/// Tells who leads, as long as the session holds.
async fn watch_leader(
    keeper: Arc<dyn Keeper>,
    path: &str,
    found: &watch::Sender<Option<Leader>>,
) -> KeeperError {
    loop {
        let listing = match keeper.list(path).await {
            Ok(listing) => listing,
            Err(KeeperError::NoNode(_)) => {
                publish(None, found); // nobody has announced itself yet
                sleep(PAUSE).await;
                continue;
            }
            Err(KeeperError::Lost) => {
                sleep(PAUSE).await;
                continue;
            }
            Err(error) => return error,
        };
        let leader = match least(&listing.children) {
            None => None,
            Some(child) => match keeper.get(&format!("{path}/{child}")).await {
                Ok(node) => node.and_then(|node| read(child, &node.data)),
                Err(KeeperError::Lost) => {
                    sleep(PAUSE).await;
                    continue;
                }
                Err(error) => return error,
            },
        };
        publish(leader, found);
        listing.changed.await;
    }
}

fn publish(leader: Option<Leader>, found: &watch::Sender<Option<Leader>>) {
    found.send_if_modified(|known| {
        let other = *known != leader;
        if other {
            tracing::info!(leader = ?leader.as_ref().map(|l| &l.pid), "leader detected");
            *known = leader;
        }
        other
    });
}

/// What a master's znode says.
fn read(child: &str, data: &[u8]) -> Option<Leader> {
    let read = || {
        let info = api::v1::MasterInfo::from_json(data).ok()?;
        Leader::of(MasterInfo::try_from(info).ok()?)
    };
    let leader = child.starts_with(LABEL).then(read).flatten();
    if leader.is_none() {
        tracing::warn!(
            znode = child,
            "the leading master's znode is not understood"
        );
    }
    leader
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_number_leads_whatever_its_label() {
        let children = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        let all = children(&[
            "log_replicas",
            "json.info_0000000012",
            "json.info_0000000007",
            "info_0000000009",
            "json.info_7",
            "json.info_000000000x",
        ]);
        assert_eq!(least(&all).unwrap(), "json.info_0000000007");
        assert_eq!(
            least(&children(&["0000000003", "json.info_0000000004"])).unwrap(),
            "0000000003"
        );
        assert_eq!(least(&children(&["log_replicas"])), None);
    }

    #[test]
    fn a_znode_of_the_original_is_read() {
        let data = br#"{"address":{"hostname":"localhost","ip":"127.0.0.1","port":15060},
            "capabilities":[{"type":"AGENT_UPDATE"},{"type":"SOMETHING_LATER"}],
            "hostname":"localhost","id":"5ef9","ip":16777343,"pid":"master@127.0.0.1:15060",
            "port":15060,"version":"1.12.0"}"#;
        let leader = read("json.info_0000000001", data).unwrap();
        assert_eq!(leader.pid.to_string(), "master@127.0.0.1:15060");
        assert_eq!(leader.info.unwrap().hostname, "localhost");
        assert_eq!(read("json.info_0000000001", b"{}"), None);
        assert_eq!(read("info_0000000001", data), None);
    }

    #[test]
    fn our_znode_says_what_the_originals_says() {
        let info = MasterInfo {
            id: "5ef9".to_owned(),
            hostname: "localhost".to_owned(),
            address: "127.0.0.1:15060".to_owned(),
            version: "1.11.0".to_owned(),
        };
        let data: Vec<u8> = api::v1::MasterInfo::from(&info).to_json().into();
        let text = String::from_utf8(data.clone()).unwrap();
        for part in [
            "\"ip\":16777343",
            "\"pid\":\"master@127.0.0.1:15060\"",
            "\"port\":15060",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(
            read("json.info_0000000001", &data).unwrap().info,
            Some(info)
        );
    }
}
