//! How a framework ends: with an exit code, or with one of these errors.

use std::fmt;
use std::process::{ExitCode as ProcessExitCode, Termination};

/// What `main` of a framework returns: its exit code, or why it could not go on.
pub type Result<T = ExitCode> = std::result::Result<T, Error>;

/// The exit code a framework ended with; 0 is success.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExitCode(pub u8);

impl ExitCode {
    /// All went well.
    pub const SUCCESS: ExitCode = ExitCode(0);

    /// Whether all went well.
    pub const fn is_success(self) -> bool {
        self.0 == 0
    }
}

impl Termination for ExitCode {
    fn report(self) -> ProcessExitCode {
        ProcessExitCode::from(self.0)
    }
}

/// Why a framework ended without an exit code of its own.
///
/// Its `Debug` prints what `Display` does, with the causes, because `main` prints errors so.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text does not say where a master is.
    #[error(
        "`{0}` is not the address of a master: give `ip:port`, `host:port` or `master@ip:port`"
    )]
    InvalidMaster(String),
    /// The host that the address of the master names is not known.
    #[error("could not look up the master at {master}")]
    Lookup {
        /// The address as it was given.
        master: String,
        /// What the resolver said.
        source: std::io::Error,
    },
    /// No port could be opened for the framework, or no runtime started.
    #[error("could not start a node for the framework")]
    Node(#[from] std::io::Error),
    /// Another process of the node has the id.
    #[error("could not start the scheduler")]
    Spawn(#[from] libproc::SpawnError),
    /// Nobody answers at the address of the master.
    #[error(
        "no master at {master}: start one with `tepui up`, or say where it is with `--master` \
         or TEPUI_MASTER"
    )]
    NoMaster {
        /// Where it was looked for.
        master: String,
    },
    /// The master does not take this program for a member of its cluster, or the other way round.
    #[error("no connection to the master at {master}: {reason}")]
    Denied {
        /// Where it is.
        master: String,
        /// Why.
        reason: libproc::Denied,
    },
    /// The secret or the certificate that the environment names cannot be used.
    #[error("could not use the secret or certificate of this program")]
    Security(#[from] crate::SecurityFilesError),
    /// The master can be reached but does not take the framework in.
    #[error("the master at {master} did not answer the subscription")]
    NoAnswer {
        /// Where it is.
        master: String,
    },
    /// The master says that the framework must stop.
    #[error("the master refused the framework: {0}")]
    Rejected(String),
    /// The framework gave up, for this reason: see [`Calls::fail`](crate::Calls::fail).
    #[error("{0}")]
    Failed(String),
    /// What was kept of the framework cannot be read.
    #[error("could not begin where the framework was")]
    Restore(#[source] crate::RestoreError),
    /// What the framework keeps cannot be stored, or it is not known whether it is.
    #[error("could not keep the state of the framework")]
    State(#[source] state::Error),
    /// Another instance of the framework has begun with the same state.
    #[error("another instance of the framework has taken over")]
    Superseded,
    /// The framework could not stand for election.
    #[error("could not stand for election")]
    Election(#[source] election::ElectionError),
    /// The framework's own code panicked, or its node was shut down under it.
    #[error("the scheduler {0}")]
    Crashed(libproc::ExitReason),
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn main_prints_an_error_as_people_read_it() {
        let master = "127.0.0.1:5050".to_owned();
        let text = format!("{:?}", Error::NoMaster { master });
        assert!(text.starts_with("no master at 127.0.0.1:5050: start one with `tepui up`"));
        let cause = std::io::Error::other("no more ports");
        let text = format!("{:?}", Error::from(cause));
        assert_eq!(
            text,
            "could not start a node for the framework: no more ports"
        );
    }
}
