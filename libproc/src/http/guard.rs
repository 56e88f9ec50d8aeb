//! Guards: what is asked of every HTTP request before its body is read, beyond what the security of
//! the node asks.

use std::sync::Arc;

use ::http::request::Parts;

use super::Response;

/// Looks at the head of a request; what it learns of the client it may leave among the extensions,
/// for the routes. It is told whether the request is for a page of the node itself.
pub type Guard = Arc<dyn Fn(&mut Parts, Target) -> Admission + Send + Sync>;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A page of the node: `processes`, `metrics`, `help`.
    Page,
    /// A process, which may ask for more.
    Process,
}

/// What a guard says of a request.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "there is one of it at a time, on the stack"
)]
pub enum Admission {
    /// It may come, if the security of the node has nothing against it.
    Open,
    /// It has shown who it is: the security of the node is not asked.
    Shown,
    /// It may not, and is answered so.
    Refused(Response),
}
