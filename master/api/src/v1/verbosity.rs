//! Verbosity: how much a daemon says in its log, as operators turn it up for a while.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use thiserror::Error;

use super::DurationInfo;
use super::target::parameter;

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

/// What the query of the page `/logging/toggle` asks for: a level, and for how long; nothing where it
/// asks what the level is.
///
/// # Errors
///
/// Says which of the two is missing, or no level or no length of time.
pub fn toggled(query: &str) -> Result<Option<(u32, DurationInfo)>, String> {
    let (level, duration) = match (parameter(query, "level"), parameter(query, "duration")) {
        (None, None) => return Ok(None),
        (None, Some(_)) => return Err("Expecting 'level=value' in query.".to_owned()),
        (Some(_), None) => return Err("Expecting 'duration=value' in query.".to_owned()),
        (Some(level), Some(duration)) => (level, duration),
    };
    let shown: String = level.chars().take(16).collect();
    let level = level.parse();
    let level =
        level.map_err(|_| format!("Invalid level '{shown}': 0 is as at first, 2 is most"))?;
    let lasting = types::parse_duration(&duration);
    let lasting = lasting.map_err(|error| format!("Invalid duration: {error}"))?;
    let nanoseconds = i64::try_from(lasting.as_nanos()).unwrap_or(i64::MAX);
    Ok(Some((level, DurationInfo { nanoseconds })))
}

/// How long a level is to last.
fn lasting(said: DurationInfo) -> Result<Duration, String> {
    let lasting = Duration::try_from(said).map_err(|unfit| unfit.text)?;
    match lasting <= LONGEST {
        true => Ok(lasting),
        false => Err("is longer than a year".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_asks_for_a_level_and_how_long_or_for_neither() {
        let second = DurationInfo {
            nanoseconds: 1_000_000_000,
        };
        assert_eq!(toggled("level=2&duration=1secs"), Ok(Some((2, second))));
        assert_eq!(toggled("jsonp=f"), Ok(None));
        for (bad, says) in [
            ("level=1", "'duration=value'"),
            ("duration=1secs", "'level=value'"),
            ("level=-1&duration=1secs", "level '-1'"),
            ("level=1&duration=1", "duration"),
        ] {
            let refused = toggled(bad).unwrap_err();
            assert!(refused.contains(says), "{bad}: {refused}");
        }
    }
}
