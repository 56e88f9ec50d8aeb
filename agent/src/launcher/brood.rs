//! The executors of a zygote: forked, waited for, ended; what becomes of them as reports.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::File,
    io::{self, ErrorKind, Read},
    mem,
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    path::PathBuf,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{ForkResult, Pid},
};
use tracing::warn;

use super::{
    Destroy, ExitStatus, LaunchRequest, child::Prepared, descriptors, processes, raw,
    strays::Strays, wire::Report, zygote::RunExecutor,
};

/// How often to look again at strays that do not die.
const STRAYS_AGAIN: Duration = Duration::from_millis(500);

/// The longest reason why a program was not executed, in bytes; a pipe takes it whole.
pub(super) const ANSWER_BYTES_MAX: usize = 4096;

/// All executors, and what they left.
pub(super) struct Brood {
    run: RunExecutor,
    /// The zygote's descriptors that no executor may keep.
    inherited: Vec<i32>,
    executors: BTreeMap<Pid, Executor>,
    by_container: HashMap<String, Pid>,
    /// Programs forked that have not said yet whether they could be executed.
    starting: BTreeMap<Pid, Starting>,
    /// Executors to kill, by when.
    deadlines: BTreeSet<(Instant, Pid)>,
    /// Executors that died while strays are left, their own or another's.
    leaving: Vec<Leaving>,
    /// How executors that outlive agents ended, until an agent has written it down.
    kept: BTreeMap<String, Leaving>,
    strays: Strays,
    child_died: bool,
    reports: Vec<Report>,
}

struct Executor {
    container_id: String,
    sandbox: PathBuf,
    outlives_agent: bool,
    kill_at: Option<Instant>,
    /// Its program could not be executed, so nobody is to hear of its end.
    refused: bool,
}

/// An executor that has died.
#[derive(Clone)]
struct Leaving {
    container_id: String,
    pid: Pid,
    sandbox: PathBuf,
    outlives_agent: bool,
    status: ExitStatus,
}

struct Starting {
    token: u64,
    answer: File,
}

impl Brood {
    /// An empty one.
    pub(super) fn new(run: RunExecutor) -> Brood {
        Brood {
            run,
            inherited: Vec::new(),
            executors: BTreeMap::new(),
            by_container: HashMap::new(),
            starting: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            leaving: Vec::new(),
            kept: BTreeMap::new(),
            strays: Strays::open(),
            child_died: false,
            reports: Vec::new(),
        }
    }

    /// Names the zygote's descriptors that children must close.
    pub(super) fn set_inherited(&mut self, inherited: Vec<i32>) {
        self.inherited = inherited;
    }

    /// Whether there is anything that a later agent wants to know of.
    pub(super) fn outlives_agent(&self) -> bool {
        let mut running = self.executors.values();
        !self.kept.is_empty()
            || self.leaving.iter().any(|leaving| leaving.outlives_agent)
            || running.any(|executor| executor.outlives_agent && !executor.refused)
    }

    /// Tells an agent what outlived those before it, and then how some of it ended.
    pub(super) fn introduce(&mut self) {
        let runs = |id: &String, pid: Pid, sandbox: &PathBuf| Report::Runs {
            container_id: id.clone(),
            pid: pid.as_raw() as u32,
            sandbox: sandbox.clone(),
        };
        let running = self.executors.iter();
        let running = running.filter(|(_, executor)| executor.outlives_agent && !executor.refused);
        let running =
            running.map(|(pid, executor)| runs(&executor.container_id, *pid, &executor.sandbox));
        let dead = self.leaving.iter().filter(|dead| dead.outlives_agent);
        let dead = dead.chain(self.kept.values());
        let dead = dead.map(|dead| runs(&dead.container_id, dead.pid, &dead.sandbox));
        let mut reports: Vec<Report> = running.chain(dead).collect();
        reports.push(Report::Introduced);
        reports.extend(self.kept.values().map(Leaving::report));
        // What was for the agent before is in there, or was about launches of its own.
        self.reports = reports;
    }

    /// An agent has written down how a container ended.
    pub(super) fn settled(&mut self, container_id: &str) {
        self.kept.remove(container_id);
    }

    /// The agent is gone: asks all that does not outlive it to end, and kills it after `grace`.
    pub(super) fn abandon(&mut self, now: Instant, grace: Duration) {
        let bound = self.executors.iter();
        let bound = bound.filter(|(_, executor)| !executor.outlives_agent);
        let bound: BTreeSet<Pid> = bound.map(|(pid, _)| *pid).collect();
        for pid in &bound {
            self.kill_by(*pid, now + grace);
        }
        terminate(bound);
    }

    /// Whether no executor and no process of one is left.
    pub(super) fn is_empty(&self) -> bool {
        self.executors.is_empty() && self.leaving.is_empty()
    }

    /// What happened since this was last asked.
    pub(super) fn take_reports(&mut self) -> Vec<Report> {
        mem::take(&mut self.reports)
    }

    /// The pipes that become readable when a program was executed, or was not.
    pub(super) fn answers(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.starting
            .values()
            .map(|starting| starting.answer.as_fd())
    }

    /// When [`Brood::expire`] or [`Brood::reap`] has something to do though nothing happened.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let again = (!self.leaving.is_empty()).then(|| Instant::now() + STRAYS_AGAIN);
        self.deadlines
            .first()
            .map(|(at, _)| *at)
            .into_iter()
            .chain(again)
            .min()
    }

    /// Forks an executor.
    pub(super) fn launch(&mut self, token: u64, request: LaunchRequest) {
        if let Err(error) = self.try_launch(token, request) {
            self.reports.push(Report::Refused { token, error });
        }
    }

    fn try_launch(&mut self, token: u64, request: LaunchRequest) -> Result<(), String> {
        let container_id = request.container_id.clone();
        if self.by_container.contains_key(&container_id) {
            return Err(format!("container {container_id} runs already"));
        }
        let (sandbox, outlives_agent) = (request.sandbox.clone(), request.outlives_agent);
        let prepared = Prepared::new(request)?;
        let (answer, question) = match prepared.executes() {
            true => descriptors::answer_pipe().map(|(read, write)| (Some(read), Some(write))),
            false => Ok((None, None)),
        }
        .map_err(|error| format!("open a pipe: {error}"))?;
        let pid = match raw::fork().map_err(|error| format!("fork: {error}"))? {
            ForkResult::Child => {
                let mut inherited = mem::take(&mut self.inherited);
                inherited.extend(self.strays.descriptor());
                inherited.extend(
                    self.answers()
                        .chain(answer.as_ref().map(File::as_fd))
                        .map(|file| file.as_raw_fd()),
                );
                prepared.become_executor(self.run, &inherited, question)
            }
            ForkResult::Parent { child } => child,
        };
        match answer {
            Some(answer) => drop(self.starting.insert(pid, Starting { token, answer })),
            None => self.reports.push(Report::Launched {
                token,
                pid: pid.as_raw() as u32,
            }),
        }
        self.by_container.insert(container_id.clone(), pid);
        self.executors.insert(
            pid,
            Executor {
                container_id,
                sandbox,
                outlives_agent,
                kill_at: None,
                refused: false,
            },
        );
        Ok(())
    }

    /// Ends a container's executor; all else follows from its death.
    pub(super) fn destroy(&mut self, container_id: &str, how: Destroy, now: Instant) {
        let Some(pid) = self.by_container.get(container_id) else {
            return; // it died by itself, and its report is under way
        };
        let pid = *pid;
        match how {
            Destroy::Now => processes::signal(pid, Signal::SIGKILL),
            Destroy::After { grace } => {
                processes::signal(pid, Signal::SIGTERM);
                self.kill_by(pid, now + grace);
            }
        }
    }

    /// Kills an executor at `kill_at`, if that is not to happen before.
    fn kill_by(&mut self, pid: Pid, kill_at: Instant) {
        let Some(executor) = self.executors.get_mut(&pid) else {
            return;
        };
        let kill_at = executor.kill_at.map_or(kill_at, |at| at.min(kill_at));
        if let Some(before) = executor.kill_at.replace(kill_at) {
            self.deadlines.remove(&(before, pid));
        }
        self.deadlines.insert((kill_at, pid));
    }

    /// Kills the executors whose grace is over.
    pub(super) fn expire(&mut self, now: Instant) {
        while let Some((at, pid)) = self.deadlines.first().copied()
            && at <= now
        {
            self.deadlines.remove(&(at, pid));
            if let Some(executor) = self.executors.get_mut(&pid) {
                executor.kill_at = None;
                processes::signal(pid, Signal::SIGKILL);
            }
        }
    }

    /// Asks every process of every executor to end.
    pub(super) fn terminate(&self) {
        terminate(self.executors.keys().copied().collect());
    }

    /// Kills every executor.
    pub(super) fn kill(&self) {
        for pid in self.executors.keys() {
            processes::signal(*pid, Signal::SIGKILL);
        }
    }

    /// A child may have died.
    pub(super) fn child_died(&mut self) {
        self.child_died = true;
    }

    /// Takes answers of programs that were executed, waits for the dead, and ends what they left.
    ///
    /// # Errors
    /// When the system does not say which children there are.
    pub(super) fn reap(&mut self) -> io::Result<()> {
        let starting: Vec<Pid> = self.starting.keys().copied().collect();
        for pid in starting {
            self.take_answer(pid);
        }
        if mem::take(&mut self.child_died) {
            self.wait_for_dead()?;
        } else if self.leaving.is_empty() {
            return Ok(());
        }
        let executors = &self.executors;
        if self
            .strays
            .kill(|pid| executors.contains_key(&pid), Instant::now())?
        {
            for leaving in mem::take(&mut self.leaving) {
                self.reports.push(leaving.report());
                if leaving.outlives_agent {
                    self.kept.insert(leaving.container_id.clone(), leaving);
                }
            }
        }
        Ok(())
    }

    fn wait_for_dead(&mut self) -> io::Result<()> {
        while let Some((pid, status)) = raw::wait_for_any()? {
            self.strays.reaped(pid);
            self.take_answer(pid);
            let Some(Executor {
                container_id,
                sandbox,
                outlives_agent,
                kill_at,
                refused,
            }) = self.executors.remove(&pid)
            else {
                continue; // a stray
            };
            if let Some(kill_at) = kill_at {
                self.deadlines.remove(&(kill_at, pid));
            }
            if !refused {
                self.by_container.remove(&container_id);
                self.leaving.push(Leaving {
                    container_id,
                    pid,
                    sandbox,
                    outlives_agent,
                    status,
                });
            }
        }
        Ok(())
    }

    /// Reports a launch if its program was executed, or was not.
    fn take_answer(&mut self, pid: Pid) {
        let Some(starting) = self.starting.get_mut(&pid) else {
            return;
        };
        let token = starting.token;
        // One write and no more: not to be read to its end, which may come a moment later.
        let mut buffer = [0; ANSWER_BYTES_MAX];
        let error = match starting.answer.read(&mut buffer) {
            Err(no) if no.kind() == ErrorKind::WouldBlock => return,
            Err(no) => no.to_string(),
            Ok(length) => String::from_utf8_lossy(&buffer[..length]).into_owned(),
        };
        self.starting.remove(&pid);
        if error.is_empty() {
            self.reports.push(Report::Launched {
                token,
                pid: pid.as_raw() as u32,
            });
            return;
        }
        if let Some(executor) = self.executors.get_mut(&pid) {
            executor.refused = true;
            self.by_container.remove(&executor.container_id);
        }
        self.reports.push(Report::Refused { token, error });
    }
}

impl Leaving {
    fn report(&self) -> Report {
        Report::Exited {
            container_id: self.container_id.clone(),
            pid: self.pid.as_raw() as u32,
            status: self.status,
        }
    }
}

/// Asks these executors to end, and every process of theirs. A pid in the table just read might
/// belong to another by the time of the signal only if all pids had been used in between.
fn terminate(roots: BTreeSet<Pid>) {
    if roots.is_empty() {
        return;
    }
    let family = match processes::scan() {
        Ok(table) => processes::family(&table, &roots),
        Err(error) => {
            warn!(%error, "only executors are asked to end, not their tasks");
            roots
        }
    };
    for pid in family {
        let _ = kill(pid, Signal::SIGTERM); // gone already
    }
}
