//! The actors that tests of this crate share.
#![allow(dead_code, unreachable_pub, reason = "each test file uses some of it")]

pub mod raw;

use std::time::Duration;

use libproc::DeadReason;
use libproc::prelude::*;

protocol! {
    /// What a counter accepts.
    pub protocol Counting {
        message Add { by: u64 } -> u64;
        message AddLater { by: u64, after_ms: u64 } -> u64;
        message Hold {} -> u64;
        message Store {
            bytes: String,
        } -> u64;
        message Quit {};
        message Panic { text: String };
        message PanicLater { text: String };
        message Watch { whom: Upid, listener: Pid<Listening> };
        message Greet {};
        message Slow { ms: u64 };
        message AskFor { counter: Pid<Counting>, by: u64, listener: Pid<Listening> };
        message Tick { times: u64, listener: Pid<Listening> };
    }
}

protocol! {
    /// What a listener accepts.
    pub protocol Listening {
        message Total { total: u64 };
        message Gone { whom: Upid, how: String };
    }
}

protocol! {
    /// A later version of [`Counting`]: a message more, and a field more.
    pub protocol CountingLater {
        message Add2 { by: u64 } -> u64;
        message Reset {};
    }
}

/// Adds up; answers, panics and quits on demand.
#[derive(Default)]
pub struct Counter {
    total: u64,
    held: Vec<Answer<u64>>,
    listener: Option<Pid<Listening>>,
}

impl Actor for Counter {
    type Context = Context<Self>;
}

impl Process for Counter {
    type Protocol = Counting;
    const CAPACITY: u32 = 10_000;
    fn routes(routes: &mut Routes<Self>) {
        routes.get("total", |counter, _, _| http::Response::text(counter.total));
        routes.post("total", Self::set);
        routes.get("total/later", |_, _, ctx| {
            let (answer, later) = Later::new();
            ctx.after(Duration::from_secs(1), |counter, _| {
                answer.send(http::Response::text(counter.total));
            });
            later
        });
    }
}

impl Counter {
    pub fn starting_at(total: u64) -> Counter {
        Counter {
            total,
            ..Counter::default()
        }
    }

    fn set(&mut self, request: http::Request, _: &mut Context<Self>) -> http::Response {
        match std::str::from_utf8(request.body())
            .ok()
            .and_then(|text| text.parse().ok())
        {
            Some(total) => {
                self.total = total;
                http::Response::text("set")
            }
            None => http::Response::error(http::StatusCode::BAD_REQUEST, "not a number"),
        }
    }
}

impl Handler<Add> for Counter {
    type Result = u64;
    fn handle(&mut self, Add { by }: Add, _: &mut Context<Self>) -> u64 {
        self.total += by;
        self.total
    }
}

impl Handler<AddLater> for Counter {
    type Result = Later<u64>;
    fn handle(&mut self, message: AddLater, ctx: &mut Context<Self>) -> Later<u64> {
        let (answer, later) = Later::new();
        ctx.after(
            Duration::from_millis(message.after_ms),
            move |counter, _| {
                counter.total += message.by;
                answer.send(counter.total);
            },
        );
        later
    }
}

impl Handler<Hold> for Counter {
    type Result = Later<u64>;
    fn handle(&mut self, _: Hold, _: &mut Context<Self>) -> Later<u64> {
        let (answer, later) = Later::new();
        self.held.push(answer);
        later
    }
}

impl Handler<Store> for Counter {
    type Result = u64;
    fn handle(&mut self, Store { bytes }: Store, _: &mut Context<Self>) -> u64 {
        self.total += 1;
        bytes.len() as u64
    }
}

impl Handler<Quit> for Counter {
    type Result = ();
    fn handle(&mut self, _: Quit, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

impl Handler<Panic> for Counter {
    type Result = ();
    fn handle(&mut self, Panic { text }: Panic, _: &mut Context<Self>) {
        panic!("{text}");
    }
}

impl Handler<PanicLater> for Counter {
    type Result = ();
    fn handle(&mut self, PanicLater { text }: PanicLater, ctx: &mut Context<Self>) {
        ctx.defer(async move { panic!("{text}") }, |_, (), _| {});
    }
}

impl Handler<Watch> for Counter {
    type Result = ();
    fn handle(&mut self, Watch { whom, listener }: Watch, ctx: &mut Context<Self>) {
        self.listener = Some(listener);
        ctx.link(&whom);
        ctx.link(&whom); // which changes nothing
    }
}

impl Handler<Exited> for Counter {
    type Result = ();
    fn handle(&mut self, Exited { upid, reason }: Exited, ctx: &mut Context<Self>) {
        if let Some(listener) = &self.listener {
            ctx.tell(
                listener,
                Gone {
                    whom: upid,
                    how: reason.to_string(),
                },
            );
        }
    }
}

impl Handler<Greet> for Counter {
    type Result = ();
    fn handle(&mut self, _: Greet, ctx: &mut Context<Self>) {
        ctx.reply::<Listening, _>(Total { total: self.total });
    }
}

impl Handler<Slow> for Counter {
    type Result = ();
    fn handle(&mut self, Slow { ms }: Slow, _: &mut Context<Self>) {
        std::thread::sleep(Duration::from_millis(ms));
        self.total += 1;
    }
}

impl Handler<AskFor> for Counter {
    type Result = ();
    fn handle(&mut self, message: AskFor, ctx: &mut Context<Self>) {
        let asked = ctx.ask(&message.counter, Add { by: message.by });
        ctx.defer(asked, move |_, total, ctx| {
            let total = total.unwrap_or(u64::MAX);
            ctx.tell(&message.listener, Total { total });
        });
    }
}

impl Handler<Tick> for Counter {
    type Result = ();
    fn handle(&mut self, Tick { times, listener }: Tick, ctx: &mut Context<Self>) {
        ctx.tell(&listener, Total { total: times });
        if times > 0 {
            let again = TickAgain(Tick {
                times: times - 1,
                listener,
            });
            ctx.delay(Duration::from_secs(60), again);
        }
    }
}

/// A local message: the next tick.
pub struct TickAgain(Tick);

impl Message for TickAgain {
    type Result = ();
}

impl Handler<TickAgain> for Counter {
    type Result = ();
    fn handle(&mut self, TickAgain(tick): TickAgain, ctx: &mut Context<Self>) {
        self.handle(tick, ctx);
    }
}

/// How many letters of a node died for `reason`.
pub fn dead(node: &Node, reason: DeadReason) -> u64 {
    node.dead_letters()
        .find(|(other, _)| *other == reason)
        .map_or(0, |(_, count)| count)
}

/// Runs on this thread, with real sockets and real time.
pub fn alone(test: impl Future<Output = ()>) {
    let bounded = async {
        tokio::time::timeout(Duration::from_secs(60), test)
            .await
            .expect("a test ends in a minute");
        Ok(())
    };
    libproc::run_alone(bounded).expect("a runtime starts");
}

/// A node on a free port.
pub async fn node() -> Node {
    Node::bind("127.0.0.1:0").await.expect("a free port")
}

/// Runs on this thread, on virtual time.
pub fn paused(test: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime starts");
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

/// A node where another was, once that has let go of the port.
pub async fn node_again(address: std::net::SocketAddr, security: libproc::Security) -> Node {
    loop {
        let builder = Node::builder().security(security.clone());
        match builder.bind(&address.to_string()).await {
            Ok(node) => return node,
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                tokio::task::yield_now().await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// Asks, once more if the connection was that to a node that has gone.
pub async fn add_again(from: &Node, to: &Pid<Counting>, by: u64) -> Result<u64, AskError> {
    loop {
        match from.ask(to, Add { by }).await {
            Err(AskError::Unreachable) => {}
            answer => return answer,
        }
    }
}
