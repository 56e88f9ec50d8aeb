//! Between the messages of the public API and our own nouns.
//!
//! Out, `From<&noun>` never fails. In, `TryFrom<message>` checks what the noun checks and says
//! which field was wrong. What has no noun is kept as it came, in the noun's [`types::Opaque`]:
//!
//! | noun | opaque |
//! | --- | --- |
//! | `TaskInfo`, `Task` | container, health check, check |
//! | `ExecutorInfo` | container, discovery |
//! | `TaskStatus` | check status, limitation, networks and control group, enclosing container |
//! | `FrameworkInfo` | offer filters |
//!
//! What is not kept: the order of variables of an environment, of resources and of capabilities,
//! variables named twice (the last one counts), resources of no amount, digits of an amount beyond
//! the third, and of a time beyond the millisecond. What a noun has and the public API has not,
//! such as the exit code of a task, is only in its message. What can neither be kept nor left out
//! is refused: secrets as variables, and the operations for which there is no noun.

mod agent;
mod command;
mod discovery;
mod executor;
mod executor_page;
mod framework;
mod offer;
mod operation;
mod reason;
mod resource;
mod scheduler_page;
mod status;
mod task;

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use types::{InvalidId, Opaque, UpdateId};

pub use executor_page::{ExecutorCall, Subscription, executor_of};
pub use framework::min_allocatable;
pub use resource::{ResourceFormat, resources_for};
pub use scheduler_page::{Accept, AskedOperation, Registration, SchedulerCall};
pub use status::add_address;
pub use task::told;

use super::codec::Message;
use super::{DurationInfo, TimeInfo};

/// Why a message is no noun.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{field}': {text}")]
pub struct Unfit {
    /// The path of the field, such as `operations[0].launch.task_infos[0].task_id`.
    pub field: String,
    /// What is wrong with it, for people.
    pub text: String,
}

impl Unfit {
    pub(crate) fn new(field: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            text: text.into(),
        }
    }

    /// Puts the name of what the field is in before its path.
    pub(crate) fn under(self, above: &str) -> Self {
        let dot = if self.field.is_empty() || self.field.starts_with('[') {
            ""
        } else {
            "."
        };
        Self {
            field: format!("{above}{dot}{}", self.field),
            ..self
        }
    }
}

/// Says in which field something is wrong.
trait At<T> {
    /// The error is about this field.
    fn at(self, field: &str) -> Result<T, Unfit>;
}

impl<T, E: Into<Wrong>> At<T> for Result<T, E> {
    fn at(self, field: &str) -> Result<T, Unfit> {
        self.map_err(|error| match error.into() {
            Wrong::Within(unfit) => unfit.under(field),
            Wrong::Here(text) => Unfit::new(field, text),
        })
    }
}

/// What is wrong: this value, or something in it.
enum Wrong {
    Within(Unfit),
    Here(String),
}

impl From<Unfit> for Wrong {
    fn from(unfit: Unfit) -> Self {
        Wrong::Within(unfit)
    }
}

macro_rules! wrongs {
    ($($error:ty,)*) => { $(
        impl From<$error> for Wrong {
            fn from(error: $error) -> Self {
                Wrong::Here(chain(&error))
            }
        }
    )* };
}

wrongs! {
    InvalidId,
    types::InvalidRole,
    types::ParseError,
    types::ResourceError,
    std::num::TryFromIntError,
}

/// An error and its causes, on one line.
fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |error| (*error).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Converts a list, and says which item was wrong.
fn all<T, U, E: Into<Wrong>>(
    items: Vec<T>,
    convert: impl Fn(T) -> Result<U, E>,
) -> Result<Vec<U>, Unfit> {
    let items = items.into_iter().enumerate();
    items
        .map(|(i, item)| convert(item).at(&format!("[{i}]")))
        .collect()
}

macro_rules! ids {
    ($($id:ident,)*) => { $(
        impl From<&types::$id> for super::$id {
            #[allow(clippy::needless_update, reason = "the id of a container may have a parent")]
            fn from(id: &types::$id) -> Self {
                Self { value: id.to_string(), ..Self::default() }
            }
        }

        impl TryFrom<super::$id> for types::$id {
            type Error = Unfit;

            fn try_from(id: super::$id) -> Result<Self, Unfit> {
                types::$id::new(id.value).at("value")
            }
        }
    )* };
}

ids! {
    FrameworkId,
    AgentId,
    OfferId,
    TaskId,
    ExecutorId,
    ContainerId,
}

/// An id of an update as the public API has it: the bytes of a UUID.
fn update_bytes(id: &UpdateId) -> Bytes {
    Bytes::copy_from_slice(id.as_uuid().as_bytes())
}

fn update_id(bytes: &[u8]) -> Result<UpdateId, Unfit> {
    match uuid::Uuid::from_slice(bytes) {
        Ok(uuid) => Ok(UpdateId::from_uuid(uuid)),
        Err(_) => Err(Unfit::new("", "Not a valid UUID")),
    }
}

impl From<Duration> for DurationInfo {
    /// What is longer than 292 years is that long.
    fn from(duration: Duration) -> Self {
        Self {
            nanoseconds: i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX),
        }
    }
}

impl TryFrom<DurationInfo> for Duration {
    type Error = Unfit;

    fn try_from(duration: DurationInfo) -> Result<Self, Unfit> {
        let nanoseconds = u64::try_from(duration.nanoseconds);
        let wrong = |_| Unfit::new("nanoseconds", "a length of time cannot be negative");
        nanoseconds.map(Duration::from_nanos).map_err(wrong)
    }
}

/// A time in milliseconds since 1970 as the public API has it.
fn time_info(time_ms: u64) -> TimeInfo {
    let nanoseconds = i64::try_from(time_ms.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
    TimeInfo { nanoseconds }
}

/// Milliseconds since 1970; what was before it is at its beginning.
fn time_ms(time: &TimeInfo) -> u64 {
    u64::try_from(time.nanoseconds / 1_000_000).unwrap_or(0)
}

/// Keeps what only the public API understands; nothing when there is nothing.
fn to_opaque<M: Message>(rest: &M) -> Result<Opaque, Unfit> {
    Opaque::try_from(rest.to_protobuf().to_vec()).at("")
}

/// What only the public API understands. What cannot be read here was kept by another version.
fn from_opaque<M: Message>(opaque: &Opaque) -> M {
    if opaque.is_empty() {
        return M::default();
    }
    M::from_protobuf(opaque.as_bytes()).unwrap_or_default()
}

/// A text that is not there is an empty one.
fn text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// Bytes that are not there are none.
fn bytes(bytes: &[u8]) -> Option<Bytes> {
    (!bytes.is_empty()).then(|| Bytes::copy_from_slice(bytes))
}

/// Converts what may be there.
fn optional<T, U: TryFrom<T>>(value: Option<T>, field: &str) -> Result<Option<U>, Unfit>
where
    U::Error: Into<Wrong>,
{
    value.map(U::try_from).transpose().at(field)
}
