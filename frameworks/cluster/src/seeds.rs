//! Which seeds to run, and how to run one again.

use std::env;
use std::ops::Range;

/// Runs this seed only.
const ONE: &str = "TEPUI_SEED";
/// Runs so many seeds, or those from `a..b`.
const MANY: &str = "TEPUI_SEEDS";

/// The seeds a test is to run: `count` of them, unless the environment says otherwise.
///
/// # Panics
/// When `TEPUI_SEED` or `TEPUI_SEEDS` is set and no number or range.
pub fn seeds(count: u64) -> Vec<u64> {
    if let Ok(one) = env::var(ONE) {
        let seed = one
            .parse()
            .unwrap_or_else(|_| panic!("{ONE}={one} is not a number"));
        return vec![seed];
    }
    let Ok(many) = env::var(MANY) else {
        return (0..count).collect();
    };
    range(&many)
        .unwrap_or_else(|| panic!("{MANY}={many} is neither a number nor a range"))
        .collect()
}

fn range(text: &str) -> Option<Range<u64>> {
    match text.split_once("..") {
        Some((from, to)) => Some(from.parse().ok()?..to.parse().ok()?),
        None => Some(0..text.parse().ok()?),
    }
}

/// The command that runs this test again with `seed`.
pub(crate) fn replay(seed: u64) -> String {
    let package = env::var("CARGO_PKG_NAME").unwrap_or_else(|_| "cluster".to_owned());
    let thread = std::thread::current();
    let test = thread
        .name()
        .filter(|name| *name != "main")
        .unwrap_or_default();
    format!("{ONE}={seed} cargo test -p {package} {test}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_a_number_of_them_or_a_range() {
        assert_eq!(range("3"), Some(0..3));
        assert_eq!(range("7..9"), Some(7..9));
        assert_eq!(range("x"), None);
    }
}
