//! Peers that lie, flood, stall or vanish: each costs its own connection and nothing else.

mod common;

use std::time::Duration;

use common::*;
use libproc::DeadReason;
use libproc::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a peer says first in these tests: a process, and a message of it.
fn known() -> Vec<u8> {
    [raw::frame(1, b"counter"), raw::frame(3, b"Add")].concat()
}

/// Sends `bytes` after a greeting; whether the node ended the connection then.
async fn is_cut_off(node: &Node, bytes: &[u8]) -> bool {
    let mut peer = raw::greet(node, raw::elsewhere(9), 1).await;
    // The node may end it before it has read everything.
    let _ = peer.write_all(&[&known()[..], bytes].concat()).await;
    raw::is_ended(&mut peer).await
}

#[test]
fn a_peer_that_lies_is_cut_off_and_nobody_else_notices() {
    alone(async {
        let (here, there) = (node().await, node().await);
        let counter = there.spawn("counter", Counter::default());
        let long_name = vec![b'x'; 256];
        let too_many_names = raw::frame(3, b"Add").repeat(5000);
        let lies: [(&str, Vec<u8>); 12] = [
            ("four gibibytes", vec![255; 4]),
            (
                "a byte too long",
                (16u32 << 20).wrapping_add(1).to_le_bytes().to_vec(),
            ),
            ("an empty frame", vec![0; 4]),
            ("an unknown kind", raw::frame(77, b"")),
            ("a letter without its head", raw::frame(4, b"\x00")),
            ("an ask without its number", raw::frame(5, &[0; 10])),
            ("a process that was not defined", raw::letter(1, 0, b"\x80")),
            ("a name that was not defined", raw::letter(0, 1, b"\x80")),
            ("an id that is too long", raw::frame(1, &long_name)),
            ("a link to no id", raw::frame(8, b"a@b")),
            ("more taken in than was sent", raw::frame(15, &[1; 8])),
            ("too many names", too_many_names),
        ];
        for (lie, bytes) in lies {
            assert!(is_cut_off(&there, &bytes).await, "{lie}");
            let total = here.ask(&counter, Add { by: 1 }).await;
            assert!(total.is_ok(), "after {lie}");
        }
        assert_eq!(here.ask(&counter, Add { by: 0 }).await, Ok(12));
        here.shutdown().await;
        there.shutdown().await;
    });
}

#[test]
fn a_peer_that_floods_and_reads_nothing_costs_bounded_memory() {
    alone(async {
        let (here, there) = (node().await, node().await);
        let counter = there.spawn("counter", Counter::default());
        let add = rmp_serde::to_vec_named(&Add { by: 1 }).expect("it encodes");
        let floods: [(&str, Vec<u8>); 4] = [
            ("pings", raw::frame(11, b"").repeat(10_000)),
            ("links", raw::frame(8, b"nobody").repeat(4000)),
            ("asks of nobody", raw::ask(1, 0, 7, &add).repeat(1500)),
            ("asks", raw::ask(0, 0, 7, &add).repeat(1500)),
        ];
        for (flood, bytes) in floods {
            let mut peer = raw::greet(&there, raw::elsewhere(9), 1).await;
            let nobody = raw::frame(1, b"nobody");
            let first = [known(), nobody].concat();
            peer.write_all(&first).await.expect("it reads");
            // Until nothing goes any more: all buffers on the way are full, or it was cut off.
            let mut sent = 0;
            let more = Duration::from_millis(200);
            while let Ok(Ok(())) = tokio::time::timeout(more, peer.write_all(&bytes)).await {
                sent += bytes.len();
                let unsent: u64 = there.backlogs().iter().map(|log| log.unsent_bytes).sum();
                let held: u64 = there.backlogs().iter().map(|log| log.held_bytes).sum();
                assert!(
                    unsent < 24 << 20 && held < 25 << 20,
                    "{flood}: {unsent}, {held}"
                );
                if sent > 64 << 20 {
                    break; // it is taken in as fast as it comes, and costs nothing
                }
            }
            let total = here.ask(&counter, Add { by: 0 }).await;
            assert!(total.is_ok(), "after {flood}: {total:?}");
        }
        here.shutdown().await;
        there.shutdown().await;
    });
}

#[test]
fn a_peer_that_stalls_or_vanishes_half_way_costs_only_its_connection() {
    alone(async {
        let silence = Duration::from_millis(90);
        let builder = Node::builder().silence(silence);
        let there = builder.bind("127.0.0.1:0").await.expect("a free port");
        let here = node().await;
        let counter = there.spawn("counter", Counter::default());
        let add = rmp_serde::to_vec_named(&Add { by: 1 }).expect("it encodes");
        let whole = [known(), raw::letter(0, 0, &add)].concat();
        // Every place within a conversation to stop at, and to go away at.
        for end in 0..whole.len() {
            let mut peer = raw::greet(&there, raw::elsewhere(9), end as u64).await;
            peer.write_all(&whole[..end]).await.expect("it reads");
        }
        let mut stalled = raw::greet(&there, raw::elsewhere(9), 1000).await;
        let sixteen_mebibytes = (16u32 << 20).to_le_bytes();
        let begun = [&known()[..], &sixteen_mebibytes, &[4]].concat();
        stalled.write_all(&begun).await.expect("it reads");
        assert!(raw::is_ended(&mut stalled).await, "silence is noticed");
        assert_eq!(here.ask(&counter, Add { by: 1 }).await, Ok(1));
        assert_eq!(dead(&there, DeadReason::Undecodable), 0);
        here.shutdown().await;
        there.shutdown().await;
    });
}

#[test]
fn a_peer_that_greets_and_then_neither_speaks_nor_reads_is_given_up_once() {
    alone(async {
        let deaf = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = deaf.local_addr().expect("it is bound");
        let builder = Node::builder().silence(Duration::from_millis(90));
        let here = builder.bind("127.0.0.1:0").await.expect("a free port");
        let watcher = here.spawn("watcher", Counter::default());
        let mut listener = here.probe::<Listening>("listener");
        let whom: Upid = format!("counter@{address}").parse().expect("an address");
        let listens = listener.pid();
        here.tell(
            &watcher,
            Watch {
                whom: whom.clone(),
                listener: listens,
            },
        );
        let (mut peer, _) = deaf.accept().await.expect("it dials");
        raw::answer(&mut peer, 1).await;
        let counter = Pid::<Counting>::assume(whom.clone());
        let bytes = "x".repeat(1 << 20);
        let store = |_| {
            here.ask(
                &counter,
                Store {
                    bytes: bytes.clone(),
                },
            )
        };
        let stored: Vec<_> = (0..12).map(store).collect();
        for stored in stored {
            assert_eq!(stored.await, Err(AskError::Unreachable));
        }
        let how = "disconnected".to_owned();
        assert_eq!(listener.expect::<Gone>().await, Gone { whom, how });
        listener.expect_nothing(Duration::from_millis(200)).await;
        drop(deaf);
        here.shutdown().await;
    });
}

/// Whether a connection is served: a node answers HTTP on it.
async fn is_served(stream: &mut TcpStream) -> bool {
    let request = b"GET /help HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let mut answer = Vec::new();
    stream.write_all(request).await.is_ok()
        && stream.read_to_end(&mut answer).await.is_ok()
        && answer.starts_with(b"HTTP/1.1 200")
}

#[test]
fn a_node_has_no_more_connections_than_it_is_let_have() {
    alone(async {
        let builder = Node::builder().connections(3);
        let there = builder.bind("127.0.0.1:0").await.expect("a free port");
        let here = node().await;
        let counter = there.spawn("counter", Counter::default());
        assert_eq!(here.ask(&counter, Add { by: 1 }).await, Ok(1));
        let connect = || TcpStream::connect(there.address());
        let mut idle = Vec::new();
        for _ in 0..2 {
            let mut stream = connect().await.expect("it listens");
            stream.write_all(b"GET").await.expect("it reads");
            idle.push(stream);
        }
        let mut more = connect().await.expect("it listens");
        assert!(!is_served(&mut more).await);
        assert_eq!(here.ask(&counter, Add { by: 1 }).await, Ok(2));
        idle.pop();
        // The place is free once the node has noticed.
        while !is_served(&mut connect().await.expect("it listens")).await {}
        here.shutdown().await;
        there.shutdown().await;
    });
}
