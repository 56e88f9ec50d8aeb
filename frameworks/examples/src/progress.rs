//! How far a framework is: a bar on a terminal, lines elsewhere, nothing when asked.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

/// Tells people on standard error how far things are.
#[derive(Debug)]
pub(crate) enum Progress {
    Bar(ProgressBar),
    /// The last line, so that none comes twice in a row.
    Lines(String),
    Silent,
}

impl Progress {
    /// A bar up to `total`, or lines when standard error is no terminal.
    pub(crate) fn new(total: u64) -> Progress {
        if !std::io::stderr().is_terminal() {
            return Progress::Lines(String::new());
        }
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len}  {msg}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        Progress::Bar(ProgressBar::new(total).with_style(style))
    }

    /// So much is done; `message` says it in words.
    pub(crate) fn update(&mut self, done: u64, message: String) {
        match self {
            Progress::Bar(bar) => {
                bar.set_position(done);
                bar.set_message(message);
            }
            Progress::Lines(last) if *last != message => {
                eprintln!("{message}");
                *last = message;
            }
            Progress::Lines(_) | Progress::Silent => {}
        }
    }

    /// Something worth a line of its own.
    pub(crate) fn note(&self, line: &str) {
        match self {
            Progress::Bar(bar) => bar.suspend(|| eprintln!("{line}")),
            Progress::Lines(_) => eprintln!("{line}"),
            Progress::Silent => {}
        }
    }

    /// Leaves the terminal to others.
    pub(crate) fn finish(&self) {
        if let Progress::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
