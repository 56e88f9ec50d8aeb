//! Commands whose health is checked, by commands, connections and requests.

use std::net::TcpListener;

use api::v1::{self, Message as _};
use serde_json::json;

use super::*;

/// A task that sleeps, and is checked like that.
fn checked(id: &str, how: &serde_json::Value) -> TaskInfo {
    let sleeper = task(id, CommandInfo::argv(["sleep", "1000"]));
    let mut message: serde_json::Value =
        serde_json::from_slice(&v1::Encoding::Json.encode(&v1::TaskInfo::from(&sleeper))).unwrap();
    for (name, check) in how.as_object().unwrap() {
        message[name] = check.clone();
    }
    let bytes = message.to_string();
    let message = v1::TaskInfo::from_json(bytes.as_bytes()).unwrap();
    message.try_into().unwrap()
}

fn times(mut check: serde_json::Value) -> serde_json::Value {
    check["delay_seconds"] = json!(0.0);
    check["interval_seconds"] = json!(0.1);
    check["timeout_seconds"] = json!(10.0);
    check
}

pub(super) fn a_task_that_fails_its_health_checks_is_killed() {
    with_agent(async |mut cluster: Cluster| {
        let check = times(json!({
            "type": "COMMAND", "command": {"value": "test -e well"},
            "grace_period_seconds": 0.0, "consecutive_failures": 2,
        }));
        cluster.run(checked("t", &json!({"health_check": check})));
        assert_eq!(cluster.update().await.state, TaskState::Running);
        for _ in 0..2 {
            let sick = cluster.update().await;
            assert_eq!(
                (sick.state, sick.healthy),
                (TaskState::Running, Some(false))
            );
            assert_eq!(sick.reason, Some(Reason::TaskHealthCheckStatusUpdated));
        }
        assert_eq!(cluster.update().await.state, TaskState::Killing);
        let killed = cluster.update().await;
        assert_eq!(
            (killed.state, killed.healthy),
            (TaskState::Killed, Some(false))
        );
        cluster
    });
}

pub(super) fn a_task_that_can_be_reached_is_healthy_and_that_is_told_once() {
    with_agent(async |mut cluster: Cluster| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let check = times(json!({"type": "TCP", "tcp": {"port": port}}));
        cluster.run(checked("t", &json!({"health_check": check})));
        assert_eq!(cluster.update().await.healthy, None);
        assert_eq!(cluster.update().await.healthy, Some(true));
        drop(listener);
        assert_eq!(cluster.update().await.healthy, Some(false));
        cluster
    });
}

pub(super) fn a_check_tells_what_it_found_and_has_no_other_consequence() {
    with_agent(async |mut cluster: Cluster| {
        // The agent itself answers.
        let port = cluster.agent.upid().address().port();
        let check = times(json!({"type": "HTTP", "http": {"port": port, "path": "/nowhere/here"}}));
        cluster.run(checked("t", &json!({"check": check})));
        assert_eq!(cluster.update().await.state, TaskState::Running);
        let found = cluster.update().await;
        assert_eq!(found.state, TaskState::Running);
        assert_eq!(found.reason, Some(Reason::TaskCheckStatusUpdated));
        let check = v1::TaskStatus::from(&found).check_status.unwrap();
        assert_eq!(check.http.unwrap().status_code, Some(404));
        cluster
    });
}
