//! What operators see of a cluster, and set.

use crate::v1::codec::macros::message;
use crate::v1::{FrameworkId, Resource, TimeInfo};

message! {
    /// The weight of a role.
    pub struct WeightInfo {
        /// Above zero.
        1 weight: f64,
        2 role: Option<String>,
    }

    /// The version of a program.
    pub struct VersionInfo {
        1 version: String,
        2 build_date: Option<String>,
        /// Seconds since 1970.
        3 build_time: Option<f64>,
        4 build_user: Option<String>,
        5 git_sha: Option<String>,
        6 git_branch: Option<String>,
        7 git_tag: Option<String>,
    }

    /// A flag of a program.
    pub struct Flag {
        1 name: String,
        2 value: Option<String>,
    }

    /// A role, and what it has.
    pub struct Role {
        1 name: String,
        2 weight: f64,
        3 frameworks: Vec<FrameworkId>,
        /// The resources.
        4 resources: Vec<Resource>,
    }

    /// A metric.
    pub struct Metric {
        1 name: String,
        2 value: Option<f64>,
    }

    /// An entry of a directory.
    pub struct FileInfo {
        1 path: String,
        2 nlink: Option<i32>,
        /// In bytes.
        3 size: Option<u64>,
        4 mtime: Option<TimeInfo>,
        5 mode: Option<u32>,
        6 uid: Option<String>,
        7 gid: Option<String>,
    }

    /// How much a principal may send.
    pub struct RateLimit {
        /// Messages a second; any number if not there.
        1 qps: Option<f64>,
        /// For all its frameworks together.
        2 principal: String,
        /// More messages than these do not wait.
        3 capacity: Option<u64>,
    }

    /// How much principals may send.
    pub struct RateLimits {
        1 limits: Vec<RateLimit>,
        /// For all others together.
        2 aggregate_default_qps: Option<f64>,
        /// For all others together.
        3 aggregate_default_capacity: Option<u64>,
    }
}
