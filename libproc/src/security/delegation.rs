//! Credentials that a node makes for a process it starts, good for talking with that node alone.
//!
//! An executor runs as the user of its tasks, who can read what it knows. So it is not given the
//! key of the cluster but one that follows from it, or a certificate by an authority that only the
//! agent trusts.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::authority::{Authority, Names, from_now};
use super::certificates::{Authorities, Identity, Tls};
use super::secret::Keys;
use super::{LABEL_MAX, Rank, Scheme, Secret, SecurityError};
use crate::bind::outward;

/// How long delegated certificates are good: as long as the node that made them runs.
const LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// What a process needs to talk with the node that started it: [`Security::delegated`] takes it.
///
/// It is a secret. It is worth nothing towards any other node.
///
/// [`Security::delegated`]: super::Security::delegated
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegation(Kind);

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    None,
    Secret {
        label: String,
        #[serde(with = "serde_bytes")]
        key: Vec<u8>,
    },
    Tls {
        certificate_pem: String,
        key_pem: String,
        authorities: Vec<serde_bytes::ByteBuf>,
    },
}

impl Delegation {
    /// For nodes without security.
    #[must_use]
    pub fn none() -> Delegation {
        Delegation(Kind::None)
    }

    pub(super) fn of_secret(
        secret: &Secret,
        address: SocketAddr,
        label: &str,
    ) -> Result<Delegation, SecurityError> {
        if secret.label.is_some() {
            return Err(SecurityError::Delegated);
        }
        let key = secret.keys.keys[0].delegated(address, label);
        Ok(Delegation(Kind::Secret {
            label: label.to_owned(),
            key: key.bytes().to_vec(),
        }))
    }

    /// The bytes of it, to be passed on where nobody else sees them.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        rmp_serde::to_vec_named(self).expect("plain data encodes into memory")
    }

    /// Reads what [`to_bytes`](Delegation::to_bytes) made.
    ///
    /// # Errors
    /// When the bytes are of something else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Delegation, SecurityError> {
        rmp_serde::from_slice(bytes).map_err(|_| SecurityError::Credentials)
    }

    pub(super) fn into_scheme(self) -> Result<Scheme, SecurityError> {
        match self.0 {
            Kind::None => Ok(Scheme::None),
            Kind::Secret { label, .. } if label.len() > LABEL_MAX => {
                Err(SecurityError::Credentials)
            }
            Kind::Secret { label, key } => Ok(Scheme::Secret(Arc::new(Secret {
                keys: Keys::from_bytes(&[key])?,
                label: Some(Arc::from(label)),
            }))),
            Kind::Tls {
                certificate_pem,
                key_pem,
                authorities,
            } => {
                let identity = Identity::from_pem(certificate_pem.as_bytes(), key_pem.as_bytes())?;
                let ders = authorities.into_iter().map(|der| der.into_vec()).collect();
                let tls = Tls::new(identity, Authorities::from_ders(ders), None)?;
                Ok(Scheme::Tls(Arc::new(tls)))
            }
        }
    }
}

impl fmt::Debug for Delegation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Kind::None => "Delegation::None",
            Kind::Secret { .. } => "Delegation::Secret",
            Kind::Tls { .. } => "Delegation::Tls",
        })
    }
}

/// The authority of a node for what it delegates. Its key never leaves the node's memory.
pub(super) struct Delegator(Authority);

impl Delegator {
    pub(super) fn new() -> Result<Delegator, SecurityError> {
        Authority::new("tepui delegates").map(Delegator)
    }

    pub(super) fn certificate_pem(&self) -> &str {
        self.0.certificate_pem()
    }

    pub(super) fn delegate(
        &self,
        tls: &Tls,
        address: SocketAddr,
        label: &str,
    ) -> Result<Delegation, SecurityError> {
        let loopback = [
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
        ];
        // A process on the same machine, which may have no other address than these.
        let mut addresses: Vec<IpAddr> = [address.ip()]
            .into_iter()
            .chain(outward())
            .chain(loopback)
            .collect();
        addresses.dedup();
        let names = Names {
            common_name: label.to_owned(),
            addresses,
            ..Names::default()
        };
        let issued = self.0.certify(&names, Rank::Delegate, from_now(LIFE))?;
        let authorities = tls.authorities.ders().into_iter().map(Into::into).collect();
        Ok(Delegation(Kind::Tls {
            certificate_pem: issued.certificate_pem,
            key_pem: issued.key_pem,
            authorities,
        }))
    }
}
