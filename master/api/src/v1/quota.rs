//! Quota: what roles are guaranteed, and limited to.

use std::collections::BTreeMap;

use crate::v1::codec::macros::message;
use crate::v1::{Resource, Scalar};

message! {
    /// The quota of a role, as it was once.
    pub struct QuotaInfo {
        1 role: Option<String>,
        /// Who it was.
        2 principal: Option<String>,
        3 guarantee: Vec<Resource>,
    }

    /// Asks for a quota, as it was once.
    pub struct QuotaRequest {
        /// Even if there is not enough.
        1 force: Option<bool>,
        2 role: Option<String>,
        /// The guarantees, which are limits too.
        3 guarantee: Vec<Resource>,
    }

    /// The quota of a role.
    pub struct QuotaConfig {
        1 role: String,
        /// The least it gets if it wants it.
        2 guarantees: BTreeMap<String, Scalar>,
        /// The most it gets.
        3 limits: BTreeMap<String, Scalar>,
    }

    /// The quotas of all roles.
    pub struct QuotaStatus {
        /// Deprecated: as it was once.
        1 infos: Vec<QuotaInfo>,
        /// All that were set.
        2 configs: Vec<QuotaConfig>,
    }
}
