//! What masters say of who leads.

use libproc::protocol;
use serde::{Deserialize, Serialize};
use types::MasterInfo;

/// The process of a master that says so.
pub const ELECTION: &str = "election";

/// Who leads, as a master sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leadership {
    /// The master that leads, if the one that answers knows.
    pub leader: Option<MasterInfo>,
    /// It is the one that answers, and it is ready.
    pub is_me: bool,
}

protocol! {
    /// What the process [`ELECTION`] accepts: it runs beside every master that may be followed by
    /// another.
    pub protocol Electing {
        /// Who leads?
        message WhoLeads {} -> Leadership;
    }
}
