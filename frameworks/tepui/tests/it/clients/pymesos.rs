//! Schedulers and operators on pymesos, of Python.

use nix::sys::signal::Signal;
use serde_json::{Value as Json, json};

use super::python::PYMESOS;
use super::run;
use crate::daemons::{agent, master, stop};
use crate::failover::leader;
use crate::support::{Cluster, Place, Program};
use crate::zookeeper::ZooKeeper;

#[test]
fn a_scheduler_on_pymesos_runs_tasks_fails_over_and_ends() {
    let Some(client) = PYMESOS.command("pymesos_scheduler.py") else {
        return;
    };
    let cluster = Cluster::start(&["--agents=1"]);
    let saw = run(client, &cluster);
    assert_eq!(saw["errors"], json!([]), "{saw}");
    assert_eq!(saw["over"], true, "{saw}");
    assert_eq!(
        (&saw["subscriptions"], &saw["same_id"]),
        (&json!(2), &json!(true)),
        "{saw}"
    );
    for (task, last) in [
        ("ends", "TASK_FINISHED"),
        ("shows:variable", "TASK_FINISHED"),
        ("fails", "TASK_FAILED"),
        ("sleeps", "TASK_KILLED"),
    ] {
        let states = saw["states"][task].as_array().expect("news of each task");
        assert!(states.contains(&json!("TASK_RUNNING")), "{saw}");
        assert_eq!(states.last(), Some(&json!(last)), "{saw}");
    }
    // It does not know what it means that a task is unknown.
    let reconciled = json!({"sleeps": "TASK_RUNNING", "nobody": "TASK_LOST"});
    assert_eq!(saw["reconciled"], reconciled, "{saw}");
    assert!(
        saw["heartbeats"].as_u64() >= Some(2),
        "one at each subscription: {saw}"
    );
    assert_eq!(
        (&saw["running"], &saw["completed"]),
        (&json!(["pymesos"]), &json!(["pymesos"]))
    );
}

#[test]
fn a_scheduler_on_pymesos_follows_the_leader_through_zookeeper() {
    let place = Place::new();
    let Some(zookeeper) = ZooKeeper::start(1, place.path()) else {
        return;
    };
    let Some(mut client) = PYMESOS.command("pymesos_zookeeper.py") else {
        return;
    };
    let url = zookeeper.url();
    let flags = [&*format!("--zk={url}"), "--zk-session-timeout=4secs"];
    let mut masters: Vec<(Program, String)> = (0..2).map(|_| master(&place, &flags)).collect();
    let agent = agent(&place, &url, "one", &["--resources=cpus:2;mem:256;disk:10"]);
    agent.error_line(|line| line.contains("registered"));
    client.arg(&url);
    let client = Program::start(client);
    client.line(|line| line == "running");
    let first = leader(&place, &url);
    let place_of_leader = masters.iter().position(|(_, address)| *address == first);
    let (killed, _) = masters.remove(place_of_leader.expect("one of them leads"));
    killed.signal(Signal::SIGKILL);
    drop(killed);
    let saw: Json = serde_json::from_str(&client.line(|line| line.starts_with('{'))).unwrap();
    let port = |address: &str| address.rsplit(':').next().unwrap().parse::<u64>().unwrap();
    let told = json!([port(&first), port(&masters[0].1)]);
    assert_eq!((&saw["masters"], &saw["ids"]), (&told, &json!(1)), "{saw}");
    assert_eq!(
        (&saw["errors"], &saw["over"]),
        (&json!([]), &json!(true)),
        "{saw}"
    );
    assert_eq!(saw["reconciled"], json!(["TASK_RUNNING"]), "{saw}");
    let states = saw["states"].as_array().expect("news of the task");
    assert_eq!(states.last(), Some(&json!("TASK_KILLED")), "{saw}");
    stop(agent);
    for (master, _) in masters {
        stop(master);
    }
}

#[test]
fn an_operator_on_pymesos_asks_and_watches() {
    let Some(client) = PYMESOS.command("pymesos_operator.py") else {
        return;
    };
    let cluster = Cluster::start(&["--agents=1"]);
    let saw = run(client, &cluster);
    assert_eq!(saw["health"], true, "{saw}");
    assert_eq!(saw["version"], "1.11.0", "{saw}");
    assert_eq!(saw["flags"]["max_agent_ping_timeouts"], "5", "{saw}");
    assert_eq!(saw["metrics"]["master/slaves_active"], 1.0, "{saw}");
    assert_eq!(saw["agents"], json!([true]), "{saw}");
    let parts = json!(["get_agents", "get_executors", "get_frameworks", "get_tasks"]);
    assert_eq!(saw["state"], parts, "{saw}");
    assert_eq!(saw["roles"], json!(["*"]), "{saw}");
    let port: u64 = cluster.master.rsplit(':').next().unwrap().parse().unwrap();
    assert_eq!(saw["port"], port, "{saw}");
    assert_eq!(saw["quota"], json!({"status": {}}), "{saw}");
    assert_eq!(saw["schedule"], json!({"schedule": {}}), "{saw}");
    assert_eq!(
        saw["weights"],
        json!([{"role": "dev", "weight": 2.5}]),
        "{saw}"
    );
    assert_eq!(
        (&saw["over"], &saw["gone"]),
        (&json!(true), &json!(true)),
        "{saw}"
    );
    let events = saw["events"].as_array().unwrap();
    for event in [
        ["framework_added", "once"],
        ["task_added", "once"],
        ["task_updated", "TASK_RUNNING"],
        ["task_updated", "TASK_FINISHED"],
        ["framework_removed", "once"],
    ] {
        assert!(events.contains(&json!(event)), "{event:?} in {saw}");
    }
}
