//! Exit codes, and the one place that prints an error.

use std::io;
use std::process::ExitCode;

/// Something failed; what it was stands on stderr. Wrong usage exits with 2, which clap does.
pub(crate) const FAILED: u8 = 1;
/// `run`: the command was never run, or nobody knows how it ended.
pub(crate) const NOT_RUN: u8 = 125;
/// A signal ended the command, or this program: 128 and its number.
pub(crate) const SIGNAL: u8 = 128;

/// What `--help` says about them.
pub(crate) const HELP: &str = "\
Exit codes: 0 success, 1 failure, 2 wrong usage. `run` exits as its command does: with its code, \
with 128 + N when signal N ended it, with 125 when it was never run or was lost.";

/// An error that asks for a code of its own.
#[derive(Debug)]
pub(crate) struct WithCode(pub(crate) u8);

impl std::fmt::Display for WithCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit code {}", self.0)
    }
}

impl std::error::Error for WithCode {}

/// An error with this text, which ends the program with this code.
pub(crate) fn error(code: u8, text: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(WithCode(code)).context(text.into())
}

/// Prints an error with its chain, once; gives the code to exit with.
pub(crate) fn code(result: anyhow::Result<ExitCode>) -> ExitCode {
    let error = match result {
        Ok(code) => return code,
        Err(error) => error,
    };
    // Whoever read our output has seen enough, as `head` does.
    let broken_pipe = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    if error
        .chain()
        .any(|cause| cause.downcast_ref().is_some_and(broken_pipe))
    {
        return ExitCode::SUCCESS;
    }
    let causes = error.chain().filter(|cause| !cause.is::<WithCode>());
    let text: Vec<String> = causes.map(ToString::to_string).collect();
    eprintln!("error: {}", text.join(": "));
    let code = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<WithCode>());
    ExitCode::from(code.map_or(FAILED, |code| code.0))
}
