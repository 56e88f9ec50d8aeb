//! Tests of the core of supervision: what is started and stopped, and in which order.

use std::time::Duration;

use tokio::time::Instant;

use super::spec::{Backoff, Restart};
use super::tree::Output::{End, Start, Stop, Wait};
use super::tree::{Fault, Limit, Output, Phase, Strategy, Tree};

const WAIT: Duration = Duration::from_millis(50);

/// A tree of permanent children that all run.
fn running(strategy: Strategy, restarts: &[Restart], now: Instant) -> Tree {
    let limit = Limit {
        restarts: 3,
        within: Duration::from_secs(10),
    };
    let mut tree = Tree::new(strategy, limit);
    restarts
        .iter()
        .for_each(|restart| tree.add(*restart, Backoff::new()));
    let mut outputs = tree.begin();
    for index in 0..restarts.len() {
        assert_eq!(outputs, [Start(index)], "in order, one after the other");
        outputs = tree.started(index, now);
    }
    assert_eq!(outputs, []);
    tree
}

fn exited(tree: &mut Tree, index: usize, fault: Fault, now: Instant) -> Vec<Output> {
    tree.exited(index, fault, "it failed", Duration::ZERO, (now, 0.0))
}

const THREE: [Restart; 3] = [Restart::Permanent; 3];

#[test]
fn one_for_one_restarts_only_the_one_that_failed_after_a_wait() {
    let now = Instant::now();
    let mut tree = running(Strategy::One, &THREE, now);
    assert_eq!(exited(&mut tree, 1, Fault::Own, now), [Wait(1, WAIT)]);
    assert_eq!(tree.waited(1), [Start(1)]);
    assert_eq!(tree.started(1, now), []);
    // The next failure waits twice as long, unless the child had run well for a while.
    assert_eq!(exited(&mut tree, 1, Fault::Own, now), [Wait(1, WAIT * 2)]);
    assert_eq!(tree.waited(1), [Start(1)]);
    assert_eq!(tree.started(1, now), []);
    let later = now + Duration::from_secs(60);
    assert_eq!(exited(&mut tree, 1, Fault::Own, later), [Wait(1, WAIT)]);
    assert_eq!(tree.children[1].restarts, 3);
}

#[test]
fn one_for_all_stops_the_others_in_reverse_and_starts_all_in_order() {
    let now = Instant::now();
    let mut tree = running(Strategy::All, &THREE, now);
    let outputs = exited(&mut tree, 1, Fault::Own, now);
    assert_eq!(outputs, [Wait(1, WAIT), Stop(2)]);
    assert_eq!(tree.waited(1), [], "not before the others have stopped");
    assert_eq!(exited(&mut tree, 2, Fault::None, now), [Stop(0)]);
    assert_eq!(exited(&mut tree, 0, Fault::None, now), [Start(0)]);
    assert_eq!(tree.started(0, now), [Start(1)]);
    assert_eq!(tree.started(1, now), [Start(2)]);
    assert_eq!(tree.started(2, now), []);
    let restarts = tree.children.iter().map(|child| child.restarts);
    assert_eq!(restarts.collect::<Vec<_>>(), [0, 1, 0], "one failure");
}

#[test]
fn rest_for_one_restarts_those_that_came_after() {
    let now = Instant::now();
    let mut tree = running(Strategy::Rest, &THREE, now);
    let outputs = exited(&mut tree, 1, Fault::Own, now);
    assert_eq!(outputs, [Wait(1, WAIT), Stop(2)]);
    assert_eq!(exited(&mut tree, 2, Fault::None, now), []);
    assert_eq!(tree.waited(1), [Start(1)]);
    assert_eq!(tree.started(1, now), [Start(2)]);
    assert_eq!(tree.started(2, now), []);
    assert_eq!(exited(&mut tree, 2, Fault::Own, now), [Wait(2, WAIT)]);
}

#[test]
fn another_failure_while_others_are_stopped_waits_for_its_turn() {
    let now = Instant::now();
    let mut tree = running(Strategy::All, &THREE, now);
    let outputs = exited(&mut tree, 0, Fault::Own, now);
    assert_eq!(outputs, [Wait(0, WAIT), Stop(2)]);
    // The one in the middle fails on its own before it was asked to stop.
    assert_eq!(exited(&mut tree, 1, Fault::Own, now), []);
    assert_eq!(exited(&mut tree, 2, Fault::None, now), []);
    assert_eq!(tree.waited(0), [Start(0)]);
    assert_eq!(tree.started(0, now), [Start(1)]);
}

#[test]
fn a_transient_child_that_ends_well_and_a_temporary_one_are_not_restarted() {
    let now = Instant::now();
    let kinds = [
        Restart::Transient,
        Restart::Temporary,
        Restart::Temporary,
        Restart::Permanent,
    ];
    let mut tree = running(Strategy::All, &kinds, now);
    assert_eq!(exited(&mut tree, 0, Fault::None, now), []);
    assert_eq!(exited(&mut tree, 1, Fault::Own, now), []);
    assert_eq!(tree.children[1].phase, Phase::Stopped);
    // A restart of all brings back the transient one, and stops the temporary one for good.
    let outputs = exited(&mut tree, 3, Fault::None, now);
    assert_eq!(outputs, [Wait(3, WAIT), Stop(2)]);
    assert_eq!(exited(&mut tree, 2, Fault::None, now), [Start(0)]);
    assert_eq!(tree.started(0, now), []);
    assert_eq!(tree.waited(3), [Start(3)]);
    assert_eq!(tree.children[2].phase, Phase::Stopped);
}

#[test]
fn too_many_restarts_in_a_while_end_all_in_reverse_order() {
    let mut now = Instant::now();
    let mut tree = running(Strategy::One, &THREE, now);
    for _ in 0..5 {
        // Far enough apart they are not too many.
        now += Duration::from_secs(4);
        let outputs = exited(&mut tree, 0, Fault::Own, now);
        assert!(matches!(outputs[..], [Wait(0, _)]));
        assert_eq!(tree.waited(0), [Start(0)]);
        assert_eq!(tree.started(0, now), []);
    }
    assert_eq!(exited(&mut tree, 0, Fault::Own, now), [Stop(2)]);
    assert_eq!(exited(&mut tree, 2, Fault::None, now), [Stop(1)]);
    let why = "more than 3 restarts in 10s, the last: it failed".to_owned();
    assert_eq!(exited(&mut tree, 1, Fault::None, now), [End(Some(why))]);
}

#[test]
fn a_child_whose_place_is_not_reached_is_tried_for_ever_and_holds_up_who_depends_on_it() {
    let now = Instant::now();
    let limit = Limit {
        restarts: 3,
        within: Duration::from_secs(10),
    };
    for (strategy, others) in [(Strategy::Rest, false), (Strategy::One, true)] {
        let mut tree = Tree::new(strategy, limit);
        (0..2).for_each(|_| tree.add(Restart::Permanent, Backoff::new()));
        assert_eq!(tree.begin(), [Start(0)]);
        let floor = Duration::from_secs(31);
        for round in 0..20 {
            let outputs = tree.not_started(0, Fault::Place, "far", floor, (now, 0.0));
            let mut expected = vec![Wait(0, floor)];
            expected.extend((others && round == 0).then_some(Start(1)));
            assert_eq!(outputs, expected);
            if others && round == 0 {
                assert_eq!(tree.started(1, now), []);
            }
            assert_eq!(tree.waited(0), [Start(0)]);
        }
        let dependent = (!others).then_some(Start(1));
        assert_eq!(tree.started(0, now), Vec::from_iter(dependent));
    }
}

#[test]
fn a_shutdown_waits_for_what_is_being_started_and_stops_that_too() {
    let now = Instant::now();
    let mut tree = running(Strategy::One, &THREE, now);
    exited(&mut tree, 1, Fault::Own, now);
    assert_eq!(tree.waited(1), [Start(1)]);
    assert_eq!(tree.shut_down(), [Stop(2)]);
    assert_eq!(exited(&mut tree, 2, Fault::None, now), []);
    assert_eq!(tree.started(1, now), [Stop(1)]);
    assert_eq!(exited(&mut tree, 1, Fault::None, now), [Stop(0)]);
    assert_eq!(exited(&mut tree, 0, Fault::None, now), [End(None)]);
}

#[test]
fn a_child_that_was_stopped_by_hand_stays_so_until_it_is_started_by_hand() {
    let now = Instant::now();
    let mut tree = running(Strategy::All, &THREE, now);
    assert_eq!(tree.stop_child(1), [Stop(1)]);
    assert_eq!(exited(&mut tree, 1, Fault::None, now), []);
    assert_eq!(
        exited(&mut tree, 0, Fault::Own, now),
        [Wait(0, WAIT), Stop(2)]
    );
    assert_eq!(exited(&mut tree, 2, Fault::None, now), []);
    assert_eq!(tree.waited(0), [Start(0)]);
    assert_eq!(tree.started(0, now), [Start(2)]);
    assert_eq!(tree.started(2, now), []);
    assert_eq!(tree.start_child(1), [Start(1)]);
}
