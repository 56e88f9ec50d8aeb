//! What can be set of an agent, and what it is otherwise.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use api::master::Mastering;
use api::v1::authentication::Authentication;
use api::v1::verbosity::LogSwitch;
use election::Detector;
use libproc::Pid;
use nix::unistd::geteuid;
use types::{AgentInfo, Attributes, FaultDomain, ResourceName, Resources};

use crate::AgentError;
use crate::detect::{Detected, detect, hostname};

/// Variables of the agent's own that executors get too.
const INHERITED: [&str; 10] = [
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LD_LIBRARY_PATH",
    "MESOS_NATIVE_JAVA_LIBRARY", // where frameworks in Java find the library they load
];
/// Where programs are looked up when the agent itself has no `PATH`.
const PATH_DEFAULT: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What can be set of an agent.
#[derive(Debug, Clone)]
pub struct Options {
    /// The master to register with.
    pub master: Pid<Mastering>,
    /// Tells which master leads, where that may be another one from time to time; until it does,
    /// the agent registers with nobody.
    pub detector: Option<Detector>,
    /// Where sandboxes are made.
    pub work_dir: PathBuf,
    /// The name of the machine; what it calls itself unless given.
    pub hostname: Option<String>,
    /// All the agent has to offer; what is detected unless given.
    pub resources: Option<Resources>,
    /// What frameworks may choose by.
    pub attributes: Attributes,
    /// Where the machine stands.
    pub domain: Option<FaultDomain>,
    /// The first pause between two registrations; 1 s unless given.
    pub registration_backoff_factor: Duration,
    /// How long an executor may take to register; 1 min unless given.
    pub executor_registration_timeout: Duration,
    /// How long an executor may take to come back to an agent that was restarted; 15 s unless
    /// given.
    pub executor_reregistration_timeout: Duration,
    /// How long executors that outlive an agent wait for the next one; 15 min unless given.
    pub recovery_timeout: Duration,
    /// Whether an agent that cannot read all that the one before wrote down does not start; yes
    /// unless given.
    pub strict: bool,
    /// Which start of the machine this is; what the system says, unless given.
    pub boot_id: Option<String>,
    /// How long an executor may take to end, unless it has a grace period of its own; 5 s unless
    /// given.
    pub executor_shutdown_grace_period: Duration,
    /// How long sandboxes are kept at most; a week unless given.
    pub gc_delay: Duration,
    /// Whether executors run as the users of their frameworks, for which the agent must be root;
    /// whether it is unless given. Otherwise tasks of other users than the agent's are refused.
    pub switch_user: bool,
    /// What turns its log up and down; it cannot be, if none.
    pub log: Option<LogSwitch>,
    /// Where HTTP clients have to say who they are, and who may come; nowhere, usually.
    pub authentication: Authentication,
    /// What the tokens of executors are made with; chance, unless given.
    pub jwt_secret_key: Option<SecretKey>,
    /// The variables all executors get; a few of the agent's own unless given.
    pub environment: BTreeMap<String, String>,
    /// The program that tasks find as `TEPUI`; the one that runs unless given.
    pub executable: Option<PathBuf>,
    /// Makes ids and pauses the same in every run.
    pub seed: Option<u64>,
}

/// Bytes that are not to be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey(Vec<u8>);

impl SecretKey {
    /// Takes the bytes of a key.
    pub fn new(bytes: impl Into<Vec<u8>>) -> SecretKey {
        SecretKey(bytes.into())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey")
    }
}

impl Options {
    /// Everything as usual for an agent of `master` whose sandboxes are below `work_dir`.
    pub fn new(master: Pid<Mastering>, work_dir: impl Into<PathBuf>) -> Options {
        Options {
            master,
            detector: None,
            work_dir: work_dir.into(),
            hostname: None,
            resources: None,
            attributes: Attributes::new(),
            domain: None,
            registration_backoff_factor: Duration::from_secs(1),
            executor_registration_timeout: Duration::from_secs(60),
            executor_reregistration_timeout: Duration::from_secs(15),
            recovery_timeout: Duration::from_secs(15 * 60),
            strict: true,
            boot_id: boot_id(),
            executor_shutdown_grace_period: Duration::from_secs(5),
            gc_delay: Duration::from_secs(7 * 24 * 60 * 60),
            switch_user: geteuid().is_root(),
            log: None,
            authentication: Authentication::default(),
            jwt_secret_key: None,
            environment: inherited(),
            executable: std::env::current_exe().ok(),
            seed: None,
        }
    }

    /// Describes the agent at `address` to its master.
    pub(crate) fn info(&self, address: SocketAddr) -> Result<AgentInfo, AgentError> {
        let resources = match &self.resources {
            Some(resources) => resources.clone(),
            None => fill_in(Resources::new(), &self.work_dir)?,
        };
        let hostname = match &self.hostname {
            Some(hostname) => hostname.clone(),
            None => hostname().unwrap_or_else(|_| address.ip().to_string()),
        };
        let info = AgentInfo {
            attributes: self.attributes.clone(),
            domain: self.domain.clone(),
            checkpoint: false, // unless it is started to recover
            ..AgentInfo::new(hostname, address.port(), resources)
        };
        info.validate()?;
        Ok(info)
    }
}

/// Adds to `resources` what this machine has of everything they do not name: processors, memory,
/// disk, ports.
///
/// # Errors
/// When the machine does not say what it has.
pub fn fill_in(resources: Resources, work_dir: &Path) -> Result<Resources, AgentError> {
    let Detected {
        cpus,
        mem_mib,
        disk_mib,
        ports,
    } = detect(work_dir).map_err(AgentError::Detect)?;
    let missing = |name| !resources.iter().any(|resource| resource.name == name);
    let (no_cpus, no_mem) = (missing(ResourceName::CPUS), missing(ResourceName::MEM));
    let (no_disk, no_ports) = (missing(ResourceName::DISK), missing(ResourceName::PORTS));
    let mut filled = resources;
    if no_cpus {
        filled = filled.cpus(cpus);
    }
    if no_mem {
        filled = filled.mem_mib(mem_mib);
    }
    if no_disk {
        filled = filled.disk_mib(disk_mib);
    }
    if no_ports {
        filled = filled.ports(u64::from(ports.0)..=u64::from(ports.1));
    }
    Ok(filled)
}

/// Which start of the machine this is, by the kernel of Linux.
fn boot_id() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}

fn inherited() -> BTreeMap<String, String> {
    let set = INHERITED
        .iter()
        .filter_map(|name| Some((*name, std::env::var(name).ok()?)));
    let mut variables: BTreeMap<_, _> = set.map(|(name, value)| (name.to_owned(), value)).collect();
    variables
        .entry("PATH".to_owned())
        .or_insert_with(|| PATH_DEFAULT.to_owned());
    variables
}
