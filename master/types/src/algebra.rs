//! The algebra of resources: sums, differences, and what contains what.

use std::ops::{Add, AddAssign, Sub, SubAssign};

use crate::{Resource, Resources};

impl Resources {
    /// Returns whether all of `other` is here, with the same reservations and marks.
    pub fn contains(&self, other: &Resources) -> bool {
        let (ours, mut i) = (&self.0, 0);
        for theirs in &other.0 {
            if theirs.is_divisible() {
                i = skip_until(ours, i, |resource| {
                    resource.compare_description(theirs).is_ge()
                });
                let Some(resource) = ours.get(i) else {
                    return false;
                };
                let same = resource.compare_description(theirs).is_eq();
                if !same || !resource.value.contains(&theirs.value) {
                    return false;
                }
            } else {
                i = skip_until(ours, i, |resource| resource >= theirs);
                if ours.get(i) != Some(theirs) {
                    return false;
                }
                i += 1; // every copy of theirs needs one of ours
            }
        }
        true
    }

    /// Returns the difference, or nothing when `other` is not contained.
    pub fn checked_sub(&self, other: &Resources) -> Option<Resources> {
        self.contains(other).then(|| self - other)
    }
}

/// Returns the first index from `from` on at which `reached` holds. Linear, because containers are
/// short and both sides are walked once.
fn skip_until(list: &[Resource], from: usize, reached: impl Fn(&Resource) -> bool) -> usize {
    list[from..]
        .iter()
        .position(reached)
        .map_or(list.len(), |offset| from + offset)
}

impl AddAssign<&Resources> for Resources {
    fn add_assign(&mut self, other: &Resources) {
        if self.0.is_empty() {
            self.0.clone_from(&other.0);
            return;
        }
        let (mut i, mut others) = (0, Vec::new());
        for theirs in &other.0 {
            if theirs.is_divisible() {
                i = skip_until(&self.0, i, |ours| ours.compare_description(theirs).is_ge());
                let same = self
                    .0
                    .get_mut(i)
                    .filter(|ours| ours.compare_description(theirs).is_eq());
                if let Some(ours) = same {
                    ours.value.add(&theirs.value);
                    continue;
                }
            }
            others.push(theirs.clone());
        }
        if !others.is_empty() {
            self.0.append(&mut others);
            self.0.sort(); // two sorted runs: a merge
        }
    }
}

impl AddAssign for Resources {
    fn add_assign(&mut self, other: Resources) {
        if self.0.is_empty() {
            *self = other;
        } else {
            *self += &other;
        }
    }
}

impl SubAssign<&Resources> for Resources {
    /// Takes away what is there; what is not is left aside.
    fn sub_assign(&mut self, other: &Resources) {
        if *self == *other {
            self.0.clear();
            return;
        }
        let (mut i, mut removed) = (0, Vec::new());
        for theirs in &other.0 {
            if theirs.is_divisible() {
                i = skip_until(&self.0, i, |ours| ours.compare_description(theirs).is_ge());
                let same = self
                    .0
                    .get_mut(i)
                    .filter(|ours| ours.compare_description(theirs).is_eq());
                if let Some(ours) = same {
                    ours.value.subtract(&theirs.value);
                }
            } else {
                i = skip_until(&self.0, i, |ours| ours >= theirs);
                if self.0.get(i) == Some(theirs) {
                    removed.push(i);
                    i += 1;
                }
            }
        }
        let (mut index, mut removed) = (0, removed.into_iter().peekable());
        self.0.retain(|resource| {
            let gone = removed.next_if_eq(&index).is_some();
            index += 1;
            !gone && !resource.value.is_empty()
        });
    }
}

impl SubAssign for Resources {
    fn sub_assign(&mut self, other: Resources) {
        *self -= &other;
    }
}

impl Add<&Resources> for Resources {
    type Output = Resources;

    fn add(mut self, other: &Resources) -> Resources {
        self += other;
        self
    }
}

impl Add for Resources {
    type Output = Resources;

    fn add(mut self, other: Resources) -> Resources {
        self += other;
        self
    }
}

impl Add<&Resources> for &Resources {
    type Output = Resources;

    fn add(self, other: &Resources) -> Resources {
        self.clone() + other
    }
}

impl Sub<&Resources> for Resources {
    type Output = Resources;

    fn sub(mut self, other: &Resources) -> Resources {
        self -= other;
        self
    }
}

impl Sub for Resources {
    type Output = Resources;

    fn sub(mut self, other: Resources) -> Resources {
        self -= &other;
        self
    }
}

impl Sub<&Resources> for &Resources {
    type Output = Resources;

    fn sub(self, other: &Resources) -> Resources {
        self.clone() - other
    }
}

impl std::iter::Sum for Resources {
    fn sum<I: Iterator<Item = Resources>>(all: I) -> Resources {
        all.fold(Resources::new(), |sum, one| sum + one)
    }
}

impl<'a> std::iter::Sum<&'a Resources> for Resources {
    fn sum<I: Iterator<Item = &'a Resources>>(all: I) -> Resources {
        all.fold(Resources::new(), |sum, one| sum + one)
    }
}
