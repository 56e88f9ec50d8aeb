//! Schedulers that are connected by HTTP: what each costs, and how soon the first offers come.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde::Serialize;
use serde_json::json;

use super::client::{Client, request};
use super::crowd::{Crowd, Size};
use super::master::Master;
use super::{Output, quantile};
use crate::measure::progress::Progress;
use crate::measure::reading::median;

const PATH: &str = "POST /api/v1/scheduler";

/// How much to do.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Schedulers that are connected at once
    #[arg(long, default_value_t = 1_000)]
    pub schedulers: usize,
    /// Subscriptions that are timed a round, one after the other
    #[arg(long, default_value_t = 100)]
    pub subscriptions: usize,
    /// Rounds, each with a master of its own, of which medians are taken
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// Where the report goes
    #[command(flatten)]
    pub output: Output,
}

/// What was measured: the median of what each scheduler takes, and quantiles of the subscriptions of
/// all rounds.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    schedulers: usize,
    /// Resident memory of the master that each takes.
    bytes_each: f64,
    /// From sending SUBSCRIBE to having the first OFFERS, on a cluster of one idle agent.
    first_offers_p50_ms: f64,
    /// See `first_offers_p50_ms`.
    first_offers_p99_ms: f64,
    /// The limit for that: a page without contents, on a connection that is made for it.
    health_p50_ms: f64,
}

/// Measures what `args` say with the program `tepui` and prints it.
///
/// # Errors
/// When the master does not start or does not answer as it should.
pub fn run(tepui: &Path, args: &Args) -> anyhow::Result<()> {
    args.output.show(&measure(tepui, args)?)
}

fn measure(tepui: &Path, args: &Args) -> anyhow::Result<Report> {
    let rounds = args.rounds.max(1);
    let progress = Progress::new(2 * rounds);
    let (mut offers, mut health, mut each) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        progress.next("subscriptions, one after the other");
        let master = Master::start(tepui)?;
        let (agents, tasks) = (1, 0);
        let _crowd = Crowd::gather(&master.upid, Size { agents, tasks }, false)?;
        let address = master.address();
        for _ in 0..args.subscriptions.max(1) {
            offers.push(first_offers(address)?.as_secs_f64() * 1e3);
            let began = Instant::now();
            Client::connect(address)?.get(&request("GET /master/health", &[], b""))?;
            health.push(began.elapsed().as_secs_f64() * 1e3);
        }
        progress.done();
        progress.next("schedulers that stay");
        each.push(bytes_each(&master, args.schedulers.max(1))?);
        progress.done();
    }
    Ok(Report {
        schedulers: args.schedulers,
        bytes_each: median(each),
        first_offers_p50_ms: quantile(&mut offers, 0.5),
        first_offers_p99_ms: quantile(&mut offers, 0.99),
        health_p50_ms: quantile(&mut health, 0.5),
    })
}

/// By how much the master grows with each of `count` schedulers.
fn bytes_each(master: &Master, count: usize) -> anyhow::Result<f64> {
    let before = master.resident_bytes()?;
    let mut schedulers = Vec::new();
    for number in 0..count {
        let mut client = Client::connect(master.address())?;
        subscribe(&mut client, &format!("scheduler-{number}"))?;
        schedulers.push(client);
    }
    Ok((master.resident_bytes()? - before) / count as f64)
}

/// Subscribes, and reads the first event.
fn subscribe(client: &mut Client, name: &str) -> anyhow::Result<String> {
    let call = json!({"type": "SUBSCRIBE", "subscribe": {"framework_info": {
        "user": "nobody", "name": name, "roles": ["*"],
        "capabilities": [{"type": "MULTI_ROLE"}],
    }}});
    let json = "application/json";
    let headers = [("Content-Type", json), ("Accept", json)];
    client.send(&request(PATH, &headers, call.to_string().as_bytes()))?;
    let head = client.head()?;
    ensure!(head.status == 200, "SUBSCRIBE was answered {}", head.status);
    client.body.clear();
    ensure!(client.chunk()?, "the stream has no first event");
    Ok(head.stream_id.unwrap_or_default())
}

/// From sending SUBSCRIBE to having the first offers; then the framework is torn down.
fn first_offers(address: SocketAddr) -> anyhow::Result<Duration> {
    let mut client = Client::connect(address)?;
    let began = Instant::now();
    let stream_id = subscribe(&mut client, "first-offers")?;
    let record = client.body.splitn(2, |byte| *byte == b'\n').nth(1);
    let subscribed: serde_json::Value = serde_json::from_slice(record.unwrap_or_default())?;
    loop {
        client.body.clear();
        ensure!(client.chunk()?, "the stream ended before there were offers");
        let text = String::from_utf8_lossy(&client.body);
        if text.contains("\"OFFERS\"") {
            break;
        }
    }
    let elapsed = began.elapsed();
    let id = &subscribed["subscribed"]["framework_id"];
    let teardown = json!({"type": "TEARDOWN", "framework_id": id}).to_string();
    let json = "application/json";
    let headers = [("Content-Type", json), ("Mesos-Stream-Id", &stream_id)];
    let mut other = Client::connect(address)?;
    other.send(&request(PATH, &headers, teardown.as_bytes()))?;
    let status = other.head()?.status;
    ensure!(status == 202, "TEARDOWN was answered {status}");
    Ok(elapsed)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, kb) = (self.schedulers, self.bytes_each / 1e3);
        writeln!(f, "{count} schedulers: {kb:.1} KB each (limit 100)")?;
        write!(
            f,
            "first offers: p50 {:.2} ms, p99 {:.2} ms (limit 20); an empty page {:.2} ms",
            self.first_offers_p50_ms, self.first_offers_p99_ms, self.health_p50_ms
        )
    }
}
