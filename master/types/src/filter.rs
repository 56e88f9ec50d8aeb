//! Parts of resources: by reservation and by mark.

use std::collections::BTreeMap;

use crate::{Reservation, Resource, ResourceError, Resources, Role};

impl Resources {
    /// Returns the resources for which `keep` holds.
    pub fn filter(&self, keep: impl Fn(&Resource) -> bool) -> Resources {
        Resources(
            self.0
                .iter()
                .filter(|resource| keep(resource))
                .cloned()
                .collect(),
        )
    }

    /// Returns what is for everybody.
    pub fn unreserved(&self) -> Resources {
        self.filter(Resource::is_unreserved)
    }

    /// Returns what is for somebody, and whom.
    pub fn reservations(&self) -> BTreeMap<Role, Resources> {
        let mut by_role: BTreeMap<Role, Resources> = BTreeMap::new();
        for resource in &self.0 {
            if let Some(role) = resource.reservation_role() {
                by_role
                    .entry(role.clone())
                    .or_default()
                    .0
                    .push(resource.clone());
            }
        }
        by_role
    }

    /// Returns what is for exactly this role.
    pub fn reserved_to(&self, role: &Role) -> Resources {
        self.filter(|resource| resource.reservation_role() == Some(role))
    }

    /// Returns what is for this role or for one below it.
    pub fn reserved_within(&self, role: &Role) -> Resources {
        self.filter(|resource| {
            resource
                .reservation_role()
                .is_some_and(|r| r.is_within(role))
        })
    }

    /// Returns what may be given to this role: what is for everybody, for it, or for one above it.
    pub fn allocatable_to(&self, role: &Role) -> Resources {
        self.filter(|resource| resource.is_allocatable_to(role))
    }

    /// Returns what an operation reserved.
    pub fn dynamically_reserved(&self) -> Resources {
        self.filter(Resource::is_dynamically_reserved)
    }

    /// Returns what may be taken away at any time.
    pub fn revocable(&self) -> Resources {
        self.filter(|resource| resource.revocable)
    }

    /// Returns what may not be taken away.
    pub fn non_revocable(&self) -> Resources {
        self.filter(|resource| !resource.revocable)
    }

    /// Returns what several tasks may use at once.
    pub fn shared(&self) -> Resources {
        self.filter(|resource| resource.shared)
    }

    /// Returns what one task at a time may use.
    pub fn non_shared(&self) -> Resources {
        self.filter(|resource| !resource.shared)
    }

    /// Returns what outlives its task.
    pub fn persistent_volumes(&self) -> Resources {
        self.filter(Resource::is_persistent_volume)
    }

    /// Returns what is an amount.
    pub fn scalars(&self) -> Resources {
        self.filter(|resource| resource.value.as_scalar().is_some())
    }

    /// Returns all resources with one more reservation.
    ///
    /// # Errors
    ///
    /// Fails when the reservation is to `*`, or does not refine the last one.
    pub fn push_reservation(&self, reservation: &Reservation) -> Result<Resources, ResourceError> {
        let push = |resource: &Resource| {
            let mut resource = resource.clone();
            resource.reservations.push(reservation.clone());
            resource
        };
        Resources::try_from(self.0.iter().map(push).collect::<Vec<_>>())
    }

    /// Returns all resources without their last reservation.
    pub fn pop_reservation(&self) -> Resources {
        let pop = |resource: &Resource| {
            let mut resource = resource.clone();
            resource.reservations.pop();
            resource
        };
        Resources::from_valid(self.0.iter().map(pop).collect())
    }

    /// Returns all resources as if they were for everybody.
    pub fn without_reservations(&self) -> Resources {
        let strip = |resource: &Resource| {
            let reservations = Vec::new();
            Resource {
                reservations,
                ..resource.clone()
            }
        };
        Resources::from_valid(self.0.iter().map(strip).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resources(text: &str) -> Resources {
        text.parse().unwrap()
    }

    fn role(text: &str) -> Role {
        Role::new(text).unwrap()
    }

    #[test]
    fn a_role_gets_its_own_and_its_ancestors_reservations() {
        let all = resources("cpus:1;cpus(a):2;cpus(a/b):4;cpus(c):8");
        assert_eq!(
            all.allocatable_to(&role("a")),
            resources("cpus:1;cpus(a):2")
        );
        assert_eq!(
            all.allocatable_to(&role("a/b")),
            resources("cpus:1;cpus(a):2;cpus(a/b):4")
        );
        assert_eq!(all.allocatable_to(&role("d")), resources("cpus:1"));
        assert_eq!(all.allocatable_to(&Role::any()), resources("cpus:1"));
        assert_eq!(all.unreserved(), resources("cpus:1"));
        assert_eq!(all.reserved_to(&role("a")), resources("cpus(a):2"));
        assert_eq!(
            all.reserved_within(&role("a")),
            resources("cpus(a):2;cpus(a/b):4")
        );
        assert_eq!(all.reservations().len(), 3);
        assert_eq!(all.reservations()[&role("c")], resources("cpus(c):8"));
    }

    #[test]
    fn a_reservation_is_pushed_and_popped() {
        let plain = resources("cpus:1;ports:[1-5]");
        let reservation = Reservation::dynamic(role("a"), Some("ops".into()));
        let reserved = plain.push_reservation(&reservation).unwrap();
        assert_eq!(reserved.dynamically_reserved(), reserved);
        assert_eq!(reserved.pop_reservation(), plain);
        assert!(reserved.push_reservation(&reservation).is_err());
        let refined = Reservation::dynamic(role("a/b"), None);
        assert!(reserved.push_reservation(&refined).is_ok());
        assert_eq!(
            resources("cpus(a):1;cpus:1").without_reservations(),
            resources("cpus:2")
        );
    }
}
