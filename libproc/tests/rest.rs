//! How long a client of HTTP may rest, on virtual time and without a network.

#![cfg(feature = "sim")]

mod common;

use std::time::Duration;

use common::*;
use libproc::Node;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn paused(test: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build();
    let runtime = runtime.expect("a runtime starts");
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

#[test]
fn a_client_comes_back_to_its_connection_after_hours() {
    paused(async {
        let node = Node::bind("127.0.0.1:0").await.expect("a free port");
        node.spawn("counter", Counter::default());
        let mut client = node.connect_in_memory();
        for _ in 0..3 {
            let request = b"GET /counter/total HTTP/1.1\r\nHost: x\r\n\r\n";
            client
                .write_all(request)
                .await
                .expect("the connection is open");
            let mut answer = Vec::new();
            while !answer.ends_with(b"\r\n\r\n0") {
                let read = client.read_buf(&mut answer).await;
                assert!(read.expect("it answers") > 0, "the connection was closed");
            }
            tokio::time::sleep(Duration::from_secs(5 * 60 * 60)).await;
        }
        node.shutdown().await;
    });
}

#[test]
fn a_client_that_asks_nothing_is_not_waited_for() {
    paused(async {
        let node = Node::bind("127.0.0.1:0").await.expect("a free port");
        for start in ["GET", "GET /counter/total HTTP/1.1\r\nHost: x\r\n"] {
            let mut client = node.connect_in_memory();
            client
                .write_all(start.as_bytes())
                .await
                .expect("the connection is open");
            let mut answer = Vec::new();
            let closed = client.read_to_end(&mut answer);
            let closed = tokio::time::timeout(Duration::from_secs(60), closed).await;
            assert!(
                closed.is_ok(),
                "{start:?} keeps a connection for longer than a minute"
            );
        }
        node.shutdown().await;
    });
}
