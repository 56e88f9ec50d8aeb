//! Subscriptions: what opens them, what they carry, what ends them.

use std::time::Duration;

use api::master::FrameworkState;
use serde_json::json;

use super::*;

#[test]
fn a_subscription_begins_with_who_it_is_and_a_heartbeat_and_then_come_offers() {
    http(|world, address| async move {
        let (_agent, agent_id) = world.agent("agent").await;
        let call = subscribe(&framework());
        let mut events = Events::subscribe(address, SCHEDULER, &call).await;
        uuid_of(&events.headers["mesos-stream-id"]);
        let first = events.next().await.unwrap();
        let subscribed = &first["subscribed"];
        assert_eq!(first["type"], "SUBSCRIBED");
        assert_eq!(subscribed["heartbeat_interval_seconds"], 15.0);
        assert_eq!(subscribed["master_info"]["port"], address.port());
        assert_eq!(subscribed["master_info"]["version"], api::v1::VERSION);
        assert_eq!(events.next().await.unwrap(), json!({"type": "HEARTBEAT"}));
        let offers = events.next().await.unwrap();
        let offer = &offers["offers"]["offers"][0];
        assert_eq!(offer["agent_id"]["value"], agent_id.as_str());
        assert_eq!(offer["framework_id"], subscribed["framework_id"]);
        assert_eq!(offer["allocation_info"]["role"], "*");
        assert_eq!(offer["url"]["path"], "/slave(1)");
        let seen = world.get_frameworks().await;
        assert_eq!(seen[0].state, FrameworkState::Active);
        assert_eq!(seen[0].info.name, "v1");
    });
}

fn uuid_of(text: &str) -> uuid::Uuid {
    text.parse().expect("a UUID")
}

#[test]
fn a_framework_without_multi_role_is_not_told_of_roles() {
    http(|world, address| async move {
        let (_agent, _) = world.agent("agent").await;
        let info = json!({"user": "root", "name": "old", "capabilities": null, "id": null});
        let mut scheduler = Scheduler::subscribe(address, &info).await;
        let offer = scheduler.offer().await;
        assert!(offer.get("allocation_info").is_none(), "{offer}");
        assert!(offer["resources"][0].get("allocation_info").is_none());
        assert_eq!(offer["resources"][0]["role"], "*");
    });
}

#[test]
fn a_stream_is_kept_alive_by_heartbeats() {
    http(|_, address| async move {
        let mut scheduler = Scheduler::subscribe(address, &framework()).await;
        let heartbeat = json!({"type": "HEARTBEAT"});
        assert_eq!(scheduler.events.next().await.unwrap(), heartbeat);
        for _ in 0..3 {
            // Sockets do not wait for virtual time.
            tokio::time::pause();
            tokio::time::advance(Duration::from_secs(15)).await;
            tokio::time::resume();
            assert_eq!(scheduler.events.next().await.unwrap(), heartbeat);
        }
    });
}

#[test]
fn a_framework_whose_stream_ends_has_its_failover_timeout_to_come_back() {
    http(|world, address| async move {
        let scheduler = Scheduler::subscribe(address, &framework()).await;
        let id = scheduler.id.clone();
        drop(scheduler);
        state(&world, FrameworkState::Disconnected).await;
        let mut info = framework();
        info["id"] = id.clone();
        let back = Scheduler::subscribe(address, &info).await;
        assert_eq!(back.id, id);
        assert_eq!(
            world.get_frameworks().await[0].state,
            FrameworkState::Active
        );
        drop(back);
        state(&world, FrameworkState::Disconnected).await;
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(61)).await;
        tokio::time::resume();
        state(&world, FrameworkState::Completed).await;
    });
}

/// Waits until the master sees its one framework like this.
async fn state(world: &World, state: FrameworkState) {
    while world.get_frameworks().await[0].state != state {
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_framework_that_does_not_wait_to_come_back_ends_with_its_stream() {
    http(|world, address| async move {
        let mut info = framework();
        info["failover_timeout"] = json!(0.0);
        drop(Scheduler::subscribe(address, &info).await);
        state(&world, FrameworkState::Completed).await;
    });
}

#[test]
fn a_newer_subscription_replaces_the_older_one() {
    http(|_, address| async move {
        let mut old = Scheduler::subscribe(address, &framework()).await;
        let mut info = framework();
        info["id"] = old.id.clone();
        let new = Scheduler::subscribe(address, &info).await;
        assert_ne!(old.stream_id, new.stream_id);
        let last = old.events.rest().await.pop().unwrap();
        let error = json!({"type": "ERROR", "error": {"message": "Framework failed over"}});
        assert_eq!(last, error);
        let answer = old.call("REVIVE", json!({})).await;
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains("didn't match the stream ID"));
        new.accepted("REVIVE", json!({})).await;
    });
}

#[test]
fn actors_and_http_take_a_framework_over_from_each_other() {
    http(|world, address| async move {
        let scheduler = Scheduler::subscribe(address, &framework()).await;
        let id: types::FrameworkId = scheduler.id["value"].as_str().unwrap().parse().unwrap();
        let info = types::FrameworkInfo {
            id: Some(id),
            principal: Some("somebody".into()),
            ..framework_info("actor")
        };
        let (mut actor, _) = world.scheduler_of("actor", info).await;
        let answer = scheduler.call("REVIVE", json!({})).await;
        assert_eq!(answer.status, 403);
        assert_eq!(answer.text(), "Framework is not connected via HTTP");
        let mut info = framework();
        info["id"] = scheduler.id.clone();
        let back = Scheduler::subscribe(address, &info).await;
        actor.skip_to::<api::scheduler::Rejected>().await;
        back.accepted("REVIVE", json!({})).await;
    });
}

#[test]
fn a_framework_of_another_master_keeps_its_id() {
    http(|_, address| async move {
        let mut info = framework();
        info["id"] = json!({"value": "dispatcher-driver-2026-0001"});
        let scheduler = Scheduler::subscribe(address, &info).await;
        assert_eq!(scheduler.id, info["id"]);
    });
}

#[test]
fn a_framework_that_tears_itself_down_ends_its_stream_and_cannot_come_back() {
    http(|world, address| async move {
        let mut scheduler = Scheduler::subscribe(address, &framework()).await;
        scheduler.accepted("TEARDOWN", Value::Null).await;
        assert_eq!(
            world.get_frameworks().await[0].state,
            FrameworkState::Completed
        );
        scheduler.events.rest().await;
        let mut info = framework();
        info["id"] = scheduler.id.clone();
        let call = subscribe(&info);
        let mut again = Events::subscribe(address, SCHEDULER, &call).await;
        let message = "Framework has been removed";
        let error = json!({"type": "ERROR", "error": {"message": message}});
        assert_eq!(again.rest().await, [error]);
        let answer = scheduler.call("REVIVE", json!({})).await;
        assert_eq!(
            (answer.status, answer.text()),
            (400, "Framework cannot be found")
        );
    });
}

#[test]
fn a_framework_that_is_not_valid_is_told_so_on_its_stream() {
    http(|world, address| async move {
        for (field, value, text) in [
            ("roles", json!(["/bad role"]), "framework_info.roles[0]"),
            ("role", json!("x"), "MULTI_ROLE"),
            ("failover_timeout", json!(-1), "failover_timeout"),
            ("name", json!("x".repeat(5_000)), "more than 1024"),
        ] {
            let mut info = framework();
            info[field] = value;
            let call = subscribe(&info);
            let mut events = Events::subscribe(address, SCHEDULER, &call).await;
            let events = events.rest().await;
            assert_eq!(events.len(), 1, "{events:?}");
            assert_eq!(events[0]["type"], "ERROR");
            let message = events[0]["error"]["message"].as_str().unwrap();
            assert!(message.contains(text), "{field}: {message}");
        }
        assert!(world.get_frameworks().await.is_empty());
    });
}

#[test]
fn streams_end_with_their_master_and_begin_with_the_next() {
    http(|mut world, address| async move {
        let mut scheduler = Scheduler::subscribe(address, &framework()).await;
        let watch = json!({"type": "SUBSCRIBE"});
        let mut operator = Events::subscribe(address, "/api/v1", &watch).await;
        world.another_master().await;
        scheduler.events.rest().await;
        operator.rest().await;
        let mut info = framework();
        info["id"] = scheduler.id.clone();
        let again = Scheduler::subscribe(address, &info).await;
        assert_eq!(again.id, scheduler.id);
    });
}

#[test]
fn a_reader_that_does_not_read_loses_its_stream() {
    http(|world, address| async move {
        let (agent, agent_id) = world.agent("agent").await;
        let scheduler = Scheduler::subscribe(address, &framework()).await;
        let framework_id: types::FrameworkId =
            scheduler.id["value"].as_str().unwrap().parse().unwrap();
        // What the sockets hold, and then what the stream holds.
        while world.get_frameworks().await[0].state == FrameworkState::Active {
            let words = api::master::ToFramework {
                agent_id: agent_id.clone(),
                framework_id: framework_id.clone(),
                executor_id: "e".parse().unwrap(),
                data: vec![b'x'; 1 << 19],
            };
            agent.say(&world.master, words);
            agent.said().await;
        }
        drop(scheduler);
    });
}
