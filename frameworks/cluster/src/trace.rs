//! Logs of a simulation, in its own time, when `RUST_LOG` asks for them.

use std::fmt;

use libproc::sim::turmoil;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

struct SimulatedTime;

impl FormatTime for SimulatedTime {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let at = turmoil::sim_elapsed().unwrap_or_default();
        write!(writer, "{:>9.3}", at.as_secs_f64())
    }
}

/// Shows logs on stderr from here on, if they are wanted and nobody shows them yet.
pub(crate) fn on_demand() {
    if std::env::var_os("RUST_LOG").is_some() {
        let shown = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::from_default_env())
            .with_timer(SimulatedTime)
            .with_writer(std::io::stderr)
            .try_init();
        drop(shown); // an error is that somebody else shows them
    }
}
