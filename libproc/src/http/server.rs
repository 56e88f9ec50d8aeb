//! Serves the connections of a node that speak HTTP/1.1, by hyper.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::oneshot;

use super::introspection::{self, percent_decode};
use super::route::What;
use super::{Admission, Body, Call, Method, Respond, Response, StatusCode, Target};
use super::{bodies, gzip, header};
use crate::net::{Rewound, Stream};
use crate::node::Node;
use crate::security::{HttpAccess, HttpClient, Scheme, Seat};

/// Longest time a client may take to send the headers of its first request.
const HEADERS: Duration = Duration::from_secs(30);
/// Longest time a connection may rest between requests, the headers of the next one included.
/// Clients of the public API keep one for their calls, come back to it after hours, and take it
/// for an error when it is gone. How many there may be is limited elsewhere.
const REST: Duration = Duration::from_secs(24 * 60 * 60);

/// Who is at the other end of a connection.
pub(crate) struct Visitor {
    client: HttpClient,
    /// Kept until a request shows that the client may come.
    seat: Seat,
}

impl Visitor {
    pub(crate) fn new(client: HttpClient, seat: Seat) -> Visitor {
        Visitor { client, seat }
    }

    /// What to tell it when it may not have a request served.
    fn denial(&self, node: &Node, head: &::http::request::Parts) -> Option<Response> {
        let scheme = node.security().scheme();
        let access = node.security().http_access(&scheme);
        if access != HttpAccess::Anybody {
            let reads = matches!(head.method, Method::GET | Method::HEAD);
            let page = introspection::is_page(head.uri.path().trim_matches('/'));
            let shown = head.headers.get(header::AUTHORIZATION);
            let shown = shown.and_then(|value| value.to_str().ok());
            if !access.allows(self.client, &scheme, reads && page, shown) {
                node.counters().denied_requests.add(1);
                return Some(denied(&scheme));
            }
        }
        self.seat.vacate();
        None
    }
}

fn denied(scheme: &Scheme) -> Response {
    if !matches!(scheme, Scheme::Secret(_)) {
        let text = "This needs a certificate of the cluster.\n";
        return Response::error(StatusCode::FORBIDDEN, text);
    }
    let text =
        "This needs `Authorization: Bearer TOKEN`, with the token of the cluster's secret.\n";
    let mut response = Response::error(StatusCode::UNAUTHORIZED, text);
    let bearer = header::HeaderValue::from_static("Bearer");
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, bearer);
    response
}

/// Serves one connection whose first bytes, `opening`, were read.
pub(crate) async fn serve(node: Node, stream: Stream, opening: BytesMut, visitor: Visitor) {
    let mut down = node.down();
    let visitor = &visitor;
    let asked = AtomicBool::new(false);
    let service = service_fn(|request| {
        asked.store(true, Ordering::Relaxed);
        let node = node.clone();
        let accepts = gzip::accepted(request.headers());
        async move {
            let response = answer(&node, request, visitor).await;
            Ok::<_, Infallible>(gzip::compressed(accepts, response).await)
        }
    });
    let io = TokioIo::new(Rewound { opening, stream });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REST)
        // Names are the same however they are written, but not to every client.
        .title_case_headers(true)
        .serve_connection(io, service);
    tokio::select! {
        served = connection => if let Err(error) = served {
            tracing::debug!(%error, "http connection ended");
        },
        () = late(&asked) => tracing::debug!("http client sent no request"),
        () = visitor.seat.evicted() => node.counters().evicted_connections.add(1),
        _ = down.wait_for(|down| *down) => {}
    }
}

/// Comes true when nothing was asked in time.
async fn late(asked: &AtomicBool) {
    tokio::time::sleep(HEADERS).await;
    if asked.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

/// Answers a request, and counts it.
async fn answer(node: &Node, request: hyper::Request<Incoming>, visitor: &Visitor) -> Response {
    let counters = node.counters();
    counters.http_requests.add(1);
    let latency = counters.http_latency.start();
    let response = respond(node, request, visitor).await;
    drop(latency);
    let class = usize::from(response.status().as_u16() / 100).saturating_sub(1);
    if let Some(counter) = counters.http_responses.get(class) {
        counter.add(1);
    }
    response
}

async fn respond(node: &Node, request: hyper::Request<Incoming>, visitor: &Visitor) -> Response {
    let (mut parts, body) = request.into_parts();
    let admission = match node.http_guard() {
        Some(guard) => {
            let target = target(node, parts.uri.path());
            guard(&mut parts, target)
        }
        None => Admission::Open,
    };
    let denial = match &admission {
        // Who has not shown that it may come at all, is not told how else it might.
        Admission::Open | Admission::Refused(_) => visitor.denial(node, &parts),
        Admission::Shown => {
            visitor.seat.vacate();
            None
        }
    };
    if let Some(response) = denial {
        return response;
    }
    if let Admission::Refused(response) = admission {
        return response;
    }
    let (body, _held) = match bodies::read(node, body).await {
        Ok(read) => read,
        Err(bad) => return bad.into(),
    };
    let path = parts.uri.path().trim_matches('/').to_owned();
    if !node.leaves(&path)
        && let Some(response) = introspection::answer(node, &path, &parts).await
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

/// What a path is of.
fn target(node: &Node, path: &str) -> Target {
    let path = path.trim_matches('/');
    match introspection::is_page(path) && !node.leaves(path) {
        true => Target::Page,
        false => Target::Process,
    }
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
