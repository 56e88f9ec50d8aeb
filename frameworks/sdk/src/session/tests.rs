//! What a session does, compared whole.

use api::master::ReconcileTask;
use rand::SeedableRng;
use types::{AgentId, CommandInfo, MasterInfo, Resources, TaskId, TaskInfo, UpdateId};
use types::{Filters, FrameworkCapability, Operation, Reason, Source, TaskState};

use super::*;
use crate::calls::Stop;
use crate::testing;

/// A session that keeps what it did last.
struct Scene {
    session: Session,
}

fn framework_id() -> FrameworkId {
    FrameworkId::new("framework").unwrap()
}

fn subscribed() -> Input {
    let master = MasterInfo {
        id: "m".into(),
        hostname: "localhost".into(),
        address: "127.0.0.1:5050".into(),
        version: "0.1.0".into(),
    };
    Input::Subscribed(Subscribed {
        framework_id: framework_id(),
        master,
    })
}

fn task(id: &str, offer: &Offer) -> TaskInfo {
    let command = CommandInfo::shell("true");
    TaskInfo::command(
        task_id(id),
        offer.agent_id.clone(),
        command,
        Resources::new().cpus(1.0),
    )
}

fn task_id(id: &str) -> TaskId {
    TaskId::new(id).unwrap()
}

fn accept(offer: &Offer, id: &str) -> Call {
    Call::Accept {
        offer_ids: vec![offer.id.clone()],
        operations: vec![Operation::Launch {
            tasks: vec![task(id, offer)],
        }],
        filters: Filters::default(),
    }
}

fn offer() -> Offer {
    testing::offer("a", Resources::new().cpus(4.0))
}

fn question(id: &str) -> ReconcileTask {
    ReconcileTask {
        task_id: task_id(id),
        agent_id: AgentId::new("a").ok(),
    }
}

fn tell_questions(tasks: Vec<ReconcileTask>) -> Output {
    Output::Tell(ToMaster::Reconcile(Reconcile {
        framework_id: framework_id(),
        tasks,
    }))
}

fn is_subscribe(output: &Output) -> bool {
    matches!(output, Output::Tell(ToMaster::Subscribe(..)))
}

impl Scene {
    fn new(info: FrameworkInfo) -> Scene {
        let patience = Some(Duration::from_secs(5));
        Scene {
            session: Session::new(info, patience, StdRng::seed_from_u64(7)),
        }
    }

    fn step(&mut self, input: Input) -> Vec<Output> {
        self.session.step(1_000, input)
    }

    fn running() -> Scene {
        let mut scene = Scene::new(FrameworkInfo::new("f"));
        scene.step(Input::Start);
        scene.step(subscribed());
        scene
    }

    /// Running, with the task `t` on the agent `a`.
    fn launched() -> Scene {
        let (mut scene, offer) = (Scene::running(), offer());
        scene.step(Input::Offers(vec![offer.clone()]));
        scene.step(Input::Called(accept(&offer, "t")));
        scene
    }

    /// The wait until the next attempt to subscribe, and its wake.
    fn next_attempt(outputs: &[Output]) -> (Duration, Input) {
        let wake = outputs.iter().find_map(|output| match output {
            Output::Wake(after, wake @ Wake::Subscribe(_)) => Some((*after, Input::Woken(*wake))),
            _ => None,
        });
        wake.expect("an attempt is ordered")
    }
}

#[test]
fn a_session_subscribes_at_once_and_then_less_and_less_often() {
    let mut scene = Scene::new(FrameworkInfo::new("f"));
    let mut outputs = scene.step(Input::Start);
    assert_eq!(outputs[0], Output::Link);
    assert!(is_subscribe(&outputs[1]));
    assert_eq!(
        outputs[3],
        Output::Wake(Duration::from_secs(5), Wake::GiveUp)
    );
    let mut longest_ms = 100;
    for _ in 0..12 {
        let (after, wake) = Scene::next_attempt(&outputs);
        let after_ms = after.as_millis() as u64;
        assert!(
            (longest_ms / 2..=longest_ms).contains(&after_ms),
            "{after_ms} of {longest_ms}"
        );
        longest_ms = (longest_ms * 2).min(15_000);
        outputs = scene.step(wake);
        assert!(is_subscribe(&outputs[1]));
    }
}

#[test]
fn an_outdated_wake_changes_nothing() {
    let mut scene = Scene::new(FrameworkInfo::new("f"));
    let first = Scene::next_attempt(&scene.step(Input::Start)).1;
    scene.step(Input::Broken);
    assert_eq!(scene.step(first), []);
    assert_eq!(Scene::running().step(Input::Woken(Wake::Subscribe(1))), []);
}

#[test]
fn nobody_who_answers_is_waited_for_in_vain() {
    let mut scene = Scene::new(FrameworkInfo::new("f"));
    scene.step(Input::Start);
    let end = scene.step(Input::Woken(Wake::GiveUp));
    assert_eq!(end, [Output::End(None, Ending::NoAnswer)]);
    let mut scene = Scene::new(FrameworkInfo::new("f"));
    scene.step(Input::Start);
    scene.step(Input::Broken);
    let end = scene.step(Input::Woken(Wake::GiveUp));
    assert_eq!(end, [Output::End(None, Ending::NoMaster)]);
    let mut scene = Scene::running();
    scene.step(Input::Broken);
    assert_eq!(scene.step(Input::Woken(Wake::GiveUp)), []);
}

#[test]
fn a_lost_master_takes_its_offers_with_it_and_is_looked_for_under_our_id() {
    let (mut scene, offer) = (Scene::running(), offer());
    scene.step(Input::Offers(vec![offer.clone()]));
    let outputs = scene.step(Input::Broken);
    assert_eq!(outputs[0], Output::Show(Event::Rescinded(offer.id)));
    assert_eq!(outputs[1], Output::Show(Event::Disconnected));
    let (after, wake) = Scene::next_attempt(&outputs);
    assert!(after <= Duration::from_millis(100));
    let outputs = scene.step(wake);
    let Output::Tell(ToMaster::Subscribe(info, _)) = &outputs[1] else {
        panic!("{outputs:?}");
    };
    assert_eq!(info.id, Some(framework_id()));
}

#[test]
fn a_restarted_framework_asks_for_everything_it_may_have_left() {
    let info = FrameworkInfo {
        id: Some(framework_id()),
        ..FrameworkInfo::new("f")
    };
    let mut scene = Scene::new(info);
    scene.step(Input::Start);
    let outputs = scene.step(subscribed());
    assert!(matches!(outputs[0], Output::Show(Event::Subscribed(_))));
    assert_eq!(outputs[1..], [tell_questions(vec![])]);
}

#[test]
fn a_subscription_under_another_id_is_not_ours() {
    let other = FrameworkId::new("other").ok();
    let mut scene = Scene::new(FrameworkInfo {
        id: other,
        ..FrameworkInfo::new("f")
    });
    scene.step(Input::Start);
    assert_eq!(scene.step(subscribed()), []);
}

#[test]
fn offers_of_others_and_offers_made_twice_are_not_shown() {
    let (mut scene, ours) = (Scene::running(), offer());
    let framework_id = FrameworkId::new("other").unwrap();
    let theirs = Offer {
        framework_id,
        ..offer()
    };
    let outputs = scene.step(Input::Offers(vec![ours.clone(), theirs, ours.clone()]));
    assert_eq!(outputs, [Output::Show(Event::Offers(vec![ours.clone()]))]);
    assert_eq!(scene.step(Input::Offers(vec![ours])), []);
}

#[test]
fn an_update_is_acknowledged_after_it_was_seen_and_seen_once() {
    let mut scene = Scene::launched();
    let update_id = UpdateId::random();
    let agent_id = AgentId::new("a").unwrap();
    let running = testing::update(&task_id("t"), TaskState::Running);
    let running = running.on(agent_id.clone()).acknowledged_as(update_id);
    let acknowledge = Output::Tell(ToMaster::Acknowledge(Acknowledge {
        framework_id: framework_id(),
        agent_id,
        task_id: task_id("t"),
        update_id,
    }));
    let shown = Output::Show(Event::Update(running.clone()));
    assert_eq!(
        scene.step(Input::Updated(running.clone())),
        [shown, acknowledge.clone()]
    );
    assert_eq!(scene.step(Input::Updated(running)), [acknowledge]);
}

#[test]
fn an_update_without_an_id_wants_no_acknowledgement() {
    let mut scene = Scene::launched();
    let lost = testing::update(&task_id("t"), TaskState::Dropped);
    let shown = [Output::Show(Event::Update(lost.clone()))];
    assert_eq!(scene.step(Input::Updated(lost)), shown);
}

#[test]
fn tasks_and_kills_are_asked_for_again_after_the_master_was_lost() {
    let mut scene = Scene::launched();
    let wake = Scene::next_attempt(&scene.step(Input::Broken)).1;
    let kill = Call::Kill {
        task_id: task_id("t"),
        kill_policy: None,
    };
    assert_eq!(scene.step(Input::Called(kill)), []);
    scene.step(wake);
    let outputs = scene.step(subscribed());
    let kill = Kill {
        framework_id: framework_id(),
        task_id: task_id("t"),
        agent_id: AgentId::new("a").ok(),
        kill_policy: None,
    };
    let expected = [
        tell_questions(vec![question("t")]),
        Output::Tell(ToMaster::Kill(kill)),
    ];
    assert_eq!(outputs[1..], expected);
}

#[test]
fn a_launched_task_without_news_is_asked_for() {
    let (mut scene, offer) = (Scene::running(), offer());
    scene.step(Input::Offers(vec![offer.clone()]));
    let tick = Output::Wake(TICK, Wake::Tick);
    let outputs = scene.step(Input::Called(accept(&offer, "t")));
    assert!(matches!(&outputs[..], [Output::Tell(ToMaster::Accept(_)), wake] if *wake == tick));
    assert_eq!(
        scene.step(Input::Woken(Wake::Tick)),
        std::slice::from_ref(&tick)
    );
    let outputs = scene.step(Input::Woken(Wake::Tick));
    assert_eq!(outputs, [tell_questions(vec![question("t")]), tick]);
    scene.step(Input::Updated(testing::update(
        &task_id("t"),
        TaskState::Running,
    )));
    assert_eq!(scene.step(Input::Woken(Wake::Tick)), []);
}

#[test]
fn a_launch_on_a_dead_offer_is_a_dropped_task() {
    let (mut scene, dead, alive) = (Scene::running(), offer(), offer());
    scene.step(Input::Offers(vec![dead.clone(), alive.clone()]));
    scene.step(Input::Rescinded(dead.id.clone()));
    let Call::Accept {
        mut offer_ids,
        operations,
        filters,
    } = accept(&dead, "t")
    else {
        unreachable!("made above");
    };
    offer_ids.push(alive.id.clone());
    let call = Call::Accept {
        offer_ids,
        operations,
        filters,
    };
    let outputs = scene.step(Input::Called(call));
    let given_back = Output::Tell(ToMaster::Decline(Decline {
        framework_id: framework_id(),
        offer_ids: vec![alive.id],
        filters: Filters::NONE,
    }));
    let dropped = TaskStatus::new(task_id("t"), TaskState::Dropped, Source::Master, 1_000)
        .because(Reason::InvalidOffers, "the offer is no longer there")
        .on(dead.agent_id);
    assert_eq!(
        outputs,
        [given_back, Output::Again(Input::Dropped(dropped.clone()))]
    );
    let shown = scene.step(Input::Dropped(dropped.clone()));
    assert_eq!(shown, [Output::Show(Event::Update(dropped))]);
}

#[test]
fn a_launch_while_the_master_is_away_is_a_lost_task_for_who_knows_no_partitions() {
    let mut info = FrameworkInfo::new("f");
    info.capabilities
        .remove(&FrameworkCapability::PartitionAware);
    let (mut scene, offer) = (Scene::new(info), offer());
    let outputs = scene.step(Input::Called(accept(&offer, "t")));
    let [Output::Again(Input::Dropped(status))] = &outputs[..] else {
        panic!("{outputs:?}");
    };
    assert_eq!(status.state, TaskState::Lost);
    assert_eq!(status.reason, Some(Reason::MasterDisconnected));
}

#[test]
fn suppression_outlives_the_master() {
    let mut scene = Scene::running();
    scene.step(Input::Called(Call::Suppress { roles: vec![] }));
    let wake = Scene::next_attempt(&scene.step(Input::Broken)).1;
    let outputs = scene.step(wake);
    let suppressed = |output: &Output| match output {
        Output::Tell(ToMaster::Subscribe(_, suppressed)) => suppressed.clone(),
        _ => panic!("{output:?}"),
    };
    assert_eq!(suppressed(&outputs[1]), [Role::any()]);
    scene.step(Input::Called(Call::Revive { roles: vec![] }));
    let outputs = scene.step(Scene::next_attempt(&outputs).1);
    assert_eq!(suppressed(&outputs[1]), []);
}

#[test]
fn an_answered_offer_is_not_rescinded_and_not_answered_twice() {
    let (mut scene, offer) = (Scene::running(), offer());
    scene.step(Input::Offers(vec![offer.clone()]));
    let decline = Call::Decline {
        offer_ids: vec![offer.id.clone()],
        filters: Filters::NONE,
    };
    assert_eq!(scene.step(Input::Called(decline.clone())).len(), 1);
    assert_eq!(scene.step(Input::Called(decline)), []);
    assert_eq!(scene.step(Input::Rescinded(offer.id)), []);
}

#[test]
fn who_is_done_is_torn_down_and_who_leaves_is_not() {
    let done = Call::Stop(Stop::Done(ExitCode(3)));
    let end = Output::End(Some(framework_id()), Ending::Code(ExitCode(3)));
    let mut scene = Scene::running();
    assert_eq!(scene.step(Input::Called(done.clone())), [end]);
    assert_eq!(scene.step(Input::Broken), []);
    let leave = Call::Stop(Stop::Leave(ExitCode::SUCCESS));
    let end = Output::End(None, Ending::Code(ExitCode::SUCCESS));
    assert_eq!(Scene::running().step(Input::Called(leave)), [end]);
    let mut unknown = Scene::new(FrameworkInfo::new("f"));
    unknown.step(Input::Start);
    let end = Output::End(None, Ending::Code(ExitCode(3)));
    assert_eq!(unknown.step(Input::Called(done)), [end]);
}

#[test]
fn a_refusal_is_shown_and_the_end() {
    let outputs = Scene::running().step(Input::Rejected("gone".into()));
    let shown = Output::Show(Event::Error("gone".into()));
    assert_eq!(
        outputs,
        [shown, Output::End(None, Ending::Rejected("gone".into()))]
    );
}

#[test]
fn news_before_the_subscription_are_not_shown() {
    let mut scene = Scene::new(FrameworkInfo::new("f"));
    scene.step(Input::Start);
    let status = testing::update(&task_id("t"), TaskState::Running);
    assert_eq!(scene.step(Input::Updated(status)), []);
    assert_eq!(scene.step(Input::Offers(vec![offer()])), []);
}
