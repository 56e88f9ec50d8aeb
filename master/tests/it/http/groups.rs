//! LAUNCH_GROUP over HTTP: launched whole, or refused whole.

use api::agent::RunGroup;
use serde_json::{Value, json};
use types::{ExecutorKind, TaskState};

use super::{Scheduler, framework, http, task_on};

fn executor() -> Value {
    json!({
        "type": "DEFAULT", "executor_id": {"value": "pod"},
        "resources": [
            {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}},
            {"name": "mem", "type": "SCALAR", "scalar": {"value": 32}},
        ],
    })
}

fn launch_group(offer: &Value, executor: &Value, tasks: &[Value]) -> Value {
    json!({
        "offer_ids": [offer["id"]],
        "operations": [{
            "type": "LAUNCH_GROUP",
            "launch_group": {"executor": executor, "task_group": {"tasks": tasks}},
        }],
        "filters": {"refuse_seconds": 0.0},
    })
}

#[test]
fn a_group_goes_to_its_agent_whole() {
    http(async |world, address| {
        let (mut agent, agent_id) = world.agent("agent").await;
        let mut scheduler = Scheduler::subscribe(address, &framework()).await;
        let offer = scheduler.offer().await;
        let tasks = [task_on(&offer, "a"), task_on(&offer, "b")];
        let accept = launch_group(&offer, &executor(), &tasks);
        scheduler.accepted("ACCEPT", accept).await;
        let group = agent.expect::<RunGroup>().await;
        assert_eq!(group.executor.kind, ExecutorKind::Default);
        let names: Vec<_> = group.tasks.iter().map(|t| t.task_id.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        let tasks = world.get_tasks(false).await;
        for task in &tasks {
            let executor = task.task.executor_id.as_ref();
            assert_eq!(executor.map(|id| id.as_str()), Some("pod"));
        }
        // What is left is offered.
        let offer = scheduler.offer().await;
        let framework_id = group.framework.id.unwrap();
        world.update(&agent, &agent_id, (&framework_id, "a"), TaskState::Running);
        let update = scheduler.events.skip_to("UPDATE").await;
        assert_eq!(update["update"]["status"]["task_id"]["value"], "a");

        // Another group finds the executor running.
        let accept = launch_group(&offer, &executor(), &[task_on(&offer, "c")]);
        scheduler.accepted("ACCEPT", accept).await;
        assert_eq!(agent.skip_to::<RunGroup>().await.tasks.len(), 1);
        let agents = world.get_agents().await;
        assert_eq!(agents[0].used.total_cpus().thousandths(), 3_100);
    });
}

#[test]
fn a_group_with_a_fault_is_refused_whole_with_a_reason() {
    http(async |world, address| {
        let (_agent, _) = world.agent("agent").await;
        let mut scheduler = Scheduler::subscribe(address, &framework()).await;
        let mut nothing = task_on(&json!({}), "b");
        nothing["resources"] = json!([]);
        let mut typeless = executor();
        typeless.as_object_mut().unwrap().remove("type");
        let mut commanding = executor();
        commanding["command"] = json!({"value": "x"});
        for (executor, wrong, text) in [
            (executor(), nothing, "Task 'b' is invalid"),
            (
                typeless,
                task_on(&json!({}), "b"),
                "'ExecutorInfo.type' must be set",
            ),
            (
                commanding,
                task_on(&json!({}), "b"),
                "must not be set for 'DEFAULT'",
            ),
        ] {
            let offer = scheduler.offer().await;
            let mut wrong = wrong;
            wrong["agent_id"] = offer["agent_id"].clone();
            let tasks = [task_on(&offer, "a"), wrong];
            let accept = launch_group(&offer, &executor, &tasks);
            scheduler.accepted("ACCEPT", accept).await;
            for task in ["a", "b"] {
                let status = scheduler.events.skip_to("UPDATE").await["update"]["status"].clone();
                assert_eq!(status["task_id"]["value"], task);
                assert_eq!(status["state"], "TASK_ERROR");
                assert_eq!(status["reason"], "REASON_TASK_GROUP_INVALID");
                let message = status["message"].as_str().unwrap();
                assert!(message.contains(text), "{message}");
            }
        }
        assert!(world.tasks().await.is_empty());
    });
}

#[test]
fn what_launches_has_no_id_and_our_executor_takes_groups_only() {
    http(async |world, address| {
        let (_agent, _) = world.agent("agent").await;
        let mut scheduler = Scheduler::subscribe(address, &framework()).await;
        let offer = scheduler.offer().await;
        let mut accept = launch_group(&offer, &executor(), &[task_on(&offer, "a")]);
        accept["operations"][0]["id"] = json!({"value": "op"});
        scheduler.accepted("ACCEPT", accept).await;
        let status = scheduler.events.skip_to("UPDATE").await["update"]["status"].clone();
        assert_eq!(
            status["message"],
            "The `id` field cannot be set on LAUNCH_GROUP operations"
        );
        let offer = scheduler.offer().await;
        let mut task = task_on(&offer, "a");
        task.as_object_mut().unwrap().remove("command");
        task["executor"] = executor();
        scheduler
            .accepted("ACCEPT", super::accept(&offer, &[task]))
            .await;
        let status = scheduler.events.skip_to("UPDATE").await["update"]["status"].clone();
        let message = status["message"].as_str().unwrap();
        assert!(
            message.contains("'ExecutorInfo.type' must be 'CUSTOM'"),
            "{message}"
        );
        assert_eq!(status["reason"], "REASON_TASK_INVALID");
    });
}
