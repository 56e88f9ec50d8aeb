//! Checks: how it is found out whether a task works, and what was found.

use crate::v1::codec::macros::{enumeration, message};
use crate::v1::{CommandInfo, NetworkProtocol};

message! {
    /// How a task is checked, without consequence.
    pub struct CheckInfo {
        /// Which of the following counts.
        1 kind "type": Option<CheckType>,
        /// What to run.
        2 command: Option<CommandCheck>,
        /// A request to a port of the machine.
        3 http: Option<HttpCheck>,
        /// A connection to a port of the machine.
        7 tcp: Option<TcpCheck>,
        /// The time before the first check.
        4 delay_seconds: f64 = 15.0,
        /// The time between two checks.
        5 interval_seconds: f64 = 10.0,
        /// The time a check may take; 0 for any.
        6 timeout_seconds: f64 = 20.0,
    }

    /// A check by a command.
    pub struct CommandCheck {
        /// Run where the task runs.
        1 command: CommandInfo,
    }

    /// A check by an HTTP request.
    pub struct HttpCheck {
        1 port: u32,
        2 path: Option<String>,
    }

    /// A check by a TCP connection.
    pub struct TcpCheck {
        1 port: u32,
    }

    /// How the health of a task is checked: it is killed when it fails.
    pub struct HealthCheck {
        /// The time before the first check.
        2 delay_seconds: f64 = 15.0,
        /// The time between two checks.
        3 interval_seconds: f64 = 10.0,
        /// The time a check may take before it has failed; 0 for any.
        4 timeout_seconds: f64 = 20.0,
        /// So many failures in a row, and the task is killed.
        5 consecutive_failures: u32 = 3u32,
        /// For so long after the launch failures do not count, unless a check has succeeded.
        6 grace_period_seconds: f64 = 10.0,
        /// Which of the following counts.
        8 kind "type": Option<HealthCheckType>,
        /// What to run.
        7 command: Option<CommandInfo>,
        /// A request; 200 to 399 is healthy.
        1 http: Option<HttpHealthCheck>,
        /// A connection.
        9 tcp: Option<TcpHealthCheck>,
    }

    /// A health check by an HTTP request.
    pub struct HttpHealthCheck {
        5 protocol: NetworkProtocol = NetworkProtocol::Ipv4,
        /// `http`, or `https` without a look at the certificate.
        3 scheme: Option<String>,
        1 port: u32,
        2 path: Option<String>,
        /// The codes that are healthy, for executors of frameworks.
        4 statuses: Vec<u32>,
    }

    /// A health check by a TCP connection.
    pub struct TcpHealthCheck {
        2 protocol: NetworkProtocol = NetworkProtocol::Ipv4,
        1 port: u32,
    }

    /// What a check found.
    pub struct CheckStatusInfo {
        1 kind "type": Option<CheckType>,
        /// What to run.
        2 command: Option<CommandCheckStatus>,
        3 http: Option<HttpCheckStatus>,
        4 tcp: Option<TcpCheckStatus>,
    }

    /// What a command found.
    pub struct CommandCheckStatus {
        /// Not there before the first result.
        1 exit_code: Option<i32>,
    }

    /// What an HTTP request found.
    pub struct HttpCheckStatus {
        /// Not there before the first result.
        1 status_code: Option<u32>,
    }

    /// What a TCP connection found.
    pub struct TcpCheckStatus {
        /// Not there before the first result.
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
