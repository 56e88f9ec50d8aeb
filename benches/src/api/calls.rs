//! Calls of schedulers over HTTP, on connections that are kept: DECLINE and ACKNOWLEDGE in turn,
//! beside hyper answering the same requests with nothing.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, anyhow, ensure};
use api::v1::Message as _;
use api::v1::scheduler::Call;
use serde::Serialize;
use serde_json::{Value, json};

use super::Output;
use super::client::{Client, request};
use super::hello::Hello;
use super::master::Master;
use crate::measure::progress::Progress;
use crate::measure::reading::median;

const PATH: &str = "POST /api/v1/scheduler";
const JSON: &str = "application/json";
const PROTOBUF: &str = "application/x-protobuf";

/// How much to do.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Calls a round, in each encoding
    #[arg(long, default_value_t = 100_000)]
    pub calls: usize,
    /// Connections
    #[arg(long, default_value_t = 8)]
    pub connections: usize,
    /// Calls that are on their way on each connection
    #[arg(long, default_value_t = 16)]
    pub in_flight: usize,
    /// Rounds, of which medians are taken
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
    /// Where the report goes
    #[command(flatten)]
    pub output: Output,
}

/// What was measured: medians over the rounds.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    rows: Vec<Row>,
    /// hyper with nothing behind it, for the requests in JSON.
    limit: Row,
}

#[derive(Debug, Clone, Serialize)]
struct Row {
    what: &'static str,
    per_second: f64,
    /// For a second of the processor time of the server, all its threads together.
    per_cpu_second: f64,
}

/// Measures what `args` say with the program `tepui` and prints it.
///
/// # Errors
/// When the master does not start or does not answer as it should.
pub fn run(tepui: &Path, args: &Args) -> anyhow::Result<()> {
    let master = Master::start(tepui)?;
    let mut events = Client::connect(master.address())?;
    let subscribe = json!({"type": "SUBSCRIBE", "subscribe": {"framework_info": {
        "user": "nobody", "name": "calls", "roles": ["*"],
        "capabilities": [{"type": "MULTI_ROLE"}],
    }}});
    let headers = [("Content-Type", JSON), ("Accept", JSON)];
    events.send(&request(PATH, &headers, subscribe.to_string().as_bytes()))?;
    let head = events.head()?;
    ensure!(head.status == 200, "SUBSCRIBE was answered {}", head.status);
    let stream_id = head.stream_id.context("a stream has an id")?;
    ensure!(events.chunk()?, "the stream has no first event");
    let record = events.body.splitn(2, |byte| *byte == b'\n').nth(1);
    let subscribed: Value = serde_json::from_slice(record.context("a record")?)?;
    let calls = calls(&subscribed["subscribed"]["framework_id"]);
    let json = requests(&calls, JSON, &stream_id)?;
    let protobuf = requests(&calls, PROTOBUF, &stream_id)?;

    let (mut ours, mut theirs, mut limit) = (Vec::new(), Vec::new(), Vec::new());
    let progress = Progress::new(3 * args.rounds.max(1));
    for _ in 0..args.rounds.max(1) {
        for (encoding, requests, rates) in [
            ("JSON", &json, &mut ours),
            ("protobuf", &protobuf, &mut theirs),
        ] {
            progress.next(encoding);
            let cpu = master.cpu_seconds()?;
            let per_second = storm(master.address(), requests, args)?;
            rates.push((per_second, master.cpu_seconds()? - cpu));
            progress.done();
        }
        progress.next("hyper alone");
        let hello = Hello::start()?;
        let per_second = storm(hello.address, &json, args)?;
        limit.push((per_second, hello.end()?));
        progress.done();
    }
    drop(progress);
    let row = |what, rounds: Vec<(f64, f64)>| {
        let (rates, cpu): (Vec<f64>, Vec<f64>) = rounds.into_iter().unzip();
        Row {
            what,
            per_second: median(rates),
            per_cpu_second: sent(args) as f64 / median(cpu),
        }
    };
    let report = Report {
        rows: vec![row("JSON", ours), row("protobuf", theirs)],
        limit: row("hyper alone", limit),
    };
    args.output.show(&report)
}

/// DECLINE of an offer and ACKNOWLEDGE of an update that are long gone, as happens all the time.
fn calls(framework_id: &Value) -> [Value; 2] {
    let agent_id = json!({"value": "9b1e4cb2-6f27-4d0c-8c3a-7d0f6f3c1a55-S0"});
    [
        json!({"type": "DECLINE", "framework_id": framework_id, "decline": {
            "offer_ids": [{"value": "9b1e4cb2-6f27-4d0c-8c3a-7d0f6f3c1a55-O1"}],
            "filters": {"refuse_seconds": 5.0},
        }}),
        json!({"type": "ACKNOWLEDGE", "framework_id": framework_id, "acknowledge": {
            "agent_id": agent_id, "task_id": {"value": "web.instance-7f3c1a55"},
            "uuid": "3q2+7wAAAAAAAAAAAAAAAA==",
        }}),
    ]
}

fn requests(calls: &[Value], encoding: &str, stream_id: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    let headers = [("Content-Type", encoding), ("Mesos-Stream-Id", stream_id)];
    let request = |call: &Value| {
        let text = call.to_string().into_bytes();
        if encoding == JSON {
            return Ok(request(PATH, &headers, &text));
        }
        let call = Call::from_json(&text).map_err(|fault| anyhow!(fault.text))?;
        Ok(request(PATH, &headers, &call.to_protobuf()))
    };
    calls.iter().map(request).collect()
}

/// How many calls a round has.
fn sent(args: &Args) -> usize {
    let connections = args.connections.max(1);
    let batch = args.in_flight.max(1) * connections;
    (args.calls / batch).max(1) * batch
}

/// Calls a second, over all connections.
fn storm(address: SocketAddr, requests: &[Vec<u8>], args: &Args) -> anyhow::Result<f64> {
    let in_flight = args.in_flight.max(1);
    let batch: Vec<u8> = (0..in_flight)
        .flat_map(|number| requests[number % requests.len()].clone())
        .collect();
    let each = sent(args) / args.connections.max(1);
    let mut clients = Vec::new();
    for _ in 0..args.connections.max(1) {
        clients.push(Client::connect(address)?);
    }
    let began = Instant::now();
    let threads = clients.into_iter().map(|mut client| {
        let batch = batch.clone();
        thread::spawn(move || -> anyhow::Result<()> {
            for _ in 0..each / in_flight {
                client.send(&batch)?;
                for _ in 0..in_flight {
                    let status = client.head()?.status;
                    ensure!(status == 202, "a call was answered {status}");
                }
            }
            Ok(())
        })
    });
    for thread in threads.collect::<Vec<_>>() {
        thread.join().map_err(|_| anyhow!("a client panicked"))??;
    }
    Ok(sent(args) as f64 / began.elapsed().as_secs_f64())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in self.rows.iter().chain([&self.limit]) {
            let share = 100.0 * row.per_cpu_second / self.limit.per_cpu_second;
            writeln!(
                f,
                "{:<12} {:>8.0} calls/s, {:>8.0} for a second of one core ({share:.0} % of hyper)",
                row.what, row.per_second, row.per_cpu_second
            )?;
        }
        write!(f, "limit: 20,000 calls a second of one core")
    }
}
