//! Recovery: how a master begins with what another one left in the registry.

use serde::{Deserialize, Serialize};
use state::State;

use super::Registrar;
use super::writer::{Handles, Writer};
use crate::Options;
use crate::registry::{Limits, Record, Registry};

/// The variable that says who leads.
const EPOCH: &str = "registry";
/// What a master must understand to go on with a registry that needs it.
const UNDERSTOOD: &[&str] = &[];
/// A master tries so often to be the next, when others do so too.
const TRIES: usize = 16;

/// Whose the registry is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Epoch {
    /// How many masters have led.
    number: u64,
    /// The id of the master that leads.
    master: String,
    /// What a master must understand to go on with it.
    #[serde(default)]
    needs: Vec<String>,
}

/// Why a master cannot go on with a registry.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecoveryError {
    /// It cannot be read, or not written.
    #[error("could not recover the registry")]
    State(#[from] state::Error),
    /// A later version of the program has written it.
    #[error("the registry needs {0}, which this version does not have")]
    TooNew(String),
    /// Others become the next all the time.
    #[error("could not recover the registry: other masters do so too")]
    Contended,
}

/// A registry that was stored, and is this master's now.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(super) registry: Registry,
    pub(super) writer: Writer,
}

impl Recovered {
    pub(crate) fn into_registrar(self) -> Registrar {
        Registrar::stored(self.registry, self.writer)
    }
}

/// Makes the registry in `state` that of the master with this id, and reads it. From then on
/// whoever had it before changes nothing any more.
///
/// # Errors
/// When the registry cannot be read or written, or is too new.
pub(crate) async fn recover(
    state: &State,
    options: &Options,
    master: &str,
) -> Result<Recovered, RecoveryError> {
    for _ in 0..TRIES {
        let variable = state.fetch::<Epoch>(EPOCH).await?;
        let before = variable.value().cloned().unwrap_or_default();
        let understood = |need: &&String| !UNDERSTOOD.contains(&need.as_str());
        if let Some(need) = before.needs.iter().find(understood) {
            return Err(RecoveryError::TooNew(need.clone()));
        }
        let epoch = Epoch {
            number: before.number + 1,
            master: master.to_owned(),
            ..before
        };
        let number = epoch.number;
        let Some(fence) = state.store(variable.mutate(epoch)).await? else {
            continue; // another one was first
        };
        let mut handles = Handles::new();
        let mut records: Vec<Record> = Vec::new();
        for prefix in ["agents/", "frameworks/", "weights"] {
            for variable in state.fetch_all::<Record>(prefix).await? {
                let name = variable.name().to_owned();
                handles.insert(name, variable.clone().without_value());
                records.extend(variable.into_value());
            }
        }
        tracing::info!(
            epoch = number,
            records = records.len(),
            "registry recovered"
        );
        let limits = Limits::from(options);
        return Ok(Recovered {
            registry: Registry::restore(limits, records),
            writer: Writer::new(state.clone(), fence, handles),
        });
    }
    Err(RecoveryError::Contended)
}
