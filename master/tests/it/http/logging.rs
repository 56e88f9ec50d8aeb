//! The log of a master: turned up for a while, and shown.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::v1::verbosity::LogSwitch;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::client::{Answer, get, request};
use super::http_with;
use crate::world::options;

async fn call(to: std::net::SocketAddr, call: &Value) -> Answer {
    let headers = [
        ("Content-Type", "application/json"),
        ("Accept", "application/json"),
    ];
    request(to, "POST /api/v1", &headers, call.to_string().as_bytes()).await
}

fn level(level: u32, nanoseconds: i64) -> Value {
    let duration = json!({"nanoseconds": nanoseconds});
    json!({
        "type": "SET_LOGGING_LEVEL",
        "set_logging_level": {"level": level, "duration": duration},
    })
}

#[test]
fn a_log_that_was_turned_up_goes_back_by_itself() {
    let turned: Arc<Mutex<Vec<Option<u32>>>> = Arc::default();
    let turns = turned.clone();
    let log = LogSwitch::new(move |level| {
        turns.lock().unwrap().push(level);
        Ok(())
    });
    let with_log = master::Options {
        log: Some(log),
        ..options()
    };
    http_with(with_log, async |_, address| {
        // The end of the first time is void. It is long enough for a second call to come in it.
        for call_of in [level(2, 1_000_000_000), level(1, 1_200_000_000)] {
            let answer = call(address, &call_of).await;
            assert_eq!((answer.status, answer.text()), (200, ""));
        }
        let reverted = async {
            while turned.lock().unwrap().last() != Some(&None) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let reverted = tokio::time::timeout(Duration::from_secs(20), reverted).await;
        reverted.expect("it goes back");
        assert_eq!(*turned.lock().unwrap(), [Some(2), Some(1), None]);
        let negative = call(address, &level(1, -1)).await;
        assert_eq!(negative.status, 400);
        assert!(negative.text().contains("set_logging_level.duration"));
    });
    http_with(options(), async |_, address| {
        assert_eq!(call(address, &level(1, 1)).await.status, 501);
    });
}

#[test]
fn a_page_turns_the_log_up_as_well() {
    let turned: Arc<Mutex<Vec<Option<u32>>>> = Arc::default();
    let turns = turned.clone();
    let log = LogSwitch::new(move |level| {
        turns.lock().unwrap().push(level);
        Ok(())
    });
    let with_log = master::Options {
        log: Some(log),
        ..options()
    };
    http_with(with_log, async |_, address| {
        let toggle = "/logging/toggle?level=2&duration=1hrs";
        let answer = get(address, toggle).await;
        assert_eq!((answer.status, answer.text()), (200, ""));
        assert_eq!(*turned.lock().unwrap(), [Some(2)]);
        let answer = get(address, "/logging/toggle").await;
        assert!(answer.text().trim().parse::<u32>().is_ok());
        for wrong in ["level=2", "level=2&duration=99weeks", "duration=1secs"] {
            let answer = get(address, &format!("/logging/toggle?{wrong}")).await;
            assert_eq!(answer.status, 400, "{wrong}");
        }
    });
}

#[test]
fn the_log_is_shown_where_there_is_one() {
    let directory = std::env::temp_dir().join(format!("log-{}", std::process::id()));
    std::fs::write(&directory, "first\nsecond\n").unwrap();
    let with_log = master::Options {
        external_log_file: Some(directory.clone()),
        ..options()
    };
    http_with(with_log, async |_, address| {
        let list = json!({"type": "LIST_FILES", "list_files": {"path": "/master/log"}});
        let list = call(address, &list).await.json();
        let file = &list["list_files"]["file_infos"][0];
        assert_eq!(
            (&file["path"], &file["size"]),
            (&json!("/master/log"), &json!(13))
        );
        let read = json!({
            "type": "READ_FILE",
            "read_file": {"path": "/master/log", "offset": 6, "length": 6},
        });
        let read = call(address, &read).await.json();
        assert_eq!(read["read_file"]["size"], 13);
        assert_eq!(read["read_file"]["data"], STANDARD.encode("second"));

        let page = get(address, "/files/read?path=/master/log&offset=0&length=5").await;
        assert_eq!(page.json(), json!({"data": "first", "offset": 0}));
        let size = get(address, "/master/files/read?path=/master/log").await;
        assert_eq!(size.json(), json!({"data": "", "offset": 13}));
        let whole = get(address, "/files/download?path=/master/log").await;
        assert_eq!(whole.text(), "first\nsecond\n");
        let browsed = get(address, "/files/browse?path=/master/log").await.json();
        assert_eq!(browsed[0]["path"], "/master/log");
        assert!(get(address, "/files/debug").await.json()["/master/log"].is_string());
        for (path, status) in [
            ("/files/read?path=/etc/passwd", 404),
            ("/files/read?path=/master/log/../../etc/passwd", 404),
            ("/files/read?path=/master/log&offset=-2", 400),
            ("/files/read?path=/master/log&offset=x", 400),
            ("/files/read", 400),
        ] {
            assert_eq!(get(address, path).await.status, status, "{path}");
        }
    });
    std::fs::remove_file(directory).unwrap();
}
