//! Agents that operators take out of the cluster, over HTTP: deactivated, drained, declared gone.

use std::net::SocketAddr;

use api::agent::{Drain, Refused, Reregistered};
use api::scheduler;
use serde_json::{Value, json};
use types::{AgentId, FrameworkInfo, Reason, TaskState};

use super::client::{Answer, request};
use super::http;
use crate::world::*;

async fn operate(to: SocketAddr, kind: &str, body: Value) -> Answer {
    let mut call = json!({"type": kind});
    if !body.is_null() {
        call[kind.to_lowercase()] = body;
    }
    let headers = [
        ("Content-Type", "application/json"),
        ("Accept", "application/json"),
    ];
    request(to, "POST /api/v1", &headers, call.to_string().as_bytes()).await
}

fn named(id: &AgentId) -> Value {
    json!({"agent_id": {"value": id.as_str()}})
}

async fn agent_view(to: SocketAddr) -> Value {
    operate(to, "GET_AGENTS", Value::Null).await.json()["get_agents"]["agents"][0].clone()
}

#[test]
fn a_deactivated_agent_is_not_offered_until_it_is_reactivated() {
    http(async |world, address| {
        let (_agent, id) = world.agent("agent").await;
        let (mut scheduler, _) = world.scheduler("framework").await;
        let offers = scheduler.expect::<scheduler::Offers>().await.offers;
        let done = operate(address, "DEACTIVATE_AGENT", named(&id)).await;
        assert_eq!((done.status, done.text()), (200, ""));
        let rescinded = scheduler.expect::<scheduler::Rescind>().await;
        assert_eq!(rescinded.offer_id, offers[0].id);
        let view = agent_view(address).await;
        assert_eq!(
            (&view["active"], &view["deactivated"]),
            (&json!(false), &json!(true))
        );
        let (mut other, _) = world.scheduler("other").await;
        other
            .expect_nothing(std::time::Duration::from_millis(100))
            .await;
        let done = operate(address, "REACTIVATE_AGENT", named(&id)).await;
        assert_eq!(done.status, 200);
        let again = operate(address, "REACTIVATE_AGENT", named(&id)).await;
        assert_eq!(
            (again.status, again.text()),
            (400, "Agent is not deactivated")
        );
        let view = agent_view(address).await;
        assert_eq!(
            (&view["active"], &view["deactivated"]),
            (&json!(true), &json!(false))
        );
        let offered = async {
            tokio::select! {
                offers = scheduler.expect::<scheduler::Offers>() => offers,
                offers = other.expect::<scheduler::Offers>() => offers,
            }
        };
        assert_eq!(offered.await.offers[0].agent_id, id);
    });
}

#[test]
fn a_drained_agent_ends_its_tasks_and_then_waits() {
    http(async |world, address| {
        let mut running = Running::new(&world).await;
        let mut body = named(&running.agent_id);
        body["max_grace_period"] = json!({"seconds": 10});
        let done = operate(address, "DRAIN_AGENT", body).await;
        assert_eq!(done.status, 200, "{}", done.text());
        let drain = running.agent.expect::<Drain>().await;
        let grace = drain.config.max_grace_period.map(|grace| grace.as_secs());
        assert_eq!((grace, drain.config.mark_gone), (Some(10), false));
        let view = agent_view(address).await;
        assert_eq!(
            view["drain_info"],
            json!({
                "state": "DRAINING",
                "config": {"max_grace_period": {"nanoseconds": 10_000_000_000_u64}, "mark_gone": false},
            })
        );
        let early = operate(address, "REACTIVATE_AGENT", named(&running.agent_id)).await;
        assert_eq!(early.text(), "Agent is still in the DRAINING state");

        // What comes back is told again.
        let report = running.report(framework_info("framework"), TaskState::Running);
        world.reregister(&running.agent, &running.agent_id, report);
        running.agent.expect::<Reregistered>().await;
        running.agent.expect::<Drain>().await;

        let of = (&running.framework_id, "t");
        world.update(&running.agent, &running.agent_id, of, TaskState::Killed);
        let status = running
            .scheduler
            .skip_to::<scheduler::Update>()
            .await
            .status;
        world.acknowledge(&running.scheduler, &running.framework_id, &status);
        running
            .agent
            .expect::<api::agent::AcknowledgeUpdate>()
            .await;
        let page = super::client::get(address, "/slaves").await.json();
        let slave = &page["slaves"][0];
        assert_eq!(slave["drain_info"]["state"], "DRAINED");
        assert_eq!(
            (&slave["active"], &slave["deactivated"]),
            (&json!(false), &json!(true))
        );
        assert!(
            slave["estimated_drain_start_time_seconds"]
                .as_f64()
                .unwrap()
                > 1e9
        );
        let done = operate(address, "REACTIVATE_AGENT", named(&running.agent_id)).await;
        assert_eq!(done.status, 200);
        running.scheduler.skip_to::<scheduler::Offers>().await;
    });
}

#[test]
fn an_agent_that_is_drained_to_be_gone_is_gone() {
    http(async |world, address| {
        let (mut agent, id) = world.agent("agent").await;
        let mut body = named(&id);
        body["mark_gone"] = json!(true);
        assert_eq!(operate(address, "DRAIN_AGENT", body).await.status, 200);
        agent.skip_to::<Refused>().await;
        assert!(world.get_agents().await.is_empty());
    });
}

#[test]
fn the_tasks_of_an_agent_that_was_declared_gone_are_gone() {
    http(async |world, address| {
        let mut running = Running::new(&world).await;
        let id = running.agent_id.clone();
        let done = operate(address, "MARK_AGENT_GONE", named(&id)).await;
        assert_eq!((done.status, done.text()), (200, ""));
        let refused = running.agent.expect::<Refused>().await;
        assert_eq!(refused.reason, "Agent has been marked gone");
        let status = running
            .scheduler
            .skip_to::<scheduler::Update>()
            .await
            .status;
        assert_eq!(status.state, TaskState::GoneByOperator);
        assert_eq!(status.reason, Some(Reason::AgentRemovedByOperator));
        assert_eq!(
            status.message.as_deref(),
            Some("Agent has been marked gone")
        );
        assert_eq!(status.update_id, None);

        // It may not come back, and is not asked about twice.
        let report = running.report(framework_info("framework"), TaskState::Running);
        world.reregister(&running.agent, &id, report);
        running.agent.expect::<Refused>().await;
        assert_eq!(
            operate(address, "MARK_AGENT_GONE", named(&id)).await.status,
            200
        );
        let reconcile = api::master::Reconcile {
            framework_id: running.framework_id.clone(),
            tasks: vec![api::master::ReconcileTask {
                task_id: "t".parse().unwrap(),
                agent_id: Some(id),
            }],
        };
        running.scheduler.say(&world.master, reconcile);
        let status = running
            .scheduler
            .skip_to::<scheduler::Update>()
            .await
            .status;
        assert_eq!(status.state, TaskState::GoneByOperator);
    });
}

#[test]
fn a_framework_that_knows_no_partitions_hears_that_its_tasks_are_lost() {
    http(async |world, address| {
        let mut info: FrameworkInfo = framework_info("framework");
        info.capabilities.clear();
        let mut running = Running::of(&world, info).await;
        let done = operate(address, "MARK_AGENT_GONE", named(&running.agent_id)).await;
        assert_eq!(done.status, 200);
        let status = running
            .scheduler
            .skip_to::<scheduler::Update>()
            .await
            .status;
        assert_eq!(status.state, TaskState::Lost);
        assert_eq!(status.reason, Some(Reason::AgentRemoved));
    });
}

#[test]
fn what_cannot_be_done_to_an_agent_is_refused() {
    http(async |world, address| {
        let (_agent, id) = world.agent("agent").await;
        let nobody: AgentId = "nobody".parse().unwrap();
        for (kind, body, status, text) in [
            ("DEACTIVATE_AGENT", named(&nobody), 400, "Unknown agent"),
            ("DRAIN_AGENT", named(&nobody), 400, "Unknown agent"),
            (
                "MARK_AGENT_GONE",
                named(&nobody),
                404,
                "Agent 'nobody' not found",
            ),
            (
                "REACTIVATE_AGENT",
                named(&id),
                400,
                "Agent is not deactivated",
            ),
        ] {
            let answer = operate(address, kind, body).await;
            assert_eq!((answer.status, answer.text()), (status, text), "{kind}");
        }
        let mut body = named(&id);
        body["max_grace_period"] = json!({"seconds": -1});
        let answer = operate(address, "DRAIN_AGENT", body).await;
        assert_eq!(answer.status, 400);
        assert!(
            answer.text().contains("max_grace_period"),
            "{}",
            answer.text()
        );
        assert_eq!(agent_view(address).await["active"], true);
    });
}
