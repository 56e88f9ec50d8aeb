//! Resources: what an agent has, a task needs, an offer brings; they add up and subtract.

use std::fmt;
use std::slice;

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

use crate::{Ranges, Resource, ResourceError, ResourceName, Scalar, Value};

/// One container lists at most this many resources of different descriptions.
pub const MAX_RESOURCES: usize = 10_000;

/// Any number of resources, in which those of one description are one.
///
/// Sorted by description, so that equal contents are equal values and sums are merges. Never has
/// empty resources, and every resource in it is valid on its own. Copies of a shared volume are
/// listed one by one.
///
/// The methods named after a resource add to it; those beginning with `total` read it.
///
/// ```
/// use types::{Resources, Scalar};
///
/// let offer = Resources::new().cpus(4.0).mem_mib(1024).ports(31000..=31099);
/// let need = Resources::new().cpus(0.5).mem_mib(300);
/// assert_eq!(offer.count(&need), 3);
/// assert_eq!((&offer - &need).total_cpus().to_string(), "3.5");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resources(pub(crate) Vec<Resource>);

impl Resources {
    /// Returns no resources.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds unreserved processors. What is negative or no number adds nothing.
    #[must_use]
    pub fn cpus(self, cpus: f64) -> Self {
        self.with(Resource::scalar(
            ResourceName::CPUS,
            Scalar::from_f64_clamped(cpus),
        ))
    }

    /// Adds unreserved memory, in MiB.
    #[must_use]
    pub fn mem_mib(self, mem_mib: u64) -> Self {
        self.with(Resource::scalar(
            ResourceName::MEM,
            Scalar::from_units(mem_mib),
        ))
    }

    /// Adds unreserved disk, in MiB.
    #[must_use]
    pub fn disk_mib(self, disk_mib: u64) -> Self {
        self.with(Resource::scalar(
            ResourceName::DISK,
            Scalar::from_units(disk_mib),
        ))
    }

    /// Adds unreserved graphics processors.
    #[must_use]
    pub fn gpus(self, gpus: u64) -> Self {
        self.with(Resource::scalar(
            ResourceName::GPUS,
            Scalar::from_units(gpus),
        ))
    }

    /// Adds unreserved ports, such as `31000..=32000`.
    #[must_use]
    pub fn ports(self, ports: impl Into<Ranges>) -> Self {
        self.with(Resource::new(
            ResourceName::PORTS,
            Value::Ranges(ports.into()),
        ))
    }

    /// Adds one resource.
    ///
    /// # Errors
    ///
    /// Fails when the resource contradicts itself, or the container is full.
    pub fn insert(&mut self, resource: Resource) -> Result<(), ResourceError> {
        resource.validate()?;
        if self.0.len() >= MAX_RESOURCES {
            return Err(ResourceError::TooMany { max: MAX_RESOURCES });
        }
        self.add_valid(resource);
        Ok(())
    }

    /// Returns whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns how many resources of different descriptions there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the resources, in order.
    pub fn iter(&self) -> slice::Iter<'_, Resource> {
        self.0.iter()
    }

    /// Returns the sum of all processors, whomever they are for.
    pub fn total_cpus(&self) -> Scalar {
        self.scalar(&ResourceName::CPUS)
    }

    /// Returns the sum of all memory, in MiB.
    pub fn total_mem_mib(&self) -> Scalar {
        self.scalar(&ResourceName::MEM)
    }

    /// Returns the sum of all disk, in MiB.
    pub fn total_disk_mib(&self) -> Scalar {
        self.scalar(&ResourceName::DISK)
    }

    /// Returns the sum of all graphics processors.
    pub fn total_gpus(&self) -> Scalar {
        self.scalar(&ResourceName::GPUS)
    }

    /// Returns all ports, whomever they are for.
    pub fn total_ports(&self) -> Ranges {
        let mut ports = Ranges::new();
        let named = self
            .0
            .iter()
            .filter(|resource| resource.name == ResourceName::PORTS);
        named
            .filter_map(|resource| resource.value.as_ranges())
            .for_each(|more| ports += more);
        ports
    }

    /// Returns the sum of the amounts of one name, in which copies of a shared volume count once.
    pub fn scalar(&self, name: &ResourceName) -> Scalar {
        let mut sum = Scalar::ZERO;
        for (i, resource) in self.0.iter().enumerate() {
            let copy = resource.shared && i > 0 && self.0[i - 1] == *resource;
            if resource.name == *name && !copy {
                sum += resource.value.as_scalar().unwrap_or_default();
            }
        }
        sum
    }

    /// Checks what single resources cannot tell.
    ///
    /// Meant for what a task, an executor or an operation names, not for what an agent has.
    ///
    /// # Errors
    ///
    /// Fails when one persistent volume is there twice, or resources of one name are revocable in
    /// part.
    pub fn validate(&self) -> Result<(), ResourceError> {
        if self.0.len() > MAX_RESOURCES {
            return Err(ResourceError::TooMany { max: MAX_RESOURCES });
        }
        for resource in &self.0 {
            resource.validate()?;
        }
        for pair in self.0.windows(2) {
            if pair[0].name == pair[1].name && pair[0].revocable != pair[1].revocable {
                return Err(ResourceError::MixedRevocable(pair[0].name.to_string()));
            }
        }
        let mut volumes: Vec<_> = self.0.iter().filter_map(volume_key).collect();
        volumes.sort_unstable();
        match volumes.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(ResourceError::DuplicateVolume(pair[0].1.to_owned())),
            None => Ok(()),
        }
    }

    /// Adds a resource known to be valid.
    pub(crate) fn with(mut self, resource: Resource) -> Self {
        self.add_valid(resource);
        self
    }

    /// Adds a resource known to be valid.
    pub(crate) fn add_valid(&mut self, resource: Resource) {
        if resource.value.is_empty() {
            return;
        }
        let found = self
            .0
            .binary_search_by(|ours| ours.compare_description(&resource));
        match found {
            Ok(i) if resource.is_divisible() => self.0[i].value.add(&resource.value),
            Ok(_) => {
                let i = self.0.partition_point(|ours| *ours < resource);
                self.0.insert(i, resource);
            }
            Err(i) => self.0.insert(i, resource),
        }
    }
}

/// What must be unique about a persistent volume: its role and its id. Copies of a shared one may
/// be several.
fn volume_key(resource: &Resource) -> Option<(Option<&str>, &str)> {
    let persistence = resource.disk.as_ref()?.persistence.as_ref()?;
    if resource.shared {
        return None;
    }
    let role = resource.reservation_role().map(|role| role.as_str());
    Some((role, &persistence.id))
}

impl TryFrom<Vec<Resource>> for Resources {
    type Error = ResourceError;

    fn try_from(resources: Vec<Resource>) -> Result<Self, ResourceError> {
        if resources.len() > MAX_RESOURCES {
            return Err(ResourceError::TooMany { max: MAX_RESOURCES });
        }
        for resource in &resources {
            resource.validate()?;
        }
        Ok(Self::from_valid(resources))
    }
}

impl Resources {
    /// Sorts and joins resources known to be valid.
    pub(crate) fn from_valid(mut resources: Vec<Resource>) -> Self {
        resources.retain(|resource| !resource.value.is_empty());
        if !resources.is_sorted() {
            resources.sort_unstable();
        }
        resources.dedup_by(|next, last| {
            let same = last.is_divisible() && last.compare_description(next).is_eq();
            if same {
                last.value.add(&next.value);
            }
            same
        });
        Self(resources)
    }
}

impl<'a> IntoIterator for &'a Resources {
    type Item = &'a Resource;
    type IntoIter = slice::Iter<'a, Resource>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl IntoIterator for Resources {
    type Item = Resource;
    type IntoIter = std::vec::IntoIter<Resource>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl fmt::Display for Resources {
    /// Prints `cpus:4; mem:1024`, or `{}` for nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("{}");
        }
        for (i, resource) in self.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { "; " };
            write!(f, "{separator}{resource}")?;
        }
        Ok(())
    }
}

impl Serialize for Resources {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Resources {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let resources = Vec::<Resource>::deserialize(deserializer)?;
        Self::try_from(resources).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DiskInfo, Persistence, Reservation, Role, Volume, VolumeMode};

    fn resources(text: &str) -> Resources {
        text.parse().unwrap()
    }

    fn volume(id: &str, shared: bool) -> Resource {
        let persistence = Some(Persistence {
            id: id.to_owned(),
            principal: None,
        });
        Resource {
            disk: Some(Box::new(DiskInfo {
                persistence,
                ..DiskInfo::default()
            })),
            reservations: vec![Reservation::dynamic(Role::new("db").unwrap(), None)],
            shared,
            ..Resource::scalar(ResourceName::DISK, Scalar::from_units(100))
        }
    }

    #[test]
    fn what_is_built_in_any_order_is_equal() {
        let a = Resources::new().cpus(0.1).mem_mib(32).ports(1..=9);
        let b = Resources::new()
            .ports(5..=9)
            .mem_mib(30)
            .cpus(0.1)
            .ports(1..=4)
            .mem_mib(2);
        assert_eq!(a, b);
        assert_eq!(a.to_string(), "cpus:0.1; mem:32; ports:[1-9]");
    }

    #[test]
    fn nothing_is_not_listed() {
        let nothing = Resources::new()
            .cpus(-1.0)
            .cpus(f64::NAN)
            .mem_mib(0)
            .ports(Ranges::new());
        assert!(nothing.is_empty());
        assert_eq!(nothing.to_string(), "{}");
    }

    #[test]
    fn totals_include_what_is_reserved() {
        let all = resources("cpus:1;cpus(a):2;mem:5;gpus:1;disk:7;ports:[1-2];ports(a):[9-9]");
        assert_eq!(all.total_cpus(), Scalar::from_units(3));
        assert_eq!(all.total_mem_mib(), Scalar::from_units(5));
        assert_eq!(all.total_disk_mib(), Scalar::from_units(7));
        assert_eq!(all.total_gpus(), Scalar::from_units(1));
        assert_eq!(all.total_ports().to_string(), "[1-2, 9-9]");
    }

    #[test]
    fn persistent_volumes_never_merge() {
        let mut volumes = Resources::new()
            .with(volume("a", false))
            .with(volume("b", false));
        volumes.insert(volume("a", false)).unwrap();
        assert_eq!(volumes.len(), 3);
        assert_eq!(
            volumes.validate(),
            Err(ResourceError::DuplicateVolume("a".into()))
        );
    }

    #[test]
    fn copies_of_a_shared_volume_are_counted_but_take_space_once() {
        let once = Resources::new().with(volume("a", true));
        let twice = &once + &once;
        assert_eq!(twice.len(), 2);
        assert_eq!(twice.total_disk_mib(), Scalar::from_units(100));
        assert!(twice.contains(&once));
        assert!(!once.contains(&twice));
        assert_eq!(&twice - &once, once);
        assert_eq!(twice.validate(), Ok(()));
    }

    #[test]
    fn resources_that_contradict_themselves_are_refused() {
        let mut bad = Vec::new();
        let ports = Value::Ranges((1..=2).into());
        bad.push(Resource::new(ResourceName::CPUS, ports));
        bad.push(Resource::scalar(ResourceName::PORTS, Scalar::from_units(1)));
        bad.push(Resource::scalar(
            ResourceName::GPUS,
            Scalar::from_thousandths(1),
        ));
        let cpus = Resource::scalar(ResourceName::CPUS, Scalar::from_units(1));
        bad.push(Resource {
            disk: Some(Box::default()),
            ..cpus.clone()
        });
        bad.push(Resource {
            shared: true,
            ..cpus.clone()
        });
        let reserved = |roles: &[&str]| Resource {
            reservations: roles
                .iter()
                .map(|role| Reservation::dynamic(Role::new(*role).unwrap(), None))
                .collect(),
            ..cpus.clone()
        };
        bad.push(reserved(&["*"]));
        bad.push(reserved(&["a", "b"]));
        bad.push(reserved(&["a", "a"]));
        bad.push(Resource {
            revocable: true,
            ..reserved(&["a"])
        });
        bad.push(Resource {
            provider: Some("x".repeat(5_000).into()),
            ..cpus.clone()
        });
        bad.push(volume("../b", false));
        let mut outside = volume("b", false);
        outside.disk.as_mut().unwrap().volume = Some(Volume {
            mode: VolumeMode::ReadOnly,
            container_path: "a/../../b".into(),
            host_path: None,
        });
        bad.push(outside);
        for resource in bad {
            assert!(
                Resources::new().insert(resource.clone()).is_err(),
                "{resource}"
            );
            let bytes = rmp_serde::to_vec_named(&vec![resource.clone()]).unwrap();
            assert!(
                rmp_serde::from_slice::<Resources>(&bytes).is_err(),
                "{resource}"
            );
        }
        assert!(Resources::new().insert(reserved(&["a", "a/b"])).is_ok());
    }

    #[test]
    fn resources_of_one_name_are_revocable_or_not() {
        let cpus = Resource::scalar(ResourceName::CPUS, Scalar::from_units(1));
        let mixed = Resources::new().cpus(1.0).with(Resource {
            revocable: true,
            ..cpus
        });
        assert_eq!(
            mixed.validate(),
            Err(ResourceError::MixedRevocable("cpus".into()))
        );
    }
}
