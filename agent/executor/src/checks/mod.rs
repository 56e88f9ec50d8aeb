//! Checks of a task, as its framework asked for them: whether it is healthy, and what it looks like.
//!
//! A health check that fails too often is the end of its task; any other check has no consequence but
//! that the framework hears of what changed. Both stop when the task is to end.

mod health;
mod probe;

use std::collections::BTreeMap;
use std::time::Duration;

use api::v1::convert::{Checks, add_check_status, checks};
use api::v1::{CheckInfo, CheckStatusInfo, CheckType, CommandCheckStatus, HealthCheck};
use api::v1::{HealthCheckType, HttpCheckStatus, NetworkProtocol, TcpCheckStatus};
use tokio::time::Instant;
use types::{CommandInfo, Reason, TaskId, TaskInfo, TaskState};

use self::health::{Health, Verdict};
use self::probe::{Probe, Seen, loopback};
use crate::{Calls, Executor};

/// The shortest pause between two checks, whatever is asked for: a machine has other things to do.
const INTERVAL_MIN: Duration = Duration::from_millis(100);
/// The longest of all times.
const LONGEST: Duration = types::MAX_TASK_DURATION;

/// An executor whose tasks are checked.
pub(crate) trait Checked: Executor {
    /// The checks of a task; none if it is to end, or has.
    fn checker(&mut self, task_id: &TaskId) -> Option<&mut Checker>;

    /// A task has failed too many health checks.
    fn unhealthy(&mut self, task_id: &TaskId, calls: &mut Calls<'_, Self>);
}

/// The checks of a task that runs.
#[derive(Debug)]
pub(crate) struct Checker {
    began: Instant,
    health: Option<(Schedule, Probe, Health)>,
    check: Option<(Schedule, Probe, CheckType, Option<CheckStatusInfo>)>,
}

#[derive(Debug, Clone, Copy)]
struct Schedule {
    delay: Duration,
    interval: Duration,
    timeout: Duration,
}

#[derive(Debug, Clone, Copy)]
enum Which {
    Health,
    Check,
}

impl Checker {
    /// The checks of a task that begins to run with these variables.
    pub(crate) fn new(task: &TaskInfo, environment: &BTreeMap<String, String>) -> Checker {
        let mut environment = environment.clone();
        if let Some(command) = &task.command {
            environment.extend(command.environment.0.clone());
        }
        let Checks { health, check } = checks(task);
        let health = health.and_then(|check| health_of(check, &environment));
        Checker {
            began: Instant::now(),
            health,
            check: check.and_then(|check| check_of(check, &environment)),
        }
    }

    fn look(&self, which: Which) -> Option<(Schedule, Probe)> {
        match which {
            Which::Health => self
                .health
                .as_ref()
                .map(|(at, probe, _)| (*at, probe.clone())),
            Which::Check => self
                .check
                .as_ref()
                .map(|(at, probe, ..)| (*at, probe.clone())),
        }
    }
}

/// Begins with the checks of a task that runs.
pub(crate) fn begin<E: Checked>(executor: &mut E, task_id: &TaskId, calls: &mut Calls<'_, E>) {
    let Some(checker) = executor.checker(task_id) else {
        return;
    };
    let began = checker.began;
    for which in [Which::Health, Which::Check] {
        if let Some((schedule, _)) = checker.look(which) {
            later(which, task_id.clone(), began, schedule.delay, calls);
        }
    }
}

fn later<E: Checked>(
    which: Which,
    task_id: TaskId,
    began: Instant,
    after: Duration,
    calls: &mut Calls<'_, E>,
) {
    calls.after(after, move |executor, calls| {
        // Another task may have taken the name since.
        let checker = executor
            .checker(&task_id)
            .filter(|checker| checker.began == began);
        let Some((schedule, probe)) = checker.and_then(|checker| checker.look(which)) else {
            return;
        };
        calls.defer(
            probe.look(schedule.timeout),
            move |executor, seen, calls| {
                let checker = executor.checker(&task_id);
                if checker.is_none_or(|checker| checker.began != began) {
                    return;
                }
                match which {
                    Which::Health => healthy(executor, &task_id, seen, calls),
                    Which::Check => checked(executor, &task_id, seen.ok(), calls),
                }
                later(which, task_id, began, schedule.interval, calls);
            },
        );
    });
}

fn healthy<E: Checked>(
    executor: &mut E,
    task_id: &TaskId,
    seen: Result<Seen, String>,
    calls: &mut Calls<'_, E>,
) {
    let Some(checker) = executor.checker(task_id) else {
        return;
    };
    let age = checker.began.elapsed();
    let Some((_, _, health)) = &mut checker.health else {
        return;
    };
    let verdict = health.checked(seen.as_ref().is_ok_and(|seen| seen.is_healthy()), age);
    let told = match verdict {
        Verdict::Nothing => return,
        Verdict::Told(healthy) => healthy,
        Verdict::Killed => false,
    };
    let mut status = calls.status(task_id, TaskState::Running);
    status.healthy = Some(told);
    status.reason = Some(Reason::TaskHealthCheckStatusUpdated);
    status.message = match seen {
        Ok(_) if told => None,
        Ok(seen) => Some(format!("Health check failed: {seen:?}")),
        Err(error) => Some(format!("Health check failed: {error}")),
    };
    calls.update(status);
    if verdict == Verdict::Killed {
        executor.unhealthy(task_id, calls);
    }
}

fn checked<E: Checked>(
    executor: &mut E,
    task_id: &TaskId,
    seen: Option<Seen>,
    calls: &mut Calls<'_, E>,
) {
    let checker = executor.checker(task_id);
    let Some((_, _, kind, known)) = checker.and_then(|checker| checker.check.as_mut()) else {
        return;
    };
    let news = check_status(*kind, seen);
    if known.as_ref() == Some(&news) {
        return;
    }
    *known = Some(news.clone());
    let mut status = calls.status(task_id, TaskState::Running);
    status.reason = Some(Reason::TaskCheckStatusUpdated);
    add_check_status(&mut status.opaque, news);
    calls.update(status);
}

fn check_status(kind: CheckType, seen: Option<Seen>) -> CheckStatusInfo {
    let mut status = CheckStatusInfo {
        kind: Some(kind),
        ..CheckStatusInfo::default()
    };
    match kind {
        CheckType::Command => {
            let exit_code = seen.and_then(|seen| match seen {
                Seen::Exit(code) => Some(code),
                Seen::Status(_) | Seen::Connected(_) => None,
            });
            status.command = Some(CommandCheckStatus { exit_code });
        }
        CheckType::Http => {
            let status_code = seen.and_then(|seen| match seen {
                Seen::Status(code) => Some(u32::from(code)),
                Seen::Exit(_) | Seen::Connected(_) => None,
            });
            status.http = Some(HttpCheckStatus { status_code });
        }
        CheckType::Tcp => {
            let succeeded = seen.map(Seen::is_healthy);
            status.tcp = Some(TcpCheckStatus { succeeded });
        }
        CheckType::Unknown => {}
    }
    status
}

fn health_of(
    check: HealthCheck,
    environment: &BTreeMap<String, String>,
) -> Option<(Schedule, Probe, Health)> {
    let v6 = |protocol| protocol == NetworkProtocol::Ipv6;
    let probe = match check.kind {
        Some(HealthCheckType::Command) => command(check.command?.try_into().ok()?, environment),
        Some(HealthCheckType::Http) => {
            let http = check.http?;
            let secure = http.scheme.as_deref() == Some("https");
            web(secure, v6(http.protocol), http.port, http.path.as_deref())?
        }
        Some(HealthCheckType::Tcp) => {
            let tcp = check.tcp?;
            let port = u16::try_from(tcp.port).ok()?;
            let ip = loopback(v6(tcp.protocol));
            Probe::Tcp { ip, port }
        }
        Some(HealthCheckType::Unknown) | None => return None,
    };
    let (delay, interval) = (check.delay_seconds, check.interval_seconds);
    let schedule = schedule(delay, interval, check.timeout_seconds);
    let grace = duration(check.grace_period_seconds);
    let health = Health::new(grace, check.consecutive_failures);
    Some((schedule, probe, health))
}

fn check_of(
    check: CheckInfo,
    environment: &BTreeMap<String, String>,
) -> Option<(Schedule, Probe, CheckType, Option<CheckStatusInfo>)> {
    let kind = check.kind?;
    let probe = match kind {
        CheckType::Command => command(check.command?.command.try_into().ok()?, environment),
        CheckType::Http => {
            let http = check.http?;
            web(false, false, http.port, http.path.as_deref())?
        }
        CheckType::Tcp => Probe::Tcp {
            ip: loopback(false),
            port: u16::try_from(check.tcp?.port).ok()?,
        },
        CheckType::Unknown => return None,
    };
    let (delay, interval) = (check.delay_seconds, check.interval_seconds);
    let schedule = schedule(delay, interval, check.timeout_seconds);
    Some((schedule, probe, kind, None))
}

fn command(command: CommandInfo, environment: &BTreeMap<String, String>) -> Probe {
    Probe::Command {
        command: Box::new(command),
        environment: environment.clone(),
    }
}

fn web(secure: bool, v6: bool, port: u32, path: Option<&str>) -> Option<Probe> {
    let (port, path) = (u16::try_from(port).ok()?, path.unwrap_or_default());
    let scheme = if secure { "https" } else { "http" };
    let host = if v6 { "[::1]" } else { "127.0.0.1" };
    let url = format!("{scheme}://{host}:{port}/{}", path.trim_start_matches('/'));
    Some(Probe::Http { url })
}

fn schedule(delay: f64, interval: f64, timeout: f64) -> Schedule {
    let timeout = duration(timeout);
    Schedule {
        delay: duration(delay),
        interval: duration(interval).max(INTERVAL_MIN),
        timeout: if timeout.is_zero() { LONGEST } else { timeout },
    }
}

/// What is no time is none.
fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).map_or(Duration::ZERO, |time| time.min(LONGEST))
}
