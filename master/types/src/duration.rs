//! Durations as people write them: a number and a unit, such as `1.5mins`.

use std::time::Duration;

use crate::ParseError;

/// Units and their nanoseconds, the longest first.
const UNITS: [(&str, u64); 8] = [
    ("weeks", 604_800_000_000_000),
    ("days", 86_400_000_000_000),
    ("hrs", 3_600_000_000_000),
    ("mins", 60_000_000_000),
    ("secs", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Reads no more than this.
const MAX_TEXT_BYTES: usize = 64;

/// Reads a duration: a number, with a fraction if need be, and one of `ns`, `us`, `ms`, `secs`,
/// `mins`, `hrs`, `days`, `weeks`. At most 584 years.
///
/// # Errors
///
/// Fails when the text has another form, or the number is negative or too great.
pub fn parse_duration(text: &str) -> Result<Duration, ParseError> {
    ParseError::limit(text, MAX_TEXT_BYTES)?;
    let (number, unit) = split(text);
    let unit_ns = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .map(|(_, ns)| *ns);
    let unit_ns = unit_ns
        .ok_or_else(|| ParseError::expected("a number and ns, us, ms, secs, …, weeks", text))?;
    if let Ok(whole) = number.parse::<u64>() {
        let ns = whole.checked_mul(unit_ns);
        return ns
            .map(Duration::from_nanos)
            .ok_or_else(|| ParseError::OutOfRange(text.into()));
    }
    let number: f64 = number
        .parse()
        .map_err(|_| ParseError::expected("a number", text))?;
    let ns = (number * unit_ns as f64).round();
    if !(0.0..u64::MAX as f64).contains(&ns) {
        return Err(ParseError::OutOfRange(text.into()));
    }
    Ok(Duration::from_nanos(ns as u64))
}

/// Prints a duration in the greatest unit of which it is a whole number, such as `90secs`; reading
/// it gives the same duration, up to 584 years.
pub fn format_duration(duration: Duration) -> String {
    let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    if ns == 0 {
        return "0ns".to_owned();
    }
    let whole = UNITS
        .iter()
        .find(|(_, unit_ns)| ns.is_multiple_of(*unit_ns));
    let (name, unit_ns) = whole.copied().unwrap_or(("ns", 1));
    format!("{}{name}", ns / unit_ns)
}

/// Splits a number from the unit behind it.
pub(crate) fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    (text[..end].trim_end(), &text[end..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_have_a_number_and_a_unit() {
        assert_eq!(parse_duration("5secs"), Ok(Duration::from_secs(5)));
        assert_eq!(parse_duration("1.5mins"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("2weeks"), Ok(Duration::from_secs(1_209_600)));
        assert_eq!(parse_duration("10 ms"), Ok(Duration::from_millis(10)));
        assert_eq!(parse_duration("0.5us"), Ok(Duration::from_nanos(500)));
        for bad in [
            "",
            "5",
            "secs",
            "-5secs",
            "5 parsecs",
            "1e5secs",
            "9e99weeks",
            "nansecs",
        ] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
        assert!(parse_duration("99999999weeks").is_err());
    }

    #[test]
    fn durations_print_in_the_greatest_whole_unit() {
        assert_eq!(format_duration(Duration::from_secs(90)), "90secs");
        assert_eq!(format_duration(Duration::from_secs(604_800)), "1weeks");
        assert_eq!(format_duration(Duration::ZERO), "0ns");
    }

    proptest! {
        #[test]
        fn the_text_of_a_duration_reads_as_the_duration(ns in any::<u64>()) {
            let duration = Duration::from_nanos(ns);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }
    }
}
