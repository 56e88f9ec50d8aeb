//! What must hold: our figures as ratios to those of others in the same run.

use serde::Serialize;

use crate::figures::{Figures, Key, Part};
use crate::peers::{ECHO, FLOOR, LIBPROC, LOCAL_RIVALS, REMOTE_RIVALS, TOKIO};

/// A limit, and how it was met.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// What is limited.
    pub what: String,
    /// On how many threads.
    pub threads: usize,
    /// By whom the limit is set: the best of several, or a number.
    pub beside: String,
    /// Our figure, divided by theirs.
    pub ratio: f64,
    /// The most it may be.
    pub limit: f64,
}

impl Verdict {
    /// Whether it is met.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.ratio <= self.limit
    }
}

/// A limit: a pattern or case, what of it, the best of whom, and how much of that we may take.
struct Limit {
    remote: bool,
    name: &'static str,
    part: Part,
    rivals: &'static [&'static str],
    most: f64,
}

const fn local(name: &'static str, most: f64) -> Limit {
    Limit {
        remote: false,
        name,
        part: Part::Value,
        rivals: &LOCAL_RIVALS,
        most,
    }
}

const fn remote(name: &'static str, rivals: &'static [&'static str], most: f64) -> Limit {
    Limit {
        remote: true,
        name,
        part: Part::Value,
        rivals,
        most,
    }
}

const fn percentile(part: Part, rivals: &'static [&'static str], most: f64) -> Limit {
    Limit {
        remote: true,
        name: "round-trip",
        part,
        rivals,
        most,
    }
}

const THIRD: f64 = 1.0 / 3.0;
/// An idle process with a name, links and metrics takes less than this, in bytes.
const IDLE_BYTES: f64 = 250.0;
/// An ask with 100,000 pending timers takes at most so many times what it takes with none.
const TIMERS: f64 = 2.0;

const LIMITS: &[Limit] = &[
    local("ping-pong", THIRD),
    local("ring", THIRD),
    local("big", THIRD),
    local("ask-1", THIRD),
    local("ask-100", THIRD),
    // Asked from outside: ahead of everybody; a third is for what actors ask each other.
    local("ask-1-task", 1.0),
    local("ask-100-task", 1.0),
    local("one-way", 0.5),
    local("fan-in", 0.5),
    Limit {
        rivals: &[TOKIO],
        ..local("one-way", 1.0)
    },
    Limit {
        rivals: &[TOKIO],
        ..local("fan-in", 1.0)
    },
    local("fork-join", THIRD),
    remote("one-way-100", &REMOTE_RIVALS, 1.0 / 15.0),
    remote("one-way-1024", &REMOTE_RIVALS, 1.0 / 8.0),
    remote("one-way-100", &[FLOOR], 2.0),
    remote("one-way-1024", &[FLOOR], 1.5),
    remote("ask-100", &REMOTE_RIVALS, 0.1),
    percentile(Part::P50, &[ECHO], 1.25),
    percentile(Part::P50, &REMOTE_RIVALS, 1.0),
    percentile(Part::P99, &REMOTE_RIVALS, 1.0),
];

/// How the limits are met, as far as `figures` can tell.
#[must_use]
pub fn verdicts(figures: &Figures, threads: &[usize]) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for limit in LIMITS {
        let threads = if limit.remote { &[1] } else { threads };
        for &threads in threads {
            verdicts.extend(verdict(figures, limit, threads));
        }
    }
    for &threads in threads {
        let ours = |name: &str| figures.of(&key(false, name, threads), Part::Value);
        if let Some(bytes) = ours("memory-linked") {
            let beside = format!("{IDLE_BYTES} B");
            let what = "memory, named and linked".to_owned();
            let ratio = bytes / IDLE_BYTES;
            verdicts.push(Verdict {
                what,
                threads,
                beside,
                ratio,
                limit: 1.0,
            });
        }
        if let (Some(many), Some(none)) = (ours("timers-100k"), ours("timers-none")) {
            let (what, beside) = ("ask, 100,000 timers".to_owned(), "none".to_owned());
            let ratio = many / none;
            verdicts.push(Verdict {
                what,
                threads,
                beside,
                ratio,
                limit: TIMERS,
            });
        }
    }
    verdicts
}

fn key(remote: bool, name: &str, threads: usize) -> Key {
    let (name, peer) = (name.to_owned(), LIBPROC.to_owned());
    Key {
        remote,
        name,
        threads,
        peer,
    }
}

fn verdict(figures: &Figures, limit: &Limit, threads: usize) -> Option<Verdict> {
    let key = key(limit.remote, limit.name, threads);
    let ours = figures.of(&key, limit.part)?;
    let (rival, theirs) = figures.best(&key, limit.part, limit.rivals)?;
    let part = match limit.part {
        Part::Value => "",
        Part::P50 => " p50",
        Part::P99 => " p99",
    };
    let place = if limit.remote { "remote " } else { "" };
    let best = if limit.rivals.len() > 1 { "best: " } else { "" };
    Some(Verdict {
        what: format!("{place}{}{part}", limit.name),
        threads,
        beside: format!("{best}{rival}"),
        ratio: ours / theirs,
        limit: limit.most,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runs::Figure;

    #[test]
    fn a_limit_is_set_by_the_best_rival_and_needs_one() {
        let mut figures = Figures::default();
        let ring = |value| Figure {
            name: "ring".to_owned(),
            value,
            percentiles: None,
        };
        figures.add(false, 1, LIBPROC, ring(100.0));
        assert_eq!(verdicts(&figures, &[1]), []);
        figures.add(false, 1, "caf", ring(400.0));
        figures.add(false, 1, "actix", ring(1.0));
        figures.add(false, 1, "erlang", ring(250.0));
        let verdicts = verdicts(&figures, &[1, 2]);
        assert_eq!(verdicts.len(), 1);
        assert_eq!(verdicts[0].beside, "best: erlang");
        assert_eq!(verdicts[0].ratio, 0.4);
        assert!(!verdicts[0].holds());
    }
}
