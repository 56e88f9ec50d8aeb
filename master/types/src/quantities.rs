//! Quantities: amounts by name, without whom they are for.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{AddAssign, SubAssign};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{ParseError, ResourceName, Resources, Scalar};

/// Amounts by name, where what is missing is zero.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(
    from = "BTreeMap<ResourceName, Scalar>",
    into = "BTreeMap<ResourceName, Scalar>"
)]
pub struct ResourceQuantities(Vec<(ResourceName, Scalar)>);

impl ResourceQuantities {
    /// Returns zero of everything.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds an amount.
    #[must_use]
    pub fn with(mut self, name: ResourceName, amount: Scalar) -> Self {
        self.add(&name, amount);
        self
    }

    /// Returns the amount of one name.
    pub fn get(&self, name: &ResourceName) -> Scalar {
        self.0
            .iter()
            .find(|(ours, _)| ours == name)
            .map_or(Scalar::ZERO, |(_, amount)| *amount)
    }

    /// Returns whether everything is zero.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the amounts that are not zero, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&ResourceName, Scalar)> {
        self.0.iter().map(|(name, amount)| (name, *amount))
    }

    /// Returns whether there is at least as much of everything as in `other`.
    pub fn contains(&self, other: &ResourceQuantities) -> bool {
        other
            .0
            .iter()
            .all(|(name, amount)| self.get(name) >= *amount)
    }

    /// Adds an amount of one name.
    pub fn add(&mut self, name: &ResourceName, amount: Scalar) {
        if amount.is_zero() {
            return;
        }
        match self.0.binary_search_by(|(ours, _)| ours.cmp(name)) {
            Ok(i) => self.0[i].1 += amount,
            Err(i) => self.0.insert(i, (name.clone(), amount)),
        }
    }

    /// Takes away an amount of one name, as far as it is there.
    pub fn subtract(&mut self, name: &ResourceName, amount: Scalar) {
        if let Ok(i) = self.0.binary_search_by(|(ours, _)| ours.cmp(name)) {
            self.0[i].1 -= amount;
            if self.0[i].1.is_zero() {
                self.0.remove(i);
            }
        }
    }
}

/// Calls `each` for every amount, in which copies of a shared volume count once.
fn amounts(resources: &Resources, mut each: impl FnMut(&ResourceName, Scalar)) {
    let list = &resources.0;
    for (i, resource) in list.iter().enumerate() {
        let copy = resource.shared && i > 0 && list[i - 1] == *resource;
        if let Some(amount) = resource.value.as_scalar().filter(|_| !copy) {
            each(&resource.name, amount);
        }
    }
}

impl From<&Resources> for ResourceQuantities {
    /// Sums up the amounts by name; ranges and sets are left out.
    fn from(resources: &Resources) -> Self {
        let mut quantities = Self::new();
        quantities += resources;
        quantities
    }
}

impl From<BTreeMap<ResourceName, Scalar>> for ResourceQuantities {
    fn from(map: BTreeMap<ResourceName, Scalar>) -> Self {
        Self(
            map.into_iter()
                .filter(|(_, amount)| !amount.is_zero())
                .collect(),
        )
    }
}

impl From<ResourceQuantities> for BTreeMap<ResourceName, Scalar> {
    fn from(quantities: ResourceQuantities) -> Self {
        quantities.0.into_iter().collect()
    }
}

impl AddAssign<&Resources> for ResourceQuantities {
    fn add_assign(&mut self, resources: &Resources) {
        amounts(resources, |name, amount| self.add(name, amount));
    }
}

impl SubAssign<&Resources> for ResourceQuantities {
    fn sub_assign(&mut self, resources: &Resources) {
        amounts(resources, |name, amount| self.subtract(name, amount));
    }
}

impl AddAssign<&ResourceQuantities> for ResourceQuantities {
    fn add_assign(&mut self, other: &ResourceQuantities) {
        other
            .0
            .iter()
            .for_each(|(name, amount)| self.add(name, *amount));
    }
}

impl SubAssign<&ResourceQuantities> for ResourceQuantities {
    fn sub_assign(&mut self, other: &ResourceQuantities) {
        other
            .0
            .iter()
            .for_each(|(name, amount)| self.subtract(name, *amount));
    }
}

impl fmt::Display for ResourceQuantities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("{}");
        }
        for (i, (name, amount)) in self.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { "; " };
            write!(f, "{separator}{name}:{amount}")?;
        }
        Ok(())
    }
}

impl FromStr for ResourceQuantities {
    type Err = ParseError;

    /// Reads `cpus:4;mem:1024`.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let resources: Resources = text.parse()?;
        match resources
            .iter()
            .find(|r| r.value.as_scalar().is_none() || !r.is_unreserved())
        {
            Some(resource) => Err(ParseError::expected("name:amount", &resource.to_string())),
            None => Ok(Self::from(&resources)),
        }
    }
}

/// Upper limits by name, where what is missing is unlimited.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResourceLimits(BTreeMap<ResourceName, Scalar>);

impl ResourceLimits {
    /// Returns no limits.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Sets a limit.
    #[must_use]
    pub fn with(mut self, name: ResourceName, limit: Scalar) -> Self {
        self.0.insert(name, limit);
        self
    }

    /// Returns the limit of one name, if it has one.
    pub fn get(&self, name: &ResourceName) -> Option<Scalar> {
        self.0.get(name).copied()
    }

    /// Returns whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the limits, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&ResourceName, Scalar)> {
        self.0.iter().map(|(name, limit)| (name, *limit))
    }

    /// Returns whether none of the amounts is above its limit.
    pub fn allow(&self, quantities: &ResourceQuantities) -> bool {
        self.0
            .iter()
            .all(|(name, limit)| quantities.get(name) <= *limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantities(text: &str) -> ResourceQuantities {
        text.parse().unwrap()
    }

    #[test]
    fn quantities_forget_whom_resources_are_for() {
        let resources: Resources = "cpus:1;cpus(a):2;mem:5;ports:[1-9]".parse().unwrap();
        assert_eq!(
            ResourceQuantities::from(&resources),
            quantities("cpus:3;mem:5")
        );
    }

    #[test]
    fn what_is_missing_is_zero_in_quantities_and_unlimited_in_limits() {
        assert!(quantities("cpus:3").contains(&quantities("cpus:3")));
        assert!(!quantities("cpus:3").contains(&quantities("mem:1")));
        let limits = ResourceLimits::new().with(ResourceName::CPUS, Scalar::from_units(2));
        assert!(limits.allow(&quantities("cpus:2;mem:1000")));
        assert!(!limits.allow(&quantities("cpus:2.1")));
    }

    #[test]
    fn quantities_add_and_subtract() {
        let mut sum = quantities("cpus:3;mem:5");
        sum += &quantities("disk:1;mem:5");
        assert_eq!(sum, quantities("cpus:3;mem:10;disk:1"));
        sum -= &quantities("cpus:3;mem:1;gpus:7");
        assert_eq!(sum, quantities("mem:9;disk:1"));
        assert!("ports:[1-2]".parse::<ResourceQuantities>().is_err());
    }
}
