//! kameo's remote actors: over libp2p's TCP, encrypted, as it always is.

use common::{
    Call, Case, ask_from_one, call, end_with_input, measure_remote, on_tokio, print_remote,
};
use kameo::actor::{RemoteActorRef, Spawn};
use kameo::message::{Context, Message};
use kameo::{Actor, RemoteActor, mailbox, remote, remote_message};
use libp2p::futures::StreamExt as _;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, SwarmBuilder, noise, tcp, yamux};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use std::time::{Duration, Instant};

/// The name that the serving side's actor is found by.
const NAME: &str = "sink";
/// Tells under way at once: past a hundred, kameo fails them for want of streams.
const TELLS: u64 = 64;

#[derive(Actor, RemoteActor)]
struct Sink {
    count: u64,
}

#[derive(Serialize, Deserialize)]
struct Load(ByteBuf);

#[remote_message]
impl Message<Load> for Sink {
    type Reply = ();
    async fn handle(&mut self, _: Load, _: &mut Context<Self, ()>) {
        self.count += 1;
    }
}

#[derive(Serialize, Deserialize)]
struct Count;

#[remote_message]
impl Message<Count> for Sink {
    type Reply = u64;
    async fn handle(&mut self, _: Count, _: &mut Context<Self, u64>) -> u64 {
        self.count
    }
}

#[derive(Serialize, Deserialize)]
struct Echo(ByteBuf);

#[remote_message]
impl Message<Echo> for Sink {
    type Reply = Echoed;
    async fn handle(&mut self, Echo(bytes): Echo, _: &mut Context<Self, Echoed>) -> Echoed {
        Echoed(bytes)
    }
}

#[derive(Serialize, Deserialize, kameo::Reply)]
struct Echoed(ByteBuf);

/// Starts a swarm that listens on `listen`, or dials `dial`. As kameo's own bootstrap does it, but
/// without searching the local network.
fn bootstrap(listen: u16, dial: Option<u16>) -> anyhow::Result<()> {
    let mut swarm = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(
            tcp::Config::default(),
            noise::Config::new,
            yamux::Config::default,
        )?
        .with_behaviour(|key| {
            let peer = key.public().to_peer_id();
            Ok(remote::Behaviour::new(
                peer,
                remote::messaging::Config::default(),
            ))
        })?
        .build();
    swarm
        .behaviour()
        .try_init_global()
        .map_err(anyhow::Error::msg)?;
    let address = |port| format!("/ip4/127.0.0.1/tcp/{port}").parse::<Multiaddr>();
    swarm.listen_on(address(listen)?)?;
    if let Some(port) = dial {
        swarm.dial(address(port)?)?;
    }
    tokio::spawn(async move {
        loop {
            let event = swarm.select_next_some().await;
            // As kameo does it for whom its search finds: a lookup asks those whose address is known.
            if let SwarmEvent::ConnectionEstablished {
                peer_id, endpoint, ..
            } = event
            {
                swarm.add_peer_address(peer_id, endpoint.get_remote_address().clone());
            }
        }
    });
    Ok(())
}

async fn serve(port: u16) -> anyhow::Result<()> {
    end_with_input();
    bootstrap(port, None)?;
    let sink = Sink::spawn_with_mailbox(Sink { count: 0 }, mailbox::unbounded());
    sink.register(NAME).await?;
    println!("listening");
    std::future::pending().await
}

async fn find() -> anyhow::Result<RemoteActorRef<Sink>> {
    loop {
        // It may be found before it can be reached.
        if let Ok(Some(sink)) = RemoteActorRef::<Sink>::lookup(NAME).await
            && sink.ask(&Count).await.is_ok()
        {
            return Ok(sink);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn remote(port: u16, case: Case) -> anyhow::Result<()> {
    bootstrap(0, Some(port))?;
    let sink = find().await?;
    let payload = ByteBuf::from(vec![7; case.bytes]);
    let came = async || sink.ask(&Count).await.expect("it answers");
    if case.in_flight == 0 {
        let before = came().await;
        let load = Load(payload);
        let began = Instant::now();
        ask_from_one(case.count, TELLS, |_| async {
            sink.tell(&load).send_ack().await.expect("it is sent");
        })
        .await;
        assert_eq!(came().await - before, case.count, "messages were lost");
        print_remote("kameo-remote", &case, began.elapsed(), None);
        return Ok(());
    }
    let echo = Echo(payload);
    let ask = async || drop(sink.ask(&echo).await.expect("it answers"));
    measure_remote("kameo-remote", &case, async || {}, came, ask).await;
    Ok(())
}

fn main() -> anyhow::Result<()> {
    match call() {
        Call::Serve { port } => on_tokio(1, serve(port)),
        Call::Remote { port, case } => on_tokio(1, remote(port, case)),
        Call::Local { .. } => Ok(()),
    }
}
