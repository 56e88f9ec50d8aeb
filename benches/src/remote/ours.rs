//! The cases between two libproc nodes, from the asking side.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use libproc::Blob;
use libproc::prelude::*;
use tokio::sync::oneshot;

use super::case::{Case, Kind};
use super::sink::{self, Bare, Count, DOOR, Doors, Echo, Load, Sinking, Used, Where};
use crate::measure::latency::Latency;
use crate::measure::pace;
use crate::measure::reading::Reading;

/// Messages after which a sender lets others have their turn, and asks to be told how far the
/// receiver is.
const BURST: u64 = 1000;
/// Bytes of messages that may be on their way: well below what a node keeps for a peer.
const WINDOW_BYTES: u64 = 4 << 20;
/// Messages that may be: well below what a sink's mailbox holds.
const WINDOW_MESSAGES: u64 = 100_000;
/// About what a message weighs beside its payload.
const OVERHEAD: u64 = 40;

/// Asks the node at `address` where its bare sockets are.
pub(super) fn find_bare(address: SocketAddr) -> io::Result<Bare> {
    ask_door(address, Where {})
}

/// Asks the node at `address` how much processor time its side has used.
pub(super) fn used(address: SocketAddr) -> io::Result<Duration> {
    ask_door(address, Used {}).map(Duration::from_nanos)
}

fn ask_door<M: Wire>(address: SocketAddr, question: M) -> io::Result<M::Result>
where
    Doors: Accepts<M>,
{
    libproc::run_alone(async {
        let node = Node::bind(&beside(address)).await?;
        let door = Pid::<Doors>::assume(Upid::new(DOOR, address).map_err(io::Error::other)?);
        let answer = node.ask(&door, question).await.map_err(io::Error::other);
        node.shutdown().await;
        answer
    })
}

/// An address to bind from which `address` can be reached, and which it can reach.
fn beside(address: SocketAddr) -> String {
    match (address.ip().is_loopback(), address.is_ipv4()) {
        (true, _) => SocketAddr::new(address.ip(), 0).to_string(),
        (false, true) => "0.0.0.0:0".to_owned(),
        (false, false) => "[::]:0".to_owned(),
    }
}

/// Measures `case` against the node at `address`, from a node with so many arbiters.
pub(super) fn measure(
    case: Case,
    address: SocketAddr,
    arbiters: usize,
) -> io::Result<Vec<Reading>> {
    libproc::run(async {
        let node = Node::builder()
            .workers(arbiters)
            .bind(&beside(address))
            .await?;
        let targets = match case.kind {
            Kind::OneWay { targets } => targets,
            Kind::Ask { .. } | Kind::Paced { .. } => 1,
        };
        let upid = |number| Upid::new(sink::id(number), address).map_err(io::Error::other);
        let sinks: Result<Vec<Pid<Sinking>>, _> = (0..targets)
            .map(|number| upid(number).map(Pid::assume))
            .collect();
        let sinks = sinks?;
        let readings = match case.kind {
            Kind::OneWay { .. } => one_way(&node, case, sinks).await,
            Kind::Ask { in_flight } => ask(&node, case, &sinks[0], in_flight).await,
            Kind::Paced { per_second } => paced(&node, case, &sinks[0], per_second).await,
        };
        node.shutdown().await;
        readings
    })
}

/// Tells a case's count of messages to `sinks` in turn, and waits until all have come.
async fn one_way(node: &Node, case: Case, sinks: Vec<Pid<Sinking>>) -> io::Result<Vec<Reading>> {
    let before = counted(node, &sinks).await?;
    let (done, finished) = oneshot::channel();
    let window = WINDOW_BYTES / (case.bytes as u64 + OVERHEAD);
    let sender = Sender {
        payload: Blob::from(vec![7; case.bytes]),
        left: case.count,
        window: window.clamp(2 * BURST, WINDOW_MESSAGES),
        unheard: 0,
        bursting: true,
        sinks: sinks.clone(),
        done: Some(done),
    };
    let sender = node.spawn("sender", sender);
    let began = Instant::now();
    node.tell(&sender, Burst {});
    finished.await.map_err(io::Error::other)??;
    let elapsed = began.elapsed();
    let came = counted(node, &sinks).await? - before;
    if came != case.count {
        return Err(io::Error::other(format!(
            "{came} of {} messages came",
            case.count
        )));
    }
    let each = elapsed.as_nanos() as f64 / case.count as f64;
    Ok(vec![Reading::time(case.name, case.of, each)])
}

/// How many messages the sinks counted, ever.
async fn counted(node: &Node, sinks: &[Pid<Sinking>]) -> io::Result<u64> {
    let mut sum = 0;
    for sink in sinks {
        sum += node.ask(sink, Count {}).await.map_err(io::Error::other)?;
    }
    Ok(sum)
}

protocol! {
    /// What a sender accepts.
    protocol Sending {
        message Burst {};
    }
}

/// Sends bursts, as far ahead of the receiver as its window allows.
struct Sender {
    payload: Blob,
    sinks: Vec<Pid<Sinking>>,
    left: u64,
    window: u64,
    /// Messages of which no sink has said yet that it had them.
    unheard: u64,
    /// The next burst is on its way.
    bursting: bool,
    done: Option<oneshot::Sender<io::Result<()>>>,
}

impl Sender {
    fn heard(&mut self, count: u64, answer: Result<u64, AskError>, ctx: &mut Context<Self>) {
        self.unheard -= count;
        let ended = match answer {
            Err(error) => Some(Err(io::Error::other(error))),
            Ok(_) if self.left == 0 && self.unheard == 0 => Some(Ok(())),
            Ok(_) => None,
        };
        if let Some(ended) = ended
            && let Some(done) = self.done.take()
        {
            // Whoever measures waits until this, or has given up.
            drop(done.send(ended));
        }
        self.burst_again(ctx);
    }

    fn burst_again(&mut self, ctx: &mut Context<Self>) {
        if !self.bursting && self.left > 0 && self.unheard + BURST <= self.window {
            self.bursting = true;
            ctx.tell(&ctx.pid(), Burst {});
        }
    }
}

impl Actor for Sender {
    type Context = Context<Self>;
}

impl Process for Sender {
    type Protocol = Sending;
}

impl Handler<Burst> for Sender {
    type Result = ();
    fn handle(&mut self, _: Burst, ctx: &mut Context<Self>) {
        let count = self.left.min(BURST);
        let targets = self.sinks.len() as u64;
        for number in self.left - count..self.left {
            let sink = &self.sinks[(number % targets) as usize];
            let bytes = self.payload.clone();
            ctx.tell(sink, Load { bytes });
        }
        self.left -= count;
        self.unheard += count;
        self.bursting = false;
        // What is sent to one node arrives in order, so an answer covers the burst before it.
        let asked = ctx.ask(&self.sinks[0], Count {});
        ctx.defer(asked, move |this, answer, ctx| {
            this.heard(count, answer, ctx)
        });
        self.burst_again(ctx);
    }
}

protocol! {
    /// What somebody who asks accepts.
    protocol Asking {
        message Begin {};
        /// Ask what was due so many nanoseconds after the beginning.
        message Due { nanoseconds: u64 };
    }
}

/// What an asker has to tell at the end.
struct Asked {
    /// From when each question was sent.
    sent: Latency,
    /// From when it was due.
    due: Latency,
}

/// Asks and asks again, or whenever it is told to.
struct Asker {
    sink: Pid<Sinking>,
    payload: Blob,
    in_flight: u64,
    began: Instant,
    left: u64,
    unanswered: u64,
    asked: Asked,
    done: Option<oneshot::Sender<Result<Asked, AskError>>>,
}

impl Asker {
    fn ask(&mut self, due: Instant, again: bool, ctx: &mut Context<Self>) {
        if self.left == 0 {
            return;
        }
        self.left -= 1;
        let sent = if again { due } else { Instant::now() };
        let bytes = self.payload.clone();
        let asked = ctx.ask(&self.sink, Echo { bytes });
        ctx.defer(asked, move |this, answer, ctx| {
            let now = Instant::now();
            this.asked.sent.record((now - sent).as_nanos() as u64);
            this.asked.due.record((now - due).as_nanos() as u64);
            this.answered(answer);
            if again {
                this.ask(now, again, ctx);
            }
        });
    }

    fn answered(&mut self, answer: Result<Blob, AskError>) {
        self.unanswered -= 1;
        let ended = match answer {
            Err(error) => Err(error),
            Ok(_) if self.unanswered == 0 => Ok(Asked {
                sent: std::mem::take(&mut self.asked.sent),
                due: std::mem::take(&mut self.asked.due),
            }),
            Ok(_) => return,
        };
        if let Some(done) = self.done.take() {
            // Whoever measures waits until this, or has given up.
            drop(done.send(ended));
        }
    }
}

impl Actor for Asker {
    type Context = Context<Self>;
}

impl Process for Asker {
    type Protocol = Asking;
    // Whatever is due waits here while the other side stalls.
    const CAPACITY: u32 = u32::MAX;
}

impl Handler<Begin> for Asker {
    type Result = ();
    fn handle(&mut self, _: Begin, ctx: &mut Context<Self>) {
        for _ in 0..self.in_flight {
            self.ask(Instant::now(), true, ctx);
        }
    }
}

impl Handler<Due> for Asker {
    type Result = ();
    fn handle(&mut self, Due { nanoseconds }: Due, ctx: &mut Context<Self>) {
        self.ask(self.began + Duration::from_nanos(nanoseconds), false, ctx);
    }
}

/// An asker of `case`, and what comes of it.
#[allow(clippy::type_complexity, reason = "a channel of a result, once")]
fn asker(
    case: Case,
    sink: &Pid<Sinking>,
    in_flight: u64,
    began: Instant,
) -> (Asker, oneshot::Receiver<Result<Asked, AskError>>) {
    let (done, finished) = oneshot::channel();
    let asker = Asker {
        sink: sink.clone(),
        payload: Blob::from(vec![7; case.bytes]),
        in_flight,
        began,
        left: case.count,
        unanswered: case.count,
        asked: Asked {
            sent: Latency::new(),
            due: Latency::new(),
        },
        done: Some(done),
    };
    (asker, finished)
}

/// Asks with so many questions under way at once.
async fn ask(
    node: &Node,
    case: Case,
    sink: &Pid<Sinking>,
    in_flight: u64,
) -> io::Result<Vec<Reading>> {
    node.ask(sink, Count {}).await.map_err(io::Error::other)?;
    let (asker, finished) = asker(case, sink, in_flight, Instant::now());
    let asker = node.spawn("asker", asker);
    let began = Instant::now();
    node.tell(&asker, Begin {});
    let asked = finished
        .await
        .map_err(io::Error::other)?
        .map_err(io::Error::other)?;
    let each = began.elapsed().as_nanos() as f64 / case.count as f64;
    Ok(vec![
        Reading::time(case.name, case.of, each).with_latency(asked.sent),
    ])
}

/// Asks whenever it is time to, answered or not.
async fn paced(
    node: &Node,
    case: Case,
    sink: &Pid<Sinking>,
    per_second: u64,
) -> io::Result<Vec<Reading>> {
    node.ask(sink, Count {}).await.map_err(io::Error::other)?;
    let began = Instant::now();
    let (asker, finished) = asker(case, sink, 1, began);
    let asker = node.spawn("asker", asker);
    let teller = node.clone();
    let pacer = pace::start(began, per_second, case.count, move |nanoseconds| {
        teller.tell(&asker, Due { nanoseconds });
    });
    let asked = finished
        .await
        .map_err(io::Error::other)?
        .map_err(io::Error::other)?;
    pace::ended(pacer)?;
    Ok(pace::readings(case.name, asked.due, asked.sent))
}
