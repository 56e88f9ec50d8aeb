//! Conversations recorded between clients and Apache Mesos, held again with a cluster of ours.
//!
//! What is compared is the status, the headers, and the shape of JSON: names and kinds of values.
//! docs/COMPATIBILITY-transcripts.md lists every difference, and why it is one; the test fails when
//! the page does not say what is true. Left out are the recordings in protobuf (`master/api` holds
//! both encodings against each other), those of authentication, and those of broken requests.

mod page;
mod recording;
mod replay;
mod shape;
mod wire;

use serde_json::{Value as Json, json};

use self::recording::{Recording, folder};
use self::replay::{Replay, Stream};
use crate::daemons::{master, stop};
use crate::support::{Place, Program};

/// The port of the agent in the recordings.
const AGENT_PORT: &str = ":5051";

/// Who is asked.
struct Hosts {
    master: String,
    agent: String,
}

impl Hosts {
    fn of(&self, recording: &Recording) -> &str {
        let of_agent = recording.head.iter().any(|line| line.ends_with(AGENT_PORT));
        if of_agent { &self.agent } else { &self.master }
    }
}

/// An agent as that of the recordings was.
fn agent(place: &Place, master: &str) -> (Program, String) {
    let (master, work_dir) = (
        format!("--master={master}"),
        format!("--work_dir={}", place.path().join("agent").display()),
    );
    let described = [
        "--resources=cpus:8;mem:8192;disk:8192;ports:[31000-32000]",
        "--attributes=rack:r1;zone:z1",
        "--hostname=localhost",
    ];
    let words = [&["agent", "--port=0", &master, &work_dir], &described[..]].concat();
    let program = Program::start(place.tepui(&words));
    let upid = program.line(|line| line.starts_with("agent@"));
    program.error_line(|line| line.contains("registered"));
    (program, upid.trim_start_matches("agent@").to_owned())
}

/// The text at a path of names and numbers.
fn at<'a>(value: &'a Json, path: &str) -> &'a str {
    let found = path
        .split('.')
        .fold(value, |value, name| match name.parse::<usize>() {
            Ok(number) => &value[number],
            Err(_) => &value[name],
        });
    found.as_str().unwrap_or_default()
}

fn kind(event: &Json) -> String {
    match at(event, "type") {
        "UPDATE" => format!(
            "UPDATE {} {}",
            at(event, "update.status.task_id.value"),
            at(event, "update.status.state"),
        ),
        kind => kind.to_owned(),
    }
}

/// A scheduler of our own making, for what has to be there before others can ask for it.
struct Scheduler {
    hosts: String,
    stream: Stream,
    stream_id: String,
    framework_id: String,
}

impl Scheduler {
    fn subscribe(master: &str, info: &Json) -> Scheduler {
        let subscribe = json!({"type": "SUBSCRIBE", "subscribe": {"framework_info": info}});
        let (answer, records) = wire::open(master, &head(None), subscribe.to_string().as_bytes());
        let mut stream = Stream::new(records);
        let framework_id = stream.wait(|seen| {
            let first = seen.first()?;
            Some(at(first, "subscribed.framework_id.value").to_owned())
        });
        Scheduler {
            hosts: master.to_owned(),
            stream,
            stream_id: answer.header("mesos-stream-id").unwrap().to_owned(),
            framework_id: framework_id.expect("the framework is taken in"),
        }
    }

    fn call(&self, mut call: Json) {
        call["framework_id"] = json!({"value": self.framework_id});
        let head = head(Some(&self.stream_id));
        let answer = wire::ask(&self.hosts, &head, call.to_string().as_bytes());
        assert_eq!(
            answer.status,
            202,
            "{}",
            String::from_utf8_lossy(&answer.body)
        );
    }

    /// Launches tasks on the first offer.
    fn launch(&mut self, tasks: impl Fn(&str) -> Json) -> String {
        let offer = self.stream.wait(|seen| {
            let offers = seen.iter().find(|event| event["type"] == "OFFERS")?;
            Some(offers["offers"]["offers"][0].clone())
        });
        let offer = offer.expect("an offer");
        let agent_id = at(&offer, "agent_id.value").to_owned();
        let launch = json!({"type": "LAUNCH", "launch": {"task_infos": tasks(&agent_id)}});
        let accept = json!({"offer_ids": [offer["id"]], "operations": [launch]});
        self.call(json!({"type": "ACCEPT", "accept": accept}));
        agent_id
    }
}

fn head(stream_id: Option<&str>) -> Vec<String> {
    let mut head = vec![
        "POST /api/v1/scheduler HTTP/1.1".to_owned(),
        "Host: ".to_owned(),
        "Accept: application/json".to_owned(),
        "Content-Type: application/json".to_owned(),
        "Content-Length: ".to_owned(),
    ];
    head.extend(stream_id.map(|id| format!("Mesos-Stream-Id: {id}")));
    head
}

fn scalars(cpus: f64, mem: f64) -> Json {
    json!([
        {"name": "cpus", "type": "SCALAR", "scalar": {"value": cpus}},
        {"name": "mem", "type": "SCALAR", "scalar": {"value": mem}},
    ])
}

/// The scheduler API: a framework from its subscription to its end.
fn schedulers(replay: &mut Replay, hosts: &Hosts) {
    let mut recordings = folder("scheduler-v1-json").into_iter();
    let first = recordings.next().expect("the subscription");
    let mut stream = replay.open(&hosts.master, &first);
    let paths = [
        "subscribed.framework_id.value",
        "offers.offers.0.agent_id.value",
    ];
    for path in paths {
        let known = |event: &Json| Some(at(event, path).to_owned()).filter(|id| !id.is_empty());
        let theirs = first.records.iter().find_map(known);
        let ours = stream.wait(|seen| seen.iter().find_map(known));
        let ours = ours.expect("the framework is taken in, and gets an offer");
        replay.names.insert(theirs.expect("it was recorded"), ours);
    }
    // A scheduler that hangs up is disconnected: those streams stay open until all was said.
    let mut others = Vec::new();
    for recording in recordings {
        let text = String::from_utf8_lossy(&recording.body).into_owned();
        if !(know_offers(replay, &mut stream, &text)
            && know_update(replay, &mut stream, &first, &text))
        {
            replay.differs(
                &recording.name,
                "cannot be asked: what it is about does not come",
            );
        } else if recording.is_stream() {
            // The end of the executor is told to whoever is subscribed then: here as there the first.
            stream.wait(|seen| {
                let failure = seen.iter().any(|event| event["type"] == "FAILURE");
                failure.then_some(())
            });
            let mut another = replay.open(&hosts.master, &recording);
            let last = recording.records.last().map(kind);
            another.wait(|seen| {
                seen.iter()
                    .any(|event| Some(kind(event)) == last)
                    .then_some(())
            });
            another.compare(replay, &recording, kind);
            others.push(another);
        } else {
            replay.ask(&hosts.master, &recording);
        }
    }
    stream.wait(|seen| {
        seen.iter()
            .any(|event| event["type"] == "ERROR")
            .then_some(())
    });
    stream.drain();
    stream.compare(replay, &first, kind);
    for recording in folder("scheduler-v1-protobuf") {
        replay.ask(&hosts.master, &recording);
    }
}

/// Finds an offer of here for each that the request names; false when none comes.
fn know_offers(replay: &mut Replay, stream: &mut Stream, request: &str) -> bool {
    let named = request.split('"').filter(|text| {
        let number = text.rsplit_once("-O").map(|(_, number)| number);
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    });
    for theirs in named.map(str::to_owned).collect::<Vec<_>>() {
        if replay.names.contains_key(&theirs) {
            continue; // it was used, and is stale here as it was there
        }
        let offer = stream.wait(|seen| {
            let offers = seen
                .iter()
                .filter_map(|event| event["offers"]["offers"].as_array());
            let open = |offer: &&Json| {
                let id = at(offer, "id.value");
                let rescinded = |event: &Json| at(event, "rescind.offer_id.value") == id;
                !seen.iter().any(rescinded) && !replay.names.values().any(|used| used == id)
            };
            // What a task gave back may come as an offer of its own, too small for another.
            let large = offers
                .flatten()
                .filter(|offer| cpus(offer) >= 1.0)
                .rfind(open);
            large.map(|offer| at(offer, "id.value").to_owned())
        });
        let Some(offer) = offer else { return false };
        replay.names.insert(theirs, offer);
    }
    true
}

fn cpus(offer: &Json) -> f64 {
    let resources = offer["resources"].as_array().into_iter().flatten();
    let cpus = resources.filter(|resource| resource["name"] == "cpus");
    cpus.filter_map(|resource| resource["scalar"]["value"].as_f64())
        .sum()
}

/// Finds the update of here that the request acknowledges; false when it does not come.
fn know_update(replay: &mut Replay, stream: &mut Stream, first: &Recording, request: &str) -> bool {
    let uuid = |event: &Json| at(event, "update.status.uuid").to_owned();
    let theirs = first.records.iter().find(|event| {
        let uuid = uuid(event);
        !uuid.is_empty() && request.contains(&format!("\"{uuid}\""))
    });
    let Some(theirs) = theirs else { return true };
    let ours = stream.wait(|seen| {
        let same = |event: &&Json| kind(event) == kind(theirs) && !uuid(event).is_empty();
        seen.iter().find(same).map(uuid)
    });
    match ours {
        Some(ours) => replay.names.insert(uuid(theirs), ours).is_none(),
        None => false,
    }
}

/// The executor API: this program is the executor, beside the one that the agent has started.
fn executors(replay: &mut Replay, hosts: &Hosts) {
    let info = json!({
        "user": "root", "name": "exec-fw", "roles": ["*"], "failover_timeout": 60.0,
        "checkpoint": true, "principal": "test-principal",
        "capabilities": [{"type": "MULTI_ROLE"}, {"type": "PARTITION_AWARE"}],
    });
    let mut scheduler = Scheduler::subscribe(&hosts.master, &info);
    let framework_id = scheduler.framework_id.clone();
    let agent_id = scheduler.launch(|agent_id| {
        let task = |name: &str| {
            json!({
                "name": name, "task_id": {"value": name}, "agent_id": {"value": agent_id},
                "resources": scalars(0.1, 32.0), "data": "dGFzay1kYXRh",
                "executor": {
                    "type": "CUSTOM", "executor_id": {"value": "rec-ex"},
                    "framework_id": {"value": framework_id},
                    "command": {"shell": true, "value": "sleep 1000"},
                    "resources": scalars(0.1, 32.0),
                },
            })
        };
        json!([task("short1"), task("long1")])
    });
    let mut recordings = folder("executor-v1-json").into_iter();
    let first = recordings.next().expect("the subscription");
    let subscribed = &first.records[0]["subscribed"];
    let theirs = at(subscribed, "framework_info.id.value").to_owned();
    replay.names.insert(theirs, framework_id.clone());
    // The agent knows the executor a moment after it was told to start it.
    let up = || {
        let state = format!("GET /slave(1)/state HTTP/1.1\nHost: {}", hosts.agent);
        let head: Vec<_> = state.lines().map(str::to_owned).collect();
        let answer = wire::ask(&hosts.agent, &head, b"");
        String::from_utf8_lossy(&answer.body).contains("rec-ex")
    };
    while !up() {
        std::thread::yield_now();
    }
    let mut stream = replay.open(&hosts.agent, &first);
    stream.wait(|seen| {
        (seen
            .iter()
            .filter(|event| event["type"] == "LAUNCH")
            .count()
            == 2)
            .then_some(())
    });
    let (agent_id, executor_id) = (json!({"value": agent_id}), json!({"value": "rec-ex"}));
    for recording in recordings {
        if recording.name.ends_with("task_killed") {
            let message = json!({
                "agent_id": agent_id, "executor_id": executor_id, "data": "dG8tZXhlY3V0b3I=",
            });
            scheduler.call(json!({"type": "MESSAGE", "message": message}));
            let kill = json!({"task_id": {"value": "long1"}, "agent_id": agent_id});
            scheduler.call(json!({"type": "KILL", "kill": kill}));
            let killed = |event: &Json| event["type"] == "KILL";
            stream.wait(|seen| seen.iter().any(killed).then_some(()));
        }
        replay.ask(&hosts.agent, &recording);
    }
    let shutdown = json!({"agent_id": agent_id, "executor_id": executor_id});
    scheduler.call(json!({"type": "SHUTDOWN", "shutdown": shutdown}));
    stream.wait(|seen| {
        seen.iter()
            .any(|event| event["type"] == "SHUTDOWN")
            .then_some(())
    });
    stream.drain();
    stream.compare(replay, &first, |event| at(event, "type").to_owned());
    scheduler.call(json!({"type": "TEARDOWN"}));
}

/// A task that runs while pages are asked for.
fn long_run(hosts: &Hosts) -> Scheduler {
    let info = json!({
        "user": "root", "name": "mesos-execute instance",
        "capabilities": [
            {"type": "RESERVATION_REFINEMENT"}, {"type": "TASK_KILLING_STATE"},
            {"type": "REVOCABLE_RESOURCES"}, {"type": "PARTITION_AWARE"},
        ],
    });
    let mut scheduler = Scheduler::subscribe(&hosts.master, &info);
    scheduler.launch(|agent_id| {
        json!([{
            "name": "longrun", "task_id": {"value": "longrun"}, "agent_id": {"value": agent_id},
            "resources": scalars(0.5, 64.0), "command": {"shell": true, "value": "sleep 1000"},
        }])
    });
    let running = |event: &&Json| kind(event) == "UPDATE longrun TASK_RUNNING";
    let running = scheduler
        .stream
        .wait(|seen| seen.iter().find(running).cloned());
    let status = &running.expect("the task runs")["update"]["status"];
    let acknowledge = json!({
        "agent_id": status["agent_id"], "task_id": status["task_id"], "uuid": status["uuid"],
    });
    scheduler.call(json!({"type": "ACKNOWLEDGE", "acknowledge": acknowledge}));
    scheduler
}

#[test]
fn recorded_requests_are_answered_as_apache_mesos_answered_them() {
    let place = Place::new();
    let (master, address) = master(&place, &["--hostname=localhost"]);
    let (agent, agent_address) = agent(&place, &address);
    let hosts = Hosts {
        master: address,
        agent: agent_address,
    };
    let mut replay = Replay::default();
    let (watched, asked): (Vec<_>, Vec<_>) = folder("operator-v1-master")
        .into_iter()
        .partition(Recording::is_stream);
    let mut watching: Vec<_> = watched
        .iter()
        .map(|recording| replay.open(&hosts.master, recording))
        .collect();

    schedulers(&mut replay, &hosts);
    executors(&mut replay, &hosts);
    let long_run = long_run(&hosts);
    let mut pages = [
        folder("v0-master"),
        folder("v0-agent"),
        asked,
        folder("operator-v1-agent"),
    ]
    .concat();
    // What was asked for after something was changed comes last.
    pages.sort_by_key(|recording| recording.name.ends_with("-after"));
    for recording in &pages {
        replay.ask(hosts.of(recording), recording);
    }
    long_run.call(json!({"type": "TEARDOWN"}));
    for (stream, recording) in watching.iter_mut().zip(&watched) {
        let removed = |event: &&Json| event["type"] == "FRAMEWORK_REMOVED";
        stream.wait(|seen| (seen.iter().filter(removed).count() == 3).then_some(()));
        stream.drain();
        stream.compare(&mut replay, recording, |event| at(event, "type").to_owned());
    }
    stop(agent);
    stop(master);
    page::check(&replay.found);
}
