//! A framework over HTTP, with a master that is written out here, byte by byte.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::v1::Encoding;
use api::v1::scheduler::{Call, CallType, Event, EventBody, event};
use sdk::prelude::*;
use sdk::{HttpMaster, Options};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use types::{MasterInfo, Source, TaskStatus, UpdateId};

/// Longest time for anything: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// Launches one task, notes what it hears, ends with the task.
struct Once {
    seen: Arc<Mutex<Vec<String>>>,
}

impl Once {
    fn note(&self, what: impl Into<String>) {
        self.seen.lock().expect("nobody panics").push(what.into());
    }
}

impl Framework for Once {
    fn on_subscribed(&mut self, subscribed: Subscribed, _: &mut Calls) {
        self.note(format!("subscribed {}", subscribed.framework_id));
    }

    fn on_offers(&mut self, offers: Vec<Offer>, calls: &mut Calls) {
        let need = Resources::new().cpus(1.0);
        for offer in offers {
            calls.accept(&offer, [Task::command("true", &need).id(task_id())]);
        }
    }

    fn on_update(&mut self, update: TaskUpdate, calls: &mut Calls) {
        self.note(update.state.to_string());
        if update.state == TaskState::Finished {
            calls.stop();
        }
    }

    fn on_disconnected(&mut self, _: &mut Calls) {
        self.note("disconnected");
    }

    fn on_error(&mut self, reason: &str, _: &mut Calls) {
        self.note(format!("error {reason}"));
    }
}

fn task_id() -> TaskId {
    TaskId::new("once").expect("a plain word")
}

fn framework_id() -> FrameworkId {
    FrameworkId::new("framework").expect("a plain word")
}

/// A request as it came.
struct Asked {
    head: String,
    call: Call,
    stream: TcpStream,
}

impl Asked {
    fn kind(&self) -> CallType {
        self.call.kind.expect("every call has a type")
    }

    fn has(&self, header: &str) -> bool {
        let header = header.to_lowercase();
        self.head.to_lowercase().lines().any(|line| line == header)
    }

    async fn answer(mut self, response: &str) -> TcpStream {
        self.stream
            .write_all(response.as_bytes())
            .await
            .expect("the client listens");
        self.stream
    }

    /// Says that the call was heard.
    async fn accept(self) -> TcpStream {
        self.answer("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
            .await
    }

    /// Opens a stream.
    async fn open(self) -> TcpStream {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\
                    Content-Type: application/x-protobuf\r\nMesos-Stream-Id: stream-1\r\n\r\n";
        self.answer(head).await
    }
}

/// Reads one request of a connection.
async fn read(mut stream: TcpStream) -> Asked {
    let mut bytes = Vec::new();
    loop {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8(bytes[..end].to_vec()).expect("a head is text");
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                let found = name.eq_ignore_ascii_case("content-length");
                found.then(|| value.trim().parse::<usize>().expect("a length"))
            });
            let body = bytes[end + 4..].to_vec();
            if body.len() >= length.expect("a call has a length") {
                let call = Call::from_bytes(Some("application/x-protobuf"), &body);
                let call = call.expect("the call is whole");
                return Asked { head, call, stream };
            }
        }
        let mut piece = [0; 4_096];
        let read = stream.read(&mut piece).await.expect("the client is there");
        assert!(read > 0, "the client hung up");
        bytes.extend_from_slice(&piece[..read]);
    }
}

async fn next(listener: &TcpListener) -> Asked {
    let accepted = tokio::time::timeout(PATIENCE, listener.accept()).await;
    let (stream, _) = accepted.expect("the client comes").expect("it is there");
    read(stream).await
}

/// Sends an event, in pieces that are no records.
async fn tell(stream: &mut TcpStream, event: impl Into<Event>) {
    let record = api::recordio::encode(&Encoding::Protobuf.encode(&event.into()));
    let (first, second) = record.split_at(record.len() / 2);
    for piece in [first, second] {
        let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
        stream.write_all(&chunk).await.expect("the client listens");
        stream.flush().await.expect("the client listens");
    }
}

fn subscribed() -> Event {
    let master = MasterInfo {
        id: "m".into(),
        hostname: "localhost".into(),
        address: "127.0.0.1:5050".into(),
        version: "1.11.0".into(),
    };
    let page = api::scheduler::Subscribed {
        framework_id: framework_id(),
        master,
    };
    Event::from(&page)
}

fn offers() -> Event {
    let mut offer = sdk::testing::offer("agent", Resources::new().cpus(2.0));
    offer.framework_id = framework_id();
    let page = api::scheduler::Offers {
        offers: vec![offer],
    };
    Event::offers(&page, &FrameworkInfo::new("once"))
}

fn update(state: TaskState) -> Event {
    let mut status = TaskStatus::new(task_id(), state, Source::Executor, 1_000);
    status.agent_id = AgentId::new("agent").ok();
    status.update_id = Some(UpdateId::random());
    Event::from(&api::scheduler::Update { status })
}

/// Runs the framework against a master; gives how it ended and what it saw.
fn with_master<M>(
    options: impl FnOnce(Options) -> Options,
    master: impl FnOnce(TcpListener) -> M,
) -> (sdk::Result, Vec<String>)
where
    M: Future<Output = ()> + 'static,
{
    let seen = Arc::new(Mutex::new(Vec::new()));
    let framework = Once { seen: seen.clone() };
    let played = async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let played = tokio::task::spawn_local(master(listener));
        let options = options(Options::default().master(address).http(true));
        let ended = sdk::run_async(framework, FrameworkInfo::new("once"), options).await;
        let played = tokio::time::timeout(PATIENCE, played).await;
        played
            .expect("the master's part ends")
            .expect("all is as the master expects");
        ended
    };
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().expect("a runtime starts");
    let ended = tokio::task::LocalSet::new().block_on(&runtime, played);
    let seen = seen.lock().expect("nobody panics").clone();
    (ended, seen)
}

#[test]
fn a_framework_works_through_a_stream_and_a_connection_for_its_calls() {
    let (ended, seen) = with_master(
        |options| options,
        |listener| async move {
            let subscribe = next(&listener).await;
            assert_eq!(subscribe.kind(), CallType::Subscribe);
            assert!(
                subscribe
                    .head
                    .starts_with("POST /api/v1/scheduler HTTP/1.1")
            );
            assert!(
                subscribe.has("Accept: application/x-protobuf"),
                "{}",
                subscribe.head
            );
            assert!(!subscribe.head.to_lowercase().contains("mesos-stream-id"));
            let mut stream = subscribe.open().await;
            tell(&mut stream, subscribed()).await;
            tell(&mut stream, EventBody::Heartbeat).await;
            tell(&mut stream, offers()).await;

            let accept = next(&listener).await;
            assert_eq!(accept.kind(), CallType::Accept);
            assert!(accept.has("mesos-stream-id: stream-1"), "{}", accept.head);
            assert_eq!(accept.call.framework_id, Some((&framework_id()).into()));
            let calls = accept.accept().await;
            tell(&mut stream, update(TaskState::Running)).await;
            let acknowledge = read(calls).await;
            assert_eq!(acknowledge.kind(), CallType::Acknowledge);
            // This connection ends: the next call has one of its own.
            let close = "HTTP/1.1 202 Accepted\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
            drop(acknowledge.answer(close).await);
            tell(&mut stream, update(TaskState::Finished)).await;
            let teardown = next(&listener).await;
            // The author stops before the update is acknowledged.
            assert_eq!(teardown.kind(), CallType::Teardown);
            teardown.accept().await;
        },
    );
    assert!(ended.expect("it ends well").is_success());
    assert_eq!(
        seen,
        ["subscribed framework", "TASK_RUNNING", "TASK_FINISHED"]
    );
}

#[test]
fn a_framework_follows_to_the_leader_and_comes_back_when_the_stream_breaks() {
    let (ended, seen) = with_master(
        |options| options,
        |follower| async move {
            // Nobody leads yet.
            let unready = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
            next(&follower).await.answer(unready).await;
            // Then somebody else does.
            let leader = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let at = leader.local_addr().expect("it is bound");
            let redirect = format!(
                "HTTP/1.1 307 Temporary Redirect\r\nLocation: //{at}/api/v1/scheduler\r\n\
                 Content-Length: 0\r\n\r\n"
            );
            next(&follower).await.answer(&redirect).await;
            let subscribe = next(&leader).await;
            assert_eq!(subscribe.call.framework_id, None);
            let mut stream = subscribe.open().await;
            tell(&mut stream, subscribed()).await;
            tell(&mut stream, offers()).await;
            next(&leader).await.accept().await;
            drop((stream, leader)); // it dies

            // The one it asks again leads now, and knows the framework by its id.
            let subscribe = next(&follower).await;
            assert_eq!(subscribe.kind(), CallType::Subscribe);
            assert_eq!(subscribe.call.framework_id, Some((&framework_id()).into()));
            let mut stream = subscribe.open().await;
            tell(&mut stream, subscribed()).await;
            let reconcile = next(&follower).await;
            assert_eq!(reconcile.kind(), CallType::Reconcile);
            let calls = reconcile.accept().await;
            tell(&mut stream, update(TaskState::Finished)).await;
            let teardown = read(calls).await;
            assert_eq!(teardown.kind(), CallType::Teardown);
            teardown.accept().await;
        },
    );
    assert!(ended.expect("it ends well").is_success());
    let expected = [
        "subscribed framework",
        "disconnected",
        "subscribed framework",
    ];
    assert_eq!(seen[..3], expected);
    assert_eq!(seen[3..], ["TASK_FINISHED"]);
}

#[test]
fn a_framework_that_is_refused_says_why() {
    let (ended, seen) = with_master(
        |options| options,
        |listener| async move {
            let refused = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 12\r\n\r\nwho are you?";
            next(&listener).await.answer(refused).await;
        },
    );
    let reason = "401 Unauthorized: who are you?";
    let text = ended.expect_err("it was refused").to_string();
    assert_eq!(text, format!("the master refused the framework: {reason}"));
    assert_eq!(seen, [format!("error {reason}")]);
}

#[test]
fn an_error_of_the_master_ends_a_framework() {
    let (ended, seen) = with_master(
        |options| options,
        |listener| async move {
            let mut stream = next(&listener).await.open().await;
            let message = "another instance".to_owned();
            tell(&mut stream, EventBody::Error(event::Error { message })).await;
        },
    );
    assert!(ended.is_err());
    assert_eq!(seen, ["error another instance"]);
}

#[test]
fn a_framework_without_a_master_over_http_says_so() {
    let options = |options: Options| options.subscribe_timeout(Some(Duration::from_millis(300)));
    let (ended, _) = with_master(options, |listener| async move { drop(listener) });
    let text = ended.expect_err("nobody is there").to_string();
    assert!(text.starts_with("no master at http://127.0.0.1:"), "{text}");
}

#[test]
fn the_secret_of_a_cluster_is_shown_over_http() {
    let keys = libproc::security::Keys::from_bytes(&[[7; 32]]).expect("a key");
    let token = format!("authorization: Bearer {}", keys.http_token());
    let security = sdk::Security::secret(keys);
    assert!(HttpMaster::secured("127.0.0.1:5050", &security).is_ok());
    let (ended, _) = with_master(
        |options| options.security(security),
        |listener| async move {
            let subscribe = next(&listener).await;
            assert!(subscribe.has(&token), "{}", subscribe.head);
            let refused = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
            subscribe.answer(refused).await;
        },
    );
    assert!(ended.is_err());
}
