//! Those who open connections to a node with a secret and never come to know it.

mod common;
#[path = "common/secrets.rs"]
mod secrets;

use std::net::SocketAddr;

use common::*;
use libproc::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use secrets::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[test]
fn strangers_who_say_nothing_or_nonsense_keep_nobody_out() {
    alone(async {
        let builder = Node::builder().security(knowing(&[OLD])).strangers(4);
        let there = builder.bind("127.0.0.1:0").await.expect("a free port");
        let counter = there.spawn("counter", Counter::default());
        let connect = || TcpStream::connect(there.address());
        // Silent, slow in the middle of each part, and HTTP without an end or a token.
        let openings: [&[u8]; 6] = [
            b"",
            b"\x00tep",
            b"\x00tepui\r\n",
            b"\x00tepui\r\n\x40\x00\x00\x00\x81",
            b"GET / HTTP/1.1\r\n",
            b"GET /counter/total HTTP/1.1\r\nHost: x\r\n\r\n",
        ];
        let mut open = Vec::new();
        for opening in openings.iter().cycle().take(60) {
            let mut stream = connect().await.expect("it listens");
            stream.write_all(opening).await.expect("it reads");
            open.push(stream);
        }
        // Nonsense ends at once, however long it says it is.
        for nonsense in [
            &b"\x00tepui\r\n\xff\xff\xff\xff"[..],
            b"\x00tepui\r\n\x01\0\0\0\xc1",
        ] {
            let mut stream = connect().await.expect("it listens");
            stream.write_all(nonsense).await.expect("it reads");
            assert_eq!(stream.read_to_end(&mut Vec::new()).await.ok(), Some(0));
        }
        let here = node_with(knowing(&[OLD])).await;
        assert_eq!(here.ask(&counter, Add { by: 1 }).await, Ok(1));
        assert!(metric(&there, "libproc/evicted_connections").await >= 56);
        here.shutdown().await;
        there.shutdown().await;
    });
}

/// What a node that knows a secret says first.
fn hello(to: SocketAddr, version: u16) -> Vec<u8> {
    #[derive(serde::Serialize)]
    struct Hello {
        version: u16,
        address: SocketAddr,
        incarnation: u64,
        to: SocketAddr,
        nonce: [u8; 16],
        label: Option<String>,
    }
    let hello = Hello {
        version,
        address: SocketAddr::from(([127, 0, 0, 1], 9)),
        incarnation: 1,
        to,
        nonce: [5; 16],
        label: Some("label".to_owned()),
    };
    let body = rmp_serde::to_vec_named(&hello).expect("it encodes");
    let length = (body.len() as u32).to_le_bytes();
    [b"\x00tepui\r\n", &length[..], &body].concat()
}

#[test]
fn a_node_of_another_version_is_told_so() {
    alone(async {
        let there = node_with(knowing(&[OLD])).await;
        let mut stream = TcpStream::connect(there.address())
            .await
            .expect("it listens");
        let hello = hello(there.address(), 1);
        stream.write_all(&hello).await.expect("it reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("it answers");
        assert!(contains(&answer, b"Version"), "{answer:?}");
        there.shutdown().await;
    });
}

#[test]
fn greetings_that_are_mangled_open_nothing_and_harm_nobody() {
    const SEED: u64 = 20;
    alone(async {
        let there = node_with(knowing(&[OLD])).await;
        let counter = there.spawn("counter", Counter::default());
        let mut rng = StdRng::seed_from_u64(SEED);
        let whole = [
            hello(there.address(), 2),
            hello(there.address(), 2)[8..].to_vec(),
        ]
        .concat();
        for round in 0..300 {
            let mut bytes = whole.clone();
            for _ in 0..rng.random_range(0..8) {
                let at = rng.random_range(8..bytes.len());
                bytes[at] = rng.random();
            }
            bytes.truncate(rng.random_range(8..=bytes.len()));
            let mut stream = TcpStream::connect(there.address())
                .await
                .expect("it listens");
            // It may have hung up.
            stream.write_all(&bytes).await.ok();
            stream.shutdown().await.ok();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.ok();
            assert!(!contains(&answer, b"welcome"), "seed {SEED}, round {round}");
        }
        let here = node_with(knowing(&[OLD])).await;
        assert_eq!(here.ask(&counter, Add { by: 1 }).await, Ok(1));
        here.shutdown().await;
        there.shutdown().await;
    });
}

#[test]
fn a_peer_that_stalls_in_the_handshake_costs_its_own_time_only() {
    alone(async {
        let here = node_with(knowing(&[OLD])).await;
        let (silent, address) = listener().await;
        let accepted = async {
            let stream = silent.accept().await.expect("somebody dials");
            std::future::pending::<()>().await;
            drop(stream);
        };
        tokio::select! {
            asked = here.ask(&counter_at(address), Add { by: 1 }) => {
                assert_eq!(asked, Err(AskError::Unreachable));
            }
            () = accepted => {}
        }
        here.shutdown().await;
    });
}
