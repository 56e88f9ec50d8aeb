//! How far a run is: on a terminal, and only there.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How often the display moves while a measurement runs.
const TICK: Duration = Duration::from_millis(200);

/// A line at the foot of the terminal; nothing when the errors go elsewhere.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// Of `steps` measurements.
    #[must_use]
    pub fn new(steps: usize) -> Progress {
        let bar = ProgressBar::new(steps as u64);
        let style = ProgressStyle::with_template("{pos:>4}/{len} {bar:30} {msg} ({eta} left)");
        bar.set_style(style.expect("the template is well formed"));
        // A tick thread wakes a core five times a second: too little to be seen in a figure.
        bar.enable_steady_tick(TICK);
        Progress(bar)
    }

    /// The next measurement is `what`.
    pub fn next(&self, what: &str) {
        self.0.set_message(what.to_owned());
    }

    /// That measurement is done.
    pub fn done(&self) {
        self.0.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
