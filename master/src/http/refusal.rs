//! Refusals: requests that are answered with what is wrong with them, in words of Apache Mesos.

use api::v1::BadCall;
use api::v1::authentication::Realm;
use api::v1::convert::Unfit;
use libproc::http::{Method, Request, Respond, Response, StatusCode, header};

/// Why a request is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    status: StatusCode,
    text: String,
    /// The methods that are served, where it was another.
    allow: Option<&'static str>,
    /// How to say who one is, where that was not said.
    challenge: Option<String>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self {
            status,
            text: text.into(),
            allow: None,
            challenge: None,
        }
    }

    /// The client has not said who it is, or not as somebody who may come.
    pub(crate) fn challenge(realm: Realm) -> Self {
        Self {
            challenge: Some(realm.challenge()),
            ..Self::new(StatusCode::UNAUTHORIZED, "401 Unauthorized.")
        }
    }

    /// The request is wrong.
    pub(crate) fn bad(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    /// A field of a call is wrong.
    pub(crate) fn unfit(api: &str, unfit: &Unfit) -> Self {
        let Unfit { field, text } = unfit;
        if field.is_empty() || text.contains(&format!("'{field}'")) {
            return Self::bad(format!("Failed to validate {api}: {text}"));
        }
        Self::bad(format!("Failed to validate {api}: {text} (in '{field}')"))
    }
}

impl From<BadCall> for Refusal {
    fn from(bad: BadCall) -> Self {
        let status = StatusCode::from_u16(bad.status).unwrap_or(StatusCode::BAD_REQUEST);
        Self::new(status, bad.text)
    }
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Response {
        let mut response = Response::error(refusal.status, refusal.text);
        let challenge = refusal.challenge.map(header::HeaderValue::try_from);
        if let Some(Ok(challenge)) = challenge {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(allow) = refusal.allow {
            let allow = header::HeaderValue::from_static(allow);
            response.headers_mut().insert(header::ALLOW, allow);
        }
        response
    }
}

/// Refuses everything but POST.
pub(crate) fn only_post(request: &Request) -> Result<(), Refusal> {
    let method = request.method();
    if method == Method::POST {
        return Ok(());
    }
    let text =
        format!("405 Method Not Allowed. Expecting one of {{ 'POST' }}, but received '{method}'.");
    let refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, text);
    Err(Refusal {
        allow: Some("POST"),
        ..refusal
    })
}

/// The text of a header; none when it is not there or no text.
pub(crate) fn header_text(request: &Request, name: impl header::AsHeaderName) -> Option<&str> {
    request.headers().get(name)?.to_str().ok()
}
