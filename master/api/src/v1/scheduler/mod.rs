//! The scheduler API: what a framework and the master say to each other.

pub mod call;
pub mod constraints;
pub mod event;

pub use call::{Call, CallBody, CallType};
pub use constraints::OfferConstraints;
pub use event::{Event, EventBody, EventType};

use crate::v1::body::{BadCall, absent, request_encoding};

impl Call {
    /// Reads the call of a request and checks that it is whole: a type, its body, the framework.
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
        let invalid = |fault| BadCall::invalid("scheduler::Call", fault);
        let kind = self.body_kind().map_err(invalid)?;
        if kind != CallType::Subscribe && self.framework_id.is_none() {
            return Err(invalid(absent("framework_id")));
        }
        Ok(())
    }
}
