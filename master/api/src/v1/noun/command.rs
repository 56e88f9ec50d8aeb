//! Commands, their environment and their secrets.

use bytes::Bytes;

use crate::v1::DurationInfo;
use crate::v1::codec::macros::{enumeration, message};

message! {
    /// What to run.
    pub struct CommandInfo {
        /// What is fetched into the sandbox before.
        1 uris: Vec<Uri>,
        2 environment: Option<Environment>,
        /// `value` goes to `/bin/sh -c`; else it is the program.
        6 shell: bool = true,
        /// The script, or the program.
        3 value: Option<String>,
        /// The arguments of the program, its name the first.
        7 arguments: Vec<String>,
        /// The user to run as, instead of the framework's.
        5 user: Option<String>,
    }

    /// Something to fetch into the sandbox.
    pub struct Uri {
        /// Where it is: a URI, or a path of the agent.
        1 value: String,
        /// It may be run, and is not unpacked.
        2 executable: Option<bool>,
        /// It is unpacked when its name is that of an archive.
        3 extract: bool = true,
        /// The agent may keep it for others.
        4 cache: Option<bool>,
        /// What it is called in the sandbox.
        5 output_file: Option<String>,
    }

    /// Variables of a process.
    pub struct Environment {
        1 variables: Vec<Variable>,
    }

    /// A variable of a process.
    pub struct Variable {
        1 name: String,
        3 kind "type": VariableType = VariableType::Value,
        2 value: Option<String>,
        4 secret: Option<Secret>,
    }

    /// Something that is not for everybody.
    pub struct Secret {
        1 kind "type": Option<SecretType>,
        2 reference: Option<SecretReference>,
        3 value: Option<SecretValue>,
    }

    /// Where a secret store keeps a secret.
    pub struct SecretReference {
        1 name: String,
        2 key: Option<String>,
    }

    /// A secret itself.
    pub struct SecretValue {
        /// Opaque bytes.
        1 data: Bytes,
    }

    /// How a task is killed.
    pub struct KillPolicy {
        /// The time between asking and forcing; three seconds unless set.
        1 grace_period: Option<DurationInfo>,
    }

    /// A name and its password.
    pub struct Credential {
        /// Who it was.
        1 principal: String,
        2 secret: Option<String>,
    }

    /// A list of credentials.
    pub struct Credentials {
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
