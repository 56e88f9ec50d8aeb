//! Frameworks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use types::{FrameworkCapability as Capability, Role};

use super::{At, Unfit, all, discovery, from_opaque, optional, text, to_opaque};
use crate::v1::codec::macros::message;
use crate::v1::{FrameworkCapability, FrameworkCapabilityType, FrameworkInfo, OfferFilters};

message! {
    /// What no noun has of a framework, under the number it has in `FrameworkInfo`.
    pub(super) struct FrameworkRest {
        13 offer_filters: BTreeMap<String, OfferFilters>,
    }
}

impl From<&types::FrameworkInfo> for FrameworkInfo {
    /// A framework with the capability MULTI_ROLE has `roles`, any other a `role`.
    fn from(framework: &types::FrameworkInfo) -> Self {
        let rest: FrameworkRest = from_opaque(&framework.opaque);
        let (mut role, mut roles) = (None, Vec::new());
        if framework.has(Capability::MultiRole) {
            roles = framework.roles.iter().map(Role::to_string).collect();
        } else {
            role = Some(framework.roles.first().map_or("*", Role::as_str).to_owned());
        }
        let capabilities = framework
            .capabilities
            .iter()
            .copied()
            .filter_map(capability);
        Self {
            user: framework.user.clone().unwrap_or_default(),
            name: framework.name.clone(),
            id: framework.id.as_ref().map(Into::into),
            failover_timeout: framework.failover_timeout.as_secs_f64(),
            checkpoint: framework.checkpoint,
            role,
            roles,
            hostname: framework.hostname.as_deref().and_then(text),
            principal: framework.principal.clone(),
            webui_url: framework.webui_url.clone(),
            capabilities: capabilities
                .map(|kind| FrameworkCapability { kind: Some(kind) })
                .collect(),
            labels: discovery::labels(&framework.labels),
            offer_filters: rest.offer_filters,
        }
    }
}

impl TryFrom<FrameworkInfo> for types::FrameworkInfo {
    type Error = Unfit;

    /// Capabilities that are not known here are left out. An empty id is none: that is how some
    /// clients ask for one.
    fn try_from(message: FrameworkInfo) -> Result<Self, Unfit> {
        let capabilities: BTreeSet<_> = message
            .capabilities
            .iter()
            .filter_map(|capability| known(capability.kind?))
            .collect();
        let roles = if capabilities.contains(&Capability::MultiRole) {
            if message.role.is_some() {
                let text = "a framework with the capability MULTI_ROLE has roles, no role";
                return Err(Unfit::new("role", text));
            }
            all(message.roles, Role::new).at("roles")?
        } else {
            if !message.roles.is_empty() {
                let text = "a framework without the capability MULTI_ROLE has a role, no roles";
                return Err(Unfit::new("roles", text));
            }
            vec![
                message
                    .role
                    .map_or_else(|| Ok(Role::any()), Role::new)
                    .at("role")?,
            ]
        };
        let seconds = message.failover_timeout;
        let no_time = |_| Unfit::new("failover_timeout", format!("{seconds} is no time to wait"));
        // What a double has beyond the millisecond is noise.
        let failover_timeout = Duration::try_from_secs_f64(seconds).map_err(no_time)?;
        let rounded_ms = failover_timeout
            .saturating_add(HALF_MILLISECOND)
            .as_millis();
        let rest = FrameworkRest {
            offer_filters: message.offer_filters,
        };
        Ok(Self {
            id: optional(message.id.filter(|id| !id.value.is_empty()), "id")?,
            name: message.name,
            user: text(&message.user),
            roles,
            hostname: message.hostname,
            principal: message.principal,
            failover_timeout: Duration::from_millis(u64::try_from(rounded_ms).unwrap_or(u64::MAX)),
            checkpoint: message.checkpoint,
            capabilities,
            webui_url: message.webui_url,
            labels: message.labels.unwrap_or_default().try_into().at("labels")?,
            opaque: to_opaque(&rest).at("offer_filters")?,
        })
    }
}

/// What rounds a time to the nearest millisecond.
const HALF_MILLISECOND: Duration = Duration::from_micros(500);

fn capability(capability: Capability) -> Option<FrameworkCapabilityType> {
    Some(match capability {
        Capability::RevocableResources => FrameworkCapabilityType::RevocableResources,
        Capability::TaskKillingState => FrameworkCapabilityType::TaskKillingState,
        Capability::GpuResources => FrameworkCapabilityType::GpuResources,
        Capability::SharedResources => FrameworkCapabilityType::SharedResources,
        Capability::PartitionAware => FrameworkCapabilityType::PartitionAware,
        Capability::MultiRole => FrameworkCapabilityType::MultiRole,
        Capability::ReservationRefinement => FrameworkCapabilityType::ReservationRefinement,
        Capability::RegionAware => FrameworkCapabilityType::RegionAware,
        // The public API has no word for it.
        Capability::OfferFilters => return None,
    })
}

fn known(capability: FrameworkCapabilityType) -> Option<Capability> {
    Some(match capability {
        FrameworkCapabilityType::Unknown => return None,
        FrameworkCapabilityType::RevocableResources => Capability::RevocableResources,
        FrameworkCapabilityType::TaskKillingState => Capability::TaskKillingState,
        FrameworkCapabilityType::GpuResources => Capability::GpuResources,
        FrameworkCapabilityType::SharedResources => Capability::SharedResources,
        FrameworkCapabilityType::PartitionAware => Capability::PartitionAware,
        FrameworkCapabilityType::MultiRole => Capability::MultiRole,
        FrameworkCapabilityType::ReservationRefinement => Capability::ReservationRefinement,
        FrameworkCapabilityType::RegionAware => Capability::RegionAware,
    })
}

/// The least a framework wants to be offered, by role: any one of the quantities will do, and
/// anything where there are none.
///
/// # Errors
///
/// Says which quantity is none, or which role is not one of the framework's.
pub fn min_allocatable(
    framework: &types::FrameworkInfo,
) -> Result<BTreeMap<Role, Vec<types::ResourceQuantities>>, Unfit> {
    let rest: FrameworkRest = from_opaque(&framework.opaque);
    let mut all = BTreeMap::new();
    for (name, filters) in rest.offer_filters {
        let field = format!("offer_filters.{name}");
        let role = framework.roles.iter().find(|role| role.as_str() == name);
        let Some(role) = role else {
            let text = format!("Offer filters specify '{name}', which is no role of the framework");
            return Err(Unfit::new(field, text));
        };
        let Some(least) = filters.min_allocatable_resources else {
            continue;
        };
        let quantities = least.quantities.into_iter().map(quantities);
        let quantities: Result<Vec<_>, Unfit> = quantities.collect();
        all.insert(role.clone(), quantities.at(&field)?);
    }
    Ok(all)
}

fn quantities(said: crate::v1::ResourceQuantities) -> Result<types::ResourceQuantities, Unfit> {
    let mut all = types::ResourceQuantities::new();
    for (name, amount) in said.quantities {
        let amount = types::Scalar::from_f64(amount.value).at(&name)?;
        all = all.with(types::ResourceName::new(&name).at(&name)?, amount);
    }
    Ok(all)
}
