//! Networks of containers.

use crate::v1::Labels;
use crate::v1::codec::macros::{enumeration, message};

message! {
    /// A network of a container.
    pub struct NetworkInfo {
        /// Request: wanted addresses; status: assigned ones.
        5 ip_addresses: Vec<IpAddress>,
        /// CNI/docker network name.
        6 name: Option<String>,
        /// Isolation groups.
        3 groups: Vec<String>,
        /// Free words.
        4 labels: Option<Labels>,
        /// Host to container ports.
        7 port_mappings: Vec<PortMapping>,
    }

    /// An address of a container.
    pub struct IpAddress {
        /// IPv4/IPv6.
        1 protocol: NetworkProtocol = NetworkProtocol::Ipv4,
        /// Specific address.
        2 ip_address: Option<String>,
    }

    /// A port of the agent that leads to one of the container.
    pub struct PortMapping {
        1 host_port: u32,
        2 container_port: u32,
        /// Tcp/udp.
        3 protocol: Option<String>,
    }
}

enumeration! {
    /// The versions of IP.
    pub enum NetworkProtocol {
        Ipv4 = 1 "IPv4",
        Ipv6 = 2 "IPv6",
    }
}
