//! Reservations: resources that are for one role only.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Labels, Role};

/// Who made a reservation, and how it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ReservationKind {
    /// By a flag of the agent; it ends with another flag.
    Static,
    /// By an operation; it ends with another operation.
    Dynamic,
}

/// Makes resources visible to a role, and to the roles below it, only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Reservation {
    /// By flag or by operation.
    pub kind: ReservationKind,
    /// The role the resources are for; never `*`.
    pub role: Role,
    /// Who made the reservation, if known.
    pub principal: Option<String>,
    /// What its maker wanted to remember.
    pub labels: Labels,
}

impl Reservation {
    /// Returns a reservation by flag.
    pub fn fixed(role: Role) -> Self {
        Self {
            kind: ReservationKind::Static,
            role,
            principal: None,
            labels: Labels::new(),
        }
    }

    /// Returns a reservation by operation.
    pub fn dynamic(role: Role, principal: Option<String>) -> Self {
        Self {
            kind: ReservationKind::Dynamic,
            role,
            principal,
            labels: Labels::new(),
        }
    }
}

impl fmt::Display for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ReservationKind::Static => "STATIC",
            ReservationKind::Dynamic => "DYNAMIC",
        };
        write!(f, "({kind},{}", self.role)?;
        if let Some(principal) = &self.principal {
            write!(f, ",{principal}")?;
        }
        if !self.labels.is_empty() {
            f.write_str(",{")?;
            for (i, label) in self.labels.iter().enumerate() {
                let comma = if i == 0 { "" } else { ", " };
                write!(f, "{comma}{}", label.key)?;
                if let Some(value) = &label.value {
                    write!(f, ": {value}")?;
                }
            }
            f.write_str("}")?;
        }
        f.write_str(")")
    }
}
