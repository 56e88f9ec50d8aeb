//! What crosses nodes, over real sockets: exits, linked spawns, look-ups, addresses in messages.

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::*;
use libproc::prelude::*;
use libproc::{LookupError, SpawnOnError};

#[test]
fn a_task_hears_how_a_process_of_another_node_ends() {
    alone(async {
        let (here, there) = (node().await, node().await);
        let watch =
            |pid: &Pid<Counting>| here.exit_of(&pid.to_string().parse().expect("it is one"));
        let quits = there.spawn("quits", Counter::default());
        let quit = watch(&quits);
        here.tell(&quits, Quit {});
        assert_eq!(quit.await, ExitReason::Stopped);
        let panics = there.spawn("panics", Counter::default());
        let panicked = watch(&panics);
        let text = "oh".to_owned();
        here.tell(&panics, Panic { text: text.clone() });
        assert_eq!(panicked.await, ExitReason::Panicked(text));
        assert_eq!(watch(&panics).await, ExitReason::NoProcess);
        let nowhere: Pid<Counting> = "nobody@127.0.0.1:1".parse().expect("an address");
        assert_eq!(watch(&nowhere).await, ExitReason::Unreachable);
        // Two tasks and a dropped one, on one process: each hears, and the last costs nothing.
        let stays = there.spawn("stays", Counter::default());
        let (first, second) = (watch(&stays), watch(&stays));
        drop(watch(&stays));
        assert_eq!(here.ask(&stays, Add { by: 1 }).await, Ok(1));
        there.shutdown().await;
        assert_eq!(first.await, ExitReason::Stopped);
        assert_eq!(second.await, ExitReason::Stopped);
        while here.process_count() > 0 {
            tokio::task::yield_now().await; // the monitors have gone with their tasks
        }
        here.shutdown().await;
    });
}

protocol! {
    /// What a boss accepts.
    protocol Bossing {
        message Hire { at: SocketAddr, id: String, args: Vec<u64> } -> Result<Pid<Brief>, SpawnOnError>;
    }
}

protocol! {
    /// What a brief process accepts.
    protocol Brief {
        message Relay { via: Vec<Pid<Brief>>, back: Pid<Listening> };
    }
}

/// Spawns elsewhere, and reports exits.
struct Boss {
    listener: Pid<Listening>,
}

impl Actor for Boss {
    type Context = Context<Self>;
}

impl Process for Boss {
    type Protocol = Bossing;
}

impl Handler<Hire> for Boss {
    type Result = Later<Result<Pid<Brief>, SpawnOnError>>;
    fn handle(&mut self, Hire { at, id, args }: Hire, ctx: &mut Context<Self>) -> Self::Result {
        let (answer, later) = Later::new();
        let spawned = ctx.spawn_on::<Short>(at, &id, args);
        ctx.defer(spawned, |_, spawned, _| answer.send(spawned));
        later
    }
}

impl Handler<Exited> for Boss {
    type Result = ();
    fn handle(&mut self, Exited { upid, reason }: Exited, ctx: &mut Context<Self>) {
        let how = reason.to_string();
        ctx.tell(&self.listener, Gone { whom: upid, how });
    }
}

/// Lives for as many turns as it has arguments, and panics in making when that is the last.
struct Short {
    turns: usize,
}

impl Actor for Short {
    type Context = Context<Self>;
    fn started(&mut self, ctx: &mut Context<Self>) {
        if self.turns == 0 {
            ctx.fail("over before it began");
        }
    }
}

impl Process for Short {
    type Protocol = Brief;
}

impl Handler<Relay> for Short {
    type Result = ();
    fn handle(&mut self, Relay { mut via, back }: Relay, ctx: &mut Context<Self>) {
        match via.pop() {
            Some(next) => ctx.tell(&next, Relay { via, back }),
            None => ctx.tell(&back, Total { total: 7 }),
        }
    }
}

impl Spawnable for Short {
    const KIND: &'static str = "short";
    type Args = Vec<u64>;
    fn from_args(args: Vec<u64>) -> Short {
        assert!(!args.contains(&99), "not with 99");
        Short { turns: args.len() }
    }
}

#[test]
fn a_linked_spawn_misses_no_exit_however_early() {
    alone(async {
        let (here, there) = (node().await, node().await);
        there.offer::<Short>();
        here.offer::<Short>();
        let mut listener = here.probe::<Listening>("listener");
        let listens = listener.pid();
        let boss = here.spawn("boss", Boss { listener: listens });
        for at in [there.address(), here.address()] {
            let hire = |id: &str, args: Vec<u64>| {
                let id = id.to_owned();
                here.ask(&boss, Hire { at, id, args })
            };
            for _ in 0..20 {
                let short = hire("short", vec![]).await.expect("the boss lives");
                let whom = short.expect("it began").upid().clone();
                let how = "failed: over before it began".to_owned();
                assert_eq!(listener.expect::<Gone>().await, Gone { whom, how });
            }
            let long = hire("long", vec![1])
                .await
                .expect("it lives")
                .expect("it began");
            let taken = hire("long", vec![1]).await.expect("it lives");
            assert_eq!(taken, Err(SpawnOnError::IdTaken("long".to_owned())));
            let crashed = hire("other", vec![99]).await.expect("it lives");
            assert_eq!(
                crashed,
                Err(SpawnOnError::Crashed("not with 99".to_owned()))
            );
            here.tell(
                &long,
                Relay {
                    via: vec![],
                    back: listener.pid(),
                },
            );
            assert_eq!(listener.expect::<Total>().await, Total { total: 7 });
            let node = if at == here.address() { &here } else { &there };
            node.terminate(long.upid());
            let (whom, how) = (long.upid().clone(), "stopped".to_owned());
            assert_eq!(listener.expect::<Gone>().await, Gone { whom, how });
        }
        let nowhere: SocketAddr = "127.0.0.1:1".parse().expect("an address");
        let id = "short".to_owned();
        let hire = Hire {
            at: nowhere,
            id,
            args: vec![],
        };
        let dead = here.ask(&boss, hire).await.expect("it lives");
        assert_eq!(dead, Err(SpawnOnError::Node(AskError::Refused)));
        listener.expect_nothing(Duration::from_millis(20)).await;
        here.shutdown().await;
        there.shutdown().await;
    });
}

#[test]
fn a_linked_spawn_hears_when_the_node_goes() {
    alone(async {
        let (here, there) = (node().await, node().await);
        there.offer::<Short>();
        let mut listener = here.probe::<Listening>("listener");
        let listens = listener.pid();
        let boss = here.spawn("boss", Boss { listener: listens });
        let (at, id) = (there.address(), "short".to_owned());
        let hire = Hire {
            at,
            id,
            args: vec![1],
        };
        let short = here
            .ask(&boss, hire)
            .await
            .expect("it lives")
            .expect("it began");
        there.shutdown().await;
        let gone = listener.expect::<Gone>().await;
        assert_eq!(gone.whom, *short.upid());
        listener.expect_nothing(Duration::from_millis(20)).await;
        here.shutdown().await;
    });
}

#[test]
fn a_node_that_refuses_spawns_says_so_and_goes_on() {
    alone(async {
        let (here, there) = (node().await, node().await);
        there.offer::<Short>();
        let at = there.address();
        let first = here.spawn_on::<Short>(at, "first", vec![1]).await;
        let first = first.expect("it is offered");
        there.refuse_spawns();
        let second = here.spawn_on::<Short>(at, "second", vec![1]).await;
        assert_eq!(second, Err(SpawnOnError::Draining));
        let found = here.lookup::<Brief>(at, "first").await;
        assert_eq!(found, Ok(first));
        here.shutdown().await;
        there.shutdown().await;
    });
}

#[test]
fn a_spawn_that_takes_too_long_times_out() {
    alone(async {
        let here = node().await;
        // Accepts connections and never says a word.
        let mute = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let at = mute.local_addr().expect("it is bound");
        let within = Duration::from_millis(20);
        let late = here
            .spawn_on_within::<Short>(at, "short", vec![1], within)
            .await;
        assert_eq!(late, Err(SpawnOnError::Node(AskError::Timeout)));
        here.shutdown().await;
    });
}

#[test]
fn addresses_in_messages_work_over_three_nodes() {
    alone(async {
        let nodes = [node().await, node().await, node().await];
        let short = |n: usize| nodes[n].spawn("short", Short { turns: 1 });
        let [first, second, third] = [short(0), short(1), short(2)];
        let mut listener = nodes[1].probe::<Listening>("listener");
        // Node 0 is told by node 2 of processes on 1 and 2, and they of each other.
        let via = vec![first.clone(), third.clone(), second.clone(), third, second];
        let back = listener.pid();
        nodes[2].tell(&first, Relay { via, back });
        assert_eq!(listener.expect::<Total>().await, Total { total: 7 });
        for node in nodes {
            node.shutdown().await;
        }
    });
}

#[test]
fn a_look_up_finds_who_is_there_and_speaks_what_is_wanted() {
    alone(async {
        let (here, there) = (node().await, node().await);
        let counter = there.spawn("counter", Counter::default());
        let at = there.address();
        assert_eq!(here.lookup::<Counting>(at, "counter").await, Ok(counter));
        let absent = here.lookup::<Counting>(at, "absent").await;
        assert_eq!(absent, Err(LookupError::NoProcess("absent".to_owned())));
        let other = here.lookup::<CountingLater>(at, "counter").await;
        let (id, message) = ("counter".to_owned(), "Add2");
        assert_eq!(other, Err(LookupError::SpeaksOther { id, message }));
        let invalid = here.lookup::<Counting>(at, "a b").await;
        assert!(matches!(invalid, Err(LookupError::InvalidId(_))));
        there.shutdown().await;
        let gone = here.lookup::<Counting>(at, "counter").await;
        assert!(matches!(gone, Err(LookupError::Node(_))), "{gone:?}");
        here.shutdown().await;
    });
}
