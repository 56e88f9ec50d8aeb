//! Flags: what the master was told when it started, under the names of its command line.

use std::collections::BTreeMap;

use api::v1::authentication::Realm;
use types::{ResourceQuantities, format_duration};

use crate::process::MasterProcess;

impl MasterProcess {
    /// What the master was told when it started.
    pub(in crate::http) fn flags(&self) -> BTreeMap<&'static str, String> {
        let options = &self.options;
        let mut flags = BTreeMap::new();
        if let Some((ip, port)) = self.info.address.rsplit_once(':') {
            flags.insert("ip", ip.trim_matches(['[', ']']).to_owned());
            flags.insert("port", port.to_owned());
        }
        flags.insert("hostname", self.info.hostname.clone());
        if let Some(cluster) = &options.cluster {
            flags.insert("cluster", cluster.clone());
        }
        if let Some(timeout) = options.offer_timeout {
            flags.insert("offer_timeout", format_duration(timeout));
        }
        for (name, duration) in [
            ("agent_ping_timeout", options.agent_ping_timeout),
            ("agent_reregister_timeout", options.agent_reregister_timeout),
        ] {
            flags.insert(name, format_duration(duration));
        }
        let count = options.max_agent_ping_timeouts.to_string();
        flags.insert("max_agent_ping_timeouts", count);
        for (name, count) in [
            ("max_completed_frameworks", options.max_completed_frameworks),
            (
                "max_completed_tasks_per_framework",
                options.max_completed_tasks_per_framework,
            ),
            (
                "max_unreachable_tasks_per_framework",
                options.max_unreachable_tasks_per_framework,
            ),
            ("registry_max_agent_count", options.max_removed_agents),
        ] {
            flags.insert(name, count.to_string());
        }
        let least = options.min_allocatable.iter().map(quantities);
        let least: Vec<String> = least.collect();
        flags.insert("min_allocatable_resources", least.join("|"));
        if let Some(roles) = &options.roles {
            let roles: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
            flags.insert("roles", roles.join(","));
        }
        let asks = |realm| options.authentication.requires(realm).to_string();
        for (name, realm) in [
            ("authenticate_http_readonly", Realm::MasterReadOnly),
            ("authenticate_http_readwrite", Realm::MasterReadWrite),
            ("authenticate_http_frameworks", Realm::MasterScheduler),
        ] {
            flags.insert(name, asks(realm));
        }
        if !options.weights.is_empty() {
            let weight = |(role, weight): (&types::Role, &allocator::Weight)| {
                format!("{role}={}", weight.thousandths() as f64 / 1_000.0)
            };
            let weights: Vec<String> = options.weights.iter().map(weight).collect();
            flags.insert("weights", weights.join(","));
        }
        flags
    }
}

fn quantities(quantities: &ResourceQuantities) -> String {
    let quantity = |(name, amount)| format!("{name}:{amount}");
    let all: Vec<String> = quantities.iter().map(quantity).collect();
    all.join(";")
}
