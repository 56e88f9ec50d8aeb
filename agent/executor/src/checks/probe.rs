//! One look at a task: a command, a request, or a connection.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use types::CommandInfo;
use ureq::Agent;
use ureq::tls::TlsConfig;

use crate::task_process::{TaskCommand, TaskProcess};

/// How a task is looked at.
#[derive(Debug, Clone)]
pub(super) enum Probe {
    /// Runs this beside the task, with its variables.
    Command {
        command: Box<CommandInfo>,
        environment: BTreeMap<String, String>,
    },
    /// Asks for this, after redirections, without a look at certificates.
    Http { url: String },
    /// Connects to a port of this machine.
    Tcp { ip: IpAddr, port: u16 },
}

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// The command exited with this.
    Exit(i32),
    /// The request was answered with this.
    Status(u16),
    /// Whether there was a connection.
    Connected(bool),
}

impl Seen {
    /// Whether that is how a task looks that works.
    pub(super) fn is_healthy(self) -> bool {
        match self {
            Seen::Exit(code) => code == 0,
            Seen::Status(status) => (200..400).contains(&status),
            Seen::Connected(connected) => connected,
        }
    }
}

/// This machine, to itself.
pub(super) fn loopback(v6: bool) -> IpAddr {
    match v6 {
        true => Ipv6Addr::LOCALHOST.into(),
        false => Ipv4Addr::LOCALHOST.into(),
    }
}

impl Probe {
    /// Looks once. What takes longer than `longest` is given up.
    ///
    /// # Errors
    /// Says why nothing was seen.
    pub(super) async fn look(self, longest: Duration) -> Result<Seen, String> {
        let late = |_| format!("no result within {longest:?}");
        match self {
            Probe::Command {
                command,
                environment,
            } => timeout(longest, run(*command, environment))
                .await
                .map_err(late)?,
            Probe::Tcp { ip, port } => {
                let connecting = timeout(longest, TcpStream::connect((ip, port))).await;
                Ok(Seen::Connected(matches!(connecting, Ok(Ok(_)))))
            }
            Probe::Http { url } => {
                let asked = tokio::task::spawn_blocking(move || get(&url, longest));
                asked.await.map_err(|error| error.to_string())?
            }
        }
    }
}

/// Dropped before its end, its process and what that started is killed.
async fn run(
    command: CommandInfo,
    mut environment: BTreeMap<String, String>,
) -> Result<Seen, String> {
    environment.extend(command.environment.0);
    let process = TaskProcess::start(&TaskCommand {
        shell: command.shell,
        value: command.value,
        arguments: command.arguments,
        environment,
        directory: None,
        output: None,
    });
    let mut process = process.map_err(|error| error.to_string())?;
    let ended = process.wait().await.map_err(|error| error.to_string())?;
    let code = ended.exit_code.or(ended.signal.map(|signal| 128 + signal));
    code.map(Seen::Exit).ok_or_else(|| ended.to_string())
}

fn get(url: &str, longest: Duration) -> Result<Seen, String> {
    let config = Agent::config_builder()
        .timeout_global(Some(longest))
        .http_status_as_error(false)
        .tls_config(TlsConfig::builder().disable_verification(true).build())
        .build();
    let answer = Agent::new_with_config(config).get(url).call();
    let answer = answer.map_err(|error| error.to_string())?;
    Ok(Seen::Status(answer.status().as_u16()))
}
