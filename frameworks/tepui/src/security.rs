//! The flags by which every command shows that it belongs to the cluster.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use libproc::Security;
use libproc::security::HttpAccess;
use sdk::SecurityFiles;
use sdk::security::{SECRET_FILE, TLS_CA, TLS_CERT, TLS_KEY};

/// How often a daemon looks whether its secret or certificate was replaced.
const LOOK: Duration = Duration::from_secs(10);

/// How to show that one belongs to the cluster: by a secret that all share, or by certificates.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SecurityFlags {
    /// A file with the secret of the cluster, as `tepui keygen` makes it; twice while one secret
    /// replaces another
    #[arg(long, value_name = "FILE", env = SECRET_FILE, value_delimiter = ',',
          help_heading = "Security")]
    secret_file: Vec<PathBuf>,
    /// The certificate to speak TLS with, as `tepui certs` makes it
    #[arg(long, value_name = "FILE", env = TLS_CERT, help_heading = "Security")]
    tls_cert: Option<PathBuf>,
    /// Its private key
    #[arg(long, value_name = "FILE", env = TLS_KEY, help_heading = "Security")]
    tls_key: Option<PathBuf>,
    /// The authorities whose certificates are trusted
    #[arg(long, value_name = "FILE", env = TLS_CA, help_heading = "Security")]
    tls_ca: Option<PathBuf>,
}

/// The same for those that serve HTTP for long.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct DaemonSecurityFlags {
    #[command(flatten)]
    pub(crate) security: SecurityFlags,
    /// What HTTP clients may do that show neither the token of the secret nor a certificate
    /// [default: without security anything, with a secret pages-on-loopback, with TLS nothing]
    #[arg(
        long,
        value_enum,
        value_name = "WHAT",
        env = "TEPUI_HTTP_ACCESS",
        help_heading = "Security"
    )]
    http_access: Option<Access>,
}

/// What HTTP clients may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Access {
    /// Nothing
    Nothing,
    /// Read metrics and the list of processes, from the same machine
    PagesOnLoopback,
    /// Read metrics and the list of processes
    Pages,
    /// Anything
    Anything,
}

impl SecurityFlags {
    fn files(&self) -> SecurityFiles {
        SecurityFiles {
            secrets: self.secret_file.clone(),
            certificate: self.tls_cert.clone(),
            key: self.tls_key.clone(),
            authorities: self.tls_ca.clone(),
        }
    }

    /// Reads the files.
    ///
    /// # Errors
    /// When one is missing, or cannot be used.
    pub(crate) fn load(&self) -> Result<Security> {
        let loaded = self.files().load();
        loaded.context("could not use what --secret-file or --tls-cert, --tls-key, --tls-ca name")
    }

    /// The variables that say the same, with paths that hold in any directory.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let absolute = |path: &Path| -> String {
            let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            absolute.display().to_string()
        };
        let secrets: Vec<String> = self.secret_file.iter().map(|file| absolute(file)).collect();
        let mut variables = Vec::new();
        if !secrets.is_empty() {
            variables.push((SECRET_FILE, secrets.join(",")));
        }
        for (name, file) in [
            (TLS_CERT, &self.tls_cert),
            (TLS_KEY, &self.tls_key),
            (TLS_CA, &self.tls_ca),
        ] {
            variables.extend(file.as_deref().map(|file| (name, absolute(file))));
        }
        variables
    }
}

impl DaemonSecurityFlags {
    /// Reads the files, and reads them again whenever they are replaced.
    ///
    /// # Errors
    /// When one is missing, or cannot be used.
    pub(crate) fn load(&self) -> Result<Security> {
        let security = self.security.load()?;
        let security = match self.http_access {
            Some(access) => security.http(access.into()),
            None => security,
        };
        if self.security.files() != SecurityFiles::default() {
            tokio::task::spawn_local(keep_fresh(security.clone()));
        }
        Ok(security)
    }

    /// The flags again, for a member of a cluster, beside the variables.
    pub(crate) fn flags(&self) -> Option<String> {
        let access = self.http_access?.to_possible_value()?;
        Some(format!("--http-access={}", access.get_name()))
    }
}

impl From<Access> for HttpAccess {
    fn from(access: Access) -> HttpAccess {
        match access {
            Access::Nothing => HttpAccess::Members,
            Access::PagesOnLoopback => HttpAccess::PagesOnLoopback,
            Access::Pages => HttpAccess::Pages,
            Access::Anything => HttpAccess::Anybody,
        }
    }
}

async fn keep_fresh(security: Security) {
    let mut failing = false;
    loop {
        tokio::time::sleep(LOOK).await;
        match security.reload() {
            Ok(changed) => {
                failing = false;
                if changed {
                    tracing::info!("secret or certificate replaced, for connections from now on");
                }
            }
            Err(error) => {
                if !failing {
                    let error = anyhow::Error::from(error);
                    tracing::error!(error = %format!("{error:#}"), "could not read secret or certificate again; the old one stays");
                }
                failing = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Wrapped {
        #[command(flatten)]
        flags: DaemonSecurityFlags,
    }

    #[test]
    fn variables_say_what_the_flags_say() {
        let words = ["x", "--secret-file=/a,/b", "--http-access=pages"];
        let flags = Wrapped::parse_from(words).flags;
        let variables = flags.security.variables();
        assert_eq!(variables, [(SECRET_FILE, "/a,/b".to_owned())]);
        assert_eq!(flags.flags().as_deref(), Some("--http-access=pages"));
        let words = ["x", "--secret-file=/a", "--secret-file=/b"];
        let flags = Wrapped::parse_from(words).flags;
        assert_eq!(flags.security.variables(), variables);
        assert_eq!(Wrapped::parse_from(["x"]).flags.security.variables(), []);
    }
}
