//! Requests that are wrong: each is answered with a status and a sentence, and changes nothing.

use serde_json::json;

use super::*;

#[test]
fn wrong_calls_of_schedulers_are_answered_as_apache_mesos_does() {
    http(|_, address| async move {
        let scheduler = Scheduler::subscribe(address, &framework()).await;
        let id = &scheduler.id;
        let revive = json!({"type": "REVIVE", "framework_id": id}).to_string();
        let json_type = ("Content-Type", "application/json");
        let stream = ("Mesos-Stream-Id", scheduler.stream_id.as_str());
        let call = |kind: &str, body: Value| {
            json!({"type": kind, "framework_id": id, kind.to_lowercase(): body}).to_string()
        };
        let subscribe = subscribe(&framework()).to_string();
        let mut other_id = framework();
        other_id["id"] = json!({"value": "other"});
        let two_ids = json!({
            "type": "SUBSCRIBE", "framework_id": {"value": "one"},
            "subscribe": {"framework_info": other_id},
        });
        let no_user = json!({"type": "SUBSCRIBE", "subscribe": {"framework_info": {"name": "x"}}});
        let short_id = json!({
            "agent_id": {"value": "a"}, "task_id": {"value": "t"}, "uuid": "c2hvcnQ=",
        });
        let slash = json!({"task_id": {"value": "a/b"}});
        type Case<'a> = (String, &'a [(&'a str, &'a str)], u16, &'a str);
        let cases: &[Case<'_>] = &[
            (
                revive.clone(),
                &[json_type],
                400,
                "All non-subscribe calls should include the 'Mesos-Stream-Id' header",
            ),
            (
                revive.clone(),
                &[json_type, ("Mesos-Stream-Id", "0-0")],
                400,
                "The stream ID '0-0' included in this request didn't match the stream ID",
            ),
            (
                r#"{"type": "REVIVE", "#.into(),
                &[json_type, stream],
                400,
                "Failed to parse body into JSON: ",
            ),
            (
                String::new(),
                &[json_type, stream],
                400,
                "Failed to parse body into JSON: ",
            ),
            (
                "42".into(),
                &[json_type, stream],
                400,
                "Failed to convert JSON into Call protobuf: Expecting a JSON object",
            ),
            (
                call("NO_SUCH_CALL", Value::Null),
                &[json_type, stream],
                400,
                "Failed to validate scheduler::Call: Expecting 'type' to be present",
            ),
            (
                call("UNKNOWN", Value::Null),
                &[json_type, stream],
                501,
                "Failed to validate",
            ),
            (
                call("ACKNOWLEDGE", Value::Null),
                &[json_type, stream],
                400,
                "Failed to validate scheduler::Call: Expecting 'acknowledge' to be present",
            ),
            (
                r#"{"type": "REVIVE"}"#.into(),
                &[json_type, stream],
                400,
                "Failed to validate scheduler::Call: Expecting 'framework_id' to be present",
            ),
            (
                r#"{"type": "REVIVE", "framework_id": {"value": "nobody"}}"#.into(),
                &[json_type, stream],
                400,
                "Framework cannot be found",
            ),
            (
                r#"{"type": "REVIVE", "framework_id": {"value": "../x"}}"#.into(),
                &[json_type, stream],
                400,
                "Framework cannot be found",
            ),
            (
                revive.clone(),
                &[("Content-Type", "text/plain"), stream],
                415,
                "Expecting 'Content-Type' of application/json or application/x-protobuf",
            ),
            (
                revive.clone(),
                &[stream],
                400,
                "Expecting 'Content-Type' to be present",
            ),
            (
                subscribe.clone(),
                &[json_type, ("Accept", "text/html")],
                406,
                "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'",
            ),
            (
                subscribe,
                &[json_type, stream],
                400,
                "Subscribe calls should not include the 'Mesos-Stream-Id' header",
            ),
            (
                two_ids.to_string(),
                &[json_type],
                400,
                "Failed to validate scheduler::Call: 'framework_id' differs from \
                 'subscribe.framework_info.id'",
            ),
            (
                no_user.to_string(),
                &[json_type],
                400,
                "Failed to convert JSON into Call protobuf: \
                 Missing required fields: subscribe.framework_info.user",
            ),
            (
                call("ACKNOWLEDGE", short_id),
                &[json_type, stream],
                400,
                "Failed to validate scheduler::Call: Not a valid UUID (in 'acknowledge.uuid",
            ),
            (
                call("KILL", slash),
                &[json_type, stream],
                400,
                "Failed to validate scheduler::Call: ",
            ),
            (
                call("DECLINE", json!({"offer_ids": "x"})),
                &[json_type, stream],
                400,
                "Failed to convert JSON into Call protobuf: \
                 Not expecting a JSON string for field 'decline.offer_ids",
            ),
        ];
        for (body, headers, status, text) in cases {
            let line = format!("POST {SCHEDULER}");
            let answer = request(address, &line, headers, body.as_bytes()).await;
            assert_eq!(answer.status, *status, "{body}: {}", answer.text());
            assert!(answer.text().starts_with(text), "{body}: {}", answer.text());
            assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
        }
        // None of it did anything to the one that is subscribed.
        scheduler.accepted("REVIVE", json!({})).await;
    });
}

#[test]
fn only_posts_are_calls() {
    http(|_, address| async move {
        for method in ["GET", "PUT", "DELETE"] {
            let line = format!("{method} {SCHEDULER}");
            let answer = request(address, &line, &[], b"").await;
            let text = format!(
                "405 Method Not Allowed. Expecting one of {{ 'POST' }}, but received '{method}'."
            );
            assert_eq!((answer.status, answer.text()), (405, text.as_str()));
            assert_eq!(answer.headers["allow"], "POST");
        }
    });
}

#[test]
fn a_framework_that_is_not_there_is_forbidden_to_call() {
    http(|world, address| async move {
        let (_actor, id) = world.scheduler("actor").await;
        let call = json!({"type": "REVIVE", "framework_id": {"value": id.as_str()}}).to_string();
        let line = format!("POST {SCHEDULER}");
        let headers = [
            ("Content-Type", "application/json"),
            ("Mesos-Stream-Id", "x"),
        ];
        let answer = request(address, &line, &headers, call.as_bytes()).await;
        assert_eq!(answer.status, 403);
        assert_eq!(answer.text(), "Framework is not connected via HTTP");

        let scheduler = Scheduler::subscribe(address, &framework()).await;
        let (id, stream_id) = (scheduler.id.clone(), scheduler.stream_id.clone());
        drop(scheduler);
        let call = json!({"type": "REVIVE", "framework_id": id}).to_string();
        loop {
            let headers = [headers[0], ("Mesos-Stream-Id", stream_id.as_str())];
            let answer = request(address, &line, &headers, call.as_bytes()).await;
            if answer.status == 403 {
                assert_eq!(answer.text(), "Framework is not subscribed");
                return;
            }
            assert_eq!(answer.status, 202, "the master has not heard yet");
        }
    });
}

#[test]
fn nobody_speaks_for_another_framework() {
    http(|world, address| async move {
        let (_agent, _) = world.agent("agent").await;
        let mut owner = Scheduler::subscribe(address, &framework()).await;
        let offer = owner.offer().await;
        let mut other = Scheduler::subscribe(address, &framework()).await;
        let theirs = other.id.clone();
        other.id = owner.id.clone();
        for (kind, body) in [
            ("DECLINE", json!({"offer_ids": [offer["id"]]})),
            ("TEARDOWN", Value::Null),
            ("ACCEPT", accept(&offer, &[task_on(&offer, "t")])),
        ] {
            let answer = other.call(kind, body).await;
            assert_eq!(answer.status, 400);
            assert!(answer.text().contains("didn't match the stream ID"));
        }
        // An offer of somebody else is no offer.
        other.id = theirs;
        let steal = accept(&offer, &[task_on(&offer, "t")]);
        other.accepted("ACCEPT", steal).await;
        let status = other.events.skip_to("UPDATE").await["update"]["status"].clone();
        assert_eq!(status["state"], "TASK_DROPPED");
        owner
            .accepted("ACCEPT", accept(&offer, &[task_on(&offer, "t")]))
            .await;
        assert_eq!(world.get_tasks(false).await.len(), 1);
    });
}
