//! A store of keys and values in an OS process of its own, and what its client sees when it ends.
//!
//! Starts itself once more as the server, so that two nodes in two OS processes talk.
//!
//!     cargo run -p libproc --example store

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use libproc::prelude::*;

protocol! {
    /// What a store accepts.
    pub protocol Storing {
        /// Stores a value; the reply is what was there before.
        message Put { key: String, value: String } -> Option<String>;
        /// The reply is the value, if there is one.
        message Get { key: String } -> Option<String>;
        /// From here on, tell `watcher` of every change; the reply is how many keys there are.
        message Watch { watcher: Pid<Watching> } -> u64;
        /// Stop.
        message Close {};
    }
}

protocol! {
    /// What somebody accepts who watches a store.
    pub protocol Watching {
        /// This key has this value now.
        message Changed { key: String, value: String };
    }
}

/// Keeps everything in memory.
#[derive(Default)]
struct Store {
    values: BTreeMap<String, String>,
    watchers: Vec<Pid<Watching>>,
}

impl Actor for Store {
    type Context = Context<Self>;
}

impl Process for Store {
    type Protocol = Storing;
}

impl Handler<Put> for Store {
    type Result = Option<String>;
    fn handle(&mut self, Put { key, value }: Put, ctx: &mut Context<Self>) -> Option<String> {
        for watcher in &self.watchers {
            let (key, value) = (key.clone(), value.clone());
            ctx.tell(watcher, Changed { key, value });
        }
        self.values.insert(key, value)
    }
}

impl Handler<Get> for Store {
    type Result = Option<String>;
    fn handle(&mut self, Get { key }: Get, _: &mut Context<Self>) -> Option<String> {
        self.values.get(&key).cloned()
    }
}

impl Handler<Watch> for Store {
    type Result = u64;
    fn handle(&mut self, Watch { watcher }: Watch, ctx: &mut Context<Self>) -> u64 {
        ctx.link(watcher.upid()); // so that we hear when it is gone
        self.watchers.push(watcher);
        self.values.len() as u64
    }
}

impl Handler<Exited> for Store {
    type Result = ();
    fn handle(&mut self, Exited { upid, .. }: Exited, _: &mut Context<Self>) {
        self.watchers.retain(|watcher| *watcher.upid() != upid);
    }
}

impl Handler<Close> for Store {
    type Result = ();
    fn handle(&mut self, _: Close, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

/// Prints what changes, until the store is gone.
struct Watcher {
    store: Pid<Storing>,
}

impl Actor for Watcher {
    type Context = Context<Self>;
    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.link(self.store.upid());
    }
}

impl Process for Watcher {
    type Protocol = Watching;
}

impl Handler<Changed> for Watcher {
    type Result = ();
    fn handle(&mut self, Changed { key, value }: Changed, _: &mut Context<Self>) {
        println!("watcher: {key} is {value}");
    }
}

impl Handler<Exited> for Watcher {
    type Result = ();
    fn handle(&mut self, Exited { upid, reason }: Exited, ctx: &mut Context<Self>) {
        println!("watcher: {} has {reason}", upid.id());
        ctx.stop();
    }
}

/// The server: prints its address, and runs until the store is closed.
async fn serve() -> std::io::Result<()> {
    let node = Node::bind("127.0.0.1:0").await?;
    let store = node.spawn("store", Store::default());
    println!("{store}");
    node.exit_of(store.upid()).await;
    node.shutdown().await;
    Ok(())
}

/// Starts the server; the address it prints.
fn start_server() -> std::io::Result<(Child, Pid<Storing>)> {
    let mut server = Command::new(std::env::current_exe()?)
        .arg("serve")
        .stdout(Stdio::piped())
        .spawn()?;
    let output = server.stdout.take();
    let output = output.ok_or_else(|| std::io::Error::other("the server has no output"))?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let store = line.trim().parse().map_err(std::io::Error::other)?;
    Ok((server, store))
}

async fn put(node: &Node, store: &Pid<Storing>, key: &str, value: &str) {
    let (key, value) = (key.to_owned(), value.to_owned());
    match node.ask(store, Put { key, value }).await {
        Ok(before) => println!("client: put, before it was {before:?}"),
        Err(error) => println!("client: not put: {error}"),
    }
}

async fn talk() -> std::io::Result<()> {
    let (mut server, store) = start_server()?;
    println!("client: the store runs in process {}", server.id());
    let node = Node::bind("127.0.0.1:0").await?;
    let watcher = node.spawn(
        "watcher",
        Watcher {
            store: store.clone(),
        },
    );
    let watching = node.exit_of(watcher.upid());
    // An address is a value: it travels in a message.
    let keys = node.ask(&store, Watch { watcher }).await;
    println!("client: it has {keys:?} keys");
    put(&node, &store, "river", "Caroni").await;
    put(&node, &store, "river", "Orinoco").await;
    let key = "river".to_owned();
    let river = node.ask(&store, Get { key }).await;
    println!("client: the river is {river:?}");
    node.tell(&store, Close {});
    watching.await;
    put(&node, &store, "river", "Amazon").await;
    node.shutdown().await;
    server.wait()?;
    Ok(())
}

fn main() -> std::io::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("serve") => libproc::run(serve()),
        _ => libproc::run(talk()),
    }
}
