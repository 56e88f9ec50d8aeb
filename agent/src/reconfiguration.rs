//! Whether an agent that was given other flags can go on with what runs.
//!
//! Apache Mesos refuses whatever is not as it was (`src/slave/compatibility.cpp`). Here everything
//! may change that nothing running depends on.

use std::net::SocketAddr;

use types::{AgentInfo, ResourceQuantities, Resources};

/// What cannot change while tasks run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{key} was {before} and is {now}, which tasks that run do not allow: give it the former value, \
     or end them with --recover=cleanup"
)]
pub struct Blocked {
    /// The flag, or the resource.
    pub key: String,
    /// What it was, or what is needed of it.
    pub before: String,
    /// What it is.
    pub now: String,
}

/// Compares an agent with what it was; `used` is what runs under it.
///
/// # Errors
/// When what runs needs what it was.
pub(crate) fn check(
    (before, before_at): (&AgentInfo, SocketAddr),
    (now, now_at): (&AgentInfo, SocketAddr),
    used: &Resources,
) -> Result<(), Blocked> {
    let blocked = |key: &str, before: String, now: String| {
        let key = key.to_owned();
        Err(Blocked { key, before, now })
    };
    // Executors know the agent by its address, and HTTP ones have nobody to tell them another.
    if before_at.ip() != now_at.ip() {
        return blocked("ip", before_at.ip().to_string(), now_at.ip().to_string());
    }
    if before_at.port() != now_at.port() {
        return blocked(
            "port",
            before_at.port().to_string(),
            now_at.port().to_string(),
        );
    }
    // Frameworks have placed tasks by these, and tell others to find them there.
    if before.hostname != now.hostname {
        return blocked("hostname", before.hostname.clone(), now.hostname.clone());
    }
    if before.domain != now.domain {
        let text = |info: &AgentInfo| match &info.domain {
            Some(domain) => format!("{}/{}", domain.region, domain.zone),
            None => "none".to_owned(),
        };
        return blocked("domain", text(before), text(now));
    }
    let there = ResourceQuantities::from(&now.resources);
    for (name, amount) in ResourceQuantities::from(used).iter() {
        if there.get(name) < amount {
            let key = format!("resources: {name}");
            return blocked(
                &key,
                format!("used to {amount}"),
                there.get(name).to_string(),
            );
        }
    }
    let (ports, used_ports) = (now.resources.total_ports(), used.total_ports());
    if !ports.contains(&used_ports) {
        let before = format!("used to {used_ports}");
        return blocked("resources: ports", before, ports.to_string());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent() -> AgentInfo {
        let resources = Resources::new().cpus(4.0).mem_mib(100).ports(1..=9);
        AgentInfo::new("host", 5051, resources)
    }

    fn check_with(now: &AgentInfo, port: u16) -> Option<String> {
        let used = Resources::new().cpus(2.0).ports(3..=4);
        let at = |port| SocketAddr::from(([10, 0, 0, 1], port));
        let checked = check((&agent(), at(5051)), (now, at(port)), &used);
        checked.err().map(|blocked| blocked.key)
    }

    #[test]
    fn what_nothing_running_needs_may_change() {
        let mut now = agent();
        now.attributes = "rack:r2".parse().unwrap();
        now.resources = Resources::new().cpus(2.0).ports(2..=5);
        assert_eq!(check_with(&now, 5051), None);
    }

    #[test]
    fn what_tasks_need_is_named_when_it_is_not_there() {
        let changed = |change: fn(&mut AgentInfo)| {
            let mut now = agent();
            change(&mut now);
            check_with(&now, 5051).unwrap()
        };
        let less = changed(|now| now.resources = Resources::new().cpus(1.0).ports(1..=9));
        assert_eq!(less, "resources: cpus");
        let ports = changed(|now| now.resources = Resources::new().cpus(4.0).ports(4..=9));
        assert_eq!(ports, "resources: ports");
        assert_eq!(changed(|now| now.hostname = "other".to_owned()), "hostname");
        assert_eq!(check_with(&agent(), 5052).unwrap(), "port");
    }
}
