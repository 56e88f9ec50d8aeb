//! Election through the log that the masters themselves are: who leads the log leads.
//!
//! A replica that is cut off from the others stops leading before another can, as long as clocks run
//! about equally fast and letters are not under way for long; and whoever leads is the one writer of
//! the log first, so that one that was followed without noticing changes nothing in it any more.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use libproc::{Node, Pid, Upid};
use replog::{Ballot, Leadership, Log, LogError};
use state::LogStorage;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use types::MasterInfo;

use crate::contest::{Candidacy, Contest, ElectionError, Standing};
use crate::detect::{Detector, Leader};
use crate::protocol::{ELECTION, Electing, WhoLeads};

/// How long the master that leads the log may take to say who it is.
const ANSWER: Duration = Duration::from_secs(1);
/// How often it is asked, until it is ready.
const SEARCH: Duration = Duration::from_millis(20);
/// How often it is asked then: it may have ended, and stood again as another.
const LOOK: Duration = Duration::from_secs(1);
/// How often a standby reads what was written, so that little is left to read when it leads.
const FOLLOW: Duration = Duration::from_secs(1);

/// Masters of which each has a replica of one log on its own node. The registry is in that log too.
#[derive(Clone)]
pub struct LogContest {
    log: Log,
    storage: LogStorage,
}

impl LogContest {
    /// Whoever leads `log` leads. `storage` is in that log, writes exclusively, and only where the
    /// near replica leads; it is for the master alone that is elected.
    #[must_use]
    pub fn new(log: Log, storage: LogStorage) -> LogContest {
        LogContest { log, storage }
    }

    /// The process of the replica: when it ends, this master can neither vote nor lead any more.
    #[must_use]
    pub fn replica(&self) -> &Upid {
        self.log.replica().upid()
    }
}

impl Contest for LogContest {
    fn join(
        &self,
        _node: &Node,
        _info: &MasterInfo,
    ) -> BoxFuture<'static, Result<Candidacy, ElectionError>> {
        let (tell, standing) = watch::channel(Standing::Waiting);
        let candidate = self.clone();
        let log = self.log.clone();
        async move {
            // Without its replica a master is no candidate.
            let asked = log.status().await;
            asked.map_err(|error| ElectionError(Arc::new(error)))?;
            drop(tokio::task::spawn_local(candidate.stand(tell)));
            let resign = async move {
                // In vain when the replica has ended, and its leadership with it.
                drop(log.resign().await);
            };
            Ok(Candidacy::new(standing, resign.boxed()))
        }
        .boxed()
    }

    fn detector(&self, node: &Node) -> Detector {
        let (found, leader) = watch::channel(None);
        let (log, node) = (self.log.clone(), node.clone());
        drop(tokio::task::spawn_local(async move {
            tokio::select! {
                biased;
                () = found.closed() => {}
                ended = detect(&log, &node, &found) => complain(ended.err()),
            }
        }));
        Detector::told(leader)
    }
}

/// Waiting to lead, and leading.
impl LogContest {
    async fn stand(self, tell: watch::Sender<Standing>) {
        tokio::select! {
            biased;
            () = tell.closed() => {}
            ended = self.lead(&tell) => complain(ended.err()),
        }
        self.storage.stop();
        tell.send_replace(Standing::Lost);
    }

    /// Comes back when it leads no longer.
    async fn lead(&self, tell: &watch::Sender<Standing>) -> Result<(), LogError> {
        let (ballot, known) = self.elected().await?;
        tell.send_replace(Standing::Leading);
        self.led_by_another(ballot, known).await
    }

    /// Waits until the near replica leads and this is the writer.
    async fn elected(&self) -> Result<(Ballot, Leadership), LogError> {
        let mut leadership = self.log.leadership(None).await?;
        loop {
            if let Some(ballot) = leadership.leading {
                tokio::select! {
                    biased;
                    changed = self.led_by_another(ballot, leadership) => changed?,
                    started = self.storage.start() => match started {
                        Ok(()) => return Ok((ballot, leadership)),
                        Err(error) => {
                            let error = &error as &dyn std::error::Error;
                            tracing::warn!(error, "elected, but cannot write the log");
                            self.log.resign().await?;
                        }
                    },
                }
                self.storage.stop();
                leadership = self.log.leadership(None).await?;
                continue;
            }
            leadership = tokio::select! {
                biased;
                changed = self.log.leadership(Some(leadership)) => changed?,
                never = self.follow() => never,
            };
        }
    }

    /// Waits until the near replica does not lead with this ballot.
    async fn led_by_another(&self, ballot: Ballot, known: Leadership) -> Result<(), LogError> {
        let mut known = known;
        while known.leading == Some(ballot) {
            known = self.log.leadership(Some(known)).await?;
        }
        Ok(())
    }

    async fn follow<T>(&self) -> T {
        loop {
            sleep(FOLLOW).await;
            // While nobody leads, there is nothing to read; what is damaged shows when it leads.
            if let Err(error) = self.storage.follow().await {
                tracing::debug!(%error, "what the leader wrote cannot be read");
            }
        }
    }
}

/// Tells who leads: the master beside the replica that does, as soon as it says so itself.
async fn detect(
    log: &Log,
    node: &Node,
    found: &watch::Sender<Option<Leader>>,
) -> Result<(), LogError> {
    let mut leadership = log.leadership(None).await?;
    loop {
        publish(None, found);
        // The master here is known without being asked.
        let there = leadership
            .address
            .filter(|address| *address != node.address());
        leadership = tokio::select! {
            biased;
            changed = log.leadership(Some(leadership)) => changed?,
            never = watch_leader(node, there, found) => never,
        };
    }
}

async fn watch_leader<T>(
    node: &Node,
    address: Option<SocketAddr>,
    found: &watch::Sender<Option<Leader>>,
) -> T {
    let upid = address.and_then(|address| Upid::new(ELECTION, address).ok());
    let Some(upid) = upid else {
        return pending().await;
    };
    let election: Pid<Electing> = Pid::assume(upid);
    loop {
        let asked = timeout(ANSWER, node.ask(&election, WhoLeads {})).await;
        let said = asked.ok().and_then(Result::ok);
        let leader = said.filter(|said| said.is_me).and_then(|said| said.leader);
        let leader = leader.and_then(Leader::of);
        let pause = if leader.is_some() { LOOK } else { SEARCH };
        publish(leader, found);
        sleep(pause).await;
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

/// Without the replica there is no election: it ends with the node, or when its files are not what
/// they should be.
fn complain(error: Option<LogError>) {
    if let Some(error) = error {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(error, "the replica beside this master does not answer");
    }
}
