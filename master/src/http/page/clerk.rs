//! The clerk: writes what is long of the pages on a thread of its own, all of them in turn.

use std::io::Write as _;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use api::recordio;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use libproc::http::{Body, Request, Response, StatusCode, accepts_gzip, header};
use tokio::sync::{Notify, mpsc};

use super::{PARTS_WAITING, Page};
use crate::http::refusal::Refusal;

/// So many long pages are under way at once, each for a reader that may take its time.
const MAX_PAGES: usize = 256;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Writes pages, the long ones on a thread that starts with the first of them and ends with this.
#[derive(Debug, Default)]
pub(crate) struct Clerk {
    desk: OnceLock<Option<mpsc::UnboundedSender<Work>>>,
    under_way: Arc<AtomicUsize>,
}

/// A page that is under way.
struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Clerk {
    /// Answers a request with the page that `write` writes.
    ///
    /// # Errors
    ///
    /// 503 when too many long pages are under way.
    pub(crate) fn answer<F>(
        &self,
        request: &Request,
        content_type: &'static str,
        write: impl FnOnce(Page) -> F,
    ) -> Result<Response, Refusal>
    where
        F: Future<Output = Page> + Send + 'static,
    {
        let (parts, body) = mpsc::channel(PARTS_WAITING);
        let unread = Arc::new(Notify::new());
        let mut writing = Box::pin(write(Page::new(Some(parts.clone()), unread.clone())));
        let first = writing
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        let mut response = match first {
            // libproc compresses what is whole.
            Poll::Ready(page) => Response::new(Body::Full(page.out.into())),
            Poll::Pending => {
                let compressed = accepts_gzip(request.headers());
                let given_up = async move {
                    tokio::select! {
                        () = parts.closed() => {}
                        () = unread.notified() => {}
                    }
                    tracing::info!("a page was not read to its end");
                };
                self.go_on(writing, given_up, body, compressed)?
            }
        };
        let content_type = header::HeaderValue::from_static(content_type);
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, content_type);
        Ok(response)
    }

    /// Puts what `write` writes before everything that comes from `events`, as its first record,
    /// and returns all of it; none if there is no thread to do that on.
    pub(crate) fn precede<F>(
        &self,
        mut events: mpsc::Receiver<Bytes>,
        write: impl FnOnce(Page) -> F,
    ) -> Option<mpsc::Receiver<Bytes>>
    where
        F: Future<Output = Page> + Send + 'static,
    {
        let desk = self.desk.get_or_init(desk).as_ref()?;
        let writing = write(Page::new(None, Arc::default()));
        let (chunks, all) = mpsc::channel(PARTS_WAITING);
        let pass_on = async move {
            let first = recordio::encode(&writing.await.out);
            let mut sent = chunks.send(first).await;
            while sent.is_ok()
                && let Some(event) = events.recv().await
            {
                sent = chunks.send(event).await;
            }
        };
        desk.send(Box::pin(pass_on)).ok()?;
        Some(all)
    }

    fn go_on(
        &self,
        writing: impl Future<Output = Page> + Send + 'static,
        given_up: impl Future<Output = ()> + Send + 'static,
        body: mpsc::Receiver<Bytes>,
        compressed: bool,
    ) -> Result<Response, Refusal> {
        let busy = |text| Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, text));
        let under_way = UnderWay(self.under_way.clone());
        if under_way.0.fetch_add(1, Ordering::Relaxed) >= MAX_PAGES {
            return busy("Too many pages are being read; try again");
        }
        let Some(desk) = self.desk.get_or_init(desk) else {
            return busy("There is no thread to write the page on; try again");
        };
        let page = async move {
            let _under_way = under_way;
            let written = async { writing.await.finish().await };
            tokio::select! {
                () = written => {}
                () = given_up => {}
            }
        };
        // The thread lives as long as there is a desk.
        let _ = desk.send(Box::pin(page));
        if !compressed {
            return Ok(Response::new(Body::Stream(body)));
        }
        let (short, shortened) = mpsc::channel(PARTS_WAITING);
        let _ = desk.send(Box::pin(compress(body, short)));
        let mut response = Response::new(Body::Stream(shortened));
        let gzip = header::HeaderValue::from_static("gzip");
        response
            .headers_mut()
            .insert(header::CONTENT_ENCODING, gzip);
        Ok(response)
    }
}

/// Starts the thread; none if the system has no more.
fn desk() -> Option<mpsc::UnboundedSender<Work>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let (desk, mut pages) = mpsc::unbounded_channel::<Work>();
    let mut work = move |runtime: tokio::runtime::Runtime| {
        runtime.block_on(async {
            while let Some(page) = pages.recv().await {
                tokio::spawn(page);
            }
        });
    };
    let started = runtime.and_then(|runtime| {
        let thread = std::thread::Builder::new().name("pages".to_owned());
        thread.spawn(move || work(runtime))
    });
    match started {
        Ok(_) => Some(desk),
        Err(error) => {
            tracing::error!(%error, "no thread for pages");
            None
        }
    }
}

/// Compresses a page part by part.
async fn compress(mut parts: mpsc::Receiver<Bytes>, short: mpsc::Sender<Bytes>) {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    while let Some(part) = parts.recv().await {
        // A vector takes everything.
        let _ = encoder.write_all(&part);
        let written = std::mem::take(encoder.get_mut());
        if !written.is_empty() && !sent(&short, written.into()).await {
            return;
        }
        tokio::task::yield_now().await;
    }
    if let Ok(rest) = encoder.finish() {
        sent(&short, rest.into()).await;
    }
}

async fn sent(short: &mpsc::Sender<Bytes>, part: Bytes) -> bool {
    let sent = tokio::time::timeout(super::PATIENCE, short.send(part)).await;
    matches!(sent, Ok(Ok(())))
}
