//! A cluster on this machine, of real processes: masters and agents, started from this very
//! executable, watched, and stopped without leaving anything behind.

mod directory;
mod member;
mod plan;
mod reaper;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use api::master::{AgentState, AgentSummary, GetAgents};
use indicatif::ProgressBar;
use types::Resources;

use crate::client::{Client, MasterFlag};
use crate::machine::Machine;
use crate::security::SecurityFlags;

use directory::Directory;
pub(crate) use member::{Exit, Member, executable};
pub(crate) use plan::{AGENTS_MAX, MASTERS_MAX, Plan};
pub(crate) use reaper::Reaper;

/// Longest time a cluster may take to come up.
const START: Duration = Duration::from_secs(60);
/// How often the master is asked whether the agents are there.
const LOOK: Duration = Duration::from_millis(10);
/// A cluster on this machine.
pub(crate) struct Cluster {
    plan: Plan,
    machine: Machine,
    directory: Directory,
    /// The masters first.
    members: Vec<Member>,
    /// Where the masters are, as clients are told.
    master: Option<String>,
}

/// A member that ended though nobody told it to.
#[derive(Debug)]
pub(crate) struct Died {
    what: String,
    exit: Exit,
    log: PathBuf,
    tail: String,
    /// Enough masters are left for the cluster to go on.
    pub(crate) is_bearable: bool,
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
        plan.check_ports()?;
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
        let masters = self.start_masters(progress).await?;
        self.master = Some(masters.clone());
        for number in 1..=self.plan.agents {
            let name = format!("agent-{number}");
            let mut flags = self.plan.listen_flags(self.plan.agent_port(number));
            flags.push(flag("master", &masters));
            flags.push(flag("resources", to_flag(&self.resources(number))));
            self.start_member(&name, "agent", flags)?;
        }
        for member in &mut self.members {
            member.address().await?;
        }
        self.registered(masters, progress).await
    }

    /// Starts the masters, of which each knows where all are; gives that.
    async fn start_masters(&mut self, progress: &ProgressBar) -> Result<String> {
        let ports = self.plan.master_ports()?;
        let [port] = ports[..] else {
            progress.set_message("starting the masters");
            let places = ports.iter().map(|port| self.plan.address(*port));
            let places: Vec<String> = places.collect();
            let list = places.join(",");
            for (number, port) in (1..).zip(&ports) {
                let mut flags = self.plan.listen_flags(*port);
                flags.push(flag("masters", &list));
                self.start_member(&format!("master-{number}"), "master", flags)?;
            }
            return Ok(list);
        };
        progress.set_message("starting the master");
        let flags = self.plan.listen_flags(port);
        let address = self.start_member("master", "master", flags)?.address();
        Ok(address.await?.to_string())
    }

    /// Starts a member, with a work directory of its own.
    fn start_member(
        &mut self,
        name: &str,
        command: &str,
        mut flags: Vec<String>,
    ) -> Result<&mut Member> {
        flags.push(flag("work-dir", self.directory.make_for(name)?.display()));
        let (security, log) = (&self.plan.security.security, self.directory.log(name));
        let member = Member::start(name, command, &flags, security, &log)?;
        self.members.push(member);
        self.members.last_mut().context("no member was started")
    }

    async fn registered(
        &self,
        masters: String,
        progress: &ProgressBar,
    ) -> Result<Vec<AgentSummary>> {
        let master = MasterFlag {
            master: Some(masters),
            security: self.security().clone(),
        };
        let wanted = usize::from(self.plan.agents);
        let client = loop {
            match Client::new(&master).await {
                Ok(client) => break client,
                // Masters of which none leads yet.
                Err(error) if self.plan.masters > 1 => progress.set_message(error.to_string()),
                Err(error) => return Err(error),
            }
        };
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

    /// Where the master is, or the masters are, once they were started; as clients are told.
    pub(crate) fn master(&self) -> Option<&str> {
        self.master.as_deref()
    }

    /// How many masters it has.
    pub(crate) fn masters(&self) -> usize {
        usize::from(self.plan.masters)
    }

    /// The processes, the masters first.
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
        let masters = self.masters().min(self.members.len());
        let index = self.members.iter().position(|member| member.pid() == pid)?;
        self.members[index].has_ended();
        let left = self.members[..masters].iter().filter(|it| it.is_running());
        let member = &self.members[index];
        Some(Died {
            what: format!("{} (pid {pid})", member.name()),
            exit,
            log: member.log().to_owned(),
            tail: member.log_tail(),
            is_bearable: index < masters && left.count() > masters / 2,
        })
    }

    /// Ends agents, then the masters, then whatever they left, and removes what is temporary.
    ///
    /// # Errors
    /// When the directory cannot be removed.
    pub(crate) async fn stop(mut self, reaper: &mut Reaper) -> Result<()> {
        let masters = self.masters().min(self.members.len());
        let (masters, agents) = self.members.split_at_mut(masters);
        reaper.end(agents).await;
        reaper.end(masters).await;
        reaper.end_orphans().await;
        self.directory.remove()
    }
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

    #[test]
    fn resources_survive_the_command_line() {
        let resources: Resources = "cpus:1.5;mem(a):100;ports:[1-2,5-6]".parse().unwrap();
        assert_eq!(crate::flags::resources(&to_flag(&resources)), Ok(resources));
    }
}
