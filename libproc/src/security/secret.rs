//! Shared secrets: keys, and proofs that a key is known which do not tell the key.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::SecurityError;
use super::files;

/// Least bytes of a key: 128 bits, if each was drawn by chance.
pub(super) const KEY_MIN: usize = 16;
/// Most bytes of a key: what is longer is some other file.
pub(super) const KEY_MAX: usize = 4096;
/// Most keys at once: one, and the one that replaces it.
pub(crate) const KEYS_MAX: usize = 2;
/// Longest label of a delegated key, in bytes: an id fits.
pub(crate) const LABEL_MAX: usize = 255;

/// HMAC-SHA-256 over what was said, by one who knows the key.
pub(crate) type Proof = [u8; 32];
/// Drawn anew by each side for each connection, so that no proof is good for another one.
pub(crate) type Nonce = [u8; 16];

/// Which side of a connection proves; each proof is good for its side only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Dialer,
    Answerer,
}

/// One or two shared secrets.
///
/// To replace a secret without a pause: give every node the new and the old one, then every node
/// the new one alone. Whoever knows one of the two is let in.
#[derive(Clone)]
pub struct Keys {
    pub(super) keys: Vec<Key>,
    /// Where they were read from.
    pub(super) files: Vec<PathBuf>,
}

/// One shared secret. It is wiped from memory when it is dropped.
#[derive(Clone)]
pub(crate) struct Key(Zeroizing<Vec<u8>>);

impl Keys {
    /// Reads secrets from files; white space around them does not count.
    ///
    /// A file that others than its owner may read is used all the same, with a warning.
    ///
    /// # Errors
    /// When a file cannot be read, is no secret, or there are none or more than two.
    pub fn from_files(files: &[impl AsRef<Path>]) -> Result<Keys, SecurityError> {
        let files: Vec<PathBuf> = files.iter().map(|file| file.as_ref().to_owned()).collect();
        let mut keys = Vec::new();
        for file in &files {
            let bytes = files::read_secret(file, KEY_MAX as u64)?;
            keys.push(Key::new(bytes.trim_ascii())?);
        }
        Keys::new(keys, files)
    }

    /// Takes secrets as they are, the preferred one first.
    ///
    /// # Errors
    /// When one is shorter than 16 bytes, or there are none or more than two.
    pub fn from_bytes(keys: &[impl AsRef<[u8]>]) -> Result<Keys, SecurityError> {
        let keys: Result<Vec<Key>, _> = keys.iter().map(|key| Key::new(key.as_ref())).collect();
        Keys::new(keys?, Vec::new())
    }

    fn new(keys: Vec<Key>, files: Vec<PathBuf>) -> Result<Keys, SecurityError> {
        match keys.len() {
            1..=KEYS_MAX => Ok(Keys { keys, files }),
            count => Err(SecurityError::KeyCount(count)),
        }
    }

    /// The word that HTTP clients show, as `Authorization: Bearer WORD`: it follows from the first
    /// key, and the key does not follow from it.
    pub fn http_token(&self) -> String {
        use fmt::Write as _;
        let token = self.keys[0].mac("http", &[]).finalize().into_bytes();
        token.iter().fold(String::new(), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("count", &self.keys.len())
            .field("files", &self.files)
            .finish()
    }
}

impl Key {
    pub(crate) fn new(bytes: &[u8]) -> Result<Key, SecurityError> {
        match bytes.len() {
            0..KEY_MIN => Err(SecurityError::ShortKey(bytes.len())),
            KEY_MIN..=KEY_MAX => Ok(Key(Zeroizing::new(bytes.to_vec()))),
            _ => Err(SecurityError::LongKey),
        }
    }

    /// A key that the node at `delegator` can make again from its own, and that says nothing of it.
    pub(crate) fn delegated(&self, delegator: SocketAddr, label: &str) -> Key {
        let parts = [
            delegator.to_string().into_bytes(),
            label.as_bytes().to_vec(),
        ];
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let key = self.mac("delegate", &parts).finalize().into_bytes();
        Key(Zeroizing::new(key.to_vec()))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Proves to whoever knows the key that `side` knows it too, and has heard and said `heard`.
    pub(crate) fn prove(&self, side: Side, heard: &[&[u8]]) -> Proof {
        self.mac(side.purpose(), heard)
            .finalize()
            .into_bytes()
            .into()
    }

    /// Whether a proof is what [`prove`](Key::prove) gives; takes the same time for any other.
    pub(crate) fn verifies(&self, side: Side, heard: &[&[u8]], proof: &Proof) -> bool {
        self.mac(side.purpose(), heard).verify_slice(proof).is_ok()
    }

    /// Whether a client's word is that of [`Keys::http_token`].
    pub(crate) fn is_token(&self, hex: &str) -> bool {
        let token = decode_hex(hex);
        token.is_some_and(|token| self.mac("http", &[]).verify_slice(&token).is_ok())
    }

    /// Begins an authentication code for a purpose, and over parts that cannot run together.
    fn mac(&self, purpose: &str, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("any length is a key");
        for part in [b"tepui libproc 1", purpose.as_bytes()]
            .into_iter()
            .chain(parts.iter().copied())
        {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        mac
    }
}

impl Side {
    fn purpose(self) -> &'static str {
        match self {
            Side::Dialer => "dialer",
            Side::Answerer => "answerer",
        }
    }
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Key {
        Key::new(&[byte; 32]).expect("long enough")
    }

    #[test]
    fn a_proof_is_good_for_its_key_its_side_and_what_was_heard() {
        let proof = key(1).prove(Side::Dialer, &[b"ab", b"c"]);
        assert!(key(1).verifies(Side::Dialer, &[b"ab", b"c"], &proof));
        assert!(!key(2).verifies(Side::Dialer, &[b"ab", b"c"], &proof));
        assert!(!key(1).verifies(Side::Answerer, &[b"ab", b"c"], &proof));
        assert!(!key(1).verifies(Side::Dialer, &[b"a", b"bc"], &proof));
    }

    #[test]
    fn a_delegated_key_is_another_for_each_delegator_and_label() {
        let at = |port: u16| SocketAddr::from(([10, 0, 0, 1], port));
        let delegated = key(1).delegated(at(1), "a");
        assert_eq!(delegated.bytes(), key(1).delegated(at(1), "a").bytes());
        for other in [
            key(1).delegated(at(2), "a"),
            key(1).delegated(at(1), "b"),
            key(2).delegated(at(1), "a"),
        ] {
            assert_ne!(delegated.bytes(), other.bytes());
        }
    }

    #[test]
    fn the_token_of_http_clients_follows_from_the_key() {
        let keys = Keys::from_bytes(&[[1; 32], [2; 32]]).expect("two keys");
        let token = keys.http_token();
        assert_eq!(token.len(), 64);
        assert!(keys.keys[0].is_token(&token) && keys.keys[0].is_token(&token.to_uppercase()));
        for wrong in [
            "",
            "0",
            &token[1..],
            &token[2..],
            &"0".repeat(64),
            "not hex",
        ] {
            assert!(!keys.keys[0].is_token(wrong), "{wrong}");
        }
        assert!(!keys.keys[1].is_token(&token));
    }

    #[test]
    fn keys_that_can_be_guessed_and_keys_without_number_are_refused() {
        assert!(matches!(
            Keys::from_bytes(&["short"]),
            Err(SecurityError::ShortKey(5))
        ));
        assert!(matches!(
            Keys::from_bytes(&[[0; 5000]]),
            Err(SecurityError::LongKey)
        ));
        assert!(matches!(
            Keys::from_bytes(&[[0; 32]; 3]),
            Err(SecurityError::KeyCount(3))
        ));
        assert!(matches!(
            Keys::from_bytes(&[[0; 32]; 0]),
            Err(SecurityError::KeyCount(0))
        ));
    }
}
