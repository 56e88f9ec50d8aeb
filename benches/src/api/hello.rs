//! The limit for calls: hyper answering requests with nothing, on a thread of its own.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::JoinHandle;

use anyhow::{Context as _, anyhow};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use nix::time::{ClockId, clock_gettime};
use tokio::sync::oneshot;

pub(super) struct Hello {
    pub(super) address: SocketAddr,
    over: oneshot::Sender<()>,
    thread: JoinHandle<std::io::Result<f64>>,
}

impl Hello {
    pub(super) fn start() -> anyhow::Result<Hello> {
        let (over, end) = oneshot::channel();
        let (bound, address) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            libproc::run_alone(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
                let _ = bound.send(listener.local_addr()?);
                let serve = async {
                    while let Ok((stream, _)) = listener.accept().await {
                        let _ = stream.set_nodelay(true);
                        let builder = hyper::server::conn::http1::Builder::new();
                        let io = TokioIo::new(stream);
                        tokio::task::spawn_local(builder.serve_connection(io, service_fn(answer)));
                    }
                };
                tokio::select! {
                    () = serve => {}
                    _ = end => {}
                }
                let spent = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?;
                Ok(spent.tv_sec() as f64 + spent.tv_nsec() as f64 / 1e9)
            })
        });
        let address = address.recv().context("hyper did not start")?;
        Ok(Hello {
            address,
            over,
            thread,
        })
    }

    /// Ends it; how much processor time it took, in seconds.
    pub(super) fn end(self) -> anyhow::Result<f64> {
        drop(self.over);
        let ended = self.thread.join();
        Ok(ended.map_err(|_| anyhow!("hyper panicked"))??)
    }
}

/// Reads a request whole, as whoever understands it has to.
async fn answer(request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, Infallible> {
    let _ = request.into_body().collect().await;
    let mut response = Response::new(Empty::new());
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}
