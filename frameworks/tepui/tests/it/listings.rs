//! What operators ask: tasks, agents, frameworks, logs; and what they end.

use nix::sys::signal::Signal;
use serde_json::{Value as Json, json};

use crate::support::Cluster;

fn keys(object: &Json) -> Vec<&str> {
    object
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[test]
fn listings_have_stable_shapes_in_json() {
    let cluster = Cluster::start(&["--agents=1", "--agent-resources=cpus:2;mem:500"]);
    assert_eq!(cluster.run(&["ps", "--json"]).json(), json!([]));
    let (program, id) = cluster.sleeper(&["--name=nap", "--role=night"]);

    let tasks = cluster.run(&["ps", "--json"]).json();
    let expected = "agent agent_id exit_code framework framework_id hostname id message name \
                    reason resources role signal state statuses user";
    assert_eq!(keys(&tasks[0]).join(" "), expected);
    assert_eq!(
        (&tasks[0]["id"], &tasks[0]["role"]),
        (&json!(id), &json!("night"))
    );
    assert_eq!(tasks[0]["state"], "TASK_RUNNING");
    assert_eq!(tasks[0]["resources"], json!({"cpus": 0.1, "mem": 32}));

    let agents = cluster.run(&["agents", "--json"]).json();
    let expected = "address attributes hostname id offered registered_ms state tasks total used";
    assert_eq!(keys(&agents[0]).join(" "), expected);
    assert_eq!(
        (&agents[0]["state"], &agents[0]["tasks"]),
        (&json!("active"), &json!(1))
    );
    assert_eq!(agents[0]["used"]["cpus"], 0.1);

    let frameworks = cluster.run(&["frameworks", "--json"]).json();
    let expected = "id name offered pid registered_ms roles state tasks used user";
    assert_eq!(keys(&frameworks[0]).join(" "), expected);
    assert_eq!(frameworks[0]["id"], tasks[0]["framework_id"]);
    assert_eq!(frameworks[0]["name"], "run nap");

    let status = cluster.run(&["status", "--json"]).json();
    let expected =
        "address agents frameworks hostname id masters started_ms tasks total used version";
    assert_eq!(keys(&status).join(" "), expected);
    assert_eq!(
        (&status["agents"], &status["tasks"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(status["address"], json!(cluster.master));

    program.signal(Signal::SIGINT);
    program.end();
    let ended = cluster.run(&["tasks", "--all", "--json"]).json();
    assert_eq!(
        (&ended[0]["id"], &ended[0]["state"]),
        (&json!(id), &json!("TASK_KILLED"))
    );
}

#[test]
fn tables_have_whole_ids_when_nobody_looks() {
    let cluster = Cluster::start(&["--agents=1"]);
    let (program, id) = cluster.sleeper(&[]);
    let text = cluster.run(&["ps"]).text();
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].starts_with("TASK ") && lines[1].starts_with(&id),
        "{text}"
    );
    assert!(!text.contains('\x1b'), "{text}");
    let agents = cluster.run(&["agents", "--json"]).json();
    let text = cluster.run(&["agents"]).text();
    assert!(text.contains(agents[0]["id"].as_str().unwrap()), "{text}");
    assert!(cluster.run(&["frameworks"]).text().contains("run sleep"));
    assert!(cluster.run(&["status"]).text().contains(&cluster.master));
    program.signal(Signal::SIGINT);
    program.end();
}

#[test]
fn a_killed_task_ends_and_the_one_who_waits_is_told() {
    let cluster = Cluster::start(&["--agents=1"]);
    let (program, id) = cluster.sleeper(&[]);
    let beginning = &id[..id.len() - 2];
    assert_eq!(
        cluster.run(&["kill", "--json", beginning]).json(),
        json!([id])
    );
    program.line(|line| line.contains("TASK_KILLED"));
    assert_eq!(program.end().0.code(), Some(143));
    let done = cluster.run(&["kill", &id]);
    assert_eq!(done.code, Some(1));
    assert!(done.stderr.contains("there is no task"), "{}", done.stderr);
}

#[test]
fn logs_are_there_while_a_task_runs_and_afterwards() {
    let cluster = Cluster::start(&["--agents=1"]);
    let script = "seq 1 500; echo bad >&2; sleep 1000";
    let program = cluster.start_program(&["run", "--json", "--name=count", script]);
    program.line(|line| line.contains("bad"));
    let last = cluster.run(&["logs", "-n", "2", "count"]);
    assert_eq!(last.text(), "499\n500\n", "{}", last.stderr);
    assert_eq!(cluster.run(&["logs", "count"]).text().lines().count(), 500);
    assert_eq!(cluster.run(&["logs", "--stderr", "count"]).text(), "bad\n");
    let follower = cluster.start_program(&["logs", "-f", "-n", "1", "count"]);
    follower.line(|line| line == "500");
    program.signal(Signal::SIGTERM);
    assert_eq!(program.end().0.code(), Some(143));
    assert_eq!(follower.end().0.code(), Some(0));
    assert_eq!(cluster.run(&["logs", "-n", "1", "count"]).text(), "500\n");
}

#[test]
fn a_file_that_is_not_there_is_an_error_that_lists_those_that_are() {
    let cluster = Cluster::start(&["--agents=1"]);
    assert_eq!(
        cluster.run(&["run", "--name=job", "echo x > made"]).code,
        Some(0)
    );
    assert_eq!(cluster.run(&["logs", "--file=made", "job"]).text(), "x\n");
    let done = cluster.run(&["logs", "--file=missing", "job"]);
    assert_eq!(done.code, Some(1));
    assert!(done.stderr.contains("made, "), "{}", done.stderr);
}

#[test]
fn a_framework_that_is_torn_down_takes_its_tasks_with_it() {
    let cluster = Cluster::start(&["--agents=1"]);
    let (program, _) = cluster.sleeper(&[]);
    let frameworks = cluster.run(&["frameworks", "--json"]).json();
    let id = frameworks[0]["id"].as_str().unwrap();
    assert_eq!(cluster.run(&["teardown", id]).code, Some(0));
    let (status, errors) = program.end();
    assert!(!status.success(), "{errors}");
    assert_eq!(cluster.run(&["frameworks", "--json"]).json(), json!([]));
    let all = cluster.run(&["frameworks", "--all", "--json"]).json();
    assert_eq!(all[0]["state"], "completed");
}

#[test]
fn an_example_runs_on_the_cluster() {
    let cluster = Cluster::start(&["--agents=2"]);
    let done = cluster.run(&["example", "sleepers", "--tasks=5", "--seconds=0"]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(done.text().contains("slept 5 times"), "{}", done.text());
}
