//! A log, for those who use it: opened on a node, or reached where it runs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use libproc::prelude::*;

use crate::error::{LogError, Refused};
use crate::ledger::Ledger;
use crate::options::{LogOptions, Place};
use crate::protocol::{
    AskEnd, AwaitLeader, Bounds, Leadership, Look, Reconfiguration, Reconfigure, ReplicaStatus,
    Replication, Resign,
};
use crate::reader::Reader;
use crate::replica::{Beginning, ReplicaProcess};
use crate::store::{Directory, Disk, Identity, SegmentedStore, StoreError};
use crate::writer::Writer;

/// How soon it is asked again who leads.
const AGAIN: Duration = Duration::from_millis(100);

/// A log, by one of its replicas. Cloning gives another handle.
///
/// The replica is a process of a node, here or elsewhere; it lives until its node is shut down or
/// [`close`](Log::close) ends it.
#[derive(Clone)]
pub struct Log {
    node: Node,
    replica: Pid<Replication>,
}

impl Log {
    /// Opens a replica's files, and starts it as a process of `node`.
    ///
    /// It takes part at once: replicas of a log that has never held anything begin it together as
    /// soon as all of them are there; one that was there before goes on; one that has lost what it
    /// had is given it back by the others before it votes.
    ///
    /// # Errors
    /// When the options contradict each other, or the files cannot be used.
    pub async fn open(node: &Node, options: LogOptions) -> Result<Log, LogError> {
        options.check()?;
        let opening = libproc::blocking(move || begin(options));
        let beginning = opening.await.map_err(LogError::Store)?;
        let name = beginning.options.name.clone();
        let process = ReplicaProcess::new(beginning);
        let replica = node.try_spawn(&name, process).map_err(LogError::Spawn)?;
        Ok(Log {
            node: node.clone(),
            replica,
        })
    }

    /// A log by a replica that runs elsewhere; nothing is sent yet.
    #[must_use]
    pub fn at(node: &Node, replica: Pid<Replication>) -> Log {
        Log {
            node: node.clone(),
            replica,
        }
    }

    /// The process of the replica.
    #[must_use]
    pub fn replica(&self) -> &Pid<Replication> {
        &self.replica
    }

    /// One who writes: see [`Writer::start`].
    #[must_use]
    pub fn writer(&self) -> Writer {
        Writer::new(self.node.clone(), self.replica.clone())
    }

    /// One who reads.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::new(self.clone())
    }

    /// How the replica is.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn status(&self) -> Result<ReplicaStatus, LogError> {
        self.ask(Look {}).await
    }

    /// Who leads, as soon as that differs from `known`; at once when nothing is known.
    ///
    /// # Errors
    /// When the replica cannot be asked.
    pub async fn leadership(&self, known: Option<Leadership>) -> Result<Leadership, LogError> {
        self.ask(AwaitLeader { known }).await
    }

    /// Has the replica give up leading, to the one that is best prepared, which stands at once.
    /// Nothing happens when it does not lead.
    ///
    /// # Errors
    /// When the replica cannot be asked.
    pub async fn resign(&self) -> Result<(), LogError> {
        self.ask(Resign {}).await
    }

    /// Where the log begins and ends: whatever was appended before this was asked is in it, and
    /// this replica can read all of it.
    ///
    /// # Errors
    /// When the replica cannot be asked, or no leader is known to be one.
    pub async fn bounds(&self) -> Result<Bounds, LogError> {
        Ok(self.ask(AskEnd {}).await??)
    }

    /// Changes who votes, by whoever leads; returns when it is done. While nobody leads, it waits for
    /// one who does.
    ///
    /// # Errors
    /// When the replica or the leader cannot be asked, or the change cannot be: the replica that is to
    /// come has not caught up, or is a member already, or another change is under way.
    pub async fn reconfigure(&self, change: Reconfiguration) -> Result<(), LogError> {
        loop {
            let outcome = self.ask(Reconfigure { change }).await?;
            let Err(Refused::NotLeader { address, .. }) = outcome else {
                return Ok(outcome?);
            };
            if let Some(address) = address {
                match self.of(address)?.ask(Reconfigure { change }).await {
                    // It has ended, or leads no longer: the others are about to notice.
                    Err(LogError::Ask(AskError::Refused)) | Ok(Err(Refused::NotLeader { .. })) => {}
                    answered => return Ok(answered??),
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Ends the replica, if it is a process of this node.
    pub async fn close(self) {
        let ended = self.node.exit_of(self.replica.upid());
        self.node.terminate(self.replica.upid());
        ended.await;
    }

    /// The same log by the replica at another address.
    pub(crate) fn of(&self, address: SocketAddr) -> Result<Log, LogError> {
        let upid = Upid::new(self.replica.upid().id(), address);
        let upid = upid.map_err(|error| LogError::Options(error.to_string()))?;
        Ok(Log::at(&self.node, Pid::assume(upid)))
    }

    pub(crate) async fn ask<M: Wire>(&self, message: M) -> Result<M::Result, LogError>
    where
        Replication: Accepts<M>,
    {
        let answer = self.node.ask(&self.replica, message).await;
        answer.map_err(LogError::Ask)
    }
}

/// Reads the files of a replica.
fn begin(options: LogOptions) -> Result<Beginning, StoreError> {
    let disk = match &options.place {
        Place::Directory(path) => Arc::new(Directory::make(path)?) as Arc<dyn Disk>,
        Place::Disk(disk) => disk.clone(),
    };
    let identity = Identity {
        cluster: options.cluster.0,
        node: options.node.0,
    };
    let recovered = SegmentedStore::open_or_init(disk, identity, options.store)?;
    for damage in &recovered.damage {
        tracing::error!(%damage, "a record of the log is lost, until others give it back");
    }
    if recovered.torn > 0 {
        tracing::info!(
            bytes = recovered.torn,
            "cut off a write that a crash interrupted"
        );
    }
    let restored = Ledger::restore(&recovered)?;
    Ok(Beginning {
        damaged: !recovered.damage.is_empty(),
        unread: recovered.unread,
        options,
        store: Box::new(recovered.store),
        ledger: restored.ledger,
        durable: restored.durable,
        book: restored.book,
    })
}
