//! Who may talk to a node: nobody is asked, all share a secret, or all have certificates.
//!
//! `secret` and `certificates` are the two ways to know each other, `delegation` what a node gives
//! to processes it starts, `authority` makes certificates; `strangers` and `acquaintances` keep
//! apart who has shown what.

mod access;
mod acquaintances;
mod authority;
mod certificates;
mod delegation;
mod denials;
mod error;
mod files;
mod secret;
mod strangers;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;

pub use access::HttpAccess;
pub use authority::{Authority, Issued, Names, from_now};
pub use certificates::{Authorities, Identity};
pub use delegation::Delegation;
pub use error::{Denied, SecurityError};
pub use secret::Keys;

pub(crate) use access::HttpClient;
pub(crate) use acquaintances::{Acquaintances, Rank};
pub(crate) use certificates::{Tls, denial, names, rank};
pub(crate) use denials::Denials;
pub(crate) use secret::{Key, LABEL_MAX, Nonce, Proof, Side};
pub(crate) use strangers::{STRANGERS_MAX, Seat, Strangers};

use delegation::Delegator;

/// How the nodes of a cluster, and HTTP clients, show that they belong to it.
///
/// A clone is another handle to the same: what is [reloaded](Security::reload) through one counts
/// for every node that was given another, from the next connection on. Connections that stand
/// stay.
#[derive(Clone)]
pub struct Security(Arc<Shared>);

struct Shared {
    scheme: Mutex<Scheme>,
    http: Mutex<Option<HttpAccess>>,
    delegator: Mutex<Option<Delegator>>,
}

/// The way to know each other.
#[derive(Clone)]
pub(crate) enum Scheme {
    None,
    Secret(Arc<Secret>),
    Tls(Arc<Tls>),
}

/// What a node knows that shares a secret.
#[derive(Clone)]
pub(crate) struct Secret {
    pub(crate) keys: Keys,
    /// What the keys are called, where they were made by another node for talking to it alone.
    pub(crate) label: Option<Arc<str>>,
}

impl Security {
    /// Anybody who reaches the port may do anything: for one machine, and for closed networks.
    #[must_use]
    pub fn none() -> Security {
        Security::from_scheme(Scheme::None)
    }

    /// Nodes prove to each other that they know a secret. What they say afterwards can be read and
    /// changed by whoever is between them: for networks that are trusted, but not everybody in them.
    ///
    /// HTTP clients show [`Keys::http_token`]; see [`HttpAccess`].
    #[must_use]
    pub fn secret(keys: Keys) -> Security {
        Security::from_scheme(Scheme::Secret(Arc::new(Secret { keys, label: None })))
    }

    /// Nodes, and HTTP clients, speak TLS 1.3 with certificates on both sides.
    ///
    /// A node may claim the addresses that its certificate names as IP alternatives and no others;
    /// the loopback addresses only to those on its own machine. With the alternative
    /// `URI:urn:tepui:roaming` it may dial from any address, and is still not answered by at any.
    ///
    /// # Errors
    /// When key and certificate do not belong together, or one cannot be used.
    pub fn tls(identity: Identity, authorities: Authorities) -> Result<Security, SecurityError> {
        let tls = Tls::new(identity, authorities, None)?;
        Ok(Security::from_scheme(Scheme::Tls(Arc::new(tls))))
    }

    /// What a node gave to a process it started, for talking with that node alone.
    ///
    /// # Errors
    /// When it is not as a node makes it.
    pub fn delegated(delegation: Delegation) -> Result<Security, SecurityError> {
        Ok(Security::from_scheme(delegation.into_scheme()?))
    }

    fn from_scheme(scheme: Scheme) -> Security {
        Security(Arc::new(Shared {
            scheme: Mutex::new(scheme),
            http: Mutex::new(None),
            delegator: Mutex::new(None),
        }))
    }

    /// Lets HTTP clients do more, or less, than is usual.
    #[must_use]
    pub fn http(self, access: HttpAccess) -> Security {
        *self.0.http.lock() = Some(access);
        self
    }

    /// What an HTTP client that shares this security shows, as the value of `Authorization`: for a
    /// secret [its token](Keys::http_token), for others nothing.
    pub fn http_authorization(&self) -> Option<String> {
        match &*self.0.scheme.lock() {
            Scheme::Secret(secret) => Some(format!("Bearer {}", secret.keys.http_token())),
            Scheme::None | Scheme::Tls(_) => None,
        }
    }

    /// Whether nodes and HTTP clients that share this security speak TLS.
    pub fn is_tls(&self) -> bool {
        matches!(&*self.0.scheme.lock(), Scheme::Tls(_))
    }

    /// What an HTTP client that shares this security speaks TLS with, as it is now; none where
    /// HTTP is plain. The certificate of a node names its IP addresses.
    pub fn tls_client(&self) -> Option<Arc<rustls::ClientConfig>> {
        match &*self.0.scheme.lock() {
            Scheme::Tls(tls) => Some(tls.client.clone()),
            Scheme::None | Scheme::Secret(_) => None,
        }
    }

    /// Reads keys and certificates again from the files they came from; gives whether they differ.
    ///
    /// # Errors
    /// When one cannot be read or used: then all stays as it was.
    pub fn reload(&self) -> Result<bool, SecurityError> {
        let mut scheme = self.0.scheme.lock();
        let fresh = match &*scheme {
            Scheme::None => return Ok(false),
            Scheme::Secret(secret) => match secret.reread()? {
                Some(secret) => Scheme::Secret(Arc::new(secret)),
                None => return Ok(false),
            },
            Scheme::Tls(tls) => match tls.reread(self.delegator_pem().as_deref())? {
                Some(tls) => Scheme::Tls(Arc::new(tls)),
                None => return Ok(false),
            },
        };
        *scheme = fresh;
        Ok(true)
    }

    /// Takes over the keys or certificates of another, for those that come from no files.
    ///
    /// # Errors
    /// When they cannot be used together with what was delegated: then all stays as it was.
    pub fn replace(&self, with: &Security) -> Result<(), SecurityError> {
        let with = with.scheme();
        let mut scheme = self.0.scheme.lock();
        *scheme = match with {
            Scheme::Tls(tls) => {
                Scheme::Tls(Arc::new(tls.trusting(self.delegator_pem().as_deref())?))
            }
            Scheme::None | Scheme::Secret(_) => with,
        };
        Ok(())
    }

    /// Makes credentials for talking with the node at `address` alone, which has this security.
    pub(crate) fn delegate(
        &self,
        address: SocketAddr,
        label: &str,
    ) -> Result<Delegation, SecurityError> {
        if label.len() > LABEL_MAX {
            return Err(SecurityError::Credentials);
        }
        let mut scheme = self.0.scheme.lock();
        match &*scheme {
            Scheme::None => Ok(Delegation::none()),
            Scheme::Secret(secret) => Delegation::of_secret(secret, address, label),
            Scheme::Tls(tls) => {
                let mut delegator = self.0.delegator.lock();
                if delegator.is_none() {
                    let made = Delegator::new()?;
                    let trusting = tls.trusting(Some(made.certificate_pem()))?;
                    *scheme = Scheme::Tls(Arc::new(trusting));
                    *delegator = Some(made);
                }
                let (Scheme::Tls(tls), Some(delegator)) = (&*scheme, &*delegator) else {
                    return Err(SecurityError::Delegated);
                };
                delegator.delegate(tls, address, label)
            }
        }
    }

    fn delegator_pem(&self) -> Option<String> {
        let delegator = self.0.delegator.lock();
        Some(delegator.as_ref()?.certificate_pem().to_owned())
    }

    /// What counts for the next connection.
    /// Returns whether whoever reaches a node is let in.
    pub fn is_none(&self) -> bool {
        matches!(self.scheme(), Scheme::None)
    }

    pub(crate) fn scheme(&self) -> Scheme {
        self.0.scheme.lock().clone()
    }

    /// What HTTP clients may do that show nothing, where `scheme` is how others show it.
    pub(crate) fn http_access(&self, scheme: &Scheme) -> HttpAccess {
        let told = *self.0.http.lock();
        told.unwrap_or(match scheme {
            Scheme::None => HttpAccess::Anybody,
            Scheme::Secret(_) => HttpAccess::PagesOnLoopback,
            Scheme::Tls(_) => HttpAccess::Members,
        })
    }
}

impl Secret {
    /// The keys for talking with somebody who shows `label`, and what that makes of them.
    pub(crate) fn keys_for(
        &self,
        own: SocketAddr,
        label: Option<&str>,
    ) -> Result<(Vec<Key>, Rank), Denied> {
        let keys = self.keys.keys.iter();
        match (&self.label, label) {
            (_, None) => Ok((keys.cloned().collect(), Rank::Member)),
            (None, Some(label)) => {
                let delegated = keys.map(|key| key.delegated(own, label));
                Ok((delegated.collect(), Rank::Delegate))
            }
            (Some(_), Some(_)) => Err(Denied::NotForDelegates),
        }
    }

    /// The keys as their files have them, if that is a change.
    fn reread(&self) -> Result<Option<Secret>, SecurityError> {
        if self.keys.files.is_empty() {
            return Ok(None);
        }
        let keys = Keys::from_files(&self.keys.files)?;
        let bytes = |keys: &Keys| -> Vec<Vec<u8>> {
            keys.keys.iter().map(|key| key.bytes().to_vec()).collect()
        };
        let changed = bytes(&keys) != bytes(&self.keys);
        Ok(changed.then_some(Secret { keys, label: None }))
    }
}

impl Default for Security {
    fn default() -> Security {
        Security::none()
    }
}

impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scheme() {
            Scheme::None => f.write_str("Security::None"),
            Scheme::Secret(secret) => f
                .debug_tuple("Security::Secret")
                .field(&secret.keys)
                .finish(),
            Scheme::Tls(tls) => f.debug_tuple("Security::Tls").field(&tls.identity).finish(),
        }
    }
}

/// Two are equal when they are handles to the same.
impl PartialEq for Security {
    fn eq(&self, other: &Security) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Security {}
