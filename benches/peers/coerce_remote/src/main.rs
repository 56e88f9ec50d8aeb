//! coerce's remoting: its messages as JSON, as its own derive writes them.

use std::time::Duration;

use async_trait::async_trait;
use coerce::actor::context::ActorContext;
use coerce::actor::message::{Handler, Message, MessageUnwrapErr, MessageWrapErr};
use coerce::actor::system::ActorSystem;
use coerce::actor::{Actor, ActorRef, IntoActor, IntoActorId};
use coerce::remote::system::RemoteActorSystem;
use common::{Call, Case, call, end_with_input, measure_remote, on_tokio};
use serde::{Deserialize, Serialize};

/// The id of the serving side's actor.
const ID: &str = "sink";

/// What coerce's derive for JSON messages writes.
macro_rules! json_messages {
    ($($name:ident -> $reply:ty;)*) => { $(
        impl Message for $name {
            type Result = $reply;

            fn as_bytes(&self) -> Result<Vec<u8>, MessageWrapErr> {
                serde_json::to_vec(self).map_err(|_| MessageWrapErr::SerializationErr)
            }

            fn from_bytes(bytes: Vec<u8>) -> Result<Self, MessageUnwrapErr> {
                serde_json::from_slice(&bytes).map_err(|_| MessageUnwrapErr::DeserializationErr)
            }

            fn read_remote_result(bytes: Vec<u8>) -> Result<$reply, MessageUnwrapErr> {
                serde_json::from_slice(&bytes).map_err(|_| MessageUnwrapErr::DeserializationErr)
            }

            fn write_remote_result(reply: $reply) -> Result<Vec<u8>, MessageWrapErr> {
                serde_json::to_vec(&reply).map_err(|_| MessageWrapErr::SerializationErr)
            }
        }
    )* };
}

json_messages! {
    Load -> ();
    Count -> u64;
    Echo -> String;
}

/// Text, which JSON carries as it is; bytes it would write as numbers.
#[derive(Serialize, Deserialize)]
struct Load(String);

#[derive(Serialize, Deserialize)]
struct Count;

#[derive(Serialize, Deserialize)]
struct Echo(String);

struct Sink {
    count: u64,
}

impl Actor for Sink {}

#[async_trait]
impl Handler<Load> for Sink {
    async fn handle(&mut self, _: Load, _: &mut ActorContext) {
        self.count += 1;
    }
}

#[async_trait]
impl Handler<Count> for Sink {
    async fn handle(&mut self, _: Count, _: &mut ActorContext) -> u64 {
        self.count
    }
}

#[async_trait]
impl Handler<Echo> for Sink {
    async fn handle(&mut self, Echo(text): Echo, _: &mut ActorContext) -> String {
        text
    }
}

async fn system(tag: &str, id: u64) -> RemoteActorSystem {
    RemoteActorSystem::builder()
        .with_actor_system(ActorSystem::new())
        .with_tag(tag)
        .with_id(id)
        .with_handlers(|handlers| {
            handlers
                .with_handler::<Sink, Load>("Load")
                .with_handler::<Sink, Count>("Count")
                .with_handler::<Sink, Echo>("Echo")
        })
        .build()
        .await
}

async fn serve(port: u16) {
    end_with_input();
    let there = system("there", 1).await;
    there
        .clone()
        .cluster_worker()
        .listen_addr(format!("127.0.0.1:{port}"))
        .start()
        .await;
    let _sink = Sink { count: 0 }
        .into_actor(Some(ID), there.actor_system())
        .await;
    println!("listening");
    std::future::pending().await
}

async fn remote(port: u16, case: Case) {
    let here = system("here", 2).await;
    // The other side calls back: it has to know where.
    let own = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let own = own.expect("a port is free");
    here.clone()
        .cluster_worker()
        .listen_addr(own.to_string())
        .with_seed_addr(format!("127.0.0.1:{port}"))
        .start()
        .await;
    let sink: ActorRef<Sink> = loop {
        match here.actor_ref::<Sink>(ID.into_actor_id()).await {
            Some(sink) => break sink,
            None => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    let payload = "7".repeat(case.bytes);
    let tell = async || drop(sink.notify(Load(payload.clone())).await);
    let came = async || sink.send(Count).await.expect("it answers");
    let ask = async || drop(sink.send(Echo(payload.clone())).await.expect("it answers"));
    measure_remote("coerce-remote", &case, tell, came, ask).await;
}

fn main() {
    match call() {
        Call::Serve { port } => on_tokio(1, serve(port)),
        Call::Remote { port, case } => on_tokio(1, remote(port, case)),
        Call::Local { .. } => {}
    }
}
