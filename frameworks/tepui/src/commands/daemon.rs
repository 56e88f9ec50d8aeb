//! What master and agent share: a port to listen on, and an orderly end.

use std::future::Future;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};

use anyhow::{Context as _, Result, anyhow};
use libproc::{Node, Security, Upid};

use crate::lifeline::{self, Signals};
use crate::output;

/// Where a daemon listens, and what it tells others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listen {
    pub(crate) ip: IpAddr,
    pub(crate) port: u16,
    pub(crate) advertise_ip: Option<IpAddr>,
    pub(crate) advertise_port: Option<u16>,
}

impl Listen {
    /// Starts a node there.
    ///
    /// # Errors
    /// Says what is in the way, and which flag to change.
    pub(crate) async fn bind(self, security: Security) -> Result<Node> {
        let address = SocketAddr::new(self.ip, self.port);
        let builder = Node::builder().security(security);
        let mut builder = builder.peer_buffer(master::PEER_BUFFER);
        if self.advertise_ip.is_some() || self.advertise_port.is_some() {
            let ip = self.advertise_ip.unwrap_or(self.ip);
            let port = self.advertise_port.unwrap_or(self.port);
            if ip.is_unspecified() || port == 0 {
                let text = "what is advertised must be an address that others can use: give both \
                            --advertise-ip and a --port or --advertise-port that is not 0";
                return Err(anyhow!(text));
            }
            builder = builder.advertise(SocketAddr::new(ip, port));
        }
        let node = builder.bind(&address.to_string()).await;
        node.map_err(|error| {
            let advice = advice(error.kind(), address);
            anyhow::Error::new(error).context(format!("could not listen on {address}{advice}"))
        })
    }
}

fn advice(kind: ErrorKind, address: SocketAddr) -> String {
    let port = address.port();
    match kind {
        ErrorKind::AddrInUse => format!(
            ": another program does (`ss -ltnp 'sport = :{port}'` tells which); stop it, or choose \
             another port with --port"
        ),
        ErrorKind::AddrNotAvailable => {
            format!(
                ": this machine does not have {}; choose another with --ip",
                address.ip()
            )
        }
        ErrorKind::PermissionDenied => {
            format!(": port {port} is for root; choose one above 1023 with --port")
        }
        _ => String::new(),
    }
}

/// Says on stdout where the daemon is, waits until it is told to end, and then stops it.
///
/// # Errors
/// When the process at `upid` ends by itself.
pub(crate) async fn serve<S: Future<Output = ()>>(
    node: &Node,
    upid: &Upid,
    signals: Signals,
    child: bool,
    stop: impl FnOnce() -> S,
) -> Result<()> {
    serve_as(node, upid, upid, signals, child, stop).await
}

/// [`serve`] of what is `shown` at one address, and lives as long as the process at `upid`.
///
/// # Errors
/// When the process at `upid` ends by itself.
pub(crate) async fn serve_as<S: Future<Output = ()>>(
    node: &Node,
    shown: &Upid,
    upid: &Upid,
    mut signals: Signals,
    child: bool,
    stop: impl FnOnce() -> S,
) -> Result<()> {
    // A daemon whose stdout is closed works all the same.
    let _ = output::line(&shown.to_string());
    let parent_gone = async {
        match child {
            true => drop(lifeline::parent_gone().await),
            false => std::future::pending().await,
        }
    };
    tokio::select! {
        reason = node.exit_of(upid) => return Err(anyhow!("{} {reason}", upid.id())),
        signal = signals.next() => tracing::info!(signal = signal.number(), "told to end"),
        () = parent_gone => tracing::info!("ending with the program that started this one"),
    }
    // A second signal ends it without further ado.
    tokio::select! {
        () = stop() => {}
        _ = signals.next() => {}
    }
    Ok(())
}

/// Takes the signals, before anything that should end in order is started.
///
/// # Errors
/// When the operating system does not let us.
pub(crate) fn signals() -> Result<Signals> {
    Signals::take().context("could not take signals")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_way_of_a_port_is_said_with_the_flag_to_change() {
        let address = "127.0.0.1:5050".parse().unwrap();
        assert!(advice(ErrorKind::AddrInUse, address).contains("--port"));
        assert!(advice(ErrorKind::AddrNotAvailable, address).contains("--ip"));
        assert!(advice(ErrorKind::PermissionDenied, address).contains("--port"));
        assert_eq!(advice(ErrorKind::Other, address), "");
    }
}
