//! What commands want is brought into their sandboxes, by a process of its own.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use types::Uri;

use super::*;

fn uri(value: String) -> Uri {
    Uri {
        value,
        extract: true,
        ..Uri::default()
    }
}

/// Serves one answer, on a thread of its own, and says where.
fn serve_once(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 1_024];
        let _ = stream.read(&mut request).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
    });
    format!("http://{address}/dir/greeting.txt?x=1")
}

pub(crate) fn what_a_command_wants_is_there_before_it_runs() {
    with_agent(async |mut cluster: Cluster| {
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("script");
        std::fs::write(&script, "#!/bin/sh\necho from a script\n").unwrap();
        let served = serve_once("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n");
        let run = Uri {
            executable: true,
            output_file: Some("bin/run".to_owned()),
            ..uri(format!("file://{}", script.display()))
        };
        let command = CommandInfo {
            uris: vec![uri(served), run],
            ..CommandInfo::shell("cat greeting.txt; exec bin/run")
        };
        cluster.run(task("t", command));
        assert_eq!(cluster.update().await.state, TaskState::Running);
        let finished = cluster.update().await;
        assert_eq!(finished.state, TaskState::Finished, "{finished:?}");
        let printed = cluster.read_all("t", "stdout").await;
        assert_eq!(printed, "hello\nfrom a script\n");
        cluster
    });
}

pub(crate) fn a_command_does_not_run_without_what_it_wants() {
    with_agent(async |mut cluster: Cluster| {
        let served = serve_once("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        for (id, value) in [("t", served), ("u", "hdfs://x/y".to_owned())] {
            let command = CommandInfo {
                uris: vec![uri(value)],
                ..CommandInfo::shell("true")
            };
            cluster.run(task(id, command));
            let failed = cluster.update().await;
            assert_eq!(failed.state, TaskState::Failed);
            assert_eq!(failed.reason, Some(Reason::ContainerLaunchFailed));
            let message = failed.message.unwrap();
            assert!(
                message.starts_with("Failed to fetch all URIs for container"),
                "{message}"
            );
            let why = cluster.read_all(id, "stderr").await;
            assert!(why.contains("fetcher: failed to fetch"), "{why}");
        }
        cluster
    });
}

pub(crate) fn a_command_can_be_killed_while_it_waits_for_what_it_wants() {
    with_agent(async |mut cluster: Cluster| {
        // Somebody who listens and never answers.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let value = format!("http://{}/x", silent.local_addr().unwrap());
        let command = CommandInfo {
            uris: vec![uri(value)],
            ..CommandInfo::shell("true")
        };
        cluster.run(task("t", command));
        let (framework_id, task_id) = (framework().id.unwrap(), TaskId::new("t").unwrap());
        let kill = KillTask {
            framework_id,
            task_id,
            kill_policy: None,
        };
        cluster.node.tell(&cluster.agent, kill);
        let killed = cluster.update().await;
        assert_eq!(killed.state, TaskState::Killed);
        assert_eq!(killed.reason, Some(Reason::TaskKilledDuringLaunch));
        cluster
    });
}
