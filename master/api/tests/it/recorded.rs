//! Bodies in the shape that Apache Mesos and its clients give them come out as they went in.

use api::v1::{Message, agent, executor, master, scheduler};
use serde_json::Value;

/// Each line is read, and written as the same JSON; in protobuf it is the same message.
fn unchanged<M: Message>(fixture: &str, lines: &str) {
    for line in lines.lines() {
        let told = |what: &str| panic!("{fixture}: {what}: {line}");
        let message = M::from_json(line.as_bytes()).unwrap_or_else(|fault| told(&fault.text));
        let written = message.to_json();
        let (ours, theirs): (Value, Value) = (
            serde_json::from_slice(&written).unwrap(),
            serde_json::from_str(line).unwrap(),
        );
        assert_eq!(ours, theirs, "{fixture}");
        assert_eq!(written, line, "{fixture}: the order of the fields");
        let binary = message.to_protobuf();
        assert_eq!(
            M::from_protobuf(&binary),
            Ok(message.clone()),
            "{fixture}: {line}"
        );
        // Serde's own door.
        let read: M = M::from_json(serde_json::to_string(&message).unwrap().as_bytes()).unwrap();
        assert_eq!(read, message);
    }
}

macro_rules! fixtures {
    ($($name:ident: $message:ty = $file:literal,)*) => { $(
        #[test]
        fn $name() {
            unchanged::<$message>($file, include_str!(concat!("../fixtures/", $file, ".jsonl")));
        }
    )* };
}

fixtures! {
    calls_of_schedulers_come_out_as_they_went_in: scheduler::Call = "scheduler_calls",
    events_of_schedulers_come_out_as_they_went_in: scheduler::Event = "scheduler_events",
    calls_of_executors_come_out_as_they_went_in: executor::Call = "executor_calls",
    events_of_executors_come_out_as_they_went_in: executor::Event = "executor_events",
    calls_to_the_master_come_out_as_they_went_in: master::Call = "master_calls",
    answers_of_the_master_come_out_as_they_went_in: master::Response = "master_responses",
    events_of_the_master_come_out_as_they_went_in: master::Event = "master_events",
    calls_to_an_agent_come_out_as_they_went_in: agent::Call = "agent_calls",
    answers_of_an_agent_come_out_as_they_went_in: agent::Response = "agent_responses",
    streams_of_an_agent_come_out_as_they_went_in: agent::ProcessIo = "agent_streams",
}

#[test]
fn every_type_of_call_and_event_is_among_them() {
    fn types(lines: &str) -> Vec<String> {
        let kind = |line: &str| {
            let value: Value = serde_json::from_str(line).unwrap();
            value["type"].as_str().unwrap().to_owned()
        };
        lines.lines().map(kind).collect()
    }
    macro_rules! all {
        ($($file:literal: $kinds:ty;)*) => { $(
            let lines = include_str!(concat!("../fixtures/", $file, ".jsonl"));
            let there = types(lines);
            for kind in <$kinds>::ALL.iter().skip(1) {
                assert!(there.iter().any(|name| name == kind.as_str()), "{}: {kind}", $file);
            }
        )* };
    }
    all! {
        "scheduler_calls": scheduler::CallType;
        "scheduler_events": scheduler::EventType;
        "executor_calls": executor::CallType;
        "executor_events": executor::EventType;
        "master_calls": master::CallType;
        "master_responses": master::ResponseType;
        "master_events": master::EventType;
        "agent_calls": agent::CallType;
    }
}
