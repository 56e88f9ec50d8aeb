//! Nodes on a simulated network: cuts are noticed, repairs heal, seeds replay.
#![cfg(feature = "sim")]

#[path = "common/certificates.rs"]
mod certificates;
mod common;

use std::time::Duration;

use common::*;
use libproc::prelude::*;
use libproc::sim::{History, history, simulation, turmoil};

/// A node at the address of its simulated host.
async fn node_of(host: &str) -> std::io::Result<Node> {
    Node::bind(&format!("{}:5050", turmoil::lookup(host))).await
}

fn serve_counter<'a>(sim: &mut turmoil::Sim<'a>, host: &'static str) {
    sim.host(host, move || async move {
        let node = node_of(host).await?;
        node.spawn("counter", Counter::default());
        std::future::pending().await
    });
}

/// Two hosts ask a third; the link of one is cut for half a minute.
fn cut_and_repaired(seed: u64) -> History {
    let mut sim = simulation(seed, Duration::from_secs(600));
    serve_counter(&mut sim, "counter");
    let address = sim.lookup("counter");
    let counter: Pid<Counting> = format!("counter@{address}:5050")
        .parse()
        .expect("an address");
    let other = counter.clone();
    sim.client("steady", async move {
        let node = node_of("steady").await?;
        for total in 0..1000 {
            node.ask(&other, Add { by: total }).await?;
        }
        Ok(())
    });
    sim.client("cut", async move {
        let node = node_of("cut").await?;
        let watcher = node.spawn("watcher", Counter::default());
        let mut listener = node.probe::<Listening>("listener");
        node.ask(&counter, Add { by: 1 }).await?;
        let whom = counter.upid().clone();
        node.tell(
            &watcher,
            Watch {
                whom: whom.clone(),
                listener: listener.pid(),
            },
        );
        tokio::time::sleep(Duration::from_secs(20)).await;
        turmoil::partition("cut", "counter");
        let cut = tokio::time::Instant::now();
        assert_eq!(
            node.ask(&counter, Add { by: 1 }).await,
            Err(AskError::Unreachable)
        );
        let gone = listener.expect::<Gone>().await;
        assert_eq!(
            gone,
            Gone {
                whom,
                how: "disconnected".to_owned()
            }
        );
        let noticed = cut.elapsed();
        assert!(noticed < Duration::from_secs(25), "{noticed:?}");
        turmoil::repair("cut", "counter");
        while node.ask(&counter, Add { by: 1 }).await.is_err() {}
        Ok(())
    });
    sim.run().expect("the simulation succeeds");
    history()
}

#[test]
fn a_cut_is_noticed_and_a_repair_heals_it() {
    for seed in 0..5 {
        let first = cut_and_repaired(seed);
        assert!(first.letters > 1000);
        assert_eq!(cut_and_repaired(seed), first, "seed {seed} replays");
    }
    assert_ne!(cut_and_repaired(1), cut_and_repaired(2));
}

#[test]
fn a_crashed_host_comes_back_as_another_node() {
    let mut sim = simulation(3, Duration::from_secs(600));
    serve_counter(&mut sim, "counter");
    let address = sim.lookup("counter");
    let counter: Pid<Counting> = format!("counter@{address}:5050")
        .parse()
        .expect("an address");
    let asking = counter.clone();
    sim.client("client", async move {
        let node = node_of("client").await?;
        let mut totals = Vec::new();
        while totals.len() < 200 {
            if let Ok(total) = node.ask(&asking, Add { by: 1 }).await {
                totals.push(total);
            }
        }
        let restarts = totals.windows(2).filter(|pair| pair[1] < pair[0]).count();
        assert_eq!(restarts, 1, "it lost its count once");
        Ok(())
    });
    for step in 0.. {
        if sim.step().expect("the simulation succeeds") {
            break;
        }
        if step == 500 {
            sim.crash("counter");
            sim.bounce("counter");
        }
    }
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
