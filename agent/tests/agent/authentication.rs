//! Clients of an agent that have to say who they are: operators by name, executors by token.

use agent::Options;
use api::v1::authentication::{Authentication, Realm};
use libproc::Node;
use libproc::security::{Keys, Security};
use serde_json::json;

use crate::client::{Ask, JSON};
use crate::executor_api::{PATH, UUID, real, subscribe, update};
use crate::rig::{Rig, SILENCE, custom, registered};

/// `somebody:secret`
const SOMEBODY: &str = "Basic c29tZWJvZHk6c2VjcmV0";

fn asking(options: Options, realms: &[Realm]) -> Options {
    Options {
        authentication: Authentication {
            credentials: "somebody secret".parse().unwrap(),
            realms: realms.iter().copied().collect(),
        },
        ..options
    }
}

#[test]
fn each_realm_asks_for_itself() {
    real(async {
        for realm in [Realm::AgentReadOnly, Realm::AgentReadWrite] {
            let rig = Rig::start_with(|options| asking(options, &[realm])).await;
            let to = rig.node.address();
            for (path, of) in [
                ("/state", Realm::AgentReadOnly),
                ("/slave(1)/state.json", Realm::AgentReadOnly),
                ("/%61gent/containers", Realm::AgentReadOnly),
                ("/files/debug", Realm::AgentReadOnly),
                ("/metrics/snapshot", Realm::AgentReadOnly),
                ("/processes", Realm::AgentReadOnly),
                ("/nothing", Realm::AgentReadOnly),
                ("/api/v1", Realm::AgentReadWrite),
            ] {
                let stranger = Ask::get(path).answer(to).await;
                assert_eq!(stranger.status == 401, of == realm, "{path}");
                if of == realm {
                    let challenge = format!("Basic realm=\"{}\"", realm.as_str());
                    assert!(stranger.head.contains(&challenge), "{}", stranger.head);
                }
                let known = Ask::get(path).showing(SOMEBODY).answer(to).await;
                assert_ne!(known.status, 401, "{path}");
            }
            assert_eq!(Ask::get("/health").answer(to).await.status, 200);
            assert_eq!(Ask::get("/version").answer(to).await.status, 200);
        }
    });
}

/// An agent that asks executors for tokens, with the executor `e` of its framework launched.
async fn launched(rig: &mut Rig) -> String {
    rig.run(custom("t"));
    let (launched, _executor) = rig.launched().await;
    let environment = &launched.request.environment;
    let token = environment["MESOS_EXECUTOR_AUTHENTICATION_TOKEN"].clone();
    launched.succeed(7);
    format!("Bearer {token}")
}

#[test]
fn an_executor_shows_the_token_its_agent_gave_it() {
    real(async {
        let ask = |options| asking(options, &[Realm::AgentExecutor]);
        let mut rig = Rig::start_with(ask).await;
        rig.master.expect::<api::master::Register>().await;
        rig.node.tell(&rig.agent, registered(SILENCE));
        let token = launched(&mut rig).await;
        let to = rig.node.address();
        let body = subscribe(json!({})).to_string();
        let call = || Ask::post(PATH, JSON, body.as_bytes());
        let stranger = call().answer(to).await;
        assert_eq!(stranger.status, 401);
        assert!(
            stranger
                .head
                .contains("Bearer realm=\"mesos-agent-executor\"")
        );
        assert_eq!(call().showing(SOMEBODY).answer(to).await.status, 401);
        let forged = format!("{token}x");
        assert_eq!(call().showing(&forged).answer(to).await.status, 401);
        let mut events = call().showing(&token).stream(to).await;
        assert_eq!(events.event().await["type"], "SUBSCRIBED");
        let told = update("t", "TASK_RUNNING", UUID[0]).to_string();
        let told = Ask::post(PATH, JSON, told.as_bytes());
        assert_eq!(told.answer(to).await.status, 401);
        assert_eq!(told.showing(&token).answer(to).await.status, 202);
    });
}

#[test]
fn a_token_is_good_for_its_own_executor_alone() {
    real(async {
        let ask = |options| asking(options, &[Realm::AgentExecutor]);
        let mut rig = Rig::start_with(ask).await;
        rig.master.expect::<api::master::Register>().await;
        rig.node.tell(&rig.agent, registered(SILENCE));
        let token = launched(&mut rig).await;
        let mut other = custom("u");
        other.executor.as_mut().unwrap().executor_id = "other".parse().unwrap();
        rig.run(other);
        let (second, _executor) = rig.launched().await;
        second.succeed(8);
        let mut call = subscribe(json!({}));
        call["executor_id"]["value"] = json!("other");
        let body = call.to_string();
        let answer = Ask::post(PATH, JSON, body.as_bytes()).showing(&token);
        let answer = answer.answer(rig.node.address()).await;
        assert_eq!(answer.status, 403);
        let text = answer.text();
        assert!(
            text.contains("'eid' claim with the executor ID other"),
            "{text}"
        );
    });
}

#[test]
fn where_a_secret_is_shared_a_token_opens_the_door_of_executors_and_no_other() {
    real(async {
        let keys = Keys::from_bytes(&[[7; 32]]).unwrap();
        let builder = Node::builder().security(Security::secret(keys));
        let node = builder.bind("127.0.0.1:0").await.unwrap();
        let mut rig = Rig::start_on(node, |options| options);
        rig.master.expect::<api::master::Register>().await;
        rig.node.tell(&rig.agent, registered(SILENCE));
        let token = launched(&mut rig).await;
        let to = rig.node.address();
        let body = subscribe(json!({})).to_string();
        let call = || Ask::post(PATH, JSON, body.as_bytes());
        assert_eq!(call().answer(to).await.status, 401);
        for path in [
            "/state",
            "/api/v1",
            "/api/v1/executor/x",
            "/agent/files/debug",
        ] {
            let other = Ask::get(path).showing(&token).answer(to).await;
            assert_eq!(other.status, 401, "{path}");
        }
        let mut events = call().showing(&token).stream(to).await;
        assert_eq!(events.event().await["type"], "SUBSCRIBED");
        assert_eq!(events.event().await["type"], "LAUNCH");
    });
}
