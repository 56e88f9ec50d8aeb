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

use super::introspection::{self, percent_decode};
use super::route::What;
use super::{BODY_MAX, Body, Call, Respond, Response, StatusCode};
use crate::net::Stream;
use crate::node::Node;

/// Longest time a client may take to send its headers.
const HEADERS: Duration = Duration::from_secs(30);

/// Serves one connection whose first bytes, `opening`, were read.
pub(crate) async fn serve(node: Node, stream: Stream, opening: BytesMut) {
    let mut down = node.down();
    let service = service_fn(|request| {
        let node = node.clone();
        async move { Ok::<_, Infallible>(answer(&node, request).await) }
    });
    let io = TokioIo::new(Rewound { opening, stream });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .serve_connection(io, service);
    tokio::select! {
        served = connection => if let Err(error) = served {
            tracing::debug!(%error, "http connection ended");
        },
        _ = down.wait_for(|down| *down) => {}
    }
}

/// Answers a request, and counts it.
async fn answer(node: &Node, request: hyper::Request<Incoming>) -> Response {
    let counters = node.counters();
    counters.http_requests.add(1);
    let latency = counters.http_latency.start();
    let response = respond(node, request).await;
    drop(latency);
    let class = usize::from(response.status().as_u16() / 100).saturating_sub(1);
    if let Some(counter) = counters.http_responses.get(class) {
        counter.add(1);
    }
    response
}

async fn respond(node: &Node, request: hyper::Request<Incoming>) -> Response {
    let (parts, body) = request.into_parts();
    let announced = hyper::body::Body::size_hint(&body).lower();
    if announced > BODY_MAX as u64 {
        return too_large();
    }
    let body = match Limited::new(body, BODY_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return too_large(),
        Err(_) => return Response::error(StatusCode::BAD_REQUEST, "the body broke off\n"),
    };
    let path = parts.uri.path().trim_matches('/').to_owned();
    if let Some(response) = introspection::answer(node, &path, &parts).await {
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
    let context = parts.headers.get("traceparent");
    let context = context.and_then(|context| context.to_str().ok()?.trim().parse().ok());
    let request = ::http::Request::from_parts(parts, body);
    let call = Call {
        path: below.trim_matches('/').to_owned(),
        what: What::Serve(Box::new(request), responder),
        context,
    };
    node.call(process, call);
    let unavailable = "the process gave no answer; try again\n";
    response
        .await
        .unwrap_or_else(|_| Response::error(StatusCode::SERVICE_UNAVAILABLE, unavailable))
}

fn too_large() -> Response {
    let text = format!("a body of over {BODY_MAX} bytes\n");
    Response::error(StatusCode::PAYLOAD_TOO_LARGE, text)
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
