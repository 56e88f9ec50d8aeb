//! Verbosity: how much a daemon says in its log, as operators turn it up for a while.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use thiserror::Error;

use super::DurationInfo;

/// Nobody searches for a fault longer than this: a year.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Turns the log of a program up, and back to how it was started.
#[derive(Clone)]
pub struct LogSwitch(Arc<Inner>);

struct Inner {
    turn: Box<dyn Fn(Option<u32>) -> Result<(), String> + Send + Sync>,
    /// How often it was turned up: the end of an earlier time is void.
    times: AtomicU64,
}

impl fmt::Debug for LogSwitch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogSwitch")
    }
}

/// Why a log is not turned up.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LogFault {
    /// For how long makes no sense; in words that follow the name of the field.
    #[error("{0}")]
    Lasting(String),
    /// It is as it was started.
    #[error("the log cannot be turned up")]
    Fixed,
    /// It could not be done.
    #[error("{0}")]
    Failed(String),
}

/// A log that was turned up, for some time.
#[derive(Debug)]
#[must_use = "call `end` when the time is over"]
pub struct TurnedUp {
    log: LogSwitch,
    time: u64,
    lasting: Duration,
}

impl LogSwitch {
    /// Makes a switch of what takes a level, 0 for what operators want to know and the more the
    /// higher, or none for as it was at first.
    pub fn new(turn: impl Fn(Option<u32>) -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner {
            turn: Box::new(turn),
            times: AtomicU64::new(0),
        }))
    }

    /// Carries out `SET_LOGGING_LEVEL`: logs as much as `level` says, for as long as is `said`.
    ///
    /// # Errors
    ///
    /// When there is no switch, when the time is negative or longer than a year, or when it cannot
    /// be done.
    pub fn turn_up(
        log: Option<&LogSwitch>,
        level: u32,
        said: DurationInfo,
    ) -> Result<TurnedUp, LogFault> {
        let lasting = lasting(said).map_err(LogFault::Lasting)?;
        let log = log.ok_or(LogFault::Fixed)?.clone();
        (log.0.turn)(Some(level)).map_err(LogFault::Failed)?;
        let time = log.0.times.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(TurnedUp { log, time, lasting })
    }
}

impl TurnedUp {
    /// For how long.
    pub fn lasting(&self) -> Duration {
        self.lasting
    }

    /// The time is over: logs as much as at first, unless it was turned up again since.
    ///
    /// # Errors
    ///
    /// Says why it cannot.
    pub fn end(self) -> Result<(), String> {
        match self.log.0.times.load(Ordering::Relaxed) == self.time {
            true => (self.log.0.turn)(None),
            false => Ok(()),
        }
    }
}

/// How long a level is to last.
fn lasting(said: DurationInfo) -> Result<Duration, String> {
    let lasting = Duration::try_from(said).map_err(|unfit| unfit.text)?;
    match lasting <= LONGEST {
        true => Ok(lasting),
        false => Err("is longer than a year".to_owned()),
    }
}
