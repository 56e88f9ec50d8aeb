//! Verbosity: how much a daemon says in its log, as operators turn it up for a while.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::DurationInfo;
use super::target::parameter;

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

/// What the query of the page `/logging/toggle` asks for: a level, and for how long; nothing where it
/// asks what the level is.
///
/// # Errors
///
/// Says which of the two is missing, or no level or no length of time.
pub fn toggled(query: &str) -> Result<Option<(u32, Duration)>, String> {
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
    match lasting <= LONGEST {
        true => Ok(Some((level, lasting))),
        false => Err("Invalid duration: is longer than a year".to_owned()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_asks_for_a_level_and_how_long_or_for_neither() {
        let second = Duration::from_secs(1);
        assert_eq!(toggled("level=2&duration=1secs"), Ok(Some((2, second))));
        assert_eq!(toggled("jsonp=f"), Ok(None));
        for (bad, says) in [
            ("level=1", "'duration=value'"),
            ("duration=1secs", "'level=value'"),
            ("level=-1&duration=1secs", "level '-1'"),
            ("level=1&duration=1", "duration"),
            ("level=1&duration=99weeks", "longer than a year"),
        ] {
            let refused = toggled(bad).unwrap_err();
            assert!(refused.contains(says), "{bad}: {refused}");
        }
    }
}
