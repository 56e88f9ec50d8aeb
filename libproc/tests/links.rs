//! How nodes lose each other over real sockets: links, restarts, silence.

mod common;

use std::time::Duration;

use common::*;
use libproc::prelude::*;

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
        let nobody = format!("nobody@{}", mute.local_addr().expect("it is bound"));
        let nobody: Pid<Counting> = nobody.parse().expect("an address");
        assert_eq!(here.ask(&nobody, Hold {}).await, Err(AskError::Unreachable));
        here.shutdown().await;
    });
}
