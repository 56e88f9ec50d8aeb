//! Groups of commands, through our own executor for them.

use api::agent::RunGroup;
use types::FrameworkCapability;

use super::*;

impl Cluster {
    fn run_group(&self, tasks: Vec<TaskInfo>) {
        let resources = Resources::new().cpus(0.1).mem_mib(32);
        let executor = ExecutorInfo::group(ExecutorId::new("pod").unwrap(), resources);
        let message = RunGroup {
            framework: framework(),
            executor,
            tasks,
            role: Role::any(),
        };
        self.node.tell(&self.agent, message);
    }

    fn kill(&self, task: &str) {
        let message = KillTask {
            framework_id: framework().id.unwrap(),
            task_id: TaskId::new(task).unwrap(),
            kill_policy: None,
        };
        self.node.tell(&self.agent, message);
    }

    /// The next updates, until so many tasks have ended.
    async fn until_over(&mut self, mut tasks: usize) -> Vec<(String, TaskState)> {
        let mut told = Vec::new();
        while tasks > 0 {
            let update = self.master.await_one::<UpdateStatus>().await.message;
            let state = update.status.state;
            tasks -= usize::from(state.is_terminal());
            told.push((update.status.task_id.to_string(), state));
            self.acknowledge(update);
        }
        told
    }

    fn acknowledge(&self, update: UpdateStatus) {
        let message = AcknowledgeUpdate {
            framework_id: update.framework_id,
            task_id: update.status.task_id,
            update_id: update.status.update_id.unwrap(),
        };
        self.node.tell(&self.agent, message);
    }
}

/// What was told of one task.
fn of(told: &[(String, TaskState)], task: &str) -> Vec<TaskState> {
    let own = told.iter().filter(|(name, _)| name == task);
    own.map(|(_, state)| *state).collect()
}

pub(crate) fn a_group_shares_a_sandbox_and_ends_task_by_task() {
    with_agent(async |mut cluster: Cluster| {
        assert!(framework().has(FrameworkCapability::TaskKillingState));
        cluster.run_group(vec![
            task(
                "writer",
                CommandInfo::shell("echo hello > shared; echo wrote"),
            ),
            task(
                "reader",
                CommandInfo::shell("until [ -s shared ]; do sleep 0.01; done; cat shared"),
            ),
        ]);
        let told = cluster.until_over(2).await;
        let expected = [TaskState::Starting, TaskState::Running, TaskState::Finished];
        assert_eq!(of(&told, "writer"), expected);
        assert_eq!(of(&told, "reader"), expected);
        assert_eq!(cluster.read_all("reader", "stdout").await, "hello\n");
        assert_eq!(cluster.read_all("writer", "stdout").await, "wrote\n");
        assert_eq!(cluster.read_all("writer", "../../shared").await, "hello\n");
        assert_eq!(
            cluster.read("writer", "../../../x").await,
            Err(FileError::NotFound)
        );
        cluster
    });
}

pub(crate) fn a_group_is_killed_with_one_of_its_tasks_and_another_is_not() {
    with_agent(async |mut cluster: Cluster| {
        let sleep = || CommandInfo::shell("exec sleep 1000");
        cluster.run_group(vec![task("a", sleep()), task("b", sleep())]);
        for _ in 0..4 {
            cluster.update().await;
        }
        cluster.run_group(vec![task("c", sleep())]);
        assert_eq!(cluster.update().await.state, TaskState::Starting);
        assert_eq!(cluster.update().await.state, TaskState::Running);
        cluster.kill("a");
        let mut told = Vec::new();
        while told.len() < 4 {
            let status = cluster.update().await;
            told.push((status.task_id.to_string(), status.state));
        }
        let killed = [TaskState::Killing, TaskState::Killed];
        assert_eq!(
            (of(&told, "a"), of(&told, "b")),
            (killed.into(), killed.into())
        );
        cluster.kill("c");
        assert_eq!(of(&cluster.until_over(1).await, "c"), killed);
        cluster
    });
}

pub(crate) fn a_group_is_killed_when_one_of_its_tasks_fails() {
    with_agent(async |mut cluster: Cluster| {
        cluster.run_group(vec![
            task("fails", CommandInfo::shell("exit 3")),
            task("sleeps", CommandInfo::shell("exec sleep 1000")),
        ]);
        let told = cluster.until_over(2).await;
        assert_eq!(of(&told, "fails").last(), Some(&TaskState::Failed));
        assert_eq!(of(&told, "sleeps").last(), Some(&TaskState::Killed));
        cluster
    });
}

pub(crate) fn a_group_one_task_of_which_cannot_start_does_not_run() {
    with_agent(async |mut cluster: Cluster| {
        cluster.run_group(vec![
            task("first", CommandInfo::shell("exec sleep 1000")),
            task("wrong", CommandInfo::argv(["no-such-program"])),
            task("last", CommandInfo::shell("exec sleep 1000")),
        ]);
        let told = cluster.until_over(3).await;
        assert_eq!(of(&told, "first").last(), Some(&TaskState::Killed));
        assert_eq!(of(&told, "wrong"), [TaskState::Starting, TaskState::Failed]);
        assert_eq!(of(&told, "last"), [TaskState::Starting, TaskState::Killed]);
        cluster
    });
}
