//! Finding the one thing an operator means by a part of its id.

use anyhow::{Result, bail};

use crate::format::{CUT, short_id};

/// Candidates listed when several fit.
const LISTED_MAX: usize = 5;

/// How well a text names an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// Its beginning, or its short form.
    Part,
    /// All of it.
    Whole,
}

fn fit(id: &str, text: &str) -> Option<Fit> {
    if id == text {
        return Some(Fit::Whole);
    }
    let cut = |(head, tail): (&str, &str)| id.starts_with(head) && id.ends_with(tail);
    let part = id.starts_with(text) || text.split_once(CUT).is_some_and(cut);
    (part && !text.is_empty()).then_some(Fit::Part)
}

/// Finds the one thing whose id is, or begins with, `text`.
///
/// # Errors
/// When there is none, or several fit equally well.
pub(crate) fn find<'a, T>(
    what: &str,
    text: &str,
    all: &'a [T],
    id: impl Fn(&T) -> &str,
) -> Result<&'a T> {
    let best = all.iter().filter_map(|one| fit(id(one), text)).max();
    let Some(best) = best else {
        bail!("there is no {what} `{text}`")
    };
    let fitting: Vec<&T> = all
        .iter()
        .filter(|one| fit(id(one), text) == Some(best))
        .collect();
    if let [one] = fitting[..] {
        return Ok(one);
    }
    let listed: Vec<String> = fitting
        .iter()
        .take(LISTED_MAX)
        .map(|one| short_id(id(one)))
        .collect();
    let more = if fitting.len() > LISTED_MAX {
        ", …"
    } else {
        ""
    };
    bail!(
        "`{text}` fits {} {what}s: {}{more}",
        fitting.len(),
        listed.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDS: [&str; 4] = [
        "sleep-1",
        "sleep-12",
        "0123456789abcdef-0001",
        "0123456789abcdef-0002",
    ];

    fn found(text: &str) -> Result<&'static str> {
        find("task", text, &IDS, |id| id).copied()
    }

    #[test]
    fn the_whole_id_wins_over_those_it_begins() {
        assert_eq!(found("sleep-1").unwrap(), "sleep-1");
        assert_eq!(found("sleep-12").unwrap(), "sleep-12");
    }

    #[test]
    fn an_id_as_a_table_shows_it_is_found() {
        let shown = short_id(IDS[3]);
        assert_eq!(found(&shown).unwrap(), IDS[3]);
    }

    #[test]
    fn none_and_several_are_errors_that_say_so() {
        assert_eq!(found("x").unwrap_err().to_string(), "there is no task `x`");
        assert!(found("").is_err());
        let several = found("sleep").unwrap_err().to_string();
        assert_eq!(several, "`sleep` fits 2 tasks: sleep-1, sleep-12");
    }
}
