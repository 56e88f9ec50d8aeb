//! Offers, and the times without them.

use std::net::SocketAddr;

use types::{Filters as Refusal, Role};

use super::{At, ResourceFormat, Unfit, all, resource};
use crate::v1::{Address, AllocationInfo, ExecutorId, Filters, Offer, Url};

impl Offer {
    /// Returns an offer as its framework shall see it: one without the capability MULTI_ROLE is
    /// not told of the role, which is its only one.
    pub fn for_framework(offer: &types::Offer, framework: &types::FrameworkInfo) -> Self {
        use types::FrameworkCapability::{MultiRole, ReservationRefinement};

        let refinement = framework.has(ReservationRefinement);
        let format = if refinement {
            ResourceFormat::PostRefinement
        } else {
            ResourceFormat::PreRefinement
        };
        let role = framework.has(MultiRole).then_some(&offer.role);
        let executor_ids = offer.executor_ids.iter().map(ExecutorId::from);
        Self {
            id: (&offer.id).into(),
            framework_id: (&offer.framework_id).into(),
            agent_id: (&offer.agent_id).into(),
            hostname: offer.hostname.clone(),
            url: url(offer),
            resources: super::resources_for(&offer.resources, format, role),
            attributes: resource::attributes(&offer.attributes),
            executor_ids: executor_ids.collect(),
            allocation_info: role.map(|role| AllocationInfo {
                role: Some(role.to_string()),
            }),
            ..Self::default()
        }
    }
}

/// Where the agent serves its API. Clients of the original take the path for granted.
fn url(offer: &types::Offer) -> Option<Box<Url>> {
    let address: SocketAddr = offer.agent_address.parse().ok()?;
    let address = Address {
        hostname: Some(offer.hostname.clone()),
        ip: Some(address.ip().to_string()),
        port: i32::from(address.port()),
    };
    let path = Some("/slave(1)".to_owned());
    Some(Box::new(Url {
        scheme: "http".to_owned(),
        address,
        path,
        ..Url::default()
    }))
}

impl TryFrom<Offer> for types::Offer {
    type Error = Unfit;

    /// An offer that does not say its role is of `*`.
    fn try_from(message: Offer) -> Result<Self, Unfit> {
        let role = message
            .allocation_info
            .and_then(|allocation| allocation.role);
        let address = message.url.and_then(|url| {
            let address = url.address;
            let port = u16::try_from(address.port).ok()?;
            Some(SocketAddr::new(address.ip?.parse().ok()?, port).to_string())
        });
        Ok(Self {
            id: message.id.try_into().at("id")?,
            framework_id: message.framework_id.try_into().at("framework_id")?,
            agent_id: message.agent_id.try_into().at("agent_id")?,
            hostname: message.hostname,
            role: role
                .map_or_else(|| Ok(Role::any()), Role::new)
                .at("allocation_info.role")?,
            resources: resource::resources(message.resources).at("resources")?,
            attributes: resource::attributes_from(message.attributes).at("attributes")?,
            executor_ids: all(message.executor_ids, types::ExecutorId::try_from)
                .at("executor_ids")?,
            agent_address: address.unwrap_or_default(),
        })
    }
}

impl From<&Refusal> for Filters {
    fn from(filters: &Refusal) -> Self {
        Self {
            refuse_seconds: filters.refuse.as_secs_f64(),
        }
    }
}

impl From<Filters> for Refusal {
    /// Five seconds for what is negative or no number, a year for what is more.
    fn from(message: Filters) -> Self {
        Refusal::from_seconds(message.refuse_seconds)
    }
}
