//! The resource provider API: what a provider of resources and its agent say to each other.

pub mod call;
pub mod event;

pub use call::{Call, CallBody, CallType};
pub use event::{Event, EventBody, EventType};
