//! Long pages: how fast `/state` and `GET_STATE` come, and what reading them costs those who use the
//! cluster meanwhile.

use std::fmt;
use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;

use super::Output;
use super::client::{Client, request};
use super::crowd::{Crowd, Size};
use super::cycles::{Counted, Cycles, Readers};
use super::master::Master;
use crate::measure::progress::Progress;
use crate::measure::reading::median;

const MB: f64 = 1e6;

/// What happens while cycles are counted: whether the state is read, and how long each reader rests
/// between two pages.
const MEANWHILE: [(&str, Option<Duration>); 3] = [
    ("nobody reads", None),
    ("each reads once a second", Some(Duration::from_secs(1))),
    ("all read without end", Some(Duration::ZERO)),
];

/// How much to do.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Agents in the books
    #[arg(long, default_value_t = 1_000)]
    pub agents: usize,
    /// Tasks in the books
    #[arg(long, default_value_t = 20_000)]
    pub tasks: usize,
    /// Rounds, of which medians are taken
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
    /// How often each page is read a round
    #[arg(long, default_value_t = 10)]
    pub reads: usize,
    /// Seconds a round in which cycles of offer, accept and running are counted, each without
    /// readers, with readers once a second, and with readers that never rest
    #[arg(long, default_value_t = 2.0)]
    pub seconds: f64,
    /// Clients that read the state meanwhile
    #[arg(long, default_value_t = 10)]
    pub readers: usize,
    /// Where the report goes
    #[command(flatten)]
    pub output: Output,
}

/// What was measured: medians over the rounds, and quantiles of the cycles of all rounds.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    agents: usize,
    tasks: usize,
    pages: Vec<PageRead>,
    /// One thread writing the bytes of `/state` to another over loopback, and nothing else.
    bare_socket_mb_per_second: f64,
    /// serde_json writing the same page from values in memory, on one core.
    serde_json_mb_per_second: f64,
    cycles: Vec<Cycles>,
}

/// A page, read by one client again and again.
#[derive(Debug, Clone, Serialize)]
struct PageRead {
    page: &'static str,
    bytes: usize,
    /// The first time, when nothing was written before.
    first_ms: f64,
    first_byte_ms: f64,
    whole_ms: f64,
    mb_per_second: f64,
    /// Of the processor time of the master, all its threads together.
    mb_per_cpu_second: f64,
}

/// Measures what `args` say with the program `tepui` and prints it.
///
/// # Errors
/// When the master does not start or does not answer as it should.
pub fn run(tepui: &Path, args: &Args) -> anyhow::Result<()> {
    args.output.show(&measure(tepui, args)?)
}

fn pages() -> [(&'static str, Vec<u8>); 4] {
    let call = |kind: &str, accept: &str| {
        let headers = [("Content-Type", "application/json"), ("Accept", accept)];
        let body = format!("{{\"type\": \"{kind}\"}}");
        request("POST /api/v1", &headers, body.as_bytes())
    };
    let summary = request("GET /master/state-summary", &[], b"");
    [
        ("/state", request("GET /master/state", &[], b"")),
        ("/state-summary", summary),
        ("GET_STATE JSON", call("GET_STATE", "application/json")),
        (
            "GET_STATE protobuf",
            call("GET_STATE", "application/x-protobuf"),
        ),
    ]
}

fn measure(tepui: &Path, args: &Args) -> anyhow::Result<Report> {
    let Args { agents, tasks, .. } = *args;
    let rounds = args.rounds.max(1);
    let progress = Progress::new(1 + pages().len() + rounds * MEANWHILE.len());
    progress.next(&format!("{agents} agents come, with {tasks} tasks"));
    let master = Master::start(tepui)?;
    let crowd = Crowd::gather(&master.upid, Size { agents, tasks }, true)?;
    progress.done();
    let mut client = Client::connect(master.address())?;
    let mut reads = Vec::new();
    for (page, request) in pages() {
        progress.next(page);
        reads.push(read(page, &request, &mut client, &master, args)?);
        progress.done();
    }
    let [(_, state), ..] = pages();
    client.get(&state)?;
    let page = std::mem::take(&mut client.body);
    let value: Value = serde_json::from_slice(&page)?;
    let sockets: Vec<f64> = (0..rounds).map(|_| bare_socket(&page)).collect();
    let written: Vec<f64> = (0..rounds).map(|_| serde_json_alone(&value)).collect();
    let time = Duration::try_from_secs_f64(args.seconds)?;
    let mut counted = [const { Counted::new() }; MEANWHILE.len()];
    for _ in 0..rounds {
        for ((meanwhile, pause), counted) in MEANWHILE.iter().zip(&mut counted) {
            progress.next(&format!("cycles, {meanwhile}"));
            let readers = match pause {
                Some(pause) => Readers::start(args.readers, &state, master.address(), *pause)?,
                None => Readers::none(),
            };
            counted.add(&crowd, readers, time)?;
            progress.done();
        }
    }
    let cycles = MEANWHILE.iter().zip(counted);
    Ok(Report {
        agents,
        tasks,
        pages: reads,
        bare_socket_mb_per_second: median(sockets),
        serde_json_mb_per_second: median(written),
        cycles: cycles
            .map(|((meanwhile, _), counted)| counted.finish(meanwhile))
            .collect(),
    })
}

fn read(
    page: &'static str,
    request: &[u8],
    client: &mut Client,
    master: &Master,
    args: &Args,
) -> anyhow::Result<PageRead> {
    let first_ms = client.get(request)?.whole.as_secs_f64() * 1e3;
    let bytes = client.body.len();
    let (mut first_bytes, mut wholes) = (Vec::new(), Vec::new());
    let (mut rates, mut cpu_rates) = (Vec::new(), Vec::new());
    for _ in 0..args.rounds.max(1) {
        let (began, cpu) = (Instant::now(), master.cpu_seconds()?);
        for _ in 0..args.reads.max(1) {
            let came = client.get(request)?;
            first_bytes.push(came.first_byte.as_secs_f64() * 1e3);
            wholes.push(came.whole.as_secs_f64() * 1e3);
        }
        let read = (bytes * args.reads.max(1)) as f64 / MB;
        rates.push(read / began.elapsed().as_secs_f64());
        cpu_rates.push(read / (master.cpu_seconds()? - cpu));
    }
    Ok(PageRead {
        page,
        bytes,
        first_ms,
        first_byte_ms: median(first_bytes),
        whole_ms: median(wholes),
        mb_per_second: median(rates),
        mb_per_cpu_second: median(cpu_rates),
    })
}

/// How fast these bytes go over loopback, written by one thread and read by another.
fn bare_socket(page: &[u8]) -> f64 {
    let go = || -> std::io::Result<f64> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let bytes = page.len();
        let reader = thread::spawn(move || -> std::io::Result<()> {
            let mut stream = TcpStream::connect(address)?;
            let mut buffer = vec![0; 256 << 10];
            while stream.read(&mut buffer)? > 0 {}
            Ok(())
        });
        let (mut stream, _) = listener.accept()?;
        let began = Instant::now();
        for part in page.chunks(64 << 10) {
            stream.write_all(part)?;
        }
        drop(stream);
        let _ = reader.join();
        Ok(bytes as f64 / MB / began.elapsed().as_secs_f64())
    };
    go().unwrap_or(f64::NAN)
}

fn serde_json_alone(value: &Value) -> f64 {
    let began = Instant::now();
    let text = serde_json::to_vec(black_box(value)).unwrap_or_default();
    let elapsed = began.elapsed().as_secs_f64();
    black_box(&text).len() as f64 / MB / elapsed
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} agents, {} tasks in the books",
            self.agents, self.tasks
        )?;
        writeln!(
            f,
            "{:<20} {:>8} {:>10} {:>11} {:>10} {:>9} {:>14}",
            "page", "MB", "first, ms", "1st byte ms", "whole, ms", "MB/s", "MB/cpu second"
        )?;
        for page in &self.pages {
            writeln!(
                f,
                "{:<20} {:>8.2} {:>10.1} {:>11.2} {:>10.1} {:>9.0} {:>14.0}",
                page.page,
                page.bytes as f64 / MB,
                page.first_ms,
                page.first_byte_ms,
                page.whole_ms,
                page.mb_per_second,
                page.mb_per_cpu_second
            )?;
        }
        let (socket, json) = (
            self.bare_socket_mb_per_second,
            self.serde_json_mb_per_second,
        );
        writeln!(
            f,
            "limits: bare socket {socket:.0} MB/s, serde_json alone {json:.0} MB/s"
        )?;
        if let Some(state) = self.pages.first() {
            let share = 100.0 * state.mb_per_second;
            let (of_socket, of_json) = (share / socket, share / json);
            writeln!(
                f,
                "/state is {of_socket:.0} % of the socket, {of_json:.0} % of serde_json"
            )?;
        }
        writeln!(f, "offer, accept, running:")?;
        let alone = self.cycles.first().map_or(f64::NAN, |cycles| cycles.p99_ms);
        for cycles in &self.cycles {
            let Cycles {
                meanwhile,
                cycles,
                p50_ms,
                p99_ms,
                pages_per_second,
            } = cycles;
            let times = p99_ms / alone;
            writeln!(
                f,
                "  {meanwhile:<26} p50 {p50_ms:>6.2} ms, p99 {p99_ms:>6.2} ms ({times:.2} times) \
                 of {cycles}, {pages_per_second:.0} pages/s"
            )?;
        }
        write!(
            f,
            "limits: 200 MB/s of JSON; p99 at most twice while ten read; Mesos 65 MB/s"
        )
    }
}
