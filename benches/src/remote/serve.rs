//! The serving side: a node with sinks, and bare sockets beside it, each on threads of its own.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;

use anyhow::{Context as _, ensure};
use libproc::Node;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::case::TARGETS;
use super::sink::{self, Bare, DOOR, Door, Sink};
use super::{echo, floor};

/// Most arbiters a node is measured on.
pub(super) const ARBITERS_MAX: usize = 1024;
/// Connections that a bare socket serves at once; further ones wait.
const CONNECTIONS_MAX: usize = 64;

/// Where to serve.
#[derive(Debug, Clone, clap::Args)]
pub struct ServeArgs {
    /// The address of the node, ip:port; port 0 takes a free one. Whoever reaches it can load
    /// this machine
    #[arg(long, default_value = "127.0.0.1:5060")]
    pub bind: SocketAddr,
    /// How many arbiters, threads that run processes, the node has
    #[arg(long, default_value_t = 1)]
    pub arbiters: usize,
    /// End with the standard input
    #[arg(long, hide = true)]
    pub until_end_of_input: bool,
}

/// Serves until the OS process is told to end; says on the standard output where.
///
/// # Errors
/// When an address cannot be bound.
pub fn serve(args: &ServeArgs) -> anyhow::Result<()> {
    ensure!(
        (1..=ARBITERS_MAX).contains(&args.arbiters),
        "arbiters: 1 to {ARBITERS_MAX}"
    );
    let bare = start_bare(args.bind.ip())?;
    if args.until_end_of_input {
        thread::spawn(|| {
            // Whatever ends the input ends the wait: the other side has gone.
            let _ = io::stdin().read_to_end(&mut Vec::new());
            std::process::exit(0);
        });
    }
    let address = args.bind.to_string();
    let served = libproc::run(async {
        let node = Node::builder()
            .workers(args.arbiters)
            .bind(&address)
            .await?;
        furnish(&node, bare);
        println!("listening on {}", node.address());
        io::stdout().flush()?;
        tokio::signal::ctrl_c().await?;
        node.shutdown().await;
        Ok(())
    });
    served.with_context(|| format!("could not serve on {address}"))
}

/// Spawns what is measured on `node`.
fn furnish(node: &Node, bare: Bare) {
    for number in 0..TARGETS {
        node.spawn(&sink::id(number), Sink::default());
    }
    node.spawn(DOOR, Door(bare));
}

/// Starts the bare sockets on `ip`.
fn start_bare(ip: IpAddr) -> anyhow::Result<Bare> {
    Ok(Bare {
        floor: start("floor", SocketAddr::new(ip, 0), floor::serve)?,
        echo: start("echo", SocketAddr::new(ip, 0), echo::serve)?,
    })
}

/// Listens on `address` and serves on a thread with a runtime of its own; gives the port.
fn start<F: Future<Output = io::Result<()>>>(
    name: &str,
    address: SocketAddr,
    serve: impl FnOnce(tokio::net::TcpListener) -> F + Send + 'static,
) -> anyhow::Result<u16> {
    let listener = TcpListener::bind(address)
        .with_context(|| format!("could not listen on {}", address.ip()))?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    let serve = move || {
        let served =
            libproc::run_alone(async { serve(tokio::net::TcpListener::from_std(listener)?).await });
        if let Err(error) = served {
            eprintln!("tepui: bare sockets ended: {error}");
        }
    };
    thread::Builder::new().name(name.to_owned()).spawn(serve)?;
    Ok(port)
}

/// Serves every connection to `listener` with `each`, so many at once.
pub(super) async fn each_connection<F: Future<Output = io::Result<()>> + 'static>(
    listener: tokio::net::TcpListener,
    each: impl Fn(TcpStream) -> F,
) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let place = places.clone().acquire_owned().await;
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let served = each(stream);
        tokio::task::spawn_local(async move {
            // A connection that breaks has ended, whatever the reason.
            let _ = served.await;
            drop(place);
        });
    }
}

/// Serves on a thread, until the test ends; gives the address.
#[cfg(test)]
pub(super) fn serve_in_thread() -> SocketAddr {
    let bare = start_bare(IpAddr::from([127, 0, 0, 1])).expect("ports are free");
    let (say, said) = std::sync::mpsc::channel();
    thread::spawn(move || {
        libproc::run_alone(async {
            let node = Node::bind("127.0.0.1:0").await?;
            furnish(&node, bare);
            say.send(node.address()).map_err(io::Error::other)?;
            std::future::pending::<io::Result<()>>().await
        })
    });
    said.recv().expect("it starts")
}
