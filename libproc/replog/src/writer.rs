//! Writing: one writer at a time, who knows when it is not the one any more.

use bytes::Bytes;
use libproc::prelude::*;
use paxos::Position;

use crate::error::{LogError, Refused};
use crate::protocol::{Append, Replication, StartWriting, Truncate, WriterId};

/// How often one who wants to write follows a hint to the leader.
const HINTS_MAX: usize = 4;

/// Appends to a log, to the exclusion of all others: whoever started last is the one.
///
/// Any number of appends may be under way at once; they are chosen in the order in which they were
/// sent.
#[derive(Clone)]
pub struct Writer {
    node: Node,
    /// The replica it was made with.
    near: Pid<Replication>,
    /// Once started: the leader, and who it is to that.
    started: Option<(Pid<Replication>, WriterId)>,
}

impl Writer {
    pub(crate) fn new(node: Node, near: Pid<Replication>) -> Writer {
        Writer {
            node,
            near,
            started: None,
        }
    }

    /// Becomes the writer, at whichever replica leads; where nobody does, the near one stands for
    /// election. Returns the last position that somebody else may have written at.
    ///
    /// # Errors
    /// [`Refused::NotLeader`] when no leader was found in ten seconds; it may be tried again.
    pub async fn start(&mut self) -> Result<Position, LogError> {
        self.start_from(true).await
    }

    /// As [`start`](Writer::start), but only if the near replica leads already, or nobody does and
    /// it is elected: for those who lead other things by leading a log.
    ///
    /// # Errors
    /// [`Refused::NotLeader`] when another replica leads.
    pub async fn start_here(&mut self) -> Result<Position, LogError> {
        self.start_from(false).await
    }

    async fn start_from(&mut self, anywhere: bool) -> Result<Position, LogError> {
        self.started = None;
        let mut replica = self.near.clone();
        let mut refused = None;
        for _ in 0..HINTS_MAX {
            let campaign = replica == self.near;
            let asked = self.node.ask(&replica, StartWriting { campaign }).await;
            match asked.map_err(LogError::Ask)? {
                Ok(started) => {
                    self.started = Some((replica, started.writer));
                    return Ok(started.end);
                }
                Err(Refused::NotLeader {
                    address: Some(address),
                    leader,
                }) if anywhere => {
                    let upid = Upid::new(self.near.upid().id(), address);
                    let upid = upid.map_err(|error| LogError::Options(error.to_string()))?;
                    replica = Pid::assume(upid);
                    let address = Some(address);
                    refused = Some(Refused::NotLeader { leader, address });
                }
                Err(refused) => return Err(refused.into()),
            }
        }
        let nobody = Refused::NotLeader {
            leader: None,
            address: None,
        };
        Err(refused.unwrap_or(nobody).into())
    }

    /// Whether it has started; it may have been superseded since.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.started.is_some()
    }

    /// Appends data; it is durable on a quorum, and read by everybody from then on, when this
    /// returns its position.
    ///
    /// # Errors
    /// [`Refused::Superseded`] and [`Refused::NotLeader`]: nothing was written, and nothing more
    /// will be before [`start`](Writer::start). [`Refused::Unknown`] and [`LogError::Ask`]: it may
    /// have been. Others: nothing was written, and it can be tried again.
    pub fn append<D: Into<Bytes>>(
        &self,
        data: D,
    ) -> impl Future<Output = Result<Position, LogError>> + use<D> {
        let data = data.into();
        self.write(move |writer| Append { writer, data })
    }

    /// Forgets everything before `to`, on all replicas. Returns the position of that order.
    ///
    /// # Errors
    /// As [`append`](Writer::append).
    pub fn truncate(
        &self,
        to: Position,
    ) -> impl Future<Output = Result<Position, LogError>> + use<> {
        self.write(move |writer| Truncate { writer, to })
    }

    /// Sends at once, so that the order of calls is that of the log.
    fn write<M, F>(
        &self,
        message: F,
    ) -> impl Future<Output = Result<Position, LogError>> + use<M, F>
    where
        F: FnOnce(WriterId) -> M,
        M: Wire<Result = Result<Position, Refused>>,
        Replication: Accepts<M>,
    {
        let asked = self
            .started
            .as_ref()
            .map(|(leader, writer)| self.node.ask(leader, message(*writer)));
        async move {
            let Some(asked) = asked else {
                return Err(Refused::Superseded.into());
            };
            Ok(asked.await.map_err(LogError::Ask)??)
        }
    }
}
