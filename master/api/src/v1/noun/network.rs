//! Networks of containers.

use crate::v1::Labels;
use crate::v1::codec::macros::{enumeration, message};

message! {
    /// A network of a container.
    pub struct NetworkInfo {
        /// Those that are asked for, or those it has.
        5 ip_addresses: Vec<IpAddress>,
        6 name: Option<String>,
        3 groups: Vec<String>,
        /// Free words.
        4 labels: Option<Labels>,
        7 port_mappings: Vec<PortMapping>,
    }

    /// An address of a container.
    pub struct IpAddress {
        1 protocol: NetworkProtocol = NetworkProtocol::Ipv4,
        2 ip_address: Option<String>,
    }

    /// A port of the agent that leads to one of the container.
    pub struct PortMapping {
        1 host_port: u32,
        2 container_port: u32,
        /// `tcp` or `udp`.
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
