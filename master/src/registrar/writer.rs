//! Stores what waits to be stored: everything that has come while the last store was under way goes
//! with the next, so that a thousand agents that register at once are a few stores.

use std::collections::BTreeMap;
use std::time::Duration;

use state::{State, Transaction, Variable};
use tokio::sync::{mpsc, oneshot};

use super::{Outcome, RegistrarError};
use crate::registry::{Edit, Record};

/// How long a store may take.
const STORE_TIMEOUT: Duration = Duration::from_secs(20);
/// So many orders go into one store at most.
const BATCH_MAX: usize = 1_024;
/// A store is sent when it has so many bytes: half of what the least of the storages takes.
const STORE_BYTES: usize = 512 << 10;

/// Who leads, as far as the registry goes. Every change depends on it.
pub(super) type Fence = Variable<super::recovery::Epoch>;
/// The variables that are stored, without their values.
pub(super) type Handles = BTreeMap<String, Variable<Record>>;

struct Order {
    edits: Vec<Edit>,
    done: oneshot::Sender<Outcome>,
}

/// Stores changes of a registry.
#[derive(Debug)]
pub(crate) struct Writer {
    /// Bounded by what the master lets happen at once: it waits for every agent it admits.
    orders: mpsc::UnboundedSender<Order>,
    work: Option<Work>,
}

#[derive(Debug)]
struct Work {
    state: State,
    fence: Fence,
    handles: Handles,
    orders: mpsc::UnboundedReceiver<Order>,
}

impl Writer {
    pub(super) fn new(state: State, fence: Fence, handles: Handles) -> Self {
        let (sender, orders) = mpsc::unbounded_channel();
        let work = Work {
            state,
            fence,
            handles,
            orders,
        };
        Self {
            orders: sender,
            work: Some(work),
        }
    }

    /// Begins to store what was and will be given, beside the master, as long as that lives.
    pub(super) fn begin(&mut self, failed: impl FnOnce() + Send + 'static) {
        let Some(work) = self.work.take() else {
            return;
        };
        drop(tokio::spawn(async move {
            if !work.run().await {
                failed();
            }
        }));
    }

    /// Gives changes to be stored; none wait for all that were given before.
    pub(super) fn store(&self, edits: Vec<Edit>) -> oneshot::Receiver<Outcome> {
        let (done, outcome) = oneshot::channel();
        // A writer that has gone drops it, which is an outcome too.
        drop(self.orders.send(Order { edits, done }));
        outcome
    }
}

impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Order").field(&self.edits).finish()
    }
}

impl Work {
    /// Stores until the master is gone; false if that went wrong.
    async fn run(mut self) -> bool {
        let mut batch = Vec::new();
        while self.orders.recv_many(&mut batch, BATCH_MAX).await > 0 {
            let mut edits: BTreeMap<String, Option<Record>> = BTreeMap::new();
            let mut waiting = Vec::new();
            for order in batch.drain(..) {
                edits.extend(order.edits.into_iter().map(|edit| (edit.name, edit.record)));
                waiting.push(order.done);
            }
            let stored = self.store(edits).await;
            let outcome = match stored {
                true => Ok(()),
                false => Err(RegistrarError::NotStored),
            };
            for done in waiting {
                drop(done.send(outcome.clone())); // whoever asked may not care any more
            }
            if !stored {
                return false;
            }
        }
        true
    }

    async fn store(&mut self, edits: BTreeMap<String, Option<Record>>) -> bool {
        let mut transaction = self.transaction();
        for (name, record) in edits {
            if let Err(error) = self.add(&mut transaction, name, record) {
                tracing::error!(%error, "registry cannot be stored");
                return false;
            }
            if transaction.bytes() >= STORE_BYTES {
                let full = std::mem::replace(&mut transaction, self.transaction());
                if !self.commit(full).await {
                    return false;
                }
            }
        }
        match transaction.changes() > 1 {
            true => self.commit(transaction).await,
            false => true, // nothing but the fence
        }
    }

    /// A store that happens only as long as this master leads.
    fn transaction(&self) -> Transaction {
        let mut transaction = Transaction::default();
        transaction.check(&self.fence);
        transaction
    }

    fn add(
        &mut self,
        transaction: &mut Transaction,
        name: String,
        record: Option<Record>,
    ) -> Result<(), state::Error> {
        let handle = self.handles.remove(&name);
        match record {
            None => drop(handle.map(|handle| transaction.expunge(handle))),
            Some(record) => {
                let variable = handle.unwrap_or_else(|| Variable::absent(&name));
                let stored = transaction.store(variable.mutate(record))?;
                self.handles
                    .extend(stored.map(|stored| (name, stored.without_value())));
            }
        }
        Ok(())
    }

    async fn commit(&self, transaction: Transaction) -> bool {
        let bytes = transaction.bytes();
        let stored = tokio::time::timeout(STORE_TIMEOUT, self.state.commit(transaction)).await;
        match stored {
            Ok(Ok(true)) => {
                tracing::debug!(bytes, "registry stored");
                return true;
            }
            Ok(Ok(false)) => tracing::error!("registry is another master's"),
            Ok(Err(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "registry could not be stored");
            }
            Err(_) => tracing::error!("registry was not stored in time"),
        }
        false
    }
}
