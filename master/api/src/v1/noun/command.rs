//! Commands, their environment and their secrets.

use bytes::Bytes;

use crate::v1::DurationInfo;
use crate::v1::codec::macros::{enumeration, message};

message! {
    /// What to run.
    pub struct CommandInfo {
        /// Things fetched into the sandbox first.
        1 uris: Vec<Uri>,
        /// Variables set for the process.
        2 environment: Option<Environment>,
        /// True: `/bin/sh -c value`; false: exec value with arguments as argv.
        6 shell: bool = true,
        /// Shell string or executable.
        3 value: Option<String>,
        /// Argv (argv[0] included) when shell=false.
        7 arguments: Vec<String>,
        /// User override.
        5 user: Option<String>,
    }

    /// Something to fetch into the sandbox.
    pub struct Uri {
        /// Http(s)/ftp(s)/file/hdfs/s3 style URI or local path.
        1 value: String,
        /// Chmod +x after download; disables extraction.
        2 executable: Option<bool>,
        /// Unpack .tar .tgz .tar.gz .tbz2 .tar.bz2 .txz .tar.xz .zip .gz.
        3 extract: bool = true,
        /// Go through the agent's fetcher cache.
        4 cache: Option<bool>,
        /// Name (relative path) in the sandbox.
        5 output_file: Option<String>,
    }

    /// Variables of a process.
    pub struct Environment {
        /// List.
        1 variables: Vec<Variable>,
    }

    /// A variable of a process.
    pub struct Variable {
        1 name: String,
        /// VALUE or SECRET.
        3 kind "type": VariableType = VariableType::Value,
        /// Plain value.
        2 value: Option<String>,
        4 secret: Option<Secret>,
    }

    /// Something that is not for everybody.
    pub struct Secret {
        /// REFERENCE or VALUE.
        1 kind "type": Option<SecretType>,
        /// Pointer into a secret store (needs resolver module).
        2 reference: Option<SecretReference>,
        /// Inline bytes.
        3 value: Option<SecretValue>,
    }

    /// Where a secret store keeps a secret.
    pub struct SecretReference {
        /// Secret name.
        1 name: String,
        /// Key inside it.
        2 key: Option<String>,
    }

    /// A secret itself.
    pub struct SecretValue {
        /// Opaque bytes.
        1 data: Bytes,
    }

    /// How a task is killed.
    pub struct KillPolicy {
        /// SIGTERM to SIGKILL delay (executor default 3 s when unset).
        1 grace_period: Option<DurationInfo>,
    }

    /// A name and its password.
    pub struct Credential {
        /// Who it was.
        1 principal: String,
        /// Password.
        2 secret: Option<String>,
    }

    /// A list of credentials.
    pub struct Credentials {
        /// List.
        1 credentials: Vec<Credential>,
    }
}

enumeration! {
    /// Where the value of a variable is.
    pub enum VariableType {
        Unknown = 0 "UNKNOWN",
        Value = 1 "VALUE",
        Secret = 2 "SECRET",
    }

    /// Where a secret is.
    pub enum SecretType {
        Unknown = 0 "UNKNOWN",
        Reference = 1 "REFERENCE",
        Value = 2 "VALUE",
    }
}
