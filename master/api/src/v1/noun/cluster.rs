//! What operators see of a cluster, and set.

use crate::v1::codec::macros::message;
use crate::v1::{FrameworkId, Resource, TimeInfo};

message! {
    /// The weight of a role.
    pub struct WeightInfo {
        /// Positive weight.
        1 weight: f64,
        2 role: Option<String>,
    }

    /// The version of a program.
    pub struct VersionInfo {
        1 version: String,
        /// Date text.
        2 build_date: Option<String>,
        /// Epoch seconds.
        3 build_time: Option<f64>,
        4 build_user: Option<String>,
        /// Commit.
        5 git_sha: Option<String>,
        6 git_branch: Option<String>,
        7 git_tag: Option<String>,
    }

    /// A flag of a program.
    pub struct Flag {
        /// Flag.
        1 name: String,
        2 value: Option<String>,
    }

    /// A role, and what it has.
    pub struct Role {
        /// Role.
        1 name: String,
        2 weight: f64,
        /// Members.
        3 frameworks: Vec<FrameworkId>,
        /// The resources.
        4 resources: Vec<Resource>,
    }

    /// A metric.
    pub struct Metric {
        /// Metric key.
        1 name: String,
        2 value: Option<f64>,
    }

    /// An entry of a directory.
    pub struct FileInfo {
        /// Absolute (virtual) path.
        1 path: String,
        /// Links.
        2 nlink: Option<i32>,
        /// Bytes.
        3 size: Option<u64>,
        4 mtime: Option<TimeInfo>,
        5 mode: Option<u32>,
        /// Owner name.
        6 uid: Option<String>,
        /// Group name.
        7 gid: Option<String>,
    }

    /// How much a principal may send.
    pub struct RateLimit {
        /// Messages per second; unset = unlimited.
        1 qps: Option<f64>,
        /// Principal (sum over its frameworks).
        2 principal: String,
        /// Max queued messages; beyond: error and drop.
        3 capacity: Option<u64>,
    }

    /// How much principals may send.
    pub struct RateLimits {
        /// Per principal.
        1 limits: Vec<RateLimit>,
        /// Joint rate of all others.
        2 aggregate_default_qps: Option<f64>,
        /// Joint queue of all others.
        3 aggregate_default_capacity: Option<u64>,
    }
}
