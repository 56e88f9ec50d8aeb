//! A cluster on this machine, of real processes: one master and some agents, started from this
//! very executable, watched, and stopped without leaving anything behind.

mod directory;
mod member;
mod reaper;

use std::fmt;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use api::master::{AgentState, AgentSummary, GetAgents};
use indicatif::ProgressBar;
use types::Resources;

use crate::client::{Client, MasterFlag};
use crate::machine::Machine;
use crate::security::{DaemonSecurityFlags, SecurityFlags};

use directory::Directory;
pub(crate) use member::{Exit, Member, executable};
pub(crate) use reaper::Reaper;

/// Longest time a cluster may take to come up.
const START: Duration = Duration::from_secs(60);
/// How often the master is asked whether the agents are there.
const LOOK: Duration = Duration::from_millis(10);
/// Most agents on one machine.
pub(crate) const AGENTS_MAX: u16 = 100;

/// What cluster is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// How many agents.
    pub(crate) agents: u16,
    /// Where everything listens.
    pub(crate) ip: IpAddr,
    /// The port of the master; those of agents follow. With 0 all are free ones.
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

/// A cluster on this machine.
pub(crate) struct Cluster {
    plan: Plan,
    machine: Machine,
    directory: Directory,
    members: Vec<Member>,
    master: Option<SocketAddr>,
}

/// A member that ended though nobody told it to.
#[derive(Debug)]
pub(crate) struct Died {
    what: String,
    exit: Exit,
    log: PathBuf,
    tail: String,
}

impl fmt::Display for Died {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ended by itself, with {}", self.what, self.exit)?;
        if self.tail.is_empty() {
            return write!(f, "; its log, {}, is empty", self.log.display());
        }
        write!(
            f,
            "; the end of its log, {}:\n{}",
            self.log.display(),
            self.tail
        )
    }
}

impl std::error::Error for Died {}

impl Cluster {
    /// Makes room for a cluster; nothing runs yet.
    ///
    /// # Errors
    /// When a port is taken or the directory cannot be made.
    pub(crate) fn new(plan: Plan) -> Result<Cluster> {
        check_ports(&plan)?;
        let directory = Directory::make(plan.work_dir.as_deref(), plan.keep)?;
        let machine = Machine::detect(directory.path())
            .context("could not find out what this machine has to offer")?;
        Ok(Cluster {
            plan,
            machine,
            directory,
            members: Vec::new(),
            master: None,
        })
    }

    /// Starts master and agents, and waits until all agents have registered.
    ///
    /// # Errors
    /// When one cannot be started, or it takes too long. Whoever calls must then
    /// [`stop`](Cluster::stop), and meanwhile look after members that die.
    pub(crate) async fn start(&mut self, progress: &ProgressBar) -> Result<Vec<AgentSummary>> {
        match tokio::time::timeout(START, self.bring_up(progress)).await {
            Ok(agents) => agents,
            Err(_) => bail!(
                "the agents did not register within {} s; the end of the log of the master:\n{}",
                START.as_secs(),
                self.members
                    .first()
                    .map(Member::log_tail)
                    .unwrap_or_default()
            ),
        }
    }

    async fn bring_up(&mut self, progress: &ProgressBar) -> Result<Vec<AgentSummary>> {
        progress.set_message("starting the master");
        let mut flags = self.listen_flags(0);
        flags.push(flag(
            "work-dir",
            self.directory.make_for("master")?.display(),
        ));
        let log = self.directory.log("master");
        self.members.push(Member::start(
            "master",
            "master",
            &flags,
            &self.plan.security.security,
            &log,
        )?);
        let Some(master) = self.members.last_mut() else {
            bail!("no member was started")
        };
        let address = master.address().await?;
        self.master = Some(address);

        for number in 1..=self.plan.agents {
            let name = format!("agent-{number}");
            let mut flags = self.listen_flags(number);
            flags.push(flag("master", address));
            flags.push(flag("work-dir", self.directory.make_for(&name)?.display()));
            flags.push(flag("resources", to_flag(&self.resources(number))));
            let log = self.directory.log(&name);
            self.members.push(Member::start(
                &name,
                "agent",
                &flags,
                &self.plan.security.security,
                &log,
            )?);
        }
        for member in &mut self.members {
            member.address().await?;
        }
        self.registered(address, progress).await
    }

    async fn registered(
        &self,
        master: SocketAddr,
        progress: &ProgressBar,
    ) -> Result<Vec<AgentSummary>> {
        let client = Client::new(&MasterFlag {
            master: Some(master.to_string()),
            security: self.security().clone(),
        })
        .await?;
        let wanted = usize::from(self.plan.agents);
        loop {
            let mut agents = client.ask(GetAgents {}).await?;
            agents.retain(|agent| agent.state == AgentState::Active);
            progress.set_message(format!("{} of {wanted} agents registered", agents.len()));
            if agents.len() >= wanted {
                return Ok(agents);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn listen_flags(&self, index: u16) -> Vec<String> {
        let port = if self.plan.port == 0 {
            0
        } else {
            self.plan.port + index
        };
        let mut flags = vec![
            flag("ip", self.plan.ip),
            flag("port", port),
            "--child".to_owned(),
        ];
        flags.extend(self.plan.security.flags());
        flags
    }

    /// What agent `number`, from 1, says it has.
    fn resources(&self, number: u16) -> Resources {
        let share = || {
            self.machine
                .share(u64::from(number) - 1, u64::from(self.plan.agents))
        };
        self.plan.resources.clone().unwrap_or_else(share)
    }

    /// What to tell people when agents say they have more than there is.
    pub(crate) fn overcommit(&self) -> Option<String> {
        match self.plan.resources {
            Some(_) => None,
            None => self.machine.overcommit(u64::from(self.plan.agents)),
        }
    }

    /// What those need who are to be let in.
    pub(crate) fn security(&self) -> &SecurityFlags {
        &self.plan.security.security
    }

    /// Where the master is, once it was started.
    pub(crate) fn master(&self) -> Option<SocketAddr> {
        self.master
    }

    /// The processes, the master first.
    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    /// Where everything is kept.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Whether the directory is removed at the end.
    pub(crate) fn is_temporary(&self) -> bool {
        self.directory.is_temporary()
    }

    /// Takes note of a process that ended; gives what to tell when it was a member.
    pub(crate) fn died(&mut self, pid: i32, exit: Exit) -> Option<Died> {
        let member = self.members.iter_mut().find(|member| member.pid() == pid)?;
        member.has_ended();
        Some(Died {
            what: format!("{} (pid {pid})", member.name()),
            exit,
            log: member.log().to_owned(),
            tail: member.log_tail(),
        })
    }

    /// Ends agents, then the master, then whatever they left, and removes what is temporary.
    ///
    /// # Errors
    /// When the directory cannot be removed.
    pub(crate) async fn stop(mut self, reaper: &mut Reaper) -> Result<()> {
        let (master, agents) = match self.members.split_first_mut() {
            Some((master, agents)) => (Some(master), agents),
            None => (None, &mut [][..]),
        };
        reaper.end(agents).await;
        reaper
            .end(master.map_or(&mut [][..], std::slice::from_mut))
            .await;
        reaper.end_orphans().await;
        self.directory.remove()
    }
}

/// Refuses ports that are taken, before anything is started.
fn check_ports(plan: &Plan) -> Result<()> {
    if plan.port == 0 {
        return Ok(());
    }
    let Some(last) = plan.port.checked_add(plan.agents) else {
        bail!(
            "{} agents need ports up to {}, and there are none beyond 65535: choose a lower \
               --port",
            plan.agents,
            u32::from(plan.port) + u32::from(plan.agents)
        );
    };
    for port in plan.port..=last {
        TcpListener::bind((plan.ip, port)).with_context(|| {
            format!(
                "port {port} of {} cannot be had: is a cluster running there already? \
                 (`tepui status --master={}:{port}`) choose others with --port, or --port=0",
                plan.ip, plan.ip
            )
        })?;
    }
    Ok(())
}

fn flag(name: &str, value: impl fmt::Display) -> String {
    format!("--{name}={value}")
}

/// Resources as a flag that reads back.
fn to_flag(resources: &Resources) -> String {
    resources.to_json().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(port: u16, agents: u16) -> Plan {
        let ip = IpAddr::from([127, 0, 0, 1]);
        Plan {
            agents,
            ip,
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
        let error = check_ports(&plan(port, 0)).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("port {port} of 127.0.0.1")),
            "{error}"
        );
        assert!(error.contains("--port"), "{error}");
        assert!(check_ports(&plan(0, 3)).is_ok());
    }

    #[test]
    fn ports_beyond_the_last_are_refused() {
        let error = check_ports(&plan(65_534, 3)).unwrap_err().to_string();
        assert!(error.contains("65537"), "{error}");
    }

    #[test]
    fn resources_survive_the_command_line() {
        let resources: Resources = "cpus:1.5;mem(a):100;ports:[1-2,5-6]".parse().unwrap();
        assert_eq!(crate::flags::resources(&to_flag(&resources)), Ok(resources));
    }
}
