//! Links, monitors and linked spawns over a simulated network that is cut, held and crashes.
#![cfg(feature = "sim")]

mod common;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use common::*;
use libproc::prelude::*;
use libproc::sim::{History, history, simulation_in_steps, turmoil};
use tokio::sync::mpsc;

/// How often the simulated network moves.
const STEP: Duration = Duration::from_millis(5);

/// What happens to the other host.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Partition,
    /// Nothing of what it sends arrives, what is sent to it does.
    Mute,
    Hold,
    Crash,
    Bounce,
    /// The node there is shut down in good order.
    Shutdown,
}

protocol! {
    /// What a boss accepts.
    protocol Bossing {
        message Hire { at: std::net::SocketAddr, id: String } -> bool;
        message Link { whom: Upid };
    }
}

/// Links, spawns elsewhere, and writes every exit down.
struct Boss {
    exits: mpsc::UnboundedSender<(String, ExitReason)>,
}

impl Actor for Boss {
    type Context = Context<Self>;
}

impl Process for Boss {
    type Protocol = Bossing;
}

impl Handler<Hire> for Boss {
    type Result = Later<bool>;
    fn handle(&mut self, Hire { at, id }: Hire, ctx: &mut Context<Self>) -> Later<bool> {
        let (answer, later) = Later::new();
        let spawned = ctx.spawn_on::<Counter>(at, &id, 5);
        ctx.defer(spawned, |_, spawned, _| answer.send(spawned.is_ok()));
        later
    }
}

impl Handler<Link> for Boss {
    type Result = ();
    fn handle(&mut self, Link { whom }: Link, ctx: &mut Context<Self>) {
        ctx.link(&whom);
    }
}

impl Handler<Exited> for Boss {
    type Result = ();
    fn handle(&mut self, Exited { upid, reason }: Exited, _: &mut Context<Self>) {
        // The test may be over.
        drop(self.exits.send((upid.id().to_owned(), reason)));
    }
}

impl Spawnable for Counter {
    const KIND: &'static str = "counter";
    type Args = u64;
    fn from_args(total: u64) -> Counter {
        Counter::starting_at(total)
    }
}

async fn node_of(host: &str) -> std::io::Result<Node> {
    Node::bind(&format!("{}:5050", turmoil::lookup(host))).await
}

fn run(seed: u64, fault: Fault) -> (History, BTreeMap<String, ExitReason>) {
    let mut sim = simulation_in_steps(seed, Duration::from_secs(600), STEP);
    let ended = Rc::new(RefCell::new(BTreeMap::new()));
    let armed = Rc::new(RefCell::new(false));
    let shut = Rc::new(tokio::sync::Notify::new());
    let shutting = shut.clone();
    sim.host("there", move || {
        let shut = shutting.clone();
        async move {
            let node = node_of("there").await?;
            node.offer::<Counter>();
            node.spawn("linked", Counter::default());
            node.spawn("watched", Counter::default());
            shut.notified().await;
            node.shutdown().await;
            std::future::pending().await
        }
    });
    let (record, arm) = (ended.clone(), armed.clone());
    sim.client("here", async move {
        let node = node_of("here").await?;
        let at: std::net::SocketAddr = (turmoil::lookup("there"), 5050).into();
        let (exits, mut exited) = mpsc::unbounded_channel();
        let boss = node.spawn("boss", Boss { exits });
        let upid = |id: &str| Upid::new(id, at).expect("an id");
        while node.lookup::<Counting>(at, "watched").await.is_err() {}
        node.tell(
            &boss,
            Link {
                whom: upid("linked"),
            },
        );
        let watched = node.exit_of(&upid("watched"));
        assert!(
            node.ask(
                &boss,
                Hire {
                    at,
                    id: "hired".to_owned()
                }
            )
            .await?
        );
        // The connection lives: all three are watched.
        node.lookup::<Counting>(at, "hired")
            .await
            .expect("it is there");
        *arm.borrow_mut() = true;
        let mut all = BTreeMap::from([("watched".to_owned(), watched.await)]);
        while all.len() < 3 {
            let (id, reason) = exited.recv().await.expect("the boss lives");
            assert!(all.insert(id, reason).is_none(), "each exits once");
        }
        // Nothing more comes, also when the other side can be heard again.
        tokio::time::sleep(Duration::from_secs(40)).await;
        assert!(exited.try_recv().is_err());
        if matches!(
            fault,
            Fault::Partition | Fault::Mute | Fault::Hold | Fault::Bounce
        ) {
            while node.lookup::<Counting>(at, "linked").await.is_err() {}
            // The one that was hired was no bound one: over a cut it lives on, unlinked.
            let hired = node.lookup::<Counting>(at, "hired").await;
            assert_eq!(hired.is_ok(), !matches!(fault, Fault::Bounce));
            node.tell(
                &boss,
                Link {
                    whom: upid("linked"),
                },
            );
            node.tell(
                &boss,
                Link {
                    whom: upid("absent"),
                },
            );
            let (id, reason) = exited.recv().await.expect("the boss lives");
            assert_eq!((id.as_str(), reason), ("absent", ExitReason::NoProcess));
            assert!(exited.try_recv().is_err());
        }
        record.borrow_mut().append(&mut all);
        Ok(())
    });
    let mut struck = None;
    loop {
        if sim.step().expect("the simulation succeeds") {
            break;
        }
        if struck.is_none() && *armed.borrow() {
            struck = Some(sim.elapsed());
            match fault {
                Fault::Partition => sim.partition("here", "there"),
                Fault::Mute => sim.partition_oneway("there", "here"),
                Fault::Hold => sim.hold("here", "there"),
                Fault::Crash => sim.crash("there"),
                Fault::Bounce => sim.bounce("there"),
                Fault::Shutdown => shut.notify_one(),
            }
        }
        let over = struck.is_some_and(|at| sim.elapsed() - at > Duration::from_secs(30));
        if over && !ended.borrow().contains_key("over") {
            ended
                .borrow_mut()
                .insert("over".to_owned(), ExitReason::Stopped);
            match fault {
                Fault::Partition => sim.repair("here", "there"),
                Fault::Mute => sim.repair_oneway("there", "here"),
                Fault::Hold => sim.release("here", "there"),
                Fault::Crash | Fault::Bounce | Fault::Shutdown => {}
            }
        }
    }
    ended.borrow_mut().remove("over");
    (history(), ended.take())
}

#[test]
fn every_link_exits_once_whatever_happens_and_old_ones_stay_gone() {
    let faults = [
        Fault::Partition,
        Fault::Mute,
        Fault::Hold,
        Fault::Crash,
        Fault::Bounce,
        Fault::Shutdown,
    ];
    for fault in faults {
        for seed in 0..2 {
            let (history, ended) = run(seed, fault);
            let reasons: Vec<_> = ended.values().collect();
            match fault {
                Fault::Shutdown => {
                    for reason in reasons {
                        let gone = [ExitReason::Stopped, ExitReason::Disconnected];
                        assert!(gone.contains(reason), "{fault:?} {seed}: {ended:?}");
                    }
                }
                _ => assert_eq!(
                    reasons,
                    [&ExitReason::Disconnected; 3],
                    "{fault:?}, seed {seed}"
                ),
            }
            assert_eq!(
                run(seed, fault).0,
                history,
                "{fault:?}, seed {seed} replays"
            );
        }
    }
}
