//! What JSON clients send, and what is taken.

use api::v1::codec::bounds::FaultKind;
use api::v1::scheduler::Call;
use api::v1::{
    ContainerInfo, Message, Resource, TaskInfo, TaskState, TaskStatus, ValueType, VolumeMode,
};

fn read<M: Message>(text: &str) -> M {
    M::from_json(text.as_bytes()).unwrap_or_else(|fault| panic!("{text}: {fault}"))
}

#[track_caller]
fn refused<M: Message>(text: &str, field: &str, message: &str) {
    let fault = M::from_json(text.as_bytes()).expect_err(text);
    assert_eq!(
        (fault.field.as_str(), fault.text.as_str()),
        (field, message),
        "{text}"
    );
}

#[test]
fn null_is_as_good_as_absent_and_unknown_entries_are_ignored() {
    let full = r#"{"type":"REVIVE","revive":null,"id":null,"bogus":[{"deep":[1,{}]}],
                   "framework_id":{"value":"f","parent":null}}"#;
    let call: Call = read(full);
    assert_eq!(
        call,
        read(r#"{"framework_id":{"value":"f"},"type":"REVIVE"}"#)
    );
    refused::<TaskStatus>(
        r#"{"task_id":null,"state":"TASK_LOST"}"#,
        "task_id",
        "Missing required fields: task_id",
    );
}

#[test]
fn a_single_value_is_a_list_of_one() {
    let one: Call = read(r#"{"decline":{"offer_ids":{"value":"o1"}}}"#);
    assert_eq!(
        one,
        read(r#"{"decline":{"offer_ids":[null,{"value":"o1"}]}}"#)
    );
    let one: Call = read(r#"{"revive":{"roles":"web"}}"#);
    assert_eq!(one.revive.unwrap().roles, ["web"]);
    refused::<Call>(
        r#"{"decline":{"offer_ids":"notalist"}}"#,
        "decline.offer_ids",
        "Not expecting a JSON string for field 'decline.offer_ids'",
    );
    refused::<Call>(
        r#"{"kill":[{"task_id":{"value":"t"}}]}"#,
        "kill",
        "Not expecting a JSON array for field 'kill'",
    );
}

#[test]
fn numbers_and_booleans_may_be_texts() {
    let amount = |text: &str| {
        let resource = r#"{"name":"cpus","type":"SCALAR","scalar":{"value":VALUE}}"#;
        read::<Resource>(&resource.replace("VALUE", text))
            .scalar
            .unwrap()
            .value
    };
    for (text, number) in [
        ("1", 1.0),
        ("0.5", 0.5),
        ("\"0.5\"", 0.5),
        ("-1", -1.0),
        ("1e3", 1e3),
    ] {
        assert_eq!(amount(text), number, "{text}");
    }
    assert_eq!(amount("\"Infinity\""), f64::INFINITY);
    assert_eq!(amount("\"-Infinity\""), f64::NEG_INFINITY);
    assert_eq!(amount("4294967295"), 4_294_967_295.0);

    let pid = |text: &str| {
        let status = r#"{"executor_pid":VALUE}"#.replace("VALUE", text);
        api::v1::ContainerStatus::from_json(status.as_bytes()).map(|status| status.executor_pid)
    };
    for same in ["7", "7.0", "\"7\"", "\"7.0\"", "7e0"] {
        assert_eq!(pid(same), Ok(Some(7)), "{same}");
    }
    for bad in [
        "7.5",
        "-1",
        "4294967296",
        "1e99",
        "\"seven\"",
        "true",
        "{}",
        "[7]",
        "\"\"",
    ] {
        assert_eq!(pid(bad).unwrap_err().field, "executor_pid", "{bad}");
    }

    let healthy = |text: &str| {
        let status = r#"{"task_id":{"value":"t"},"state":"TASK_RUNNING","healthy":VALUE}"#;
        TaskStatus::from_json(status.replace("VALUE", text).as_bytes()).map(|s| s.healthy)
    };
    assert_eq!(healthy("true"), Ok(Some(true)));
    assert_eq!(healthy("\"false\""), Ok(Some(false)));
    for bad in ["1", "\"yes\"", "\"TRUE\"", "{}"] {
        assert_eq!(healthy(bad).unwrap_err().field, "healthy", "{bad}");
    }
}

#[test]
fn whole_numbers_of_64_bits_are_exact_and_not_quoted() {
    let text = r#"{"begin":18446744073709551615,"end":9007199254740993}"#;
    let range: api::v1::Range = read(text);
    assert_eq!((range.begin, range.end), (u64::MAX, 9_007_199_254_740_993));
    assert_eq!(range.to_json(), text);
    let time: api::v1::TimeInfo = read(r#"{"nanoseconds":"-9223372036854775808"}"#);
    assert_eq!(time.nanoseconds, i64::MIN);
}

#[test]
fn enums_are_names() {
    refused::<Call>(
        r#"{"type":3}"#,
        "type",
        "Not expecting a JSON number for field 'type'",
    );
    assert_eq!(read::<Call>(r#"{"type":"NO_SUCH_CALL"}"#).kind, None);
    assert_eq!(read::<Call>(r#"{"type":"subscribe"}"#).kind, None);
    refused::<TaskStatus>(
        r#"{"task_id":{"value":"t"},"state":"TASK_DREAMING"}"#,
        "state",
        "Missing required fields: state",
    );
}

#[test]
fn the_names_from_before_agents_were_called_agents_are_understood() {
    let status: TaskStatus = read(
        r#"{"task_id":{"value":"t"},"state":"TASK_LOST","slave_id":{"value":"s"},
            "source":"SOURCE_SLAVE","reason":"REASON_SLAVE_REMOVED"}"#,
    );
    let today: TaskStatus = read(
        r#"{"task_id":{"value":"t"},"state":"TASK_LOST","agent_id":{"value":"s"},
            "source":"SOURCE_AGENT","reason":"REASON_AGENT_REMOVED"}"#,
    );
    assert_eq!(status, today);
    for both in [
        r#"{"task_id":{"value":"t"},"slave_id":{"value":"old"},"agent_id":{"value":"new"}}"#,
        r#"{"task_id":{"value":"t"},"agent_id":{"value":"new"},"slave_id":{"value":"old"}}"#,
    ] {
        let kill: api::v1::scheduler::call::Kill = read(both);
        assert_eq!(kill.agent_id.unwrap().value, "new", "{both}");
    }
}

#[test]
fn bytes_are_base64() {
    let message = |text: &str| {
        let text = format!(r#"{{"data":"{text}"}}"#);
        api::v1::executor::call::Message::from_json(text.as_bytes()).map(|m| m.data)
    };
    assert_eq!(message(""), Ok("".into()));
    assert_eq!(message("aGVsbG8="), Ok("hello".into()));
    assert_eq!(message("aGVsbG8"), Ok("hello".into()));
    for bad in ["a", "aGVsbG8*", "=", "aGVs bG8="] {
        assert_eq!(message(bad).unwrap_err().field, "data", "{bad}");
    }
    let written = api::v1::executor::call::Message {
        data: vec![0xfb, 0xff, 0xfe].into(),
    };
    assert_eq!(written.to_json(), r#"{"data":"+//+"}"#);
}

#[test]
fn defaults_are_written_out_and_empty_lists_are_not() {
    let command = api::v1::CommandInfo {
        value: Some("true".to_owned()),
        ..Default::default()
    };
    assert_eq!(command.to_json(), r#"{"shell":true,"value":"true"}"#);
    let filters = api::v1::Filters::default();
    assert_eq!(filters.to_json(), r#"{"refuse_seconds":5.0}"#);
    let framework = api::v1::FrameworkInfo {
        user: "u".into(),
        ..Default::default()
    };
    let expected = r#"{"user":"u","name":"","failover_timeout":0.0,"checkpoint":false}"#;
    assert_eq!(framework.to_json(), expected);
    // Tools count on these lists.
    let agents = api::v1::master::response::GetAgents::default();
    assert_eq!(agents.to_json(), r#"{"agents":[],"recovered_agents":[]}"#);
}

#[test]
fn what_json_has_no_word_for_is_a_text() {
    let scalar = api::v1::Scalar {
        value: f64::INFINITY,
    };
    assert_eq!(scalar.to_json(), r#"{"value":"Infinity"}"#);
    assert_eq!(read::<api::v1::Scalar>(r#"{"value":"Infinity"}"#), scalar);
}

#[test]
fn a_missing_field_is_told_with_its_path() {
    refused::<Call>(
        r#"{"type":"ACCEPT","accept":{"operations":[{"type":"LAUNCH"},{"type":"LAUNCH","launch":
            {"task_infos":[{"name":"t","agent_id":{"value":"a"}}]}}]}}"#,
        "accept.operations[1].launch.task_infos[0].task_id",
        "Missing required fields: accept.operations[1].launch.task_infos[0].task_id",
    );
    refused::<TaskInfo>(
        r#"{"name":"t","task_id":{"value":"t"},"agent_id":{"value":"a"},"limits":{"mem":{}}}"#,
        r#"limits["mem"].value"#,
        r#"Missing required fields: limits["mem"].value"#,
    );
    refused::<Call>("42", "", "Expecting a JSON object");
    refused::<Call>("null", "", "Expecting a JSON object");
    refused::<Call>("[]", "", "Expecting a JSON object");
}

#[test]
fn a_missing_field_of_protobuf_is_told_with_its_path() {
    // A launch of an empty task.
    let bytes = [0x22, 6, 0x12, 4, 0x12, 2, 0x0a, 0];
    let fault = Call::from_protobuf(&bytes).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Missing);
    assert_eq!(
        fault.field,
        "accept.operations[0].launch.task_infos[0].name"
    );
}

#[test]
fn a_text_that_is_no_json_is_told_with_its_place() {
    for bad in [
        "",
        "{",
        "{x",
        r#"{"type":"REVIVE","#,
        "{} {}",
        r#"{"a":NaN}"#,
    ] {
        let fault = Call::from_json(bad.as_bytes()).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Syntax, "{bad}");
        assert!(fault.text.contains("line 1"), "{fault}");
    }
}

#[test]
fn names_are_written_as_they_are_declared() {
    let container: ContainerInfo = read(
        r#"{"type":"DOCKER","volumes":[{"mode":"RO","container_path":"/x"}],
            "docker":{"image":"i"}}"#,
    );
    assert_eq!(container.volumes[0].mode, VolumeMode::Ro);
    let text = concat!(
        r#"{"type":"DOCKER","volumes":[{"mode":"RO","container_path":"/x"}],"#,
        r#""docker":{"image":"i","network":"HOST","privileged":false}}"#,
    );
    assert_eq!(container.to_json(), text);
    assert_eq!(ValueType::Ranges.to_string(), "RANGES");
    assert_eq!(TaskState::GoneByOperator.as_str(), "TASK_GONE_BY_OPERATOR");
    let snmp = api::v1::IpStatistics {
        default_ttl: Some(64),
        ..Default::default()
    };
    assert_eq!(snmp.to_json(), r#"{"DefaultTTL":64}"#);
}
