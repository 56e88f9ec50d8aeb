//! The pages that tools read.

use serde_json::json;
use types::TaskState;

use super::*;

/// The page at each of its addresses, which all say the same.
async fn page(address: SocketAddr, name: &str) -> Value {
    let first = get(address, &format!("/{name}")).await;
    assert_eq!(first.status, 200, "{name}: {}", first.text());
    assert_eq!(first.headers["content-type"], "application/json");
    for other in ["/master/NAME", "/NAME.json", "/master/NAME.json", "/NAME/"] {
        let path = other.replace("NAME", name);
        let other = get(address, &path).await;
        assert_eq!(other.status, 200, "{path}");
        // Offers come and go between the two.
        let keys = |page: &Value| page.as_object().map(|page| page.keys().cloned().collect());
        let (first, other): (Option<Vec<_>>, _) = (keys(&first.json()), keys(&other.json()));
        assert_eq!(first, other, "{path}");
    }
    first.json()
}

#[test]
fn the_state_tells_of_agents_frameworks_and_tasks() {
    http(|world, address| async move {
        let mut running = Running::new(&world).await;
        let v1 = Scheduler::subscribe(address, &framework()).await;
        let state = page(address, "state").await;
        assert_eq!(state["version"], api::v1::VERSION);
        assert_eq!(state["pid"], format!("master@{address}"));
        assert_eq!(state["leader"], state["pid"]);
        assert_eq!(state["activated_slaves"], 1.0);
        let agent = &state["slaves"][0];
        assert_eq!(agent["id"], running.agent_id.as_str());
        assert_eq!(agent["pid"], format!("slave(1)@{address}"));
        assert_eq!(
            agent["resources"],
            json!({"cpus": 4.0, "disk": 0.0, "gpus": 0.0, "mem": 1024.0})
        );
        assert_eq!(agent["used_resources"]["cpus"], 1.0);
        assert_eq!(agent["active"], true);
        let frameworks = state["frameworks"].as_array().unwrap();
        assert_eq!(frameworks.len(), 2);
        let actor = frameworks
            .iter()
            .find(|f| f["name"] == "framework")
            .unwrap();
        assert_eq!(actor["pid"], running.scheduler.pid.to_string());
        let task = &actor["tasks"][0];
        assert_eq!(task["id"], "t");
        assert_eq!(task["state"], "TASK_RUNNING");
        assert_eq!(task["slave_id"], agent["id"]);
        assert_eq!(task["statuses"][0]["state"], "TASK_RUNNING");
        let http = frameworks.iter().find(|f| f["name"] == "v1").unwrap();
        assert_eq!(http["id"], v1.id["value"]);
        assert!(http.get("pid").is_none(), "a stream is nobody's address");
        assert_eq!(http["principal"], "somebody");
        assert_eq!(http["failover_timeout"], 60.0);

        let of = (&running.framework_id, "t");
        world.update(&running.agent, &running.agent_id, of, TaskState::Finished);
        let update = running.scheduler.skip_to::<api::scheduler::Update>().await;
        world.acknowledge(&running.scheduler, &running.framework_id, &update.status);
        running.scheduler.said().await;
        v1.accepted("TEARDOWN", Value::Null).await;
        let state = page(address, "state").await;
        assert_eq!(state["frameworks"].as_array().unwrap().len(), 1);
        assert_eq!(
            state["frameworks"][0]["completed_tasks"][0]["state"],
            "TASK_FINISHED"
        );
        let ended = &state["completed_frameworks"][0];
        assert_eq!(ended["name"], "v1");
        assert!(ended["unregistered_time"].as_f64().unwrap() > 1e9);
    });
}

#[test]
fn every_page_has_what_its_readers_expect() {
    http(|world, address| async move {
        let running = Running::new(&world).await;
        let (agent, id) = (running.agent_id.as_str(), running.framework_id.as_str());
        let summary = page(address, "state-summary").await;
        assert_eq!(summary["slaves"][0]["TASK_RUNNING"], 1);
        assert_eq!(summary["slaves"][0]["framework_ids"], json!([id]));
        assert_eq!(summary["frameworks"][0]["TASK_RUNNING"], 1);
        assert_eq!(summary["frameworks"][0]["slave_ids"], json!([agent]));
        let slaves = page(address, "slaves").await;
        let used = &slaves["slaves"][0]["used_resources_full"][0];
        assert_eq!(used["name"], "cpus");
        assert_eq!(used["allocation_info"]["role"], "*");
        let frameworks = page(address, "frameworks").await;
        assert_eq!(frameworks["frameworks"][0]["id"], id);
        assert_eq!(page(address, "tasks").await["tasks"][0]["id"], "t");
        let roles = page(address, "roles").await;
        assert_eq!(roles["roles"][0]["name"], "*");
        assert_eq!(roles["roles"][0]["weight"], 1.0);
        assert_eq!(roles["roles"][0]["allocated"]["cpus"], 1.0);
        assert_eq!(roles["roles"][0]["frameworks"], json!([id]));
        let flags = page(address, "flags").await;
        assert_eq!(flags["flags"]["agent_ping_timeout"], "15secs");
        assert_eq!(
            flags["flags"]["min_allocatable_resources"],
            "cpus:0.01|mem:32"
        );
        assert_eq!(flags["flags"]["port"], address.port().to_string());
        let version = page(address, "version").await;
        let numbers: Vec<u32> = version["version"]
            .as_str()
            .unwrap()
            .split('.')
            .map(|number| number.parse().expect("a plain number"))
            .collect();
        assert_eq!(numbers.len(), 3);
        let metrics = page(address, "metrics/snapshot").await;
        assert_eq!(metrics["master/slaves_active"], 1.0);
        assert_eq!(metrics["master/tasks_running"], 1.0);
        assert_eq!(metrics["master/tasks_finished"], 0.0);
        assert_eq!(metrics["master/cpus_used"], 1.0);
        assert_eq!(metrics["master/cpus_percent"], 0.25);
        assert!(metrics["libproc/processes"].as_f64().unwrap() > 1.0);
        let health = get(address, "/master/health").await;
        assert_eq!((health.status, health.text()), (200, ""));
    });
}

#[test]
fn pages_can_be_asked_for_less() {
    http(|world, address| async move {
        let mut running = Running::new(&world).await;
        let offers = running
            .scheduler
            .skip_to::<api::scheduler::Offers>()
            .await
            .offers;
        let tasks = vec![task("second", &offers[0]), task("third", &offers[0])];
        let id = running.framework_id.clone();
        world.accept(&running.scheduler, &id, &[&offers[0]], tasks);
        running.scheduler.said().await;
        let names = async |query: &str| -> Vec<String> {
            let answer = get(address, &format!("/master/tasks?{query}")).await.json();
            let tasks = answer["tasks"].as_array().unwrap();
            tasks
                .iter()
                .map(|task| task["id"].as_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(names("").await, ["third", "second", "t"]);
        assert_eq!(names("order=asc&limit=1&offset=1").await, ["second"]);
        assert_eq!(names("task_id=t").await, ["t"]);
        assert_eq!(
            names(&format!("framework_id={id}&limit=1")).await,
            ["third"]
        );
        assert!(names("framework_id=nobody").await.is_empty());
        let none = get(address, "/master/frameworks?framework_id=nobody").await;
        let expected =
            r#"{"frameworks":[],"completed_frameworks":[],"unregistered_frameworks":[]}"#;
        assert_eq!(none.text(), expected);
        let none = get(address, "/master/slaves?slave_id=nobody").await;
        assert_eq!(none.text(), r#"{"slaves":[],"recovered_slaves":[]}"#);
        for (query, text) in [
            ("limit=-1", "'limit'"),
            ("offset=x", "'offset'"),
            ("order=up", "'order'"),
        ] {
            let answer = get(address, &format!("/tasks?{query}")).await;
            assert_eq!(answer.status, 400);
            assert!(answer.text().contains(text), "{}", answer.text());
        }
    });
}

#[test]
fn a_page_is_a_script_where_a_function_is_named() {
    http(|_, address| async move {
        let script = get(address, "/master/version?jsonp=cb").await;
        assert_eq!(script.headers["content-type"], "text/javascript");
        let text = script.text();
        assert!(
            text.starts_with("cb({\"version\":") && text.ends_with("})"),
            "{text}"
        );
        let evil = get(address, "/master/version?jsonp=alert(1)//").await;
        assert_eq!(evil.status, 400);
        assert!(evil.text().contains("'jsonp'"));
    });
}

#[test]
fn the_leader_is_found_by_a_redirect() {
    http(|_, address| async move {
        for path in ["/redirect", "/master/redirect"] {
            let answer = get(address, path).await;
            assert_eq!(answer.status, 307);
            assert_eq!(answer.headers["location"], format!("//{address}"));
        }
        assert_eq!(get(address, "/redirect/state").await.status, 404);
    });
}

#[test]
fn there_is_nothing_elsewhere() {
    http(|_, address| async move {
        for path in [
            "/",
            "/no-such",
            "/master/no-such",
            "/master",
            "/master%2Fversion",
            "/%ff",
        ] {
            let answer = get(address, path).await;
            assert_eq!(
                (answer.status, answer.text()),
                (404, "404 Not Found."),
                "{path}"
            );
        }
    });
}

#[test]
fn tools_from_before_there_were_calls_act_by_pages() {
    http(|world, address| async move {
        let (_scheduler, id) = world.scheduler("framework").await;
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        let line = "POST /master/teardown";
        for (body, text) in [
            (
                "",
                "Missing 'frameworkId' query parameter in the request body",
            ),
            ("frameworkId=nope", "No framework found with specified ID"),
            ("frameworkId=%ff", "No framework found with specified ID"),
        ] {
            let answer = request(address, line, &form, body.as_bytes()).await;
            assert_eq!((answer.status, answer.text()), (400, text));
        }
        let body = format!("frameworkId={id}");
        let answer = request(address, line, &form, body.as_bytes()).await;
        assert_eq!((answer.status, answer.text()), (200, ""));
        let known = world.get_frameworks().await;
        assert_eq!(known[0].state, api::master::FrameworkState::Completed);

        let put = |body: &'static str| request(address, "PUT /weights", &[], body.as_bytes());
        assert_eq!(put(r#"[{"role": "dev", "weight": 2.5}]"#).await.status, 200);
        assert_eq!(put(r#"[{"role": "dev", "weight": "x"}]"#).await.status, 400);
        assert_eq!(put("{").await.status, 400);
        let weights = get(address, "/master/weights").await;
        assert_eq!(weights.text(), r#"[{"role":"dev","weight":2.5}]"#);
        let quota = get(address, "/master/quota").await;
        assert_eq!(quota.text(), r#"{"infos":[],"configs":[]}"#);
        assert_eq!(
            request(address, "POST /quota", &[], b"{}").await.status,
            501
        );
        let schedule = get(address, "/maintenance/schedule").await;
        assert_eq!((schedule.status, schedule.text()), (200, "{}"));
        let made = request(address, "POST /maintenance/schedule", &[], b"{}").await;
        assert_eq!(made.status, 501);
        assert_eq!(
            request(address, "POST /machine/down", &[], b"[]")
                .await
                .status,
            501
        );
    });
}

#[test]
fn a_long_page_is_compressed_for_those_who_ask() {
    http(|world, address| async move {
        let _running = Running::new(&world).await;
        let headers = [("Accept-Encoding", "gzip")];
        let plain = get(address, "/frameworks").await;
        assert!(!plain.headers.contains_key("content-encoding"));
        let short = request(address, "GET /frameworks", &headers, b"").await;
        assert_eq!(short.headers["content-encoding"], "gzip");
        assert!(short.body.len() < plain.body.len());
        assert_eq!(short.body[..2], [0x1f, 0x8b]);
        let version = request(address, "GET /version", &headers, b"").await;
        assert!(
            !version.headers.contains_key("content-encoding"),
            "too short to gain anything"
        );
        // A stream is never held back.
        let call = subscribe(&framework()).to_string();
        let headers = [("Content-Type", "application/json"), headers[0]];
        let mut connection = client::Connection::open(address).await;
        let line = format!("POST {SCHEDULER}");
        connection.send(&line, &headers, call.as_bytes()).await;
        let (_, headers) = connection.head().await;
        assert!(!headers.contains_key("content-encoding"));
    });
}
