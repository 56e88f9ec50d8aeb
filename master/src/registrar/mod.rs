//! The registrar: applies operations to the registry, and says when they are stored.
//!
//! In memory an operation is stored at once, and lost with the master. Otherwise it is stored as
//! [`State`](state::State): `writer` stores what waits, all at once, and `recovery` is how a master
//! begins with what another one left. Whoever begins so writes a new epoch first, on which every
//! later change depends: a master that does not know yet that it was followed changes nothing.

mod recovery;
mod writer;

use std::future::Future;

use crate::registry::{Operation, Refusal, Registry};

pub use recovery::RecoveryError;
pub(crate) use recovery::{Recovered, recover};
pub(crate) use writer::Writer;

/// What became of an operation.
pub(crate) type Outcome = Result<(), RegistrarError>;

/// Why an operation was not stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum RegistrarError {
    /// The registry does not take it; nothing has changed.
    #[error("the registry refused the operation")]
    Refused(#[from] Refusal),
    /// It could not be stored, or another master leads: this one ends.
    #[error("the registry could not be stored")]
    NotStored,
}

/// Applies operations to the registry, in the order they are given.
#[derive(Debug)]
pub(crate) struct Registrar {
    registry: Registry,
    /// None: the registry lives in memory.
    writer: Option<Writer>,
}

impl Registrar {
    /// Keeps the registry in memory; it ends with the master.
    pub(crate) fn in_memory(limits: crate::registry::Limits) -> Self {
        Self {
            registry: Registry::new(limits),
            writer: None,
        }
    }

    /// Goes on with a registry that is stored.
    pub(crate) fn stored(registry: Registry, writer: Writer) -> Self {
        Self {
            registry,
            writer: Some(writer),
        }
    }

    /// What is in it, with what is not stored yet.
    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Whether the registry outlives the master.
    pub(crate) fn is_stored(&self) -> bool {
        self.writer.is_some()
    }

    /// Begins to store; `failed` is called if that goes wrong.
    pub(crate) fn begin(&mut self, failed: impl FnOnce() + Send + 'static) {
        if let Some(writer) = &mut self.writer {
            writer.begin(failed);
        }
    }

    /// Applies an operation; the outcome comes once it is stored.
    pub(crate) fn apply(
        &mut self,
        operation: Operation,
    ) -> impl Future<Output = Outcome> + Send + use<> {
        let applied = self.registry.apply(operation);
        // In this turn: operations are stored in the order they are given.
        let stored = applied.map(|edits| self.writer.as_ref().map(|writer| writer.store(edits)));
        async move {
            match stored? {
                None => Ok(()),
                // The writer has gone, and the master with it.
                Some(stored) => stored.await.unwrap_or(Err(RegistrarError::NotStored)),
            }
        }
    }
}
