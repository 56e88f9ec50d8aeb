//! Bodies that mean harm: limits of size, depth and memory, and no panic whatever comes.

use api::v1::codec::bounds::{FaultKind, MAX_DEPTH};
use api::v1::scheduler::{Call, Event};
use api::v1::{ContainerId, Message, agent, executor, master};
use proptest::prelude::*;

use crate::corpus;

/// The id of a container in so many others.
fn nested(levels: u32) -> String {
    let open = r#"{"value":"c","parent":"#.repeat(levels as usize);
    format!(
        "{open}{}{}",
        r#"{"value":"c"}"#,
        "}".repeat(levels as usize)
    )
}

#[test]
fn nesting_ends() {
    let fits = ContainerId::from_json(nested(MAX_DEPTH).as_bytes()).unwrap();
    assert_eq!(
        ContainerId::from_protobuf(&fits.to_protobuf()),
        Ok(fits.clone())
    );
    let fault = ContainerId::from_json(nested(MAX_DEPTH + 1).as_bytes()).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Limit);
    let deeper = ContainerId {
        value: "c".into(),
        parent: Some(Box::new(fits)),
    };
    let fault = ContainerId::from_protobuf(&deeper.to_protobuf()).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Limit);

    assert!(ContainerId::from_json(nested(100_000).as_bytes()).is_err());
    // What is not known is skipped, however deep it is.
    let unknown = format!(r#"{{"x":{}{}}}"#, "[".repeat(1 << 20), "]".repeat(1 << 20));
    assert_eq!(Call::from_json(unknown.as_bytes()), Ok(Call::default()));
    let groups = [0x7b; 1 << 20];
    assert!(Call::from_protobuf(&groups).is_err());
}

#[test]
fn small_bodies_do_not_become_large_in_memory() {
    // Two bytes an operation, each of which takes more than a hundred in memory.
    let operations = [0x12, 0x00].repeat(4 << 20);
    let mut body = vec![0x22];
    prost::encoding::encode_varint(operations.len() as u64, &mut body);
    body.extend(operations);
    let fault = Call::from_protobuf(&body).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Limit, "{fault}");

    let body = format!(
        r#"{{"accept":{{"operations":[{}{{}}]}}}}"#,
        "{},".repeat(4 << 20)
    );
    let fault = Call::from_json(body.as_bytes()).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Limit, "{fault}");
}

#[test]
fn a_length_that_lies_is_an_error() {
    for body in [
        &[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f][..],
        &[0x0a, 5, b'x'],
        &[0x0a],
        &[0x11, 1],
    ] {
        assert!(Call::from_protobuf(body).is_err(), "{body:?}");
        assert!(Event::from_protobuf(body).is_err(), "{body:?}");
    }
}

/// Reads a body as everything that is ever read.
fn read_all(body: &[u8]) {
    fn both<M: Message>(body: &[u8]) {
        if let Ok(message) = M::from_json(body) {
            assert!(M::from_json(&message.to_json()).is_ok());
        }
        if let Ok(message) = M::from_protobuf(body) {
            assert!(M::from_protobuf(&message.to_protobuf()).is_ok());
        }
    }
    both::<Call>(body);
    both::<Event>(body);
    both::<executor::Call>(body);
    both::<executor::Event>(body);
    both::<master::Call>(body);
    both::<master::Response>(body);
    both::<agent::Call>(body);
    both::<agent::Response>(body);
}

/// A body of the corpus in one of the encodings.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let bodies: Vec<Vec<u8>> = corpus::calls()
        .iter()
        .flat_map(|call| [call.to_json(), call.to_protobuf()])
        .map(Into::into)
        .collect();
    prop::sample::select(bodies)
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(body in prop::collection::vec(any::<u8>(), 0..100)) {
        read_all(&body);
    }

    #[test]
    fn no_change_of_a_body_makes_a_reader_panic(
        body in bodies(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut body = body;
        for (place, byte) in changes {
            let place = place.index(body.len());
            body[place] = byte;
        }
        read_all(&body);
        read_all(&body[..cut.index(body.len())]);
    }
}
