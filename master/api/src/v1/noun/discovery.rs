//! Labels, and how others find a task.

use crate::v1::codec::macros::{enumeration, message};

message! {
    /// A list of labels.
    pub struct Labels {
        /// Free words.
        1 labels: Vec<Label>,
    }

    /// A word, with or without a value.
    pub struct Label {
        1 key: String,
        2 value: Option<String>,
    }

    /// A port a task answers on.
    pub struct Port {
        1 number: u32,
        2 name: Option<String>,
        /// `tcp`, `udp`, or what is spoken on it.
        3 protocol: Option<String>,
        /// Instead of that of the task.
        4 visibility: Option<Visibility>,
        /// Free words.
        5 labels: Option<Labels>,
    }

    /// A list of ports.
    pub struct Ports {
        1 ports: Vec<Port>,
    }

    /// How others find a task. Nothing here is checked or enforced.
    pub struct DiscoveryInfo {
        1 visibility: Visibility,
        2 name: Option<String>,
        /// Test, production, and so on.
        3 environment: Option<String>,
        4 location: Option<String>,
        5 version: Option<String>,
        6 ports: Option<Ports>,
        /// Free words.
        7 labels: Option<Labels>,
    }
}

enumeration! {
    /// Who should find a task.
    pub enum Visibility {
        Framework = 0 "FRAMEWORK",
        Cluster = 1 "CLUSTER",
        External = 2 "EXTERNAL",
    }
}
