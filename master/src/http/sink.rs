//! Sinks: a stream of events to one reader, in its encoding, of which only so much may wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use api::recordio;
use api::v1::{Encoding, Message};
use bytes::Bytes;
use libproc::http::Body;
use tokio::sync::mpsc;

/// So many events wait for a reader; one that is so far behind does not read any more.
pub(crate) const MAX_EVENTS: usize = 16_384;
/// So many bytes of events wait for a reader, or one event, however large it is.
pub(crate) const MAX_BYTES: usize = 16 << 20;

/// Why an event was not sent. The stream is of no use any longer: it would have a hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    /// The reader has gone.
    #[error("the reader has gone")]
    Gone,
    /// The reader does not read.
    #[error("more than {MAX_EVENTS} events or {MAX_BYTES} bytes wait for the reader")]
    Slow,
}

/// Where the events of a stream go in. The stream ends when the last one is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Sink {
    encoding: Encoding,
    chunks: mpsc::Sender<Bytes>,
    waiting: Arc<AtomicUsize>,
}

impl Sink {
    /// Opens a stream: what goes in, and the body of the response that comes out.
    pub(crate) fn open(encoding: Encoding) -> (Sink, Body) {
        let (sink, events) = Sink::behind(encoding);
        (sink, Body::Stream(events))
    }

    /// Opens a stream of which somebody passes the events on.
    pub(crate) fn behind(encoding: Encoding) -> (Sink, mpsc::Receiver<Bytes>) {
        let (chunks, receiver) = mpsc::channel(MAX_EVENTS);
        let waiting = Arc::default();
        let sink = Sink {
            encoding,
            chunks,
            waiting,
        };
        (sink, receiver)
    }

    /// How its events are written.
    pub(crate) fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Sends an event: one record, in one chunk.
    pub(crate) fn send<M: Message>(&self, event: &M) -> Result<(), Broken> {
        self.send_record(&self.encoding.encode(event))
    }

    /// Sends an event that is encoded already.
    pub(crate) fn send_record(&self, record: &[u8]) -> Result<(), Broken> {
        let record = recordio::encode(record);
        let waiting = self.waiting.load(Ordering::Relaxed);
        if waiting > 0 && waiting + record.len() > MAX_BYTES {
            return Err(Broken::Slow);
        }
        let chunk = Bytes::from_owner(Waiting::new(record, &self.waiting));
        self.chunks.try_send(chunk).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Broken::Slow,
            mpsc::error::TrySendError::Closed(_) => Broken::Gone,
        })
    }

    /// Waits until the reader has gone.
    pub(crate) fn closed(&self) -> impl Future<Output = ()> + Send + 'static {
        let chunks = self.chunks.clone();
        async move { chunks.closed().await }
    }

    /// Returns a sink that does not keep the stream open.
    pub(crate) fn downgrade(&self) -> WeakSink {
        WeakSink {
            encoding: self.encoding,
            chunks: self.chunks.downgrade(),
            waiting: self.waiting.clone(),
        }
    }
}

/// A [`Sink`] that does not keep its stream open.
#[derive(Debug, Clone)]
pub(crate) struct WeakSink {
    encoding: Encoding,
    chunks: mpsc::WeakSender<Bytes>,
    waiting: Arc<AtomicUsize>,
}

impl WeakSink {
    /// The sink, if its stream is open.
    pub(crate) fn upgrade(&self) -> Option<Sink> {
        Some(Sink {
            encoding: self.encoding,
            chunks: self.chunks.upgrade()?,
            waiting: self.waiting.clone(),
        })
    }
}

/// A record that counts as waiting until it is written.
struct Waiting {
    record: Bytes,
    waiting: Arc<AtomicUsize>,
}

impl Waiting {
    fn new(record: Bytes, waiting: &Arc<AtomicUsize>) -> Self {
        waiting.fetch_add(record.len(), Ordering::Relaxed);
        let waiting = waiting.clone();
        Self { record, waiting }
    }
}

impl AsRef<[u8]> for Waiting {
    fn as_ref(&self) -> &[u8] {
        &self.record
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.waiting.fetch_sub(self.record.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receiver(body: Body) -> mpsc::Receiver<Bytes> {
        match body {
            Body::Stream(receiver) => receiver,
            Body::Full(_) => panic!("a stream of events is a stream"),
        }
    }

    #[test]
    fn a_record_is_one_chunk() {
        let (sink, body) = Sink::open(Encoding::Json);
        assert_eq!(sink.send_record(b"{}"), Ok(()));
        assert_eq!(receiver(body).try_recv().unwrap(), "2\n{}");
    }

    #[test]
    fn only_so_many_bytes_wait_and_reading_makes_room() {
        let (sink, body) = Sink::open(Encoding::Json);
        let mut chunks = receiver(body);
        let half = vec![b'x'; MAX_BYTES / 2 + 1];
        assert_eq!(sink.send_record(&half), Ok(()));
        assert_eq!(sink.send_record(&half), Err(Broken::Slow));
        drop(chunks.try_recv());
        assert_eq!(sink.send_record(&half), Ok(()));
        drop(chunks.try_recv());
        let huge = vec![b'x'; MAX_BYTES * 2];
        assert_eq!(sink.send_record(&huge), Ok(()), "an event that waits alone");
    }

    #[test]
    fn only_so_many_events_wait() {
        let (sink, body) = Sink::open(Encoding::Json);
        for _ in 0..MAX_EVENTS {
            assert_eq!(sink.send_record(b"{}"), Ok(()));
        }
        assert_eq!(sink.send_record(b"{}"), Err(Broken::Slow));
        drop(body);
        assert_eq!(sink.send_record(b"{}"), Err(Broken::Gone));
    }

    #[test]
    fn a_weak_sink_does_not_keep_a_stream_open() {
        let (sink, body) = Sink::open(Encoding::Json);
        let weak = sink.downgrade();
        assert!(weak.upgrade().is_some());
        drop(sink);
        assert!(weak.upgrade().is_none());
        let ended = mpsc::error::TryRecvError::Disconnected;
        assert_eq!(receiver(body).try_recv(), Err(ended));
    }
}
