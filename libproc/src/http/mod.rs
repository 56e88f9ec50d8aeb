//! HTTP on the port of a node: a route is a function run in a turn of its process.

mod bodies;
mod guard;
mod gzip;
pub(crate) mod introspection;
mod route;
pub(crate) mod server;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

pub use ::http::{HeaderMap, Method, StatusCode, header};
pub use guard::{Admission, Guard, Target};
pub use gzip::accepted as accepts_gzip;
pub use route::{Answer, Described, Routes};

pub(crate) use bodies::Bodies;
pub(crate) use route::{Call, RouteList};

/// Largest request body, in bytes: some tasks that bring whole programs, in base64. A node holds at
/// most four such bodies at once.
pub const BODY_MAX: usize = 48 << 20;

/// A request, its body read whole.
pub type Request = ::http::Request<Bytes>;

/// A response: status, headers and [`Body`].
pub type Response = ::http::Response<Body>;

/// The body of a response.
#[derive(Debug)]
pub enum Body {
    /// All of it.
    Full(Bytes),
    /// As it comes: each item is one chunk on the wire; it ends when the sender is dropped.
    Stream(mpsc::Receiver<Bytes>),
}

/// Makes responses.
pub trait Respond: Sized {
    /// A response with this status, content type and body.
    fn with(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self;

    /// 200 and plain text.
    fn text(text: impl ToString) -> Self {
        Self::with(
            StatusCode::OK,
            "text/plain; charset=utf-8",
            text.to_string(),
        )
    }

    /// 200 and JSON.
    fn json(value: &impl serde::Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self::with(StatusCode::OK, "application/json", body),
            Err(error) => Self::error(StatusCode::INTERNAL_SERVER_ERROR, error),
        }
    }

    /// A failure, and what to say of it.
    fn error(status: StatusCode, text: impl ToString) -> Self {
        Self::with(status, "text/plain; charset=utf-8", text.to_string())
    }
}

impl Respond for Response {
    fn with(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response {
        let mut response = Response::new(Body::Full(body.into()));
        *response.status_mut() = status;
        let content_type = header::HeaderValue::from_static(content_type);
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, content_type);
        response
    }
}

/// Where a route's response goes.
pub(crate) type Responder = oneshot::Sender<Response>;
