//! What a need takes out of resources: how often it fits, which resources serve it.

use crate::{Ranges, Resource, ResourceName, Resources, Role, Scalar, Set, Value};

impl Resources {
    /// Returns how many times `need` fits in here, each time with the same reservations.
    ///
    /// Particular ports fit once. Nothing fits no times, so that a framework that forgets what it
    /// needs launches no tasks rather than tasks without end.
    pub fn count(&self, need: &Resources) -> u32 {
        if !self.contains(need) {
            return 0;
        }
        let fits = need.0.iter().map(|theirs| {
            let ours = self.amount_of(theirs);
            let amount = theirs.value.as_scalar().filter(|_| theirs.is_divisible());
            amount.map_or(1, |amount| ours.thousandths() / amount.thousandths().max(1))
        });
        fits.min().unwrap_or(0).min(u64::from(u32::MAX)) as u32
    }

    /// Takes the `count` least ports of one reservation out, or nothing when none has so many.
    ///
    /// Unreserved ports go first. The numbers are the [`Resources::total_ports`] of what comes
    /// back, which adds to what a task needs.
    pub fn take_ports(&mut self, count: u64) -> Option<Resources> {
        if count == 0 {
            return Some(Resources::new());
        }
        let named = self
            .0
            .iter_mut()
            .filter(|resource| resource.name == ResourceName::PORTS);
        for resource in named {
            let Value::Ranges(ports) = &mut resource.value else {
                continue;
            };
            let Some(taken) = ports.take(count) else {
                continue;
            };
            let taken = Resource {
                value: Value::Ranges(taken),
                ..resource.clone()
            };
            self.0.retain(|resource| !resource.value.is_empty());
            return Some(Resources(vec![taken]));
        }
        None
    }

    /// Finds what `need` asks for by name and amount, for use by `role`.
    ///
    /// What `need` has just so is taken first, then what is reserved to the role, then what is for
    /// everybody, then what is reserved above. Persistent and shared things, whole devices and
    /// revocable resources are found only when asked for just so.
    pub fn find(&self, need: &Resources, role: &Role) -> Option<Resources> {
        let (mut pool, mut found) = (self.clone(), Resources::new());
        for wanted in &need.0 {
            let mut left = wanted.clone();
            let exact = Resources(vec![wanted.clone()]);
            if pool.contains(&exact) {
                pool -= &exact;
                found += &exact;
                continue;
            }
            let reserved = |r: &Resource| r.reservation_role() == Some(role);
            let above = |r: &Resource| !reserved(r) && !r.is_unreserved();
            let passes: [&dyn Fn(&Resource) -> bool; 3] =
                [&reserved, &Resource::is_unreserved, &above];
            for pass in passes {
                let fits = |r: &&Resource| {
                    let plain = r.disk.is_none() && !r.revocable && !r.shared;
                    plain && r.name == wanted.name && r.is_allocatable_to(role) && pass(r)
                };
                let mut taken = Vec::new();
                for candidate in pool.0.iter().filter(fits) {
                    taken.extend(take(candidate, &mut left.value));
                }
                let taken = Resources::from_valid(taken);
                pool -= &taken;
                found += &taken;
            }
            if !left.value.is_empty() {
                return None;
            }
        }
        Some(found)
    }

    fn amount_of(&self, theirs: &Resource) -> Scalar {
        let found = self
            .0
            .binary_search_by(|ours| ours.compare_description(theirs));
        found
            .ok()
            .and_then(|i| self.0[i].value.as_scalar())
            .unwrap_or_default()
    }
}

/// Takes from `candidate` what is still `left` to find.
fn take(candidate: &Resource, left: &mut Value) -> Option<Resource> {
    let value = match (&candidate.value, &*left) {
        (Value::Scalar(have), Value::Scalar(want)) => Value::Scalar(Scalar::min(*have, *want)),
        (Value::Ranges(have), Value::Ranges(want)) => Value::Ranges(Ranges::intersect(have, want)),
        (Value::Set(have), Value::Set(want)) => Value::Set(Set::intersect(have, want)),
        (Value::Scalar(_) | Value::Ranges(_) | Value::Set(_), _) => return None,
    };
    left.subtract(&value);
    Some(Resource {
        value,
        ..candidate.clone()
    })
    .filter(|taken| !taken.value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resources(text: &str) -> Resources {
        text.parse().unwrap()
    }

    #[test]
    fn need_fits_as_often_as_its_scarcest_part() {
        let offer = Resources::new().cpus(4.0).mem_mib(1000).ports(1..=10);
        let count = |need: Resources| offer.count(&need);
        assert_eq!(count(Resources::new().cpus(0.1).mem_mib(32)), 31);
        assert_eq!(count(Resources::new().cpus(0.1)), 40);
        assert_eq!(count(Resources::new().cpus(5.0)), 0);
        assert_eq!(count(Resources::new().gpus(1)), 0);
        assert_eq!(count(Resources::new().cpus(1.0).ports(3..=3)), 1);
        assert_eq!(count(Resources::new()), 0);
        assert_eq!(offer.count(&resources("cpus(a):1")), 0);
    }

    #[test]
    fn ports_are_taken_from_the_least_up() {
        let mut offer = resources("cpus:1;ports:[31000-31003];ports(a):[5-9]");
        assert_eq!(offer.take_ports(3), Some(resources("ports:[31000-31002]")));
        assert_eq!(offer.take_ports(2), Some(resources("ports(a):[5-6]")));
        assert_eq!(offer.take_ports(1), Some(resources("ports:[31003-31003]")));
        assert_eq!(offer.take_ports(4), None);
        assert_eq!(offer, resources("cpus:1;ports(a):[7-9]"));
        assert_eq!(offer.take_ports(0), Some(Resources::new()));
    }

    #[test]
    fn reserved_resources_are_found_before_unreserved_ones() {
        let pool = resources("cpus:4;cpus(a):2;mem:100;ports(a):[1-5];ports:[6-9]");
        let need = resources("cpus:3;ports:[4-7]");
        assert_eq!(pool.find(&need, &Role::new("b").unwrap()), None);
        let words = resources("disks:{a};disks(a):{d}");
        assert_eq!(
            words.find(&resources("disks:{a,d}"), &Role::new("a").unwrap()),
            Some(words)
        );
        let need = resources("cpus:5;mem:10;ports:[4-7]");
        let found = pool.find(&need, &Role::new("a").unwrap()).unwrap();
        assert_eq!(
            found,
            resources("cpus(a):2;cpus:3;mem:10;ports(a):[4-5];ports:[6-7]")
        );
        assert_eq!(
            pool.find(&resources("cpus:7"), &Role::new("a").unwrap()),
            None
        );
    }
}
