//! Authentication of HTTP clients: who they are, by Basic credentials, and where they have to say
//! so.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// A file of credentials has at most this many bytes.
pub const MAX_CREDENTIALS_BYTES: u64 = 1 << 20;

/// A principal, or a secret, has at most this many bytes.
const MAX_BYTES: usize = 4 << 10;

/// A part of the doors of a daemon for which clients have to say who they are, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Realm {
    /// The pages of a master that only tell.
    MasterReadOnly,
    /// Those that change something, and the calls of operators.
    MasterReadWrite,
    /// The calls of schedulers.
    MasterScheduler,
    /// The pages of an agent that only tell.
    AgentReadOnly,
    /// The calls of operators to an agent.
    AgentReadWrite,
    /// The calls of executors.
    AgentExecutor,
}

impl Realm {
    /// Returns the name of the realm, as Apache Mesos has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Realm::MasterReadOnly => "mesos-master-readonly",
            Realm::MasterReadWrite => "mesos-master-readwrite",
            Realm::MasterScheduler => "mesos-master-scheduler",
            Realm::AgentReadOnly => "mesos-agent-readonly",
            Realm::AgentReadWrite => "mesos-agent-readwrite",
            Realm::AgentExecutor => "mesos-agent-executor",
        }
    }

    /// Returns what a client is told that has not said who it is: executors show a token, all others
    /// a name and a secret.
    pub fn challenge(self) -> String {
        let scheme = match self {
            Realm::AgentExecutor => "Bearer",
            _ => "Basic",
        };
        format!("{scheme} realm=\"{}\"", self.as_str())
    }
}

/// Who a client is, as it has shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Principal(pub String);

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who may come, and where that has to be shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Authentication {
    /// Who may come.
    pub credentials: Credentials,
    /// Where they have to show it.
    pub realms: BTreeSet<Realm>,
}

impl Authentication {
    /// Returns whether clients have to say who they are.
    pub fn requires(&self, realm: Realm) -> bool {
        self.realms.contains(&realm)
    }
}

/// Principals and their secrets, of which only digests are kept.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials(BTreeMap<String, [u8; 32]>);

impl fmt::Debug for Credentials {
    /// Without the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Why a text is no list of credentials. It quotes no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCredentials {
    /// It is no JSON of the expected form.
    #[error(
        "credentials in JSON are {{\"credentials\": [{{\"principal\", \"secret\"}}]}}: line {line}, column {column}"
    )]
    Json {
        /// Where it is wrong.
        line: usize,
        /// Where it is wrong.
        column: usize,
    },
    /// A line is not a principal and a secret.
    #[error("line {0} is not a principal, a space, and a secret")]
    Line(usize),
    /// A principal cannot be told apart from its secret by who reads the header.
    #[error("a principal may not be empty or contain a colon: {0:?}")]
    Principal(String),
    /// A secret is empty or too long.
    #[error("the secret of {0:?} is empty or has more than {MAX_BYTES} bytes")]
    Secret(String),
    /// A principal comes twice.
    #[error("the principal {0:?} is there twice")]
    Twice(String),
}

#[derive(Deserialize)]
struct File {
    credentials: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    principal: String,
    secret: String,
}

impl FromStr for Credentials {
    type Err = InvalidCredentials;

    /// Reads JSON, or lines of a principal, white space and a secret. Empty lines and such that
    /// begin with `#` count for nothing.
    fn from_str(text: &str) -> Result<Self, InvalidCredentials> {
        let mut all = Credentials::default();
        if text.trim_start().starts_with('{') {
            let file: File = serde_json::from_str(text).map_err(|error| {
                let (line, column) = (error.line(), error.column());
                InvalidCredentials::Json { line, column }
            })?;
            for Entry { principal, secret } in file.credentials {
                all.add(principal, &secret)?;
            }
            return Ok(all);
        }
        for (i, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let mut words = line.split_whitespace();
            match (words.next(), words.next(), words.next()) {
                (Some(principal), Some(secret), None) => all.add(principal.to_owned(), secret)?,
                _ => return Err(InvalidCredentials::Line(i + 1)),
            }
        }
        Ok(all)
    }
}

impl Credentials {
    fn add(&mut self, principal: String, secret: &str) -> Result<(), InvalidCredentials> {
        if principal.is_empty() || principal.len() > MAX_BYTES || principal.contains(':') {
            return Err(InvalidCredentials::Principal(principal));
        }
        if secret.is_empty() || secret.len() > MAX_BYTES {
            return Err(InvalidCredentials::Secret(principal));
        }
        if self.0.contains_key(&principal) {
            return Err(InvalidCredentials::Twice(principal));
        }
        self.0.insert(principal, digest(secret));
        Ok(())
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns who shows this header `Authorization`; none if it is not Basic, or wrong.
    pub fn principal(&self, authorization: &str) -> Option<Principal> {
        let (scheme, encoded) = authorization.trim().split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = STANDARD.decode(encoded.trim()).ok()?;
        let text = std::str::from_utf8(&decoded).ok()?;
        let (principal, secret) = text.split_once(':')?;
        let known = self.0.get(principal);
        // As long for a principal that is not known.
        let same = same(known.unwrap_or(&[0; 32]), &digest(secret));
        (known.is_some() && same).then(|| Principal(principal.to_owned()))
    }
}

fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Compares digests in a time that does not tell where they differ.
fn same(left: &[u8; 32], right: &[u8; 32]) -> bool {
    let differ = left.iter().zip(right).fold(0, |sum, (a, b)| sum | (a ^ b));
    std::hint::black_box(differ) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(text: &str) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    #[test]
    fn credentials_are_read_from_json_and_from_lines() {
        let json = r#"{"credentials": [{"principal": "a", "secret": "x y"},
            {"principal": "b", "secret": "z:1"}]}"#;
        let json: Credentials = json.parse().unwrap();
        assert_eq!(json.principal(&basic("a:x y")), Some(Principal("a".into())));
        assert_eq!(json.principal(&basic("b:z:1")), Some(Principal("b".into())));
        let lines: Credentials = "# who may come\n\na x\nb  z\n".parse().unwrap();
        assert_eq!(lines.principal(&basic("b:z")), Some(Principal("b".into())));
        assert!("".parse::<Credentials>().unwrap().is_empty());
    }

    #[test]
    fn what_is_no_list_is_refused_without_a_word_of_secrets() {
        for (text, wrong) in [
            ("a", "line 1"),
            ("\na b c", "line 2"),
            ("a secret\na secret", "twice"),
            ("a:b secret", "colon"),
            (
                r#"{"credentials": [{"principal": "a", "secret": 7}]}"#,
                "line 1, column",
            ),
            (
                r#"{"credentials": [{"principal": "a", "secret": ""}]}"#,
                "is empty",
            ),
        ] {
            let error = text.parse::<Credentials>().unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
            assert!(!error.contains("secret\n"), "{error}");
        }
        let hidden = format!("{:?}", "a secret".parse::<Credentials>().unwrap());
        assert_eq!(hidden, r#"{"a"}"#);
    }

    #[test]
    fn only_the_right_secret_opens() {
        let credentials: Credentials = "a x".parse().unwrap();
        assert!(
            credentials
                .principal(&basic("a:x").replace("Basic", "basic"))
                .is_some()
        );
        for wrong in [
            basic("a:y"),
            basic("b:x"),
            basic("a"),
            basic("a:"),
            "Basic !".into(),
            "Bearer eA==".into(),
            "Basic".into(),
            String::new(),
        ] {
            assert_eq!(credentials.principal(&wrong), None, "{wrong}");
        }
    }
}
