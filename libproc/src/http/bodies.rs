//! Bodies of requests: read whole, and all of them together bounded.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};

use super::{BODY_MAX, Respond as _, Response, StatusCode};
use crate::node::Node;

/// Longest time a client may take to send a body: 48 MiB at 840 KB a second.
const TIME: Duration = Duration::from_secs(60);
/// So many bytes of a body are read whatever else is held: calls of every day pass large ones by.
const SMALL: usize = 64 << 10;
/// So many bytes of bodies a node holds at once, beyond what is small of each: from when they come
/// until the request is answered.
const HELD_MAX: usize = 4 * BODY_MAX;

/// What a node holds of bodies, in bytes.
#[derive(Debug, Default)]
pub(crate) struct Bodies(AtomicUsize);

/// A part of that: given back when this is dropped.
pub(super) struct Held<'a> {
    bodies: &'a Bodies,
    bytes: usize,
}

/// Why a body was not read.
pub(super) enum BadBody {
    TooLarge,
    /// Other bodies take all the room there is.
    NoRoom,
    BrokeOff,
    Late,
}

impl From<BadBody> for Response {
    fn from(bad: BadBody) -> Response {
        let (status, text) = match bad {
            BadBody::TooLarge => {
                let text = format!("a body of over {BODY_MAX} bytes\n");
                return Response::error(StatusCode::PAYLOAD_TOO_LARGE, text);
            }
            BadBody::NoRoom => (
                StatusCode::SERVICE_UNAVAILABLE,
                "other large bodies are being read; try again\n",
            ),
            BadBody::BrokeOff => (StatusCode::BAD_REQUEST, "the body broke off\n"),
            BadBody::Late => (StatusCode::REQUEST_TIMEOUT, "the body did not come\n"),
        };
        Response::error(status, text)
    }
}

impl Bodies {
    fn hold(&self) -> Held<'_> {
        Held {
            bodies: self,
            bytes: 0,
        }
    }
}

impl Held<'_> {
    /// Holds as much as a body of this length takes; false when there is no room.
    ///
    /// Who finds none gives up what it has, so that bodies never wait for each other.
    fn grow_to(&mut self, length: usize) -> bool {
        let wanted = length.saturating_sub(SMALL);
        let more = wanted.saturating_sub(self.bytes);
        if more == 0 {
            return true;
        }
        let before = self.bodies.0.fetch_add(more, Ordering::Relaxed);
        self.bytes += more;
        before + more <= HELD_MAX
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.bodies.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Reads a body; what it takes is held until the second part is dropped.
pub(super) async fn read(node: &Node, body: Incoming) -> Result<(Bytes, Held<'_>), BadBody> {
    if body.size_hint().lower() > BODY_MAX as u64 {
        return Err(BadBody::TooLarge);
    }
    let reading = tokio::time::timeout(TIME, read_all(node.bodies(), body));
    reading.await.unwrap_or(Err(BadBody::Late))
}

async fn read_all(bodies: &Bodies, mut body: Incoming) -> Result<(Bytes, Held<'_>), BadBody> {
    let mut held = bodies.hold();
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BadBody::BrokeOff)?.into_data() else {
            continue; // trailers
        };
        let length = first.len() + whole.len() + data.len();
        if length > BODY_MAX {
            return Err(BadBody::TooLarge);
        }
        if !held.grow_to(length) {
            return Err(BadBody::NoRoom);
        }
        if first.is_empty() && whole.is_empty() {
            first = data; // mostly all of it
            continue;
        }
        whole.extend_from_slice(&std::mem::take(&mut first));
        whole.extend_from_slice(&data);
    }
    if whole.is_empty() {
        return Ok((first, held));
    }
    Ok((whole.freeze(), held))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_bodies_share_what_room_there_is_and_small_ones_need_none() {
        let bodies = Bodies::default();
        let mut four: Vec<_> = (0..4).map(|_| bodies.hold()).collect();
        assert!(four.iter_mut().all(|held| held.grow_to(BODY_MAX)));
        let mut fifth = bodies.hold();
        assert!(fifth.grow_to(SMALL));
        assert!(!fifth.grow_to(BODY_MAX));
        drop(fifth);
        four.pop();
        assert!(bodies.hold().grow_to(BODY_MAX));
        drop(four);
        assert_eq!(bodies.0.load(Ordering::Relaxed), 0);
    }
}
