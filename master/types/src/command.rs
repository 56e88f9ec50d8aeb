//! Commands: what a task or an executor runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::InvalidInfo;

/// A command line, with arguments, has at most this many bytes, as Linux has for one argument.
pub const MAX_COMMAND_BYTES: usize = 128 << 10;

/// An environment has at most this many bytes.
pub const MAX_ENVIRONMENT_BYTES: usize = 1 << 20;

/// A command fetches at most this many things.
pub const MAX_URIS: usize = 1_000;

/// What to run, and what it finds when it runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandInfo {
    /// `value` goes to `sh -c`; else it is the program.
    pub shell: bool,
    /// The script, or the program.
    pub value: String,
    /// The arguments, the name of the program first; unused by a script.
    pub arguments: Vec<String>,
    /// Variables beside those the agent sets.
    pub environment: Environment,
    /// The user to run as; the framework's if none.
    pub user: Option<String>,
    /// What to fetch into the sandbox before.
    pub uris: Vec<Uri>,
}

/// Variables of a process, in the order of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Environment(pub BTreeMap<String, String>);

/// Something to fetch into a sandbox.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uri {
    /// Where it is.
    pub value: String,
    /// It may be run.
    pub executable: bool,
    /// It is an archive, to be unpacked.
    pub extract: bool,
    /// It may be kept for others.
    pub cache: bool,
    /// The name of the file; the last part of `value` if none.
    pub output_file: Option<String>,
}

impl CommandInfo {
    /// Returns a command that `sh -c` runs.
    pub fn shell(script: impl Into<String>) -> Self {
        Self {
            shell: true,
            value: script.into(),
            ..Self::default()
        }
    }

    /// Returns a program with its arguments, run without a shell. The first word is the program.
    pub fn argv<W: Into<String>>(words: impl IntoIterator<Item = W>) -> Self {
        let arguments: Vec<String> = words.into_iter().map(Into::into).collect();
        let value = arguments.first().cloned().unwrap_or_default();
        Self {
            shell: false,
            value,
            arguments,
            ..Self::default()
        }
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.0.insert(name.into(), value.into());
        self
    }

    /// Checks the sizes.
    ///
    /// # Errors
    ///
    /// Fails when the command line, the environment or the list to fetch is too long.
    pub fn validate(&self) -> Result<(), InvalidInfo> {
        let words: usize = self.arguments.iter().map(String::len).sum();
        InvalidInfo::limit("the command", self.value.len() + words, MAX_COMMAND_BYTES)?;
        let environment = self
            .environment
            .0
            .iter()
            .map(|(name, value)| name.len() + value.len());
        InvalidInfo::limit("the environment", environment.sum(), MAX_ENVIRONMENT_BYTES)?;
        if self.uris.len() > MAX_URIS {
            let (what, length) = ("things to fetch", self.uris.len());
            return Err(InvalidInfo::TooMany {
                what,
                length,
                max: MAX_URIS,
            });
        }
        let uris = self.uris.iter().map(|uri| uri.value.len());
        InvalidInfo::limit("the list of what to fetch", uris.sum(), MAX_COMMAND_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_goes_to_the_shell_and_words_do_not() {
        let script = CommandInfo::shell("sleep 60").env("A", "b");
        assert!(script.shell && script.arguments.is_empty());
        assert_eq!(script.environment.0["A"], "b");
        let words = CommandInfo::argv(["sleep", "60"]);
        assert!(!words.shell);
        assert_eq!(words.value, "sleep");
        assert_eq!(words.arguments, ["sleep", "60"]);
    }

    #[test]
    fn a_command_is_bounded() {
        assert_eq!(CommandInfo::shell("true").validate(), Ok(()));
        assert!(
            CommandInfo::shell("x".repeat(MAX_COMMAND_BYTES + 1))
                .validate()
                .is_err()
        );
        let big = CommandInfo::shell("true").env("A", "x".repeat(MAX_ENVIRONMENT_BYTES));
        assert!(big.validate().is_err());
        let uris = vec![Uri::default(); MAX_URIS + 1];
        assert!(
            CommandInfo {
                uris,
                ..CommandInfo::shell("true")
            }
            .validate()
            .is_err()
        );
    }
}
