//! Masters and agents.

use std::net::{IpAddr, SocketAddr};

use types::AgentCapability as Capability;

use super::{At, ResourceFormat, Unfit, optional, resource};
use crate::v1::{Address, AgentCapability, AgentCapabilityType, AgentInfo, DomainInfo};
use crate::v1::{FaultDomain, MasterInfo, RegionInfo, ZoneInfo};

impl From<&types::AgentInfo> for AgentInfo {
    fn from(agent: &types::AgentInfo) -> Self {
        let format = ResourceFormat::PostRefinement;
        Self {
            hostname: agent.hostname.clone(),
            port: i32::from(agent.port),
            resources: super::resources_for(&agent.resources, format, None),
            attributes: resource::attributes(&agent.attributes),
            id: agent.id.as_ref().map(Into::into),
            domain: agent.domain.as_ref().map(DomainInfo::from),
            checkpoint: Some(agent.checkpoint),
        }
    }
}

impl TryFrom<AgentInfo> for types::AgentInfo {
    type Error = Unfit;

    fn try_from(message: AgentInfo) -> Result<Self, Unfit> {
        let domain = message.domain.and_then(|domain| domain.fault_domain);
        Ok(Self {
            id: optional(message.id, "id")?,
            hostname: message.hostname,
            port: u16::try_from(message.port).at("port")?,
            resources: resource::resources(message.resources).at("resources")?,
            attributes: resource::attributes_from(message.attributes).at("attributes")?,
            domain: domain.map(|domain| types::FaultDomain {
                region: domain.region.name,
                zone: domain.zone.name,
            }),
            checkpoint: message.checkpoint.unwrap_or_default(),
        })
    }
}

impl From<&types::FaultDomain> for DomainInfo {
    fn from(domain: &types::FaultDomain) -> Self {
        let region = RegionInfo {
            name: domain.region.clone(),
        };
        let zone = ZoneInfo {
            name: domain.zone.clone(),
        };
        Self {
            fault_domain: Some(FaultDomain { region, zone }),
        }
    }
}

impl From<Capability> for AgentCapability {
    fn from(capability: Capability) -> Self {
        let kind = match capability {
            Capability::MultiRole => AgentCapabilityType::MultiRole,
            Capability::HierarchicalRole => AgentCapabilityType::HierarchicalRole,
            Capability::ReservationRefinement => AgentCapabilityType::ReservationRefinement,
            Capability::ResourceProvider => AgentCapabilityType::ResourceProvider,
            Capability::ResizeVolume => AgentCapabilityType::ResizeVolume,
            Capability::AgentOperationFeedback => AgentCapabilityType::AgentOperationFeedback,
            Capability::AgentDraining => AgentCapabilityType::AgentDraining,
            Capability::TaskResourceLimits => AgentCapabilityType::TaskResourceLimits,
        };
        Self { kind: Some(kind) }
    }
}

impl From<&types::MasterInfo> for MasterInfo {
    /// An address that is none is told as port 0 of no address.
    fn from(master: &types::MasterInfo) -> Self {
        let address: Option<SocketAddr> = master.address.parse().ok();
        let ip = match address.map(|address| address.ip()) {
            // The bytes as they lie in memory: what Mesos takes for network order.
            Some(IpAddr::V4(ip)) => u32::from_le_bytes(ip.octets()),
            Some(IpAddr::V6(_)) | None => 0,
        };
        let port = address.map_or(0, |address| address.port());
        Self {
            id: master.id.clone(),
            ip,
            port: u32::from(port),
            pid: Some(format!("{}@{}", crate::MASTER, master.address)),
            hostname: super::text(&master.hostname),
            version: super::text(&master.version),
            address: Some(Address {
                hostname: super::text(&master.hostname),
                ip: address.map(|address| address.ip().to_string()),
                port: i32::from(port),
            }),
            ..Self::default()
        }
    }
}

impl TryFrom<MasterInfo> for types::MasterInfo {
    type Error = Unfit;

    fn try_from(message: MasterInfo) -> Result<Self, Unfit> {
        let told = message.address.as_ref();
        let ip = match told.and_then(|address| address.ip.as_deref()) {
            Some(ip) => {
                let wrong = |_| Unfit::new("address.ip", "is no address");
                ip.parse::<IpAddr>().map_err(wrong)?
            }
            None => IpAddr::from(message.ip.to_le_bytes()),
        };
        let port = match told {
            Some(address) => u16::try_from(address.port).at("address.port")?,
            None => u16::try_from(message.port).at("port")?,
        };
        Ok(Self {
            id: message.id,
            hostname: message.hostname.unwrap_or_default(),
            address: SocketAddr::new(ip, port).to_string(),
            version: message.version.unwrap_or_default(),
        })
    }
}
