//! Jobs on a simulated cluster of the real master and agents, with faults: no job is lost, and none
//! runs twice unless it is tried again.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::time::Duration;

use cluster::{Cluster, Scheduler, Shape, faults, seeds, simulate};
use jobs::ids::JobId;
use jobs::job::Outcome;
use jobs::queue::{Limits, Queue};
use jobs::spec::{After, Array, Command, JobRef, On, Spec};
use sdk::prelude::*;
use state::{MemoryStorage, State};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

fn limits() -> Limits {
    Limits {
        patience: Duration::from_secs(30),
        ..Limits::default()
    }
}

/// A small flow: an array, a job after it, another array after that.
fn flow() -> Vec<Spec> {
    let spec = |key: &str, line: &str, runs, after: Option<&str>| {
        let after = after.map(|key| After {
            job: JobRef::Key(key.to_owned()),
            on: On::Success,
        });
        Spec {
            key: Some(key.to_owned()),
            need: Resources::new().cpus(0.5).mem_mib(64),
            array: Some(Array {
                first: 1,
                last: runs,
            }),
            after: after.into_iter().collect(),
            ..Spec::new(Command::Shell(line.to_owned()))
        }
    };
    vec![
        spec("split", "sleep 4", 30, None),
        spec("merge", "sleep 2", 1, Some("split")),
        spec("report", "sleep 3", 10, Some("merge")),
    ]
}

fn start(cluster: &Cluster) -> Scheduler<Queue> {
    let state = State::new(MemoryStorage::default());
    let info = FrameworkInfo::new("jobs");
    cluster.start_kept("jobs", info, Some(state), || Queue::new(limits()))
}

/// Submits until it is told that the jobs are there, as a client with keys can.
async fn submit(cluster: &Cluster, jobs: &Scheduler<Queue>, specs: Vec<Spec>) -> Vec<JobId> {
    let keys: Vec<String> = specs.iter().map(|spec| spec.key.clone().unwrap()).collect();
    loop {
        let (specs, keys) = (specs.clone(), keys.clone());
        let asked = jobs.ask(move |queue, calls| {
            drop(queue.submit(specs, calls)); // refused where it was taken in before
            keys.iter()
                .map(|key| queue.by_key(key))
                .collect::<Option<Vec<_>>>()
        });
        if let Some(Some(ids)) = asked.await {
            return ids;
        }
        cluster.sleep(SECOND).await;
    }
}

async fn open(jobs: &Scheduler<Queue>) -> Option<u64> {
    jobs.ask(|queue, _| queue.open()).await
}

async fn all_over(cluster: &Cluster, jobs: &Scheduler<Queue>) {
    for _ in 0..2 * HOUR.as_secs() {
        if open(jobs).await == Some(0) {
            return;
        }
        cluster.sleep(SECOND).await;
    }
    panic!("{:?} runs are open", open(jobs).await);
}

/// How often each run's commands really came to their end, as the agents saw it.
fn finished(cluster: &Cluster) -> BTreeMap<String, u32> {
    let mut finished = BTreeMap::new();
    cluster.tape("jobs", |tape| {
        for (task_id, told) in tape.tasks() {
            if told.last() == Some(TaskState::Finished) {
                let (run, _) = task_id.as_str().rsplit_once('-').unwrap();
                *finished.entry(run.to_owned()).or_insert(0) += 1;
            }
        }
    });
    finished
}

async fn check(cluster: &Cluster, jobs: &Scheduler<Queue>, ids: Vec<JobId>) {
    let outcomes = jobs.ask(move |queue, _| {
        let runs = ids.iter().flat_map(|id| &queue.job(*id).unwrap().runs);
        runs.map(|run| run.over().unwrap().outcome)
            .collect::<Vec<_>>()
    });
    let outcomes = outcomes.await.unwrap();
    assert_eq!(outcomes, vec![Outcome::Succeeded; 41]);
    let finished = finished(cluster);
    assert_eq!(finished.len(), 41, "no job is lost");
}

#[test]
fn a_flow_runs_to_its_end_each_run_once() {
    simulate(1, Shape::default(), async |cluster| {
        let jobs = start(&cluster);
        let ids = submit(&cluster, &jobs, flow()).await;
        all_over(&cluster, &jobs).await;
        check(&cluster, &jobs, ids).await;
        assert_eq!(cluster.truth(|truth| truth.started()), 41);
    });
}

#[test]
fn the_queue_crashes_again_and_again_and_no_run_is_launched_twice() {
    for seed in seeds(3) {
        simulate(seed, Shape::default(), async move |cluster| {
            let jobs = start(&cluster);
            let ids = submit(&cluster, &jobs, flow()).await;
            for round in 0..8 {
                cluster
                    .sleep(Duration::from_millis(900 + 250 * round))
                    .await;
                cluster.crash("jobs").await;
                cluster.sleep(Duration::from_millis(100 + 10 * seed)).await;
                cluster.restart("jobs").await;
            }
            all_over(&cluster, &jobs).await;
            cluster.settle().await;
            check(&cluster, &jobs, ids).await;
            assert!(finished(&cluster).values().all(|times| *times == 1));
            assert_eq!(
                cluster.truth(|truth| truth.started()),
                41,
                "none was tried again"
            );
        });
    }
}

#[test]
fn the_master_fails_over_and_no_run_is_launched_twice() {
    for seed in seeds(2) {
        simulate(seed, Shape::default(), async |cluster| {
            let jobs = start(&cluster);
            let ids = submit(&cluster, &jobs, flow()).await;
            cluster.sleep(3 * SECOND).await;
            cluster.crash("master").await;
            cluster.sleep(5 * SECOND).await;
            cluster.restart("master").await;
            all_over(&cluster, &jobs).await;
            check(&cluster, &jobs, ids).await;
            assert_eq!(
                cluster.truth(|truth| truth.started()),
                41,
                "none was tried again"
            );
        });
    }
}

#[test]
fn an_agent_is_lost_and_its_runs_are_tried_elsewhere() {
    for seed in seeds(2) {
        simulate(seed, Shape::default(), async |cluster| {
            let jobs = start(&cluster);
            let ids = submit(&cluster, &jobs, flow()).await;
            cluster.sleep(3 * SECOND).await;
            cluster.crash("agent-2").await;
            all_over(&cluster, &jobs).await;
            check(&cluster, &jobs, ids).await;
        });
    }
}

#[test]
fn whatever_fails_every_job_comes_to_its_end() {
    for seed in seeds(3) {
        simulate(seed, Shape::default(), async move |cluster| {
            let jobs = start(&cluster);
            let ids = submit(&cluster, &jobs, flow()).await;
            let masters = cluster.shape().master_hosts();
            let others = ["agent-1", "agent-2", "agent-3", "jobs"].map(str::to_owned);
            let episodes = faults::episodes(seed, &masters, &others, 8, 60 * SECOND);
            faults::play(&cluster, &episodes).await;
            cluster.heal().await;
            all_over(&cluster, &jobs).await;
            check(&cluster, &jobs, ids).await;
        });
    }
}
