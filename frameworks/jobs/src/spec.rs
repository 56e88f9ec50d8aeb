//! What is submitted: a command, what it needs, and when it may run.

use std::collections::BTreeMap;
use std::time::Duration;

use sdk::placement::Constraint;
use sdk::retry::Retries;
use serde::{Deserialize, Serialize};
use types::Resources;

use crate::ids::JobId;

/// Most runs of an array: a place in it fits into the token of a timer.
pub const ARRAY_MAX: u32 = 1_000_000;
/// Longest text, in bytes: a command, or the value of a variable.
const TEXT_MAX: usize = 64 * 1024;
/// Longest name, in bytes: of a job, its user, a tag, a key.
const NAME_MAX: usize = 200;
/// Most variables, files, tags, constraints or dependencies of a job.
const ITEMS_MAX: usize = 1_000;
/// Most ports of a run.
const PORTS_MAX: u32 = 1_000;
/// The first and the last to run, as `nice` has it.
const PRIORITIES: std::ops::RangeInclusive<i8> = -20..=19;

/// A job as it is submitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// A name of the submitter's choice that no other job has: what others depend on, and what
    /// makes a submission that is said twice one.
    #[serde(default)]
    pub key: Option<String>,
    /// What it is called, for people.
    #[serde(default)]
    pub name: Option<String>,
    /// The application it belongs to.
    #[serde(default = "default_app")]
    pub app: String,
    /// Whose share of the cluster it uses.
    #[serde(default = "default_user")]
    pub user: String,
    /// What runs.
    pub command: Command,
    /// What each run needs, ports aside.
    #[serde(default = "default_need")]
    pub need: Resources,
    /// How many ports each run needs: PORT0, PORT1 and so on tell them which.
    #[serde(default)]
    pub ports: u32,
    /// Variables of the command.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// What is fetched into the sandbox first: URIs, or paths of the agents' machines.
    #[serde(default)]
    pub files: Vec<String>,
    /// From -20, runs first, to 19: among the jobs of one user.
    #[serde(default)]
    pub priority: i8,
    /// Free words, to find it by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The indices that it runs once for each.
    #[serde(default)]
    pub array: Option<Array>,
    /// What has to have ended before.
    #[serde(default)]
    pub after: Vec<After>,
    /// How often a run that fails is tried again.
    #[serde(default)]
    pub retries: Retries,
    /// How long a try may take.
    #[serde(default)]
    pub timeout: Option<Duration>,
    /// Where it may run.
    #[serde(default)]
    pub constraints: Vec<Constraint>,
    /// The user of the operating system it runs as; the agent's choice if none.
    #[serde(default)]
    pub run_as: Option<String>,
    /// A try that is lost with its agent is not tried again: it may have run.
    #[serde(default)]
    pub at_most_once: bool,
}

/// What runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// A line for `sh -c`.
    Shell(String),
    /// A program and its arguments.
    Argv(Vec<String>),
}

/// The indices of an array, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Array {
    /// The first.
    pub first: u32,
    /// The last.
    pub last: u32,
}

/// Something that has to have ended before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct After {
    /// What.
    pub job: JobRef,
    /// How.
    #[serde(default)]
    pub on: On,
}

/// A job, by the name it was given or the one it gave itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum JobRef {
    /// The queue's name for it.
    Id(JobId),
    /// Its own: also of a job of the same submission.
    Key(String),
}

/// How a job must have ended for one that depends on it to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum On {
    /// All its runs succeeded.
    #[default]
    Success,
    /// One did not.
    Failure,
    /// Either way.
    Any,
}

fn default_app() -> String {
    "default".to_owned()
}

fn default_user() -> String {
    "nobody".to_owned()
}

fn default_need() -> Resources {
    Resources::new().cpus(1.0).mem_mib(32)
}

/// What is wrong with a job as it was submitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadSpec {
    /// There is nothing to run.
    #[error("the command is empty")]
    NoCommand,
    /// It would fit anywhere any number of times.
    #[error("a job needs some cpus or mem")]
    NoNeed,
    /// A text or a list is too long.
    #[error("{what} has {is}, and at most {most} are taken")]
    TooMuch {
        /// Which.
        what: &'static str,
        /// How much it has.
        is: usize,
        /// How much is taken.
        most: usize,
    },
    /// A text is empty, or has characters that do not belong there.
    #[error("{what} is empty or has a control character or a slash")]
    BadName {
        /// Which.
        what: &'static str,
    },
    /// The priority is none.
    #[error("the priority {0} is not from -20, runs first, to 19")]
    Priority(i8),
    /// The array is none.
    #[error("an array goes from its first index to one that is not less, over at most {ARRAY_MAX}")]
    Array,
    /// Ports are counted, not named.
    #[error("ports are asked for by their number, in `ports`, not in `need`")]
    Ports,
}

impl Spec {
    /// A job with this command, of user `nobody`, that needs one processor and 32 MiB.
    pub fn new(command: Command) -> Spec {
        Spec {
            key: None,
            name: None,
            app: default_app(),
            user: default_user(),
            command,
            need: default_need(),
            ports: 0,
            env: BTreeMap::new(),
            files: Vec::new(),
            priority: 0,
            tags: Vec::new(),
            array: None,
            after: Vec::new(),
            retries: Retries::default(),
            timeout: None,
            constraints: Vec::new(),
            run_as: None,
            at_most_once: false,
        }
    }

    /// How many runs it has.
    pub fn runs(&self) -> u32 {
        self.array.map_or(1, |array| array.len())
    }

    /// The index of the run at this place; none if it is no array.
    pub fn index(&self, place: u32) -> Option<u32> {
        self.array.map(|array| array.first + place)
    }

    /// The place of the run of this index.
    pub fn place(&self, index: u32) -> Option<u32> {
        let array = self.array?;
        (array.first..=array.last)
            .contains(&index)
            .then(|| index - array.first)
    }

    /// What it is called: its name, or the beginning of its command.
    pub fn title(&self) -> String {
        let said = self.name.clone().or_else(|| self.key.clone());
        said.unwrap_or_else(|| self.command.line().chars().take(40).collect())
    }

    /// About how many bytes a task of it takes, its application aside.
    pub(crate) fn bytes(&self) -> usize {
        let words = match &self.command {
            Command::Shell(line) => line.len(),
            Command::Argv(words) => words.iter().map(String::len).sum(),
        };
        let env: usize = self
            .env
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        let files: usize = self.files.iter().map(String::len).sum();
        words + env + files
    }

    /// Checks what can be checked without knowing the cluster or other jobs.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn validate(&self) -> Result<(), BadSpec> {
        let texts = match &self.command {
            Command::Shell(line) => std::slice::from_ref(line),
            Command::Argv(words) => words,
        };
        if texts.first().is_none_or(|first| first.trim().is_empty()) {
            return Err(BadSpec::NoCommand);
        }
        let length = texts.iter().map(String::len).sum();
        limit("the command", length, TEXT_MAX)?;
        let env = self
            .env
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        limit("the environment", env, TEXT_MAX)?;
        limit(
            "the list of files",
            self.files.iter().map(String::len).sum(),
            TEXT_MAX,
        )?;
        let lists = [
            ("the list of variables", self.env.len()),
            ("the list of files", self.files.len()),
            ("the list of tags", self.tags.len()),
            ("the list of constraints", self.constraints.len()),
            ("the list of dependencies", self.after.len()),
        ];
        for (what, length) in lists {
            limit(what, length, ITEMS_MAX)?;
        }
        limit("the list of ports", self.ports as usize, PORTS_MAX as usize)?;
        name("the user", &self.user)?;
        name("the application", &self.app)?;
        self.key
            .as_ref()
            .map_or(Ok(()), |key| name("the key", key))?;
        self.run_as
            .as_ref()
            .map_or(Ok(()), |user| name("the user to run as", user))?;
        limit(
            "the name",
            self.name.as_ref().map_or(0, String::len),
            NAME_MAX,
        )?;
        self.tags.iter().try_for_each(|tag| name("a tag", tag))?;
        self.env
            .keys()
            .try_for_each(|variable| name("a variable", variable))?;
        if !PRIORITIES.contains(&self.priority) {
            return Err(BadSpec::Priority(self.priority));
        }
        if !self.need.total_ports().is_empty() {
            return Err(BadSpec::Ports);
        }
        if self.need.is_empty() {
            return Err(BadSpec::NoNeed);
        }
        match self.array {
            Some(array) if array.first > array.last || array.len() > ARRAY_MAX => {
                Err(BadSpec::Array)
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Array {
    /// How many indices there are.
    pub fn len(self) -> u32 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }

    /// Never: both ends belong to it.
    pub fn is_empty(self) -> bool {
        false
    }
}

impl std::str::FromStr for Array {
    type Err = BadSpec;

    /// Reads `1-1000`.
    fn from_str(text: &str) -> Result<Array, BadSpec> {
        let (first, last) = text.split_once('-').ok_or(BadSpec::Array)?;
        let number = |text: &str| text.trim().parse().map_err(|_| BadSpec::Array);
        let array = Array {
            first: number(first)?,
            last: number(last)?,
        };
        match array.first <= array.last && array.len() <= ARRAY_MAX {
            true => Ok(array),
            false => Err(BadSpec::Array),
        }
    }
}

impl Command {
    /// The command on one line, for people.
    pub fn line(&self) -> String {
        match self {
            Command::Shell(line) => line.clone(),
            Command::Argv(words) => words.join(" "),
        }
    }
}

impl std::str::FromStr for After {
    type Err = BadSpec;

    /// Reads `17`, `prepare`, or with how it has to end: `17:any`, `prepare:failure`.
    fn from_str(text: &str) -> Result<After, BadSpec> {
        let (job, on) = match text.rsplit_once(':') {
            Some((job, "success")) => (job, On::Success),
            Some((job, "failure")) => (job, On::Failure),
            Some((job, "any")) => (job, On::Any),
            Some(_) | None => (text, On::Success),
        };
        name("a dependency", job)?;
        let job = match job.parse() {
            Ok(id) => JobRef::Id(JobId(id)),
            Err(_) => JobRef::Key(job.to_owned()),
        };
        Ok(After { job, on })
    }
}

impl std::fmt::Display for JobRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            JobRef::Id(id) => id.fmt(f),
            JobRef::Key(key) => key.fmt(f),
        }
    }
}

fn limit(what: &'static str, is: usize, most: usize) -> Result<(), BadSpec> {
    match is <= most {
        true => Ok(()),
        false => Err(BadSpec::TooMuch { what, is, most }),
    }
}

pub(crate) fn name(what: &'static str, text: &str) -> Result<(), BadSpec> {
    limit(what, text.len(), NAME_MAX)?;
    let bad = text.is_empty() || text.chars().any(|c| c.is_control() || c == '/');
    match bad {
        true => Err(BadSpec::BadName { what }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell() -> Spec {
        Spec::new(Command::Shell("true".to_owned()))
    }

    #[test]
    fn what_cannot_be_run_is_refused_with_the_reason() {
        assert_eq!(shell().validate(), Ok(()));
        let bad = [
            Spec::new(Command::Shell(" ".to_owned())),
            Spec::new(Command::Argv(Vec::new())),
            Spec {
                user: String::new(),
                ..shell()
            },
            Spec {
                key: Some("a/b".to_owned()),
                ..shell()
            },
            Spec {
                priority: 20,
                ..shell()
            },
            Spec {
                need: Resources::new(),
                ..shell()
            },
            Spec {
                need: Resources::new().ports(1..=2),
                ..shell()
            },
            Spec {
                array: Some(Array { first: 2, last: 1 }),
                ..shell()
            },
            Spec {
                array: Some(Array {
                    first: 0,
                    last: u32::MAX,
                }),
                ..shell()
            },
            Spec {
                tags: vec!["x".to_owned(); ITEMS_MAX + 1],
                ..shell()
            },
            Spec {
                command: Command::Shell("x".repeat(TEXT_MAX + 1)),
                ..shell()
            },
        ];
        for spec in bad {
            let error = spec.validate().unwrap_err().to_string();
            assert!(!error.is_empty() && !error.ends_with('.'), "{error}");
        }
    }

    #[test]
    fn arrays_and_dependencies_are_read() {
        assert_eq!(
            "1-1000".parse(),
            Ok(Array {
                first: 1,
                last: 1_000
            })
        );
        for bad in ["", "1", "2-1", "a-b", "0-99999999"] {
            assert!(bad.parse::<Array>().is_err(), "{bad}");
        }
        let after = |text: &str| text.parse::<After>().unwrap();
        assert_eq!(after("17").job, JobRef::Id(JobId(17)));
        assert_eq!(
            after("prepare:any"),
            After {
                job: JobRef::Key("prepare".to_owned()),
                on: On::Any
            }
        );
        assert_eq!(after("a:b").job, JobRef::Key("a:b".to_owned()));
        assert!("".parse::<After>().is_err());
    }
}
