//! What frameworks ask of offers: constraints on agents, and the least that is worth one.

use std::time::Duration;

use serde_json::{Value, json};
use types::{AgentInfo, Resources};

use super::client::Events;
use super::{SCHEDULER, Scheduler, framework, http, subscribe};

fn agent_with(hostname: &str, attributes: &str) -> AgentInfo {
    AgentInfo {
        attributes: attributes.parse().unwrap(),
        ..AgentInfo::new(hostname, 5051, Resources::new().cpus(2.0).mem_mib(512))
    }
}

fn constraints(constraint: Value) -> Value {
    json!({"role_constraints": {"*": {"groups": [{"attribute_constraints": [constraint]}]}}})
}

/// Subscribes with a stream of its own, with constraints.
async fn constrained(address: std::net::SocketAddr, asked: Value) -> Scheduler {
    let mut call = subscribe(&framework());
    call["subscribe"]["offer_constraints"] = asked;
    let mut events = Events::subscribe(address, SCHEDULER, &call).await;
    let stream_id = events.headers["mesos-stream-id"].clone();
    let subscribed = events.next().await.expect("a first event");
    assert_eq!(subscribed["type"], "SUBSCRIBED", "{subscribed}");
    Scheduler {
        address,
        id: subscribed["subscribed"]["framework_id"].clone(),
        events,
        stream_id,
    }
}

#[test]
fn only_agents_that_fit_are_offered_until_the_framework_says_otherwise() {
    http(async |world, address| {
        let (_a, _) = world.agent_of("a", agent_with("one", "rack:r1")).await;
        let (_b, _) = world.agent_of("b", agent_with("two", "rack:r2")).await;
        let asked = constraints(json!({
            "selector": {"attribute_name": "rack"},
            "predicate": {"text_matches": {"regex": "r[2-9]"}},
        }));
        let mut scheduler = constrained(address, asked.clone()).await;
        let offer = scheduler.offer().await;
        assert_eq!(offer["hostname"], "two");
        let call = json!({"type": "GET_FRAMEWORKS"}).to_string();
        let headers = [
            ("Content-Type", "application/json"),
            ("Accept", "application/json"),
        ];
        let answer = super::request(address, "POST /api/v1", &headers, call.as_bytes()).await;
        let shown = &answer.json()["get_frameworks"]["frameworks"][0]["offer_constraints"];
        assert_eq!(*shown, asked);

        let mut info = framework();
        info["id"] = scheduler.id.clone();
        let hostname = constraints(json!({
            "selector": {"pseudoattribute_type": "HOSTNAME"},
            "predicate": {"text_equals": {"value": "one"}},
        }));
        let update = json!({"framework_info": info, "offer_constraints": hostname});
        let answer = scheduler.call("UPDATE_FRAMEWORK", update).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(scheduler.offer().await["hostname"], "one");
    });
}

#[test]
fn constraints_that_make_no_sense_are_refused() {
    http(async |_, address| {
        let exists = json!({"selector": {"attribute_name": "x"}, "predicate": {"exists": {}}});
        let mut two = exists.clone();
        two["predicate"]["not_exists"] = json!({});
        let mut wild = exists.clone();
        wild["predicate"] = json!({"text_matches": {"regex": "("}});
        let other = json!({
            "role_constraints": {"other": {"groups": [{"attribute_constraints": [exists]}]}}
        });
        let none = json!({"role_constraints": {"*": {"groups": []}}});
        for (asked, wrong) in [
            (
                constraints(two),
                "Exactly one of 'AttributeConstraint::Predicate'",
            ),
            (constraints(wild), "regular expression"),
            (other, "'other' not contained in the set of roles"),
            (none, "there are no groups"),
        ] {
            let mut call = subscribe(&framework());
            call["subscribe"]["offer_constraints"] = asked;
            let mut events = Events::subscribe(address, SCHEDULER, &call).await;
            let error = events.next().await.expect("a first event");
            assert_eq!(error["type"], "ERROR");
            let text = error["error"]["message"].as_str().unwrap();
            assert!(text.contains(wrong), "{text}");
        }
    });
}

#[test]
fn less_than_a_framework_finds_worth_it_is_not_offered() {
    http(async |world, address| {
        let (_a, _) = world.agent_of("a", agent_with("small", "")).await;
        let mut info = framework();
        let least = json!({"quantities": [{"quantities": {"cpus": {"value": 3.0}}}]});
        info["offer_filters"] = json!({"*": {"min_allocatable_resources": least}});
        let mut scheduler = Scheduler::subscribe(address, &info).await;
        assert_eq!(scheduler.events.next().await.unwrap()["type"], "HEARTBEAT");
        let next = tokio::time::timeout(Duration::from_millis(200), scheduler.events.next());
        assert!(next.await.is_err(), "nothing is offered");
        let large = AgentInfo {
            resources: Resources::new().cpus(4.0).mem_mib(64),
            ..agent_with("large", "")
        };
        let (_b, _) = world.agent_of("b", large).await;
        assert_eq!(scheduler.offer().await["hostname"], "large");

        info["offer_filters"] = json!({"other": {"min_allocatable_resources": least}});
        let mut events = Events::subscribe(address, SCHEDULER, &subscribe(&info)).await;
        let error = events.next().await.unwrap();
        assert!(
            error["error"]["message"]
                .as_str()
                .unwrap()
                .contains("offer_filters.other")
        );
    });
}
