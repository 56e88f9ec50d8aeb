//! The pages of the agent: what people and tools read, by every name they know it by.

use agent::launcher::ExitStatus;
use api::v1::Message as _;
use api::v1::agent::Call;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use types::TaskState;

use crate::client::{Answer, Ask, JSON, PROTOBUF, mangle};
use crate::executor_api::real;
use crate::rig::{Rig, StandIn, custom};

impl Rig {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        Ask::get(path).answer(self.node.address()).await
    }

    pub(crate) async fn ask_operator(&self, call: &Value) -> Answer {
        let body = call.to_string();
        let ask = Ask::post("/api/v1", JSON, body.as_bytes());
        ask.answer(self.node.address()).await
    }

    /// An agent with a task that runs, one that waits to be acknowledged, and one that is over.
    pub(crate) async fn busy() -> (Rig, StandIn) {
        let mut rig = Rig::registered().await;
        for id in ["runs", "ended", "over"] {
            rig.run(custom(id));
        }
        let mut executor = rig.executor().await;
        for _ in 0..3 {
            executor.probe.expect::<api::executor::Launch>().await;
        }
        rig.tells(&mut executor, "runs", TaskState::Running).await;
        rig.tells(&mut executor, "ended", TaskState::Failed).await;
        rig.tells(&mut executor, "over", TaskState::Finished).await;
        for _ in 0..3 {
            let status = rig.update().await;
            if status.task_id.as_str() == "over" {
                rig.acknowledge(&status);
            }
        }
        rig.node
            .ask(&rig.agent, api::agent::GetAgent {})
            .await
            .unwrap();
        (rig, executor)
    }
}

fn ids(tasks: &Value) -> Vec<&str> {
    let tasks = tasks.as_array().map(Vec::as_slice).unwrap_or_default();
    tasks
        .iter()
        .map(|task| task["id"].as_str().unwrap())
        .collect()
}

#[test]
fn the_state_has_the_shape_that_tools_know() {
    real(async {
        let (rig, executor) = Rig::busy().await;
        let state = rig.get("/state").await.json();
        assert_eq!(state["id"], "S1");
        let pid = format!("slave(1)@{}", rig.node.address());
        assert_eq!(
            (&state["pid"], &state["hostname"]),
            (&json!(pid), &json!("host"))
        );
        let total = json!({
            "cpus": 4.0, "mem": 1024.0, "disk": 0.0, "gpus": 0.0, "ports": "[31000-31009]",
        });
        assert_eq!(state["resources"], total);
        assert_eq!(state["unreserved_resources"], total);
        // One executor and one living task, of half a processor each.
        assert_eq!(state["unreserved_resources_allocated"]["cpus"], 1.0);
        assert_eq!(
            state["flags"]["port"],
            json!(rig.node.address().port().to_string())
        );
        let framework = &state["frameworks"][0];
        assert_eq!(
            (&framework["id"], &framework["name"]),
            (&json!("F1"), &json!("f"))
        );
        assert_eq!(
            (&framework["roles"], &framework["checkpoint"]),
            (&json!(["*"]), &json!(false))
        );
        let page = &framework["executors"][0];
        assert_eq!(
            (&page["id"], &page["type"]),
            (&json!("e"), &json!("CUSTOM"))
        );
        assert_eq!(page["container"], json!(executor.container_id));
        assert_eq!(page["directory"], json!(executor.sandbox));
        assert_eq!(page["resources"]["cpus"], 1.0);
        assert_eq!(ids(&page["tasks"]), ["ended", "runs"]);
        assert_eq!(ids(&page["completed_tasks"]), ["over"]);
        let task = &page["tasks"][1];
        let network = &task["statuses"][0]["container_status"]["network_infos"][0];
        let address = json!({"protocol": "IPv4", "ip_address": "127.0.0.1"});
        assert_eq!(network["ip_addresses"], json!([address]));
        assert_eq!(
            (&task["state"], &task["slave_id"]),
            (&json!("TASK_RUNNING"), &json!("S1"))
        );
        assert_eq!(
            (&task["executor_id"], &task["framework_id"]),
            (&json!("e"), &json!("F1"))
        );
        assert_eq!(task["statuses"][0]["state"], "TASK_RUNNING");
        assert!(task["statuses"][0]["timestamp"].is_number());
        rig.exited(&executor, ExitStatus::Exited(0));
        rig.settle().await;
        let state = rig.get("/state").await.json();
        assert_eq!(
            ids(&state["frameworks"][0]["executors"][0]["tasks"]),
            ["ended", "runs"]
        );
    });
}

#[test]
fn a_framework_whose_executors_have_ended_is_among_the_completed() {
    real(async {
        let (mut rig, executor) = Rig::busy().await;
        rig.exited(&executor, ExitStatus::Exited(0));
        rig.master.expect::<api::master::ExecutorExited>().await;
        let shutdown = api::agent::ShutdownFramework {
            framework_id: crate::rig::framework_id(),
        };
        rig.node.tell(&rig.agent, shutdown);
        let look = api::agent::GetAgent {};
        rig.node.ask(&rig.agent, look).await.unwrap();
        let state = rig.get("/state").await.json();
        assert_eq!(state["frameworks"], json!([]));
        let executor = &state["completed_frameworks"][0]["completed_executors"][0];
        assert_eq!(ids(&executor["completed_tasks"]), ["over", "ended", "runs"]);
        let frameworks = rig
            .ask_operator(&json!({"type": "GET_FRAMEWORKS"}))
            .await
            .json();
        let completed = &frameworks["get_frameworks"]["completed_frameworks"];
        assert_eq!(completed[0]["framework_info"]["id"]["value"], "F1");
    });
}

#[test]
fn a_page_has_many_names() {
    real(async {
        let rig = Rig::registered().await;
        let expected = rig.get("/version").await.json();
        assert_eq!(expected["version"], api::v1::VERSION);
        for path in [
            "/slave(1)/version",
            "/slave%281%29/version",
            "/agent/version",
            "/version.json",
            "/slave(1)/version.json/",
            "//version/whatever/comes",
        ] {
            assert_eq!(rig.get(path).await.json(), expected, "{path}");
        }
        for path in [
            "/slave(1)/no-such",
            "/slave/state",
            "/",
            "/slave(1)",
            "/nobody/version",
        ] {
            let answer = rig.get(path).await;
            assert_eq!(
                (answer.status, answer.text()),
                (404, "404 Not Found."),
                "{path}"
            );
        }
        let health = rig.get("/slave(1)/health").await;
        assert_eq!((health.status, health.text()), (200, ""));
        for method in ["POST", "PUT", "HEAD"] {
            let ask = Ask {
                method,
                ..Ask::get("/state")
            };
            assert_eq!(ask.status(rig.node.address()).await, 200, "{method}");
        }
    });
}

#[test]
fn a_page_can_be_the_call_of_a_function() {
    real(async {
        let rig = Rig::registered().await;
        let answer = rig.get("/version?jsonp=a.b_1").await;
        let expected = format!(
            "a.b_1({})",
            json!({"version": api::v1::VERSION, "tepui_version": api::VERSION})
        );
        assert_eq!(answer.text(), expected);
        assert!(answer.head.contains("text/javascript"), "{}", answer.head);
        for bad in ["alert(1)//", "%3Cscript%3E", &"x".repeat(129)] {
            let answer = rig.get(&format!("/state?jsonp={bad}")).await;
            assert_eq!(answer.status, 400);
            assert!(answer.text().contains("'jsonp'"), "{}", answer.text());
        }
    });
}

#[test]
fn metrics_are_those_of_the_books_and_of_the_node() {
    real(async {
        let (rig, _executor) = Rig::busy().await;
        let metrics = rig.get("/metrics/snapshot?timeout=5secs").await.json();
        for (name, value) in [
            ("slave/cpus_total", 4.0),
            ("slave/cpus_used", 1.0),
            ("slave/cpus_percent", 0.25),
            ("slave/mem_total", 1024.0),
            ("slave/cpus_revocable_total", 0.0),
            ("slave/registered", 1.0),
            ("slave/frameworks_active", 1.0),
            ("slave/executors_running", 1.0),
            ("slave/executors_registering", 0.0),
            ("slave/tasks_running", 1.0),
            ("slave/tasks_finished", 1.0),
            ("slave/tasks_failed", 1.0),
            ("slave/valid_status_updates", 3.0),
            ("slave/invalid_status_updates", 0.0),
        ] {
            assert_eq!(metrics[name], json!(value), "{name}");
        }
        assert!(metrics["system/mem_total_bytes"].as_f64().unwrap() > 0.0);
        assert!(metrics["libproc/processes"].as_u64().unwrap() > 0);
        let bad = rig.get("/metrics/snapshot?timeout=soon").await;
        assert_eq!(bad.status, 400);
        assert!(bad.text().contains("timeout"), "{}", bad.text());
        let get = json!({"type": "GET_METRICS"});
        let mut bare = get.clone();
        bare["get_metrics"] = json!({"timeout": {"nanoseconds": 5_000_000_000u64}});
        let listed = rig.ask_operator(&bare).await.json();
        let metrics = listed["get_metrics"]["metrics"].as_array().unwrap();
        let running = json!({"name": "slave/tasks_running", "value": 1.0});
        assert!(metrics.contains(&running), "{listed}");
    });
}

#[test]
fn containers_are_measured() {
    real(async {
        let mut rig = Rig::registered().await;
        rig.run(custom("a"));
        let (launched, executor) = rig.launched().await;
        // This test stands for the executor, and it uses something.
        launched.succeed(std::process::id());
        rig.settle().await;
        let containers = rig.get("/containers").await.json();
        let container = &containers[0];
        let container_id = json!(executor.container_id);
        assert_eq!(container["container_id"], container_id);
        assert_eq!(container["status"]["container_id"]["value"], container_id);
        assert_eq!(
            container["status"]["executor_pid"],
            json!(std::process::id())
        );
        assert_eq!(container["statistics"]["cpus_soft_limit"], 1.0);
        assert_eq!(container["statistics"]["mem_limit_bytes"], json!(16 << 20));
        assert!(container["statistics"]["mem_rss_bytes"].as_u64().unwrap() > 0);
        let statistics = rig.get("/slave(1)/monitor/statistics.json").await.json();
        assert_eq!(statistics[0]["executor_id"], "e");
        assert_eq!(statistics[0]["framework_id"], "F1");
        assert!(statistics[0].get("container_id").is_none());
        let call = json!({"type": "GET_CONTAINERS"});
        let listed = rig.ask_operator(&call).await.json();
        let container = &listed["get_containers"]["containers"][0];
        assert_eq!(container["container_id"]["value"], container_id);
        assert!(container["resource_statistics"]["cpus_user_time_secs"].is_number());
    });
}

#[test]
fn files_are_read_in_pieces_and_only_in_sandboxes() {
    real(async {
        let (rig, executor) = Rig::busy().await;
        std::fs::write(executor.sandbox.join("out"), "0123456789").unwrap();
        std::fs::write(executor.sandbox.join("large"), vec![b'x'; 200_000]).unwrap();
        std::fs::create_dir(executor.sandbox.join("sub")).unwrap();
        std::os::unix::fs::symlink("/etc", executor.sandbox.join("link")).unwrap();
        std::os::unix::fs::symlink("circle", executor.sandbox.join("circle")).unwrap();
        let latest = "/frameworks/F1/executors/e/runs/latest";
        let own = executor.sandbox.display().to_string();
        for root in [latest, &own] {
            let read = async |rest: &str| {
                let path = format!("/files/read?path={root}/out{rest}");
                let page = rig.get(&path).await.json();
                (
                    page["data"].as_str().unwrap().to_owned(),
                    page["offset"].as_u64().unwrap(),
                )
            };
            assert_eq!(read("&offset=2&length=3").await, ("234".to_owned(), 2));
            assert_eq!(read("&offset=8&length=-1").await, ("89".to_owned(), 8));
            assert_eq!(read("&offset=0").await, ("0123456789".to_owned(), 0));
            assert_eq!(read("&offset=100").await, (String::new(), 100));
            // Without an offset it is only measured.
            assert_eq!(read("").await, (String::new(), 10));
            assert_eq!(read("&offset=-1&length=5").await, (String::new(), 10));
        }
        let large = format!("/files/read?path={latest}/large&offset=0&length=1000000");
        let page = rig.get(&large).await.json();
        assert_eq!(page["data"].as_str().unwrap().len(), 16 * 4096);
        let listed = rig
            .get(&format!("/files/browse?path={latest}/"))
            .await
            .json();
        let names: Vec<_> = listed.as_array().unwrap().iter().collect();
        let names: Vec<_> = names
            .iter()
            .map(|entry| entry["path"].as_str().unwrap())
            .collect();
        let expected =
            ["circle", "large", "link", "out", "sub"].map(|name| format!("{latest}/{name}"));
        assert_eq!(names, expected);
        assert_eq!(
            (&listed[3]["size"], &listed[3]["nlink"]),
            (&json!(10), &json!(1))
        );
        assert_eq!(&listed[3]["mode"].as_str().unwrap()[..3], "-rw");
        assert_eq!(
            rig.get(&format!("/files/browse?path={latest}/out"))
                .await
                .json(),
            json!([])
        );
        let download = rig
            .get(&format!("/files/download?path={latest}/large"))
            .await;
        assert_eq!(download.body.len(), 200_000);
        assert!(
            download.head.contains("attachment; filename=\"large\""),
            "{}",
            download.head
        );
        let debug = rig.get("/files/debug").await.json();
        assert_eq!((&debug[latest], &debug[&own]), (&json!(own), &json!(own)));
        for (path, status) in [
            ("browse", 400),
            ("read?offset=0", 400),
            ("download?path=", 400),
            (&format!("read?path={latest}/out&offset=-2") as &str, 400),
            (&format!("read?path={latest}/out&offset=x"), 400),
            (&format!("read?path={latest}/out&offset=0&length=-2"), 400),
            (
                &format!("read?path={latest}/out&offset=99999999999999999999"),
                400,
            ),
            (&format!("read?path={latest}/sub&offset=0"), 400),
            (&format!("read?path={latest}/none"), 404),
            (&format!("read?path={latest}/../../../x"), 404),
            (&format!("read?path={latest}/%2e%2e/%2e%2e/latest/out"), 404),
            (&format!("read?path={latest}/link/passwd"), 404),
            (&format!("browse?path={latest}/link"), 404),
            (&format!("browse?path={latest}x"), 404),
            (&format!("read?path={latest}/%00out&offset=0"), 404),
            (&format!("read?path={latest}/{}", "x".repeat(300)), 404),
            (&format!("read?path={latest}/circle&offset=0"), 404),
            ("read?path=/etc/passwd&offset=0", 404),
            ("browse?path=/", 404),
        ] {
            let answer = rig.get(&format!("/files/{path}")).await;
            assert_eq!(answer.status, status, "{path}: {}", answer.text());
            assert!(!answer.body.is_empty(), "{path}");
        }
    });
}

#[test]
fn mangled_requests_are_answered_within_reason_and_change_nothing() {
    real(async {
        let seed: u64 = rand::rng().random();
        println!("seed {seed}");
        let mut rng = StdRng::seed_from_u64(seed);
        let (rig, _executor) = Rig::busy().await;
        let before = rig
            .node
            .ask(&rig.agent, api::agent::GetAgent {})
            .await
            .unwrap();
        let path = "/frameworks/F1/executors/e/runs/latest/out";
        let calls = [
            json!({"type": "GET_STATE"}),
            json!({"type": "LIST_FILES", "list_files": {"path": path}}),
            json!({"type": "READ_FILE", "read_file": {"path": path, "offset": 3, "length": 4}}),
            json!({"type": "KILL_CONTAINER", "kill_container": {"container_id": {"value": "c"}}}),
        ];
        for round in 0..400 {
            let text = calls[round % calls.len()].to_string().into_bytes();
            let (content_type, mut body) = match round / 4 % 2 {
                0 => (JSON, text),
                _ => (
                    PROTOBUF,
                    Call::from_json(&text).unwrap().to_protobuf().to_vec(),
                ),
            };
            mangle(&mut body, &mut rng);
            let ask = Ask::post("/api/v1", content_type, &body);
            let status = ask.status(rig.node.address()).await;
            assert!(status < 500 || status == 501, "{status} for {body:?}");
        }
        let pages = [
            "state",
            "files/read",
            "files/browse",
            "metrics/snapshot",
            "containers",
        ];
        for round in 0..200 {
            let page = pages[round % pages.len()];
            let mut query = format!("path={path}&offset=0&length=9&jsonp=f&timeout=1secs");
            let at = rng.random_range(0..query.len());
            let letters = [
                "%00",
                "%",
                "&",
                "=",
                "-",
                "/",
                "%ff",
                "99999999999999999999",
                "..",
            ];
            query.insert_str(at, letters[rng.random_range(0..letters.len())]);
            let target = format!("/{page}?{query}");
            let status = Ask::get(&target).status(rig.node.address()).await;
            assert!(status < 500, "{status} for {target}");
        }
        let after = rig
            .node
            .ask(&rig.agent, api::agent::GetAgent {})
            .await
            .unwrap();
        assert_eq!(after, before);
    });
}
