//! What operators ask and do.

use api::agent::{KillTask, ShutdownFramework};
use api::master::{self, TeardownFramework};
use api::scheduler::{Offers, Rejected};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use types::TaskState;

use crate::world::*;

#[test]
fn an_operator_kills_a_task_by_its_name() {
    world(|world| async move {
        let mut running = Running::new(&world).await;
        let kill = |task: &str| {
            let kill = master::KillTask {
                task_id: task.parse().unwrap(),
                framework_id: None,
            };
            world.node.ask(&world.master, kill)
        };
        assert_eq!(kill("t").await, Ok(Ok(())));
        running.agent.expect::<KillTask>().await;
        let nothing = kill("other").await.unwrap();
        assert!(nothing.unwrap_err().contains("no task other"));
    });
}

#[test]
fn an_operator_ends_a_framework() {
    world(|world| async move {
        let mut running = Running::new(&world).await;
        let framework_id = running.framework_id.clone();
        let teardown = TeardownFramework { framework_id };
        let done = world.node.ask(&world.master, teardown.clone()).await;
        assert_eq!(done, Ok(Ok(())));
        running.agent.expect::<ShutdownFramework>().await;
        running.scheduler.skip_to::<Rejected>().await;
        let again = world.node.ask(&world.master, teardown).await.unwrap();
        assert!(again.unwrap_err().contains("ended already"));
    });
}

#[test]
fn the_newest_tasks_come_first_and_the_past_on_demand() {
    world(|world| async move {
        let mut running = Running::new(&world).await;
        let offers = running.scheduler.skip_to::<Offers>().await.offers;
        let tasks = vec![task("second", &offers[0]), task("third", &offers[0])];
        let id = running.framework_id.clone();
        world.accept(&running.scheduler, &id, &[&offers[0]], tasks);
        let of = (&id, "t");
        running.scheduler.said().await;
        world.update(&running.agent, &running.agent_id, of, TaskState::Finished);
        running.agent.said().await;
        let names = |all: Vec<master::TaskSummary>| -> Vec<String> {
            all.iter()
                .map(|task| task.task.task_id.to_string())
                .collect()
        };
        assert_eq!(names(world.get_tasks(false).await), ["third", "second"]);
        assert_eq!(names(world.get_tasks(true).await), ["third", "second", "t"]);
        assert_eq!(world.get_tasks(false).await[0].framework, "framework");
    });
}

#[test]
fn pages_show_health_state_and_metrics() {
    world(|world| async move {
        let running = Running::new(&world).await;
        let address = world.node.address();
        // Sockets do not wait for virtual time.
        tokio::time::resume();
        for (page, words) in [
            ("master/health", "200 OK"),
            ("health", "200 OK"),
            ("master/version", api::VERSION),
            ("master/state", running.agent_id.as_str()),
            ("master/metrics", "\"tasks_live\":1"),
        ] {
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            let request = format!("GET /{page} HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut response = String::new();
            stream.read_to_string(&mut response).await.unwrap();
            assert!(response.contains(words), "{page}: {response}");
        }
        tokio::time::pause();
    });
}
