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
        /// Scalar guarantees.
        3 guarantee: Vec<Resource>,
    }

    /// Asks for a quota, as it was once.
    pub struct QuotaRequest {
        /// Skip capacity check.
        1 force: Option<bool>,
        2 role: Option<String>,
        /// Guarantees (old API also sets limit = guarantee).
        3 guarantee: Vec<Resource>,
    }

    /// The quota of a role.
    pub struct QuotaConfig {
        1 role: String,
        /// Name to amount, minimum.
        2 guarantees: BTreeMap<String, Scalar>,
        /// Name to amount, maximum.
        3 limits: BTreeMap<String, Scalar>,
    }

    /// The quotas of all roles.
    pub struct QuotaStatus {
        /// Deprecated: legacy view.
        1 infos: Vec<QuotaInfo>,
        /// All non-default quotas.
        2 configs: Vec<QuotaConfig>,
    }
}
