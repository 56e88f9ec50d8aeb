//! What goes to stdout: text and JSON, with colours only for eyes.

use std::io::{self, IsTerminal, Write};

use anyhow::Result;
use serde::Serialize;

/// Whether people look at stdout.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether people who look at stdout want colours.
pub(crate) fn has_colours() -> bool {
    is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Prints a text and the end of its line.
///
/// # Errors
/// When stdout is gone.
pub(crate) fn line(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.write_all(b"\n")?;
    Ok(stdout.flush()?)
}

/// Prints bytes as they are.
///
/// # Errors
/// When stdout is gone.
pub(crate) fn bytes(bytes: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    Ok(stdout.flush()?)
}

/// Prints a value as JSON: indented for people, one line for programs.
///
/// # Errors
/// When stdout is gone.
pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> Result<()> {
    let text = if is_terminal() {
        serde_json::to_string_pretty(value)?
    } else {
        serde_json::to_string(value)?
    };
    line(&text)
}
