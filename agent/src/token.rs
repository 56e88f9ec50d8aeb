//! Tokens of executors: by them an executor that speaks HTTP shows that it is the one its agent
//! started. JSON Web Tokens with HMAC-SHA-256, as those of Apache Mesos: the ids of framework,
//! executor and container are claims.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// The variable in which an executor finds its token.
pub(crate) const VARIABLE: &str = "MESOS_EXECUTOR_AUTHENTICATION_TOKEN";

/// `{"alg":"HS256","typ":"JWT"}`, the one header there is.
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

/// A token has at most this many bytes: three ids, and room for their coat.
const MAX_BYTES: usize = 4 << 10;

/// Who an executor says it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// Its framework.
    pub(crate) fid: String,
    /// The executor.
    pub(crate) eid: String,
    /// Its container.
    pub(crate) cid: String,
}

/// Makes tokens, and knows its own again.
#[derive(Clone)]
pub(crate) struct TokenKey(Hmac<Sha256>);

impl TokenKey {
    pub(crate) fn new(key: &[u8]) -> TokenKey {
        TokenKey(Hmac::new_from_slice(key).expect("a key may have any length"))
    }

    /// Returns the token of an executor.
    pub(crate) fn token(&self, claims: &Claims) -> String {
        let claims = serde_json::to_vec(claims).expect("texts encode into memory");
        let signed = format!("{HEADER}.{}", URL_SAFE_NO_PAD.encode(claims));
        let mut mac = self.0.clone();
        mac.update(signed.as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
        format!("{signed}.{signature}")
    }

    /// Returns who shows this header `Authorization`; none if it is no token of this key.
    pub(crate) fn claims(&self, authorization: &str) -> Option<Claims> {
        let (scheme, token) = authorization.trim().split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") || token.len() > MAX_BYTES {
            return None;
        }
        let (signed, signature) = token.trim().rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let mut mac = self.0.clone();
        mac.update(signed.as_bytes());
        // In a time that does not tell how much of it was right.
        mac.verify_slice(&signature).ok()?;
        let (header, claims) = signed.split_once('.')?;
        if header != HEADER {
            return None;
        }
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        Claims {
            fid: "f".into(),
            eid: "e".into(),
            cid: "c".into(),
        }
    }

    #[test]
    fn a_token_is_good_for_the_key_that_made_it() {
        let key = TokenKey::new(b"a key");
        let shown = format!("Bearer {}", key.token(&claims()));
        assert_eq!(key.claims(&shown), Some(claims()));
        assert_eq!(TokenKey::new(b"another").claims(&shown), None);
        for (i, _) in shown.char_indices().skip(7) {
            let mut forged = shown.clone();
            let other = if &shown[i..=i] == "A" { "B" } else { "A" };
            forged.replace_range(i..=i, other);
            // The last letter has bits that count for nothing, and decoding refuses them.
            assert_eq!(key.claims(&forged), None, "letter {i}");
        }
        for wrong in ["Bearer", "Bearer .", "Bearer ..", "Basic YTpi", ""] {
            assert_eq!(key.claims(wrong), None);
        }
    }

    #[test]
    fn a_token_is_what_other_programs_take_for_one() {
        // By the example of RFC 7515, appendix A.1: the way from bytes to signature.
        let token = TokenKey::new(b"secret").token(&claims());
        let parts: Vec<&str> = token.split('.').collect();
        let header = URL_SAFE_NO_PAD.decode(parts[0]).unwrap();
        assert_eq!(header, br#"{"alg":"HS256","typ":"JWT"}"#);
        let body = URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
        assert_eq!(body, br#"{"fid":"f","eid":"e","cid":"c"}"#);
        assert_eq!(parts.len(), 3);
    }
}
