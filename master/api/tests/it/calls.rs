//! Calls as a server takes them: the status and the text of what is wrong.

use api::v1::codec::bounds::MAX_MESSAGE_BYTES;
use api::v1::scheduler::{Call, CallBody, Event, EventBody, event};
use api::v1::{Encoding, FrameworkId, Message, agent, executor, master};

const JSON: Option<&str> = Some("application/json");
const PROTOBUF: Option<&str> = Some("application/x-protobuf");

#[track_caller]
fn bad<C: std::fmt::Debug>(
    call: Result<C, api::v1::BadCall>,
    status: u16,
    field: &str,
    text: &str,
) {
    let bad = call.unwrap_err();
    assert_eq!(
        (bad.status, bad.field.as_str(), bad.text.as_str()),
        (status, field, text)
    );
}

#[test]
fn a_call_has_a_type_its_body_and_a_framework() {
    let scheduler = |text: &str| Call::from_bytes(JSON, text.as_bytes());
    assert!(scheduler(r#"{"framework_id":{"value":"f"},"type":"REVIVE"}"#).is_ok());
    let no_type = "Failed to validate scheduler::Call: Expecting 'type' to be present";
    bad(
        scheduler(r#"{"framework_id":{"value":"f"}}"#),
        400,
        "type",
        no_type,
    );
    bad(
        scheduler(r#"{"framework_id":{"value":"f"},"type":"NOPE"}"#),
        400,
        "type",
        no_type,
    );
    bad(
        scheduler(r#"{"type":"REVIVE"}"#),
        400,
        "framework_id",
        "Failed to validate scheduler::Call: Expecting 'framework_id' to be present",
    );
    bad(
        scheduler(r#"{"framework_id":{"value":"f"},"type":"ACKNOWLEDGE"}"#),
        400,
        "acknowledge",
        "Failed to validate scheduler::Call: Expecting 'acknowledge' to be present",
    );
    bad(
        scheduler(r#"{"framework_id":{"value":"f"},"type":"UNKNOWN"}"#),
        501,
        "type",
        "Failed to validate scheduler::Call: The type UNKNOWN asks for nothing",
    );
    bad(
        executor::Call::from_bytes(
            JSON,
            br#"{"framework_id":{"value":"f"},"executor_id":{"value":"e"},"type":"UPDATE"}"#,
        ),
        400,
        "update",
        "Failed to validate Executor::Call: Expecting 'update' to be present",
    );
    bad(
        master::Call::from_bytes(JSON, br#"{"type":"LIST_FILES"}"#),
        400,
        "list_files",
        "Failed to validate master::Call: Expecting 'list_files' to be present",
    );
    assert!(agent::Call::from_bytes(JSON, br#"{"type":"GET_CONTAINERS"}"#).is_ok());
}

#[test]
fn a_body_that_cannot_be_read_says_where() {
    bad(
        Call::from_bytes(
            JSON,
            br#"{"type":"SUBSCRIBE","subscribe":{"framework_info":{"name":"n"}}}"#,
        ),
        400,
        "subscribe.framework_info.user",
        "Failed to convert JSON into Call protobuf: \
         Missing required fields: subscribe.framework_info.user",
    );
    bad(
        Call::from_bytes(JSON, b"42"),
        400,
        "",
        "Failed to convert JSON into Call protobuf: Expecting a JSON object",
    );
    let text = Call::from_bytes(JSON, br#"{"type": "REVIVE", "#)
        .unwrap_err()
        .text;
    assert!(
        text.starts_with("Failed to parse body into JSON: "),
        "{text}"
    );
    let text = Call::from_bytes(PROTOBUF, b"\xff\xff\xffgarbage")
        .unwrap_err()
        .text;
    assert!(
        text.starts_with("Failed to parse body into Call protobuf: "),
        "{text}"
    );
    assert_eq!(Call::from_bytes(None, b"{}").unwrap_err().status, 400);
    assert_eq!(
        Call::from_bytes(Some("text/plain"), b"{}")
            .unwrap_err()
            .status,
        415
    );
    let large = vec![b' '; MAX_MESSAGE_BYTES + 1];
    assert_eq!(Call::from_bytes(JSON, &large).unwrap_err().status, 413);
}

#[test]
fn a_body_brings_its_type_along() {
    let message = "Framework failed over".to_owned();
    let event: Event = EventBody::Error(event::Error { message }).into();
    let json = r#"{"type":"ERROR","error":{"message":"Framework failed over"}}"#;
    assert_eq!(Encoding::Json.encode(&event), json);
    let heartbeat: Event = EventBody::Heartbeat.into();
    assert_eq!(Encoding::Json.encode(&heartbeat), r#"{"type":"HEARTBEAT"}"#);
    assert_eq!(Encoding::Protobuf.encode(&heartbeat), [8, 8][..]);
    assert_eq!(event.clone().into_body().map(Event::from), Ok(event));

    let framework_id = Some(FrameworkId {
        value: "f".to_owned(),
    });
    let call = Call {
        framework_id,
        ..CallBody::Teardown.into()
    };
    assert_eq!(
        call.to_json(),
        r#"{"framework_id":{"value":"f"},"type":"TEARDOWN"}"#
    );
    assert_eq!(call.into_body(), Ok(CallBody::Teardown));
}
