//! A framework on a node, with a probe for a master, on virtual time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::master::{
    Accept, Acknowledge, Decline, GetMaster, MasterSummary, Mastering, Reconcile, Subscribe,
    Teardown,
};
use api::scheduler::{Offers, Rejected, Rescind, Scheduling, Subscribed, Update};
use libproc::{Node, Pid, Probe};
use sdk::prelude::*;
use sdk::{Error, Handle, testing};
use types::{MasterInfo, Source, TaskStatus, UpdateId};

/// Launches one task an offer, notes what it sees, ends with the task `last`.
#[derive(Default)]
struct Noting {
    seen: Arc<Mutex<Vec<String>>>,
    kept: Vec<Offer>,
    keep: bool,
}

impl Noting {
    fn note(&self, what: impl Into<String>) {
        self.seen.lock().expect("nobody panics").push(what.into());
    }
}

impl Framework for Noting {
    fn on_subscribed(&mut self, _: Subscribed, _: &mut Calls) {
        self.note("subscribed");
    }

    fn on_offers(&mut self, offers: Vec<Offer>, calls: &mut Calls) {
        if self.keep {
            return self.kept.extend(offers);
        }
        let need = Resources::new().cpus(1.0);
        for offer in offers {
            let count = offer.resources.count(&need).min(1);
            calls.accept(&offer, (0..count).map(|_| Task::command("true", &need)));
        }
    }

    fn on_rescinded(&mut self, _: OfferId, _: &mut Calls) {
        self.note("rescinded");
    }

    fn on_update(&mut self, update: TaskUpdate, calls: &mut Calls) {
        self.note(update.state.to_string());
        if update.state == TaskState::Finished {
            calls.stop_with(ExitCode(7));
        }
    }

    fn on_disconnected(&mut self, calls: &mut Calls) {
        self.note("disconnected");
        if let Some(offer) = self.kept.pop() {
            calls.accept(&offer, [Task::command("late", &offer.resources)]);
        }
    }

    fn on_error(&mut self, reason: &str, _: &mut Calls) {
        self.note(reason);
    }

    fn on_timer(&mut self, token: u64, calls: &mut Calls) {
        self.note(format!("timer {token}"));
        calls.leave();
    }
}

struct Stage {
    node: Node,
    master: Option<Probe<Mastering>>,
    handle: Handle<Noting>,
    seen: Arc<Mutex<Vec<String>>>,
}

/// Runs on this thread, on virtual time.
fn paused(test: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime starts");
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

fn framework_id() -> FrameworkId {
    FrameworkId::new("framework").expect("a plain word")
}

fn subscribed() -> Subscribed {
    let master = MasterInfo {
        id: "m".into(),
        hostname: "localhost".into(),
        address: "127.0.0.1:5050".into(),
        version: "0.1.0".into(),
    };
    Subscribed {
        framework_id: framework_id(),
        master,
    }
}

fn summary() -> MasterSummary {
    MasterSummary {
        info: subscribed().master,
        started_ms: 0,
        agents: 0,
        frameworks: 0,
        tasks: 0,
        total: Resources::new(),
        used: Resources::new(),
    }
}

impl Stage {
    async fn new(framework: Noting) -> Stage {
        let node = Node::bind("127.0.0.1:0").await.expect("a free port");
        let master = node.probe::<Mastering>("master");
        let seen = framework.seen.clone();
        let info = FrameworkInfo::new("noting");
        let handle = sdk::start(&node, master.pid(), framework, info).expect("it starts");
        Stage {
            node,
            master: Some(master),
            handle,
            seen,
        }
    }

    /// With its subscription.
    async fn subscribed(framework: Noting) -> Stage {
        let mut stage = Stage::new(framework).await;
        let subscribe = stage.master().expect::<Subscribe>().await;
        assert_eq!(subscribe.info.id, None);
        assert_eq!(&subscribe.scheduler, stage.handle.pid());
        stage.node.tell(&subscribe.scheduler, subscribed());
        stage
    }

    fn master(&mut self) -> &mut Probe<Mastering> {
        self.master.as_mut().expect("the master is there")
    }

    fn scheduler(&self) -> Pid<Scheduling> {
        self.handle.pid().clone()
    }

    fn offer(&self, cpus: f64) -> Offer {
        let offer = testing::offer("a", Resources::new().cpus(cpus));
        self.node.tell(
            &self.scheduler(),
            Offers {
                offers: vec![offer.clone()],
            },
        );
        offer
    }

    fn update(&self, status: TaskStatus) {
        self.node.tell(&self.scheduler(), Update { status });
    }

    /// The task that is launched on an offer made for it.
    async fn launch(&mut self) -> TaskId {
        let offer = self.offer(4.0);
        let accept = self.master().expect::<Accept>().await;
        assert_eq!(accept.offer_ids, [offer.id]);
        let types::Operation::Launch { tasks } = &accept.operations[0] else {
            panic!("{accept:?}");
        };
        assert_eq!(tasks[0].validate(&framework_id(), &offer.agent_id), Ok(()));
        tasks[0].task_id.clone()
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("nobody panics").clone()
    }
}

fn status(task_id: &TaskId, state: TaskState) -> TaskStatus {
    let agent_id = AgentId::new("a").expect("a plain word");
    TaskStatus::new(task_id.clone(), state, Source::Executor, 0)
        .on(agent_id)
        .acknowledged_as(UpdateId::random())
}

#[test]
fn a_framework_runs_to_its_end_and_is_torn_down() {
    paused(async {
        let mut stage = Stage::subscribed(Noting::default()).await;
        let task_id = stage.launch().await;
        stage.update(status(&task_id, TaskState::Running));
        stage.master().expect::<Acknowledge>().await;
        stage.update(status(&task_id, TaskState::Finished));
        assert_eq!(
            stage.master().expect::<Teardown>().await.framework_id,
            framework_id()
        );
        stage
            .master()
            .receive::<GetMaster>()
            .await
            .answer(summary());
        assert_eq!(
            stage.handle.ended().await.expect("an exit code"),
            ExitCode(7)
        );
        assert_eq!(
            stage.seen(),
            ["subscribed", "TASK_RUNNING", "TASK_FINISHED"]
        );
        stage.node.shutdown().await;
    });
}

#[test]
fn an_offer_that_is_too_small_is_declined() {
    paused(async {
        let mut stage = Stage::subscribed(Noting::default()).await;
        let offer = stage.offer(0.5);
        let decline = stage.master().expect::<Decline>().await;
        assert_eq!(
            (decline.offer_ids, decline.filters),
            (vec![offer.id], Filters::default())
        );
        stage.node.shutdown().await;
    });
}

#[test]
fn a_silent_master_is_asked_again() {
    paused(async {
        let mut stage = Stage::new(Noting::default()).await;
        let began = tokio::time::Instant::now();
        for _ in 0..20 {
            stage.master().expect::<Subscribe>().await;
        }
        let took = began.elapsed();
        assert!(
            took > Duration::from_secs(60) && took < Duration::from_secs(300),
            "{took:?}"
        );
        stage.node.shutdown().await;
    });
}

#[test]
fn a_master_that_comes_back_finds_the_framework_with_its_tasks() {
    paused(async {
        let mut stage = Stage::subscribed(Noting::default()).await;
        let task_id = stage.launch().await;
        stage.master = None;
        tokio::time::sleep(Duration::from_secs(40)).await;
        assert_eq!(stage.seen(), ["subscribed", "disconnected"]);
        stage.master = Some(stage.node.probe::<Mastering>("master"));
        let subscribe = stage.master().expect::<Subscribe>().await;
        assert_eq!(subscribe.info.id, Some(framework_id()));
        stage.node.tell(&subscribe.scheduler, subscribed());
        let asked = stage.master().expect::<Reconcile>().await.tasks;
        assert_eq!(asked.len(), 1);
        assert_eq!(asked[0].task_id, task_id);
        let again = stage.master().expect::<Reconcile>().await.tasks;
        assert_eq!(again, asked, "it asks until there are news");
        stage.update(testing::update(&task_id, TaskState::Unreachable));
        stage
            .master()
            .expect_nothing(Duration::from_secs(3_000))
            .await;
        stage.node.shutdown().await;
    });
}

#[test]
fn a_repeated_update_is_acknowledged_again_and_seen_once() {
    paused(async {
        let mut stage = Stage::subscribed(Noting::default()).await;
        let task_id = stage.launch().await;
        let running = status(&task_id, TaskState::Running);
        for _ in 0..3 {
            stage.update(running.clone());
            let acknowledge = stage.master().expect::<Acknowledge>().await;
            assert_eq!(Some(acknowledge.update_id), running.update_id);
        }
        assert_eq!(stage.seen(), ["subscribed", "TASK_RUNNING"]);
        stage.node.shutdown().await;
    });
}

#[test]
fn an_offer_is_void_once_the_master_is_lost() {
    paused(async {
        let framework = Noting {
            keep: true,
            ..Noting::default()
        };
        let mut stage = Stage::subscribed(framework).await;
        let rescinded = stage.offer(1.0);
        stage.offer(1.0);
        stage.node.tell(
            &stage.scheduler(),
            Rescind {
                offer_id: rescinded.id,
            },
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(stage.seen(), ["subscribed", "rescinded"]);
        stage.master = None;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let late = [
            "subscribed",
            "rescinded",
            "rescinded",
            "disconnected",
            "TASK_DROPPED",
        ];
        assert_eq!(stage.seen(), late);
        stage.node.shutdown().await;
    });
}

#[test]
fn a_framework_that_is_refused_ends() {
    paused(async {
        let mut stage = Stage::new(Noting::default()).await;
        stage.master().expect::<Subscribe>().await;
        stage.node.tell(
            &stage.scheduler(),
            Rejected {
                reason: "no such role".into(),
            },
        );
        let error = stage.handle.ended().await.expect_err("it is refused");
        assert_eq!(
            error.to_string(),
            "the master refused the framework: no such role"
        );
        assert_eq!(stage.seen(), ["no such role"]);
        stage.node.shutdown().await;
    });
}

#[test]
fn a_visit_from_outside_is_a_turn_of_the_framework() {
    paused(async {
        let mut stage = Stage::subscribed(Noting::default()).await;
        let later = |_: &mut Noting, calls: &mut Calls| calls.after(Duration::from_secs(9), 4);
        assert!(stage.handle.remote().visit(later));
        assert_eq!(
            stage.handle.ended().await.expect("it leaves"),
            ExitCode::SUCCESS
        );
        assert_eq!(stage.seen(), ["subscribed", "timer 4"]);
        stage.master().expect_nothing(Duration::from_secs(60)).await;
        assert!(!stage.handle.remote().interrupt(Interrupt::CtrlC));
        stage.node.shutdown().await;
    });
}

#[test]
fn an_interrupted_framework_is_torn_down_even_when_the_master_does_not_answer() {
    paused(async {
        let mut stage = Stage::subscribed(Noting::default()).await;
        assert!(stage.handle.remote().interrupt(Interrupt::Terminate));
        stage.master().expect::<Teardown>().await;
        assert_eq!(stage.handle.ended().await.expect("a code"), ExitCode(143));
        stage.node.shutdown().await;
    });
}

#[test]
fn a_framework_that_panics_is_an_error_to_who_waits() {
    paused(async {
        let mut stage = Stage::subscribed(Noting::default()).await;
        stage.handle.remote().visit(|_, _| panic!("oh"));
        let error = stage.handle.ended().await.expect_err("it crashed");
        assert_eq!(error.to_string(), "the scheduler panicked: oh");
        stage.node.shutdown().await;
    });
}

#[test]
fn where_no_master_is_the_error_says_what_to_do() {
    paused(async {
        let node = Node::bind("127.0.0.1:0").await.expect("a free port");
        let absent: Pid<Mastering> = format!("master@{}", node.address())
            .parse()
            .expect("an address");
        let info = FrameworkInfo::new("lonely");
        let within = Some(Duration::from_secs(5));
        let started = sdk::start_within(&node, absent, Noting::default(), info, within);
        let error = started
            .expect("it starts")
            .ended()
            .await
            .expect_err("nobody is there");
        assert!(matches!(error, Error::NoMaster { .. }));
        assert!(
            error.to_string().contains("start one with `tepui up`"),
            "{error}"
        );
        node.shutdown().await;
    });
}
