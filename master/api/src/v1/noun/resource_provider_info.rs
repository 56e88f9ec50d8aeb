//! Resource providers: where resources come from that are not the agent's own.

use crate::v1::ResourceProviderId;
use crate::v1::codec::macros::{enumeration, message};
use crate::v1::{Attribute, CommandInfo, ContainerInfo, ReservationInfo, Resource};

message! {
    /// A container of a storage plugin.
    pub struct CsiPluginContainerInfo {
        1 services: Vec<CsiService>,
        /// What to run.
        2 command: Option<CommandInfo>,
        3 resources: Vec<Resource>,
        /// The container it runs in.
        4 container: Option<Box<ContainerInfo>>,
    }

    /// Where a storage plugin listens.
    pub struct CsiPluginEndpoint {
        1 csi_service: CsiService,
        2 endpoint: String,
    }

    /// A storage plugin.
    pub struct CsiPluginInfo {
        /// Such as `org.example.csi`.
        1 kind "type": String,
        2 name: String = "default",
        /// Containers the agent runs for it.
        3 containers: Vec<CsiPluginContainerInfo>,
        /// What runs already.
        4 endpoints: Vec<CsiPluginEndpoint>,
        5 target_path_root: Option<String>,
        /// The path is made before the plugin is asked.
        6 target_path_exists: Option<bool>,
    }

    /// Describes a resource provider.
    pub struct ResourceProviderInfo {
        1 id: Option<ResourceProviderId>,
        2 attributes: Vec<Attribute>,
        /// Such as `org.example.rp`.
        3 kind "type": String,
        4 name: String,
        /// How its resources are reserved from the start.
        5 default_reservations: Vec<ReservationInfo>,
        6 storage: Option<Box<StorageInfo>>,
    }

    /// What a storage provider is made of.
    pub struct StorageInfo {
        1 plugin: CsiPluginInfo,
        /// How often volumes are looked at; only at the start when zero or less.
        2 reconciliation_interval_seconds: Option<f64>,
    }
}

enumeration! {
    /// What a container of a storage plugin serves.
    pub enum CsiService {
        Unknown = 0 "UNKNOWN",
        ControllerService = 1 "CONTROLLER_SERVICE",
        NodeService = 2 "NODE_SERVICE",
    }
}
