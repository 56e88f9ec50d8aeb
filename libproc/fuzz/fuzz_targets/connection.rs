//! Any bytes, to the door of a node: at the start of a connection, after the preface, or after a
//! greeting.
#![no_main]

#[path = "../conversation.rs"]
mod conversation;

use std::cell::OnceCell;

use conversation::{Fuzzed, PREFACE, converse, hello, subject};
use libfuzzer_sys::fuzz_target;
use libproc::prelude::*;
use tokio::runtime::Runtime;
use tokio::task::LocalSet;

struct Door {
    runtime: Runtime,
    tasks: LocalSet,
    node: Node,
    subject: Pid<Fuzzed>,
}

thread_local! {
    /// Never closed: the fuzzer ends its process without a word.
    static DOOR: OnceCell<&'static Door> = const { OnceCell::new() };
}

fn open() -> &'static Door {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime starts");
    let tasks = LocalSet::new();
    let (node, subject) = tasks.block_on(&runtime, subject());
    Box::leak(Box::new(Door {
        runtime,
        tasks,
        node,
        subject,
    }))
}

fuzz_target!(|input: &[u8]| {
    let Some((&from, rest)) = input.split_first() else {
        return;
    };
    let peer = "127.0.0.99:7".parse().expect("an address");
    let opening = match from {
        0 => Vec::new(),
        1 => PREFACE.to_vec(),
        incarnation => [PREFACE, &hello(peer, incarnation.into())].concat(),
    };
    let bytes = [&opening[..], rest].concat();
    DOOR.with(|door| {
        let Door {
            runtime,
            tasks,
            node,
            subject,
        } = door.get_or_init(open);
        tasks.block_on(runtime, converse(node, subject, &bytes, bytes.len()));
    });
});
