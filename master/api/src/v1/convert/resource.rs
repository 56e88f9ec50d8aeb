//! Resources, amounts and attributes.

use std::collections::BTreeMap;

use types::{AttributeValue, DiskSourceKind, ReservationKind, ResourceLimits, ResourceName, Role};

use super::{At, Unfit, all};
use crate::v1::{
    AllocationInfo, Attribute, DiskInfo, DiskMount, DiskPath, DiskSource, DiskSourceType,
    Persistence, Range, Ranges, ReservationInfo, ReservationType, Resource, ResourceProviderId,
    RevocableInfo, Scalar, Set, SharedInfo, Text, ValueType, Volume, VolumeMode,
};

/// How a resource says to whom it is reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceFormat {
    /// By `role` and `reservation`: for frameworks that do not know refined reservations, and are
    /// therefore not told of any.
    PreRefinement,
    /// By the stack `reservations`: for frameworks with the capability RESERVATION_REFINEMENT, and
    /// in what agents say of themselves.
    PostRefinement,
    /// Both ways as far as there are both: for people and tools.
    Endpoint,
}

/// Returns resources as the public API has them, allocated to a role if there is one.
pub fn resources_for(
    resources: &types::Resources,
    format: ResourceFormat,
    allocated_to: Option<&Role>,
) -> Vec<Resource> {
    let allocation = allocated_to.map(|role| AllocationInfo {
        role: Some(role.to_string()),
    });
    let resources = resources.iter().map(|resource| Resource {
        allocation_info: allocation.clone(),
        ..formatted(resource, format)
    });
    resources.collect()
}

fn formatted(resource: &types::Resource, format: ResourceFormat) -> Resource {
    let mut message = Resource::from(resource);
    let refined = resource.has_refined_reservation();
    let pre = match format {
        ResourceFormat::PostRefinement => false,
        ResourceFormat::PreRefinement | ResourceFormat::Endpoint => !refined,
    };
    if pre {
        let role = resource.reservation_role().map_or("*", Role::as_str);
        message.role = Some(role.to_owned());
        let dynamic = message
            .reservations
            .first()
            .filter(|_| resource.is_dynamically_reserved());
        message.reservation = dynamic.map(|reservation| ReservationInfo {
            kind: None,
            role: None,
            ..reservation.clone()
        });
        if format == ResourceFormat::PreRefinement {
            message.reservations.clear();
        }
    }
    message
}

impl From<&types::Resource> for Resource {
    /// With the stack of reservations.
    fn from(resource: &types::Resource) -> Self {
        let mut message = Resource {
            name: resource.name.to_string(),
            provider_id: resource.provider.as_ref().map(|id| ResourceProviderId {
                value: id.to_string(),
            }),
            reservations: resource
                .reservations
                .iter()
                .map(ReservationInfo::from)
                .collect(),
            disk: resource.disk.as_deref().map(DiskInfo::from),
            revocable: resource.revocable.then_some(RevocableInfo {}),
            shared: resource.shared.then_some(SharedInfo {}),
            ..Resource::default()
        };
        match &resource.value {
            types::Value::Scalar(amount) => {
                message.kind = ValueType::Scalar;
                message.scalar = Some(Scalar {
                    value: amount.as_f64(),
                });
            }
            types::Value::Ranges(ranges) => {
                message.kind = ValueType::Ranges;
                message.ranges = Some(Ranges::from(ranges));
            }
            types::Value::Set(set) => {
                message.kind = ValueType::Set;
                message.set = Some(Set {
                    item: set.iter().map(str::to_owned).collect(),
                });
            }
        }
        message
    }
}

impl TryFrom<Resource> for types::Resource {
    type Error = Unfit;

    fn try_from(message: Resource) -> Result<Self, Unfit> {
        let lacks = |field| Unfit::new(field, format!("a {} has one", message.kind));
        let value = match message.kind {
            ValueType::Scalar => {
                let scalar = message.scalar.as_ref().ok_or_else(|| lacks("scalar"))?;
                types::Value::Scalar(types::Scalar::from_f64(scalar.value).at("scalar.value")?)
            }
            ValueType::Ranges => {
                let ranges = message.ranges.clone().ok_or_else(|| lacks("ranges"))?;
                types::Value::Ranges(ranges.try_into().at("ranges")?)
            }
            ValueType::Set => {
                let set = message.set.clone().ok_or_else(|| lacks("set"))?;
                types::Value::Set(types::Set::try_from(set.item).at("set.item")?)
            }
            ValueType::Text => return Err(Unfit::new("type", "no resource is a text")),
        };
        let resource = types::Resource {
            name: ResourceName::new(&message.name).at("name")?,
            reservations: reservations(message.role, message.reservation, message.reservations)?,
            disk: message
                .disk
                .map(|disk| types::DiskInfo::try_from(disk).map(Box::new))
                .transpose()
                .at("disk")?,
            revocable: message.revocable.is_some(),
            shared: message.shared.is_some(),
            provider: message.provider_id.map(|id| id.value.into()),
            value,
        };
        resource.validate().at("")?;
        Ok(resource)
    }
}

/// The stack of reservations, whichever way it was said. What says it both ways says it twice, as
/// we do ourselves for people: the stack counts.
fn reservations(
    role: Option<String>,
    reservation: Option<ReservationInfo>,
    stack: Vec<ReservationInfo>,
) -> Result<Vec<types::Reservation>, Unfit> {
    if !stack.is_empty() {
        return all(stack, types::Reservation::try_from).at("reservations");
    }
    let role = role
        .map(Role::new)
        .transpose()
        .at("role")?
        .filter(|role| !role.is_any());
    match (role, reservation) {
        (None, None) => Ok(Vec::new()),
        (None, Some(_)) => Err(Unfit::new(
            "reservation",
            "a reservation is to a role, not to *",
        )),
        (Some(role), None) => Ok(vec![types::Reservation::fixed(role)]),
        (Some(role), Some(reservation)) => {
            let labels = reservation.labels.unwrap_or_default().try_into();
            Ok(vec![types::Reservation {
                labels: labels.at("reservation.labels")?,
                ..types::Reservation::dynamic(role, reservation.principal)
            }])
        }
    }
}

impl From<&types::Reservation> for ReservationInfo {
    fn from(reservation: &types::Reservation) -> Self {
        Self {
            kind: Some(match reservation.kind {
                ReservationKind::Static => ReservationType::Static,
                ReservationKind::Dynamic => ReservationType::Dynamic,
            }),
            role: Some(reservation.role.to_string()),
            principal: reservation.principal.clone(),
            labels: super::discovery::labels(&reservation.labels),
        }
    }
}

impl TryFrom<ReservationInfo> for types::Reservation {
    type Error = Unfit;

    fn try_from(message: ReservationInfo) -> Result<Self, Unfit> {
        let kind = match message.kind {
            Some(ReservationType::Static) => ReservationKind::Static,
            Some(ReservationType::Dynamic) => ReservationKind::Dynamic,
            Some(ReservationType::Unknown) | None => {
                return Err(Unfit::new("type", "a reservation is STATIC or DYNAMIC"));
            }
        };
        let Some(role) = message.role else {
            return Err(Unfit::new("role", "a reservation is to a role"));
        };
        Ok(Self {
            kind,
            role: Role::new(role).at("role")?,
            principal: message.principal,
            labels: message.labels.unwrap_or_default().try_into().at("labels")?,
        })
    }
}

impl From<&types::DiskInfo> for DiskInfo {
    fn from(disk: &types::DiskInfo) -> Self {
        let volume = disk.volume.as_ref().map(|volume| {
            let mode = match volume.mode {
                types::VolumeMode::ReadWrite => VolumeMode::Rw,
                types::VolumeMode::ReadOnly => VolumeMode::Ro,
            };
            Box::new(Volume {
                mode,
                container_path: volume.container_path.clone(),
                host_path: volume.host_path.clone(),
                ..Volume::default()
            })
        });
        Self {
            persistence: disk.persistence.as_ref().map(|persistence| Persistence {
                id: persistence.id.clone(),
                principal: persistence.principal.clone(),
            }),
            volume,
            source: disk
                .source
                .as_ref()
                .map(|source| Box::new(DiskSource::from(source))),
        }
    }
}

impl TryFrom<DiskInfo> for types::DiskInfo {
    type Error = Unfit;

    fn try_from(message: DiskInfo) -> Result<Self, Unfit> {
        let volume = message.volume.map(|volume| {
            if volume.image.is_some() || volume.source.is_some() {
                return Err(Unfit::new("", "a disk has neither an image nor a source"));
            }
            let mode = match volume.mode {
                VolumeMode::Rw => types::VolumeMode::ReadWrite,
                VolumeMode::Ro => types::VolumeMode::ReadOnly,
            };
            let (container_path, host_path) = (volume.container_path, volume.host_path);
            Ok(types::Volume {
                mode,
                container_path,
                host_path,
            })
        });
        Ok(Self {
            persistence: message.persistence.map(|persistence| types::Persistence {
                id: persistence.id,
                principal: persistence.principal,
            }),
            volume: volume.transpose().at("volume")?,
            source: message
                .source
                .map(|source| types::DiskSource::try_from(*source))
                .transpose()
                .at("source")?,
        })
    }
}

impl From<&types::DiskSource> for DiskSource {
    fn from(source: &types::DiskSource) -> Self {
        let mut message = Self {
            kind: DiskSourceType::Raw,
            vendor: source.vendor.clone(),
            id: source.id.clone(),
            metadata: super::discovery::labels(&source.metadata),
            profile: source.profile.clone(),
            ..Self::default()
        };
        let root = source.root.clone();
        match source.kind {
            DiskSourceKind::Path => {
                message.kind = DiskSourceType::Path;
                message.path = Some(DiskPath { root });
            }
            DiskSourceKind::Mount => {
                message.kind = DiskSourceType::Mount;
                message.mount = Some(DiskMount { root });
            }
            DiskSourceKind::Block => message.kind = DiskSourceType::Block,
            DiskSourceKind::Raw => message.kind = DiskSourceType::Raw,
        }
        message
    }
}

impl TryFrom<DiskSource> for types::DiskSource {
    type Error = Unfit;

    fn try_from(message: DiskSource) -> Result<Self, Unfit> {
        let (kind, root) = match message.kind {
            DiskSourceType::Path => (DiskSourceKind::Path, message.path.and_then(|p| p.root)),
            DiskSourceType::Mount => (DiskSourceKind::Mount, message.mount.and_then(|m| m.root)),
            DiskSourceType::Block => (DiskSourceKind::Block, None),
            DiskSourceType::Raw => (DiskSourceKind::Raw, None),
            DiskSourceType::Unknown => {
                return Err(Unfit::new("type", "a source is PATH, MOUNT, BLOCK or RAW"));
            }
        };
        Ok(Self {
            kind,
            root,
            id: message.id,
            profile: message.profile,
            vendor: message.vendor,
            metadata: message
                .metadata
                .unwrap_or_default()
                .try_into()
                .at("metadata")?,
        })
    }
}

/// Resources of no amount are left out, and several of one description are one.
pub(super) fn resources(messages: Vec<Resource>) -> Result<types::Resources, Unfit> {
    let resources: Vec<types::Resource> = all(messages, types::Resource::try_from)?;
    types::Resources::try_from(resources).at("")
}

impl From<&types::Ranges> for Ranges {
    fn from(ranges: &types::Ranges) -> Self {
        let range = ranges.as_slice().iter();
        Self {
            range: range
                .map(|range| Range {
                    begin: range.begin,
                    end: range.end,
                })
                .collect(),
        }
    }
}

impl TryFrom<Ranges> for types::Ranges {
    type Error = Unfit;

    fn try_from(message: Ranges) -> Result<Self, Unfit> {
        let ranges = message.range.iter();
        let ranges = ranges.map(|range| types::Range {
            begin: range.begin,
            end: range.end,
        });
        types::Ranges::try_from(ranges.collect::<Vec<_>>()).at("range")
    }
}

/// Limits of a task.
pub(super) fn limits(limits: &ResourceLimits) -> BTreeMap<String, Scalar> {
    let limits = limits.iter();
    limits
        .map(|(name, limit)| {
            (
                name.to_string(),
                Scalar {
                    value: limit.as_f64(),
                },
            )
        })
        .collect()
}

/// Limits of a task. One that is infinite is none.
pub(super) fn limits_from(message: BTreeMap<String, Scalar>) -> Result<ResourceLimits, Unfit> {
    let mut limits = ResourceLimits::new();
    for (name, limit) in message {
        if limit.value == f64::INFINITY {
            continue;
        }
        let amount = types::Scalar::from_f64(limit.value).at(&format!("[{name:?}].value"))?;
        limits = limits.with(ResourceName::new(&name).at(&format!("[{name:?}]"))?, amount);
    }
    Ok(limits)
}

/// Attributes of an agent.
pub(super) fn attributes(attributes: &types::Attributes) -> Vec<Attribute> {
    let attributes = attributes.iter().map(|attribute| {
        let mut message = Attribute {
            name: attribute.name.clone(),
            ..Attribute::default()
        };
        match &attribute.value {
            AttributeValue::Text(value) => {
                message.kind = ValueType::Text;
                message.text = Some(Text {
                    value: value.clone(),
                });
            }
            AttributeValue::Scalar(value) => {
                message.kind = ValueType::Scalar;
                message.scalar = Some(Scalar {
                    value: value.as_f64(),
                });
            }
            AttributeValue::Ranges(value) => {
                message.kind = ValueType::Ranges;
                message.ranges = Some(Ranges::from(value));
            }
        }
        message
    });
    attributes.collect()
}

/// Attributes of an agent.
pub(super) fn attributes_from(messages: Vec<Attribute>) -> Result<types::Attributes, Unfit> {
    let attributes = all(messages, |message| {
        let lacks = |field| Unfit::new(field, format!("a {} has one", message.kind));
        let value = match message.kind {
            ValueType::Text => {
                AttributeValue::Text(message.text.ok_or_else(|| lacks("text"))?.value)
            }
            ValueType::Scalar => {
                let scalar = message.scalar.ok_or_else(|| lacks("scalar"))?;
                let scalar = types::Scalar::from_f64(scalar.value).at("scalar.value")?;
                AttributeValue::Scalar(scalar)
            }
            ValueType::Ranges => {
                let ranges = message.ranges.ok_or_else(|| lacks("ranges"))?;
                AttributeValue::Ranges(ranges.try_into().at("ranges")?)
            }
            ValueType::Set => return Err(Unfit::new("type", "no attribute is a set")),
        };
        Ok(types::Attribute {
            name: message.name,
            value,
        })
    });
    types::Attributes::try_from(attributes?).at("")
}
