//! What replicas do together, one story each.

mod common;

use common::Cluster;
use paxos::*;

#[test]
fn three_empty_replicas_begin_a_log_and_elect_a_leader() {
    let mut cluster = Cluster::new(3);
    cluster.pass(3_000);
    let leader = cluster.leader();
    for node in 1..=3 {
        assert_eq!(cluster.replica(node).status(), Status::Voting);
        assert_eq!(cluster.replica(node).leader(), Some(NodeId(leader)));
    }
}

#[test]
fn appends_are_chosen_in_order_and_learned_by_all() {
    let mut cluster = Cluster::new(3);
    cluster.pass(3_000);
    let leader = cluster.leader();
    for (ticket, text) in [(1, "a"), (2, "b"), (3, "c")] {
        cluster.append(leader, ticket, text);
    }
    cluster.pass(300);
    for node in 1..=3 {
        assert_eq!(cluster.chosen(node), ["a", "b", "c"], "replica {node}");
    }
    let acks: Vec<Output> = cluster
        .take(leader)
        .into_iter()
        .filter(|output| matches!(output, Output::Appended { .. }))
        .collect();
    let acked = |n| Output::Appended {
        ticket: Ticket(n),
        position: Position(n),
    };
    assert_eq!(acks, [acked(1), acked(2), acked(3)]);
}

#[test]
fn a_leader_cut_off_steps_down_and_another_goes_on_with_everything_acknowledged() {
    let mut cluster = Cluster::new(3);
    cluster.pass(3_000);
    let old = cluster.leader();
    cluster.append(old, 1, "kept");
    cluster.settle();
    cluster.cut.insert(NodeId(old));
    cluster.append(old, 2, "lost");
    cluster.pass(3_000);
    assert_eq!(cluster.replica(old).leading(), None);
    assert!(
        cluster
            .take(old)
            .contains(&Output::Unknown { ticket: Ticket(2) })
    );
    let new = cluster.leader();
    assert_ne!(new, old);
    cluster.append(new, 3, "after");
    cluster.cut.clear();
    cluster.pass(3_000);
    for node in 1..=3 {
        let learned: Vec<u64> = vec![cluster.replica(node).commit().0];
        assert_eq!(learned, [2], "replica {node}");
    }
    assert_eq!(cluster.chosen(new), ["kept", "after"]);
}
