//! Where to run tasks: constraints that must hold, and preferences among what is left. Pure.
//!
//! ```
//! use sdk::placement::{Constraint, Fleet, Preference};
//! use sdk::testing::offer;
//! use types::Resources;
//!
//! let need = Resources::new().cpus(1.0);
//! let offers = [offer("agent-1", need.clone()), offer("agent-2", need.clone())];
//! let constraints: Vec<Constraint> = vec!["hostname:LIKE:local.*".parse()?];
//! let mut fleet = Fleet::default();
//! let chosen = fleet.place(&offers, &need, &constraints, Preference::Spread).expect("there is room");
//! fleet.add("task-1", &offers[chosen]); // so that the next one is spread
//! # Ok::<(), sdk::placement::BadConstraint>(())
//! ```

mod constraint;
mod fleet;
#[cfg(test)]
mod properties;

pub use constraint::{BadConstraint, Constraint, Operator};
pub use fleet::{Fleet, Preference, Unplaced};
