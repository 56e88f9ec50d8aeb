//! A cluster of several hosts with addresses of their own, and cables that can be pulled.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/rig/mod.rs"]
mod rig;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rig::daemon::{Daemon, Plan, TEPUI};
use rig::hosts::{Hosts, address};
use rig::place::Place;
use rig::retrying::RUN;
use rig::{eventually, processes};
use serde_json::Value;
use tokio::sync::mpsc;

/// The host of the master, those of agents, and the one `tepui run` is typed on.
const MASTER: u8 = 1;
const AGENTS: [u8; 3] = [2, 3, 4];
const CLIENT: u8 = 5;
/// Longest time for everything to be as it should.
const SETTLED: Duration = Duration::from_secs(20);

/// A cluster, a daemon a host.
struct Cluster {
    agents: Vec<Daemon>,
    master: Daemon,
    /// Last, so that the hosts go after what runs on them.
    hosts: Hosts,
    place: Place,
}

impl Cluster {
    /// Starts it; none, and a word why, when this machine does not allow it.
    async fn start(test: &str) -> Option<Cluster> {
        let hosts = match Hosts::new(CLIENT) {
            Ok(hosts) => hosts,
            Err(why) => {
                // Past the capture of the test's output: whoever runs it should see this.
                let _ = std::io::Write::write_all(
                    &mut std::io::stderr(),
                    format!("{test}: {why}\n").as_bytes(),
                );
                return None;
            }
        };
        let place = Place::new(test);
        let start = |host: u8, command: &str, flags: &[&str]| {
            let name = format!("{command}-{host}");
            let mut words = vec![
                command.to_owned(),
                format!("--work-dir={}", place.make(&name).display()),
                format!("--hostname=host-{host}"),
                "--log-level=debug,libproc=info".to_owned(),
            ];
            words.extend(flags.iter().map(|flag| (*flag).to_owned()));
            let log = place.path().join(format!("{name}.log"));
            Daemon::start(Plan {
                before: hosts.on(host),
                words,
                log,
            })
        };
        let flags = [
            "--ip=10.231.0.1",
            "--agent-ping-timeout=1secs",
            "--max-agent-ping-timeouts=3",
        ];
        let master = start(MASTER, "master", &flags);
        // They find out by themselves at which address the master can reach them.
        let flags = [
            "--master=10.231.0.1",
            "--resources=cpus:1;mem:1024;disk:1024;ports:[]",
        ];
        let agents = AGENTS.map(|host| start(host, "agent", &flags)).into();
        let cluster = Cluster {
            agents,
            master,
            hosts,
            place,
        };
        cluster
            .await_states(&AGENTS.map(|host| (host, "active")))
            .await;
        Some(cluster)
    }

    fn command(&self, host: u8, words: &[&str]) -> Command {
        let mut on = self.hosts.on(host).into_iter();
        let mut command = Command::new(on.next().unwrap());
        command
            .args(on)
            .arg(TEPUI)
            .args(words)
            .env("TEPUI_MASTER", "10.231.0.1");
        command.env("RUST_BACKTRACE", "0").stdin(Stdio::null());
        command
    }

    /// Runs the command on a host to its end.
    async fn tepui(&self, host: u8, words: &[&str]) -> Output {
        let mut command = self.command(host, words);
        let run = tokio::task::spawn_blocking(move || command.output().unwrap());
        let run = tokio::time::timeout(Duration::from_secs(30), run).await;
        run.unwrap_or_else(|_| panic!("tepui {words:?} does not end"))
            .unwrap()
    }

    /// The agents as the master sees them.
    async fn agents(&self) -> Result<Vec<Value>, String> {
        let output = self.tepui(CLIENT, &["agents", "--json"]).await;
        match output.status.success() {
            true => Ok(serde_json::from_slice(&output.stdout).unwrap()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    /// Waits until the agents on these hosts are in these states, and no others are known.
    async fn await_states(&self, wanted: &[(u8, &str)]) {
        let wanted: BTreeMap<String, String> = wanted
            .iter()
            .map(|(host, state)| {
                (
                    format!("{}:{}", address(*host), api::AGENT_PORT),
                    (*state).to_owned(),
                )
            })
            .collect();
        eventually("agents are as they should be", SETTLED, || async {
            let agents = self.agents().await?;
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let states = agents
                .iter()
                .map(|agent| (text(&agent["address"]), text(&agent["state"])));
            let states: BTreeMap<_, _> = states.collect();
            if agents.len() == wanted.len() && states == wanted {
                Ok(())
            } else {
                Err(format!("{states:?}"))
            }
        })
        .await;
    }

    fn stop(&mut self) {
        for daemon in self.agents.iter_mut().chain([&mut self.master]) {
            let status = daemon.stop();
            assert!(
                status.is_some_and(|status| status.success()),
                "{status:?} {}",
                daemon.tail()
            );
        }
    }
}

/// A `tepui run --json` that goes on, and the events it prints.
struct Run {
    child: Child,
    events: mpsc::UnboundedReceiver<Value>,
}

impl Run {
    /// Holds one processor of each agent for a long time.
    fn hold(cluster: &Cluster) -> Run {
        let mark = format!("--env={RUN}={}", cluster.place.marker);
        let words = [
            "run",
            "--json",
            "--name=hold",
            "-n=3",
            "--cpus=1",
            &mark,
            "--",
            "sleep",
            "300",
        ];
        let mut command = cluster.command(CLIENT, &words);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let (sender, events) = mpsc::unbounded_channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(serde_json::from_str(&line).unwrap()).is_err() {
                    return;
                }
            }
        });
        Run { child, events }
    }

    /// Waits for news that tasks are in a state; gives each task's agent.
    async fn await_state(&mut self, state: &str, tasks: usize) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let mut others = Vec::new();
        while found.len() < tasks {
            let event = tokio::time::timeout(SETTLED, self.events.recv()).await;
            let event = event
                .unwrap_or_else(|_| panic!("no {state} after {others:?}"))
                .unwrap();
            let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
            match text("state") == state {
                true => drop(found.insert(text("id"), text("agent"))),
                false => others.push(event),
            }
        }
        found
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The processes of tasks.
fn task_processes(cluster: &Cluster) -> BTreeSet<i32> {
    processes::with_variable(RUN, &cluster.place.marker)
        .into_iter()
        .collect()
}

#[test]
fn commands_run_on_every_host_and_their_output_comes_back() {
    rig::run(Duration::from_secs(60), async {
        let Some(mut cluster) = Cluster::start("hosts").await else {
            return;
        };
        let words = [
            "run",
            "-n",
            "9",
            "--cpus=0.3",
            "--",
            "sh",
            "-c",
            "echo at $MESOS_AGENT_ENDPOINT",
        ];
        let output = cluster.tepui(CLIENT, &words).await;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(text.lines().count(), 9, "{text}");
        for line in text.lines() {
            let known = AGENTS
                .iter()
                .any(|host| line.ends_with(&format!("{}:5051", address(*host))));
            assert!(known, "{text}");
        }
        // From the machine of an agent and from that of the master it is the same.
        for host in [3, MASTER] {
            let output = cluster.tepui(host, &["run", "exit 7"]).await;
            assert_eq!(output.status.code(), Some(7), "{output:?}");
        }
        cluster.stop();
    });
}

#[test]
fn a_host_that_is_cut_off_is_missed_and_comes_back_with_its_tasks() {
    rig::run(Duration::from_secs(100), async {
        let Some(mut cluster) = Cluster::start("cut").await else {
            return;
        };
        let mut run = Run::hold(&cluster);
        let running = run.await_state("TASK_RUNNING", 3).await;
        assert_eq!(
            running.values().collect::<BTreeSet<_>>().len(),
            3,
            "one on each: {running:?}"
        );
        let before = task_processes(&cluster);
        assert_eq!(before.len(), 3);

        let begun = Instant::now();
        cluster.hosts.cut(3);
        let lost = run.await_state("TASK_UNREACHABLE", 1).await;
        println!("missed after {} ms", begun.elapsed().as_millis());
        cluster
            .await_states(&[(2, "active"), (3, "unreachable"), (4, "active")])
            .await;
        // The others work on meanwhile: their processors are taken, but memory is not.
        let output = cluster.tepui(CLIENT, &["status", "--json"]).await;
        let status: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(status["agents"], 2, "{status}");

        let begun = Instant::now();
        cluster.hosts.heal(3);
        let back = run.await_state("TASK_RUNNING", 1).await;
        println!("back after {} ms", begun.elapsed().as_millis());
        assert_eq!(
            back, lost,
            "the task that was out of sight is the one that runs"
        );
        cluster
            .await_states(&AGENTS.map(|host| (host, "active")))
            .await;
        assert_eq!(
            task_processes(&cluster),
            before,
            "every task is the process that it was"
        );

        kill(Pid::from_raw(run.child.id().cast_signed()), Signal::SIGINT).unwrap();
        run.await_state("TASK_KILLED", 3).await;
        let ended = tokio::task::spawn_blocking(move || run.child.wait().unwrap())
            .await
            .unwrap();
        assert_eq!(ended.code(), Some(130), "{ended}");
        eventually("the tasks are gone", SETTLED, || async {
            let left = task_processes(&cluster);
            if left.is_empty() { Ok(()) } else { Err(left) }
        })
        .await;
        cluster.stop();
    });
}

#[test]
fn tasks_end_when_the_host_of_their_run_is_cut_off() {
    rig::run(Duration::from_secs(100), async {
        let Some(mut cluster) = Cluster::start("client").await else {
            return;
        };
        let mut run = Run::hold(&cluster);
        run.await_state("TASK_RUNNING", 3).await;
        let begun = Instant::now();
        cluster.hosts.cut(CLIENT);
        eventually("the tasks are gone", Duration::from_secs(40), || async {
            let left = task_processes(&cluster);
            if left.is_empty() { Ok(()) } else { Err(left) }
        })
        .await;
        println!("tasks ended after {} ms", begun.elapsed().as_millis());
        let output = cluster.tepui(MASTER, &["ps", "--json"]).await;
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "[]");
        cluster.stop();
    });
}
