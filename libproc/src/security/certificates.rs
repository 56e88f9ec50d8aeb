//! Certificates: who this node is, whom it trusts, and what TLS makes of them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::time_provider::TimeProvider;
use rustls::{AlertDescription, ClientConfig, RootCertStore, ServerConfig, version};

use super::authority::{DELEGATE, ROAMING};
use super::{Denied, Rank, SecurityError, files};
use crate::env;

/// Who a node is: its certificate, what leads from there to an authority, and its private key.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    /// Where certificate and key were read from.
    files: Option<(PathBuf, PathBuf)>,
}

/// Whom a node trusts to say who others are.
#[derive(Clone)]
pub struct Authorities {
    certificates: Vec<CertificateDer<'static>>,
    file: Option<PathBuf>,
}

impl Identity {
    /// Reads a certificate, or a chain that begins with it, and its key, both in PEM.
    ///
    /// # Errors
    /// When a file cannot be read or holds none.
    pub fn from_files(
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Result<Identity, SecurityError> {
        let (certificate, key) = (certificate.into(), key.into());
        let chain = files::read(&certificate, files::CERTIFICATES_MAX)?;
        let secret = files::read_secret(&key, files::CERTIFICATES_MAX)?;
        Ok(Identity {
            files: Some((certificate, key)),
            ..Identity::from_pem(&chain, &secret)?
        })
    }

    /// Takes a certificate, or a chain that begins with it, and its key, both in PEM.
    ///
    /// # Errors
    /// When there is none.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Identity, SecurityError> {
        Ok(Identity {
            chain: certificates(chain)?,
            key: PrivateKeyDer::from_pem_slice(key)
                .map_err(|_| SecurityError::Pem("private key"))?,
            files: None,
        })
    }
}

impl Clone for Identity {
    fn clone(&self) -> Identity {
        Identity {
            chain: self.chain.clone(),
            key: self.key.clone_key(),
            files: self.files.clone(),
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

impl Authorities {
    /// Reads the certificates of authorities, one or more in PEM.
    ///
    /// # Errors
    /// When the file cannot be read or holds none.
    pub fn from_file(file: impl Into<PathBuf>) -> Result<Authorities, SecurityError> {
        let file = file.into();
        let pem = files::read(&file, files::CERTIFICATES_MAX)?;
        Ok(Authorities {
            file: Some(file),
            ..Authorities::from_pem(&pem)?
        })
    }

    /// Takes the certificates of authorities, one or more in PEM.
    ///
    /// # Errors
    /// When there is none.
    pub fn from_pem(pem: &[u8]) -> Result<Authorities, SecurityError> {
        Ok(Authorities {
            certificates: certificates(pem)?,
            file: None,
        })
    }

    /// As bytes that [`Authorities::from_ders`] reads.
    pub(super) fn ders(&self) -> Vec<Vec<u8>> {
        self.certificates.iter().map(|der| der.to_vec()).collect()
    }

    pub(super) fn from_ders(ders: Vec<Vec<u8>>) -> Authorities {
        Authorities {
            certificates: ders.into_iter().map(CertificateDer::from).collect(),
            file: None,
        }
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorities")
            .field("count", &self.certificates.len())
            .field("file", &self.file)
            .finish()
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, SecurityError> {
    let none = SecurityError::Pem("certificate");
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) | Err(_) => Err(none),
    }
}

/// Whether a caller may come without a certificate, if only for HTTP.
#[derive(Clone, Copy)]
enum Callers {
    Certified,
    Anybody,
}

/// What TLS needs for both sides of a connection.
#[derive(Clone)]
pub(crate) struct Tls {
    pub(super) identity: Identity,
    pub(super) authorities: Authorities,
    /// For callers who must have a certificate.
    pub(crate) server: Arc<ServerConfig>,
    /// For callers who may come without one, if only for HTTP.
    pub(crate) open_server: Arc<ServerConfig>,
    pub(crate) client: Arc<ClientConfig>,
}

impl Tls {
    /// Prepares TLS; `delegator` is the authority of what this node gives to processes it starts.
    pub(super) fn new(
        identity: Identity,
        authorities: Authorities,
        delegator: Option<&str>,
    ) -> Result<Tls, SecurityError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = Arc::new(roots(&authorities, delegator)?);
        let server = |callers| server(&identity, roots.clone(), &provider, callers).map(Arc::new);
        Ok(Tls {
            server: server(Callers::Certified)?,
            open_server: server(Callers::Anybody)?,
            client: Arc::new(client(&identity, roots.clone(), &provider)?),
            identity,
            authorities,
        })
    }

    /// The same, with another authority for what this node delegates.
    pub(super) fn trusting(&self, delegator: Option<&str>) -> Result<Tls, SecurityError> {
        Tls::new(self.identity.clone(), self.authorities.clone(), delegator)
    }

    /// The same as the files have it now, if that is a change.
    pub(super) fn reread(&self, delegator: Option<&str>) -> Result<Option<Tls>, SecurityError> {
        let identity = match &self.identity.files {
            Some((certificate, key)) => Identity::from_files(certificate, key)?,
            None => self.identity.clone(),
        };
        let authorities = match &self.authorities.file {
            Some(file) => Authorities::from_file(file)?,
            None => self.authorities.clone(),
        };
        let same = identity.chain == self.identity.chain
            && identity.key == self.identity.key
            && authorities.certificates == self.authorities.certificates;
        if same {
            return Ok(None);
        }
        Tls::new(identity, authorities, delegator).map(Some)
    }
}

fn roots(
    authorities: &Authorities,
    delegator: Option<&str>,
) -> Result<RootCertStore, SecurityError> {
    let mut roots = RootCertStore::empty();
    let delegator = delegator
        .map(|pem| certificates(pem.as_bytes()))
        .transpose()?;
    for certificate in authorities
        .certificates
        .iter()
        .chain(delegator.iter().flatten())
    {
        roots
            .add(certificate.clone())
            .map_err(SecurityError::certificate)?;
    }
    Ok(roots)
}

fn server(
    identity: &Identity,
    roots: Arc<RootCertStore>,
    provider: &Arc<CryptoProvider>,
    callers: Callers,
) -> Result<ServerConfig, SecurityError> {
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider.clone());
    let verifier = match callers {
        Callers::Certified => verifier,
        Callers::Anybody => verifier.allow_unauthenticated(),
    };
    let verifier = verifier.build().map_err(SecurityError::certificate)?;
    let mut config = ServerConfig::builder_with_details(provider.clone(), Arc::new(Clock))
        .with_protocol_versions(&[&version::TLS13])
        .map_err(SecurityError::certificate)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(identity.chain.clone(), identity.key.clone_key())
        .map_err(SecurityError::certificate)?;
    // Connections last: there is nothing to resume, and every one shows its certificate.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn client(
    identity: &Identity,
    roots: Arc<RootCertStore>,
    provider: &Arc<CryptoProvider>,
) -> Result<ClientConfig, SecurityError> {
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider.clone());
    let verifier = verifier.build().map_err(SecurityError::certificate)?;
    let mut config = ClientConfig::builder_with_details(provider.clone(), Arc::new(Clock))
        .with_protocol_versions(&[&version::TLS13])
        .map_err(SecurityError::certificate)?
        .with_webpki_verifier(verifier)
        .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
        .map_err(SecurityError::certificate)?;
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// The wall clock, or that of the simulation.
#[derive(Debug)]
struct Clock;

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        let since_epoch = Duration::from_millis(env::unix_ms());
        Some(UnixTime::since_unix_epoch(since_epoch))
    }
}

/// What the first of a chain that TLS has accepted makes of its owner.
pub(crate) fn rank(chain: &[CertificateDer<'_>]) -> Option<Rank> {
    let certificate = webpki::EndEntityCert::try_from(chain.first()?).ok()?;
    Some(match has(&certificate, DELEGATE) {
        true => Rank::Delegate,
        false => Rank::Member,
    })
}

/// Whether the owner of the first of a chain may say that it is at `claimed`, having come from
/// `from`.
///
/// A certificate may name the loopback addresses, which are every machine's own: they count only
/// when the connection does not leave the machine.
pub(crate) fn names(chain: &[CertificateDer<'_>], claimed: IpAddr, from: SocketAddr) -> bool {
    let Some(Ok(certificate)) = chain.first().map(webpki::EndEntityCert::try_from) else {
        return false;
    };
    let name = ServerName::IpAddress(claimed.into());
    let named = certificate.verify_is_valid_for_subject_name(&name).is_ok();
    let possible = !claimed.is_loopback() || from.ip().to_canonical().is_loopback();
    possible && (named || has(&certificate, ROAMING))
}

fn has(certificate: &webpki::EndEntityCert<'_>, uri: &str) -> bool {
    certificate.valid_uri_names().any(|name| name == uri)
}

/// Why TLS came to nothing, where that is a matter of who is who and not of the network.
pub(crate) fn denial(error: &std::io::Error) -> Option<Denied> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    Some(match error {
        rustls::Error::InvalidCertificate(invalid) => match invalid {
            rustls::CertificateError::NotValidForName
            | rustls::CertificateError::NotValidForNameContext { .. } => Denied::OtherAddress,
            _ => Denied::BadCertificate,
        },
        rustls::Error::NoCertificatesPresented => Denied::CertificateWanted,
        rustls::Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateRequired => Denied::CertificateWanted,
            AlertDescription::ProtocolVersion => Denied::NoTlsThere,
            AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError => Denied::BadCertificate,
            _ => return None,
        },
        // What is no TLS at all.
        rustls::Error::InvalidMessage(_) => Denied::NoTlsThere,
        _ => return None,
    })
}
