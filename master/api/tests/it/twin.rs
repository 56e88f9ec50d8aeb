//! Prost's derive reads what we write, and we read what it writes.

use api::v1::scheduler::{Call, CallType, call};
use api::v1::{FrameworkId, Labels, Message, OfferId, TaskState, TaskStatus};
use prost::Message as _;

#[derive(Clone, PartialEq, prost::Message)]
struct Value {
    #[prost(string, required, tag = "1")]
    value: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Twin {
    #[prost(message, required, tag = "1")]
    task_id: Value,
    #[prost(int32, required, tag = "2")]
    state: i32,
    #[prost(bytes = "vec", optional, tag = "3")]
    data: Option<Vec<u8>>,
    #[prost(string, optional, tag = "4")]
    message: Option<String>,
    #[prost(double, optional, tag = "6")]
    timestamp: Option<f64>,
    #[prost(bool, optional, tag = "8")]
    healthy: Option<bool>,
    #[prost(int32, optional, tag = "10")]
    reason: Option<i32>,
    #[prost(string, repeated, tag = "1000")]
    unknown: Vec<String>,
}

#[test]
fn prost_reads_what_we_write_and_we_read_what_it_writes() {
    let twin = Twin {
        task_id: Value {
            value: "t1".to_owned(),
        },
        state: 8,
        data: Some(vec![0; 300]),
        message: Some("é".repeat(100)),
        timestamp: Some(1.5),
        healthy: Some(false),
        reason: Some(34),
        unknown: vec!["later".to_owned(); 3],
    };
    let status = TaskStatus::from_protobuf(&twin.encode_to_vec()).unwrap();
    assert_eq!(status.state, TaskState::Killing);
    let expected = Twin {
        unknown: Vec::new(),
        ..twin
    };
    assert_eq!(Twin::decode(status.to_protobuf()).unwrap(), expected);
}

#[test]
fn lengths_of_one_byte_and_of_several_are_those_of_prost() {
    for length in [
        0, 1, 120, 123, 124, 125, 126, 127, 128, 129, 200, 16_383, 16_384, 300_000,
    ] {
        let value = "x".repeat(length);
        let twin = Twin {
            task_id: Value { value },
            ..Twin::default()
        };
        let status = TaskStatus::from_protobuf(&twin.encode_to_vec()).unwrap();
        assert_eq!(status.to_protobuf(), twin.encode_to_vec(), "{length}");
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct Maps {
    #[prost(btree_map = "string, message", tag = "15")]
    limits: std::collections::BTreeMap<String, Amount>,
    #[prost(string, required, tag = "1")]
    name: String,
    #[prost(message, required, tag = "2")]
    task_id: Value,
    #[prost(message, required, tag = "3")]
    agent_id: Value,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Amount {
    #[prost(double, required, tag = "1")]
    value: f64,
}

#[test]
fn maps_are_those_of_prost() {
    let amount = |value| Amount { value };
    let maps = Maps {
        limits: [
            ("cpus".to_owned(), amount(0.5)),
            ("mem".to_owned(), amount(f64::INFINITY)),
        ]
        .into(),
        name: "n".to_owned(),
        task_id: Value {
            value: "t".to_owned(),
        },
        agent_id: Value {
            value: "a".to_owned(),
        },
    };
    let task = api::v1::TaskInfo::from_protobuf(&maps.encode_to_vec()).unwrap();
    assert_eq!(task.limits["cpus"].value, 0.5);
    assert_eq!(Maps::decode(task.to_protobuf()).unwrap(), maps);
}

#[derive(Clone, PartialEq, prost::Message)]
struct Numbers {
    #[prost(uint32, required, tag = "1")]
    port: u32,
    #[prost(uint32, repeated, packed = "true", tag = "4")]
    statuses: Vec<u32>,
}

#[test]
fn repeated_numbers_are_read_packed_and_not() {
    let numbers = Numbers {
        port: 80,
        statuses: vec![200, 204, 301],
    };
    let check = api::v1::HttpHealthCheck::from_protobuf(&numbers.encode_to_vec()).unwrap();
    assert_eq!(check.statuses, [200, 204, 301]);
    let again = api::v1::HttpHealthCheck::from_protobuf(&check.to_protobuf()).unwrap();
    assert_eq!(again, check);
    // One by one, as proto2 writes them; prost reads both.
    assert_eq!(Numbers::decode(check.to_protobuf()).unwrap(), numbers);
}

#[test]
fn a_message_that_comes_in_two_parts_is_joined() {
    let part = |ids: &[&str]| {
        let offer_ids = ids
            .iter()
            .map(|id| OfferId {
                value: (*id).to_owned(),
            })
            .collect();
        let decline = call::Decline {
            offer_ids,
            ..call::Decline::default()
        };
        Call {
            decline: Some(decline),
            ..Call::default()
        }
        .to_protobuf()
    };
    let call = Call::from_protobuf(&[part(&["a"]), part(&["b", "c"])].concat()).unwrap();
    let ids = call.decline.unwrap().offer_ids;
    assert_eq!(
        ids.iter().map(|id| id.value.as_str()).collect::<Vec<_>>(),
        ["a", "b", "c"]
    );
}

#[test]
fn negative_numbers_have_ten_bytes() {
    let failure = api::v1::scheduler::event::Failure {
        status: Some(-1),
        ..Default::default()
    };
    assert_eq!(
        failure.to_protobuf(),
        [0x18, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1][..]
    );
    let read = api::v1::scheduler::event::Failure::from_protobuf(&failure.to_protobuf());
    assert_eq!(read, Ok(failure));
}

#[test]
fn a_name_of_an_enum_that_is_not_known_is_not_there() {
    let mut bytes = Vec::from(
        Call {
            framework_id: Some(FrameworkId {
                value: "f".to_owned(),
            }),
            ..Call::default()
        }
        .to_protobuf(),
    );
    bytes.extend([0x10, 99]);
    let call = Call::from_protobuf(&bytes).unwrap();
    assert_eq!(call.kind, None);
    // One that is known is not forgotten for one that is not.
    let call = Call::from_protobuf(&[&[0x10, 1][..], &bytes].concat()).unwrap();
    assert_eq!(call.kind, Some(CallType::Subscribe));
    let fault = TaskStatus::from_protobuf(&[0x0a, 3, 0x0a, 1, b't', 0x10, 99]).unwrap_err();
    assert_eq!(fault.field, "state");
    assert_eq!(Labels::from_protobuf(b"").unwrap(), Labels::default());
}
