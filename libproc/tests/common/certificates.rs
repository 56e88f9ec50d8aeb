//! Certificates for tests, by an authority of their own.
#![allow(dead_code, unreachable_pub, reason = "each test file uses some of it")]

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use libproc::security::{Authorities, Authority, Identity, Issued, Names, Security, from_now};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long a certificate is good that is to be.
pub const LIFE: Duration = Duration::from_secs(3600);

pub fn authority() -> Authority {
    Authority::new("the authority of a test").expect("there is randomness")
}

pub fn names(addresses: &[&str]) -> Names {
    let ip = |text: &&str| text.parse::<IpAddr>().expect("an address");
    Names {
        common_name: "a node of a test".to_owned(),
        addresses: addresses.iter().map(ip).collect(),
        ..Names::default()
    }
}

/// A certificate for these addresses.
pub fn issued(authority: &Authority, addresses: &[&str]) -> Issued {
    let issued = authority.issue(&names(addresses), from_now(LIFE));
    issued.expect("addresses can be in a certificate")
}

/// The security of a node with this certificate that trusts `authority`.
pub fn tls(authority: &Authority, issued: &Issued) -> Security {
    let identity = Identity::from_pem(issued.certificate_pem.as_bytes(), issued.key_pem.as_bytes());
    let authorities = Authorities::from_pem(authority.certificate_pem().as_bytes());
    let security = Security::tls(identity.expect("PEM"), authorities.expect("PEM"));
    security.expect("they belong together")
}

/// A TLS connection as an HTTP client makes one, with a certificate or without.
pub async fn connect(
    to: std::net::SocketAddr,
    authority: &Authority,
    certificate: Option<&Issued>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(authority.certificate_pem().as_bytes());
    roots.add(root.expect("PEM")).expect("an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("a version")
        .with_root_certificates(roots);
    let config = match certificate {
        Some(issued) => {
            let certificate = CertificateDer::from_pem_slice(issued.certificate_pem.as_bytes());
            let key = PrivateKeyDer::from_pem_slice(issued.key_pem.as_bytes());
            let config =
                config.with_client_auth_cert(vec![certificate.expect("PEM")], key.expect("PEM"));
            config.expect("they belong together")
        }
        None => config.with_no_client_auth(),
    };
    let stream = TcpStream::connect(to).await?;
    let name = ServerName::IpAddress(to.ip().into());
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}
