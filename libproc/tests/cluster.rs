//! Members and groups over real sockets: who joins, says something else, leaves and is lost.

mod common;

use std::time::Duration;

use common::*;
use libproc::prelude::*;
use libproc::{
    ClusterError, ClusterOptions, GroupError, GroupEvent, Member, MemberEvent, MemberInfo,
};
use tokio::sync::mpsc;

const PERIOD: Duration = Duration::from_millis(100);

async fn member(name: &str, seeds: &[&Node]) -> Node {
    member_at("127.0.0.1:0", name, seeds).await
}

async fn member_at(address: &str, name: &str, seeds: &[&Node]) -> Node {
    let options = ClusterOptions::new()
        .period(PERIOD)
        .info(MemberInfo::new().name(name).role("worker"))
        .seeds(seeds.iter().map(|seed| seed.address()));
    let node = Node::builder().cluster(options).bind(address).await;
    node.expect("a free port")
}

fn names(members: &[Member]) -> Vec<String> {
    let mut names: Vec<_> = members
        .iter()
        .map(|member| member.info.get_name().to_owned())
        .collect();
    names.sort_unstable();
    names
}

/// Passes on what it hears of members and of the group `workers`.
struct Ear {
    heard: mpsc::UnboundedSender<String>,
}

impl Actor for Ear {
    type Context = Context<Self>;
    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.watch_members().expect("nobody else does");
        ctx.watch_group("workers").expect("nobody else does");
    }
}

impl Process for Ear {
    type Protocol = Listening;
}

impl Handler<Total> for Ear {
    type Result = ();
    fn handle(&mut self, _: Total, ctx: &mut Context<Self>) {
        ctx.unwatch_members();
        ctx.unwatch_group("workers");
    }
}

impl Handler<Gone> for Ear {
    type Result = ();
    fn handle(&mut self, _: Gone, _: &mut Context<Self>) {}
}

impl Handler<MemberEvent> for Ear {
    type Result = ();
    fn handle(&mut self, event: MemberEvent, _: &mut Context<Self>) {
        let (what, member) = match event {
            MemberEvent::Joined(member) => ("joined", member),
            MemberEvent::Changed(member) => ("changed", member),
            MemberEvent::Left(member) => ("left", member),
            MemberEvent::Lost(member) => ("lost", member),
        };
        // The test may be over.
        drop(
            self.heard
                .send(format!("{} {what}", member.info.get_name())),
        );
    }
}

impl Handler<GroupEvent> for Ear {
    type Result = ();
    fn handle(&mut self, event: GroupEvent, _: &mut Context<Self>) {
        let said = match event {
            GroupEvent::Joined { upid, .. } => format!("+{}", upid.id()),
            GroupEvent::Left { upid, .. } => format!("-{}", upid.id()),
        };
        drop(self.heard.send(said));
    }
}

async fn heard(ear: &mut mpsc::UnboundedReceiver<String>, expected: &[&str]) {
    let mut said = Vec::new();
    while said.len() < expected.len() {
        said.push(ear.recv().await.expect("it listens"));
    }
    said.sort_unstable();
    let mut expected: Vec<_> = expected.iter().map(ToString::to_string).collect();
    expected.sort_unstable();
    assert_eq!(said, expected);
}

#[test]
fn members_join_through_any_seed_change_leave_and_are_replaced() {
    alone(async {
        let a = member("a", &[]).await;
        let (tell, mut ear) = mpsc::unbounded_channel();
        let listener = a.spawn("ear", Ear { heard: tell });
        heard(&mut ear, &["a joined"]).await;
        // A seed that does not answer is no obstacle.
        let silent = node().await;
        let b = member("b", &[&silent, &a]).await;
        let c = member("c", &[&b]).await;
        heard(&mut ear, &["b joined", "c joined"]).await;
        for node in [&a, &b, &c] {
            let members = node.members_when(|members| members.len() == 3).await;
            assert_eq!(names(&members), ["a", "b", "c"]);
        }
        let info = MemberInfo::new().name("bb").entry("zone", "north");
        b.set_member_info(info.clone())
            .expect("it is in the cluster");
        heard(&mut ear, &["bb changed"]).await;
        let known = a.members().into_iter().find(|m| m.address == b.address());
        assert_eq!(known.expect("a member").info, info);
        // Started anew at the same address it is another member, once it is heard of.
        let address = c.address().to_string();
        c.shutdown().await;
        heard(&mut ear, &["c left"]).await;
        let c = member_at(&address, "c2", &[&a]).await;
        heard(&mut ear, &["c2 joined"]).await;
        b.leave_cluster().await;
        heard(&mut ear, &["bb left"]).await;
        assert_eq!(b.members(), []);
        assert_eq!(b.set_member_info(info), Err(ClusterError::NotInCluster));
        b.cluster_with(ClusterOptions::new().period(PERIOD).seeds([a.address()]))
            .expect("it may come back");
        heard(&mut ear, &[" joined"]).await;
        // A part of the machinery that ends comes back, and so do the members.
        b.members_when(|members| members.len() == 3).await;
        let gossip = Upid::new("members", b.address()).expect("an id");
        let ended = b.exit_of(&gossip);
        b.terminate(&gossip);
        ended.await;
        heard(&mut ear, &[" left", " joined"]).await;
        b.members_when(|members| members.len() == 3).await;
        a.tell(&listener, Total { total: 0 }); // it wants to hear no more
        c.shutdown().await;
        a.members_when(|members| members.len() == 2).await;
        assert!(ear.try_recv().is_err());
        for node in [a, b, silent] {
            node.shutdown().await;
        }
    });
}

#[test]
fn what_exceeds_a_limit_joins_nothing() {
    alone(async {
        let node = node().await;
        let long = MemberInfo::new().name(&"x".repeat(100));
        let joined = node.cluster_with(ClusterOptions::new().info(long.clone()));
        assert_eq!(joined, Err(ClusterError::InvalidInfo));
        let many = (1..100).map(|n| std::net::SocketAddr::from(([10, 0, 0, n], 5050)));
        assert_eq!(node.cluster(many), Err(ClusterError::TooManySeeds));
        assert_eq!(node.cluster([]), Ok(()));
        assert_eq!(node.cluster([]), Err(ClusterError::InCluster));
        assert_eq!(
            node.set_member_info(long.clone()),
            Err(ClusterError::InvalidInfo)
        );
        let bound = Node::builder().member(long).bind("127.0.0.1:0").await;
        assert!(bound.is_err());
        node.shutdown().await;
    });
}

#[test]
fn a_group_holds_the_living_of_all_nodes() {
    alone(async {
        let a = member("a", &[]).await;
        let early = a.spawn("early", Counter::default());
        a.join("workers", early.upid()).expect("it lives here");
        let b = member("b", &[&a]).await;
        let (tell, mut ear) = mpsc::unbounded_channel();
        b.spawn("ear", Ear { heard: tell });
        heard(&mut ear, &["a joined", "b joined", "+early"]).await;
        assert_eq!(b.group::<Counting>("workers"), vec![early.clone()]);
        assert_eq!(
            b.ask(&b.group::<Counting>("workers")[0], Add { by: 3 })
                .await,
            Ok(3)
        );
        let late = a.spawn("late", Counter::default());
        for _ in 0..2 {
            a.join("workers", late.upid()).expect("it lives here");
            a.join("others", late.upid()).expect("it lives here");
        }
        heard(&mut ear, &["+late"]).await;
        a.leave("workers", early.upid());
        heard(&mut ear, &["-early"]).await;
        a.tell(
            &late,
            Panic {
                text: "out".to_owned(),
            },
        );
        heard(&mut ear, &["-late"]).await;
        assert_eq!(b.group::<Counting>("others"), []);
        // Back under the same id it is another process, in no group.
        let late = a.spawn("late", Counter::default());
        assert_eq!(a.group::<Counting>("others"), []);
        assert_eq!(
            a.join("", late.upid()),
            Err(GroupError::InvalidName(String::new()))
        );
        assert_eq!(b.join("workers", late.upid()), Err(GroupError::NotHere));
        let absent = Upid::new("absent", a.address()).expect("an id");
        assert_eq!(a.join("workers", &absent), Err(GroupError::NoProcess));
        a.join("workers", late.upid()).expect("it lives here");
        heard(&mut ear, &["+late"]).await;
        a.shutdown().await;
        heard(&mut ear, &["-late", "a left"]).await;
        assert_eq!(b.group::<Counting>("workers"), []);
        b.shutdown().await;
    });
}

#[test]
fn nodes_on_many_threads_are_members_too() {
    let counts = libproc::run(async {
        let options = || ClusterOptions::new().period(PERIOD);
        let first = Node::builder()
            .workers(2)
            .cluster(options())
            .bind("127.0.0.1:0")
            .await?;
        let seeds = options().seeds([first.address()]);
        let second = Node::builder()
            .workers(2)
            .cluster(seeds)
            .bind("127.0.0.1:0")
            .await?;
        let workers: Vec<_> = (0..200)
            .map(|n| second.spawn(&format!("worker{n}"), Counter::default()))
            .collect();
        for worker in &workers {
            second
                .join("workers", worker.upid())
                .expect("it lives here");
        }
        let group = |node: &Node| node.group::<Counting>("workers").len();
        while group(&first) < 200 {
            tokio::task::yield_now().await;
        }
        for worker in &workers[50..] {
            first.tell(worker, Quit {});
        }
        while group(&first) > 50 {
            tokio::task::yield_now().await;
        }
        let counts = (group(&first), group(&second));
        first.shutdown().await;
        second.shutdown().await;
        Ok(counts)
    });
    assert_eq!(counts.expect("a system runs"), (50, 50));
}
