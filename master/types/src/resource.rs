//! One resource: a name, a value, and what sets it apart from others of its name.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{DiskInfo, Reservation, ReservationKind, ResourceError, ResourceName, Role};
use crate::{Scalar, Value, Volume};

/// A resource has at most this many reservations, one for each level of a role.
pub const MAX_RESERVATIONS: usize = crate::role::MAX_ROLE_LEVELS;

/// A free text beside a resource has at most this many bytes.
const MAX_TEXT_BYTES: usize = 4_096;

/// An amount of something, or particular numbers or words of it, of one kind.
///
/// The order of the fields is the order of resources in a container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Resource {
    /// What it is.
    pub name: ResourceName,
    /// For whom it is: empty for everybody, else each one refines the one before.
    pub reservations: Vec<Reservation>,
    /// What makes a disk special.
    pub disk: Option<Box<DiskInfo>>,
    /// It may be taken away at any time.
    pub revocable: bool,
    /// Several tasks may use it at once.
    pub shared: bool,
    /// Who provides it, if not the agent itself.
    pub provider: Option<Arc<str>>,
    /// How much there is, or which.
    pub value: Value,
}

impl Resource {
    /// Returns a plain resource: unreserved, not special in any way.
    pub fn new(name: ResourceName, value: Value) -> Self {
        Self {
            name,
            reservations: Vec::new(),
            disk: None,
            revocable: false,
            shared: false,
            provider: None,
            value,
        }
    }

    /// Returns a plain amount.
    pub fn scalar(name: ResourceName, amount: Scalar) -> Self {
        Self::new(name, Value::Scalar(amount))
    }

    /// Returns whether it is for everybody.
    pub fn is_unreserved(&self) -> bool {
        self.reservations.is_empty()
    }

    /// Returns the role it is for, if it is reserved.
    pub fn reservation_role(&self) -> Option<&Role> {
        self.reservations
            .last()
            .map(|reservation| &reservation.role)
    }

    /// Returns whether it is reserved, by an operation.
    pub fn is_dynamically_reserved(&self) -> bool {
        self.reservations
            .last()
            .is_some_and(|r| r.kind == ReservationKind::Dynamic)
    }

    /// Returns whether its reservation refines another.
    pub fn has_refined_reservation(&self) -> bool {
        self.reservations.len() > 1
    }

    /// Returns whether it is a persistent volume.
    pub fn is_persistent_volume(&self) -> bool {
        self.disk
            .as_ref()
            .is_some_and(|disk| disk.persistence.is_some())
    }

    /// Returns whether it may be given to `role`: it is for everybody, for that role, or for one
    /// above it.
    pub fn is_allocatable_to(&self, role: &Role) -> bool {
        self.reservation_role()
            .is_none_or(|reserved| role.is_within(reserved))
    }

    /// Cuts the amount down to `target`; returns whether it is now no greater.
    ///
    /// What cannot be divided, or is not an amount, stays as it is.
    pub fn shrink(&mut self, target: Scalar) -> bool {
        match self.value {
            Value::Scalar(amount) if amount <= target => true,
            Value::Scalar(_) if self.is_divisible() => {
                self.value = Value::Scalar(target);
                true
            }
            Value::Scalar(_) | Value::Ranges(_) | Value::Set(_) => false,
        }
    }

    /// Checks that the parts agree with each other.
    ///
    /// # Errors
    ///
    /// Says which rule is broken: the type of a well-known name, whole graphics processors, the
    /// order of reservations, a disk description on a disk, sharing of persistent volumes,
    /// nothing persistent that is revocable, ids and paths of volumes, texts that are too long.
    pub fn validate(&self) -> Result<(), ResourceError> {
        let name = || self.name.to_string();
        self.validate_value()?;
        self.validate_reservations()?;
        self.validate_disk()?;
        if self.shared && !self.is_persistent_volume() {
            return Err(ResourceError::Shared(name()));
        }
        if self.revocable && (!self.is_unreserved() || self.is_persistent_volume()) {
            return Err(ResourceError::Revocable(name()));
        }
        let principals = self
            .reservations
            .iter()
            .filter_map(|r| r.principal.as_ref());
        let texts = principals
            .map(String::as_str)
            .chain(self.provider.as_deref());
        if let Some(text) = texts.into_iter().find(|text| text.len() > MAX_TEXT_BYTES) {
            let (length, max) = (text.len(), MAX_TEXT_BYTES);
            return Err(ResourceError::TooLong {
                name: name(),
                length,
                max,
            });
        }
        Ok(())
    }

    /// The id of a volume becomes the name of a directory, and its path one below a sandbox.
    fn validate_disk(&self) -> Result<(), ResourceError> {
        let Some(disk) = &self.disk else {
            return Ok(());
        };
        let name = || self.name.to_string();
        if self.name != ResourceName::DISK {
            return Err(ResourceError::DiskInfo(name()));
        }
        let long = disk.texts().find(|text| text.len() > MAX_TEXT_BYTES);
        if let Some(length) = long.map(str::len) {
            return Err(ResourceError::TooLong {
                name: name(),
                length,
                max: MAX_TEXT_BYTES,
            });
        }
        if let Some(persistence) = &disk.persistence {
            crate::ids::check(&persistence.id).map_err(ResourceError::VolumeId)?;
        }
        let leaves = |volume: &Volume| volume.container_path.split('/').any(|part| part == "..");
        match disk
            .volume
            .as_ref()
            .filter(|v| v.container_path.is_empty() || leaves(v))
        {
            Some(volume) => Err(ResourceError::VolumePath(volume.container_path.clone())),
            None => Ok(()),
        }
    }

    fn validate_value(&self) -> Result<(), ResourceError> {
        let amounts = [
            ResourceName::CPUS,
            ResourceName::MEM,
            ResourceName::DISK,
            ResourceName::GPUS,
        ];
        let well_known = match &self.name {
            name if amounts.contains(name) => Some("SCALAR"),
            name if *name == ResourceName::PORTS => Some("RANGES"),
            _ => None,
        };
        let found = self.value.type_name();
        if well_known.is_some_and(|expected| expected != found) {
            return Err(ResourceError::Type {
                name: self.name.to_string(),
                found,
            });
        }
        let whole = self.value.as_scalar().is_none_or(Scalar::is_whole);
        if self.name == ResourceName::GPUS && !whole {
            return Err(ResourceError::FractionalGpus);
        }
        Ok(())
    }

    fn validate_reservations(&self) -> Result<(), ResourceError> {
        if self.reservations.len() > MAX_RESERVATIONS {
            return Err(ResourceError::TooMany {
                max: MAX_RESERVATIONS,
            });
        }
        if self
            .reservations
            .iter()
            .any(|reservation| reservation.role.is_any())
        {
            return Err(ResourceError::ReservedToAny);
        }
        for pair in self.reservations.windows(2) {
            let (base, refined) = (&pair[0], &pair[1]);
            if refined.kind == ReservationKind::Static {
                return Err(ResourceError::StaticRefinement);
            }
            if !refined.role.is_strictly_below(&base.role) {
                return Err(ResourceError::Refinement {
                    base: base.role.to_string(),
                    refined: refined.role.to_string(),
                });
            }
        }
        Ok(())
    }

    /// Whether two of the same description are one greater resource. Persistent volumes and whole
    /// devices stay apart, and so do the copies of what is shared.
    pub(crate) fn is_divisible(&self) -> bool {
        !self.shared && self.disk.as_ref().is_none_or(|disk| disk.is_divisible())
    }

    /// Compares everything but how much or which; agrees with the order of resources.
    pub(crate) fn compare_description(&self, other: &Resource) -> Ordering {
        self.name
            .cmp(&other.name)
            .then_with(|| self.reservations.cmp(&other.reservations))
            .then_with(|| self.disk.cmp(&other.disk))
            .then_with(|| self.revocable.cmp(&other.revocable))
            .then_with(|| self.shared.cmp(&other.shared))
            .then_with(|| self.provider.cmp(&other.provider))
            .then_with(|| self.value.kind().cmp(&other.value.kind()))
    }
}

impl fmt::Display for Resource {
    /// Prints `cpus:4`, `cpus(role):4` for a plain static reservation, and otherwise every
    /// reservation, the disk, and marks for revocable and shared.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        match self.reservations.as_slice() {
            [] => {}
            [one] if *one == Reservation::fixed(one.role.clone()) => write!(f, "({})", one.role)?,
            several => {
                f.write_str("(reservations: [")?;
                for (i, reservation) in several.iter().enumerate() {
                    let comma = if i == 0 { "" } else { "," };
                    write!(f, "{comma}{reservation}")?;
                }
                f.write_str("])")?;
            }
        }
        if let Some(disk) = &self.disk {
            write!(f, "[{disk}]")?;
        }
        if self.revocable {
            f.write_str("{REV}")?;
        }
        if self.shared {
            f.write_str("<SHARED>")?;
        }
        write!(f, ":{}", self.value)
    }
}
