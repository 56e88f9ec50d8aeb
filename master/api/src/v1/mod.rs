//! The public v1 API of Apache Mesos: its messages, in JSON and in protobuf.

pub mod agent;
pub mod authentication;
pub mod body;
pub mod codec;
pub mod convert;
pub mod executor;
pub mod maintenance;
pub mod master;
pub mod negotiate;
mod noun;
pub mod quota;
pub mod resource_provider;
pub mod scheduler;
pub mod target;
pub mod verbosity;

/// The version of Apache Mesos whose API this is: what clients decide by which of it they use.
pub const VERSION: &str = "1.11.0";

pub use body::{BadCall, Encoding};
pub use codec::Message;
pub use noun::*;
