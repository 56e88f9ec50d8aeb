//! `tepui jobs`: a queue of real processes on a real cluster.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value as Json, json};

use crate::support::{Cluster, Done, Program, finish};
use crate::zookeeper::ZooKeeper;

/// Longest time for some jobs to run: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// A cluster, a queue on it, and a place for what they write.
struct Queue {
    cluster: Cluster,
    program: Option<Program>,
    address: String,
    place: tempfile::TempDir,
}

impl Queue {
    fn start(flags: &[&str]) -> Queue {
        let mut queue = Queue {
            cluster: Cluster::start(flags),
            program: None,
            address: String::new(),
            place: tempfile::tempdir().unwrap(),
        };
        queue.start_again();
        queue
    }

    fn start_again(&mut self) {
        let state = format!("--state={}", self.path().join("state").display());
        let program = self
            .cluster
            .start_program(&["jobs", "start", "--port=0", &state]);
        let line = program.line(|line| line.starts_with("jobs@"));
        self.address = line["jobs@".len()..].to_owned();
        self.program = Some(program);
    }

    fn path(&self) -> &Path {
        self.place.path()
    }

    fn run(&self, words: &[&str]) -> Done {
        let mut command = self.cluster.command(&[&["jobs"], words].concat());
        command.env("TEPUI_JOBS", &self.address);
        finish(command)
    }

    /// Submits, and gives the number of the job.
    fn submit(&self, words: &[&str]) -> String {
        let done = self.run(&[&["submit"], words].concat());
        assert_eq!(done.code, Some(0), "{words:?}: {}", done.stderr);
        done.text().trim().to_owned()
    }

    fn http(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: jobs\r\nConnection: close\r\n");
        let length = format!("Content-Length: {}\r\n\r\n", body.len());
        stream
            .write_all((head + &length + body).as_bytes())
            .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        (status, body.to_owned())
    }

    fn json(&self, method: &str, path: &str, body: &Json) -> (u16, Json) {
        let (status, body) = self.http(method, path, &body.to_string());
        (status, serde_json::from_str(&body).unwrap())
    }
}

#[test]
fn a_job_runs_and_what_became_of_it_is_there_afterwards() {
    let queue = Queue::start(&["--agents=2", "--agent-resources=cpus:4;mem:1024"]);
    let done = queue.run(&["run", "echo out; echo wrong >&2; exit 3"]);
    assert_eq!((done.code, done.text().as_str()), (Some(3), "out\n"));
    assert!(
        done.stderr.contains("wrong") && done.stderr.contains("exited with 3"),
        "{}",
        done.stderr
    );

    let script = "echo index $TEPUI_JOB_INDEX; echo $TEPUI_JOB_INDEX > result";
    let array = queue.submit(&["--array=5-9", "--key=split", script]);
    let after = queue.submit(&["--after=split", "--", "echo", "merged"]);
    let wait = queue.run(&["wait", &array, &after]);
    assert_eq!(wait.code, Some(0), "{}", wait.stderr);
    assert_eq!(
        queue.run(&["logs", &format!("{array}_7")]).text(),
        "index 7\n"
    );
    assert_eq!(
        queue
            .run(&["get-file", &format!("{array}_9"), "result"])
            .text(),
        "9\n"
    );
    assert_eq!(queue.run(&["logs", &after]).text(), "merged\n");
    let files = queue.run(&["list-files", &after, "--json"]).json();
    let names: Vec<_> = files
        .as_array()
        .unwrap()
        .iter()
        .map(|file| &file["name"])
        .collect();
    assert!(names.contains(&&json!("stdout")), "{names:?}");

    let shown = queue.run(&["show", &array, "--json"]).json();
    assert_eq!((&shown["open"], &shown["failed"]), (&json!(0), &json!(0)));
    let listed = queue.run(&["list", "--json"]).json();
    let ids: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|job| job["id"].clone())
        .collect();
    assert_eq!(ids, [json!(3), json!(2), json!(1)]);
    assert!(
        queue.run(&["show", "1"]).text().contains("wrong"),
        "the end of its standard error"
    );
}

#[test]
fn what_cannot_run_is_refused_and_what_waits_says_what_for() {
    let queue = Queue::start(&["--agents=1", "--agent-resources=cpus:2;mem:512"]);
    // Until the queue knows which agents there are it refuses nothing for their sake.
    queue.run(&["run", "true"]);
    let refuse = |words: &[&str]| {
        let done = queue.run(&[&["submit"], words].concat());
        assert_eq!(done.code, Some(1), "{words:?}: {}", done.text());
        done.stderr
    };
    assert!(refuse(&["--cpus=64", "true"]).contains("no agent has cpus:64"));
    assert!(refuse(&["--constraint=rack:IS:r9", "true"]).contains("rack:IS:r9"));
    assert!(refuse(&["--after=99", "true"]).contains("no job 99"));
    assert!(refuse(&["--app=nowhere", "true"]).contains("no application"));
    queue.submit(&["--key=once", "true"]);
    assert!(refuse(&["--key=once", "true"]).contains("already"));
    let flow = queue.path().join("flow.json");
    let job = |key: &str, after: &str| json!({"key": key, "command": {"Shell": "true"}, "after": [{"job": after}]});
    std::fs::write(&flow, json!([job("a", "b"), job("b", "a")]).to_string()).unwrap();
    let from = format!("--from={}", flow.display());
    assert!(refuse(&[&from]).contains("in a circle"));

    let first = queue.submit(&["--cpus=2", "sleep 1000"]);
    let second = queue.submit(&["--cpus=2", "true"]);
    let third = queue.submit(&["--after", &second, "true"]);
    let reason = |job: &str| {
        let shown = queue.run(&["show", job, "--json"]).json();
        shown["run"][0]["reason"].as_str().unwrap().to_owned()
    };
    assert!(
        reason(&second).starts_with("waits for an agent with cpus:2"),
        "{}",
        reason(&second)
    );
    assert_eq!(reason(&third), format!("waits for job {second} to end"));
    assert_eq!(
        queue.run(&["kill", &first]).text(),
        format!("killing {first}\n")
    );
    assert_eq!(queue.run(&["wait", &third]).code, Some(0));
    assert_ne!(queue.run(&["wait", &first]).code, Some(0));
    let killed = queue.run(&["show", &first, "--json"]).json();
    assert_eq!(killed["run"][0]["outcome"], "killed");
}

#[test]
fn a_queue_that_is_killed_goes_on_where_it_was_and_nothing_runs_twice() {
    let mut queue = Queue::start(&["--agents=2", "--agent-resources=cpus:4;mem:1024"]);
    let record = queue.path().join("record");
    let script = format!("sleep 0.3; echo $TEPUI_JOB_INDEX >> {}", record.display());
    let array = queue.submit(&["--array=1-60", &script]);
    for _ in 0..3 {
        let lines = || {
            std::fs::read_to_string(&record)
                .unwrap_or_default()
                .lines()
                .count()
        };
        let (before, until) = (lines(), Instant::now() + PATIENCE);
        while lines() < before + 8 {
            assert!(Instant::now() < until, "nothing runs");
            std::thread::yield_now();
        }
        let program = queue.program.take().unwrap();
        program.signal(Signal::SIGKILL);
        program.end();
        queue.start_again();
    }
    let wait = queue.run(&["wait", &array]);
    assert_eq!(wait.code, Some(0), "{}", wait.stderr);
    let text = std::fs::read_to_string(&record).unwrap();
    let mut indices: Vec<u32> = text.lines().map(|line| line.parse().unwrap()).collect();
    indices.sort_unstable();
    assert_eq!(indices, (1..=60).collect::<Vec<_>>(), "each ran once");
}

#[test]
fn the_paths_of_retz_are_served() {
    let queue = Queue::start(&["--agents=1", "--agent-resources=cpus:4;mem:1024"]);
    assert_eq!(queue.http("GET", "/ping", ""), (200, "OK".to_owned()));
    let app = json!({"application": {"appid": "crunch", "owner": "ann", "env": {"LEVEL": "3"}}});
    assert_eq!(queue.json("PUT", "/app/crunch", &app).0, 200);
    let (_, apps) = queue.json("GET", "/apps", &json!({}));
    assert_eq!(apps["applicationList"][0]["appid"], "crunch");

    let job = json!({"job": {"cmd": "echo level $LEVEL $A", "appid": "crunch", "cpu": 1, "memMB": 32,
        "props": {"A": "b"}, "priority": -2, "tags": ["x"], "id": 0, "state": "CREATED"}});
    let (status, taken) = queue.json("POST", "/job", &job);
    assert_eq!(
        (status, &taken["command"]),
        (201, &json!("schedule")),
        "{taken}"
    );
    let id = taken["job"]["id"].as_u64().unwrap();
    assert_eq!(queue.run(&["wait", &id.to_string()]).code, Some(0));
    let (_, shown) = queue.json("GET", &format!("/job/{id}"), &json!({}));
    let shown = &shown["job"];
    assert_eq!(
        (&shown["state"], &shown["result"]),
        (&json!("FINISHED"), &json!(0))
    );
    let path = format!("/job/{id}/file?path=stdout&offset=0&length=-1");
    let (_, file) = queue.json("GET", &path, &json!({}));
    assert_eq!(file["file"]["data"], "level 3 b\n");
    let download = queue.http("GET", &format!("/job/{id}/download?path=stdout"), "");
    assert_eq!(download, (200, "level 3 b\n".to_owned()));
    let (_, dir) = queue.json("GET", &format!("/job/{id}/dir?path="), &json!({}));
    assert!(
        dir["entries"]
            .as_array()
            .unwrap()
            .iter()
            .any(|entry| entry["path"] == "stderr")
    );
    let (_, listed) = queue.json("POST", "/jobs", &json!({"state": "FINISHED", "tag": "x"}));
    assert_eq!(listed["jobs"].as_array().unwrap().len(), 1);

    let (_, sleeper) = queue.json("POST", "/job", &json!({"job": {"cmd": "sleep 1000"}}));
    let path = format!("/job/{}", sleeper["job"]["id"]);
    assert_eq!(queue.json("DELETE", &path, &json!({})).0, 200);
    queue.run(&["wait", &sleeper["job"]["id"].to_string()]);
    assert_eq!(
        queue.json("GET", &path, &json!({})).1["job"]["state"],
        "KILLED"
    );
    for (method, path, body, status) in [
        ("GET", "/job/999", "", 404),
        ("GET", "/job/x", "", 400),
        ("POST", "/job", "{", 400),
        ("POST", "/job", r#"{"job": {}}"#, 400),
        ("DELETE", "/jobs", "", 405),
        ("GET", "/nowhere", "", 404),
        ("GET", "/app/none", "", 404),
    ] {
        let (answered, text) = queue.http(method, path, body);
        assert_eq!(answered, status, "{method} {path}: {text}");
    }
}

#[test]
fn of_two_queues_one_leads_and_the_other_goes_on_when_it_is_gone() {
    let place = tempfile::tempdir().unwrap();
    let Some(zookeeper) = ZooKeeper::start(1, place.path()) else {
        return;
    };
    let cluster = Cluster::start(&["--agents=1", "--agent-resources=cpus:4;mem:1024"]);
    let url = zookeeper.url().replace("/mesos", "/jobs");
    let start = || {
        let state = format!("--state={url}");
        cluster.start_program(&["jobs", "start", "--port=0", &state])
    };
    let ask = |words: &[&str]| {
        let mut command = cluster.command(&[&["jobs"], words].concat());
        command.env("TEPUI_JOBS", &url);
        finish(command)
    };
    let first = start();
    first.line(|line| line.starts_with("jobs@"));
    let second = start();
    second.error_line(|line| line.contains("standing for election"));
    let record = place.path().join("record");
    let script = format!("sleep 1; echo $TEPUI_JOB_INDEX >> {}", record.display());
    let submitted = ask(&["submit", "--array=1-40", &script]);
    assert_eq!(submitted.code, Some(0), "{}", submitted.stderr);
    let array = submitted.text().trim().to_owned();

    first.signal(Signal::SIGKILL);
    first.end();
    second.line(|line| line.starts_with("jobs@"));
    let wait = ask(&["wait", &array]);
    assert_eq!(wait.code, Some(0), "{}", wait.stderr);
    let text = std::fs::read_to_string(&record).unwrap();
    assert_eq!(text.lines().count(), 40, "each ran once");
    second.signal(Signal::SIGTERM);
    second.end();
}
