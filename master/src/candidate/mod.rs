//! Candidates: masters of which one leads.
//!
//! A candidate stands for election, and is a standby meanwhile: [`standby`] sends whoever comes to
//! the leader. Elected, it takes over the registry, and only then is a master. When it may have lost
//! the election, its master ends at once, and it stands again, as another master with another id:
//! nothing it believed before counts. [`herald`] tells others all the time who leads.

mod herald;
mod standby;

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api::master::Mastering;
use election::{Candidacy, Contest, Electing, Leader, Resign, Standing};
use libproc::{ExitReason, Node, Pid, Process, Upid};
use state::State;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::ids::Ids;
use crate::process::{MasterProcess, info_of};
use crate::{Options, RecoveryError, registrar};

use herald::Herald;
use standby::Standby;

/// How long to wait before standing again, when something was wrong.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a withdrawal may take: others need not wait for it.
const RESIGN: Duration = Duration::from_secs(2);

/// Stands for election on `node`, again and again, as long as the node lives. Whenever this one is
/// elected, it leads with the registry in `state`.
///
/// What comes back ends it.
///
/// # Panics
///
/// Panics when a master runs on the node already.
pub fn stand(node: &Node, options: Options, contest: impl Contest, state: State) -> Stand {
    let (leads, own) = watch::channel(None);
    let contest: Arc<dyn Contest> = Arc::new(contest);
    let detector = contest.detector(node);
    let herald = Herald::new(own.clone(), detector.clone());
    let herald = node.spawn(election::ELECTION, herald);
    let standby = Standby::new(detector);
    let (stop, stopped) = watch::channel(false);
    let candidate = Candidate {
        node: node.clone(),
        options,
        contest,
        state,
        leads,
        standby,
        resign: Arc::default(),
        terms: 0,
    };
    candidate.become_standby();
    let over = node.exit_of(herald.upid());
    let task = tokio::task::spawn_local(candidate.run(over, stopped));
    Stand {
        herald,
        own,
        stop,
        task,
    }
}

/// A master that stands for election, or leads.
#[derive(Debug)]
pub struct Stand {
    herald: Pid<Electing>,
    own: watch::Receiver<Option<Leader>>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Stand {
    /// The process that tells who leads; when it ends, so has everything else.
    pub fn herald(&self) -> &Upid {
        self.herald.upid()
    }

    /// The master here, as long as it leads and is ready.
    pub fn own(&self) -> watch::Receiver<Option<Leader>> {
        self.own.clone()
    }

    /// Ends the master if it leads, and withdraws, so that another one leads at once.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        drop(self.task.await); // if it panicked, it has ended too
    }
}

struct Candidate {
    node: Node,
    options: Options,
    contest: Arc<dyn Contest>,
    state: State,
    leads: watch::Sender<Option<Leader>>,
    standby: Standby,
    /// Withdraws the candidacy there is.
    resign: Arc<Mutex<Option<Resign>>>,
    terms: u64,
}

impl Candidate {
    async fn run(
        mut self,
        over: impl Future<Output = ExitReason>,
        mut stopped: watch::Receiver<bool>,
    ) {
        let stop = async {
            if stopped.wait_for(|stopped| *stopped).await.is_err() {
                std::future::pending::<()>().await; // nobody will say so
            }
        };
        let (node, upid, resign) = (self.node.clone(), self.master_upid(), self.resign.clone());
        tokio::select! {
            biased;
            () = stop => {}
            _ = over => {}
            () = async {
                loop {
                    self.run_once().await;
                }
            } => {}
        }
        let exit = node.exit_of(&upid);
        node.terminate(&upid);
        exit.await;
        withdraw(&resign).await;
    }

    /// One candidacy, from its beginning to its end.
    async fn run_once(&mut self) {
        // Each has an id of its own, as each process of another master has.
        let seed = self.options.seed.map(|seed| seed.wrapping_add(self.terms));
        self.terms += 1;
        let ids = Ids::new(seed);
        let info = info_of(&self.node, &self.options, &ids);
        let mut candidacy = match self.contest.join(&self.node, &info).await {
            Ok(candidacy) => candidacy,
            Err(error) => {
                complain(&error, "could not stand for election");
                return tokio::time::sleep(PAUSE).await;
            }
        };
        tracing::info!(master = %info.id, "standing for election");
        *self.resign.lock().unwrap_or_else(PoisonError::into_inner) = Some(candidacy.take_resign());
        let failed = match candidacy.decided().await {
            Standing::Leading => {
                tracing::info!(master = %info.id, "elected");
                self.lead(ids, &mut candidacy).await.is_err()
            }
            Standing::Waiting | Standing::Lost => false,
        };
        withdraw(&self.resign).await;
        if failed {
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Leads until that is lost, or the master ends by itself.
    async fn lead(&self, ids: Ids, candidacy: &mut Candidacy) -> Result<(), RecoveryError> {
        let recovered = tokio::select! {
            biased;
            () = candidacy.lost() => return Ok(()),
            recovered = registrar::recover(&self.state, &self.options, ids.master()) => recovered,
        };
        let recovered =
            recovered.inspect_err(|error| complain(error, "elected, but cannot lead"))?;
        let options = self.options.clone();
        let master = MasterProcess::following(&self.node, options, ids, recovered);
        let leader = Leader::of(master.info.clone());
        self.end(&self.master_upid()).await;
        let master = crate::spawn(&self.node, master);
        self.leads.send_replace(leader);
        let ended = self.node.exit_of(master.upid());
        tokio::select! {
            biased;
            () = candidacy.lost() => tracing::warn!("leadership is lost, and the master ends"),
            reason = ended => tracing::warn!(%reason, "master ended"),
        }
        self.leads.send_replace(None);
        self.end(master.upid()).await;
        self.become_standby();
        Ok(())
    }

    /// Waits until what was in place of the master has gone, so that its name is free.
    async fn end(&self, upid: &Upid) {
        let exit = self.node.exit_of(upid);
        self.node.terminate(upid);
        exit.await;
    }

    fn become_standby(&self) {
        in_front(&self.node, self.standby.clone());
    }

    fn master_upid(&self) -> Upid {
        Upid::new(api::MASTER, self.node.address()).expect("the id of a master is an id")
    }
}

/// Withdraws a candidacy, so that another one need not wait until it is missed.
async fn withdraw(resign: &Mutex<Option<Resign>>) {
    let resign = resign.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(resign) = resign {
        drop(tokio::time::timeout(RESIGN, resign).await);
    }
}

/// Not where anything is awaited: an error may not go from thread to thread.
fn complain(error: &(dyn std::error::Error + 'static), what: &'static str) {
    tracing::warn!(error, "{what}");
}

/// Spawns what answers at the address of the master.
fn in_front<A: Process + Send>(node: &Node, process: A) {
    node.spawn(api::MASTER, process);
    node.set_front(api::MASTER);
}

/// The master of a node that leads or will lead, whoever answers there for now.
pub fn master_of(node: &Node) -> Pid<Mastering> {
    let upid = Upid::new(api::MASTER, node.address()).expect("the id of a master is an id");
    Pid::assume(upid)
}
