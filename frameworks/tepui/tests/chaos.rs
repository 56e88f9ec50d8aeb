//! Processes of a cluster are killed, stopped and cut short, and nothing gets lost.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/rig/mod.rs"]
mod rig;

use std::collections::BTreeMap;
use std::fs;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use api::master::{AgentState, GetAgents, GetFrameworks, GetTasks};
use nix::sys::signal::Signal;
use rig::blows::deal_blows;
use rig::cluster::Cluster;
use rig::journal::{Line, Reader};
use rig::place::Place;
use rig::retrying::{self, Orders, RUN, TASK};
use rig::scheduler::{ORDERS, Scheduler};
use rig::watching::{await_all, task_processes, watch};
use rig::{eventually, processes};
use types::TaskState;

/// Agents are given up after three seconds of silence; a new master knows what is gone after five.
const MASTER_FLAGS: [&str; 3] = [
    "--agent-ping-timeout=1secs",
    "--max-agent-ping-timeouts=3",
    "--agent-reregister-timeout=5secs",
];
/// The tests here load the machine each for itself.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Not a test: what the others start as a framework that can be killed.
#[test]
fn a_framework_in_a_process_of_its_own() {
    let Ok(orders) = std::env::var(ORDERS) else {
        return;
    };
    let orders = serde_json::from_str(&orders).unwrap();
    let code = retrying::main(orders).unwrap_or_else(|error| panic!("the framework: {error}"));
    // Ended by a signal, as the test does it.
    assert_eq!(code.0, 143);
}

/// No task runs that the framework believes ended, but for a moment.
async fn await_no_stray_tasks(place: &Place, journal: &Reader) {
    eventually(
        "tasks that have ended for the framework are gone",
        SETTLED,
        || async {
            let words = journal.last_words();
            let ended = |task: &String| match words.get(task) {
                Some(Some(state)) => state.is_terminal(),
                Some(None) => false,
                None => true,
            };
            let marked = processes::with_variable(RUN, &place.marker);
            let tasks = marked
                .iter()
                .filter_map(|pid| processes::variable(*pid, TASK));
            let strays: Vec<String> = tasks.filter(ended).collect();
            if strays.is_empty() {
                Ok(())
            } else {
                Err(strays)
            }
        },
    )
    .await;
}

/// How long things may take to settle after the last blow.
const SETTLED: Duration = Duration::from_secs(15);

#[test]
fn every_task_is_accounted_for_whatever_is_killed() {
    let _alone = ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let seed = rig::seed("every_task_is_accounted_for_whatever_is_killed");
    rig::run(Duration::from_secs(120), async move {
        let place = Place::new("chaos");
        let resources = "cpus:0.5;mem:4096;disk:1024;ports:[]";
        let mut cluster = Cluster::start(&place, 3, &MASTER_FLAGS, resources).await;
        let mut scheduler = Scheduler::start(&place, &cluster, 200);
        let journal = scheduler.journal();
        let orphaned = deal_blows(&mut cluster, &mut scheduler, seed).await;
        await_no_stray_tasks(&place, &journal).await;
        let calm = Instant::now();
        eventually("the framework is done", Duration::from_secs(60), || async {
            match journal.is_done() {
                true => Ok(()),
                false => Err(unfinished(&journal)),
            }
        })
        .await;
        println!("done {} ms after the last blow", calm.elapsed().as_millis());
        scheduler.assert_alive();
        check_accounts(&cluster, &journal, &scheduler.orders).await;
        check_processes(&mut cluster, &place, &orphaned).await;
        scheduler.stop();
        eventually("the master has let the framework go", SETTLED, || async {
            let frameworks = cluster.ask(GetFrameworks {}).await?;
            let completed = |f: &api::master::FrameworkSummary| {
                f.state == api::master::FrameworkState::Completed
            };
            match frameworks.iter().all(completed) {
                true => Ok(()),
                false => Err(format!("{frameworks:?}")),
            }
        })
        .await;
        cluster.stop();
    });
}

fn unfinished(journal: &Reader) -> String {
    let words = journal.last_words();
    let live = |state: &Option<TaskState>| state.is_none_or(|state| !state.is_terminal());
    let open: BTreeMap<_, _> = words.iter().filter(|(_, state)| live(state)).collect();
    format!(
        "{} tasks were launched, without an end: {open:?}",
        words.len()
    )
}

/// Every task has a last word, none ran twice, and the master, the agents and the framework agree.
async fn check_accounts(cluster: &Cluster, journal: &Reader, orders: &Orders) {
    cluster.await_agents(SETTLED).await;
    eventually(
        "the books of master and agents agree that nothing runs",
        SETTLED,
        || async {
            match cluster.compare_books().await? {
                0 => Ok(()),
                tasks => Err(format!("{tasks} tasks are left")),
            }
        },
    )
    .await;
    let agents = cluster.ask(GetAgents {}).await.unwrap();
    let used = |agent: &&api::master::AgentSummary| !agent.used.is_empty() || agent.tasks > 0;
    let using: Vec<_> = agents.iter().filter(used).collect();
    assert!(
        using.is_empty(),
        "nothing runs, but something is used: {using:?}"
    );

    let words = journal.last_words();
    let silent: Vec<_> = words.iter().filter(|(_, state)| state.is_none()).collect();
    assert!(silent.is_empty(), "tasks without any word: {silent:?}");
    for (task, state) in &words {
        let state = state.unwrap();
        let over =
            state.is_terminal() || matches!(state, TaskState::Unreachable | TaskState::Unknown);
        assert!(
            over,
            "{task} is {state} for the framework, though nothing runs"
        );
    }
    let tasks = cluster
        .ask(GetTasks {
            framework_id: None,
            ended: true,
        })
        .await
        .unwrap();
    for task in tasks.iter().map(|summary| &summary.task) {
        let ours = words.get(task.task_id.as_str());
        let ours = ours
            .unwrap_or_else(|| panic!("{} was never launched", task.task_id))
            .unwrap();
        let seen = |state| matches!(state, TaskState::Finished | TaskState::Failed);
        let agree = ours == task.state || !(seen(ours) && seen(task.state));
        assert!(
            agree,
            "{} is {ours} for the framework, {} for the master",
            task.task_id, task.state
        );
    }
    let mut intended = 0;
    for entry in fs::read_dir(&orders.starts).unwrap().flatten() {
        let starts = fs::read_to_string(entry.path()).unwrap().lines().count();
        // None when it was killed between making the file and writing to it.
        assert!(starts <= 1, "{:?} ran {starts} times", entry.file_name());
        intended += 1;
    }
    let launches = journal
        .lines()
        .iter()
        .filter(|l| matches!(l, Line::Launched(..)))
        .count();
    println!("{launches} launches, {intended} ran");
    assert!(
        intended >= orders.works,
        "{intended} tasks ran for {} works",
        orders.works
    );
}

/// No process is left of any task, no zombie, no zygote whose agent is gone.
async fn check_processes(cluster: &mut Cluster, place: &Place, orphaned: &[i32]) {
    eventually("no process of a task is left", SETTLED, || async {
        let left = processes::with_variable(RUN, &place.marker);
        let all = processes::all();
        let left: Vec<_> = left.iter().filter_map(|pid| all.get(pid)).collect();
        if left.is_empty() {
            Ok(())
        } else {
            Err(format!("{left:?}"))
        }
    })
    .await;
    eventually("zygotes end with their agents", SETTLED, || async {
        let all = processes::all();
        let left = orphaned.iter().filter_map(|pid| all.get(pid));
        let left: Vec<_> = left
            .filter(|process| process.name.contains("tepui"))
            .collect();
        if left.is_empty() {
            Ok(())
        } else {
            Err(format!("{left:?}"))
        }
    })
    .await;
    let agents: Vec<i32> = cluster.agents.iter().map(|agent| agent.pid()).collect();
    eventually(
        "each agent has its zygote below it and nothing else",
        SETTLED,
        || async {
            let below = processes::below(&agents);
            let zombie = below.iter().any(|process| process.state == 'Z');
            match below.len() == agents.len() && !zombie {
                true => Ok(()),
                false => Err(format!("{below:?}")),
            }
        },
    )
    .await;
    for daemon in cluster.agents.iter_mut().chain([&mut cluster.master]) {
        daemon.assert_alive();
    }
}

#[test]
fn tasks_outlive_their_master() {
    const TASKS: usize = 200;
    let _alone = ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    rig::run(Duration::from_secs(90), async {
        let place = Place::new("failover");
        let resources = "cpus:4;mem:4096;disk:1024;ports:[]";
        let mut cluster = Cluster::start(&place, 3, &MASTER_FLAGS, resources).await;
        let (_framework, mut updates) = watch(&place, &cluster, "sleep 12", TASKS);
        await_all(
            &mut updates,
            TASKS,
            TaskState::Running,
            &[TaskState::Starting],
        )
        .await;
        let before = task_processes(&place);
        assert_eq!(
            before.len(),
            TASKS,
            "each task has a process, and none has ended yet"
        );

        let begun = Instant::now();
        cluster.master.kill();
        cluster.master.start_again();
        cluster.await_agents(SETTLED).await;
        println!("agents are back after {} ms", begun.elapsed().as_millis());
        assert_eq!(
            task_processes(&place),
            before,
            "every task is the process that it was"
        );
        let agree = || async {
            match cluster.compare_books().await? {
                TASKS => Ok(()),
                other => Err(format!("{other} tasks")),
            }
        };
        eventually("the new master has every task in its books", SETTLED, agree).await;

        let passing = [TaskState::Starting, TaskState::Running];
        let ended = await_all(&mut updates, TASKS, TaskState::Finished, &passing).await;
        assert!(
            ended.values().all(|update| update.exit_code == Some(0)),
            "{ended:?}"
        );
        assert!(
            updates.try_recv().is_err(),
            "the end of a task is told once"
        );
        eventually("nothing is left in the books", SETTLED, || async {
            match cluster.compare_books().await? {
                0 => Ok(()),
                other => Err(format!("{other} tasks")),
            }
        })
        .await;
        cluster.stop();
    });
}

#[test]
fn an_agent_that_is_stopped_is_missed_and_comes_back() {
    let _alone = ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    rig::run(Duration::from_secs(60), async {
        let place = Place::new("stopped");
        let resources = "cpus:4;mem:4096;disk:1024;ports:[]";
        let mut cluster = Cluster::start(&place, 1, &MASTER_FLAGS, resources).await;
        let (_framework, mut updates) = watch(&place, &cluster, "sleep 300", 5);
        await_all(&mut updates, 5, TaskState::Running, &[TaskState::Starting]).await;
        let before = task_processes(&place);
        let id = cluster.await_agents(SETTLED).await.remove(0).agent_id;

        let begun = Instant::now();
        cluster.agents[0].signal(Signal::SIGSTOP);
        let lost = await_all(
            &mut updates,
            5,
            TaskState::Unreachable,
            &[TaskState::Running],
        )
        .await;
        let after = begun.elapsed();
        println!("missed after {} ms", after.as_millis());
        assert!(
            lost.values()
                .all(|update| update.unreachable_since_ms.is_some()),
            "{lost:?}"
        );
        assert!(
            after < Duration::from_secs(8),
            "three pings of a second took {after:?}"
        );
        let agents = cluster.ask(GetAgents {}).await.unwrap();
        let state = agents
            .iter()
            .find(|agent| agent.agent_id == id)
            .map(|agent| agent.state);
        assert_eq!(state, Some(AgentState::Unreachable));

        let begun = Instant::now();
        cluster.agents[0].signal(Signal::SIGCONT);
        await_all(
            &mut updates,
            5,
            TaskState::Running,
            &[TaskState::Unreachable],
        )
        .await;
        println!("back after {} ms", begun.elapsed().as_millis());
        let agents = cluster.await_agents(SETTLED).await;
        assert_eq!(
            agents
                .iter()
                .map(|agent| &agent.agent_id)
                .collect::<Vec<_>>(),
            [&id]
        );
        assert_eq!(task_processes(&place), before, "its tasks have run on");
        eventually("the books agree", SETTLED, || async {
            match cluster.compare_books().await? {
                5 => Ok(()),
                other => Err(format!("{other} tasks")),
            }
        })
        .await;
        cluster.stop();
        eventually("its tasks end with it", SETTLED, || async {
            match task_processes(&place) {
                left if left.is_empty() => Ok(()),
                left => Err(left),
            }
        })
        .await;
    });
}
