//! Prints what tasks write: as it is for a single one, line by line and marked for several, or as
//! JSON for programs.

use std::collections::BTreeMap;
use std::io::{self, Write as _};

use anyhow::Result;
use serde_json::{Value as Json, json};
use types::TaskStatus;

use crate::output;
use crate::run::outcome::Outcome;

/// Longest line that is held back until its end, in bytes.
const LINE_MAX: usize = 64 << 10;
/// Colours that tell instances apart: cyan, yellow, green, magenta, blue.
const COLOURS: [u8; 5] = [36, 33, 32, 35, 34];

/// Which of its outputs a task writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// Its file in the sandbox, and its name in JSON.
    pub(crate) fn file(self) -> &'static str {
        match self {
            Stream::Stdout => crate::follow::STDOUT,
            Stream::Stderr => crate::follow::STDERR,
        }
    }
}

/// How output looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Byte by byte as it is.
    Plain,
    /// Each line after the name of its task.
    Marked {
        /// Names have colours.
        colours: bool,
    },
    /// A JSON object an event.
    Json,
}

/// Prints what tasks write.
pub(crate) struct Printer {
    style: Style,
    name: String,
    /// Lines that have not ended, of those streams that have one.
    open: BTreeMap<(usize, Stream), Vec<u8>>,
}

impl Printer {
    /// A printer for tasks of this name.
    pub(crate) fn new(style: Style, name: String) -> Printer {
        Printer {
            style,
            name,
            open: BTreeMap::new(),
        }
    }

    /// Prints what an instance wrote.
    ///
    /// # Errors
    /// When our own output is gone.
    pub(crate) fn write(&mut self, instance: usize, stream: Stream, bytes: &[u8]) -> Result<()> {
        match self.style {
            Style::Plain => emit(stream, bytes),
            Style::Marked { colours } => {
                let open = self.open.entry((instance, stream)).or_default();
                open.extend_from_slice(bytes);
                let whole = whole_lines(open);
                let text = marked(&mark(&self.name, instance, colours), &whole);
                emit(stream, &text)
            }
            Style::Json => {
                let data = String::from_utf8_lossy(bytes);
                let (task, stream) = (self.task(instance), stream.file());
                emit_json(&json!({
                    "event": "output", "task": task, "stream": stream, "data": data,
                }))
            }
        }
    }

    /// Prints the line that an instance did not end.
    ///
    /// # Errors
    /// When our own output is gone.
    pub(crate) fn finish(&mut self, instance: usize, stream: Stream) -> Result<()> {
        let Some(mut line) = self
            .open
            .remove(&(instance, stream))
            .filter(|line| !line.is_empty())
        else {
            return Ok(());
        };
        line.push(b'\n');
        let colours = matches!(self.style, Style::Marked { colours: true });
        emit(stream, &marked(&mark(&self.name, instance, colours), &line))
    }

    /// Prints news of an instance, for programs.
    ///
    /// # Errors
    /// When our own output is gone.
    pub(crate) fn updated(&self, instance: usize, status: &TaskStatus) -> Result<()> {
        if self.style != Style::Json {
            return Ok(());
        }
        emit_json(&json!({
            "event": "state",
            "task": self.task(instance),
            "id": status.task_id,
            "state": status.state.to_string(),
            "agent": status.agent_id,
            "reason": status.reason.map(|reason| reason.to_string()),
            "message": status.message,
            "exit_code": status.exit_code,
            "signal": status.signal,
            "timestamp_ms": status.timestamp_ms,
        }))
    }

    /// Prints how an instance ended, where that is not plain from the exit code.
    pub(crate) fn ended(&self, instance: usize, outcome: &Outcome) {
        let Outcome { code, words } = outcome;
        match (self.style, words) {
            (Style::Json, _) => {}
            (Style::Plain | Style::Marked { .. }, Some(words)) => {
                eprintln!("tepui: {}: {words}", self.task(instance));
            }
            (Style::Marked { .. }, None) if *code != 0 => {
                eprintln!("tepui: {}: exited with {code}", self.task(instance));
            }
            (Style::Plain | Style::Marked { .. }, None) => {}
        }
    }

    /// Prints the end, for programs.
    ///
    /// # Errors
    /// When our own output is gone.
    pub(crate) fn end(&self, code: u8) -> Result<()> {
        match self.style {
            Style::Json => emit_json(&json!({ "event": "end", "exit_code": code })),
            Style::Plain | Style::Marked { .. } => Ok(()),
        }
    }

    fn task(&self, instance: usize) -> String {
        match self.style {
            Style::Plain => self.name.clone(),
            Style::Marked { .. } | Style::Json => format!("{}-{}", self.name, instance + 1),
        }
    }
}

/// What stands before the lines of an instance.
fn mark(name: &str, instance: usize, colours: bool) -> String {
    let mark = format!("{name}-{}|", instance + 1);
    if !colours {
        return format!("{mark} ");
    }
    format!("\x1b[{}m{mark}\x1b[0m ", COLOURS[instance % COLOURS.len()])
}

/// Takes the lines that have ended, or everything when the last is too long to wait for its end.
fn whole_lines(open: &mut Vec<u8>) -> Vec<u8> {
    let end = open
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |last| last + 1);
    if open.len() - end <= LINE_MAX {
        return open.drain(..end).collect();
    }
    open.push(b'\n');
    std::mem::take(open)
}

/// Puts a mark before each line.
fn marked(mark: &str, lines: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(lines.len() + mark.len());
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        text.extend_from_slice(mark.as_bytes());
        text.extend_from_slice(line);
    }
    text
}

fn emit(stream: Stream, bytes: &[u8]) -> Result<()> {
    match stream {
        _ if bytes.is_empty() => Ok(()),
        Stream::Stdout => output::bytes(bytes),
        Stream::Stderr => Ok(io::stderr().lock().write_all(bytes)?),
    }
}

fn emit_json(value: &Json) -> Result<()> {
    output::line(&value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_held_back_until_they_end() {
        let mut open = b"one\ntw".to_vec();
        assert_eq!(whole_lines(&mut open), b"one\n");
        open.extend_from_slice(b"o\n");
        assert_eq!(whole_lines(&mut open), b"two\n");
        assert!(whole_lines(&mut open).is_empty());
        open.resize(LINE_MAX + 1, b'x');
        assert_eq!(whole_lines(&mut open).len(), LINE_MAX + 2);
    }

    #[test]
    fn every_line_gets_its_mark() {
        let mark = mark("job", 1, false);
        assert_eq!(marked(&mark, b"a\n\nb\n"), b"job-2| a\njob-2| \njob-2| b\n");
        assert!(marked(&mark, b"").is_empty());
    }
}
