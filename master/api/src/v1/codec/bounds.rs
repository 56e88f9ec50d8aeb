//! Where in a message the reader is, and how much it may still take.

use std::cell::{Cell, RefCell};
use std::fmt;

use thiserror::Error;

/// Most bytes of one message that is read: a launch of many tasks with megabytes of data fits.
pub const MAX_MESSAGE_BYTES: usize = 48 << 20;

/// Most bytes of memory that the lists and maps of one message may take, because two bytes on the
/// wire can ask for an element of a kilobyte.
pub const MAX_MEMORY_BYTES: usize = 256 << 20;

/// Most levels of nesting. The deepest message, a launch with a volume of a container, has 14; ids
/// of containers in containers may add theirs.
pub const MAX_DEPTH: u32 = 64;

/// Why a body is no message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text}")]
pub struct Fault {
    /// What is wrong with it.
    pub kind: FaultKind,
    /// The path of the field, such as `accept.operations[0].launch`; empty for the whole.
    pub field: String,
    /// The same for people, the field included.
    pub text: String,
}

/// What is wrong with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// It is no JSON, or no protobuf.
    Syntax,
    /// A field cannot have the value.
    Value,
    /// A required field is missing.
    Missing,
    /// It is too large, or nested too deep.
    Limit,
    /// Its type is the one that says nothing.
    Unknown,
}

/// What the readers of one message share.
#[derive(Debug)]
pub struct Bounds {
    memory_bytes: Cell<usize>,
    fault: RefCell<Option<Fault>>,
}

impl Bounds {
    pub(crate) fn new() -> Self {
        Self {
            memory_bytes: Cell::new(MAX_MEMORY_BYTES),
            fault: RefCell::new(None),
        }
    }

    /// What went wrong, once the error of a deserializer could only carry a text.
    pub(crate) fn into_fault(self) -> Option<Fault> {
        self.fault.into_inner()
    }
}

/// Where in a message the reader is: a path that is put together only when something is wrong.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    above: Option<&'a Place<'a>>,
    step: Step<'a>,
    depth: u32,
    bounds: &'a Bounds,
}

#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Root,
    Field(&'static str),
    Item(usize),
    Key(&'a str),
}

impl<'a> Place<'a> {
    pub(crate) fn root(bounds: &'a Bounds) -> Self {
        Self {
            above: None,
            step: Step::Root,
            depth: 0,
            bounds,
        }
    }

    pub(crate) fn field(&'a self, name: &'static str) -> Place<'a> {
        Self {
            above: Some(self),
            step: Step::Field(name),
            depth: self.depth + 1,
            ..*self
        }
    }

    pub(crate) fn item(&'a self, index: usize) -> Place<'a> {
        Self {
            above: Some(self),
            step: Step::Item(index),
            ..*self
        }
    }

    pub(crate) fn key(&'a self, key: &'a str) -> Place<'a> {
        Self {
            above: Some(self),
            step: Step::Key(key),
            ..*self
        }
    }

    /// Fails when this is too deep.
    pub(crate) fn check_depth(&self) -> Result<(), Fault> {
        if self.depth > MAX_DEPTH {
            let text = format!("The message is nested deeper than {MAX_DEPTH} levels");
            return Err(self.fault(FaultKind::Limit, text));
        }
        Ok(())
    }

    /// Takes memory for an element of a list.
    pub(crate) fn charge(&self, bytes: usize) -> Result<(), Fault> {
        match self.bounds.memory_bytes.get().checked_sub(bytes) {
            Some(left) => {
                self.bounds.memory_bytes.set(left);
                Ok(())
            }
            None => {
                let text = format!("The message takes more than {MAX_MEMORY_BYTES} bytes");
                Err(self.fault(FaultKind::Limit, text))
            }
        }
    }

    /// The value of this field is not possible; `why` follows the name of the field.
    pub(crate) fn convert(&self, why: impl fmt::Display) -> Fault {
        self.fault(FaultKind::Value, format!("Field '{self}' {why}"))
    }

    /// The field cannot have a value of this JSON type.
    pub(crate) fn unexpected(&self, json: &str) -> Fault {
        let text = match self.step {
            Step::Root => "Expecting a JSON object".to_owned(),
            Step::Field(_) | Step::Item(_) | Step::Key(_) => {
                format!("Not expecting a JSON {json} for field '{self}'")
            }
        };
        self.fault(FaultKind::Value, text)
    }

    /// A field below this place is required, and not there.
    pub(crate) fn missing(&self, name: &'static str) -> Fault {
        let place = self.field(name);
        place.fault(
            FaultKind::Missing,
            format!("Missing required fields: {place}"),
        )
    }

    /// The bytes here are no protobuf.
    pub(crate) fn garbled(&self, error: &prost::DecodeError) -> Fault {
        let text = match self.step {
            Step::Root => error.to_string(),
            Step::Field(_) | Step::Item(_) | Step::Key(_) => format!("Field '{self}': {error}"),
        };
        self.fault(FaultKind::Syntax, text)
    }

    /// Keeps the fault, of which the error of a deserializer can only carry the text.
    pub(crate) fn keep<E: serde::de::Error>(&self, fault: Fault) -> E {
        let error = E::custom(&fault.text);
        self.bounds.fault.replace(Some(fault));
        error
    }

    fn fault(&self, kind: FaultKind, text: String) -> Fault {
        Fault {
            kind,
            field: self.to_string(),
            text,
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// A key of a map is a peer's text: no more of it is repeated than this.
        const MAX_KEY_CHARACTERS: usize = 40;
        if let Some(above) = self.above {
            above.fmt(f)?;
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Field(name) => {
                let first = self
                    .above
                    .is_none_or(|above| matches!(above.step, Step::Root));
                write!(f, "{}{name}", if first { "" } else { "." })
            }
            Step::Item(index) => write!(f, "[{index}]"),
            Step::Key(key) => {
                let key: String = key.chars().take(MAX_KEY_CHARACTERS).collect();
                write!(f, "[{key:?}]")
            }
        }
    }
}
