//! What operators see: the files of tasks, and the agent's pages.

use std::time::Duration;

use agent::launcher::ExitStatus;
use api::agent::{Chunk, FileError, ListFiles, ReadFile};
use types::{TaskId, TaskState};

use crate::rig::{Rig, command, framework_id, paused};

async fn read(rig: &Rig, task: &str, path: &str) -> Result<Chunk, FileError> {
    let (framework_id, task_id) = (framework_id(), TaskId::new(task).unwrap());
    let message = ReadFile {
        framework_id,
        task_id,
        path: path.into(),
        offset: 1,
        length: 3,
    };
    rig.node.ask(&rig.agent, message).await.unwrap()
}

#[test]
fn files_of_a_task_are_there_while_it_runs_and_when_it_has_ended() {
    paused(async {
        let mut rig = Rig::registered().await;
        rig.run(command("t"));
        let mut executor = rig.executor().await;
        std::fs::write(executor.sandbox.join("stdout"), "hello").unwrap();
        let chunk = |ended| Chunk {
            data: b"ell".to_vec(),
            offset: 1,
            size: 5,
            ended,
        };
        assert_eq!(read(&rig, "t", "stdout").await, Ok(chunk(false)));
        rig.tells(&mut executor, "t", TaskState::Finished).await;
        assert_eq!(read(&rig, "t", "/stdout").await, Ok(chunk(false)));
        rig.exited(&executor, ExitStatus::Exited(0));
        rig.settle().await;
        let finished = rig.update().await;
        assert_eq!(read(&rig, "t", "stdout").await, Ok(chunk(true)));
        rig.acknowledge(&finished);
        assert_eq!(read(&rig, "t", "stdout").await, Ok(chunk(true)));
        assert_eq!(read(&rig, "t", "nothing").await, Err(FileError::NotFound));
        assert_eq!(
            read(&rig, "t", "../../latest").await,
            Err(FileError::NotFound)
        );
        assert_eq!(read(&rig, "u", "stdout").await, Err(FileError::UnknownTask));
        let (framework_id, task_id) = (framework_id(), TaskId::new("t").unwrap());
        let list = ListFiles {
            framework_id,
            task_id,
            path: String::new(),
        };
        let files = rig.node.ask(&rig.agent, list).await.unwrap().unwrap();
        let names: Vec<_> = files
            .iter()
            .map(|f| (f.name.as_str(), f.size, f.directory))
            .collect();
        assert_eq!(names, [("stdout", 5, false)]);
    });
}

#[test]
fn a_sandbox_is_removed_a_week_after_its_executor_ended() {
    paused(async {
        let mut rig = Rig::registered().await;
        rig.run(command("t"));
        let mut executor = rig.executor().await;
        rig.run(command("u"));
        let running = rig.executor().await;
        rig.tells(&mut executor, "t", TaskState::Finished).await;
        rig.exited(&executor, ExitStatus::Exited(0));
        rig.settle().await;
        tokio::time::sleep(Duration::from_secs(50)).await;
        assert!(executor.sandbox.is_dir());
        // How much earlier depends on how full the disk is.
        tokio::time::sleep(Duration::from_secs(7 * 24 * 3_600)).await;
        while executor.sandbox.exists() {
            rig.settle().await; // it is removed beside the agent, by a thread of its own
        }
        assert!(running.sandbox.is_dir());
    });
}
