//! Clients that have to say who they are.

use std::net::SocketAddr;

use api::v1::authentication::{Authentication, Realm};
use base64::Engine as _;
use serde_json::{Value, json};

use super::client::{Answer, request};
use super::{SCHEDULER, framework, http_with, subscribe};
use crate::world::options;

fn asking(realms: &[Realm]) -> master::Options {
    master::Options {
        authentication: Authentication {
            credentials: "somebody secret\noperator other".parse().unwrap(),
            realms: realms.iter().copied().collect(),
        },
        ..options()
    }
}

fn basic(text: &str) -> String {
    let encoded = base64::engine::general_purpose::STANDARD.encode(text);
    format!("Basic {encoded}")
}

/// Asks, and says who it is, or not.
async fn ask(to: SocketAddr, line: &str, who: Option<&str>, body: &Value) -> Answer {
    let who = who.map(basic);
    let mut headers = vec![
        ("Content-Type", "application/json"),
        ("Accept", "application/json"),
    ];
    headers.extend(who.iter().map(|who| ("Authorization", who.as_str())));
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    request(to, line, &headers, body.as_bytes()).await
}

#[test]
fn each_realm_asks_for_itself_and_says_its_name() {
    let all = [
        Realm::MasterReadOnly,
        Realm::MasterReadWrite,
        Realm::MasterScheduler,
    ];
    let doors = [
        ("GET /state", Realm::MasterReadOnly),
        ("GET /master/state.json", Realm::MasterReadOnly),
        ("GET /%6Daster/tasks", Realm::MasterReadOnly),
        ("GET /metrics/snapshot", Realm::MasterReadOnly),
        ("GET /processes", Realm::MasterReadOnly),
        ("GET /master/metrics", Realm::MasterReadOnly),
        ("GET /no/such/page", Realm::MasterReadOnly),
        ("POST /teardown", Realm::MasterReadWrite),
        ("POST /master/weights", Realm::MasterReadWrite),
        ("POST /reserve", Realm::MasterReadWrite),
        ("POST /api/v1", Realm::MasterReadWrite),
        ("GET /api/v1", Realm::MasterReadWrite),
        ("POST /api/v1/scheduler", Realm::MasterScheduler),
    ];
    for realm in all {
        http_with(asking(&[realm]), async |_, address| {
            for (door, of) in doors {
                let answer = ask(address, door, None, &Value::Null).await;
                assert_eq!(answer.status == 401, of == realm, "{door} {answer:?}");
                if of == realm {
                    let challenge = format!("Basic realm=\"{}\"", realm.as_str());
                    assert_eq!(answer.headers["www-authenticate"], challenge);
                    let wrong = ask(address, door, Some("somebody:other"), &Value::Null).await;
                    assert_eq!(wrong.status, 401, "{door}");
                }
                let known = ask(address, door, Some("somebody:secret"), &Value::Null).await;
                assert_ne!(known.status, 401, "{door}");
            }
            for open in ["GET /health", "GET /version", "GET /master/redirect"] {
                let answer = ask(address, open, None, &Value::Null).await;
                assert_ne!(answer.status, 401, "{open}");
            }
        });
    }
}

#[test]
fn a_framework_is_of_the_principal_that_was_shown() {
    http_with(asking(&[Realm::MasterScheduler]), async |world, address| {
        let line = format!("POST {SCHEDULER}");
        let call = subscribe(&framework());
        let other = ask(address, &line, Some("operator:other"), &call).await;
        assert_eq!(other.status, 400);
        assert_eq!(
            other.text(),
            "Failed to validate scheduler::Call: Authenticated principal 'operator' does not match \
             principal 'somebody' set in `FrameworkInfo`"
        );
        assert!(world.get_frameworks().await.is_empty());

        let mut nameless = framework();
        nameless.as_object_mut().unwrap().remove("principal");
        let mut connection = super::client::Connection::open(address).await;
        let who = basic("operator:other");
        let headers = [
            ("Content-Type", "application/json"),
            ("Accept", "application/json"),
            ("Authorization", who.as_str()),
        ];
        let body = subscribe(&nameless).to_string();
        connection.send(&line, &headers, body.as_bytes()).await;
        let (status, headers) = connection.head().await;
        assert_eq!(status, 200);
        let frameworks = world.get_frameworks().await;
        assert_eq!(frameworks[0].info.principal.as_deref(), Some("operator"));

        let id = frameworks[0].info.id.clone().unwrap();
        let suppress = json!({"type": "SUPPRESS", "framework_id": {"value": id.as_str()}});
        for (who, status) in [("somebody:secret", 400), ("operator:other", 202)] {
            let who = basic(who);
            let headers = [
                ("Content-Type", "application/json"),
                ("Mesos-Stream-Id", headers["mesos-stream-id"].as_str()),
                ("Authorization", who.as_str()),
            ];
            let body = suppress.to_string();
            let answer = request(address, &line, &headers, body.as_bytes()).await;
            assert_eq!(answer.status, status, "{}", answer.text());
        }
    });
}

#[test]
fn who_is_not_asked_need_not_be_right() {
    http_with(options(), async |_, address| {
        let answer = ask(address, "GET /state", Some("nobody:wrong"), &Value::Null).await;
        assert_eq!(answer.status, 200);
    });
}
