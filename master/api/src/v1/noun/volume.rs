//! Volumes, and the images they may come from.

use std::collections::BTreeMap;

use crate::v1::codec::macros::{enumeration, message};
use crate::v1::{Credential, Labels, Parameters, Secret};

message! {
    /// The image of a root file system.
    pub struct Image {
        1 kind "type": ImageType,
        2 appc: Option<AppcImage>,
        3 docker: Option<Box<DockerImage>>,
        /// Otherwise it is fetched again each time.
        4 cached: bool = true,
    }

    /// An image as appc has it.
    pub struct AppcImage {
        1 name: String,
        /// Its digest.
        2 id: Option<String>,
        /// Free words.
        3 labels: Option<Labels>,
    }

    /// An image as docker has it.
    pub struct DockerImage {
        /// As docker writes it.
        1 name: String,
        /// Deprecated: unused.
        2 credential: Option<Credential>,
        /// Who may fetch it, as docker keeps it in a file.
        3 config: Option<Secret>,
    }

    /// Whether others see what is mounted in a volume.
    pub struct MountPropagation {
        1 mode: Option<MountPropagationMode>,
    }

    /// A directory of a container.
    pub struct Volume {
        3 mode: VolumeMode,
        /// If relative, below the sandbox.
        1 container_path: String,
        /// The path on the agent, or below the sandbox.
        2 host_path: Option<String>,
        /// An image to see there.
        4 image: Option<Image>,
        /// What to see there.
        5 source: Option<Box<VolumeSource>>,
    }

    /// Where a volume comes from.
    pub struct VolumeSource {
        1 kind "type": Option<VolumeSourceType>,
        2 docker_volume: Option<DockerVolume>,
        5 host_path: Option<HostPath>,
        3 sandbox_path: Option<SandboxPath>,
        4 secret: Option<Secret>,
        6 csi_volume: Option<CsiVolume>,
    }

    /// A volume of a docker volume driver.
    pub struct DockerVolume {
        1 driver: Option<String>,
        2 name: String,
        3 driver_options: Option<Parameters>,
    }

    /// A path on the agent.
    pub struct HostPath {
        1 path: String,
        2 mount_propagation: Option<MountPropagation>,
    }

    /// A path in a sandbox.
    pub struct SandboxPath {
        1 kind "type": Option<SandboxPathType>,
        /// A path that does not leave it.
        2 path: String,
    }

    /// A volume of a storage plugin.
    pub struct CsiVolume {
        1 plugin_name: String,
        2 static_provisioning: Option<Box<StaticProvisioning>>,
    }

    /// How a volume of a storage plugin is used: `block` or `mount`, one of them.
    pub struct VolumeCapability {
        1 block: Option<BlockVolume>,
        2 mount: Option<MountVolume>,
        3 access_mode: AccessMode,
    }

    /// Asks for a file system.
    pub struct MountVolume {
        1 fs_type: Option<String>,
        2 mount_flags: Vec<String>,
    }

    /// How many use a volume at once.
    pub struct AccessMode {
        1 mode: AccessModeKind,
    }

    /// A volume that is there already.
    pub struct StaticProvisioning {
        1 volume_id: String,
        2 volume_capability: VolumeCapability,
        3 node_stage_secrets: BTreeMap<String, Secret>,
        4 node_publish_secrets: BTreeMap<String, Secret>,
        5 volume_context: BTreeMap<String, String>,
    }

    /// By being there asks for a block device.
    pub struct BlockVolume {}
}

enumeration! {
    /// The kinds of images.
    pub enum ImageType {
        Appc = 1 "APPC",
        Docker = 2 "DOCKER",
    }

    /// Who sees what is mounted in a volume.
    pub enum MountPropagationMode {
        Unknown = 0 "UNKNOWN",
        HostToContainer = 1 "HOST_TO_CONTAINER",
        Bidirectional = 2 "BIDIRECTIONAL",
    }

    /// What a container may do in a volume.
    pub enum VolumeMode {
        Rw = 1 "RW",
        Ro = 2 "RO",
    }

    /// The kinds of sources of volumes.
    pub enum VolumeSourceType {
        Unknown = 0 "UNKNOWN",
        DockerVolume = 1 "DOCKER_VOLUME",
        HostPath = 4 "HOST_PATH",
        SandboxPath = 2 "SANDBOX_PATH",
        Secret = 3 "SECRET",
        CsiVolume = 5 "CSI_VOLUME",
    }

    /// Whose sandbox a path is in.
    pub enum SandboxPathType {
        Unknown = 0 "UNKNOWN",
        Own = 1 "SELF",
        Parent = 2 "PARENT",
    }

    /// Who may use a volume at once.
    pub enum AccessModeKind {
        Unknown = 0 "UNKNOWN",
        SingleNodeWriter = 1 "SINGLE_NODE_WRITER",
        SingleNodeReaderOnly = 2 "SINGLE_NODE_READER_ONLY",
        MultiNodeReaderOnly = 3 "MULTI_NODE_READER_ONLY",
        MultiNodeSingleWriter = 4 "MULTI_NODE_SINGLE_WRITER",
        MultiNodeMultiWriter = 5 "MULTI_NODE_MULTI_WRITER",
    }
}
