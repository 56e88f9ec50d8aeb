//! Jobs over HTTP, on the paths and in the JSON of Retz's clients.
//!
//! | path | |
//! | --- | --- |
//! | `GET /ping` | `OK` |
//! | `GET /status` | how long the queue is |
//! | `POST /jobs` `{state?, states?, tag?}` | the newest jobs |
//! | `POST /job` `{job}` | takes a job in |
//! | `GET`, `DELETE /job/ID` | shows it, ends it |
//! | `GET /job/ID/file?path=&offset=&length=` | a part of a file, as text |
//! | `GET /job/ID/dir?path=` | what lies in a directory |
//! | `GET /job/ID/download?path=` | a file, as it is |
//! | `GET /apps`, `GET`, `PUT`, `DELETE /app/ID` | applications |
//!
//! An array's job is `ID_INDEX`; what Retz has no word for lies beside its words: `key`, `array`,
//! `after`, `retries`, `timeoutSeconds`, `constraints`, `user`.

mod words;

use api::agent::READ_MAX;
use libproc::http::{Method, Request, Respond as _, Response, StatusCode};
use serde_json::{Value, json};

use crate::desk::{Counter, no_such};
use crate::ids::Target;
use crate::view::{JobView, Query};
use words::{app_of, json_of_app, json_of_job, query_of, spec_of};

/// Largest file that is given whole, in bytes.
const DOWNLOAD_MAX: u64 = 64 << 20;

/// Why a request is not served.
struct Refusal(StatusCode, String);

type Served = Result<Response, Refusal>;

/// Answers a request.
pub(crate) async fn serve(counter: Counter, request: Request) -> Response {
    match route(&counter, &request).await {
        Ok(response) => response,
        Err(Refusal(status, reason)) => {
            let body = json!({"command": "error", "status": reason});
            with_status(status, &body)
        }
    }
}

async fn route(counter: &Counter, request: &Request) -> Served {
    let path = request.uri().path().trim_matches('/').to_owned();
    let parts: Vec<&str> = path.split('/').collect();
    let method = match request.method() {
        &Method::HEAD => &Method::GET,
        method => method,
    };
    match (method, parts.as_slice()) {
        (&Method::GET, ["ping"]) => Ok(Response::text("OK")),
        (&Method::GET, ["status"]) => status(counter).await,
        (&Method::GET, ["jobs"]) => list(counter, Query::default()).await,
        (&Method::POST, ["jobs"]) => list(counter, query_of(&body(request)?)?).await,
        (&Method::POST, ["job"]) => submit(counter, &body(request)?).await,
        (&Method::GET, ["job", id]) => show(counter, target(id)?).await,
        (&Method::DELETE, ["job", id]) => kill(counter, target(id)?).await,
        (&Method::GET, ["job", id, "file"]) => file(counter, target(id)?, request).await,
        (&Method::GET, ["job", id, "dir"]) => dir(counter, target(id)?, request).await,
        (&Method::GET, ["job", id, "download"]) => download(counter, target(id)?, request).await,
        (&Method::GET, ["apps"]) => apps(counter).await,
        (&Method::GET, ["app", id]) => app(counter, id).await,
        (&Method::PUT, ["app", id]) => put_app(counter, id, &body(request)?).await,
        (&Method::DELETE, ["app", id]) => remove_app(counter, id).await,
        (_, ["ping" | "status" | "jobs" | "job" | "apps" | "app", ..]) => Err(Refusal(
            StatusCode::METHOD_NOT_ALLOWED,
            format!("{method} is not for /{path}"),
        )),
        _ => Err(Refusal(
            StatusCode::NOT_FOUND,
            format!("there is no /{path}"),
        )),
    }
}

async fn status(counter: &Counter) -> Served {
    let counts = counter
        .ask(|queue, _| Ok(queue.counts()))
        .await
        .map_err(busy)?;
    let (waiting, active) = counts;
    Ok(ok(
        "status",
        json!({
            "queueLength": waiting,
            "runningLength": active,
            "serverVersion": api::VERSION,
        }),
    ))
}

async fn list(counter: &Counter, query: Query) -> Served {
    let page = counter
        .ask(move |queue, _| Ok(queue.list(&query)))
        .await
        .map_err(busy)?;
    let jobs: Vec<Value> = page.jobs.iter().map(json_of_job).collect();
    Ok(ok(
        "list",
        json!({"jobs": jobs, "more": page.next.is_some(), "next": page.next}),
    ))
}

async fn submit(counter: &Counter, body: &Value) -> Served {
    let spec = spec_of(body.get("job").unwrap_or(body))?;
    let submit = move |queue: &mut crate::queue::Queue, calls: &mut sdk::Calls| {
        let ids = queue
            .submit(vec![spec], calls)
            .map_err(|refused| refused.to_string())?;
        let target = Target {
            job: ids[0],
            index: None,
        };
        queue.show(target).ok_or_else(|| no_such(target))
    };
    let job = counter.ask(submit).await.map_err(bad)?;
    let body = with_command("schedule", json!({"job": json_of_job(&job)}));
    Ok(with_status(StatusCode::CREATED, &body))
}

async fn find(counter: &Counter, target: Target) -> Result<JobView, Refusal> {
    let show = move |queue: &mut crate::queue::Queue, _: &mut sdk::Calls| Ok(queue.show(target));
    let job = counter.ask(show).await.map_err(busy)?;
    job.ok_or_else(|| Refusal(StatusCode::NOT_FOUND, no_such(target)))
}

async fn show(counter: &Counter, target: Target) -> Served {
    let job = find(counter, target).await?;
    Ok(ok("get-job", json!({"job": json_of_job(&job)})))
}

async fn kill(counter: &Counter, target: Target) -> Served {
    find(counter, target).await?;
    counter.kill(target).await.map_err(busy)?;
    let job = find(counter, target).await?;
    Ok(ok("kill", json!({"job": json_of_job(&job)})))
}

async fn file(counter: &Counter, target: Target, request: &Request) -> Served {
    let job = find(counter, target).await?;
    let path = parameter(request, "path").unwrap_or_else(|| sdk::STDOUT.to_owned());
    let offset = number(request, "offset")?.unwrap_or(0);
    let length = number(request, "length")?.unwrap_or(READ_MAX.into());
    let length = u32::try_from(length).unwrap_or(READ_MAX);
    let chunk = counter
        .read(target, path, offset, length)
        .await
        .map_err(not_there)?;
    let data = String::from_utf8_lossy(&chunk.data);
    let file = json!({"data": data, "offset": chunk.offset, "size": chunk.size});
    Ok(ok(
        "get-file",
        json!({"job": json_of_job(&job), "file": file}),
    ))
}

async fn dir(counter: &Counter, target: Target, request: &Request) -> Served {
    let job = find(counter, target).await?;
    let path = parameter(request, "path").unwrap_or_default();
    let entries = counter.list(target, path).await.map_err(not_there)?;
    let entry = |entry: &api::agent::FileEntry| {
        let mode = if entry.directory {
            "drwxr-xr-x"
        } else {
            "-rw-r--r--"
        };
        json!({
            "path": entry.name, "size": entry.size, "mode": mode,
            "mtime": entry.modified_ms / 1_000, "nlink": 1, "uid": "", "gid": "",
        })
    };
    let entries: Vec<Value> = entries.iter().map(entry).collect();
    Ok(ok(
        "list-files",
        json!({"job": json_of_job(&job), "entries": entries}),
    ))
}

async fn download(counter: &Counter, target: Target, request: &Request) -> Served {
    let Some(path) = parameter(request, "path") else {
        return Err(Refusal(
            StatusCode::BAD_REQUEST,
            "say which with ?path=".to_owned(),
        ));
    };
    find(counter, target).await?;
    let mut data = Vec::new();
    loop {
        let read = counter.read(target, path.clone(), data.len() as u64, READ_MAX);
        let chunk = read.await.map_err(not_there)?;
        if chunk.size > DOWNLOAD_MAX {
            let text = format!("it has {} bytes: read it in parts, with /file", chunk.size);
            return Err(Refusal(StatusCode::PAYLOAD_TOO_LARGE, text));
        }
        data.extend_from_slice(&chunk.data);
        if chunk.data.is_empty() || data.len() as u64 >= chunk.size {
            return Ok(Response::with(
                StatusCode::OK,
                "application/octet-stream",
                data,
            ));
        }
    }
}

async fn apps(counter: &Counter) -> Served {
    let apps = |queue: &mut crate::queue::Queue, _: &mut sdk::Calls| {
        Ok(queue
            .apps()
            .values()
            .map(json_of_app)
            .collect::<Vec<Value>>())
    };
    let apps = counter.ask(apps).await.map_err(busy)?;
    Ok(ok("list-app", json!({"applicationList": apps})))
}

async fn app(counter: &Counter, id: &str) -> Served {
    let (id, asked) = (id.to_owned(), id.to_owned());
    let app = counter.ask(move |queue, _| Ok(queue.apps().get(&id).cloned()));
    let app = app.await.map_err(busy)?;
    let none = || {
        Refusal(
            StatusCode::NOT_FOUND,
            format!("there is no application {asked}"),
        )
    };
    Ok(ok(
        "get-app",
        json!({"application": json_of_app(&app.ok_or_else(none)?)}),
    ))
}

async fn put_app(counter: &Counter, id: &str, body: &Value) -> Served {
    let app = app_of(id, body.get("application").unwrap_or(body))?;
    let put = move |queue: &mut crate::queue::Queue, calls: &mut sdk::Calls| {
        queue
            .put_app(app, calls)
            .map_err(|refused| refused.to_string())
    };
    counter.ask(put).await.map_err(bad)?;
    Ok(ok("load-app", json!({})))
}

async fn remove_app(counter: &Counter, id: &str) -> Served {
    let (id, asked) = (id.to_owned(), id.to_owned());
    let removed = counter.ask(move |queue, calls| Ok(queue.remove_app(&id, calls)));
    match removed.await.map_err(busy)? {
        true => Ok(ok("unload-app", json!({}))),
        false => {
            let text = format!("there is no application {asked}");
            Err(Refusal(StatusCode::NOT_FOUND, text))
        }
    }
}

fn ok(command: &str, body: Value) -> Response {
    with_status(StatusCode::OK, &with_command(command, body))
}

fn with_command(command: &str, mut body: Value) -> Value {
    body["command"] = command.into();
    body["status"] = "ok".into();
    body
}

fn with_status(status: StatusCode, body: &Value) -> Response {
    Response::with(status, "application/json", body.to_string())
}

fn bad(reason: String) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, reason)
}

fn busy(reason: String) -> Refusal {
    Refusal(StatusCode::SERVICE_UNAVAILABLE, reason)
}

fn not_there(reason: String) -> Refusal {
    Refusal(StatusCode::NOT_FOUND, reason)
}

fn target(text: &str) -> Result<Target, Refusal> {
    text.parse()
        .map_err(|error: crate::ids::BadTarget| bad(error.to_string()))
}

/// The JSON of a request; nothing is an empty object.
fn body(request: &Request) -> Result<Value, Refusal> {
    match request.body().is_empty() {
        true => Ok(json!({})),
        false => serde_json::from_slice(request.body())
            .map_err(|error| bad(format!("the body is not JSON: {error}"))),
    }
}

fn parameter(request: &Request, name: &str) -> Option<String> {
    let query = request.uri().query()?;
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

fn number(request: &Request, name: &str) -> Result<Option<u64>, Refusal> {
    let Some(text) = parameter(request, name) else {
        return Ok(None);
    };
    match text.parse::<i64>() {
        Ok(number) => Ok(u64::try_from(number).ok()), // -1 is Retz's "all of it"
        Err(_) => Err(bad(format!("{name} is not a number"))),
    }
}
