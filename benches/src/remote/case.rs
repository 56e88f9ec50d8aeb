//! What is measured between two nodes.

/// One thing that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// What it is called on the command line and in tables.
    pub name: &'static str,
    /// What one operation is.
    pub of: &'static str,
    /// What is done.
    pub kind: Kind,
    /// Payload of a message, in bytes; an answer carries as many.
    pub bytes: usize,
    /// How often it is done.
    pub count: u64,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Messages to so many processes in turn, none of which answers.
    OneWay {
        /// How many processes.
        targets: usize,
    },
    /// Questions that are answered.
    Ask {
        /// How many are under way at once.
        in_flight: u64,
    },
    /// Questions that fall due so many times a second, answered or not.
    Paced {
        /// How many a second.
        per_second: u64,
    },
}

/// Processes that messages are dealt to where there are many.
pub(super) const TARGETS: usize = 1000;
/// Questions at once where there are many.
const IN_FLIGHT: u64 = 100;
/// How long questions are paced, in a round.
const PACED_SECONDS: u64 = 2;
/// Payload of what is neither empty nor large.
const USUAL: usize = 100;

const fn one_way(name: &'static str, bytes: usize, count: u64, targets: usize) -> Case {
    let kind = Kind::OneWay { targets };
    let of = "message";
    Case {
        name,
        of,
        kind,
        bytes,
        count,
    }
}

const fn ask(name: &'static str, of: &'static str, count: u64, in_flight: u64) -> Case {
    let kind = Kind::Ask { in_flight };
    let bytes = USUAL;
    Case {
        name,
        of,
        kind,
        bytes,
        count,
    }
}

/// Every case that needs no rate.
pub const CASES: [Case; 6] = [
    one_way("one-way-0", 0, 2_000_000, 1),
    one_way("one-way-100", USUAL, 2_000_000, 1),
    one_way("one-way-1024", 1024, 500_000, 1),
    one_way("one-way-many", USUAL, 2_000_000, TARGETS),
    ask("round-trip", "round trip", 20_000, 1),
    ask("ask-100", "ask", 500_000, IN_FLIGHT),
];

impl Case {
    /// Questions that fall due so many times a second.
    #[must_use]
    pub fn paced(per_second: u64) -> Case {
        Case {
            name: "paced",
            of: "from when due",
            kind: Kind::Paced { per_second },
            bytes: USUAL,
            count: per_second * PACED_SECONDS,
        }
    }

    /// The same with so much of its count, 1 at least.
    #[must_use]
    pub fn scaled(self, scale: f64) -> Case {
        let count = ((self.count as f64 * scale) as u64).max(1);
        Case { count, ..self }
    }
}
