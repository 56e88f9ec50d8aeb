//! Nodes on a simulated network: cuts are noticed, repairs heal, crashes are final, seeds replay.
#![cfg(feature = "sim")]

#[path = "common/certificates.rs"]
mod certificates;
mod common;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use common::*;
use libproc::prelude::*;
use libproc::sim::{self, History, Simulation, World, history, simulation, turmoil};

const SECOND: Duration = Duration::from_secs(1);

/// A simulation in which much time goes by while little happens.
fn coarse(seed: u64) -> Simulation {
    Simulation::new(seed).step(Duration::from_millis(10))
}

/// Starts a host with a counter on it, and waits until it is there.
async fn serve_counter(world: &World, host: &str) -> Pid<Counting> {
    world.host(host, async |node: Node| {
        node.spawn("counter", Counter::default());
    });
    let node = world.node(host).await;
    Pid::assume(Upid::new("counter", node.address()).expect("an id"))
}

/// What tells a test of the exit of `whom`.
fn watch(node: &Node, whom: &Upid) -> libproc::Probe<Listening> {
    let listener = node.probe::<Listening>("listener");
    let watcher = node.spawn("watcher", Counter::default());
    let watch = Watch {
        whom: whom.clone(),
        listener: listener.pid(),
    };
    node.tell(&watcher, watch);
    listener
}

/// Asks until there is an answer.
async fn ask_again(node: &Node, counter: &Pid<Counting>) -> u64 {
    loop {
        if let Ok(total) = node.ask(counter, Add { by: 1 }).await {
            return total;
        }
    }
}

#[test]
fn a_quiet_peer_that_is_well_stays_connected() {
    sim::check(sim::seeds(1), |seed| {
        coarse(seed).run(async |world| {
            let counter = serve_counter(&world, "counter").await;
            let asking = world.start("asking").await;
            // Pings are answered, many times over, while the ask is not.
            let held = asking.ask(&counter, Hold {});
            let held = tokio::time::timeout(300 * SECOND, held).await;
            assert!(held.is_err(), "nothing broke");
        });
    });
}

#[test]
fn a_cut_is_noticed_and_a_repair_heals_it() {
    sim::check(sim::seeds(3), |seed| {
        coarse(seed).run(async |world| {
            let counter = serve_counter(&world, "counter").await;
            let (cut, steady) = (world.start("cut").await, world.start("steady").await);
            assert_eq!(cut.ask(&counter, Add { by: 1 }).await, Ok(1));
            let mut listener = watch(&cut, counter.upid());
            world.sleep(20 * SECOND).await;
            world.partition("cut", "counter");
            let since = world.elapsed();
            let asked = cut.ask(&counter, Add { by: 1 });
            for by in 0..100 {
                assert!(steady.ask(&counter, Add { by }).await.is_ok());
            }
            assert_eq!(asked.await, Err(AskError::Unreachable));
            assert_eq!(listener.expect::<Gone>().await.how, "disconnected");
            let noticed = world.elapsed() - since;
            assert!(noticed < 25 * SECOND, "{noticed:?}");
            world.repair("cut", "counter");
            ask_again(&cut, &counter).await;
        });
        assert!(history().letters > 100);
    });
}

#[test]
fn seeds_differ_and_a_seed_does_not() {
    let ask = |seed| {
        sim::run(seed, async move |world| {
            let counter = serve_counter(&world, "counter").await;
            let node = world.start("asker").await;
            assert_eq!(node.ask(&counter, Add { by: seed }).await, Ok(seed));
        });
        history()
    };
    assert_eq!(ask(1), ask(1));
    assert_ne!(ask(1), ask(2));
}

#[test]
fn a_cut_in_one_direction_is_noticed_on_both_sides() {
    for (from, to) in [("here", "there"), ("there", "here")] {
        coarse(1).run(async move |world| {
            let counter = serve_counter(&world, "there").await;
            let here = world.start("here").await;
            assert_eq!(here.ask(&counter, Add { by: 1 }).await, Ok(1));
            let mut listener = watch(&here, counter.upid());
            let there = world.node("there").await;
            let mut back = watch(&there, world.pid::<Counting>("watcher", "here").upid());
            world.sleep(SECOND).await;
            world.partition_one_way(from, to);
            assert_eq!(listener.expect::<Gone>().await.how, "disconnected");
            assert_eq!(back.expect::<Gone>().await.how, "disconnected");
            world.repair("here", "there");
            ask_again(&here, &counter).await;
        });
    }
}

#[test]
fn what_is_held_for_a_while_arrives_once_and_in_order() {
    sim::run(1, async |world| {
        let (here, there) = (world.start("here").await, world.start("there").await);
        let mut probe = there.probe::<Listening>("probe");
        here.tell(&probe.pid(), Total { total: 0 });
        assert_eq!(probe.expect::<Total>().await, Total { total: 0 });
        world.hold("here", "there");
        for total in 1..=50 {
            here.tell(&probe.pid(), Total { total });
            world.sleep(SECOND / 10).await;
        }
        probe.expect_nothing(SECOND).await;
        world.release("here", "there");
        for total in 1..=50 {
            assert_eq!(probe.expect::<Total>().await, Total { total });
        }
    });
}

#[test]
fn a_reset_ends_links_and_the_next_ask_connects_again() {
    sim::run(1, async |world| {
        let counter = serve_counter(&world, "there").await;
        let here = world.start("here").await;
        assert_eq!(here.ask(&counter, Add { by: 1 }).await, Ok(1));
        let mut listener = watch(&here, counter.upid());
        world.sleep(SECOND).await;
        world.reset("here", "there");
        assert_eq!(listener.expect::<Gone>().await.how, "disconnected");
        assert!(ask_again(&here, &counter).await >= 2);
    });
}

#[test]
fn a_slow_link_is_slow_and_one_that_loses_packets_breaks_connections() {
    sim::run(1, async |world| {
        let counter = serve_counter(&world, "there").await;
        let here = world.start("here").await;
        world.slow_down("here", "there", 2 * SECOND).await;
        let since = world.elapsed();
        for _ in 0..10 {
            assert!(here.ask(&counter, Add { by: 1 }).await.is_ok());
        }
        assert!(world.elapsed() - since > 2 * SECOND, "twenty packets");
        world.lose("here", "there", 0.2).await;
        let lost = async { while here.ask(&counter, Add { by: 1 }).await.is_ok() {} };
        lost.await;
        world.heal().await;
        ask_again(&here, &counter).await;
        let since = world.elapsed();
        assert!(here.ask(&counter, Add { by: 1 }).await.is_ok());
        assert!(world.elapsed() - since < SECOND);
    });
}

#[test]
fn a_crashed_host_comes_back_as_another_node() {
    sim::check(sim::seeds(2), |seed| {
        sim::run(seed, async |world| {
            let counter = serve_counter(&world, "counter").await;
            let node = world.start("client").await;
            for total in 1..=10 {
                assert_eq!(node.ask(&counter, Add { by: 1 }).await, Ok(total));
            }
            let mut listener = watch(&node, counter.upid());
            assert_eq!(node.ask(&counter, Add { by: 1 }).await, Ok(11));
            let old = world.node("counter").await;
            world.crash("counter").await;
            assert_eq!(listener.expect::<Gone>().await.how, "disconnected");
            assert!(node.ask(&counter, Add { by: 1 }).await.is_err());
            // What is left of the node says so, and keeps nobody waiting.
            assert!(old.ask(&counter, Add { by: 1 }).await.is_err());
            assert_eq!(old.process_count(), 0);
            world.bounce("counter").await;
            world.node("counter").await;
            assert_eq!(ask_again(&node, &counter).await, 1, "it lost its count");
        });
    });
}

#[test]
fn a_script_uses_nodes_of_other_hosts_as_if_it_were_there() {
    sim::run(1, async |world| {
        let (a, b) = (world.start("a").await, world.start("b").await);
        let mut probe = b.probe::<Listening>("probe");
        // The first letter has to connect: from the host of `a`, not from the script's.
        a.tell(&probe.pid(), Total { total: 1 });
        assert_eq!(probe.expect::<Total>().await, Total { total: 1 });
        world.partition("a", "b");
        let here = world.here().await;
        here.tell(&probe.pid(), Total { total: 2 });
        assert_eq!(probe.expect::<Total>().await, Total { total: 2 });
        a.tell(&probe.pid(), Total { total: 3 });
        probe.expect_nothing(5 * SECOND).await;
    });
}

/// What a panic of `run` said.
fn panic_of(run: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let panic = std::panic::catch_unwind(run).expect_err("it fails");
    let text = panic.downcast::<String>();
    *text.expect("the panic has a text")
}

#[test]
fn a_run_that_fails_says_what_was_done_and_how_to_replay_it() {
    let text = panic_of(|| {
        sim::run(77, async |world| {
            let (a, _) = (world.start("a").await, world.start("b").await);
            world.partition("a", "b");
            world.crash("b").await;
            assert_eq!(a.process_count(), 1, "there is one");
        });
    });
    for part in [
        "seed 77 fails",
        "there is one",
        "start a\n",
        "partition a | b\n",
        "crash b\n",
        "TEPUI_SEED=77 cargo test -p libproc --features sim a_run_that_fails",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let text = panic_of(|| {
        let hour = Simulation::new(1).limit(60 * 60 * SECOND).step(SECOND);
        hour.run(async |_| std::future::pending::<()>().await);
    });
    assert!(text.contains("without completing"), "{text}");
    let text = panic_of(|| {
        sim::run(1, async |world| {
            world.host("a", async |_| panic!("no software"));
            world.sleep(SECOND).await;
        });
    });
    assert!(text.contains("no software"), "{text}");
}

#[test]
fn a_seed_that_does_not_replay_is_shown_with_its_first_letter() {
    let runs = Rc::new(RefCell::new(0));
    let text = panic_of(std::panic::AssertUnwindSafe(|| {
        sim::check([5], |seed| {
            let run = *runs.borrow();
            *runs.borrow_mut() += 1;
            sim::run(seed, async move |world| {
                let counter = serve_counter(&world, "counter").await;
                let node = world.start("asker").await;
                for by in 1..=3 {
                    // The body of the third differs, and nothing else does.
                    let by = if by == 3 { by + run } else { by };
                    assert!(node.ask(&counter, Add { by }).await.is_ok());
                }
            });
        });
    }));
    assert_eq!(*runs.borrow(), 2);
    let shown = "two runs of seed 5 differ: letter 2 is the first to differ";
    assert!(text.contains(shown), "{text}");
    assert!(text.contains("Add to counter@"), "{text}");
    assert!(text.contains("TEPUI_SEED=5 cargo test"), "{text}");
    let text = panic_of(|| {
        let times = RefCell::new(0);
        let again = std::panic::AssertUnwindSafe(|| {
            sim::check([5], |_| {
                *times.borrow_mut() += 1;
                *times.borrow()
            });
        });
        again();
    });
    assert!(text.contains("other outcomes"), "{text}");
}

/// Two nodes that show who they are, cut off for a while; whether the secret or certificates.
fn meet_twice(seed: u64, security: fn(std::net::IpAddr) -> libproc::Security) -> History {
    let mut sim = simulation(seed, Duration::from_secs(600));
    let bind = move |host: &'static str| async move {
        let ip = turmoil::lookup(host);
        let builder = Node::builder().security(security(ip));
        builder.bind(&format!("{ip}:5050")).await
    };
    sim.host("counter", move || async move {
        let node = bind("counter").await?;
        node.spawn("counter", Counter::default());
        std::future::pending().await
    });
    let counter = format!("counter@{}:5050", sim.lookup("counter"));
    let counter: Pid<Counting> = counter.parse().expect("an address");
    sim.client("asker", async move {
        let node = bind("asker").await?;
        assert_eq!(node.ask(&counter, Add { by: 1 }).await, Ok(1));
        turmoil::partition("asker", "counter");
        let asked = node.ask(&counter, Add { by: 1 }).await;
        assert_eq!(asked, Err(AskError::Unreachable));
        turmoil::repair("asker", "counter");
        while node.ask(&counter, Add { by: 1 }).await.is_err() {}
        Ok(())
    });
    sim.run().expect("the simulation succeeds");
    history()
}

#[test]
fn a_shared_secret_replays_with_its_seed() {
    use libproc::security::{Keys, Security};
    let security = |_| Security::secret(Keys::from_bytes(&[[7; 32]]).expect("long enough"));
    for seed in 0..5 {
        let first = meet_twice(seed, security);
        assert_eq!(meet_twice(seed, security), first, "seed {seed} replays");
    }
}

#[test]
fn certificates_serve_on_the_simulated_network_and_its_clock() {
    thread_local! {
        static AUTHORITY: libproc::security::Authority = certificates::authority();
    }
    meet_twice(1, |ip| {
        AUTHORITY.with(|authority| {
            let issued = certificates::issued(authority, &[&ip.to_string()]);
            certificates::tls(authority, &issued)
        })
    });
}
