//! A framework of which several schedulers run, and one leads.
//!
//! They elect each other as masters do, in znodes of the same form. Election decides who goes to
//! the master, so that two do not take the subscription from each other; that nobody who lost it
//! stores anything is the [state](crate::Options::kept_in)'s business, whatever the clocks say.

use election::{Candidacy, Contest, Standing};
use libproc::{Node, env};
use rand::Rng as _;
use types::{FrameworkInfo, MasterInfo};

use crate::error::{Error, Result};

/// Stands for election until it leads.
///
/// # Errors
/// When the election cannot be reached.
pub(crate) async fn lead(
    contest: &dyn Contest,
    node: &Node,
    info: &FrameworkInfo,
) -> Result<Candidacy> {
    let address = node.address();
    let info = MasterInfo {
        id: format!("{}-{:016x}", info.name, env::rng().random::<u64>()),
        hostname: address.ip().to_string(),
        address: address.to_string(),
        version: api::VERSION.to_owned(),
    };
    loop {
        tracing::info!(framework = info.id, "standing for election");
        let mut candidacy = contest.join(node, &info).await.map_err(Error::Election)?;
        match candidacy.decided().await {
            Standing::Leading => {
                tracing::info!(framework = info.id, "elected");
                return Ok(candidacy);
            }
            // It never led, so nothing is lost but the place in the row.
            Standing::Waiting | Standing::Lost => {}
        }
    }
}

/// Waits until a candidate that leads is none any more; for ever where nobody is elected.
pub(crate) async fn lost(candidacy: Option<&mut Candidacy>) {
    match candidacy {
        Some(candidacy) => candidacy.lost().await,
        None => std::future::pending().await,
    }
}

/// Withdraws, so that the next one need not wait until this one is missed.
pub(crate) async fn resign(candidacy: Option<Candidacy>) {
    if let Some(mut candidacy) = candidacy {
        candidacy.take_resign().await;
    }
}
