//! Serves the connections of a node that speak HTTP/1.1, by hyper.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

use super::route::What;
use super::{BODY_MAX, Body, Call, Respond, Response, StatusCode, gzip, introspection};
use crate::net::Stream;
use crate::node::Node;

/// Longest time a client may take to send its headers.
const HEADERS: Duration = Duration::from_secs(30);
/// Longest time a client may take to send a body: 16 MiB at 280 KB a second.
const BODY: Duration = Duration::from_secs(60);

/// Serves one connection whose first bytes, `opening`, were read.
pub(crate) async fn serve(node: Node, stream: Stream, opening: BytesMut) {
    let mut down = node.down();
    let service = service_fn(|request| {
        let node = node.clone();
        let accepts = gzip::accepted(request.headers());
        async move {
            let response = answer(&node, request).await;
            Ok::<_, Infallible>(gzip::compressed(accepts, response).await)
        }
    });
    let io = TokioIo::new(Rewound { opening, stream });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        // Names are the same however they are written, but not to every client.
        .title_case_headers(true)
        .serve_connection(io, service);
    tokio::select! {
        served = connection => if let Err(error) = served {
            tracing::debug!(%error, "http connection ended");
        },
        _ = down.wait_for(|down| *down) => {}
    }
}

async fn answer(node: &Node, request: hyper::Request<Incoming>) -> Response {
    node.counters().http_requests.add(1);
    let (parts, body) = request.into_parts();
    let announced = hyper::body::Body::size_hint(&body).lower();
    if announced > BODY_MAX as u64 {
        return too_large();
    }
    let body = tokio::time::timeout(BODY, Limited::new(body, BODY_MAX).collect());
    let body = match body.await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return too_large(),
        Ok(Err(_)) => return Response::error(StatusCode::BAD_REQUEST, "the body broke off\n"),
        Err(_) => return Response::error(StatusCode::REQUEST_TIMEOUT, "the body did not come\n"),
    };
    let path = parts.uri.path().trim_matches('/').to_owned();
    if !node.is_front_page(&path)
        && let Some(response) = introspection::answer(node, &path).await
    {
        return response;
    }
    let (id, below) = path.split_once('/').unwrap_or((&path, ""));
    let id = percent_decode(id);
    let (process, below) = match node.find(&id) {
        Some(process) => (Some(process), below),
        None => (node.front(), path.as_str()),
    };
    let Some(process) = process else {
        return Response::error(StatusCode::NOT_FOUND, "no such process; see /processes\n");
    };
    let (responder, response) = oneshot::channel();
    let request = ::http::Request::from_parts(parts, body);
    let what = What::Serve(Box::new(request), responder);
    node.call(
        process,
        Call {
            path: below.trim_matches('/').to_owned(),
            what,
        },
    );
    let unavailable = "the process gave no answer; try again\n";
    response
        .await
        .unwrap_or_else(|_| Response::error(StatusCode::SERVICE_UNAVAILABLE, unavailable))
}

fn too_large() -> Response {
    let text = format!("a body of over {BODY_MAX} bytes\n");
    Response::error(StatusCode::PAYLOAD_TOO_LARGE, text)
}

/// `%28` and the like: ids such as `agent(1)` reach us escaped by some clients.
fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = (first == b'%')
            .then(|| tail.get(..2))
            .flatten()
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(escaped.unwrap_or(first));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Body::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            Body::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Body::Stream(chunks) => chunks
                .poll_recv(cx)
                .map(|chunk| chunk.map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Body::Full(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Body::Stream(_) => SizeHint::default(),
        }
    }
}

/// A stream whose first bytes were read already.
struct Rewound {
    opening: BytesMut,
    stream: Stream,
}

impl AsyncRead for Rewound {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.opening.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let count = self.opening.len().min(buffer.remaining());
        buffer.put_slice(&self.opening[..count]);
        self.opening.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::percent_decode;

    #[test]
    fn escapes_are_read_and_broken_ones_kept() {
        assert_eq!(percent_decode("agent%281%29"), "agent(1)");
        assert_eq!(percent_decode("100%"), "100%");
        assert_eq!(percent_decode("%zz"), "%zz");
    }
}
