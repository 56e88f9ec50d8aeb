//! Tasks that bring megabytes of data, on the wire from one end to the other.

use api::agent::RunTask;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::*;

const MIB: usize = 1 << 20;

/// Runs a test with a master as it is started for a cluster, and an agent on another node.
fn apart<F: Future<Output = ()>>(test: impl FnOnce(Agent, Scheduler) -> F) {
    let ended = libproc::run_alone(async {
        let builder = Node::builder().peer_buffer(::master::PEER_BUFFER);
        let node = builder.bind("127.0.0.1:0").await?;
        let there = Node::bind("127.0.0.1:0").await?;
        let world = World {
            master: master::start(&node, options()),
            node: there.clone(),
        };
        let (agent, _) = world.agent("agent").await;
        let scheduler = Scheduler::subscribe(node.address(), &framework()).await;
        test(agent, scheduler).await;
        there.shutdown().await;
        node.shutdown().await;
        Ok(())
    });
    ended.expect("a free port");
}

/// A small task that brings so many bytes.
fn with_data(offer: &Value, id: &str, bytes: usize) -> Value {
    let mut task = task_on(offer, id);
    task["resources"][0]["scalar"]["value"] = json!(0.1);
    task["resources"][1]["scalar"]["value"] = json!(32);
    task["data"] = json!(BASE64.encode(vec![7; bytes]));
    task
}

#[test]
fn a_call_may_launch_more_than_one_message_to_an_agent_holds() {
    apart(|mut agent, mut scheduler| async move {
        let offer = scheduler.offer().await;
        let tasks = (0..7).map(|n| with_data(&offer, &format!("{n}"), 3 * MIB));
        let launch = accept(&offer, &tasks.collect::<Vec<_>>());
        scheduler.accepted("ACCEPT", launch).await;
        for n in 0..7 {
            let run = agent.expect::<RunTask>().await;
            assert_eq!(run.task.task_id.as_str(), format!("{n}"));
            assert_eq!(run.task.data.len(), 3 * MIB);
        }
    });
}

#[test]
fn a_task_brings_at_most_twelve_mebibytes() {
    apart(|mut agent, mut scheduler| async move {
        let offer = scheduler.offer().await;
        let most = 12 * MIB;
        let tasks = [
            with_data(&offer, "most", most),
            with_data(&offer, "more", most + 1),
        ];
        scheduler.accepted("ACCEPT", accept(&offer, &tasks)).await;
        let run = agent.expect::<RunTask>().await;
        assert_eq!(run.task.task_id.as_str(), "most");
        assert_eq!(run.task.data.len(), most);
        let status = refused(&mut scheduler).await;
        assert_eq!(status["task_id"]["value"], "more");
        assert_eq!(status["reason"], "REASON_TASK_INVALID");
        let message = status["message"].as_str().unwrap();
        assert!(message.contains("the data of the task"), "{message}");
    });
}

#[test]
fn a_group_that_could_not_be_sent_to_its_agent_is_refused_at_once() {
    apart(|_agent, mut scheduler| async move {
        let offer = scheduler.offer().await;
        let value = "x".repeat(1_000_000);
        let variables = json!({"variables": [{"name": "A", "value": value}]});
        let tasks = (0..6).map(|n| {
            let mut task = with_data(&offer, &format!("{n}"), 2 * MIB - MIB / 4);
            task["command"]["environment"] = variables.clone();
            task
        });
        let group = json!({
            "executor": {
                "type": "DEFAULT", "executor_id": {"value": "e"},
                "resources": task_on(&offer, "e")["resources"],
            },
            "task_group": {"tasks": tasks.collect::<Vec<_>>()},
        });
        let accept = json!({
            "offer_ids": [offer["id"]],
            "operations": [{"type": "LAUNCH_GROUP", "launch_group": group}],
        });
        scheduler.accepted("ACCEPT", accept).await;
        for _ in 0..6 {
            let status = refused(&mut scheduler).await;
            assert_eq!(status["reason"], "REASON_TASK_GROUP_INVALID");
            let message = status["message"].as_str().unwrap();
            assert!(message.contains("larger than the 16 MiB"), "{message}");
        }
    });
}

/// The next update, which says that a task is wrong.
async fn refused(scheduler: &mut Scheduler) -> Value {
    let status = scheduler.events.skip_to("UPDATE").await["update"]["status"].clone();
    assert_eq!(status["state"], "TASK_ERROR", "{status}");
    status
}
