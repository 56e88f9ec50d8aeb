//! The flags by which a daemon asks its HTTP clients who they are, named as those of Mesos.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use api::v1::authentication::{Authentication, Credentials, MAX_CREDENTIALS_BYTES, Realm};
use clap::Args;

/// Of every daemon that has pages and operators.
#[derive(Debug, Clone, Default, Args)]
struct OperatorFlags {
    /// Asks clients that read pages who they are
    #[arg(long, value_name = "BOOL", env = "MESOS_AUTHENTICATE_HTTP_READONLY", num_args = 0..=1,
          default_missing_value = "true", require_equals = true, help_heading = "Security")]
    authenticate_http_readonly: Option<bool>,
    /// Asks operators who they are
    #[arg(long, value_name = "BOOL", env = "MESOS_AUTHENTICATE_HTTP_READWRITE", num_args = 0..=1,
          default_missing_value = "true", require_equals = true, help_heading = "Security")]
    authenticate_http_readwrite: Option<bool>,
}

/// Of a master.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct MasterAuthenticationFlags {
    /// Who may come, as JSON or lines of a principal and a secret: a path, with or without file://
    #[arg(
        long,
        value_name = "FILE",
        env = "MESOS_CREDENTIALS",
        help_heading = "Security"
    )]
    credentials: Option<String>,
    #[command(flatten)]
    operators: OperatorFlags,
    /// Asks schedulers that speak HTTP who they are
    #[arg(long, value_name = "BOOL", env = "MESOS_AUTHENTICATE_HTTP_FRAMEWORKS", num_args = 0..=1,
          default_missing_value = "true", require_equals = true, help_heading = "Security")]
    authenticate_http_frameworks: Option<bool>,
}

/// Of an agent.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct AgentAuthenticationFlags {
    /// Who may come, as JSON or lines of a principal and a secret: a path, with or without file://
    #[arg(
        long,
        value_name = "FILE",
        env = "MESOS_HTTP_CREDENTIALS",
        alias = "credentials",
        help_heading = "Security"
    )]
    http_credentials: Option<String>,
    #[command(flatten)]
    operators: OperatorFlags,
    /// Asks executors that speak HTTP for the token that the agent gives them; always on where
    /// there is a secret or TLS
    #[arg(long, value_name = "BOOL", env = "MESOS_AUTHENTICATE_HTTP_EXECUTORS", num_args = 0..=1,
          default_missing_value = "true", require_equals = true, help_heading = "Security")]
    authenticate_http_executors: Option<bool>,
    /// What the tokens are made with [default: chance]
    #[arg(
        long,
        value_name = "FILE",
        env = "MESOS_JWT_SECRET_KEY",
        help_heading = "Security"
    )]
    jwt_secret_key: Option<String>,
}

impl MasterAuthenticationFlags {
    /// Reads the credentials.
    ///
    /// # Errors
    /// When they are missing though somebody is asked, or no credentials.
    pub(crate) fn load(&self) -> Result<Authentication> {
        let realms = [
            (
                self.operators.authenticate_http_readonly,
                Realm::MasterReadOnly,
            ),
            (
                self.operators.authenticate_http_readwrite,
                Realm::MasterReadWrite,
            ),
            (self.authenticate_http_frameworks, Realm::MasterScheduler),
        ];
        let credentials = credentials(self.credentials.as_deref())?;
        authentication(credentials, &realms, "--credentials")
    }
}

impl AgentAuthenticationFlags {
    /// Reads the credentials.
    ///
    /// # Errors
    /// When they are missing though somebody is asked, or no credentials.
    pub(crate) fn load(&self) -> Result<Authentication> {
        let realms = [
            (
                self.operators.authenticate_http_readonly,
                Realm::AgentReadOnly,
            ),
            (
                self.operators.authenticate_http_readwrite,
                Realm::AgentReadWrite,
            ),
        ];
        let credentials = credentials(self.http_credentials.as_deref())?;
        let mut loaded = authentication(credentials, &realms, "--http-credentials")?;
        if self.authenticate_http_executors.unwrap_or_default() {
            loaded.realms.insert(Realm::AgentExecutor);
        }
        Ok(loaded)
    }

    /// Reads the key of the tokens.
    ///
    /// # Errors
    /// When it cannot be read, or is empty.
    pub(crate) fn key(&self) -> Result<Option<agent::SecretKey>> {
        let Some(file) = self.jwt_secret_key.as_deref() else {
            return Ok(None);
        };
        let text = read(file)?;
        if text.trim().is_empty() {
            bail!("the key of tokens in {file} is empty");
        }
        Ok(Some(agent::SecretKey::new(text)))
    }
}

fn authentication(
    credentials: Credentials,
    realms: &[(Option<bool>, Realm)],
    flag: &str,
) -> Result<Authentication> {
    let asked = realms.iter().filter(|(asked, _)| asked.unwrap_or_default());
    let realms: BTreeSet<Realm> = asked.map(|(_, realm)| *realm).collect();
    if !realms.is_empty() && credentials.is_empty() {
        bail!("nobody could come: give {flag} too");
    }
    Ok(Authentication {
        credentials,
        realms,
    })
}

fn credentials(file: Option<&str>) -> Result<Credentials> {
    let Some(file) = file else {
        return Ok(Credentials::default());
    };
    let text = read(file)?;
    text.parse()
        .with_context(|| format!("could not use the credentials in {file}"))
}

/// Reads a file that may be named as a URI.
fn read(file: &str) -> Result<String> {
    let path: PathBuf = Path::new(file.strip_prefix("file://").unwrap_or(file)).into();
    let mut text = String::new();
    let read = File::open(&path).and_then(|file| {
        file.take(MAX_CREDENTIALS_BYTES + 1)
            .read_to_string(&mut text)
    });
    read.with_context(|| format!("could not read {}", path.display()))?;
    if text.len() as u64 > MAX_CREDENTIALS_BYTES {
        bail!(
            "{} is larger than {MAX_CREDENTIALS_BYTES} bytes",
            path.display()
        );
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Master {
        #[command(flatten)]
        flags: MasterAuthenticationFlags,
    }

    #[test]
    fn who_is_asked_for_a_name_needs_a_list_of_names() {
        let load = |words: &[&str]| {
            let words = ["master"].iter().chain(words);
            Master::parse_from(words).flags.load()
        };
        assert_eq!(load(&[]).unwrap(), Authentication::default());
        let refused = load(&["--authenticate-http-readonly"]).unwrap_err();
        assert!(refused.to_string().contains("--credentials"), "{refused}");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "operator secret\n").unwrap();
        let named = format!("--credentials=file://{}", file.path().display());
        let loaded = load(&[&named, "--authenticate-http-readwrite=true"]).unwrap();
        assert_eq!(loaded.realms, BTreeSet::from([Realm::MasterReadWrite]));
        assert!(
            !load(&["--authenticate-http-readonly=false"])
                .unwrap()
                .requires(Realm::MasterReadOnly)
        );
    }
}
