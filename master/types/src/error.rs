//! What can be wrong with a noun that came from outside.

use thiserror::Error;

/// Why a text is no id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidId {
    /// The text is empty.
    #[error("an id may not be empty")]
    Empty,
    /// The text is longer than an id may be.
    #[error("an id may have at most {max} bytes, not {length}")]
    TooLong {
        /// Length of the text, in bytes.
        length: usize,
        /// The limit, in bytes.
        max: usize,
    },
    /// The text names a place in a file system rather than a thing.
    #[error("an id may not be `.` or `..`")]
    Dots,
    /// The text has a slash, a backslash or a control character.
    #[error("an id may not contain {0:?}")]
    Character(char),
    /// The text is no UUID.
    #[error("an update id is a UUID, not {0:?}")]
    Uuid(String),
}

/// Why a text is no role.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidRole {
    /// The text, or a component between slashes, is empty.
    #[error("a role may not be empty, nor begin, end or double its slashes")]
    Empty,
    /// The text is longer than a role may be.
    #[error("a role may have at most {max} bytes, not {length}")]
    TooLong {
        /// Length of the text, in bytes.
        length: usize,
        /// The limit, in bytes.
        max: usize,
    },
    /// The role has more levels than a role may have.
    #[error("a role may have at most {max} levels")]
    TooDeep {
        /// The limit.
        max: usize,
    },
    /// A component is `.`, `..` or, below another, `*`.
    #[error("a component of a role may not be {0:?}")]
    Component(String),
    /// A component begins with a dash.
    #[error("a component of a role may not begin with `-`")]
    Dash,
    /// The text has white space or a control character.
    #[error("a role may not contain {0:?}")]
    Character(char),
}

/// Why a text, or a JSON document, is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ParseError {
    /// The text is longer than we read.
    #[error("the text has {length} bytes, more than {max}")]
    TooLong {
        /// Length of the text, in bytes.
        length: usize,
        /// The limit, in bytes.
        max: usize,
    },
    /// The text lists more items than we keep.
    #[error("the text lists more than {max} items")]
    TooMany {
        /// The limit.
        max: usize,
    },
    /// The text is not of the expected form.
    #[error("expected {expected}, found {found:?}")]
    Expected {
        /// What would have been right.
        expected: &'static str,
        /// The beginning of what was there.
        found: String,
    },
    /// A number is not finite, negative, or beyond what we count to.
    #[error("the number {0:?} is out of range")]
    OutOfRange(String),
    /// A role in the text is none.
    #[error("a role is invalid")]
    Role(#[from] InvalidRole),
    /// The JSON document does not have the expected form.
    #[error("the JSON document is invalid: {0}")]
    Json(String),
    /// What was read contradicts itself.
    #[error("the resources are invalid")]
    Resource(#[from] ResourceError),
}

impl ParseError {
    /// Says what was expected, and quotes at most the first 40 characters of what was found.
    pub(crate) fn expected(expected: &'static str, found: &str) -> Self {
        Self::Expected {
            expected,
            found: found.chars().take(40).collect(),
        }
    }

    /// Fails when `text` is longer than `max` bytes.
    pub(crate) fn limit(text: &str, max: usize) -> Result<(), Self> {
        if text.len() > max {
            return Err(Self::TooLong {
                length: text.len(),
                max,
            });
        }
        Ok(())
    }
}

/// Why resources are invalid, or an operation on them is.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ResourceError {
    /// The name of a resource is empty, too long, or has characters of the text format in it.
    #[error("{0:?} cannot be the name of a resource")]
    Name(String),
    /// The value has another type than the name asks for.
    #[error("{name} cannot be {found}")]
    Type {
        /// Name of the resource.
        name: String,
        /// The type its value has.
        found: &'static str,
    },
    /// Only whole devices can be given away.
    #[error("gpus must be a whole number")]
    FractionalGpus,
    /// Only the last reservation may be refined, by a role below it.
    #[error("a reservation to {refined} cannot refine one to {base}")]
    Refinement {
        /// The role below.
        base: String,
        /// The role that should be a sub-role of it.
        refined: String,
    },
    /// Only dynamic reservations can be refined or made at run time.
    #[error("a static reservation may only be the first one")]
    StaticRefinement,
    /// Resources cannot be reserved to everybody.
    #[error("resources cannot be reserved to the role *")]
    ReservedToAny,
    /// A free text beside a resource is too long.
    #[error("a text beside {name} has {length} bytes, more than {max}")]
    TooLong {
        /// Name of the resource.
        name: String,
        /// Length of the text, in bytes.
        length: usize,
        /// The limit, in bytes.
        max: usize,
    },
    /// The id of a persistent volume could not be the name of a directory.
    #[error("the id of a persistent volume is invalid")]
    VolumeId(#[source] InvalidId),
    /// The path of a volume is empty, or leads out of where it begins.
    #[error("{0:?} cannot be the path of a volume")]
    VolumePath(String),
    /// Something but a disk has the description of one.
    #[error("only disk may have a disk description, not {0}")]
    DiskInfo(String),
    /// Two persistent volumes of one role have one id.
    #[error("the persistent volume {0:?} is there twice")]
    DuplicateVolume(String),
    /// Only persistent volumes can be shared.
    #[error("only persistent volumes may be shared, not {0}")]
    Shared(String),
    /// A revocable resource cannot be held for good.
    #[error("revocable {0} cannot be reserved or persistent")]
    Revocable(String),
    /// One container has both revocable and other resources of one name.
    #[error("{0} is both revocable and not")]
    MixedRevocable(String),
    /// There are more resources than one container may list.
    #[error("more than {max} resources")]
    TooMany {
        /// The limit.
        max: usize,
    },
    /// The operation asks for resources of the wrong kind.
    #[error("the operation {operation} does not apply to {resource}")]
    Operation {
        /// Name of the operation.
        operation: &'static str,
        /// The resource it named.
        resource: String,
    },
    /// The operation consumes what is not there.
    #[error("{missing} is not contained in {available}")]
    NotContained {
        /// What the operation would consume.
        missing: String,
        /// What there is.
        available: String,
    },
}

/// Why a task, an executor, a framework or an agent cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidInfo {
    /// The resources contradict themselves.
    #[error("the resources are invalid")]
    Resources(#[from] ResourceError),
    /// A task needs a command or an executor, exactly one of them.
    #[error("a task has either a command or an executor")]
    CommandOrExecutor,
    /// A task without any resources could be launched without end.
    #[error("the task uses no resources")]
    NoResources,
    /// The task names another agent than the one that was offered.
    #[error("the task is for agent {named}, the offer is of agent {offered}")]
    Agent {
        /// The agent in the task.
        named: String,
        /// The agent of the offer.
        offered: String,
    },
    /// Our own executor for groups is launched with a group.
    #[error("'ExecutorInfo.type' must be 'CUSTOM'")]
    NotCustom,
    /// Our own executor needs no command.
    #[error("'ExecutorInfo.command' must not be set for 'DEFAULT' executor")]
    DefaultCommand,
    /// A group is a group of something.
    #[error("the group has no tasks")]
    EmptyGroup,
    /// The executor of a group is charged with something of its own.
    #[error("Executor '{executor}' uses less {what} ({used}) than the minimum required ({min})")]
    SmallExecutor {
        /// The executor.
        executor: String,
        /// CPUs or memory.
        what: &'static str,
        /// What it uses.
        used: String,
        /// The least it may use.
        min: &'static str,
    },
    /// An executor that is not our own needs a command.
    #[error("a custom executor has a command")]
    ExecutorCommand,
    /// The executor belongs to another framework.
    #[error("the executor is of framework {named}, not of {expected}")]
    ExecutorFramework {
        /// The framework in the executor.
        named: String,
        /// The framework that launches it.
        expected: String,
    },
    /// A limit is below what the task requests, or of something that has no limits.
    #[error("the limit of {0} is not possible")]
    Limit(String),
    /// A text is longer than we keep.
    #[error("{what} has {length} bytes, more than {max}")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// Its length, in bytes.
        length: usize,
        /// The limit, in bytes.
        max: usize,
    },
    /// A list is longer than we keep.
    #[error("there are {length} {what}, more than {max}")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// How many.
        length: usize,
        /// The limit.
        max: usize,
    },
    /// A duration is longer than we wait.
    #[error("{what} is longer than {max_seconds} seconds")]
    TooLate {
        /// What takes so long.
        what: &'static str,
        /// The limit, in seconds.
        max_seconds: u64,
    },
    /// The roles do not fit the capabilities.
    #[error("{0} roles without the capability MULTI_ROLE")]
    Roles(usize),
    /// The framework lists one role twice.
    #[error("the role {0} is there twice")]
    DuplicateRole(String),
}

impl InvalidInfo {
    /// Fails when `text` is longer than `max` bytes.
    pub(crate) fn limit(what: &'static str, length: usize, max: usize) -> Result<(), Self> {
        if length > max {
            return Err(Self::TooLong { what, length, max });
        }
        Ok(())
    }
}
