//! Checking a test over seeds: each runs twice, and what fails says how to run it again.

use std::env;
use std::fmt::Debug;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::history;

/// Runs this seed only.
const ONE: &str = "TEPUI_SEED";
/// Runs so many seeds, or those from `a..b`.
const MANY: &str = "TEPUI_SEEDS";

/// The seeds a test is to run: the first `count` numbers, unless the environment says otherwise.
/// `TEPUI_SEED=n` runs one of them, `TEPUI_SEEDS=n` more or less, `TEPUI_SEEDS=a..b` others.
///
/// # Panics
/// When `TEPUI_SEED` or `TEPUI_SEEDS` is set and no number or range.
#[must_use]
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

/// The command that runs the test of this thread again with `seed`.
#[must_use]
pub fn replay(seed: u64) -> String {
    let package = env::var("CARGO_PKG_NAME").unwrap_or_else(|_| "…".to_owned());
    let features = if package == env!("CARGO_PKG_NAME") {
        " --features sim"
    } else {
        ""
    };
    let thread = std::thread::current();
    let test = thread
        .name()
        .filter(|name| *name != "main")
        .unwrap_or_default();
    format!("{ONE}={seed} cargo test -p {package}{features} {test}")
}

/// Runs `test` with each of `seeds`, twice: a seed must lead to the same history and outcome again.
///
/// `test` may run any number of simulations on this thread. Its outcome is compared as well: give
/// back what the history does not show.
///
/// ```
/// use libproc::sim;
///
/// sim::check(sim::seeds(2), |seed| {
///     sim::run(seed, async |world| world.start("a").await.address())
/// });
/// ```
///
/// # Panics
/// When `test` does, after saying which seed that was; and when the two runs of a seed differ, with
/// the first letter that does. Both say how to run the seed again.
pub fn check<T: PartialEq + Debug>(seeds: impl IntoIterator<Item = u64>, test: impl Fn(u64) -> T) {
    for seed in seeds {
        let (first, one, events) = tried(seed, &test);
        let (second, two, others) = tried(seed, &test);
        if one != two {
            let shown = history::difference(&events, &others)
                .unwrap_or_else(|| "they differ where no event was kept\n".to_owned());
            panic!(
                "two runs of seed {seed} differ: {shown}run it again with\n  {}\n",
                replay(seed)
            );
        }
        assert_eq!(
            first,
            second,
            "two runs of seed {seed} have equal histories and other outcomes; again with\n  {}\n",
            replay(seed)
        );
    }
}

fn tried<T>(seed: u64, test: impl Fn(u64) -> T) -> (T, history::History, Vec<history::Event>) {
    let run = AssertUnwindSafe(|| history::taped(|| test(seed)));
    catch_unwind(run).unwrap_or_else(|panic| {
        eprintln!("seed {seed} fails; run it again with\n  {}", replay(seed));
        resume_unwind(panic)
    })
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

    #[test]
    fn a_seed_that_fails_says_how_to_run_it_again() {
        let command = replay(7);
        assert!(command.starts_with("TEPUI_SEED=7 cargo test -p libproc --features sim "));
        assert!(command.ends_with("a_seed_that_fails_says_how_to_run_it_again"));
    }
}
