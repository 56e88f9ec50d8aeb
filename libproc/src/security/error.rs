//! What can be wrong with keys and certificates, and why a connection was denied.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Why keys or certificates cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecurityError {
    /// A file could not be read.
    #[error("could not read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A secret that could be guessed.
    #[error(
        "a shared secret of {0} bytes is too short: it needs at least {min}, as from \
         `head -c 32 /dev/urandom | base64`",
        min = super::secret::KEY_MIN
    )]
    ShortKey(usize),
    /// A file that is hardly a secret.
    #[error("a shared secret of over {max} bytes: is it the right file?", max = super::secret::KEY_MAX)]
    LongKey,
    /// None, or more than rotation needs.
    #[error("{0} shared secrets were given: give one, or two while one replaces the other")]
    KeyCount(usize),
    /// No certificate, or no key, where one should be.
    #[error("there is no {0} in PEM format")]
    Pem(&'static str),
    /// Certificate and key do not belong together, or cannot be used.
    #[error("the certificate cannot be used")]
    Certificate(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Only one who has a secret or a certificate can vouch for others.
    #[error("delegated credentials cannot be delegated further")]
    Delegated,
    /// Credentials for another process that do not decode.
    #[error("the credentials are not as a node makes them")]
    Credentials,
}

impl SecurityError {
    pub(super) fn certificate(
        error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> SecurityError {
        SecurityError::Certificate(error.into())
    }
}

/// Why two nodes do not talk to each other, though there is a way between them.
///
/// The denied side is told no more than this.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error,
)]
#[non_exhaustive]
pub enum Denied {
    /// The two sides are of versions that cannot talk to each other.
    #[error("it speaks another version of the protocol: run the same version on both")]
    Version,
    /// One side has a shared secret, and the other shows none.
    #[error("it wants a shared secret: start this program with the secret of the cluster")]
    SecretWanted,
    /// The dialer has a shared secret, and the other side does not ask for one.
    #[error("it knows no shared secret: start both with the same one, or neither")]
    NoSecretThere,
    /// The shared secrets differ.
    #[error("its shared secret is another one: start both with the same")]
    WrongSecret,
    /// The other side speaks TLS only.
    #[error("it wants TLS: start this program with a certificate of the cluster's authority")]
    TlsWanted,
    /// The other side does not speak TLS.
    #[error("it does not speak TLS: start both with certificates, or neither")]
    NoTlsThere,
    /// A dialer showed no certificate.
    #[error("it wants a certificate: start this program with one of the cluster's authority")]
    CertificateWanted,
    /// A certificate that this side does not trust, or that is not valid at this time.
    #[error("a certificate is not valid here: check its authority, and its dates")]
    BadCertificate,
    /// A certificate of the right authority that names other addresses.
    #[error("the certificate does not name that address: make one that does")]
    OtherAddress,
    /// What was dialed is not the address of the node that answered: something is between.
    #[error("the address that was dialed is not the one of the node that answered")]
    Relayed,
    /// The other side says that it is this very node.
    #[error("it has the same address as this node")]
    SameAddress,
    /// Delegated credentials do not open this door.
    #[error("delegated credentials are for talking with the node that gave them")]
    NotForDelegates,
}

impl Denied {
    /// All of them, in the order of their numbers.
    pub(crate) const ALL: [Denied; 12] = [
        Denied::Version,
        Denied::SecretWanted,
        Denied::NoSecretThere,
        Denied::WrongSecret,
        Denied::TlsWanted,
        Denied::NoTlsThere,
        Denied::CertificateWanted,
        Denied::BadCertificate,
        Denied::OtherAddress,
        Denied::Relayed,
        Denied::SameAddress,
        Denied::NotForDelegates,
    ];
}
