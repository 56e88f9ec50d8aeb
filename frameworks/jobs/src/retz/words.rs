//! Jobs and applications in the JSON of Retz.

use std::time::Duration;

use sdk::placement::Constraint;
use serde::Deserialize;
use serde_json::{Value, json};
use types::{Resource, ResourceName, Resources, Scalar};

use super::{Refusal, bad};
use crate::ids::JobId;
use crate::job::{App, Outcome};
use crate::spec::{Command, Spec};
use crate::view::{JobView, Phase, Query, RunView, indices};

/// A job of Retz, with our words beside its own.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RetzJob {
    cmd: String,
    #[serde(default)]
    appid: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default, alias = "env")]
    props: Option<std::collections::BTreeMap<String, String>>,
    #[serde(default)]
    priority: i8,
    #[serde(default)]
    tags: Option<Vec<String>>,
    #[serde(default)]
    resources: Option<Quantities>,
    #[serde(flatten)]
    own: Quantities,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    array: Option<String>,
    #[serde(default)]
    after: Option<Vec<String>>,
    #[serde(default)]
    retries: u32,
    #[serde(default)]
    timeout_seconds: Option<f64>,
    #[serde(default)]
    constraints: Option<Vec<Constraint>>,
    #[serde(default)]
    files: Option<Vec<String>>,
}

/// What a job needs, as Retz counts it.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
struct Quantities {
    #[serde(default)]
    cpu: Option<f64>,
    #[serde(default, rename = "memMB")]
    mem_mb: Option<u64>,
    #[serde(default, rename = "diskMB")]
    disk_mb: Option<u64>,
    #[serde(default)]
    gpu: Option<u64>,
    #[serde(default)]
    ports: Option<u32>,
}

pub(super) fn spec_of(job: &Value) -> Result<Spec, Refusal> {
    let wrong = |error: serde_json::Error| bad(format!("that is no job: {error}"));
    let job: RetzJob = serde_json::from_value(job.clone()).map_err(wrong)?;
    let needs = job.resources.unwrap_or(job.own);
    let after = job.after.unwrap_or_default();
    let after = after.iter().map(|text| text.parse());
    let timeout = job
        .timeout_seconds
        .map(Duration::try_from_secs_f64)
        .transpose();
    let said = Spec::new(Command::Shell(job.cmd));
    let mut spec = Spec {
        app: job.appid.unwrap_or_else(|| said.app.clone()),
        name: job.name,
        env: job.props.unwrap_or_default(),
        priority: job.priority,
        tags: job.tags.unwrap_or_default(),
        need: resources(needs)?,
        ports: needs.ports.unwrap_or(0),
        user: job.user.unwrap_or_else(|| said.user.clone()),
        key: job.key,
        array: job
            .array
            .map(|text| text.parse())
            .transpose()
            .map_err(|e: crate::spec::BadSpec| bad(e.to_string()))?,
        after: after
            .collect::<Result<_, _>>()
            .map_err(|e: crate::spec::BadSpec| bad(e.to_string()))?,
        timeout: timeout.map_err(|error| bad(format!("timeoutSeconds: {error}")))?,
        constraints: job.constraints.unwrap_or_default(),
        files: job.files.unwrap_or_default(),
        ..said
    };
    spec.retries.most = job.retries;
    Ok(spec)
}

fn resources(needs: Quantities) -> Result<Resources, Refusal> {
    let cpus = Scalar::from_f64(needs.cpu.unwrap_or(1.0));
    let cpus = cpus.map_err(|error| bad(format!("cpu: {error}")))?;
    let amounts = [
        (ResourceName::CPUS, cpus),
        (
            ResourceName::MEM,
            Scalar::from_units(needs.mem_mb.unwrap_or(32)),
        ),
        (
            ResourceName::DISK,
            Scalar::from_units(needs.disk_mb.unwrap_or(0)),
        ),
        (
            ResourceName::GPUS,
            Scalar::from_units(needs.gpu.unwrap_or(0)),
        ),
    ];
    let mut resources = Resources::new();
    for (name, amount) in amounts {
        if amount != Scalar::ZERO {
            let inserted = resources.insert(Resource::scalar(name, amount));
            inserted.map_err(|error| bad(error.to_string()))?;
        }
    }
    Ok(resources)
}

pub(super) fn json_of_job(job: &JobView) -> Value {
    let spec = &job.spec;
    let need = &spec.need;
    let run: Option<&RunView> = job
        .run
        .first()
        .filter(|_| job.runs == 1 || job.run.len() == 1);
    let id = match run.and_then(|run| run.id.index) {
        Some(_) => run.map(|run| json!(run.id)),
        None => Some(json!(job.id)),
    };
    let state = run.map_or(job.state, |run| run.state);
    let result = run.and_then(|run| run.code).or(match state {
        Phase::Finished if run.is_none() => Some(i32::from(job.failed > 0)),
        _ => None,
    });
    let whole = |amount: Scalar| amount.thousandths() as f64 / 1_000.0;
    json!({
        "id": id,
        "cmd": spec.command.line(),
        "appid": spec.app,
        "name": spec.title(),
        "state": state,
        "scheduled": timestamp(job.submitted_ms),
        "started": run.and_then(|run| run.started_ms).map(timestamp),
        "finished": run.and_then(|run| run.ended_ms).map(timestamp),
        "result": result.unwrap_or(-1),
        "reason": run.and_then(|run| run.reason.clone()),
        "retry": run.map_or(0, |run| run.attempt),
        "priority": spec.priority,
        "tags": spec.tags,
        "props": spec.env,
        "resources": {
            "cpu": whole(need.total_cpus()), "memMB": whole(need.total_mem_mib()) as u64,
            "diskMB": whole(need.total_disk_mib()) as u64, "gpu": whole(need.total_gpus()) as u64,
            "ports": spec.ports, "nodes": 1,
        },
        "cpu": whole(need.total_cpus()),
        "memMB": whole(need.total_mem_mib()) as u64,
        "taskId": run.and_then(|run| run.task_id.clone()),
        "url": Value::Null,
        "user": spec.user,
        "key": spec.key,
        "array": spec.array.map(indices),
        "outcome": run.and_then(|run| run.outcome).or((job.open == 0 && job.failed == 0).then_some(Outcome::Succeeded)),
        "open": job.open,
        "failed": job.failed,
    })
}

pub(super) fn query_of(body: &Value) -> Result<Query, Refusal> {
    let wrong = |error: serde_json::Error| bad(format!("that is no question for jobs: {error}"));
    let read = |name: &str| body.get(name).filter(|value| !value.is_null()).cloned();
    let mut states: Vec<Phase> = match read("states") {
        Some(states) => serde_json::from_value(states).map_err(wrong)?,
        None => Vec::new(),
    };
    if let Some(state) = read("state") {
        states.push(serde_json::from_value(state).map_err(wrong)?);
    }
    let text = |name: &str| read(name).and_then(|value| value.as_str().map(str::to_owned));
    let number = |name: &str| read(name).and_then(|value| value.as_u64());
    Ok(Query {
        before: number("before").map(JobId),
        limit: number("limit").map(|limit| limit as usize),
        states,
        tag: text("tag"),
        user: text("user"),
        app: text("appid"),
    })
}

pub(super) fn app_of(id: &str, body: &Value) -> Result<App, Refusal> {
    let mut body = body.clone();
    let Some(fields) = body.as_object_mut() else {
        return Err(bad("an application is an object".to_owned()));
    };
    fields.insert("appid".to_owned(), id.into());
    if let Some(user) = fields.remove("user").filter(|user| !user.is_null()) {
        fields.insert("run_as".to_owned(), user);
    }
    let wrong = |error: serde_json::Error| bad(format!("that is no application: {error}"));
    serde_json::from_value(body).map_err(wrong)
}

pub(super) fn json_of_app(app: &App) -> Value {
    json!({
        "appid": app.id, "owner": app.owner, "files": app.files, "largeFiles": [],
        "user": app.run_as, "env": app.env, "gracePeriod": 0, "enabled": true,
        "container": {"type": "mesos"},
    })
}

/// A time as Retz writes it: `2016-12-06T07:32:31.123Z`.
fn timestamp(at_ms: u64) -> String {
    let (days, ms) = (at_ms / 86_400_000, at_ms % 86_400_000);
    let (year, month, day) = civil(days);
    let (hour, minute) = (ms / 3_600_000, ms / 60_000 % 60);
    let (second, ms) = (ms / 1_000 % 60, ms % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

/// The date so many days after 1970 began, by years that begin in March.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // since March of year 0
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (era * 400 + year + later, month, date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_of_retz_is_read_whether_its_needs_lie_inside_or_beside() {
        let inside = json!({"cmd": "make", "appid": "a", "resources": {"cpu": 2, "memMB": 64},
            "props": {"A": "b"}, "priority": -3, "id": 0, "state": "CREATED", "tags": ["x"]});
        let beside = json!({"cmd": "make", "appid": "a", "cpu": 2, "memMB": 64,
            "env": {"A": "b"}, "priority": -3, "tags": ["x"]});
        let read = |job: &Value| spec_of(job).ok().unwrap();
        assert_eq!(read(&inside), read(&beside));
        assert_eq!(read(&inside).need, Resources::new().cpus(2.0).mem_mib(64));
        for bad in [
            json!({}),
            json!({"cmd": 1}),
            json!({"cmd": "x", "cpu": -1}),
            json!([]),
            json!({"cmd": "x", "array": "9-1"}),
            json!({"cmd": "x", "timeoutSeconds": -1}),
            json!({"cmd": "x", "constraints": ["rack:NEAR"]}),
        ] {
            assert!(spec_of(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_are_written_as_dates() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(timestamp(951_782_400_001), "2000-02-29T00:00:00.001Z");
        assert_eq!(timestamp(1_481_009_551_123), "2016-12-06T07:32:31.123Z");
        assert_eq!(timestamp(4_102_444_799_999), "2099-12-31T23:59:59.999Z");
    }
}
