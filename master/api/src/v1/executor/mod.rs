//! The executor API: what an executor and its agent say to each other.

pub mod call;
pub mod event;

pub use call::{Call, CallBody, CallType};
pub use event::{Event, EventBody, EventType};

use crate::v1::body::{BadCall, request_encoding};

impl Call {
    /// Reads the call of a request and checks that it is whole: a type and its body.
    ///
    /// # Errors
    ///
    /// The status and the text of the answer.
    pub fn from_bytes(content_type: Option<&str>, body: &[u8]) -> Result<Call, BadCall> {
        let call: Call = request_encoding(content_type)?.decode(body)?;
        call.check()?;
        Ok(call)
    }

    /// Checks that the call is whole.
    ///
    /// # Errors
    ///
    /// Says what is not there.
    pub fn check(&self) -> Result<(), BadCall> {
        let kind = self.body_kind();
        kind.map(|_| ())
            .map_err(|fault| BadCall::invalid("Executor::Call", fault))
    }
}
