//! What two nodes see of each other over real sockets.

mod common;

use std::time::Duration;

use common::*;
use libproc::prelude::*;
use libproc::{DeadReason, SpawnOnError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[test]
fn telling_and_asking_across_nodes_look_as_they_do_on_one() {
    alone(async {
        let (here, there) = (node().await, node().await);
        let counter = there.spawn("counter", Counter::default());
        let known: Pid<Counting> = counter.to_string().parse().expect("an address is a value");
        for by in 1..=100 {
            here.tell(&known, Add { by });
        }
        assert_eq!(here.ask(&known, Add { by: 0 }).await, Ok(5050));
        here.shutdown().await;
        there.shutdown().await;
    });
}

#[test]
fn order_holds_for_one_sender_and_receiver_under_load() {
    alone(async {
        let (here, there) = (node().await, node().await);
        let mut probe = there.probe::<Listening>("probe");
        for total in 0..20_000 {
            here.tell(&probe.pid(), Total { total });
        }
        for total in 0..20_000 {
            assert_eq!(probe.expect::<Total>().await, Total { total });
        }
        here.shutdown().await;
        there.shutdown().await;
    });
}

/// Greets a counter and passes on what comes back.
struct Guest {
    host: Pid<Counting>,
    listener: Pid<Listening>,
}

impl Actor for Guest {
    type Context = Context<Self>;
    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.tell(&self.host, Greet {});
    }
}

impl Process for Guest {
    type Protocol = Listening;
}

impl Handler<Total> for Guest {
    type Result = ();
    fn handle(&mut self, total: Total, ctx: &mut Context<Self>) {
        assert_eq!(ctx.sender(), Some(self.host.upid()));
        ctx.tell(&self.listener, total);
    }
}

impl Handler<Gone> for Guest {
    type Result = ();
    fn handle(&mut self, gone: Gone, ctx: &mut Context<Self>) {
        ctx.tell(&self.listener, gone);
    }
}

#[test]
fn a_reply_finds_its_way_back_by_the_sender() {
    alone(async {
        let (here, there) = (node().await, node().await);
        let host = there.spawn("counter", Counter::default());
        // Two processes with the same id on two nodes are two processes.
        here.spawn("counter", Counter::default());
        assert_eq!(there.ask(&host, Add { by: 5 }).await, Ok(5));
        here.tell(&host, Greet {}); // by nobody: the reply goes nowhere
        let mut listener = here.probe::<Listening>("listener");
        here.spawn_anonymous(Guest {
            host: host.clone(),
            listener: listener.pid(),
        });
        here.spawn(
            "guest",
            Guest {
                host,
                listener: listener.pid(),
            },
        );
        for _ in 0..2 {
            assert_eq!(listener.expect::<Total>().await, Total { total: 5 });
        }
        here.shutdown().await;
        there.shutdown().await;
    });
}

#[test]
fn a_link_hears_of_every_kind_of_end_once() {
    alone(async {
        let (here, there) = (node().await, node().await);
        let watcher = here.spawn("watcher", Counter::default());
        let mut listener = here.probe::<Listening>("listener");
        let quits = there.spawn("quits", Counter::default());
        let panics = there.spawn("panics", Counter::default());
        let stays = there.spawn("stays", Counter::default());
        let absent: Upid = format!("absent@{}", there.address())
            .parse()
            .expect("an address");
        let nowhere: Upid = "nobody@127.0.0.1:1".parse().expect("an address");
        let upids = [quits.upid(), panics.upid(), stays.upid(), &absent, &nowhere];
        for whom in upids.map(Clone::clone) {
            here.tell(
                &watcher,
                Watch {
                    whom,
                    listener: listener.pid(),
                },
            );
        }
        let mut gone = Vec::new();
        for _ in 0..2 {
            gone.push(listener.expect::<Gone>().await);
        }
        there.tell(&quits, Quit {});
        gone.push(listener.expect::<Gone>().await);
        there.tell(
            &panics,
            Panic {
                text: "oh".to_owned(),
            },
        );
        gone.push(listener.expect::<Gone>().await);
        there.shutdown().await;
        gone.push(listener.expect::<Gone>().await);
        gone.sort_by_key(|gone| gone.whom.id().to_owned());
        let ends: Vec<_> = gone
            .iter()
            .map(|gone| (gone.whom.id(), gone.how.as_str()))
            .collect();
        let expected = [
            ("absent", "no such process"),
            ("nobody", "unreachable"),
            ("panics", "panicked: oh"),
            ("quits", "stopped"),
            ("stays", "stopped"),
        ];
        assert_eq!(ends, expected);
        listener.expect_nothing(Duration::from_millis(50)).await;
        here.shutdown().await;
    });
}

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
        assert_eq!(none, Err(SpawnOnError::Node(AskError::NoProcess)));
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

#[test]
fn both_sides_may_connect_at_once() {
    alone(async {
        for _ in 0..20 {
            let (here, there) = (node().await, node().await);
            let mut at_here = here.probe::<Listening>("probe");
            let mut at_there = there.probe::<Listening>("probe");
            for total in 0..10 {
                here.tell(&at_there.pid(), Total { total });
                there.tell(&at_here.pid(), Total { total });
            }
            for total in 0..10 {
                assert_eq!(at_there.expect::<Total>().await, Total { total });
                assert_eq!(at_here.expect::<Total>().await, Total { total });
            }
            here.shutdown().await;
            there.shutdown().await;
        }
    });
}

#[test]
fn an_ask_that_cannot_be_answered_says_why() {
    alone(async {
        let (here, there) = (node().await, node().await);
        let counter = there.spawn("counter", Counter::default());
        let nowhere: Pid<Counting> = "counter@127.0.0.1:1".parse().expect("an address");
        assert_eq!(
            here.ask(&nowhere, Add { by: 1 }).await,
            Err(AskError::Refused)
        );
        let absent: Pid<Counting> = format!("absent@{}", there.address())
            .parse()
            .expect("an address");
        assert_eq!(
            here.ask(&absent, Add { by: 1 }).await,
            Err(AskError::NoProcess)
        );
        let wrong = Pid::<CountingLater>::assume(counter.upid().clone());
        assert_eq!(
            here.ask(&wrong, Add2 { by: 1 }).await,
            Err(AskError::NotAccepted)
        );
        let bytes = "x".repeat(17 << 20);
        assert_eq!(
            here.ask(&counter, Store { bytes }).await,
            Err(AskError::TooLarge)
        );
        let bytes = "x".repeat(9 << 20);
        assert_eq!(here.ask(&counter, Store { bytes }).await, Ok(9 << 20));
        let held = here.ask(&counter, Hold {});
        assert_eq!(here.ask(&counter, Add { by: 0 }).await, Ok(1));
        there.terminate(counter.upid());
        assert_eq!(held.await, Err(AskError::Lost));
        here.shutdown().await;
        there.shutdown().await;
    });
}

#[test]
fn a_restarted_peer_is_another_node_and_is_found_again() {
    alone(async {
        let (here, there) = (node().await, node().await);
        let address = there.address().to_string();
        let counter = there.spawn("counter", Counter::default());
        let watcher = here.spawn("watcher", Counter::default());
        let mut listener = here.probe::<Listening>("listener");
        here.tell(
            &watcher,
            Watch {
                whom: counter.upid().clone(),
                listener: listener.pid(),
            },
        );
        assert_eq!(here.ask(&counter, Add { by: 5 }).await, Ok(5));
        let held = here.ask(&counter, Hold {});
        there.shutdown().await;
        assert!(held.await.is_err());
        listener.expect::<Gone>().await;
        let there = Node::bind(&address).await.expect("the port is free again");
        there.spawn("counter", Counter::default());
        // The first may still go out on the old connection, and fail with it.
        let mut total = here.ask(&counter, Add { by: 1 }).await;
        while total == Err(AskError::Unreachable) {
            total = here.ask(&counter, Add { by: 1 }).await;
        }
        assert_eq!(total, Ok(1));
        here.shutdown().await;
        there.shutdown().await;
    });
}

#[test]
fn a_silent_peer_is_noticed() {
    alone(async {
        // Accepts connections and never says a word.
        let mute = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let silence = Duration::from_millis(60);
        let here = Node::builder()
            .silence(silence)
            .bind("127.0.0.1:0")
            .await
            .expect("binds");
        let there = Node::builder()
            .silence(silence)
            .bind("127.0.0.1:0")
            .await
            .expect("binds");
        // A quiet peer that is well stays connected: pings are answered.
        let counter = there.spawn("counter", Counter::default());
        let held = here.ask(&counter, Hold {});
        assert!(
            tokio::time::timeout(silence * 5, held).await.is_err(),
            "nothing broke"
        );
        let nobody = format!("nobody@{}", mute.local_addr().expect("it is bound"));
        let nobody: Pid<Counting> = nobody.parse().expect("an address");
        assert_eq!(here.ask(&nobody, Hold {}).await, Err(AskError::Unreachable));
        here.shutdown().await;
        there.shutdown().await;
    });
}

#[test]
fn garbage_on_the_port_harms_nobody() {
    alone(async {
        let (here, there) = (node().await, node().await);
        let counter = there.spawn("counter", Counter::default());
        assert_eq!(here.ask(&counter, Add { by: 1 }).await, Ok(1));
        let preface = b"\x00tepui\r\n";
        let mut openings: Vec<Vec<u8>> = vec![
            b"".to_vec(),
            b"\x00".to_vec(),
            b"\xff\xfe\xfd".to_vec(),
            b"\x00tepui\r\nxxxxxxxxxxxxxxx".to_vec(),
            [&preface[..], &[0, 0, 0, 0]].concat(),
            [&preface[..], &[255, 255, 255, 127]].concat(),
            [&preface[..], &[3, 0, 0, 0, 0xc1, 0xc1, 0xc1]].concat(),
            b"GET / HTTP/9.9\r\n\r\n".to_vec(),
            b"GET /counter/total HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n".to_vec(),
        ];
        let mut seed = 7u64;
        for _ in 0..50 {
            let mut noise = preface.to_vec();
            for _ in 0..200 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                noise.push((seed >> 56) as u8);
            }
            openings.push(noise);
        }
        for opening in openings {
            let mut stream = TcpStream::connect(there.address())
                .await
                .expect("it listens");
            stream.write_all(&opening).await.expect("it reads");
            stream.shutdown().await.ok();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.ok();
        }
        assert_eq!(here.ask(&counter, Add { by: 1 }).await, Ok(2));
        here.shutdown().await;
        there.shutdown().await;
    });
}

/// Greets as a node would and then sends `frames`; what comes back until the connection ends.
async fn greet_and_send(node: &Node, frames: &[u8]) -> Vec<u8> {
    #[derive(serde::Serialize)]
    struct Hello {
        version: u16,
        address: std::net::SocketAddr,
        incarnation: u64,
        to: std::net::SocketAddr,
    }
    let address = "127.0.0.1:9".parse().expect("an address");
    let hello = Hello {
        version: 2,
        address,
        incarnation: 1,
        to: node.address(),
    };
    let hello = rmp_serde::to_vec_named(&hello).expect("it encodes");
    let mut stream = TcpStream::connect(node.address())
        .await
        .expect("it listens");
    stream.write_all(b"\x00tepui\r\n").await.expect("it reads");
    stream
        .write_all(&(hello.len() as u32).to_le_bytes())
        .await
        .expect("it reads");
    stream.write_all(&hello).await.expect("it reads");
    stream.write_all(frames).await.expect("it reads");
    stream.shutdown().await.ok();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok();
    answer
}

fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32 + 1).to_le_bytes()[..], &[kind], body].concat()
}

#[test]
fn frames_that_make_no_sense_are_refused_or_counted() {
    alone(async {
        let there = node().await;
        let counter = there.spawn("counter", Counter::default());
        let letter = |to: u32, name: u16, body: &[u8]| {
            let head = [
                &to.to_le_bytes()[..],
                &u32::MAX.to_le_bytes(),
                &name.to_le_bytes(),
            ];
            frame(4, &[&head.concat()[..], body].concat())
        };
        let known = [
            frame(1, b"counter"),
            frame(3, b"Add"),
            frame(3, b"Nonsense"),
        ]
        .concat();
        let absent = [frame(1, b"absent"), frame(3, b"Add")].concat();
        // Undefined numbers, an unknown kind, a frame that is cut: the connection ends.
        for bad in [
            letter(7, 0, b""),
            frame(77, b""),
            frame(4, b"\x01"),
            frame(1, b"a@b"),
        ] {
            greet_and_send(&there, &[&known[..], &bad, &letter(0, 0, &[0x81])].concat()).await;
        }
        assert_eq!(
            dead(&there, DeadReason::Undecodable),
            0,
            "nothing was read after the bad one"
        );
        // An undecodable body, an unknown message, an unknown process: counted, and read on.
        let add = rmp_serde::to_vec_named(&Add { by: 3 }).expect("it encodes");
        let frames = [
            &known[..],
            &letter(0, 0, &[0xc1]),
            &letter(0, 1, &add),
            &letter(0, 0, &add),
        ];
        greet_and_send(&there, &frames.concat()).await;
        greet_and_send(&there, &[&absent[..], &letter(0, 0, &add)].concat()).await;
        assert_eq!(there.ask(&counter, Add { by: 0 }).await, Ok(3));
        assert_eq!(dead(&there, DeadReason::Undecodable), 1);
        assert_eq!(dead(&there, DeadReason::NotAccepted), 1);
        assert_eq!(dead(&there, DeadReason::NoProcess), 1);
        there.shutdown().await;
    });
}

#[test]
fn a_slow_receiver_slows_its_senders_and_loses_only_what_is_counted() {
    alone(async {
        let (here, there) = (node().await, node().await);
        let counter = there.spawn("counter", Counter::default());
        here.tell(&counter, Slow { ms: 50 });
        for _ in 0..50_000 {
            here.tell(&counter, Add { by: 1 });
        }
        let total = here.ask(&counter, Add { by: 0 }).await.expect("an answer");
        let lost = dead(&there, DeadReason::MailboxFull) + dead(&here, DeadReason::PeerBusy);
        assert_eq!(total + lost, 50_001);
        here.shutdown().await;
        there.shutdown().await;
    });
}

#[test]
fn nodes_on_many_threads_talk() {
    let total = libproc::run(async {
        let here = Node::builder().workers(2).bind("127.0.0.1:0").await?;
        let there = Node::builder().workers(2).bind("127.0.0.1:0").await?;
        let counters: Vec<_> = (0..20)
            .map(|n| there.spawn(&format!("counter{n}"), Counter::default()))
            .collect();
        let mut total = 0;
        for _ in 0..200 {
            for counter in &counters {
                here.tell(counter, Add { by: 1 });
            }
        }
        for counter in &counters {
            total += here.ask(counter, Add { by: 0 }).await.expect("an answer");
        }
        here.shutdown().await;
        there.shutdown().await;
        Ok(total)
    });
    assert_eq!(total.expect("a system runs"), 20 * 200);
}
