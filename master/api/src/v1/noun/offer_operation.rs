//! What a framework does with an offer.

use crate::v1::TaskInfo;
use crate::v1::codec::macros::{bodies, enumeration, message};
use crate::v1::{DiskSourceType, ExecutorInfo, OperationId, Resource, Scalar, TaskGroupInfo};

message! {
    /// What a framework does with an offer.
    pub struct OfferOperation {
        1 kind "type": Option<OfferOperationType>,
        /// Asks for news of the operation.
        12 id: Option<OperationId>,
        2 launch: Option<Launch>,
        7 launch_group: Option<Box<LaunchGroup>>,
        3 reserve: Option<Reserve>,
        4 unreserve: Option<Unreserve>,
        5 create: Option<Create>,
        6 destroy: Option<Destroy>,
        13 grow_volume: Option<Box<GrowVolume>>,
        14 shrink_volume: Option<Box<ShrinkVolume>>,
        15 create_disk: Option<Box<CreateDisk>>,
        16 destroy_disk: Option<Box<DestroyDisk>>,
    }

    /// Launches tasks.
    pub struct Launch {
        1 task_infos: Vec<TaskInfo>,
    }

    /// Launches a group of tasks, all or none.
    pub struct LaunchGroup {
        /// A new one, or one that runs there.
        1 executor: ExecutorInfo,
        2 task_group: TaskGroupInfo,
    }

    /// Reserves resources.
    pub struct Reserve {
        /// The resources as they are, to change a reservation; else they are what is left without
        /// the last one.
        2 source: Vec<Resource>,
        /// The resources.
        1 resources: Vec<Resource>,
    }

    /// Ends reservations.
    pub struct Unreserve {
        /// As they are, the reservation to remove the last.
        1 resources: Vec<Resource>,
    }

    /// Makes persistent volumes.
    pub struct Create {
        /// As they shall be.
        1 volumes: Vec<Resource>,
    }

    /// Destroys persistent volumes.
    pub struct Destroy {
        /// As they are.
        1 volumes: Vec<Resource>,
    }

    /// Makes a persistent volume larger.
    pub struct GrowVolume {
        /// As it is.
        1 volume: Resource,
        /// What it grows by.
        2 addition: Resource,
    }

    /// Makes a persistent volume smaller.
    pub struct ShrinkVolume {
        /// As it is.
        1 volume: Resource,
        /// In MiB.
        2 subtract: Scalar,
    }

    /// Makes a disk of raw storage.
    pub struct CreateDisk {
        1 source: Resource,
        2 target_type: DiskSourceType,
        /// For a source that has none.
        3 target_profile: Option<String>,
    }

    /// Makes raw storage of a disk.
    pub struct DestroyDisk {
        1 source: Resource,
    }
}

enumeration! {
    /// The operations on offers.
    pub enum OfferOperationType {
        Unknown = 0 "UNKNOWN",
        Launch = 1 "LAUNCH",
        LaunchGroup = 6 "LAUNCH_GROUP",
        Reserve = 2 "RESERVE",
        Unreserve = 3 "UNRESERVE",
        Create = 4 "CREATE",
        Destroy = 5 "DESTROY",
        GrowVolume = 11 "GROW_VOLUME",
        ShrinkVolume = 12 "SHRINK_VOLUME",
        CreateDisk = 13 "CREATE_DISK",
        DestroyDisk = 14 "DESTROY_DISK",
    }
}

bodies! {
    /// What a framework does with an offer.
    pub enum OfferOperationBody of OfferOperation, OfferOperationType {
        Launch(launch: Launch),
        LaunchGroup(launch_group: Box<LaunchGroup>),
        Reserve(reserve: Reserve),
        Unreserve(unreserve: Unreserve),
        Create(create: Create),
        Destroy(destroy: Destroy),
        GrowVolume(grow_volume: Box<GrowVolume>),
        ShrinkVolume(shrink_volume: Box<ShrinkVolume>),
        CreateDisk(create_disk: Box<CreateDisk>),
        DestroyDisk(destroy_disk: Box<DestroyDisk>),
    }
}
