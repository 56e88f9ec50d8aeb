//! Resources: reserved, persistent, revocable, shared.

use crate::v1::codec::macros::{enumeration, message};
use crate::v1::{Labels, Ranges, ResourceProviderId, Scalar, Set, ValueType, Volume};

message! {
    /// One resource. The role it is reserved to has two forms: the older `role` and `reservation`,
    /// for frameworks that know no refined reservations, and the stack `reservations`.
    pub struct Resource {
        /// Who provides it; the agent itself if not there.
        12 provider_id: Option<ResourceProviderId>,
        /// `cpus`, `mem` and `disk` in MiB, `gpus`, `ports`, or another.
        1 name: String,
        2 kind "type": ValueType,
        3 scalar: Option<Scalar>,
        4 ranges: Option<Ranges>,
        5 set: Option<Set>,
        /// In the older form, the role it is reserved to; `*` for none.
        6 role: Option<String>,
        /// The role it is offered or given to.
        11 allocation_info: Option<AllocationInfo>,
        /// In the older form, says that the reservation was made by an operation.
        8 reservation: Option<ReservationInfo>,
        /// Each refines the one before; the last one counts.
        13 reservations: Vec<ReservationInfo>,
        /// What makes a disk special.
        7 disk: Option<DiskInfo>,
        /// If there, it may be taken away at any time.
        9 revocable: Option<RevocableInfo>,
        /// If there, several tasks may use it at once.
        10 shared: Option<SharedInfo>,
    }

    /// Whom a resource is allocated to.
    pub struct AllocationInfo {
        1 role: Option<String>,
    }

    /// A reservation.
    pub struct ReservationInfo {
        /// Only in a stack.
        4 kind "type": Option<ReservationType>,
        /// Only in a stack.
        3 role: Option<String>,
        /// Who made it.
        1 principal: Option<String>,
        /// Free words; resources of other labels are others.
        2 labels: Option<Labels>,
    }

    /// What makes a disk more than an amount.
    pub struct DiskInfo {
        /// If there, it is a persistent volume.
        1 persistence: Option<Persistence>,
        /// Where a container sees it.
        2 volume: Option<Box<Volume>>,
        /// The device; the agent's work directory if not there.
        3 source: Option<Box<DiskSource>>,
    }

    /// The identity of a persistent volume.
    pub struct Persistence {
        /// Names the volume within its role and agent.
        1 id: String,
        /// Who made it.
        2 principal: Option<String>,
    }

    /// The device of a disk.
    pub struct DiskSource {
        1 kind "type": DiskSourceType,
        2 path: Option<DiskPath>,
        3 mount: Option<DiskMount>,
        7 vendor: Option<String>,
        /// The id its provider gave it.
        4 id: Option<String>,
        /// What its provider wants to remember.
        5 metadata: Option<Labels>,
        6 profile: Option<String>,
    }

    /// A directory that may be divided.
    pub struct DiskPath {
        /// If relative, below the work directory.
        1 root: Option<String>,
    }

    /// A file system that is given away whole.
    pub struct DiskMount {
        1 root: Option<String>,
    }

    /// By being there says that a resource may be taken away.
    pub struct RevocableInfo {}

    /// By being there says that several may use a resource at once.
    pub struct SharedInfo {}
}

enumeration! {
    /// Who made a reservation.
    pub enum ReservationType {
        Unknown = 0 "UNKNOWN",
        Static = 1 "STATIC",
        Dynamic = 2 "DYNAMIC",
    }

    /// The kinds of devices.
    pub enum DiskSourceType {
        Unknown = 0 "UNKNOWN",
        Path = 1 "PATH",
        Mount = 2 "MOUNT",
        Block = 3 "BLOCK",
        Raw = 4 "RAW",
    }
}
