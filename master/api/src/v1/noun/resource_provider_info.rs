//! Resource providers: where resources come from that are not the agent's own.

use crate::v1::ResourceProviderId;
use crate::v1::codec::macros::{enumeration, message};
use crate::v1::{Attribute, CommandInfo, ContainerInfo, ReservationInfo, Resource};

message! {
    /// A container of a storage plugin.
    pub struct CsiPluginContainerInfo {
        /// CSI services the container provides.
        1 services: Vec<CsiService>,
        /// What to run.
        2 command: Option<CommandInfo>,
        /// Plugin container resources.
        3 resources: Vec<Resource>,
        /// The container it runs in.
        4 container: Option<Box<ContainerInfo>>,
    }

    /// Where a storage plugin listens.
    pub struct CsiPluginEndpoint {
        /// Which CSI service.
        1 csi_service: CsiService,
        /// Unix socket path.
        2 endpoint: String,
    }

    /// A storage plugin.
    pub struct CsiPluginInfo {
        /// Plugin type (reverse-DNS).
        1 kind "type": String,
        /// Plugin instance name.
        2 name: String = "default",
        /// Managed plugin containers.
        3 containers: Vec<CsiPluginContainerInfo>,
        /// Unmanaged plugin endpoints.
        4 endpoints: Vec<CsiPluginEndpoint>,
        /// Root of publish paths.
        5 target_path_root: Option<String>,
        /// Pre-create target path (CSI v1 workaround).
        6 target_path_exists: Option<bool>,
    }

    /// Describes a resource provider.
    pub struct ResourceProviderInfo {
        /// Provider id.
        1 id: Option<ResourceProviderId>,
        2 attributes: Vec<Attribute>,
        /// Provider type (reverse-DNS).
        3 kind "type": String,
        /// Provider instance name.
        4 name: String,
        /// Reservation stack applied by default.
        5 default_reservations: Vec<ReservationInfo>,
        /// Storage provider config.
        6 storage: Option<Box<StorageInfo>>,
    }

    /// What a storage provider is made of.
    pub struct StorageInfo {
        1 plugin: CsiPluginInfo,
        /// Volume reconcile period; <=0 only at start.
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
