//! The registrar: applies operations to the registry, and says when they are stored.
//!
//! Here the registry lives in memory, and an operation is stored at once. The master waits for
//! every outcome all the same, in a later turn, so that a registrar over a replicated log takes
//! the place of this one without a change to anybody who uses it.

use std::future::{Future, ready};

use crate::registry::{Operation, Refusal, Registry};

/// What became of an operation.
pub(crate) type Outcome = Result<(), RegistrarError>;

/// Why an operation was not stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum RegistrarError {
    /// The registry does not take it; nothing has changed.
    #[error("the registry refused the operation")]
    Refused(#[from] Refusal),
}

/// Applies operations to the registry, in the order they are given.
#[derive(Debug)]
pub(crate) struct Registrar {
    registry: Registry,
}

impl Registrar {
    /// Keeps the registry in memory; it ends with the master.
    pub(crate) fn in_memory(max_unreachable: usize) -> Self {
        Self {
            registry: Registry::new(max_unreachable),
        }
    }

    /// Applies an operation; the outcome comes once it is stored.
    pub(crate) fn apply(
        &mut self,
        operation: Operation,
    ) -> impl Future<Output = Outcome> + Send + use<> {
        ready(self.registry.apply(operation).map_err(RegistrarError::from))
    }
}
