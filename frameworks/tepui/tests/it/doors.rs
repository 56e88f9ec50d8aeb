//! Frameworks of ours speak with their master by letters or over HTTP, and nobody can tell.

use std::sync::mpsc;

use sdk::prelude::*;
use types::{AgentId, FrameworkInfo};

use crate::support::{Cluster, Place};

/// Runs three commands, words for an executor that is not there, and a kill; tells what it saw.
struct Scenario {
    agent_id: Option<AgentId>,
    seen: Vec<String>,
    ended: usize,
    tell: mpsc::Sender<Vec<String>>,
}

impl Scenario {
    fn note(&mut self, what: impl Into<String>) {
        self.seen.push(what.into());
    }
}

fn id(text: &str) -> TaskId {
    TaskId::new(text).unwrap()
}

impl Framework for Scenario {
    fn on_subscribed(&mut self, _: Subscribed, calls: &mut Calls) {
        self.note("subscribed");
        calls.reconcile([id("nobody")]);
    }

    fn on_offers(&mut self, offers: Vec<Offer>, calls: &mut Calls) {
        let need = Resources::new().cpus(0.1).mem_mib(32);
        for offer in offers {
            if self.agent_id.is_some() {
                calls.decline(&offer);
                continue;
            }
            let own = offer.resources.count(&need) >= 3 && !offer.agent_address.is_empty();
            self.note(format!("offered to {} {own}", offer.role));
            self.agent_id = Some(offer.agent_id.clone());
            let tasks = [
                ("ends", "true"),
                ("fails", "exit 3"),
                ("sleeps", "sleep 1000"),
            ];
            let tasks = tasks.map(|(name, line)| Task::command(line, &need).id(id(name)));
            calls.accept(&offer, tasks);
            calls.suppress();
        }
    }

    fn on_update(&mut self, update: TaskUpdate, calls: &mut Calls) {
        let reason = update
            .reason
            .map_or_else(String::new, |reason| format!(" {reason:?}"));
        self.note(format!("{} {}{reason}", update.task_id, update.state));
        match (update.task_id.as_str(), update.state) {
            ("sleeps", TaskState::Running) => calls.kill(&id("sleeps")),
            ("nobody", _) => return,
            (_, state) if state.is_terminal() => self.ended += 1,
            _ => {}
        }
        if self.ended == 3 {
            self.seen.sort();
            self.tell.send(std::mem::take(&mut self.seen)).unwrap();
            calls.stop_with(ExitCode(5));
        }
    }
}

/// What the framework saw, and what is left of it when it has ended.
fn seen(http: bool) -> (Vec<String>, Vec<String>) {
    let cluster = Cluster::start(&["--agents=1"]);
    let (tell, told) = mpsc::channel();
    let framework = Scenario {
        agent_id: None,
        seen: Vec::new(),
        ended: 0,
        tell,
    };
    let options = sdk::Options::default()
        .master(cluster.master.clone())
        .http(http);
    let code = sdk::run_with(framework, FrameworkInfo::new("scenario"), options);
    assert_eq!(code.unwrap(), ExitCode(5));
    let left = cluster.run(&["frameworks", "--json"]).text();
    (told.recv().unwrap(), vec![left])
}

#[test]
fn a_framework_sees_the_same_through_both_doors() {
    let (letters, http) = (seen(false), seen(true));
    assert!(
        letters.0.contains(&"sleeps TASK_KILLED".to_owned()),
        "{letters:?}"
    );
    assert_eq!(letters, http);
}

#[test]
fn a_command_runs_over_http_as_by_letters() {
    let cluster = Cluster::start(&["--agents=2"]);
    let done = cluster.run(&[
        "run",
        "--http",
        "--instances=4",
        "--",
        "echo over HTTP; exit 3",
    ]);
    assert_eq!(done.code, Some(3), "{}", done.stderr);
    assert_eq!(
        done.text().matches("over HTTP").count(),
        4,
        "{}",
        done.text()
    );
    let done = cluster.run(&["run", "--http", "--", "true"]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
}

#[test]
fn an_example_counts_words_over_http() {
    let cluster = Cluster::start(&["--agents=2"]);
    let done = cluster.run(&["example", "wordcount", "--http", "--json"]);
    assert_eq!(done.json()["equal"], true);
}

#[test]
fn a_cluster_with_a_secret_takes_frameworks_over_http() {
    let keys = tempfile::tempdir().unwrap();
    let key = keys.path().join("cluster.key").display().to_string();
    assert_eq!(Place::new().run(&["keygen", &key]).code, Some(0));
    let secret = format!("--secret-file={key}");
    let cluster = Cluster::start(&["--agents=1", &secret]);
    let done = cluster.run(&["run", "--http", &secret, "--", "echo known"]);
    assert_eq!(done.text(), "known\n", "{}", done.stderr);
    let done = cluster.run(&["run", "--http", "--", "echo unknown"]);
    assert_eq!(done.code, Some(1), "{}", done.stderr);
}
