//! Patterns between two nodes on two threads, and the same bytes over a bare socket.

use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use libproc::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

protocol! {
    /// What a receiver accepts.
    protocol Receiving {
        message Load { #[serde(with = "serde_bytes")] bytes: Vec<u8> };
        message Count {} -> u64;
    }
}

#[derive(Default)]
struct Receiver(u64);

impl Actor for Receiver {
    type Context = Context<Self>;
}

impl Process for Receiver {
    type Protocol = Receiving;
    const CAPACITY: u32 = 1 << 20;
}

impl Handler<Load> for Receiver {
    type Result = ();
    fn handle(&mut self, _: Load, _: &mut Context<Self>) {
        self.0 += 1;
    }
}

impl Handler<Count> for Receiver {
    type Result = u64;
    fn handle(&mut self, _: Count, _: &mut Context<Self>) -> u64 {
        self.0
    }
}

/// Starts a node with a receiver on a thread of its own; dropping the sender ends it.
fn receiver() -> (Pid<Receiving>, oneshot::Sender<()>, thread::JoinHandle<()>) {
    let (started, pid) = mpsc::channel();
    let (end, ended) = oneshot::channel::<()>();
    let thread = thread::spawn(move || {
        let served = libproc::run_alone(async {
            let node = Node::bind("127.0.0.1:0").await?;
            started
                .send(node.spawn("receiver", Receiver::default()))
                .ok();
            ended.await.ok();
            node.shutdown().await;
            Ok(())
        });
        served.expect("a node on a free port runs");
    });
    (pid.recv().expect("the receiver starts"), end, thread)
}

fn timed<F: Future<Output = ()>>(n: u64, act: impl FnOnce(Node, Pid<Receiving>) -> F) -> f64 {
    let (pid, end, thread) = receiver();
    let measured = libproc::run_alone(async {
        let node = Node::bind("127.0.0.1:0").await?;
        node.ask(&pid, Count {})
            .await
            .map_err(std::io::Error::other)?;
        let began = Instant::now();
        act(node.clone(), pid).await;
        let elapsed = began.elapsed();
        node.shutdown().await;
        Ok(elapsed.as_nanos() as f64 / n as f64)
    });
    drop(end);
    thread.join().expect("the receiver ends");
    measured.expect("a node on a free port runs")
}

pub(super) fn one_way(n: u64) -> f64 {
    timed(n, |node, pid| async move {
        for sent in 0..n {
            node.tell(
                &pid,
                Load {
                    bytes: vec![7; 100],
                },
            );
            if sent % 10_000 == 9_999 {
                // Keeps what is under way below the receiver's bounds.
                node.ask(&pid, Count {})
                    .await
                    .expect("the receiver answers");
            }
        }
        let count = node
            .ask(&pid, Count {})
            .await
            .expect("the receiver answers");
        assert_eq!(count, n, "nothing was lost");
    })
}

pub(super) fn ask(n: u64) -> f64 {
    timed(n, |node, pid| async move {
        for _ in 0..n {
            node.ask(&pid, Count {})
                .await
                .expect("the receiver answers");
        }
    })
}

/// The limit for one way: as many bytes, written and read in 64 KiB at once.
pub(super) fn bare_one_way(n: u64) -> f64 {
    let total = n as usize * 120;
    bare(n, move |mut stream| async move {
        let chunk = vec![7u8; 64 << 10];
        let mut left = total;
        while left > 0 {
            let count = left.min(chunk.len());
            stream.write_all(&chunk[..count]).await.expect("it reads");
            left -= count;
        }
        stream.shutdown().await.expect("it ends");
        let mut end = [0; 1];
        stream
            .read_exact(&mut end)
            .await
            .expect("it has read everything");
    })
}

/// The limit for an ask: an echo of one byte.
pub(super) fn bare_echo(n: u64) -> f64 {
    bare(n, move |mut stream| async move {
        let mut byte = [0u8; 1];
        for _ in 0..n {
            stream.write_all(&byte).await.expect("it reads");
            stream.read_exact(&mut byte).await.expect("it echoes");
        }
    })
}

/// A socket to a thread that echoes single bytes, and answers the end of a stream with one byte.
fn bare<F: Future<Output = ()>>(n: u64, act: impl FnOnce(TcpStream) -> F) -> f64 {
    let (started, address) = mpsc::channel();
    let thread = thread::spawn(move || {
        let served = libproc::run_alone(async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            started.send(listener.local_addr()?).ok();
            let (mut stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let mut buffer = vec![0u8; 64 << 10];
            loop {
                match stream.read(&mut buffer).await? {
                    0 => return stream.write_all(&[1]).await,
                    1 => stream.write_all(&buffer[..1]).await?,
                    _ => {}
                }
            }
        });
        // The other side may close without waiting for the last byte.
        let _ = served;
    });
    let address = address.recv().expect("the echo starts");
    let measured = libproc::run_alone(async {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let began = Instant::now();
        act(stream).await;
        Ok(began.elapsed().as_nanos() as f64 / n as f64)
    });
    thread.join().expect("the echo ends");
    measured.expect("a socket on a free port works")
}
