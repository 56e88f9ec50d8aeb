//! Logs: always to stderr, as text or as JSON, as much as asked for.

use std::io::{self, IsTerminal};
use std::sync::OnceLock;

use api::v1::verbosity::LogSwitch;
use clap::{Args, ValueEnum};
use tracing_subscriber::{EnvFilter, reload};

/// What daemons log unless told otherwise.
const DAEMON_LEVEL: &str = "info";
/// What commands log unless told otherwise: their output speaks for them, also when nobody lets
/// them in.
const COMMAND_LEVEL: &str = "warn,libproc::security::denials=error";

/// How logs look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// A line an event, for people.
    Text,
    /// A JSON object an event, for programs.
    Json,
}

/// Flags about logs, the same for every command.
#[derive(Debug, Clone, Args)]
pub(crate) struct LogFlags {
    /// How logs look on stderr
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "text",
        env = "TEPUI_LOG_FORMAT",
        value_name = "FORMAT",
        help_heading = "Logging"
    )]
    pub(crate) log_format: LogFormat,

    /// What is logged: error, warn, info, debug, trace, or filters such as `master=debug,info`
    /// [default: $RUST_LOG, else info for master and agent, warn for the rest]
    #[arg(
        long,
        global = true,
        alias = "logging-level",
        value_name = "LEVEL",
        help_heading = "Logging"
    )]
    pub(crate) log_level: Option<String>,
}

/// What turns the log of this program up and down, once it has started.
static SWITCH: OnceLock<LogSwitch> = OnceLock::new();

/// What turns the log of this program up and down.
pub(crate) fn switch() -> Option<LogSwitch> {
    SWITCH.get().cloned()
}

fn keep(
    first: String,
    reload: impl Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync + 'static,
) {
    let turn = move |level: Option<u32>| {
        let filter = match level {
            None | Some(0) => first.as_str(),
            Some(1) => "debug",
            Some(_) => "trace",
        };
        let filter = EnvFilter::try_new(filter).map_err(|error| error.to_string())?;
        reload(filter).map_err(|error| error.to_string())
    };
    let _ = SWITCH.set(LogSwitch::new(turn)); // once a program
}

impl LogFlags {
    /// Starts logging, for the whole life of the program.
    pub(crate) fn start(&self, daemon: bool) {
        let wanted = self
            .log_level
            .clone()
            .or_else(|| std::env::var("RUST_LOG").ok());
        let default = if daemon { DAEMON_LEVEL } else { COMMAND_LEVEL };
        let level = wanted.unwrap_or_else(|| default.to_owned());
        let filter = EnvFilter::try_new(&level).unwrap_or_else(|error| {
            eprintln!("warning: log level `{level}` is not understood ({error}): using {default}");
            EnvFilter::new(default)
        });
        let logs = tracing_subscriber::fmt().with_writer(io::stderr);
        // Fails only when logging was started before, which nothing else here does.
        let _ = match self.log_format {
            LogFormat::Text => {
                let logs = logs.with_ansi(io::stderr().is_terminal());
                let logs = logs.with_env_filter(filter).with_filter_reloading();
                let handle = logs.reload_handle();
                keep(level, move |filter| handle.reload(filter));
                logs.try_init()
            }
            LogFormat::Json => {
                let logs = logs.json().flatten_event(true);
                let logs = logs.with_env_filter(filter).with_filter_reloading();
                let handle = logs.reload_handle();
                keep(level, move |filter| handle.reload(filter));
                logs.try_init()
            }
        };
    }
}
