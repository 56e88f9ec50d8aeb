//! Checks: how it is found out whether a task works, and what was found.

use crate::v1::codec::macros::{enumeration, message};
use crate::v1::{CommandInfo, NetworkProtocol};

message! {
    /// How a task is checked, without consequence.
    pub struct CheckInfo {
        /// Which check arm is used.
        1 kind "type": Option<CheckType>,
        /// What to run.
        2 command: Option<CommandCheck>,
        /// HTTP GET check.
        3 http: Option<HttpCheck>,
        /// TCP connect check.
        7 tcp: Option<TcpCheck>,
        /// Wait after start before first check.
        4 delay_seconds: f64 = 15.0,
        /// Gap between checks.
        5 interval_seconds: f64 = 10.0,
        /// Per-attempt limit; 0 = none.
        6 timeout_seconds: f64 = 20.0,
    }

    /// A check by a command.
    pub struct CommandCheck {
        /// Command to run inside the task's namespaces.
        1 command: CommandInfo,
    }

    /// A check by an HTTP request.
    pub struct HttpCheck {
        1 port: u32,
        /// Request path.
        2 path: Option<String>,
    }

    /// A check by a TCP connection.
    pub struct TcpCheck {
        1 port: u32,
    }

    /// How the health of a task is checked: it is killed when it fails.
    pub struct HealthCheck {
        /// Wait before first probe.
        2 delay_seconds: f64 = 15.0,
        /// Gap between probes.
        3 interval_seconds: f64 = 10.0,
        /// Probe limit; 0 = none; timeout counts as failure.
        4 timeout_seconds: f64 = 20.0,
        /// Failures in a row before the executor kills the task.
        5 consecutive_failures: u32 = 3u32,
        /// Failures inside this window after launch are ignored until first success.
        6 grace_period_seconds: f64 = 10.0,
        /// Which arm is used.
        8 kind "type": Option<HealthCheckType>,
        /// What to run.
        7 command: Option<CommandInfo>,
        /// HTTP probe (200-399 is healthy).
        1 http: Option<HttpHealthCheck>,
        /// TCP probe.
        9 tcp: Option<TcpHealthCheck>,
    }

    /// A health check by an HTTP request.
    pub struct HttpHealthCheck {
        /// IP family used to connect.
        5 protocol: NetworkProtocol = NetworkProtocol::Ipv4,
        /// Http or https (no cert check).
        3 scheme: Option<String>,
        /// Probed port.
        1 port: u32,
        /// Probed path.
        2 path: Option<String>,
        /// Accepted codes; custom executors only.
        4 statuses: Vec<u32>,
    }

    /// A health check by a TCP connection.
    pub struct TcpHealthCheck {
        /// IP family used to connect.
        2 protocol: NetworkProtocol = NetworkProtocol::Ipv4,
        /// Probed port.
        1 port: u32,
    }

    /// What a check found.
    pub struct CheckStatusInfo {
        /// Check kind.
        1 kind "type": Option<CheckType>,
        /// What to run.
        2 command: Option<CommandCheckStatus>,
        /// HTTP result.
        3 http: Option<HttpCheckStatus>,
        /// TCP result.
        4 tcp: Option<TcpCheckStatus>,
    }

    /// What a command found.
    pub struct CommandCheckStatus {
        /// Exit code; absent = no result yet.
        1 exit_code: Option<i32>,
    }

    /// What an HTTP request found.
    pub struct HttpCheckStatus {
        /// HTTP code; absent = no result.
        1 status_code: Option<u32>,
    }

    /// What a TCP connection found.
    pub struct TcpCheckStatus {
        /// Connect result; absent = no result.
        1 succeeded: Option<bool>,
    }
}

enumeration! {
    /// What a check does.
    pub enum CheckType {
        Unknown = 0 "UNKNOWN",
        Command = 1 "COMMAND",
        Http = 2 "HTTP",
        Tcp = 3 "TCP",
    }

    /// What a health check does.
    pub enum HealthCheckType {
        Unknown = 0 "UNKNOWN",
        Command = 1 "COMMAND",
        Http = 2 "HTTP",
        Tcp = 3 "TCP",
    }
}
