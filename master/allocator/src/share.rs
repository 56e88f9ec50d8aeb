//! Shares: how much of the cluster somebody has, as an integer that orders the same everywhere.

use types::{ResourceName, ResourceQuantities, Resources, Scalar};

use crate::Error;

/// A share is counted in so many parts of the whole. Fine enough that a tenth of a processor among
/// a million changes it, and coarse enough that a hundred wholes fit.
const PARTS: u128 = 1_000_000_000_000;

/// Parts of a share in a millionth.
const PARTS_PER_MILLIONTH: u64 = 1_000_000;

/// The greatest weight, in units.
const MAX_WEIGHT: f64 = 1_000_000.0;

/// How much a role or a framework counts beside others, in thousandths; one by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Weight(u64);

impl Weight {
    /// The weight of whoever was given none.
    pub const ONE: Weight = Weight(1_000);

    /// Takes a number, rounded to thousandths.
    ///
    /// # Errors
    ///
    /// Fails when the number is not between a thousandth and a million.
    pub fn from_f64(number: f64) -> Result<Self, Error> {
        if !(0.001..=MAX_WEIGHT).contains(&number) {
            return Err(Error::Weight(number.to_string()));
        }
        Ok(Self((number * 1_000.0).round() as u64))
    }

    /// Returns the number of thousandths.
    pub fn thousandths(self) -> u64 {
        self.0
    }
}

impl Default for Weight {
    fn default() -> Self {
        Self::ONE
    }
}

/// A dominant share: the greatest part somebody has of any resource, divided by its weight.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Share(u64);

impl Share {
    pub(crate) fn ppm(self) -> u64 {
        self.0 / PARTS_PER_MILLIONTH
    }
}

/// What there is in the cluster, of which shares are parts.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    quantities: ResourceQuantities,
    excluded: Vec<ResourceName>,
}

impl Totals {
    pub(crate) fn new(excluded: Vec<ResourceName>) -> Self {
        Self {
            quantities: ResourceQuantities::new(),
            excluded,
        }
    }

    pub(crate) fn quantities(&self) -> &ResourceQuantities {
        &self.quantities
    }

    pub(crate) fn add(&mut self, resources: &Resources) {
        add(&mut self.quantities, resources);
    }

    pub(crate) fn subtract(&mut self, resources: &Resources) {
        subtract(&mut self.quantities, resources);
    }

    /// Returns the greatest part of any resource that `allocated` is, divided by `weight`.
    pub(crate) fn dominant_share(&self, allocated: &ResourceQuantities, weight: Weight) -> Share {
        let counted = allocated
            .iter()
            .filter(|(name, _)| !self.excluded.contains(name));
        let parts = counted.map(|(name, amount)| {
            let total = self.quantities.get(name);
            part(amount, total, weight)
        });
        Share(parts.max().unwrap_or_default())
    }
}

/// Of what there is none, nobody has a part.
fn part(amount: Scalar, total: Scalar, weight: Weight) -> u64 {
    if total.is_zero() {
        return 0;
    }
    // At most 10^15 · 10^12 · 10^3, which is below 2^128.
    let amount = u128::from(amount.thousandths()) * PARTS * u128::from(Weight::ONE.0);
    let whole = u128::from(total.thousandths()) * u128::from(weight.0);
    u64::try_from(amount / whole).unwrap_or(u64::MAX)
}

/// Adds the amounts that count in shares and totals. Shared volumes are nobody's, so they do not.
pub(crate) fn add(quantities: &mut ResourceQuantities, resources: &Resources) {
    for resource in resources.iter().filter(|resource| !resource.shared) {
        if let Some(amount) = resource.value.as_scalar() {
            quantities.add(&resource.name, amount);
        }
    }
}

/// Takes away what [`add`] adds.
pub(crate) fn subtract(quantities: &mut ResourceQuantities, resources: &Resources) {
    for resource in resources.iter().filter(|resource| !resource.shared) {
        if let Some(amount) = resource.value.as_scalar() {
            quantities.subtract(&resource.name, amount);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share_ppm(allocated: &str, total: &str, weight: f64) -> u64 {
        let mut totals = Totals::new(vec![ResourceName::GPUS]);
        totals.add(&total.parse().unwrap());
        let weight = Weight::from_f64(weight).unwrap();
        totals
            .dominant_share(&allocated.parse().unwrap(), weight)
            .ppm()
    }

    #[test]
    fn the_dominant_share_is_the_greatest_part() {
        assert_eq!(share_ppm("cpus:1;mem:50", "cpus:10;mem:100", 1.0), 500_000);
        assert_eq!(share_ppm("cpus:1;mem:50", "cpus:1;mem:100", 1.0), 1_000_000);
        assert_eq!(share_ppm("{}", "cpus:1", 1.0), 0);
    }

    #[test]
    fn a_weight_divides_the_share() {
        assert_eq!(share_ppm("cpus:1", "cpus:10", 2.0), 50_000);
        assert_eq!(share_ppm("cpus:1", "cpus:10", 0.5), 200_000);
    }

    #[test]
    fn what_is_excluded_or_not_there_has_no_share() {
        assert_eq!(share_ppm("gpus:1", "gpus:1", 1.0), 0);
        assert_eq!(share_ppm("cpus:1", "mem:1", 1.0), 0);
    }

    #[test]
    fn a_weight_is_a_positive_number() {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e7] {
            assert!(Weight::from_f64(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_greatest_amounts_do_not_overflow() {
        assert_eq!(
            part(Scalar::MAX, Scalar::from_thousandths(1), Weight(1)),
            u64::MAX
        );
        assert_eq!(
            part(Scalar::MAX, Scalar::MAX, Weight::ONE),
            1_000_000_000_000
        );
    }
}
