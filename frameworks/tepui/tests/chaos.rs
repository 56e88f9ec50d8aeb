//! Processes of a cluster are killed, stopped and cut short, and nothing gets lost.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/rig/mod.rs"]
mod rig;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use api::master::{AgentState, GetAgents, GetFrameworks, GetTasks};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use rig::cluster::Cluster;
use rig::journal::{Line, Reader};
use rig::place::Place;
use rig::retrying::{self, Orders, RUN, TASK};
use rig::{eventually, processes};
use sdk::prelude::*;
use tokio::sync::mpsc;

/// The variable by which this program is told to be the framework of a test.
const ORDERS: &str = "TEPUI_TEST_ORDERS";
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

/// A framework in a process of its own.
struct Scheduler {
    orders: Orders,
    log: PathBuf,
    child: Child,
}

impl Scheduler {
    fn start(place: &Place, cluster: &Cluster, works: usize) -> Scheduler {
        let orders = Orders {
            master: cluster.master.address().to_string(),
            works,
            marker: place.marker.clone(),
            journal: place.path().join("journal"),
            starts: place.make("starts"),
        };
        let log = place.path().join("framework.log");
        let child = spawn(&orders, &log);
        Scheduler { orders, log, child }
    }

    fn journal(&self) -> Reader {
        Reader(self.orders.journal.clone())
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn start_again(&mut self) {
        self.child = spawn(&self.orders, &self.log);
    }

    fn assert_alive(&mut self) {
        let ended = self.child.try_wait().unwrap();
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        assert!(
            ended.is_none(),
            "the framework has ended: {ended:?}; its log: {log}"
        );
    }

    /// Ends it in order, its tasks with it.
    fn stop(&mut self) {
        kill(
            Pid::from_raw(self.child.id().cast_signed()),
            Signal::SIGTERM,
        )
        .unwrap();
        let status = self.child.wait().unwrap();
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        assert!(status.success(), "{status}; its log: {log}");
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(orders: &Orders, log: &PathBuf) -> Child {
    let log = File::options().create(true).append(true).open(log).unwrap();
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "a_framework_in_a_process_of_its_own",
            "--nocapture",
        ])
        .env(ORDERS, serde_json::to_string(orders).unwrap())
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// What chaos does next.
#[derive(Debug, Clone, Copy)]
enum Blow {
    Executor,
    Agent,
    Master,
    Framework,
    /// An agent and the framework while there is no master.
    Outage,
    /// An agent is stopped, perhaps for longer than the master waits.
    Freeze,
}

const BLOWS: [Blow; 10] = [
    Blow::Executor,
    Blow::Executor,
    Blow::Executor,
    Blow::Agent,
    Blow::Agent,
    Blow::Master,
    Blow::Master,
    Blow::Framework,
    Blow::Outage,
    Blow::Freeze,
];
/// How many there are at most.
const BLOWS_MAX: usize = 24;

/// Deals blows at random moments, until the framework is done. Gives the zygotes of agents that
/// were killed.
async fn deal_blows(cluster: &mut Cluster, scheduler: &mut Scheduler, seed: u64) -> Vec<i32> {
    let mut rng = StdRng::seed_from_u64(seed);
    let begun = Instant::now();
    let mut orphaned = Vec::new();
    for _ in 0..BLOWS_MAX {
        // One in four follows at once.
        let pause = if rng.random_bool(0.25) { 0 } else { rng.random_range(50..700) };
        tokio::time::sleep(Duration::from_millis(pause)).await;
        if scheduler.journal().is_done() {
            break;
        }
        let (blow, which) = (
            BLOWS[rng.random_range(0..BLOWS.len())],
            rng.random::<u32>() as usize,
        );
        println!("{:5} ms: {blow:?}", begun.elapsed().as_millis());
        match blow {
            Blow::Executor => {
                let zygotes = cluster.zygotes();
                let executors: Vec<i32> = zygotes
                    .iter()
                    .flat_map(|zygote| processes::children(*zygote))
                    .collect();
                if !executors.is_empty() {
                    // It may have ended by itself just now.
                    let pid = Pid::from_raw(executors[which % executors.len()]);
                    let _ = kill(pid, Signal::SIGKILL);
                }
            }
            Blow::Agent => {
                let count = cluster.agents.len();
                let agent = &mut cluster.agents[which % count];
                orphaned.extend(processes::children(agent.pid()));
                agent.kill();
                agent.start_again();
            }
            Blow::Master => {
                cluster.master.kill();
                cluster.master.start_again();
            }
            Blow::Framework => {
                scheduler.kill();
                scheduler.start_again();
            }
            Blow::Outage => {
                let count = cluster.agents.len();
                let agent = &mut cluster.agents[which % count];
                orphaned.extend(processes::children(agent.pid()));
                cluster.master.kill();
                agent.kill();
                scheduler.kill();
                agent.start_again();
                tokio::time::sleep(Duration::from_millis(rng.random_range(0..1_000))).await;
                scheduler.start_again();
                cluster.master.start_again();
            }
            Blow::Freeze => {
                let agent = &cluster.agents[which % cluster.agents.len()];
                agent.signal(Signal::SIGSTOP);
                tokio::time::sleep(Duration::from_millis(rng.random_range(100..4_500))).await;
                agent.signal(Signal::SIGCONT);
            }
        }
    }
    orphaned
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

/// A framework in the test itself, that launches so many tasks and remembers what it hears.
struct Watching {
    script: &'static str,
    marker: String,
    left: usize,
    heard: mpsc::UnboundedSender<TaskUpdate>,
}

impl Framework for Watching {
    fn on_offers(&mut self, offers: Vec<Offer>, calls: &mut Calls) {
        let need = Resources::new().cpus(0.01).mem_mib(1);
        for offer in offers {
            let count = (offer.resources.count(&need) as usize).min(self.left);
            let task = |number: usize| {
                let id = format!("t{}-{}", self.left - number, self.marker);
                Task::command(self.script, &need)
                    .id(TaskId::new(id.clone()).unwrap())
                    .env(RUN, &self.marker)
                    .env(TASK, id)
            };
            let tasks: Vec<_> = (0..count).map(task).collect();
            self.left -= count;
            calls.accept(&offer, tasks);
        }
    }

    fn on_update(&mut self, update: TaskUpdate, _: &mut Calls) {
        let _ = self.heard.send(update);
    }
}

/// Starts one in the node of the test.
fn watch(
    place: &Place,
    cluster: &Cluster,
    script: &'static str,
    tasks: usize,
) -> (sdk::Handle<Watching>, mpsc::UnboundedReceiver<TaskUpdate>) {
    let (heard, updates) = mpsc::unbounded_channel();
    let framework = Watching {
        script,
        marker: place.marker.clone(),
        left: tasks,
        heard,
    };
    let info = FrameworkInfo::new("watching");
    let handle = sdk::start(&cluster.node, cluster.master_pid(), framework, info).unwrap();
    (handle, updates)
}

/// Waits until so many tasks are in a state, and panics when one gets into another that is none
/// of `passing`.
async fn await_all(
    updates: &mut mpsc::UnboundedReceiver<TaskUpdate>,
    tasks: usize,
    state: TaskState,
    passing: &[TaskState],
) -> BTreeMap<TaskId, TaskUpdate> {
    let mut there = BTreeMap::new();
    while there.len() < tasks {
        let update = tokio::time::timeout(Duration::from_secs(40), updates.recv()).await;
        let missing = || format!("only {} of {tasks} became {state}", there.len());
        let update = update.unwrap_or_else(|_| panic!("{}", missing())).unwrap();
        if update.state == state {
            there.insert(update.task_id.clone(), update);
        } else {
            assert!(passing.contains(&update.state), "{update:?}; {}", missing());
        }
    }
    there
}

/// The first process of each task, by the task's id.
fn task_processes(place: &Place) -> BTreeMap<String, i32> {
    let marked = processes::with_variable(RUN, &place.marker)
        .into_iter()
        .rev();
    marked
        .filter_map(|pid| Some((processes::variable(pid, TASK)?, pid)))
        .collect()
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
