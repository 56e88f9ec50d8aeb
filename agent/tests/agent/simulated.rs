//! Pretended commands, with real executors' manners, hours of them in no time.

use std::time::Duration;

use agent::Options;
use agent::simulated::SimulatedLauncher;
use api::agent::{AcknowledgeUpdate, Agenting, KillTask, RunTask};
use api::master::{Mastering, Register, UpdateStatus};
use libproc::{Node, Pid, Probe};
use tokio::time::Instant;
use types::{CommandInfo, Reason, Resources, Role, TaskId, TaskInfo, TaskState, TaskStatus};

use crate::rig::{SILENCE, command, framework, framework_id, paused, registered};

struct Simulation {
    node: Node,
    master: Probe<Mastering>,
    agent: Pid<Agenting>,
    launcher: SimulatedLauncher,
    _work_dir: tempfile::TempDir,
}

impl Simulation {
    async fn start() -> Simulation {
        let node = Node::bind("127.0.0.1:0").await.unwrap();
        let mut master = node.probe::<Mastering>("master");
        let work_dir = tempfile::tempdir().unwrap();
        let resources = Some(Resources::new().cpus(4.0).mem_mib(1024));
        let options = Options {
            resources,
            ..Options::new(master.pid(), work_dir.path())
        };
        let (launcher, events) = SimulatedLauncher::new(&node);
        let agent = agent::start(&node, options, Box::new(launcher.clone()), events).unwrap();
        master.expect::<Register>().await;
        node.tell(&agent, registered(SILENCE));
        Simulation {
            node,
            master,
            agent,
            launcher,
            _work_dir: work_dir,
        }
    }

    fn run(&self, id: &str, line: &str) {
        let (framework, role) = (framework(), Role::any());
        let task = TaskInfo {
            command: Some(CommandInfo::shell(line)),
            ..command(id)
        };
        self.node.tell(
            &self.agent,
            RunTask {
                framework,
                task,
                role,
            },
        );
    }

    async fn update(&mut self) -> TaskStatus {
        let UpdateStatus {
            framework_id,
            status,
            ..
        } = self.master.expect().await;
        let (task_id, update_id) = (status.task_id.clone(), status.update_id.unwrap());
        let message = AcknowledgeUpdate {
            framework_id,
            task_id,
            update_id,
        };
        self.node.tell(&self.agent, message);
        status
    }
}

#[test]
fn a_pretended_command_takes_its_time_and_ends_as_it_says() {
    paused(async {
        let mut simulation = Simulation::start().await;
        simulation.run("t", "sleep 1800; exit 3");
        assert_eq!(simulation.update().await.state, TaskState::Running);
        let running = Instant::now();
        let failed = simulation.update().await;
        assert_eq!(running.elapsed().as_secs(), 1_800);
        assert_eq!(
            (failed.state, failed.exit_code),
            (TaskState::Failed, Some(3))
        );
        simulation.run("u", "true");
        assert_eq!(simulation.update().await.state, TaskState::Running);
        assert_eq!(simulation.update().await.state, TaskState::Finished);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(simulation.launcher.running(), 0);
    });
}

#[test]
fn a_pretended_command_can_be_killed_and_can_crash() {
    paused(async {
        let mut simulation = Simulation::start().await;
        simulation.run("t", "sleep 3600");
        assert_eq!(simulation.update().await.state, TaskState::Running);
        let (framework_id, task_id) = (framework_id(), TaskId::new("t").unwrap());
        let kill = KillTask {
            framework_id,
            task_id,
            kill_policy: None,
        };
        simulation.node.tell(&simulation.agent, kill);
        assert_eq!(simulation.update().await.state, TaskState::Killed);
        simulation.run("u", "crash");
        let crashed = loop {
            let status = simulation.update().await;
            if status.state != TaskState::Running {
                break status;
            }
        };
        assert_eq!(crashed.state, TaskState::Failed);
        assert_eq!(crashed.reason, Some(Reason::CommandExecutorFailed));
        assert_eq!(
            crashed.message.as_deref(),
            Some("Executor terminated with signal 11")
        );
    });
}

#[test]
fn pretended_executors_end_with_their_agent() {
    paused(async {
        let mut simulation = Simulation::start().await;
        simulation.run("t", "sleep 3600");
        assert_eq!(simulation.update().await.state, TaskState::Running);
        agent::stop(&simulation.node, &simulation.agent, true).await;
        assert_eq!(simulation.update().await.state, TaskState::Killed);
        assert_eq!(simulation.launcher.running(), 0);
    });
}
