//! Verbosity: how much a daemon says in its log, as operators turn it up for a while.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::DurationInfo;

/// Nobody searches for a fault longer than this: a year.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

type Turn = dyn Fn(Option<u32>) -> Result<(), String> + Send + Sync;

/// Turns the log of a program up, and back to how it was started.
#[derive(Clone)]
pub struct LogSwitch(Arc<Turn>);

impl fmt::Debug for LogSwitch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogSwitch")
    }
}

impl LogSwitch {
    /// Makes a switch of what takes a level, 0 for what operators want to know and the more the
    /// higher, or none for as it was at first.
    pub fn new(turn: impl Fn(Option<u32>) -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(turn))
    }

    /// Logs as much as this level says.
    ///
    /// # Errors
    ///
    /// Says why it cannot.
    pub fn set(&self, level: u32) -> Result<(), String> {
        (self.0)(Some(level))
    }

    /// Logs as much as at first.
    ///
    /// # Errors
    ///
    /// Says why it cannot.
    pub fn revert(&self) -> Result<(), String> {
        (self.0)(None)
    }
}

/// How long a level is to last.
///
/// # Errors
///
/// Fails when it is negative, or longer than a year.
pub fn lasting(said: DurationInfo) -> Result<Duration, String> {
    let lasting = Duration::try_from(said).map_err(|unfit| unfit.text)?;
    match lasting <= LONGEST {
        true => Ok(lasting),
        false => Err("is longer than a year".to_owned()),
    }
}
