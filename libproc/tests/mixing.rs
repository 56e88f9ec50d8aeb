//! Processes beside what is no process: actix actors, blocking work, state that cannot move; and a
//! node that goes down while there is work.

use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::ThreadId;
use std::time::Duration;

use libproc::prelude::*;
use libproc::{SpawnError, blocking};

protocol! {
    /// What a summer accepts.
    pub protocol Summing {
        message Sum { of: Vec<u64> } -> u64;
        message Stop {};
    }
}

fn alone(test: impl Future<Output = ()>) {
    libproc::run_alone(async {
        test.await;
        Ok(())
    })
    .expect("a runtime starts");
}

async fn node() -> Node {
    Node::bind("127.0.0.1:0").await.expect("a port is free")
}

/// An ordinary actix actor: it has an actix context, and holds the address of a process.
struct Ordinary {
    node: Node,
    other: Pid<Summing>,
}

impl Actor for Ordinary {
    type Context = actix::Context<Self>;
}

impl Handler<Sum> for Ordinary {
    type Result = ResponseFuture<u64>;
    fn handle(&mut self, sum: Sum, _: &mut actix::Context<Self>) -> ResponseFuture<u64> {
        let doubled = self.node.ask(&self.other, sum);
        Box::pin(async move { 2 * doubled.await.unwrap_or(0) })
    }
}

impl Handler<Stop> for Ordinary {
    type Result = ();
    fn handle(&mut self, _: Stop, ctx: &mut actix::Context<Self>) {
        ctx.stop();
    }
}

/// Adds up on a thread for blocking work.
struct Summer;

impl Actor for Summer {
    type Context = Context<Self>;
}

impl Process for Summer {
    type Protocol = Summing;
}

impl Handler<Sum> for Summer {
    type Result = Later<u64>;
    fn handle(&mut self, Sum { of }: Sum, ctx: &mut Context<Self>) -> Later<u64> {
        let (answer, later) = Later::new();
        let worker = std::thread::current().id();
        let summed = blocking(move || (of.iter().sum(), std::thread::current().id()));
        ctx.defer(summed, move |_, (sum, thread): (u64, ThreadId), _| {
            assert_ne!(worker, thread, "a worker was blocked");
            answer.send(sum);
        });
        later
    }
}

impl Handler<Stop> for Summer {
    type Result = ();
    fn handle(&mut self, _: Stop, ctx: &mut Context<Self>) {
        ctx.defer(blocking(|| panic!("cannot stop")), |_, (), _| {});
    }
}

#[test]
fn an_actix_actor_has_an_address_and_holds_addresses() {
    alone(async {
        let (here, there) = (node().await, node().await);
        let other = here.spawn("summer", Summer);
        let ordinary = Ordinary {
            node: here.clone(),
            other,
        };
        let ordinary: Pid<Summing> = here
            .adopt("ordinary", ordinary.start())
            .expect("no other has the id");
        assert_eq!(here.ask(&ordinary, Sum { of: vec![1, 2] }).await, Ok(6));
        assert_eq!(there.ask(&ordinary, Sum { of: vec![3, 4] }).await, Ok(14));
        there.tell(&ordinary, Stop {});
        assert_eq!(
            here.exit_of(ordinary.upid()).await,
            ExitReason::Stopped,
            "it exits with its actor"
        );
        here.shutdown().await;
        there.shutdown().await;
    });
}

#[test]
fn a_panic_in_blocking_work_ends_the_process_that_waits_for_it() {
    alone(async {
        let node = node().await;
        let summer = node.spawn("summer", Summer);
        node.tell(&summer, Stop {});
        let reason = node.exit_of(summer.upid()).await;
        assert_eq!(reason, ExitReason::Panicked("cannot stop".to_owned()));
        node.shutdown().await;
    });
}

/// State that cannot leave its thread, which is remembered.
struct Pinned(Rc<ThreadId>);

impl Actor for Pinned {
    type Context = Context<Self>;
}

impl Process for Pinned {
    type Protocol = Summing;
}

static MOVED: AtomicUsize = AtomicUsize::new(0);

impl Handler<Sum> for Pinned {
    type Result = u64;
    fn handle(&mut self, Sum { of }: Sum, ctx: &mut Context<Self>) -> u64 {
        if *self.0 != std::thread::current().id() {
            MOVED.fetch_add(1, Ordering::SeqCst);
        }
        let this = self.0.clone();
        let delay = std::future::ready(Rc::strong_count(&this));
        ctx.defer(delay, |this, count, _| {
            assert!(count >= Rc::strong_count(&this.0))
        });
        of.iter().sum()
    }
}

impl Handler<Stop> for Pinned {
    type Result = ();
    fn handle(&mut self, _: Stop, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

#[test]
fn a_pinned_process_never_leaves_its_worker() {
    let tested = libproc::run(async {
        let node = Node::builder().workers(2).bind("127.0.0.1:0").await?;
        let make = || Pinned(Rc::new(std::thread::current().id()));
        let pinned = [0, 1].map(|worker| {
            let id = format!("pinned-{worker}");
            node.spawn_pinned(&id, worker, make)
                .expect("no other has the id")
        });
        let taken = node.spawn_pinned("pinned-1", 0, make);
        assert_eq!(
            taken.err(),
            Some(SpawnError::IdTaken("pinned-1".to_owned()))
        );
        for round in 0..1000 {
            for pid in &pinned {
                assert_eq!(
                    node.ask(pid, Sum { of: vec![round, 1] }).await,
                    Ok(round + 1)
                );
            }
        }
        for pid in &pinned {
            let exited = node.exit_of(pid.upid());
            node.tell(pid, Stop {});
            assert_eq!(exited.await, ExitReason::Stopped);
        }
        node.shutdown().await;
        Ok(())
    });
    tested.expect("a runtime starts");
    assert_eq!(MOVED.load(Ordering::SeqCst), 0);
}

#[test]
fn a_pinned_process_that_cannot_be_made_ends_alone() {
    alone(async {
        let node = node().await;
        let make = || -> Pinned { panic!("no hands") };
        let pinned = node
            .spawn_pinned("pinned", 0, make)
            .expect("no other has the id");
        let reason = node.exit_of(pinned.upid()).await;
        assert_eq!(reason, ExitReason::Panicked("no hands".to_owned()));
        let summer = node.spawn("summer", Summer);
        assert_eq!(node.ask(&summer, Sum { of: vec![1, 2] }).await, Ok(3));
        node.shutdown().await;
    });
}

#[test]
fn a_node_that_drains_handles_what_waits_and_takes_no_new_processes() {
    alone(async {
        let node = node().await;
        let summer = node.spawn("summer", Summer);
        let asked = node.ask(&summer, Sum { of: vec![20, 22] });
        let draining = node.clone();
        let drained = tokio::task::spawn_local(async move {
            draining.drain(Duration::from_secs(5)).await;
        });
        while !node.is_draining() {
            tokio::task::yield_now().await;
        }
        let refused = node.try_spawn("late", Summer);
        assert_eq!(refused.err(), Some(SpawnError::Draining));
        // What it waits for outside is not waited for: the ask was handled, or says that it is lost.
        assert!(matches!(asked.await, Ok(42) | Err(AskError::Lost)));
        drained.await.expect("draining ends");
        assert_eq!(node.process_count(), 0);
    });
}

#[test]
fn a_runtime_may_end_before_its_node_has_begun() {
    let bound = libproc::run_alone(async { Node::bind("127.0.0.1:0").await.map(drop) });
    assert!(bound.is_ok());
}
