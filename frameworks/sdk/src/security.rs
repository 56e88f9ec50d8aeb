//! How a program shows that it belongs to the cluster, as its environment says.

use std::env;
use std::path::PathBuf;

use libproc::security::{Authorities, Identity, Keys};
use libproc::{Security, SecurityError};

/// Names the file of the cluster's secret; two, with a comma between, while one replaces another.
pub const SECRET_FILE: &str = "TEPUI_SECRET_FILE";
/// Names the file of this program's certificate.
pub const TLS_CERT: &str = "TEPUI_TLS_CERT";
/// Names the file of its private key.
pub const TLS_KEY: &str = "TEPUI_TLS_KEY";
/// Names the file of the authorities it trusts.
pub const TLS_CA: &str = "TEPUI_TLS_CA";

/// The files by which a program shows that it belongs to the cluster: of a secret, or of a
/// certificate, or none of both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecurityFiles {
    /// The secret; a second one while one replaces the other.
    pub secrets: Vec<PathBuf>,
    /// The certificate.
    pub certificate: Option<PathBuf>,
    /// Its private key.
    pub key: Option<PathBuf>,
    /// The authorities that are trusted.
    pub authorities: Option<PathBuf>,
}

/// Why files make no security.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecurityFilesError {
    /// Both ways at once.
    #[error("both a secret and a certificate are given: give one of the two")]
    Both,
    /// A certificate without its key or the authorities, or the other way round.
    #[error("TLS needs a certificate, its key and the authorities: {0} is not given")]
    Missing(&'static str),
    /// One of them cannot be used.
    #[error(transparent)]
    Security(#[from] SecurityError),
}

impl SecurityFiles {
    /// The files that the environment names.
    pub fn from_env() -> SecurityFiles {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty());
        let secrets = set(SECRET_FILE).and_then(|names| names.into_string().ok());
        let secrets = secrets.iter().flat_map(|names| names.split(','));
        SecurityFiles {
            secrets: secrets.map(PathBuf::from).collect(),
            certificate: set(TLS_CERT).map(PathBuf::from),
            key: set(TLS_KEY).map(PathBuf::from),
            authorities: set(TLS_CA).map(PathBuf::from),
        }
    }

    /// Reads them.
    ///
    /// # Errors
    /// When some are missing, or cannot be used.
    pub fn load(&self) -> Result<Security, SecurityFilesError> {
        let tls = [&self.certificate, &self.key, &self.authorities];
        if tls.iter().all(|file| file.is_none()) {
            return Ok(match &self.secrets[..] {
                [] => Security::none(),
                files => Security::secret(Keys::from_files(files)?),
            });
        }
        if !self.secrets.is_empty() {
            return Err(SecurityFilesError::Both);
        }
        let given =
            |file: &Option<PathBuf>, what| file.clone().ok_or(SecurityFilesError::Missing(what));
        let identity = Identity::from_files(
            given(&self.certificate, "the certificate")?,
            given(&self.key, "the key")?,
        )?;
        let authorities = Authorities::from_file(given(&self.authorities, "the authority")?)?;
        Ok(Security::tls(identity, authorities)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_files_are_no_security_and_half_of_them_an_error() {
        assert!(SecurityFiles::default().load().is_ok());
        let half = SecurityFiles {
            certificate: Some("c".into()),
            ..SecurityFiles::default()
        };
        assert_eq!(
            half.load().unwrap_err().to_string(),
            "TLS needs a certificate, its key and the authorities: the key is not given"
        );
        let both = SecurityFiles {
            secrets: vec!["s".into()],
            ..half
        };
        assert!(matches!(both.load(), Err(SecurityFilesError::Both)));
        let absent = SecurityFiles {
            secrets: vec!["/no/such/file".into()],
            ..SecurityFiles::default()
        };
        let error = absent.load().unwrap_err().to_string();
        assert_eq!(error, "could not read /no/such/file");
    }
}
