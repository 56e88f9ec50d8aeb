//! The doors of the agent for HTTP: is it well, what runs on it, what is in the sandboxes.

use api::agent::{FileError, READ_MAX, ReadFile};
use libproc::Later;
use libproc::http::{Request, Respond, Response, Routes, StatusCode};
use libproc::prelude::Context;
use serde_json::{Value, json};
use types::{FrameworkId, Task, TaskId};

use crate::agent::Agent;
use crate::books::Executor;
use crate::history::Completed;

pub(crate) fn routes(routes: &mut Routes<Agent>) {
    routes.get("health", |_, _, _| Response::text(""));
    routes.get("state", |agent, _, ctx| Response::json(&agent.state(ctx)));
    routes.get("files/read", Agent::serve_file);
}

impl Agent {
    fn state(&self, ctx: &Context<Self>) -> Value {
        let frameworks = self.books.frameworks().map(|(framework_id, framework)| {
            let executors: Vec<_> = framework.executors.values().map(executor).collect();
            json!({
                "id": framework_id,
                "name": framework.info.name,
                "user": framework.info.user,
                "ending": framework.ending,
                "executors": executors,
            })
        });
        let completed = self.books.history.frameworks().map(|past| {
            let executors: Vec<_> = past.executors.iter().map(completed).collect();
            json!({
                "id": past.framework_id,
                "name": past.info.name,
                "completed_executors": executors,
            })
        });
        json!({
            "version": api::VERSION,
            "id": self.info.id,
            "pid": ctx.upid(),
            "hostname": self.info.hostname,
            "started_ms": self.started_ms,
            "master": self.options.master,
            "registered": self.registration.is_registered(),
            "resources": self.info.resources.to_json(),
            "used_resources": self.books.used().to_json(),
            "attributes": self.info.attributes.to_string(),
            "frameworks": frameworks.collect::<Vec<_>>(),
            "completed": completed.collect::<Vec<_>>(),
        })
    }

    fn serve_file(&mut self, request: Request, ctx: &mut Context<Self>) -> Later<Response> {
        let (answer, later) = Later::new();
        match file_asked_for(request.uri().query().unwrap_or_default()) {
            Ok(message) => self.read_file(message, ctx, |read| {
                answer.send(match read {
                    Ok(chunk) => {
                        let content_type = "application/octet-stream";
                        Response::with(StatusCode::OK, content_type, chunk.data)
                    }
                    Err(error @ (FileError::UnknownTask | FileError::NotFound)) => {
                        Response::error(StatusCode::NOT_FOUND, error)
                    }
                    Err(error) => Response::error(StatusCode::INTERNAL_SERVER_ERROR, error),
                });
            }),
            Err(text) => answer.send(Response::error(StatusCode::BAD_REQUEST, text)),
        }
        later
    }
}

fn file_asked_for(query: &str) -> Result<ReadFile, String> {
    let value = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(key, _)| *key == name)
            .map(|(_, value)| decode(value))
    };
    let needed = |name| value(name).ok_or(format!("the query needs `{name}`"));
    let number = |name: &str| match value(name) {
        Some(text) => text
            .parse::<u64>()
            .map(Some)
            .map_err(|_| format!("`{name}` is no number")),
        None => Ok(None),
    };
    let length = number("length")?
        .unwrap_or(u64::from(READ_MAX))
        .min(u64::from(READ_MAX));
    Ok(ReadFile {
        framework_id: FrameworkId::new(needed("framework")?).map_err(|e| e.to_string())?,
        task_id: TaskId::new(needed("task")?).map_err(|e| e.to_string())?,
        path: needed("path")?,
        offset: number("offset")?.unwrap_or(0),
        length: length as u32,
    })
}

/// Undoes the encoding of a value in a query; what is encoded wrongly stays as it is.
fn decode(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&first, more)) = rest.split_first() {
        rest = more;
        let hex = more.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let hex = hex.filter(|hex| hex.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match (first, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &more[2..];
            }
            (b'+', _) => bytes.push(b' '),
            (byte, _) => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn executor(executor: &Executor) -> Value {
    json!({
        "id": executor.info.executor_id,
        "name": executor.info.name,
        "container": executor.container_id,
        "directory": executor.sandbox,
        "phase": format!("{:?}", executor.phase),
        "pid": executor.os_pid,
        "resources": executor.info.resources.to_json(),
        "tasks": executor.tasks.values().map(task).collect::<Vec<_>>(),
        "completed_tasks": executor.ended.iter().map(task).collect::<Vec<_>>(),
    })
}

fn completed(executor: &Completed) -> Value {
    json!({
        "id": executor.info.executor_id,
        "name": executor.info.name,
        "container": executor.container_id,
        "directory": executor.sandbox,
        "completed_tasks": executor.tasks.iter().map(task).collect::<Vec<_>>(),
    })
}

fn task(task: &Task) -> Value {
    let last = task.statuses.last();
    json!({
        "id": task.task_id,
        "name": task.name,
        "role": task.role,
        "state": task.state.to_string(),
        "resources": task.resources.to_json(),
        "message": last.and_then(|status| status.message.as_deref()),
        "timestamp_ms": last.map(|status| status.timestamp_ms),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_a_file() {
        let asked = file_asked_for("framework=f-0&task=t%201&path=a%2Fb+c&offset=7").unwrap();
        assert_eq!(
            (asked.framework_id.as_str(), asked.task_id.as_str()),
            ("f-0", "t 1")
        );
        assert_eq!(
            (asked.path.as_str(), asked.offset, asked.length),
            ("a/b c", 7, READ_MAX)
        );
        assert_eq!(decode("100%é%2"), "100%é%2");
        for query in ["", "framework=f&task=t", "framework=f&task=&path=p", "%"] {
            assert!(file_asked_for(query).is_err(), "{query}");
        }
        assert!(file_asked_for("framework=f&task=t&path=p&offset=-1").is_err());
    }
}
