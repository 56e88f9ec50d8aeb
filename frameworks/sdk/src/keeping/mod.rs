//! What a framework keeps: variables that are stored before anything that depends on them leaves.
//!
//! ```text
//! a turn: stores A, launches T, acknowledges U     held until A is kept: T, U
//! the next turn: stores B, answers V               held behind them: V
//! ```
//! Stores of turns that come while a commit is under way go together into the next one, so what
//! the disk takes for one turn it takes for a hundred. Nothing leaves out of order.

mod keeper;
mod place;
mod restore;
mod shell;

pub(crate) use keeper::Keeper;
pub use place::{BadPlace, KeptIn};
pub use restore::Kept;
pub use restore::RestoreError;
pub(crate) use restore::{Restored, restore};
pub(crate) use shell::{Effect, Keeping};

/// The variable that fences out whoever ran before: each start gives it another value, and every
/// commit demands that it has not changed since.
const LIFE: &str = "life";
/// The variable that holds the id the master gave.
const FRAMEWORK_ID: &str = "framework-id";
/// Opens the names of the author's variables.
const OF_AUTHOR: &str = "kept/";

/// The name of an author's variable in the state.
fn of_author(name: &str) -> String {
    format!("{OF_AUTHOR}{name}")
}
