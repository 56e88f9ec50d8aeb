//! The far end of an executor that speaks HTTP: a process that says what an executor accepts as
//! events, on the response of its subscription.
//!
//! To the rest of the agent it is the executor. It lives as long as the connection; an executor
//! that subscribes again gets another one.

use std::collections::VecDeque;
use std::time::Duration;

use api::executor::{Acknowledged, Executing, FromFramework, Kill, Launch, LaunchGroup};
use api::executor::{Reconnect, Registered, Shutdown};
use api::recordio;
use api::v1::Encoding;
use api::v1::executor::{Event, EventBody};
use bytes::Bytes;
use libproc::prelude::*;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};

/// How often an executor is told that its agent is there, as often as Apache Mesos does.
const HEARTBEAT: Duration = Duration::from_secs(30 * 60);
/// Records handed to the connection that it has not written: a few, it takes them as they come.
const RECORDS_MAX: usize = 16;
/// Bytes that wait for an executor that does not read: the tasks of a few thousand launches, with
/// a megabyte of data in some.
const WAITING_BYTES_MAX: usize = 64 << 20;

/// Makes a stream of events and the body it is read from.
pub(super) fn open(encoding: Encoding, agent: Upid) -> (ExecutorStream, mpsc::Receiver<Bytes>) {
    let (records, body) = mpsc::channel(RECORDS_MAX);
    let stream = ExecutorStream {
        encoding,
        agent,
        records,
        waiting: VecDeque::new(),
        waiting_bytes: 0,
        reserving: false,
        ending: false,
        alive: watch::Sender::new(()),
    };
    (stream, body)
}

/// A body of this one event.
pub(super) fn only(encoding: Encoding, event: EventBody) -> mpsc::Receiver<Bytes> {
    let (records, body) = mpsc::channel(1);
    // There is room for one, and the receiver is here.
    let _ = records.try_send(record(encoding, &event.into()));
    body
}

fn record(encoding: Encoding, event: &Event) -> Bytes {
    recordio::encode(&encoding.encode(event))
}

/// The stream of events to an executor.
pub(super) struct ExecutorStream {
    encoding: Encoding,
    agent: Upid,
    records: mpsc::Sender<Bytes>,
    /// Records for which the connection has no room yet.
    waiting: VecDeque<Bytes>,
    waiting_bytes: usize,
    /// Whether room was asked for.
    reserving: bool,
    /// Whether the stream ends with what waits.
    ending: bool,
    /// Gone with the process: whatever waits on its behalf then lets go of the connection.
    alive: watch::Sender<()>,
}

impl ExecutorStream {
    fn send(&mut self, event: &Event, ctx: &mut Context<Self>) {
        let record = record(self.encoding, event);
        self.waiting_bytes += record.len();
        self.waiting.push_back(record);
        if self.waiting_bytes > WAITING_BYTES_MAX {
            // It subscribes again, and says what it has missed.
            let waiting = self.waiting.len();
            tracing::warn!(stream = %ctx.upid(), waiting, "executor does not read its events");
            return ctx.terminate();
        }
        self.write(ctx);
    }

    /// Hands what waits to the connection, as far as there is room.
    fn write(&mut self, ctx: &mut Context<Self>) {
        while let Some(record) = self.waiting.pop_front() {
            let length = record.len();
            match self.records.try_send(record) {
                Ok(()) => self.waiting_bytes -= length,
                Err(TrySendError::Full(record)) => {
                    self.waiting.push_front(record);
                    return self.write_later(ctx);
                }
                Err(TrySendError::Closed(_)) => return ctx.terminate(),
            }
        }
        if self.ending {
            ctx.terminate();
        }
    }

    fn write_later(&mut self, ctx: &mut Context<Self>) {
        if self.reserving {
            return;
        }
        self.reserving = true;
        let (records, mut alive) = (self.records.clone(), self.alive.subscribe());
        let room = async move {
            tokio::select! {
                // The room is given back at once, and taken by the write.
                room = records.reserve() => drop(room),
                _ = alive.changed() => {}
            }
        };
        ctx.defer(room, |stream, (), ctx| {
            stream.reserving = false;
            stream.write(ctx);
        });
    }

    fn beat_later(ctx: &mut Context<Self>) {
        ctx.after(HEARTBEAT, |stream, ctx| {
            stream.send(&EventBody::Heartbeat.into(), ctx);
            Self::beat_later(ctx);
        });
    }
}

impl Actor for ExecutorStream {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let agent = self.agent.clone();
        ctx.link(&agent);
        let (records, mut alive) = (self.records.clone(), self.alive.subscribe());
        let closed = async move {
            tokio::select! {
                () = records.closed() => {}
                _ = alive.changed() => {}
            }
        };
        ctx.defer(closed, |_, (), ctx| ctx.terminate());
        Self::beat_later(ctx);
    }
}

impl Process for ExecutorStream {
    type Protocol = Executing;
}

macro_rules! events {
    ($($message:ty,)*) => { $(
        impl Handler<$message> for ExecutorStream {
            type Result = ();
            fn handle(&mut self, message: $message, ctx: &mut Context<Self>) {
                // Others of the cluster know where the agent is, not what is said in its name.
                if ctx.sender() == Some(&self.agent) {
                    self.send(&Event::from(&message), ctx);
                }
            }
        }
    )* };
}

events! {
    Registered,
    Launch,
    LaunchGroup,
    Kill,
    Acknowledged,
    FromFramework,
    Shutdown,
}

impl Handler<Reconnect> for ExecutorStream {
    type Result = ();
    fn handle(&mut self, _: Reconnect, _: &mut Context<Self>) {
        // Its connection broke with the agent before this one, so it comes back by itself.
    }
}

impl Handler<Exited> for ExecutorStream {
    type Result = ();
    fn handle(&mut self, _: Exited, ctx: &mut Context<Self>) {
        self.ending = true;
        self.write(ctx);
    }
}
