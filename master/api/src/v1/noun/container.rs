//! Containers: as they are asked for, and as they are.

use crate::v1::codec::macros::{enumeration, message};
use crate::v1::{
    ContainerId, Image, LinuxInfo, NetworkInfo, Parameter, RLimitInfo, TtyInfo, Volume,
};

message! {
    /// What a container shall be like.
    pub struct ContainerInfo {
        1 kind "type": ContainerType,
        2 volumes: Vec<Volume>,
        /// The name of the machine.
        4 hostname: Option<String>,
        3 docker: Option<DockerInfo>,
        5 mesos: Option<MesosInfo>,
        7 network_infos: Vec<NetworkInfo>,
        8 linux_info: Option<LinuxInfo>,
        9 rlimit_info: Option<RLimitInfo>,
        10 tty_info: Option<TtyInfo>,
    }

    /// What docker is told of a container.
    pub struct DockerInfo {
        1 image: String,
        2 network: DockerNetwork = DockerNetwork::Host,
        3 port_mappings: Vec<DockerPortMapping>,
        4 privileged: bool = false,
        /// Flags for docker's command.
        5 parameters: Vec<Parameter>,
        /// The image is fetched again each time.
        6 force_pull_image: Option<bool>,
        /// Deprecated.
        7 volume_driver: Option<String>,
    }

    /// A port of the agent that leads to one of a docker container.
    pub struct DockerPortMapping {
        1 host_port: u32,
        2 container_port: u32,
        /// `tcp` or `udp`.
        3 protocol: Option<String>,
    }

    /// What our own containerizer is told of a container.
    pub struct MesosInfo {
        1 image: Option<Image>,
    }

    /// What is known of a running container.
    pub struct ContainerStatus {
        4 container_id: Option<ContainerId>,
        1 network_infos: Vec<NetworkInfo>,
        2 cgroup_info: Option<CgroupInfo>,
        /// The process that leads it.
        3 executor_pid: Option<u32>,
    }

    /// What is known of a control group.
    pub struct CgroupInfo {
        1 net_cls: Option<NetCls>,
    }

    /// How the packets of a control group are marked.
    pub struct NetCls {
        1 classid: Option<u32>,
    }
}

enumeration! {
    /// Who makes a container.
    pub enum ContainerType {
        Docker = 1 "DOCKER",
        Mesos = 2 "MESOS",
    }

    /// The networks docker knows.
    pub enum DockerNetwork {
        Host = 1 "HOST",
        Bridge = 2 "BRIDGE",
        None = 3 "NONE",
        User = 4 "USER",
    }
}
