//! ractor actors over ractor_cluster, in the clear, with its cookie.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use common::{Call, Case, call, end_with_input, measure_remote, on_tokio};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, pg};
use ractor_cluster::{NodeServer, NodeServerMessage, RactorClusterMessage, client_connect};

/// The process group that the serving side's actor is found in.
const GROUP: &str = "sinks";

#[derive(RactorClusterMessage)]
enum Sinking {
    Load(Vec<u8>),
    #[rpc]
    Count(RpcReplyPort<u64>),
    #[rpc]
    Echo(Vec<u8>, RpcReplyPort<Vec<u8>>),
}

struct Sink;

impl Actor for Sink {
    type Msg = Sinking;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Sinking>, (): ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(
        &self,
        _: ActorRef<Sinking>,
        message: Sinking,
        count: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Sinking::Load(_) => *count += 1,
            Sinking::Count(reply) => drop(reply.send(*count)),
            Sinking::Echo(bytes, reply) => drop(reply.send(bytes)),
        }
        Ok(())
    }
}

async fn node(port: u16, name: &str) -> ActorRef<NodeServerMessage> {
    let (cookie, host) = ("a cookie".to_owned(), "localhost".to_owned());
    let server = NodeServer::new(port, cookie, name.to_owned(), host, None, None)
        .with_listen_addr(IpAddr::V4(Ipv4Addr::LOCALHOST));
    Actor::spawn(None, server, ())
        .await
        .expect("a node starts")
        .0
}

async fn serve(port: u16) {
    end_with_input();
    let _node = node(port, "there").await;
    let (sink, _) = Actor::spawn(None, Sink, ()).await.expect("an actor starts");
    pg::join(GROUP.to_owned(), vec![sink.get_cell()]);
    println!("listening");
    std::future::pending().await
}

async fn remote(port: u16, case: Case) {
    let node = node(0, "here").await;
    client_connect(&node, ("127.0.0.1", port))
        .await
        .expect("the other side listens");
    let sink: ActorRef<Sinking> = loop {
        match pg::get_members(&GROUP.to_owned()).pop() {
            Some(sink) => break sink.into(),
            None => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    let payload = vec![7; case.bytes];
    let tell = async || drop(sink.cast(Sinking::Load(payload.clone())));
    let came = async || {
        let called = sink.call(Sinking::Count, None).await.expect("it is called");
        called.unwrap()
    };
    let ask = async || {
        drop(
            sink.call(|reply| Sinking::Echo(payload.clone(), reply), None)
                .await,
        )
    };
    measure_remote("ractor-cluster", &case, tell, came, ask).await;
}

fn main() {
    match call() {
        Call::Serve { port } => on_tokio(1, serve(port)),
        Call::Remote { port, case } => on_tokio(1, remote(port, case)),
        Call::Local { .. } => {}
    }
}
