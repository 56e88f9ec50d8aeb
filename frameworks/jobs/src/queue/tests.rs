//! What a queue promises, on a stage where everything fails that can.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use sdk::Calls;
use sdk::testing::{Played, Stage};
use types::{Resources, TaskState};

use super::{Limits, Queue, Refused};
use crate::ids::{JobId, RunId, Target};
use crate::job::{Outcome, RunState};
use crate::spec::{After, Array, Command, JobRef, On, Spec};

const HOUR: Duration = Duration::from_secs(3_600);

fn shell(line: &str) -> Spec {
    Spec::new(Command::Shell(line.to_owned()))
}

fn keyed(key: &str, after: &[&str]) -> Spec {
    let after = after.iter().map(|key| After {
        job: JobRef::Key((*key).to_owned()),
        on: On::Success,
    });
    Spec {
        key: Some(key.to_owned()),
        after: after.collect(),
        ..shell("sleep 1")
    }
}

fn stage(seed: u64) -> Stage<Queue> {
    let room = || {
        Resources::new()
            .cpus(4.0)
            .mem_mib(4_096)
            .ports(31_000..=31_009)
    };
    Stage::new(seed, || Queue::new(Limits::default()))
        .agent("agent-1", room())
        .agent("agent-2", room())
}

/// Submits until it is told that the jobs are kept, as a client does; a key tells whether they were.
fn submit(stage: &mut Stage<Queue>, specs: Vec<Spec>) -> Vec<JobId> {
    let key = specs[0]
        .key
        .clone()
        .expect("a client that tries again gives keys");
    loop {
        drop(stage.visit(|queue, calls| queue.submit(specs.clone(), calls)));
        if stage.framework().by_key(&key).is_some() {
            let id = |spec: &Spec| {
                stage
                    .framework()
                    .by_key(spec.key.as_ref().unwrap())
                    .unwrap()
            };
            return specs.iter().map(id).collect();
        }
    }
}

fn outcome(queue: &Queue, job: JobId, place: u32) -> Outcome {
    let run = queue.run(RunId { job, place }).unwrap();
    run.over()
        .unwrap_or_else(|| panic!("{job} {place}: {run:?}"))
        .outcome
}

/// The books of a queue add up.
fn check(queue: &Queue) {
    let runs = || queue.jobs.values().flat_map(|job| &job.runs);
    assert_eq!(
        queue.open,
        runs().filter(|run| !run.is_over()).count() as u64
    );
    assert_eq!(
        queue.active,
        runs().filter(|run| run.active().is_some()).count() as u64
    );
    let ready = queue
        .jobs
        .values()
        .filter(|job| job.blocked == 0)
        .flat_map(|job| &job.runs);
    let queued = ready
        .filter(|run| matches!(run.state, RunState::Queued))
        .count();
    assert_eq!(queue.pending.count(), queued as u64);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// No job is lost, none succeeds twice, none begins before what it depends on has ended, and
    /// tries that fail are as many as allowed: whatever crashes, is lost, or fails.
    #[test]
    fn every_job_comes_to_its_end_once(
        seed in 0_u64..1_000_000,
        crashing in prop_oneof![Just(0.0), Just(0.02), Just(0.1)],
        jobs in proptest::collection::vec((1_u32..6, 0_u32..3, 0_usize..4, 0_usize..4), 1..12),
        loses_agent in any::<bool>(),
    ) {
        let mut stage = stage(seed).crashing(crashing).script(|_, rng| {
            use rand::Rng as _;
            Played {
                after: Duration::from_millis(rng.random_range(0..30_000)),
                end: if rng.random_bool(0.2) { TaskState::Failed } else { TaskState::Finished },
            }
        });
        let specs: Vec<_> = jobs.iter().enumerate().map(|(number, (runs, retries, first, second))| {
            let mut spec = keyed(&format!("job-{number}"), &[]);
            for before in [first, second] {
                if *before < number {
                    let job = JobRef::Key(format!("job-{before}"));
                    spec.after.push(After { job, on: On::Any });
                }
            }
            spec.array = Some(Array { first: 1, last: *runs });
            spec.retries.most = *retries;
            spec.user = format!("user-{}", number % 3);
            spec.priority = (number % 3) as i8;
            spec
        }).collect();
        let ids = submit(&mut stage, specs.clone());
        stage.run(Duration::from_secs(20));
        if loses_agent {
            stage.lose_agent("agent-1");
        }
        stage.run(Duration::from_secs(20));
        stage.lose_master();
        prop_assert!(stage.until(50 * HOUR, |queue| queue.open() == 0), "{:?}", stage.framework().jobs);
        stage.set_crashing(0.0);
        stage.run(HOUR);
        check(stage.framework());

        let mut finished: BTreeMap<RunId, u32> = BTreeMap::new();
        let mut failed: BTreeMap<RunId, u32> = BTreeMap::new();
        let mut first_launch: BTreeMap<JobId, u64> = BTreeMap::new();
        let mut last_end: BTreeMap<JobId, u64> = BTreeMap::new();
        for (task_id, actual) in stage.tasks() {
            let (run, _) = RunId::of_task(task_id).unwrap();
            match actual.state {
                TaskState::Finished => *finished.entry(run).or_default() += 1,
                TaskState::Failed => *failed.entry(run).or_default() += 1,
                other => prop_assert!(other.is_terminal(), "{task_id} is {other}"),
            }
            let first = first_launch.entry(run.job).or_insert(u64::MAX);
            *first = actual.launched_ms.min(*first);
            let last = last_end.entry(run.job).or_insert(0);
            *last = actual.ended_ms.unwrap_or(0).max(*last);
        }
        for (spec, id) in specs.iter().zip(&ids) {
            for place in 0..spec.runs() {
                let run = RunId { job: *id, place };
                let failures = failed.get(&run).copied().unwrap_or(0);
                match outcome(stage.framework(), *id, place) {
                    Outcome::Succeeded => {
                        prop_assert_eq!(finished.get(&run), Some(&1));
                        prop_assert!(failures <= spec.retries.most);
                    }
                    Outcome::Failed => {
                        prop_assert_eq!(finished.get(&run), None);
                        prop_assert_eq!(failures, spec.retries.most + 1);
                    }
                    other => prop_assert!(false, "{run:?} ended {other:?}"),
                }
            }
            for after in &spec.after {
                let JobRef::Key(key) = &after.job else { continue };
                let before = stage.framework().by_key(key).unwrap();
                prop_assert!(first_launch[id] >= last_end[&before], "{id} ran before {before} ended");
            }
        }
    }

    /// Two users who want all there is get half of it each, whoever came first, within one run.
    #[test]
    fn users_share_fairly(first in 20_u32..60, second in 20_u32..60) {
        let mut stage = stage(1);
        for (user, runs) in [("ann", first), ("bob", second)] {
            let mut spec = shell("sleep 1000");
            spec.user = user.to_owned();
            spec.need = Resources::new().cpus(0.5);
            spec.array = Some(Array { first: 1, last: runs });
            stage.visit(|queue, calls| queue.submit(vec![spec], calls)).unwrap();
        }
        stage.run(Duration::from_secs(1));
        let of = |user: &str| {
            let jobs = stage.framework().jobs.values().filter(|job| job.spec.user == user);
            jobs.flat_map(|job| &job.runs).filter(|run| run.active().is_some()).count()
        };
        prop_assert_eq!((of("ann"), of("bob")), (8, 8));
    }
}

#[test]
fn what_comes_first_by_priority_then_by_time_runs_first() {
    let room = Resources::new().cpus(4.0).mem_mib(4_096);
    let mut stage = Stage::new(1, || Queue::new(Limits::default())).agent("agent", room);
    let mut submit = |priority, name: &str| {
        let mut spec = shell("sleep 10");
        spec.need = Resources::new().cpus(4.0);
        (spec.priority, spec.name) = (priority, Some(name.to_owned()));
        stage
            .visit(|queue, calls| queue.submit(vec![spec], calls))
            .unwrap();
    };
    for (priority, name) in [(0, "a"), (0, "b"), (19, "c"), (-20, "d"), (0, "e")] {
        submit(priority, name);
    }
    assert!(stage.until(HOUR, |queue| queue.open() == 0));
    let mut tasks: Vec<_> = stage.tasks().values().collect();
    tasks.sort_by_key(|actual| (actual.launched_ms, actual.task.task_id.clone()));
    let order: Vec<_> = tasks
        .iter()
        .map(|actual| actual.task.name.as_str())
        .collect();
    assert_eq!(order, ["d", "a", "b", "e", "c"]);
}

#[test]
fn what_depends_on_something_that_ends_otherwise_is_skipped_and_so_is_what_depends_on_it() {
    let mut stage = stage(1);
    let fails = Spec {
        command: Command::Shell("false".to_owned()),
        ..keyed("fails", &[])
    };
    let mut on_failure = keyed("cleans-up", &["fails"]);
    on_failure.after[0].on = On::Failure;
    let specs = vec![
        keyed("last", &["then"]),
        keyed("then", &["fails"]),
        fails,
        on_failure,
    ];
    let ids = stage
        .visit(|queue, calls| queue.submit(specs, calls))
        .unwrap();
    let why = stage
        .framework()
        .why(RunId {
            job: ids[0],
            place: 0,
        })
        .unwrap();
    assert_eq!(why.to_string(), format!("waits for job {} to end", ids[1]));
    assert!(stage.until(HOUR, |queue| queue.open() == 0));
    let outcomes: Vec<_> = ids
        .iter()
        .map(|id| outcome(stage.framework(), *id, 0))
        .collect();
    let skipped = Outcome::Skipped;
    assert_eq!(
        outcomes,
        [skipped, skipped, Outcome::Failed, Outcome::Succeeded]
    );
    let over = stage.framework().job(ids[1]).unwrap().runs[0]
        .over()
        .unwrap();
    let reason = format!("job {}, on which it depends, has not succeeded", ids[2]);
    assert_eq!(over.reason.as_deref(), Some(reason.as_str()));
    check(stage.framework());
}

#[test]
fn what_cannot_be_is_refused_with_the_reason_and_nothing_of_it_is_taken_in() {
    let (mut queue, mut calls) = (Queue::new(Limits::default()), Calls::default());
    let there = queue.submit(vec![keyed("there", &[])], &mut calls).unwrap()[0];
    calls.take();
    let mut refuse = |specs: Vec<Spec>| queue.submit(specs, &mut calls).unwrap_err().to_string();
    assert_eq!(
        refuse(vec![keyed("there", &[])]),
        format!("there is a job {there} of the key \"there\" already")
    );
    assert_eq!(
        refuse(vec![keyed("a", &[]), keyed("a", &[])]),
        "two jobs of the submission have the key \"a\""
    );
    assert_eq!(
        refuse(vec![keyed("a", &["nowhere"])]),
        "there is no job nowhere to depend on"
    );
    let circle = vec![keyed("a", &["c"]), keyed("b", &["a"]), keyed("c", &["b"])];
    assert_eq!(
        refuse(circle),
        "the jobs a → c → b wait for each other in a circle"
    );
    assert_eq!(
        refuse(vec![keyed("a", &["a"])]),
        "the jobs a wait for each other in a circle"
    );
    assert_eq!(refuse(vec![]), "a submission has 1 to 10000 jobs");
    let app = Spec {
        app: "none".to_owned(),
        ..shell("true")
    };
    assert_eq!(
        refuse(vec![app]),
        "there is no application \"none\": load it first"
    );
    assert_eq!(calls.take(), []);
    assert_eq!(queue.open(), 1);
}

#[test]
fn a_queue_that_is_full_says_so() {
    let limits = Limits {
        open_max: 10,
        ..Limits::default()
    };
    let (mut queue, mut calls) = (Queue::new(limits), Calls::default());
    let array = Spec {
        array: Some(Array { first: 0, last: 9 }),
        ..shell("true")
    };
    queue.submit(vec![array], &mut calls).unwrap();
    let full = Refused::Full { open: 10, most: 10 };
    assert_eq!(queue.submit(vec![shell("true")], &mut calls), Err(full));
}

#[test]
fn a_job_is_killed_whether_it_waits_or_runs() {
    let mut stage = stage(1);
    let mut array = shell("sleep 1000");
    array.array = Some(Array { first: 5, last: 24 });
    let id = stage
        .visit(|queue, calls| queue.submit(vec![array], calls))
        .unwrap()[0];
    stage.run(Duration::from_secs(5));
    assert_eq!(stage.framework().counts(), (12, 8));
    let one = stage.framework().runs_of(Target {
        job: id,
        index: Some(24),
    });
    assert_eq!(one, [RunId { job: id, place: 19 }]);
    stage.visit(|queue, calls| assert!(queue.kill(one[0], calls)));
    assert_eq!(stage.framework().counts(), (11, 8));
    stage.visit(|queue, calls| {
        for run in queue.runs_of(Target {
            job: id,
            index: None,
        }) {
            queue.kill(run, calls);
        }
    });
    assert!(stage.until(HOUR, |queue| queue.open() == 0));
    assert!((0..20).all(|place| outcome(stage.framework(), id, place) == Outcome::Killed));
    check(stage.framework());
}

#[test]
fn jobs_that_ended_first_are_forgotten_when_there_are_too_many() {
    let limits = Limits {
        ended_max: 5,
        ..Limits::default()
    };
    let mut stage = Stage::new(1, move || Queue::new(limits))
        .agent("a", Resources::new().cpus(1.0).mem_mib(64));
    for _ in 0..9 {
        stage
            .visit(|queue, calls| queue.submit(vec![shell("sleep 1")], calls))
            .unwrap();
    }
    assert!(stage.until(HOUR, |queue| queue.open() == 0));
    stage.crash();
    let left: Vec<_> = stage.framework().jobs.keys().map(|id| id.0).collect();
    assert_eq!(left, [5, 6, 7, 8, 9]);
    let next = stage
        .visit(|queue, calls| queue.submit(vec![shell("true")], calls))
        .unwrap();
    assert_eq!(next, [JobId(10)], "no name is given twice");
}

#[test]
fn ports_are_given_and_told() {
    let mut stage = stage(1);
    let spec = Spec {
        ports: 6,
        ..shell("sleep 100")
    };
    for _ in 0..3 {
        stage
            .visit(|queue, calls| queue.submit(vec![spec.clone()], calls))
            .unwrap();
    }
    stage.run(Duration::from_secs(10));
    assert_eq!(
        stage.framework().counts(),
        (1, 2),
        "ten ports are enough for one of them"
    );
    for actual in stage.tasks().values() {
        assert_eq!(actual.task.resources.total_ports().len(), 6);
        let env = &actual.task.command.as_ref().unwrap().environment.0;
        assert!(
            env.contains_key("PORT0") && env.contains_key("PORT5") && !env.contains_key("PORT6")
        );
    }
}
