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

/// Three replicas with a leader, and three entries all know.
fn three_with_entries() -> (Cluster, u64) {
    let mut cluster = Cluster::new(3);
    cluster.pass(3_000);
    let leader = cluster.leader();
    for (ticket, text) in [(1, "a"), (2, "b"), (3, "c")] {
        cluster.append(leader, ticket, text);
    }
    cluster.pass(300);
    (cluster, leader)
}

#[test]
fn a_replica_that_lost_its_disk_votes_again_in_another_life() {
    let (mut cluster, leader) = three_with_entries();
    let lost = leader % 3 + 1;
    let before = cluster.replica(lost).member();
    cluster.restart_with(lost, |disk| {
        disk.clear();
        None
    });
    assert_eq!(cluster.replica(lost).status(), Status::Empty);
    cluster.pass(5_000);
    let replica = cluster.replica(lost);
    assert_eq!(replica.status(), Status::Voting);
    assert!(replica.member().life > before.life);
    assert!(
        replica
            .config()
            .is_some_and(|config| config.has(replica.member()))
    );
    assert_eq!(cluster.chosen(lost), ["a", "b", "c"]);
}

#[test]
fn a_lost_entry_is_repaired_by_the_others() {
    let (mut cluster, leader) = three_with_entries();
    let hurt = leader % 3 + 1;
    cluster.restart_with(hurt, |_| {
        Some(Damage::Entries(vec![Span::new(Position(2), Position(2))]))
    });
    assert_eq!(cluster.replica(hurt).status(), Status::Repairing);
    cluster.pass(2_000);
    assert_eq!(cluster.replica(hurt).status(), Status::Voting);
}

#[test]
fn a_fourth_replica_is_added_while_entries_are_written_and_one_is_removed() {
    let (mut cluster, leader) = three_with_entries();
    cluster.start(NodeId(4), (1..=3).map(NodeId).collect(), Vec::new(), None);
    cluster.pass(1_000);
    assert_eq!(cluster.replica(4).status(), Status::Recovering);
    cluster.step(
        leader,
        Input::Change {
            ticket: Ticket(9),
            change: Change::Add(NodeId(4)),
        },
    );
    cluster.append(leader, 10, "d");
    cluster.pass(2_000);
    assert_eq!(cluster.replica(4).status(), Status::Voting);
    let removed = leader % 3 + 1;
    let change = Change::Remove(NodeId(removed));
    cluster.step(
        leader,
        Input::Change {
            ticket: Ticket(11),
            change,
        },
    );
    cluster.pass(2_000);
    let done = cluster.take(leader);
    for ticket in [9, 11] {
        let changed = |output: &Output| matches!(output, Output::Changed { ticket: t, .. } if *t == Ticket(ticket));
        assert!(done.iter().any(changed), "ticket {ticket} in {done:?}");
    }
    assert_eq!(cluster.chosen(4), ["a", "b", "c", "d"]);
    assert_eq!(
        cluster
            .replica(leader)
            .config()
            .map(|config| config.members().len()),
        Some(3)
    );
}

#[test]
fn who_comes_too_late_for_truncated_entries_gets_what_stands_for_them() {
    let (mut cluster, leader) = three_with_entries();
    let late = leader % 3 + 1;
    let gone = cluster.stop(late);
    let snapshot = Snapshot {
        through: Position(3),
        state: "abc".into(),
    };
    for node in (1..=3).filter(|node| *node != late) {
        cluster.step(node, Input::Snapshot(snapshot.clone()));
    }
    cluster.append(leader, 4, "d");
    cluster.step(
        leader,
        Input::Truncate {
            ticket: Ticket(5),
            to: Position(4),
        },
    );
    cluster.pass(300);
    let blank = gone.disk.into_iter().take(0).collect();
    cluster.start(NodeId(late), (1..=3).map(NodeId).collect(), blank, None);
    cluster.pass(5_000);
    let installed = cluster
        .take(late)
        .into_iter()
        .find_map(|output| match output {
            Output::Install(base) => Some(base),
            _ => None,
        });
    let base = installed.expect("it begins at a base");
    assert_eq!((base.begin, base.snapshot), (Position(4), Some(snapshot)));
    assert_eq!(cluster.replica(late).status(), Status::Voting);
}

#[test]
fn a_follower_reads_what_was_acknowledged_before_it_asked() {
    let (mut cluster, leader) = three_with_entries();
    let follower = leader % 3 + 1;
    cluster.append(leader, 4, "d");
    cluster.settle();
    cluster.step(follower, Input::Read { ticket: Ticket(6) });
    cluster.settle();
    let readable = Output::Readable {
        ticket: Ticket(6),
        position: Position(4),
    };
    assert!(cluster.take(follower).contains(&readable));
}

#[test]
fn a_log_is_not_begun_again_while_one_disk_of_it_remains() {
    let (mut cluster, _) = three_with_entries();
    for node in [1, 2] {
        cluster.restart_with(node, |disk| {
            disk.clear();
            None
        });
    }
    cluster.pass(20_000);
    for node in [1, 2] {
        assert_eq!(cluster.replica(node).status(), Status::Recovering);
    }
    assert_eq!(cluster.replica(3).commit(), Position(3));
}

#[test]
fn a_replica_of_another_log_is_refused() {
    let (mut cluster, _) = three_with_entries();
    let from = Member {
        node: NodeId(2),
        life: Life(1),
    };
    let stranger = Envelope {
        cluster: ClusterId(2),
        epoch: Epoch(1),
        from,
        to: NodeId(1),
        message: Message::Prepare {
            ballot: Ballot::MAX,
            from: Position(1),
        },
    };
    let promise = cluster.replica(1).promise();
    cluster.step(1, Input::Receive(stranger));
    let refusal = Refusal::Cluster;
    let told = Output::Stranger {
        from,
        cluster: ClusterId(2),
        refusal,
    };
    assert!(cluster.take(1).contains(&told));
    assert_eq!(cluster.replica(1).promise(), promise);
}

#[test]
fn who_cannot_promise_stands_above_whom_it_refused() {
    let (mut cluster, leader) = three_with_entries();
    let hurt = leader % 3 + 1;
    cluster.restart_with(hurt, |_| {
        Some(Damage::Entries(vec![Span::new(Position(1), Position(1))]))
    });
    cluster.settle();
    let other = 6 - leader - hurt;
    let ballot = Ballot {
        round: 1_000,
        node: NodeId(other),
        incarnation: Incarnation(1),
    };
    let prepare = Envelope {
        cluster: ClusterId(1),
        epoch: Epoch(1),
        from: cluster.replica(other).member(),
        to: NodeId(hurt),
        message: Message::Prepare {
            ballot,
            from: Position(1),
        },
    };
    cluster.step(hurt, Input::Receive(prepare));
    cluster.settle();
    assert!(cluster.replica(hurt).promise() < ballot);
    cluster.step(hurt, Input::Campaign);
    assert!(cluster.replica(hurt).promise() > ballot);
}

#[test]
fn two_windows_are_asked_for_at_a_time_and_answers_may_come_in_any_order() {
    let options = Options {
        fetch: 1,
        window: 96,
        ..Options::default()
    };
    let mut cluster = Cluster::with(3, Quorums::Majority, options);
    cluster.pass(3_000);
    let leader = cluster.leader();
    let late = leader % 3 + 1;
    cluster.cut.insert(NodeId(late));
    for ticket in 1..=300 {
        cluster.append(leader, ticket, "entry");
        cluster.settle();
    }
    cluster.cut.clear();
    cluster.now = cluster.now.plus(Millis(100));
    cluster.step(leader, Input::Tick { random: 0 });
    deliver(&mut cluster, late);
    deliver(&mut cluster, leader);
    cluster
        .wire
        .retain(|envelope| matches!(envelope.message, Message::Fetched { .. }));
    assert_eq!(cluster.wire.len(), 192);
    cluster.wire.make_contiguous().reverse();
    deliver(&mut cluster, late);
    assert_eq!(cluster.replica(late).commit(), Position(192));
    cluster.pass(300);
    assert_eq!(cluster.replica(late).commit(), Position(300));
}

/// Gives `to` what is on the wire for it.
fn deliver(cluster: &mut Cluster, to: u64) {
    let (mine, rest): (Vec<Envelope>, Vec<Envelope>) = cluster
        .wire
        .drain(..)
        .partition(|envelope| envelope.to == NodeId(to));
    cluster.wire.extend(rest);
    for envelope in mine {
        cluster.step(to, Input::Receive(envelope));
    }
}
