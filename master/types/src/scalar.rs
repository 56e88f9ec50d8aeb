//! Scalars: amounts in thousandths, so that a tenth and two tenths are three tenths.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ParseError;

/// The greatest amount, in whole units: far beyond any cluster, far from overflow.
pub const MAX_SCALAR_UNITS: i64 = 1_000_000_000_000;

/// Thousandths in a unit.
const THOUSANDTHS: i64 = 1_000;

/// Parsing reads no more than this.
const MAX_TEXT_BYTES: usize = 64;

/// An amount of something, at least zero, counted in thousandths.
///
/// Sums stop at [`Scalar::MAX`] and differences at zero, so a total is never wrong by a wrap.
/// On the wire it is the number of thousandths.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "i64", into = "i64")]
pub struct Scalar(i64);

impl Scalar {
    /// Nothing.
    pub const ZERO: Scalar = Scalar(0);
    /// The greatest amount.
    pub const MAX: Scalar = Scalar(MAX_SCALAR_UNITS * THOUSANDTHS);

    /// Takes whole units, at most [`Scalar::MAX`].
    pub const fn from_units(units: u64) -> Self {
        if units > MAX_SCALAR_UNITS as u64 {
            return Self::MAX;
        }
        Self(units as i64 * THOUSANDTHS)
    }

    /// Takes thousandths, at most [`Scalar::MAX`].
    pub const fn from_thousandths(thousandths: u64) -> Self {
        if thousandths > Self::MAX.0 as u64 {
            return Self::MAX;
        }
        Self(thousandths as i64)
    }

    /// Takes a number, rounded to the nearest thousandth.
    ///
    /// # Errors
    ///
    /// Fails when the number is negative, not finite or above [`MAX_SCALAR_UNITS`].
    pub fn from_f64(number: f64) -> Result<Self, ParseError> {
        if !(0.0..=MAX_SCALAR_UNITS as f64).contains(&number) {
            return Err(ParseError::OutOfRange(number.to_string()));
        }
        Ok(Self((number * THOUSANDTHS as f64).round() as i64))
    }

    /// Takes a number, where what is not a number or negative counts as zero and what is too
    /// great as [`Scalar::MAX`].
    pub fn from_f64_clamped(number: f64) -> Self {
        // A cast from NaN gives zero.
        let thousandths = (number * THOUSANDTHS as f64).round() as i64;
        Self(thousandths.clamp(0, Self::MAX.0))
    }

    /// Returns the number of thousandths.
    pub const fn thousandths(self) -> u64 {
        self.0 as u64
    }

    /// Returns the whole units, without the rest.
    pub const fn units(self) -> u64 {
        (self.0 / THOUSANDTHS) as u64
    }

    /// Returns the number, for reports.
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / THOUSANDTHS as f64
    }

    /// Returns whether this is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Returns whether there is no rest below a unit.
    pub const fn is_whole(self) -> bool {
        self.0 % THOUSANDTHS == 0
    }

    /// Returns the sum, or nothing when it is above [`Scalar::MAX`].
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let sum = self.0 + other.0;
        (sum <= Self::MAX.0).then_some(Self(sum))
    }

    /// Returns the difference, or nothing when `other` is the greater.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        (other <= self).then(|| Self(self.0 - other.0))
    }

    /// Returns this amount so many times, at most [`Scalar::MAX`].
    pub fn times(self, count: u64) -> Self {
        Self::from_thousandths(self.thousandths().saturating_mul(count))
    }
}

impl Add for Scalar {
    type Output = Scalar;

    fn add(self, other: Self) -> Self {
        Self((self.0 + other.0).min(Self::MAX.0))
    }
}

impl Sub for Scalar {
    type Output = Scalar;

    fn sub(self, other: Self) -> Self {
        Self((self.0 - other.0).max(0))
    }
}

impl AddAssign for Scalar {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Scalar {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Sum for Scalar {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl TryFrom<i64> for Scalar {
    type Error = ParseError;

    fn try_from(thousandths: i64) -> Result<Self, ParseError> {
        if !(0..=Self::MAX.0).contains(&thousandths) {
            return Err(ParseError::OutOfRange(format!("{thousandths}/1000")));
        }
        Ok(Self(thousandths))
    }
}

impl From<Scalar> for i64 {
    fn from(scalar: Scalar) -> i64 {
        scalar.0
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (units, rest) = (self.0 / THOUSANDTHS, self.0 % THOUSANDTHS);
        if rest == 0 {
            return write!(f, "{units}");
        }
        let digits = format!("{rest:03}");
        write!(f, "{units}.{}", digits.trim_end_matches('0'))
    }
}

impl FromStr for Scalar {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        ParseError::limit(text, MAX_TEXT_BYTES)?;
        let number: f64 = text
            .parse()
            .map_err(|_| ParseError::expected("a number", text))?;
        Self::from_f64(number)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scalar(number: f64) -> Scalar {
        Scalar::from_f64(number).unwrap()
    }

    #[test]
    fn a_tenth_and_two_tenths_are_three_tenths() {
        assert_eq!(scalar(0.1) + scalar(0.2), scalar(0.3));
        assert_eq!(scalar(0.3) - scalar(0.2), scalar(0.1));
    }

    #[test]
    fn digits_beyond_the_third_are_rounded() {
        assert_eq!(scalar(0.0004), Scalar::ZERO);
        assert_eq!(scalar(0.0005).thousandths(), 1);
        assert_eq!(scalar(1.9999), scalar(2.0));
    }

    #[test]
    fn numbers_that_count_nothing_are_refused_or_clamped() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.001, 1e13] {
            assert!(Scalar::from_f64(bad).is_err(), "{bad}");
        }
        assert_eq!(Scalar::from_f64_clamped(f64::NAN), Scalar::ZERO);
        assert_eq!(Scalar::from_f64_clamped(-3.0), Scalar::ZERO);
        assert_eq!(Scalar::from_f64_clamped(1e300), Scalar::MAX);
        assert!("-1".parse::<Scalar>().is_err());
        assert!("nan".parse::<Scalar>().is_err());
        assert!(serde_json::from_str::<Scalar>("-1").is_err());
    }

    #[test]
    fn a_scalar_prints_without_needless_digits() {
        assert_eq!(scalar(4.0).to_string(), "4");
        assert_eq!(scalar(0.1).to_string(), "0.1");
        assert_eq!(scalar(0.025).to_string(), "0.025");
        assert_eq!(scalar(10.5).to_string(), "10.5");
    }

    #[test]
    fn sums_and_differences_stop_at_the_ends() {
        assert_eq!(Scalar::MAX + Scalar::MAX, Scalar::MAX);
        assert_eq!(scalar(1.0) - scalar(2.0), Scalar::ZERO);
        assert_eq!(Scalar::MAX.checked_add(scalar(1.0)), None);
        assert_eq!(scalar(1.0).checked_sub(scalar(2.0)), None);
        assert_eq!(Scalar::MAX.times(u64::MAX), Scalar::MAX);
    }

    proptest! {
        #[test]
        fn the_text_of_a_scalar_reads_as_the_scalar(thousandths in 0u64..=1_000_000_000_000) {
            let scalar = Scalar::from_thousandths(thousandths);
            prop_assert_eq!(scalar.to_string().parse::<Scalar>().unwrap(), scalar);
        }

        #[test]
        fn scalars_add_exactly(a in 0u64..1_000_000_000_000, b in 0u64..1_000_000_000_000) {
            let (x, y) = (Scalar::from_thousandths(a), Scalar::from_thousandths(b));
            prop_assert_eq!((x + y).thousandths(), a + b);
            prop_assert_eq!(x + y - y, x);
        }
    }
}
