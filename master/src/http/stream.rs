//! The process of a scheduler that speaks HTTP: what the master tells it becomes events of a
//! stream. It ends with its stream, as the process of any other scheduler ends with its connection.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api::scheduler::Update;
use api::scheduler::{Failure, FromExecutor, Offers, Rejected, Rescind, Scheduling, Subscribed};
use api::v1::scheduler::{Event, EventBody};
use libproc::prelude::*;
use tokio::sync::oneshot;
use types::FrameworkInfo;

use super::sink::{Sink, WeakSink};

/// The time between two heartbeats.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(15);

/// What a framework says of itself, which decides how it is shown offers.
#[derive(Debug, Clone)]
pub(crate) struct Shown(Arc<Mutex<FrameworkInfo>>);

impl Shown {
    pub(crate) fn new(info: FrameworkInfo) -> Self {
        Self(Arc::new(Mutex::new(info)))
    }

    /// The framework says something else of itself.
    pub(crate) fn set(&self, info: FrameworkInfo) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = info;
    }

    fn offers(&self, offers: &Offers) -> Event {
        let info = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Event::offers(offers, &info)
    }
}

/// A stream as the master's books have it.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    /// What the calls of the scheduler name.
    pub(crate) id: String,
    pub(crate) events: WeakSink,
    pub(crate) shown: Shown,
}

/// The process of a scheduler that speaks HTTP.
pub(crate) struct SchedulerStream {
    master: Upid,
    events: Sink,
    shown: Shown,
    /// Dropped with the process: then nobody waits for the reader to go.
    alive: Option<oneshot::Sender<()>>,
}

impl SchedulerStream {
    /// The process of one that hears `master` only.
    pub(crate) fn new(master: Upid, events: Sink, shown: Shown) -> Self {
        Self {
            master,
            events,
            shown,
            alive: None,
        }
    }

    fn tell(&self, event: &Event, ctx: &mut Context<Self>) {
        if let Err(broken) = self.events.send(event) {
            tracing::info!(scheduler = %ctx.upid(), %broken, "stream of events ended");
            ctx.terminate();
        }
    }

    fn beat(&self, ctx: &mut Context<Self>) {
        self.tell(&EventBody::Heartbeat.into(), ctx);
        ctx.after(HEARTBEAT, Self::beat_again);
    }

    fn beat_again(&mut self, ctx: &mut Context<Self>) {
        self.beat(ctx);
    }
}

impl Actor for SchedulerStream {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.link(&self.master.clone());
        let (alive, ended) = oneshot::channel::<()>();
        self.alive = Some(alive);
        let closed = self.events.closed();
        let over = async move {
            tokio::select! {
                biased;
                _ = ended => {}
                () = closed => {}
            }
        };
        ctx.defer(over, |_, (), ctx| ctx.terminate());
    }
}

impl Process for SchedulerStream {
    type Protocol = Scheduling;
}

impl Handler<Exited> for SchedulerStream {
    type Result = ();
    fn handle(&mut self, _: Exited, ctx: &mut Context<Self>) {
        // Nobody has anything to tell any more; the scheduler looks for another master.
        ctx.terminate();
    }
}

impl Handler<Subscribed> for SchedulerStream {
    type Result = ();
    fn handle(&mut self, message: Subscribed, ctx: &mut Context<Self>) {
        if ctx.sender() != Some(&self.master) {
            return;
        }
        let mut event = Event::from(&message);
        if let Some(subscribed) = &mut event.subscribed {
            subscribed.heartbeat_interval_seconds = Some(HEARTBEAT.as_secs_f64());
            if let Some(master) = &mut subscribed.master_info {
                master.version = Some(api::v1::VERSION.to_owned());
            }
        }
        self.tell(&event, ctx);
        // Some clients see an event only when the next one begins.
        self.beat(ctx);
    }
}

impl Handler<Offers> for SchedulerStream {
    type Result = ();
    fn handle(&mut self, message: Offers, ctx: &mut Context<Self>) {
        if ctx.sender() == Some(&self.master) {
            self.tell(&self.shown.offers(&message), ctx);
        }
    }
}

macro_rules! events {
    ($($message:ident),*) => { $(
        impl Handler<$message> for SchedulerStream {
            type Result = ();
            fn handle(&mut self, message: $message, ctx: &mut Context<Self>) {
                if ctx.sender() == Some(&self.master) {
                    self.tell(&Event::from(&message), ctx);
                }
            }
        }
    )* };
}

events!(Rescind, Update, Failure, FromExecutor);

impl Handler<Rejected> for SchedulerStream {
    type Result = ();
    fn handle(&mut self, message: Rejected, ctx: &mut Context<Self>) {
        if ctx.sender() == Some(&self.master) {
            self.tell(&Event::from(&message), ctx);
            ctx.terminate();
        }
    }
}
