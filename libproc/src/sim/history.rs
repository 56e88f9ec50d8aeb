//! Histories: what was handled in a simulation, so that two runs of one seed can be compared.

use std::cell::RefCell;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::letter::System;
use crate::node::Node;
use crate::pid::Upid;

/// Most events that a tape keeps, of about a hundred bytes each. A longer history still counts
/// whole in its hash; only the first difference of two that agree so far cannot be shown.
const EVENTS_MAX: usize = 1 << 20;

thread_local! {
    static TAPE: RefCell<Tape> = const { RefCell::new(Tape::new()) };
}

/// What was handled in the simulation of this thread: how many letters, and a hash over the time,
/// receiver, sender, kind and body of each in order. Two runs with equal histories went alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// How many letters were handled: messages, answers, exits, timers, everything.
    pub letters: u64,
    /// What they were.
    pub hash: u64,
}

/// One letter that was handled.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Event {
    /// In the time of the simulation.
    at: Duration,
    to: Upid,
    from: Option<Upid>,
    /// The name of a message, or another kind of letter in brackets.
    what: &'static str,
    /// A hash over what was in it.
    body: u64,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, what, to) = (self.at.as_secs_f64(), self.what, &self.to);
        write!(f, "{at:>11.6} s  {what} to {to}")?;
        if let Some(from) = &self.from {
            write!(f, " from {from}")?;
        }
        write!(f, "  [{:016x}]", self.body)
    }
}

struct Tape {
    history: History,
    /// The events themselves, while somebody wants to compare them.
    events: Option<Vec<Event>>,
}

impl Tape {
    const fn new() -> Tape {
        Tape {
            history: History {
                letters: 0,
                hash: 0,
            },
            events: None,
        }
    }
}

/// What happened so far in the simulation of this thread.
#[must_use]
pub fn history() -> History {
    TAPE.with_borrow(|tape| tape.history)
}

/// Begins a new history, unless the events of several simulations are being kept together.
pub(super) fn begin() {
    TAPE.with_borrow_mut(|tape| {
        if tape.events.is_none() {
            *tape = Tape::new();
        }
    });
}

/// What happened while `run` ran, whatever simulations there were in it, event by event.
pub(super) fn taped<T>(run: impl FnOnce() -> T) -> (T, History, Vec<Event>) {
    /// Ends the tape, also when what it was made for panics.
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            TAPE.with_borrow_mut(|tape| tape.events = None);
        }
    }
    TAPE.with_borrow_mut(|tape| {
        *tape = Tape::new();
        tape.events = Some(Vec::new());
    });
    let end = End;
    let outcome = run();
    let (history, events) =
        TAPE.with_borrow_mut(|tape| (tape.history, tape.events.take().unwrap_or_default()));
    drop(end);
    (outcome, history, events)
}

/// Notes a letter that is about to be handled on a simulated node.
pub(super) fn record(
    node: &Node,
    to: &Upid,
    from: Option<&Upid>,
    what: &'static str,
    body: impl Hash,
) {
    if !node.is_simulated() {
        return;
    }
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    let event = Event {
        at: turmoil::sim_elapsed().unwrap_or_default(),
        to: to.clone(),
        from: from.cloned(),
        what,
        body: hasher.finish(),
    };
    TAPE.with_borrow_mut(|tape| {
        let mut hasher = DefaultHasher::new();
        (tape.history.hash, &event).hash(&mut hasher);
        tape.history.letters += 1;
        tape.history.hash = hasher.finish();
        if let Some(events) = &mut tape.events
            && events.len() < EVENTS_MAX
        {
            events.push(event);
        }
    });
}

/// Notes a letter of the system itself; messages are noted where their bodies are known.
pub(crate) fn note(node: &Node, to: &Upid, letter: &System) {
    match letter {
        System::Work(_) => record(node, to, None, "(work)", ()),
        System::Reply { number, outcome } => {
            let error = outcome.as_ref().err().map(ToString::to_string);
            record(node, to, None, "(answer)", (number, error));
        }
        System::Exited(exited) => {
            let reason = exited.reason.to_string();
            record(node, to, Some(&exited.upid), "(exited)", reason);
        }
        System::Http(_) => record(node, to, None, "(request)", ()),
        System::Stop(reason) => record(node, to, None, "(stop)", reason.to_string()),
    }
}

/// Notes a timer that is about to run.
pub(crate) fn note_timer(node: &Node, to: &Upid) {
    record(node, to, None, "(timer)", ());
}

/// Where two runs of one seed went apart, with what came just before; none when they did not.
pub(super) fn difference(first: &[Event], second: &[Event]) -> Option<String> {
    /// Common events shown before the first that differs.
    const BEFORE: usize = 5;
    let apart = first.iter().zip(second).position(|(one, two)| one != two);
    let length = first.len().min(second.len());
    let apart = apart.or_else(|| (first.len() != second.len()).then_some(length))?;
    let line = |events: &[Event]| {
        let event = events.get(apart).map(ToString::to_string);
        event.unwrap_or_else(|| "nothing more".to_owned())
    };
    let mut text = format!("letter {apart} is the first to differ\n");
    for event in &first[apart.saturating_sub(BEFORE)..apart] {
        text.push_str(&format!("  both     {event}\n"));
    }
    text.push_str(&format!("  first    {}\n", line(first)));
    text.push_str(&format!("  second   {}\n", line(second)));
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at_ms: u64, what: &'static str) -> Event {
        Event {
            at: Duration::from_millis(at_ms),
            to: "counter@10.0.0.1:5050".parse().expect("an address"),
            from: None,
            what,
            body: 7,
        }
    }

    #[test]
    fn the_first_letter_that_differs_is_shown() {
        let first = [event(1, "Add"), event(2, "Add")];
        assert_eq!(difference(&first, &first), None);
        let text = difference(&first, &[event(1, "Add"), event(2, "Quit")]).expect("they differ");
        let expected = "letter 1 is the first to differ
  both        0.001000 s  Add to counter@10.0.0.1:5050  [0000000000000007]
  first       0.002000 s  Add to counter@10.0.0.1:5050  [0000000000000007]
  second      0.002000 s  Quit to counter@10.0.0.1:5050  [0000000000000007]
";
        assert_eq!(text, expected);
        let shorter = difference(&first, &first[..1]).expect("one is shorter");
        assert!(shorter.ends_with("second   nothing more\n"), "{shorter}");
    }
}
