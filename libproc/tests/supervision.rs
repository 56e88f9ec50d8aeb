//! Supervisors and their children, on one node and on several, in simulated time.
#![cfg(feature = "sim")]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use common::*;
use libproc::prelude::*;
use libproc::sim::{simulation, turmoil};
use libproc::{
    Backoff, ChildSpec, ChildState, ChildStatus, Children, ClusterOptions, Placement, Restart,
    Shutdown, StartChild, StopChild, Supervising, Supervisor,
};
use parking_lot::Mutex;

protocol! {
    /// What a worker accepts.
    protocol Working {
        message Break { text: String };
        message Finish {};
        message GiveUp {};
        message Refuse {};
    }
}

type Tape = Arc<Mutex<Vec<String>>>;

/// Writes down when it starts and stops.
struct Worker {
    tape: Tape,
    refuses: bool,
}

impl Actor for Worker {
    type Context = Context<Self>;
    fn started(&mut self, ctx: &mut Context<Self>) {
        self.tape.lock().push(format!("+{}", ctx.upid().id()));
    }
    fn stopping(&mut self, _: &mut Context<Self>) -> Running {
        if self.refuses {
            Running::Continue
        } else {
            Running::Stop
        }
    }
    fn stopped(&mut self, ctx: &mut Context<Self>) {
        self.tape.lock().push(format!("-{}", ctx.upid().id()));
    }
}

impl Process for Worker {
    type Protocol = Working;
}

impl Handler<Break> for Worker {
    type Result = ();
    fn handle(&mut self, Break { text }: Break, _: &mut Context<Self>) {
        panic!("{text}");
    }
}

impl Handler<Finish> for Worker {
    type Result = ();
    fn handle(&mut self, _: Finish, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

impl Handler<GiveUp> for Worker {
    type Result = ();
    fn handle(&mut self, _: GiveUp, ctx: &mut Context<Self>) {
        ctx.fail("enough");
    }
}

impl Handler<Refuse> for Worker {
    type Result = ();
    fn handle(&mut self, _: Refuse, _: &mut Context<Self>) {
        self.refuses = true;
    }
}

/// Runs on one simulated node.
fn on_a_node<F: Future<Output = ()> + 'static>(test: impl FnOnce(Node) -> F + 'static) {
    let mut sim = simulation(1, Duration::from_secs(3600));
    sim.client("here", async move {
        test(node_of("here").await?).await;
        Ok(())
    });
    sim.run().expect("the simulation succeeds");
}

async fn node_of(host: &str) -> std::io::Result<Node> {
    Node::bind(&format!("{}:5050", turmoil::lookup(host))).await
}

fn worker(id: &str, tape: &Tape) -> ChildSpec {
    let tape = tape.clone();
    ChildSpec::local(id, move || Worker {
        tape: tape.clone(),
        refuses: false,
    })
}

fn taken(tape: &Tape) -> Vec<String> {
    std::mem::take(&mut *tape.lock())
}

fn pid(node: &Node, id: &str) -> Pid<Working> {
    Pid::assume(Upid::new(id, node.address()).expect("an id"))
}

async fn children(node: &Node, supervisor: &Pid<Supervising>) -> Vec<ChildStatus> {
    node.ask(supervisor, Children {}).await.expect("it lives")
}

/// Waits until all children run.
async fn all_run(node: &Node, supervisor: &Pid<Supervising>) -> Vec<ChildStatus> {
    loop {
        let children = children(node, supervisor).await;
        if children
            .iter()
            .all(|child| child.state == ChildState::Running)
        {
            return children;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn three(supervisor: Supervisor, tape: &Tape) -> Supervisor {
    let [a, b, c] = ["a", "b", "c"].map(|id| worker(id, tape));
    supervisor.child(a).child(b).child(c)
}

#[test]
fn a_panic_is_a_reason_to_restart_whom_the_strategy_says() {
    on_a_node(|node| async move {
        let strategies = [
            (Supervisor::one_for_one(), vec!["+b"]),
            (
                Supervisor::one_for_all(),
                vec!["-c", "-a", "+a", "+b", "+c"],
            ),
            (Supervisor::rest_for_one(), vec!["-c", "+b", "+c"]),
        ];
        for (supervisor, expected) in strategies {
            let tape = Tape::default();
            let supervisor = node.spawn("supervisor", three(supervisor, &tape));
            all_run(&node, &supervisor).await;
            assert_eq!(taken(&tape), ["+a", "+b", "+c"]);
            let b = pid(&node, "b");
            let broken = node.exit_of(b.upid());
            node.tell(
                &b,
                Break {
                    text: "oh".to_owned(),
                },
            );
            broken.await;
            let children = all_run(&node, &supervisor).await;
            assert_eq!(taken(&tape), expected);
            assert_eq!(children[1].restarts, 1);
            assert_eq!(
                children[1].last_exit,
                Some(ExitReason::Panicked("oh".to_owned()))
            );
            assert_eq!(children[1].upid.as_ref(), Some(b.upid()));
            node.ask(&supervisor, Shutdown {}).await.expect("it stops");
            assert_eq!(taken(&tape), ["-c", "-b", "-a"]);
        }
    });
}

#[test]
fn a_supervisor_that_gives_up_stops_its_children_and_says_why() {
    on_a_node(|node| async move {
        let tape = Tape::default();
        let supervisor = Supervisor::one_for_one().limit(2, Duration::from_secs(60));
        let supervisor = node.spawn("supervisor", three(supervisor, &tape));
        let ended = node.exit_of(supervisor.upid());
        for _ in 0..3 {
            all_run(&node, &supervisor).await;
            let b = pid(&node, "b");
            let gone = node.exit_of(b.upid());
            node.tell(&b, GiveUp {});
            assert_eq!(gone.await, ExitReason::Failed("enough".to_owned()));
        }
        let why = "more than 2 restarts in 60s, the last: `b` failed: enough".to_owned();
        assert_eq!(ended.await, ExitReason::Failed(why));
        let all = ["+a", "+b", "+c", "-b", "+b", "-b", "+b", "-b", "-c", "-a"];
        assert_eq!(taken(&tape), all);
    });
}

#[test]
fn who_ended_well_is_restarted_only_when_permanent() {
    on_a_node(|node| async move {
        let tape = Tape::default();
        let supervisor = Supervisor::one_for_one()
            .child(worker("permanent", &tape))
            .child(worker("transient", &tape).restart(Restart::Transient))
            .child(worker("temporary", &tape).restart(Restart::Temporary));
        let supervisor = node.spawn("supervisor", supervisor);
        all_run(&node, &supervisor).await;
        for id in ["permanent", "transient", "temporary"] {
            let gone = node.exit_of(pid(&node, id).upid());
            node.tell(&pid(&node, id), Finish {});
            assert_eq!(gone.await, ExitReason::Stopped);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let states = children(&node, &supervisor).await;
        let states: Vec<_> = states.iter().map(|child| child.state).collect();
        let stopped = ChildState::Stopped;
        assert_eq!(states, [ChildState::Running, stopped, stopped]);
        // By hand it can be started again, and stopped.
        for (id, there) in [("transient", true), ("nobody", false)] {
            let id = id.to_owned();
            assert_eq!(node.ask(&supervisor, StartChild { id }).await, Ok(there));
        }
        let transient = pid(&node, "transient");
        let gone = node.exit_of(transient.upid());
        node.tell(
            &transient,
            Break {
                text: "oh".to_owned(),
            },
        );
        assert_eq!(gone.await, ExitReason::Panicked("oh".to_owned()));
        tokio::time::sleep(Duration::from_secs(1)).await;
        let gone = node.exit_of(transient.upid());
        let id = "transient".to_owned();
        assert_eq!(node.ask(&supervisor, StopChild { id }).await, Ok(true));
        assert_eq!(gone.await, ExitReason::Stopped);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(children(&node, &supervisor).await[1].state, stopped);
    });
}

#[test]
fn a_child_that_does_not_stop_is_stopped_when_its_grace_is_over() {
    on_a_node(|node| async move {
        let tape = Tape::default();
        let grace = Duration::from_secs(7);
        let supervisor = Supervisor::one_for_one()
            .child(worker("a", &tape))
            .child(worker("b", &tape).grace(grace));
        let supervisor = node.spawn("supervisor", supervisor);
        all_run(&node, &supervisor).await;
        node.tell(&pid(&node, "b"), Refuse {});
        let began = tokio::time::Instant::now();
        node.ask(&supervisor, Shutdown {}).await.expect("it stops");
        assert_eq!(began.elapsed().as_secs(), grace.as_secs());
        assert_eq!(taken(&tape), ["+a", "+b", "-b", "-a"]);
    });
}

#[test]
fn children_do_not_outlive_a_supervisor_however_it_ends() {
    on_a_node(|node| async move {
        let tape = Tape::default();
        // A supervisor is a child like any other.
        let (inner, beside) = (tape.clone(), tape.clone());
        let top = Supervisor::one_for_one()
            .child(ChildSpec::local("inner", move || {
                Supervisor::one_for_one().child(worker("leaf", &inner))
            }))
            .child(worker("beside", &beside));
        let top = node.spawn("top", top);
        all_run(&node, &top).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(
            taken(&tape).len(),
            2,
            "a supervisor has started before its children have"
        );
        let leaf = pid(&node, "leaf");
        let gone = node.exit_of(leaf.upid());
        node.terminate(pid(&node, "inner").upid());
        gone.await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(taken(&tape), ["-leaf", "+leaf"]);
        let gone = node.exit_of(leaf.upid());
        node.terminate(top.upid());
        gone.await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(node.process_count(), 0);
    });
}

#[test]
fn waits_grow_with_each_failure_and_begin_anew_with_health() {
    on_a_node(|node| async move {
        let tape = Tape::default();
        let backoff = Backoff::new()
            .first(Duration::from_secs(1))
            .most(Duration::from_secs(4))
            .healthy(Duration::from_secs(100));
        let supervisor = Supervisor::one_for_one()
            .limit(100, Duration::from_secs(1))
            .child(worker("a", &tape).backoff(backoff));
        let supervisor = node.spawn("supervisor", supervisor);
        let mut waits = Vec::new();
        for round in 0..5 {
            all_run(&node, &supervisor).await;
            if round == 4 {
                tokio::time::sleep(Duration::from_secs(101)).await;
            }
            let gone = node.exit_of(pid(&node, "a").upid());
            node.tell(&pid(&node, "a"), GiveUp {});
            gone.await;
            let began = tokio::time::Instant::now();
            all_run(&node, &supervisor).await;
            waits.push(began.elapsed().as_secs_f64());
        }
        for (wait, expected) in waits.iter().zip([1.0, 2.0, 4.0, 4.0, 1.0]) {
            let fits = *wait > expected * 0.49 && *wait < expected * 1.05;
            assert!(fits, "{waits:?}");
        }
    });
}

impl Spawnable for Counter {
    const KIND: &'static str = "counter";
    type Args = u64;
    fn from_args(total: u64) -> Counter {
        Counter::starting_at(total)
    }
}

#[test]
fn a_placed_child_is_stopped_and_restarted_where_it_is_and_moves_when_its_node_is_lost() {
    let mut sim = simulation(1, Duration::from_secs(3600));
    for name in ["one", "two"] {
        sim.host(name, move || async move {
            let node = node_of(name).await?;
            node.offer::<Counter>();
            let seed = SocketAddr::from((turmoil::lookup("here"), 5050));
            node.cluster_with(ClusterOptions::new().seeds([seed]))?;
            std::future::pending().await
        });
    }
    sim.client("here", async move {
        let node = node_of("here").await?;
        node.cluster([])?;
        let members = node.members_when(|members| members.len() == 3).await;
        let placed = |id: &str, placement| {
            ChildSpec::placed::<Counter>(id, placement, &40).expect("they encode")
        };
        let elsewhere = SocketAddr::from((turmoil::lookup("one"), 5050));
        let supervisor = Supervisor::one_for_one()
            .child(placed("fixed", Placement::node(elsewhere)))
            .child(placed("free", Placement::fewest_processes()));
        let supervisor = node.spawn("supervisor", supervisor);
        let status = all_run(&node, &supervisor).await;
        let address = |status: &ChildStatus| status.upid.clone().expect("it runs").address();
        assert_eq!(address(&status[0]), elsewhere);
        // The other of the two has fewer.
        let free = address(&status[1]);
        assert_ne!(free, elsewhere);
        assert!(members.iter().any(|member| member.address == free));
        let counter: Pid<Counting> = Pid::assume(status[1].upid.clone().expect("it runs"));
        assert_eq!(node.ask(&counter, Add { by: 2 }).await, Ok(42));
        // A panic there is a restart there, or wherever there are fewest.
        let gone = node.exit_of(counter.upid());
        node.tell(
            &counter,
            Panic {
                text: "oh".to_owned(),
            },
        );
        assert_eq!(gone.await, ExitReason::Panicked("oh".to_owned()));
        while children(&node, &supervisor).await[1].restarts < 1 {}
        let status = all_run(&node, &supervisor).await;
        assert_eq!(address(&status[1]), free);
        let counter: Pid<Counting> = Pid::assume(status[1].upid.clone().expect("it runs"));
        assert_eq!(node.ask(&counter, Add { by: 2 }).await, Ok(42));
        // Cut off, it is started elsewhere once it has stopped there.
        turmoil::partition("here", "two");
        node.exit_of(counter.upid()).await;
        while children(&node, &supervisor).await[1].restarts < 2 {}
        let status = all_run(&node, &supervisor).await;
        assert_eq!(address(&status[1]), elsewhere);
        turmoil::repair("here", "two");
        let lookup = loop {
            let found = node.lookup::<Counting>(free, "free").await;
            if !matches!(found, Err(libproc::LookupError::Node(_))) {
                break found;
            }
        };
        let absent = libproc::LookupError::NoProcess("free".to_owned());
        assert_eq!(
            lookup,
            Err(absent),
            "it was stopped when it heard nothing any more"
        );
        node.ask(&supervisor, Shutdown {}).await.expect("it stops");
        for id in ["fixed", "free"] {
            let gone = node.lookup::<Counting>(elsewhere, id).await;
            assert_eq!(gone, Err(libproc::LookupError::NoProcess(id.to_owned())));
        }
        Ok(())
    });
    sim.run().expect("the simulation succeeds");
}

#[test]
fn members_take_turns() {
    let mut sim = simulation(1, Duration::from_secs(600));
    for name in ["one", "two"] {
        sim.host(name, move || async move {
            let node = node_of(name).await?;
            node.offer::<Counter>();
            let seed = SocketAddr::from((turmoil::lookup("here"), 5050));
            let info = libproc::MemberInfo::new().role("worker");
            node.cluster_with(ClusterOptions::new().seeds([seed]).info(info))?;
            std::future::pending().await
        });
    }
    sim.client("here", async move {
        let node = node_of("here").await?;
        let turns = Placement::round_robin().role("worker");
        let none = node.spawn_placed::<Counter>(&turns, "counter", 1).await;
        assert_eq!(none, Err(libproc::SpawnOnError::NoMember));
        node.cluster([])?;
        node.members_when(|members| members.len() == 3).await;
        let mut places = Vec::new();
        for n in 0..4 {
            let counter = node
                .spawn_placed::<Counter>(&turns, &format!("counter{n}"), n)
                .await;
            places.push(counter.expect("there are two").upid().address());
        }
        assert_ne!(places[0], places[1]);
        assert_eq!(places[..2], places[2..]);
        let fewest = Placement::fewest_processes();
        for n in 4..8 {
            let counter = node
                .spawn_placed::<Counter>(&fewest, &format!("counter{n}"), n)
                .await;
            let address = counter.expect("there are two").upid().address();
            assert!(places.contains(&address), "this node offers none");
        }
        Ok(())
    });
    sim.run().expect("the simulation succeeds");
}
