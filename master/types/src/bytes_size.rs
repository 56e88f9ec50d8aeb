//! Sizes as people write them: a number and a unit, such as `64MB`.

use crate::ParseError;
use crate::duration::split;

/// Units and their bytes, the greatest first.
const UNITS: [(&str, u64); 5] = [
    ("TB", 1 << 40),
    ("GB", 1 << 30),
    ("MB", 1 << 20),
    ("KB", 1 << 10),
    ("B", 1),
];

/// Reads no more than this.
const MAX_TEXT_BYTES: usize = 64;

/// Reads a size in bytes: a number, with a fraction if need be, and one of `B`, `KB`, `MB`, `GB`,
/// `TB`, each 1,024 of the one before.
///
/// # Errors
///
/// Fails when the text has another form, or the number is negative or too great.
pub fn parse_bytes(text: &str) -> Result<u64, ParseError> {
    ParseError::limit(text, MAX_TEXT_BYTES)?;
    let (number, unit) = split(text);
    let unit_bytes = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .map(|(_, bytes)| *bytes);
    let unit_bytes =
        unit_bytes.ok_or_else(|| ParseError::expected("a number and B, KB, MB, GB or TB", text))?;
    if let Ok(whole) = number.parse::<u64>() {
        return whole
            .checked_mul(unit_bytes)
            .ok_or_else(|| ParseError::OutOfRange(text.into()));
    }
    let number: f64 = number
        .parse()
        .map_err(|_| ParseError::expected("a number", text))?;
    let bytes = (number * unit_bytes as f64).round();
    if !(0.0..u64::MAX as f64).contains(&bytes) {
        return Err(ParseError::OutOfRange(text.into()));
    }
    Ok(bytes as u64)
}

/// Prints a size in the greatest unit of which it is a whole number; reading it gives the same.
pub fn format_bytes(bytes: u64) -> String {
    if bytes == 0 {
        return "0B".to_owned();
    }
    let whole = UNITS
        .iter()
        .find(|(_, unit_bytes)| bytes.is_multiple_of(*unit_bytes));
    let (name, unit_bytes) = whole.copied().unwrap_or(("B", 1));
    format!("{}{name}", bytes / unit_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_have_a_number_and_a_unit() {
        assert_eq!(parse_bytes("64MB"), Ok(64 << 20));
        assert_eq!(parse_bytes("1.5KB"), Ok(1536));
        assert_eq!(parse_bytes("7 B"), Ok(7));
        for bad in ["", "7", "MB", "-1MB", "1PB", "1mb", "99999999999TB"] {
            assert!(parse_bytes(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn the_text_of_a_size_reads_as_the_size(bytes in any::<u64>()) {
            prop_assert_eq!(parse_bytes(&format_bytes(bytes)), Ok(bytes));
        }
    }
}
