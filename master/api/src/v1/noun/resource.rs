//! Resources: reserved, persistent, revocable, shared.

use crate::v1::codec::macros::{enumeration, message};
use crate::v1::{Labels, Ranges, ResourceProviderId, Scalar, Set, ValueType, Volume};

message! {
    /// One resource. The role it is reserved to has two forms: the older `role` and `reservation`,
    /// for frameworks that know no refined reservations, and the stack `reservations`.
    pub struct Resource {
        /// Owning resource provider; unset = agent default resources.
        12 provider_id: Option<ResourceProviderId>,
        /// Cpus, mem (MB), disk (MB), gpus, ports, or custom.
        1 name: String,
        /// SCALAR/RANGES/SET (no TEXT).
        2 kind "type": ValueType,
        /// Amount.
        3 scalar: Option<Scalar>,
        /// E.g. ports.
        4 ranges: Option<Ranges>,
        /// Set members.
        5 set: Option<Set>,
        /// Deprecated: reservation role, pre-refinement format.
        6 role: Option<String>,
        /// Which role it is allocated to.
        11 allocation_info: Option<AllocationInfo>,
        /// Dynamic reservation, pre-refinement format.
        8 reservation: Option<ReservationInfo>,
        /// Reservation stack, post-refinement format; last is current.
        13 reservations: Vec<ReservationInfo>,
        /// Disk details (source, persistence, volume).
        7 disk: Option<DiskInfo>,
        /// Set: may be taken back any time (oversubscription).
        9 revocable: Option<RevocableInfo>,
        /// Set: may be used by several tasks at once (persistent volumes only).
        10 shared: Option<SharedInfo>,
    }

    /// Whom a resource is allocated to.
    pub struct AllocationInfo {
        1 role: Option<String>,
    }

    /// A reservation.
    pub struct ReservationInfo {
        /// STATIC or DYNAMIC (only inside `reservations`).
        4 kind "type": Option<ReservationType>,
        /// Reserving role (only inside `reservations`).
        3 role: Option<String>,
        /// Who reserved; checked for UNRESERVE.
        1 principal: Option<String>,
        /// Free labels; part of resource identity.
        2 labels: Option<Labels>,
    }

    /// What makes a disk more than an amount.
    pub struct DiskInfo {
        /// Set: persistent volume.
        1 persistence: Option<Persistence>,
        /// Container path and mode for the mount (host_path must be unset).
        2 volume: Option<Box<Volume>>,
        /// Where the disk comes from; unset = agent root disk.
        3 source: Option<Box<DiskSource>>,
    }

    /// The identity of a persistent volume.
    pub struct Persistence {
        /// Volume id, unique per role+agent, usable as path component.
        1 id: String,
        /// Creator; checked for DESTROY.
        2 principal: Option<String>,
    }

    /// The device of a disk.
    pub struct DiskSource {
        /// PATH/MOUNT/BLOCK/RAW.
        1 kind "type": DiskSourceType,
        2 path: Option<DiskPath>,
        3 mount: Option<DiskMount>,
        /// Storage vendor id.
        7 vendor: Option<String>,
        /// CSI volume id.
        4 id: Option<String>,
        /// CSI volume context.
        5 metadata: Option<Labels>,
        /// Disk profile name.
        6 profile: Option<String>,
    }

    /// A directory that may be divided.
    pub struct DiskPath {
        /// Directory (relative = under work_dir).
        1 root: Option<String>,
    }

    /// A file system that is given away whole.
    pub struct DiskMount {
        /// Mount point; consumed whole.
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
