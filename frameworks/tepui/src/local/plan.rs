//! What cluster is wanted, and which ports it needs.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use types::Resources;

use super::flag;
use crate::security::DaemonSecurityFlags;

/// Most agents on one machine.
pub(crate) const AGENTS_MAX: u16 = 100;
/// Most masters on one machine.
pub(crate) const MASTERS_MAX: u16 = 9;

/// What cluster is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// How many masters, of which one leads; at least one.
    pub(crate) masters: u16,
    /// How many agents.
    pub(crate) agents: u16,
    /// Where everything listens.
    pub(crate) ip: IpAddr,
    /// The port of the first master; those of other masters follow, and then those of agents. With 0
    /// all are free ones.
    pub(crate) port: u16,
    /// What each agent says it has; a share of the machine if none.
    pub(crate) resources: Option<Resources>,
    /// Where everything is kept; a temporary directory if none.
    pub(crate) work_dir: Option<PathBuf>,
    /// Whether a temporary directory is left there.
    pub(crate) keep: bool,
    /// How its members, and others, show that they belong to it.
    pub(crate) security: DaemonSecurityFlags,
}

impl Plan {
    /// The ports of the masters. Several have to know each other's before they start, so that free
    /// ones are found here; one finds its own.
    ///
    /// # Errors
    /// When no free ones can be found.
    pub(super) fn master_ports(&self) -> Result<Vec<u16>> {
        if self.port > 0 || self.masters == 1 {
            return Ok((0..self.masters).map(|index| self.port + index).collect());
        }
        let listeners: Vec<TcpListener> = (0..self.masters)
            .map(|_| TcpListener::bind((self.ip, 0)))
            .collect::<std::io::Result<_>>()
            .with_context(|| format!("no port of {} can be had", self.ip))?;
        let ports = listeners
            .iter()
            .map(|listener| Ok(listener.local_addr()?.port()));
        ports.collect()
    }

    /// The port of agent `number`, from 1.
    pub(super) fn agent_port(&self, number: u16) -> u16 {
        match self.port {
            0 => 0,
            port => port + self.masters + number - 1,
        }
    }

    /// Where a member with this port listens.
    pub(super) fn address(&self, port: u16) -> String {
        SocketAddr::new(self.ip, port).to_string()
    }

    /// The flags of a member that listens on this port.
    pub(super) fn listen_flags(&self, port: u16) -> Vec<String> {
        let mut flags = vec![
            flag("ip", self.ip),
            flag("port", port),
            "--child".to_owned(),
        ];
        flags.extend(self.security.flags());
        flags
    }

    /// Refuses ports that are taken, before anything is started.
    ///
    /// # Errors
    /// Says which port, and which flag to change.
    pub(super) fn check_ports(&self) -> Result<()> {
        if self.port == 0 {
            return Ok(());
        }
        let members = self.masters + self.agents;
        let Some(last) = self.port.checked_add(members - 1) else {
            bail!(
                "{members} masters and agents need ports up to {}, and there are none beyond 65535: \
                 choose a lower --port",
                u32::from(self.port) + u32::from(members) - 1
            );
        };
        for port in self.port..=last {
            TcpListener::bind((self.ip, port)).with_context(|| {
                format!(
                    "port {port} of {} cannot be had: is a cluster running there already? \
                     (`tepui status --master={}:{port}`) choose others with --port, or --port=0",
                    self.ip, self.ip
                )
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(port: u16, masters: u16, agents: u16) -> Plan {
        Plan {
            masters,
            agents,
            ip: IpAddr::from([127, 0, 0, 1]),
            port,
            resources: None,
            work_dir: None,
            keep: false,
            security: DaemonSecurityFlags::default(),
        }
    }

    #[test]
    fn a_taken_port_is_named_with_the_flag_to_change() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = plan(port, 1, 0).check_ports().unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("port {port} of 127.0.0.1")),
            "{error}"
        );
        assert!(error.contains("--port"), "{error}");
        assert!(plan(0, 3, 3).check_ports().is_ok());
    }

    #[test]
    fn ports_beyond_the_last_are_refused() {
        let error = plan(65_534, 1, 3).check_ports().unwrap_err().to_string();
        assert!(error.contains("65537"), "{error}");
    }

    #[test]
    fn several_masters_have_ports_of_their_own_before_they_start() {
        let fixed = plan(5050, 3, 2);
        assert_eq!(fixed.master_ports().unwrap(), [5050, 5051, 5052]);
        assert_eq!((fixed.agent_port(1), fixed.agent_port(2)), (5053, 5054));
        let mut free = plan(0, 3, 1).master_ports().unwrap();
        free.dedup();
        assert!(free.len() == 3 && !free.contains(&0), "{free:?}");
        assert_eq!(plan(0, 1, 1).master_ports().unwrap(), [0]);
    }
}
