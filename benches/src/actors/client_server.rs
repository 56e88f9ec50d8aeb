//! libprocess's `ClientServer` and `ThroughputPerformance`: clients that keep so many pings in
//! flight, to one server or to one each.

use std::io;

use libproc::prelude::*;

use super::stage::{Countdown, Load, each, timed, warmed};
use crate::measure::reading::{Each, Reading};

/// Clients of one server.
const CLIENTS: u64 = 8;
/// Requests of each.
const REQUESTS: u64 = 10_000;
/// Of which so many are under way at once.
const IN_FLIGHT: u64 = 250;
/// Bytes that go there and back.
const TEXT: &str = "111";
/// Messages of all pairs together: a fifth of what libprocess sends.
const THROUGHPUT: u64 = 3_000_000;
/// Of each pair, so many are under way at once.
const THROUGHPUT_IN_FLIGHT: u64 = 1000;

protocol! {
    /// What a server accepts.
    protocol Serving {
        message Ping { text: String };
    }
}

protocol! {
    /// What a client accepts.
    protocol Pinging {
        message Run {};
        message Pong { text: String };
    }
}

/// Answers whoever pings.
struct Server;

impl Actor for Server {
    type Context = Context<Self>;
}

impl Process for Server {
    type Protocol = Serving;
}

impl Handler<Ping> for Server {
    type Result = ();
    fn handle(&mut self, Ping { text }: Ping, ctx: &mut Context<Self>) {
        ctx.reply::<Pinging, _>(Pong { text });
    }
}

struct Client {
    server: Pid<Serving>,
    text: &'static str,
    in_flight: u64,
    left: u64,
    unanswered: u64,
    countdown: Countdown,
}

impl Client {
    fn ping(&mut self, ctx: &mut Context<Self>) {
        if self.left > 0 {
            self.left -= 1;
            let text = self.text.to_owned();
            ctx.tell(&self.server, Ping { text });
        }
    }
}

impl Actor for Client {
    type Context = Context<Self>;
}

impl Process for Client {
    type Protocol = Pinging;
}

impl Handler<Run> for Client {
    type Result = ();
    fn handle(&mut self, _: Run, ctx: &mut Context<Self>) {
        for _ in 0..self.in_flight {
            self.ping(ctx);
        }
    }
}

impl Handler<Pong> for Client {
    type Result = ();
    fn handle(&mut self, _: Pong, ctx: &mut Context<Self>) {
        self.unanswered -= 1;
        match self.unanswered {
            0 => self.countdown.down(),
            _ => self.ping(ctx),
        }
    }
}

/// What clients do, and how many.
struct Scene {
    servers: u64,
    clients: u64,
    requests: u64,
    in_flight: u64,
    text: &'static str,
}

async fn play(node: &Node, scene: &Scene) -> io::Result<Each> {
    let (countdown, finished) = Countdown::new(scene.clients);
    let server = |number| node.spawn(&format!("server-{number}"), Server);
    let servers: Vec<_> = (0..scene.servers).map(server).collect();
    let client = |number| {
        let client = Client {
            server: servers[(number % scene.servers) as usize].clone(),
            text: scene.text,
            in_flight: scene.in_flight,
            left: scene.requests,
            unanswered: scene.requests,
            countdown: countdown.clone(),
        };
        node.spawn(&format!("client-{number}"), client)
    };
    let clients: Vec<_> = (0..scene.clients).map(client).collect();
    let start = || clients.iter().for_each(|client| node.tell(client, Run {}));
    let (took, ()) = timed(finished, start).await?;
    Ok(each(&took, scene.clients * scene.requests))
}

pub(super) fn run(load: Load) -> io::Result<Vec<Reading>> {
    let each = warmed(load, async |node, load| {
        let scene = Scene {
            servers: 1,
            clients: CLIENTS,
            requests: load.of(REQUESTS),
            in_flight: IN_FLIGHT,
            text: TEXT,
        };
        play(node, &scene).await
    })?;
    Ok(vec![Reading::time("client-server", "request", each)])
}

pub(super) fn throughput(load: Load) -> io::Result<Vec<Reading>> {
    let each = warmed(load, async |node, load| {
        let pairs = load.arbiters as u64;
        let scene = Scene {
            servers: pairs,
            clients: pairs,
            requests: load.of(THROUGHPUT / pairs),
            in_flight: THROUGHPUT_IN_FLIGHT,
            text: "",
        };
        play(node, &scene).await
    })?;
    Ok(vec![Reading::time("throughput", "ping and pong", each)])
}
