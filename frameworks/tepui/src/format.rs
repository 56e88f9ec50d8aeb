//! How things read in tables: times as distances, amounts as shares, ids cut short.

use types::{ResourceName, Resources, Scalar, TaskState};

/// Units of distance in time and their milliseconds, the longest first.
const UNITS: [(&str, u64); 4] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
];
/// What stands where nothing is known.
pub(crate) const NOTHING: &str = "-";
/// Ids made by programs are cut to this many characters before their last part.
const ID_HEAD: usize = 8;
/// Ids up to this length are shown whole.
const ID_SHORT: usize = 20;
/// What stands where an id was cut.
pub(crate) const CUT: char = '…';

/// How long ago something was: `now`, `12s ago`, `3m ago`, `5h ago`, `2d ago`.
pub(crate) fn ago(now_ms: u64, then_ms: u64) -> String {
    let distance = now_ms.saturating_sub(then_ms);
    let unit = UNITS.iter().find(|(_, unit_ms)| distance >= *unit_ms);
    unit.map_or("now".to_owned(), |(name, unit_ms)| {
        format!("{}{name} ago", distance / unit_ms)
    })
}

/// What is used of what there is: `1.5/4`.
pub(crate) fn share(used: &Resources, total: &Resources, name: &ResourceName) -> String {
    format!("{}/{}", used.scalar(name), total.scalar(name))
}

/// An amount, or a dash where there is none.
pub(crate) fn amount(amount: Scalar) -> String {
    if amount.is_zero() {
        NOTHING.to_owned()
    } else {
        amount.to_string()
    }
}

/// A state in a table: `TASK_RUNNING` is `running`.
pub(crate) fn state(state: TaskState) -> String {
    let text = state.to_string();
    text.strip_prefix("TASK_")
        .unwrap_or(&text)
        .to_ascii_lowercase()
        .replace('_', " ")
}

/// An id cut short for people: the head of what a program made up, and the part that tells.
///
/// `1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed-0003` is `1b9d6bcd…-0003`.
pub(crate) fn short_id(id: &str) -> String {
    if id.chars().count() <= ID_SHORT {
        return id.to_owned();
    }
    let head: String = id.chars().take(ID_HEAD).collect();
    match id.rsplit_once('-') {
        Some((_, tail)) if tail.chars().count() < ID_SHORT - ID_HEAD => {
            format!("{head}{CUT}-{tail}")
        }
        Some(_) | None => {
            let tail: Vec<char> = id.chars().rev().take(ID_HEAD).collect();
            format!("{head}{CUT}{}", tail.into_iter().rev().collect::<String>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_distances() {
        assert_eq!(ago(10_000, 9_500), "now");
        assert_eq!(ago(10_000, 11_000), "now");
        assert_eq!(ago(72_000, 0), "1m ago");
        assert_eq!(ago(59_999, 0), "59s ago");
        assert_eq!(ago(7_200_000, 0), "2h ago");
        assert_eq!(ago(200_000_000, 0), "2d ago");
    }

    #[test]
    fn long_ids_keep_their_head_and_the_part_that_tells() {
        assert_eq!(short_id("sleep-1f3a"), "sleep-1f3a");
        assert_eq!(
            short_id("1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed-0003"),
            "1b9d6bcd…-0003"
        );
        assert_eq!(
            short_id("1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed-S12"),
            "1b9d6bcd…-S12"
        );
        assert_eq!(
            short_id("1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"),
            "1b9d6bcd…fbbd4bed"
        );
    }

    #[test]
    fn states_and_amounts_read_plainly() {
        assert_eq!(state(TaskState::GoneByOperator), "gone by operator");
        let (used, total) = (Resources::new().cpus(0.5), Resources::new().cpus(4.0));
        assert_eq!(share(&used, &total, &ResourceName::CPUS), "0.5/4");
        assert_eq!(amount(Scalar::ZERO), "-");
    }
}
