//! A subscription: one attempt to have one, the events of its stream, and how it ends.

use std::time::Duration;

use api::recordio::{Decoder, RecordError};
use api::v1::Message as _;
use api::v1::scheduler::{Call, Event};
use http_body_util::BodyExt as _;
use hyper::StatusCode;
use hyper::body::Incoming;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::News;
use super::event::{Heard, heard};
use super::exchange::{Connection, STREAM_ID, Shown, Trouble, leader, reason};
use crate::address::MasterAddress;
use crate::session::Input;

/// Longest event that is read, in bytes: offers of thousands of agents fit.
const EVENT_MAX: usize = 64 << 20;
/// How many masters may send us on to others before we take them for confused.
const HOPS_MAX: usize = 5;
/// The stream is given up after this many heartbeats that did not come.
const HEARTBEATS_MISSED: u32 = 5;
/// How often heartbeats come where the master does not say.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// The shortest silence that a stream is given up for.
const SILENCE_MIN: Duration = Duration::from_secs(5);

/// Why there is no subscription, or no more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum End {
    #[error(transparent)]
    Trouble(#[from] Trouble),
    #[error("the master cannot take frameworks in just now: {0}")]
    Unready(String),
    #[error("the master refused the subscription: {0}")]
    Refused(String),
    #[error("masters send us from one to the other")]
    Hops,
    #[error("the answer names no stream")]
    NoStream,
    #[error("the stream broke: {0}")]
    Broken(hyper::Error),
    #[error("the stream is none of records: {0}")]
    Records(#[from] RecordError),
    #[error("the master closed the stream")]
    Closed,
    #[error("the master was silent for {0:?}")]
    Silent(Duration),
}

/// Subscribes at a master, or the one that it sends us to, and tells what the stream says until it
/// ends. Nobody listens any more when telling fails: then it ends as well.
pub(super) async fn subscription(
    mut at: MasterAddress,
    call: Call,
    shown: Shown,
    news: mpsc::Sender<News>,
) -> End {
    for _ in 0..=HOPS_MAX {
        let attempt = async {
            let mut connection = Connection::open(&at, &shown).await?;
            let response = connection.post(&call, &shown, None).await?;
            Ok::<_, Trouble>((connection, response))
        };
        let (connection, response) = match attempt.await {
            Ok(answered) => answered,
            Err(trouble) => return trouble.into(),
        };
        if let Some(leader) = leader(&response) {
            tracing::info!(master = %at, %leader, "sent on to the leading master");
            at = leader;
            continue;
        }
        let status = response.status();
        if status != StatusCode::OK {
            let reason = reason(response).await;
            // What a client does wrong it does wrong again; a page that is not there may come.
            let refused = status.is_client_error() && status != StatusCode::NOT_FOUND;
            return match refused {
                true => End::Refused(reason),
                false => End::Unready(reason),
            };
        }
        let stream_id = response.headers().get(STREAM_ID);
        let Some(stream_id) = stream_id.and_then(|id| id.to_str().ok()) else {
            return End::NoStream;
        };
        let stream_id = stream_id.to_owned();
        let opened = News::Opened {
            at,
            peer: connection.peer,
            stream_id,
        };
        if news.send(opened).await.is_err() {
            return End::Closed;
        }
        let ended = events(response.into_body(), &news).await;
        drop(connection);
        return ended;
    }
    End::Hops
}

/// Tells the events of a stream until it ends.
async fn events(mut body: Incoming, news: &mpsc::Sender<News>) -> End {
    let mut records = Decoder::new(EVENT_MAX);
    let mut patience = HEARTBEAT * HEARTBEATS_MISSED;
    loop {
        let frame = match timeout(patience, body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(error))) => return End::Broken(error),
            Ok(None) => return End::Closed,
            Err(_) => return End::Silent(patience),
        };
        let Some(piece) = frame.data_ref() else {
            continue; // trailers
        };
        records.push(piece);
        loop {
            let record = match records.next_record() {
                Ok(Some(record)) => record,
                Ok(None) => break,
                Err(error) => return error.into(),
            };
            let input = match read(&record) {
                Ok(Heard::Nothing) => continue,
                Ok(Heard::Input(input)) => input,
                Ok(Heard::Subscribed(subscribed, interval)) => {
                    let silence = interval
                        .unwrap_or(HEARTBEAT)
                        .saturating_mul(HEARTBEATS_MISSED);
                    patience = silence.max(SILENCE_MIN);
                    Input::Subscribed(subscribed)
                }
                Err(error) => {
                    tracing::warn!(error, "event of the master cannot be read");
                    continue;
                }
            };
            if news.send(News::Heard(Box::new(input))).await.is_err() {
                return End::Closed;
            }
        }
    }
}

fn read(record: &[u8]) -> Result<Heard, String> {
    let event = Event::from_protobuf(record).map_err(|fault| fault.text)?;
    heard(event).map_err(|unfit| unfit.to_string())
}
