//! Pi, by adding up slices in processes that are spawned on nodes of other OS processes.
//!
//! Starts itself as often as there are nodes; each offers the kind that is spawned there.
//!
//!     cargo run -p libproc --example pi

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use libproc::prelude::*;

/// How many nodes there are beside our own.
const NODES: usize = 3;
/// How many processes each of them runs for us.
const ADDERS: usize = 2;
/// How many strips the area under the curve is cut into.
const STRIPS: u64 = 6_000_000;

protocol! {
    /// What somebody accepts who adds.
    pub protocol Adding {
        /// The reply is the area of these strips of the quarter circle, times four.
        message Slice { from: u64, to: u64 } -> f64;
    }
}

/// Adds up strips of a given width.
struct Adder {
    width: f64,
}

impl Actor for Adder {
    type Context = Context<Self>;
}

impl Process for Adder {
    type Protocol = Adding;
}

impl Spawnable for Adder {
    const KIND: &'static str = "adder";
    type Args = u64;
    fn from_args(strips: u64) -> Adder {
        let width = 1.0 / strips as f64;
        Adder { width }
    }
}

impl Handler<Slice> for Adder {
    type Result = f64;
    fn handle(&mut self, Slice { from, to }: Slice, _: &mut Context<Self>) -> f64 {
        let strip = |number: u64| {
            let x = (number as f64 + 0.5) * self.width;
            4.0 / (1.0 + x * x) * self.width
        };
        (from..to).map(strip).sum()
    }
}

/// A node that runs whatever adders it is asked for, until whoever started it is gone.
async fn serve() -> std::io::Result<()> {
    let node = Node::bind("127.0.0.1:0").await?;
    node.offer::<Adder>();
    println!("{}", node.address());
    let parent = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    drop(parent.await); // its end of the pipe is closed
    node.shutdown().await;
    Ok(())
}

/// Starts a node in an OS process of its own.
fn start_node() -> std::io::Result<(Child, SocketAddr)> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take();
    let output = output.ok_or_else(|| std::io::Error::other("the node has no output"))?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let address = line.trim().parse().map_err(std::io::Error::other)?;
    Ok((child, address))
}

async fn add_up() -> std::io::Result<()> {
    let node = Node::bind("127.0.0.1:0").await?;
    let mut children = Vec::new();
    let mut adders = Vec::new();
    for _ in 0..NODES {
        let (child, address) = start_node()?;
        children.push(child);
        for number in 0..ADDERS {
            let id = format!("adder-{number}");
            let spawned = node.spawn_on::<Adder>(address, &id, STRIPS).await;
            adders.push(spawned.map_err(std::io::Error::other)?);
        }
    }
    let each = STRIPS / adders.len() as u64;
    // All of them are asked before the first answer is awaited.
    let asked = adders.iter().zip(0..).map(|(adder, slice)| {
        let (from, to) = (slice * each, (slice + 1) * each);
        (adder, node.ask(adder, Slice { from, to }))
    });
    let asked: Vec<_> = asked.collect();
    let mut pi = 0.0;
    for (adder, answer) in asked {
        let area = answer.await.map_err(std::io::Error::other)?;
        println!("{adder} adds {area:.12}");
        pi += area;
    }
    println!(
        "{} processes on {NODES} nodes say that pi is {pi:.10}",
        adders.len()
    );
    node.shutdown().await;
    for mut child in children {
        drop(child.stdin.take());
        child.wait()?;
    }
    Ok(())
}

fn main() -> std::io::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("serve") => libproc::run(serve()),
        _ => libproc::run(add_up()),
    }
}
