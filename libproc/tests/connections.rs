//! Connections that fall, half or whole: every link over them ends once, and a peer that starts
//! again is another.
#![cfg(feature = "sim")]

mod common;

use std::time::Duration;

use common::*;
use libproc::prelude::*;
use libproc::sim::{History, history, simulation_in_steps, turmoil};

const SEEDS: u64 = 4;
/// How often the simulated network moves.
const STEP: Duration = Duration::from_millis(10);

async fn node_of(host: &str) -> std::io::Result<Node> {
    Node::bind(&format!("{}:5050", turmoil::lookup(host))).await
}

fn serve_counter<'a>(sim: &mut turmoil::Sim<'a>, host: &'static str) -> Pid<Counting> {
    sim.host(host, move || async move {
        let node = node_of(host).await?;
        node.spawn("counter", Counter::default());
        std::future::pending().await
    });
    let address = sim.lookup(host);
    let counter = format!("counter@{address}:5050");
    counter.parse().expect("an address")
}

/// Links a process of its own to `whom`; what it hears comes to the probe.
fn watch(node: &Node, name: &str, whom: &Upid, listener: &Probe<Listening>) {
    let watcher = node.spawn(name, Counter::default());
    let (whom, listener) = (whom.clone(), listener.pid());
    node.tell(&watcher, Watch { whom, listener });
}

/// The network swallows everything between two hosts for a while, and then brings it all.
fn held(seed: u64) -> History {
    let mut sim = simulation_in_steps(seed, Duration::from_secs(600), STEP);
    let counter = serve_counter(&mut sim, "counter");
    sim.client("client", async move {
        let node = node_of("client").await?;
        let mut listener = node.probe::<Listening>("listener");
        watch(&node, "first", counter.upid(), &listener);
        watch(&node, "second", counter.upid(), &listener);
        assert_eq!(node.ask(&counter, Add { by: 1 }).await, Ok(1));
        turmoil::hold("client", "counter");
        let since = tokio::time::Instant::now();
        let lost = node.ask(&counter, Add { by: 1 }).await;
        assert_eq!(lost, Err(AskError::Unreachable));
        let noticed = since.elapsed();
        assert!(noticed <= Duration::from_secs(21), "{noticed:?}");
        for _ in 0..2 {
            let gone = listener.expect::<Gone>().await;
            assert_eq!(
                (&gone.whom, gone.how.as_str()),
                (counter.upid(), "disconnected")
            );
        }
        turmoil::release("client", "counter");
        // What was held comes now, on a connection that nobody serves any more.
        while node.ask(&counter, Add { by: 1 }).await.is_err() {}
        listener.expect_nothing(Duration::from_secs(20)).await;
        // A link made anew is another link.
        watch(&node, "third", counter.upid(), &listener);
        let unknown = Pid::<Unknown>::assume(counter.upid().clone());
        let asked = node.ask(&unknown, Nothing {}).await;
        assert_eq!(asked, Err(AskError::NotAccepted));
        node.tell(&counter, Quit {});
        assert_eq!(listener.expect::<Gone>().await.how, "stopped");
        Ok(())
    });
    sim.run().expect("the simulation succeeds");
    history()
}

protocol! {
    /// A message that a counter does not accept: an ask of it has been through the whole way.
    protocol Unknown { message Nothing {} -> (); }
}

#[test]
fn a_connection_that_is_half_open_is_found_by_its_silence() {
    for seed in 0..SEEDS {
        assert_eq!(held(seed), held(seed), "seed {seed} replays");
    }
}

/// The peer's host crashes and starts again at the same address; who is linked hears of it once.
fn crashed(seed: u64) -> History {
    let mut sim = simulation_in_steps(seed, Duration::from_secs(600), STEP);
    let counter = serve_counter(&mut sim, "counter");
    sim.client("client", async move {
        let node = node_of("client").await?;
        let mut listener = node.probe::<Listening>("listener");
        watch(&node, "watcher", counter.upid(), &listener);
        assert_eq!(node.ask(&counter, Add { by: 5 }).await, Ok(5));
        // Quiet, so that only the heartbeat or the other's own dial can tell.
        let gone = listener.expect::<Gone>().await;
        assert_eq!(
            (&gone.whom, gone.how.as_str()),
            (counter.upid(), "disconnected")
        );
        let mut total = node.ask(&counter, Add { by: 1 }).await;
        while total.is_err() {
            total = node.ask(&counter, Add { by: 1 }).await;
        }
        assert_eq!(total, Ok(1), "another node");
        listener.expect_nothing(Duration::from_secs(20)).await;
        Ok(())
    });
    for step in 0.. {
        if sim.step().expect("the simulation succeeds") {
            break;
        }
        if step == 100 + seed {
            sim.crash("counter");
            sim.bounce("counter");
        }
    }
    history()
}

#[test]
fn a_peer_that_starts_again_is_another_and_ends_the_links_to_the_first_once() {
    for seed in 0..SEEDS {
        assert_eq!(crashed(seed), crashed(seed), "seed {seed} replays");
    }
}
