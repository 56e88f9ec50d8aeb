//! Bodies of requests and answers: which encoding they are in, and what is wrong with them.

use bytes::Bytes;
use thiserror::Error;

use super::codec::Message;
use super::codec::bounds::{Fault, FaultKind, MAX_MESSAGE_BYTES};

/// How a message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Encoding {
    /// JSON.
    Json,
    /// Protobuf.
    Protobuf,
}

impl Encoding {
    /// Both, the one that is preferred first.
    pub const ALL: [Encoding; 2] = [Encoding::Json, Encoding::Protobuf];

    /// Returns its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Encoding::Json => "application/json",
            Encoding::Protobuf => "application/x-protobuf",
        }
    }

    /// Returns the encoding of a media type. Case and parameters such as `charset` do not matter.
    pub fn from_media_type(text: &str) -> Option<Self> {
        let name = text.split(';').next().unwrap_or_default().trim();
        Self::ALL
            .into_iter()
            .find(|encoding| encoding.media_type().eq_ignore_ascii_case(name))
    }

    /// Writes a message.
    pub fn encode<M: Message>(self, message: &M) -> Bytes {
        match self {
            Encoding::Json => message.to_json(),
            Encoding::Protobuf => message.to_protobuf(),
        }
    }

    /// Reads a message.
    ///
    /// # Errors
    ///
    /// Says which field is wrong or missing, or that the body is too large.
    pub fn decode<M: Message>(self, body: &[u8]) -> Result<M, BadCall> {
        if body.len() > MAX_MESSAGE_BYTES {
            let length = body.len();
            return Err(BadCall::new(
                413,
                "",
                format!("The body has {length} bytes, more than {MAX_MESSAGE_BYTES}"),
            ));
        }
        let read = match self {
            Encoding::Json => M::from_json(body),
            Encoding::Protobuf => M::from_protobuf(body),
        };
        read.map_err(|fault| self.refuse(M::NAME, fault))
    }

    fn refuse(self, name: &str, fault: Fault) -> BadCall {
        let what = match (self, fault.kind) {
            (Encoding::Json, FaultKind::Syntax) => "Failed to parse body into JSON".to_owned(),
            (Encoding::Json, _) => format!("Failed to convert JSON into {name} protobuf"),
            (Encoding::Protobuf, _) => format!("Failed to parse body into {name} protobuf"),
        };
        BadCall::new(400, fault.field, format!("{what}: {}", fault.text))
    }
}

/// Why a request is not answered: the status and the text of the answer.
///
/// The texts begin as Apache Mesos's do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text}")]
pub struct BadCall {
    /// The status of the answer: 400, 406, 413, 415 or 501.
    pub status: u16,
    /// The path of the field, such as `accept.operations[0].launch`; empty where it is none.
    pub field: String,
    /// What is wrong, for people, the field included.
    pub text: String,
}

impl BadCall {
    pub(crate) fn new(status: u16, field: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            status,
            field: field.into(),
            text: text.into(),
        }
    }

    /// A call of `api` that cannot be what it says.
    pub(crate) fn invalid(api: &str, fault: Fault) -> Self {
        let status = if fault.kind == FaultKind::Unknown {
            501
        } else {
            400
        };
        Self::new(
            status,
            fault.field,
            format!("Failed to validate {api}: {}", fault.text),
        )
    }
}

/// The body that goes with the type of a message, or the type, is not there.
pub(crate) fn absent(field: &'static str) -> Fault {
    let text = format!("Expecting '{field}' to be present");
    Fault {
        kind: FaultKind::Missing,
        field: field.to_owned(),
        text,
    }
}

/// The type of a message is the one that says nothing.
pub(crate) fn unknown_type() -> Fault {
    let text = "The type UNKNOWN asks for nothing".to_owned();
    Fault {
        kind: FaultKind::Unknown,
        field: "type".to_owned(),
        text,
    }
}

/// Reads the encoding of a request from its `Content-Type`.
///
/// # Errors
///
/// 400 when there is none, 415 when it is another.
pub fn request_encoding(content_type: Option<&str>) -> Result<Encoding, BadCall> {
    let Some(content_type) = content_type else {
        return Err(BadCall::new(
            400,
            "",
            "Expecting 'Content-Type' to be present",
        ));
    };
    Encoding::from_media_type(content_type).ok_or_else(|| {
        BadCall::new(
            415,
            "",
            "Expecting 'Content-Type' of application/json or application/x-protobuf",
        )
    })
}
