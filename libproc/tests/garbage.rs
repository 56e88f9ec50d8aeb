//! Bytes that make no sense harm nobody but whoever sends them.

mod common;

use common::*;
use libproc::DeadReason;
use libproc::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[test]
fn garbage_on_the_port_harms_nobody() {
    alone(async {
        let (here, there) = (node().await, node().await);
        let counter = there.spawn("counter", Counter::default());
        assert_eq!(here.ask(&counter, Add { by: 1 }).await, Ok(1));
        let preface = b"\x00tepui\r\n";
        let mut openings: Vec<Vec<u8>> = vec![
            b"".to_vec(),
            b"\x00".to_vec(),
            b"\xff\xfe\xfd".to_vec(),
            b"\x00tepui\r\nxxxxxxxxxxxxxxx".to_vec(),
            [&preface[..], &[0, 0, 0, 0]].concat(),
            [&preface[..], &[255, 255, 255, 127]].concat(),
            [&preface[..], &[3, 0, 0, 0, 0xc1, 0xc1, 0xc1]].concat(),
            b"GET / HTTP/9.9\r\n\r\n".to_vec(),
            b"GET /counter/total HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n".to_vec(),
        ];
        let mut seed = 7u64;
        for _ in 0..50 {
            let mut noise = preface.to_vec();
            for _ in 0..200 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                noise.push((seed >> 56) as u8);
            }
            openings.push(noise);
        }
        for opening in openings {
            let mut stream = TcpStream::connect(there.address())
                .await
                .expect("it listens");
            stream.write_all(&opening).await.expect("it reads");
            stream.shutdown().await.ok();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.ok();
        }
        assert_eq!(here.ask(&counter, Add { by: 1 }).await, Ok(2));
        here.shutdown().await;
        there.shutdown().await;
    });
}

/// Greets as a node would and then sends `frames`; what comes back until the connection ends.
async fn greet_and_send(node: &Node, frames: &[u8]) -> Vec<u8> {
    #[derive(serde::Serialize)]
    struct Hello {
        version: u16,
        address: std::net::SocketAddr,
        incarnation: u64,
        to: std::net::SocketAddr,
    }
    let address = "127.0.0.1:9".parse().expect("an address");
    let hello = Hello {
        version: 2,
        address,
        incarnation: 1,
        to: node.address(),
    };
    let hello = rmp_serde::to_vec_named(&hello).expect("it encodes");
    let mut stream = TcpStream::connect(node.address())
        .await
        .expect("it listens");
    stream.write_all(b"\x00tepui\r\n").await.expect("it reads");
    stream
        .write_all(&(hello.len() as u32).to_le_bytes())
        .await
        .expect("it reads");
    stream.write_all(&hello).await.expect("it reads");
    stream.write_all(frames).await.expect("it reads");
    stream.shutdown().await.ok();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok();
    answer
}

fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32 + 1).to_le_bytes()[..], &[kind], body].concat()
}

#[test]
fn frames_that_make_no_sense_are_refused_or_counted() {
    alone(async {
        let there = node().await;
        let counter = there.spawn("counter", Counter::default());
        let letter = |to: u32, name: u16, body: &[u8]| {
            let head = [
                &to.to_le_bytes()[..],
                &u32::MAX.to_le_bytes(),
                &name.to_le_bytes(),
            ];
            frame(4, &[&head.concat()[..], body].concat())
        };
        let known = [
            frame(1, b"counter"),
            frame(3, b"Add"),
            frame(3, b"Nonsense"),
        ]
        .concat();
        let absent = [frame(1, b"absent"), frame(3, b"Add")].concat();
        // Undefined numbers, an unknown kind, a frame that is cut: the connection ends.
        for bad in [
            letter(7, 0, b""),
            frame(77, b""),
            frame(4, b"\x01"),
            frame(1, b"a@b"),
        ] {
            greet_and_send(&there, &[&known[..], &bad, &letter(0, 0, &[0x81])].concat()).await;
        }
        assert_eq!(
            dead(&there, DeadReason::Undecodable),
            0,
            "nothing was read after the bad one"
        );
        // An undecodable body, an unknown message, an unknown process: counted, and read on.
        let add = rmp_serde::to_vec_named(&Add { by: 3 }).expect("it encodes");
        let frames = [
            &known[..],
            &letter(0, 0, &[0xc1]),
            &letter(0, 1, &add),
            &letter(0, 0, &add),
        ];
        greet_and_send(&there, &frames.concat()).await;
        greet_and_send(&there, &[&absent[..], &letter(0, 0, &add)].concat()).await;
        assert_eq!(there.ask(&counter, Add { by: 0 }).await, Ok(3));
        assert_eq!(dead(&there, DeadReason::Undecodable), 1);
        assert_eq!(dead(&there, DeadReason::NotAccepted), 1);
        assert_eq!(dead(&there, DeadReason::NoProcess), 1);
        there.shutdown().await;
    });
}
