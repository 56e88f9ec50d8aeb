//! A small certificate authority: for clusters that have no other, for executors, for tests.

use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};

use super::{Rank, SecurityError};
use crate::env;

/// How long the certificate of an authority is good: it is replaced when the cluster is.
const AUTHORITY_LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
/// How far clocks of a cluster may be apart: certificates are good from so long before they are made.
const CLOCK_SKEW: Duration = Duration::from_secs(60 * 60);

/// Names in the certificates of those who may be at any address: operators on the move.
pub(super) const ROAMING: &str = "urn:tepui:roaming";
/// Names in certificates that a node gives to processes it starts.
pub(super) const DELEGATE: &str = "urn:tepui:delegate";

/// Makes certificates that everybody accepts who is given [`Authority::certificate_pem`].
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate_pem: String,
}

/// What a certificate says of its owner.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// What people see.
    pub common_name: String,
    /// The addresses its owner may claim and be reached at.
    pub addresses: Vec<IpAddr>,
    /// The names HTTPS clients may use for it; nodes do not look at them.
    pub hosts: Vec<String>,
    /// Whether its owner may dial from any address, as an operator's laptop.
    pub roaming: bool,
}

/// A certificate and its key.
#[derive(Clone)]
pub struct Issued {
    /// The certificate, in PEM.
    pub certificate_pem: String,
    /// The private key, in PEM; keep it from others.
    pub key_pem: String,
}

impl Authority {
    /// Draws a key and certifies it.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn new(common_name: &str) -> Result<Authority, SecurityError> {
        let key = KeyPair::generate().map_err(SecurityError::certificate)?;
        let mut params = authority(common_name);
        good_until(&mut params, from_now(AUTHORITY_LIFE));
        let certificate = params
            .self_signed(&key)
            .map_err(SecurityError::certificate)?;
        Ok(Authority {
            certificate_pem: certificate.pem(),
            issuer: Issuer::new(params, key),
        })
    }

    /// Takes up the work of one that was made by [`Authority::new`] with the same name.
    ///
    /// # Errors
    /// When the key is none.
    pub fn from_pem(
        common_name: &str,
        certificate_pem: &str,
        key_pem: &str,
    ) -> Result<Authority, SecurityError> {
        let key = KeyPair::from_pem(key_pem).map_err(SecurityError::certificate)?;
        Ok(Authority {
            certificate_pem: certificate_pem.to_owned(),
            issuer: Issuer::new(authority(common_name), key),
        })
    }

    /// What others need to check its certificates by, in PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// Its private key, in PEM: whoever has it is the authority.
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// Makes a key and a certificate for it that is good until the time given: see [`from_now`].
    ///
    /// # Errors
    /// When a name cannot be in a certificate.
    pub fn issue(&self, names: &Names, until: SystemTime) -> Result<Issued, SecurityError> {
        self.certify(names, Rank::Member, until)
    }

    pub(super) fn certify(
        &self,
        names: &Names,
        rank: Rank,
        until: SystemTime,
    ) -> Result<Issued, SecurityError> {
        let key = KeyPair::generate().map_err(SecurityError::certificate)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = named(&names.common_name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        params.use_authority_key_identifier_extension = true;
        good_until(&mut params, until);
        params.subject_alt_names = alternatives(names, rank)?;
        let signed = params.signed_by(&key, &self.issuer);
        Ok(Issued {
            certificate_pem: signed.map_err(SecurityError::certificate)?.pem(),
            key_pem: key.serialize_pem(),
        })
    }
}

/// The time after `life`, as the certificates of this program count it.
pub fn from_now(life: Duration) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(env::unix_ms()) + life
}

fn authority(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(common_name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn alternatives(names: &Names, rank: Rank) -> Result<Vec<SanType>, SecurityError> {
    let mut alternatives: Vec<SanType> = names
        .addresses
        .iter()
        .map(|ip| SanType::IpAddress(*ip))
        .collect();
    for host in &names.hosts {
        let host = host
            .as_str()
            .try_into()
            .map_err(SecurityError::certificate)?;
        alternatives.push(SanType::DnsName(host));
    }
    for (has, uri) in [(names.roaming, ROAMING), (rank == Rank::Delegate, DELEGATE)] {
        if has {
            let uri = uri.try_into().map_err(SecurityError::certificate)?;
            alternatives.push(SanType::URI(uri));
        }
    }
    Ok(alternatives)
}

/// Makes it good from a little before now, for clocks that are behind.
fn good_until(params: &mut CertificateParams, until: SystemTime) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_millis(env::unix_ms()).saturating_sub(CLOCK_SKEW);
    params.not_after = epoch + until.duration_since(UNIX_EPOCH).unwrap_or_default();
}
