//! Spawning on another node over real sockets.

mod common;

use common::*;
use libproc::SpawnOnError;
use libproc::prelude::*;

impl Spawnable for Counter {
    const KIND: &'static str = "counter";
    type Args = u64;
    fn from_args(total: u64) -> Counter {
        Counter::starting_at(total)
    }
}

/// Another shape under the name of a kind that is offered.
struct Impostor;

impl Actor for Impostor {
    type Context = Context<Self>;
}

impl Process for Impostor {
    type Protocol = Idle;
}

protocol! {
    /// What an impostor accepts.
    protocol Idle {}
}

impl Spawnable for Impostor {
    const KIND: &'static str = "counter";
    type Args = Vec<String>;
    fn from_args(_: Vec<String>) -> Impostor {
        Impostor
    }
}

#[test]
fn a_process_is_spawned_where_its_kind_is_offered() {
    alone(async {
        let (here, there) = (node().await, node().await);
        let none = here
            .spawn_on::<Counter>(there.address(), "counter", 40)
            .await;
        assert_eq!(none, Err(SpawnOnError::UnknownKind("counter".to_owned())));
        there.offer::<Counter>();
        let counter = here
            .spawn_on::<Counter>(there.address(), "counter", 40)
            .await;
        let counter = counter.expect("it is offered");
        assert_eq!(counter.to_string(), format!("counter@{}", there.address()));
        assert_eq!(here.ask(&counter, Add { by: 2 }).await, Ok(42));
        let again = here
            .spawn_on::<Counter>(there.address(), "counter", 1)
            .await;
        assert_eq!(again, Err(SpawnOnError::IdTaken("counter".to_owned())));
        let invalid = here.spawn_on::<Counter>(there.address(), "a b", 1).await;
        assert_eq!(invalid, Err(SpawnOnError::InvalidId("a b".to_owned())));
        let bad = here
            .spawn_on::<Impostor>(there.address(), "other", vec!["x".to_owned()])
            .await;
        assert_eq!(bad, Err(SpawnOnError::BadArgs("counter".to_owned())));
        let nowhere = "127.0.0.1:1".parse().expect("an address");
        let dead = here.spawn_on::<Counter>(nowhere, "counter", 1).await;
        assert_eq!(dead, Err(SpawnOnError::Node(AskError::Refused)));
        here.shutdown().await;
        there.shutdown().await;
    });
}
