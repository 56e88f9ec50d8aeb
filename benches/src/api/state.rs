//! Long pages: how fast `/state` and `GET_STATE` come, and what reading them costs those who use the
//! cluster meanwhile.

use std::fmt;
use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;

use super::client::{Client, request};
use super::crowd::{Crowd, Size};
use super::master::Master;
use super::{print, quantile};
use crate::measure::reading::median;

const MB: f64 = 1e6;

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
    #[arg(long, default_value_t = 20)]
    pub reads: usize,
    /// Cycles of offer, accept and running a round, with and without readers
    #[arg(long, default_value_t = 300)]
    pub cycles: usize,
    /// Clients that read the state meanwhile
    #[arg(long, default_value_t = 10)]
    pub readers: usize,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What was measured: medians over the rounds.
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

/// Cycles of offer, accept and running.
#[derive(Debug, Clone, Serialize)]
struct Cycles {
    meanwhile: &'static str,
    /// Pages that were read in a second, meanwhile.
    pages_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
}

/// Measures what `args` say with the program `tepui` and prints it.
///
/// # Errors
/// When the master does not start or does not answer as it should.
pub fn run(tepui: &Path, args: &Args) -> anyhow::Result<()> {
    print(&measure(tepui, args)?, args.json)
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
    let master = Master::start(tepui)?;
    eprintln!("{agents} agents come, with {tasks} tasks");
    let crowd = Crowd::gather(&master.upid, Size { agents, tasks }, true)?;
    let mut client = Client::connect(master.address())?;
    let mut reads = Vec::new();
    for (page, request) in pages() {
        eprintln!("{page}");
        reads.push(read(page, &request, &mut client, &master, args)?);
    }
    client.get(&pages()[0].1)?;
    let state = std::mem::take(&mut client.body);
    let value: Value = serde_json::from_slice(&state)?;
    let rounds = 0..args.rounds.max(1);
    let sockets: Vec<f64> = rounds.clone().map(|_| bare_socket(&state)).collect();
    let written: Vec<f64> = rounds.clone().map(|_| serde_json_alone(&value)).collect();
    let mut cycles = [Vec::new(), Vec::new(), Vec::new()];
    for round in rounds {
        eprintln!("cycles, round {}", round + 1);
        cycles[0].push(cycles_while(&crowd, &master, args, None)?);
        let second = Some(Duration::from_secs(1));
        cycles[1].push(cycles_while(&crowd, &master, args, second)?);
        let at_once = Some(Duration::ZERO);
        cycles[2].push(cycles_while(&crowd, &master, args, at_once)?);
    }
    let names = [
        "nobody reads",
        "each reads once a second",
        "all read without end",
    ];
    let cycles = names.into_iter().zip(cycles).map(|(meanwhile, rounds)| {
        let of = |which: fn(&(f64, f64, f64)) -> f64| median(rounds.iter().map(which).collect());
        Cycles {
            meanwhile,
            p50_ms: of(|round| round.0),
            p99_ms: of(|round| round.1),
            pages_per_second: of(|round| round.2),
        }
    });
    Ok(Report {
        agents,
        tasks,
        pages: reads,
        bare_socket_mb_per_second: median(sockets),
        serde_json_mb_per_second: median(written),
        cycles: cycles.collect(),
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

/// p50, p99 and pages a second, of cycles while clients read the state: again after `pause`, or not
/// at all.
fn cycles_while(
    crowd: &Crowd,
    master: &Master,
    args: &Args,
    pause: Option<Duration>,
) -> anyhow::Result<(f64, f64, f64)> {
    let over = Arc::new(AtomicBool::new(false));
    let pages = Arc::new(AtomicU64::new(0));
    let readers = if pause.is_some() { args.readers } else { 0 };
    let mut threads = Vec::new();
    for number in 0..readers {
        let (over, pages, pause) = (over.clone(), pages.clone(), pause.unwrap_or_default());
        let mut client = Client::connect(master.address())?;
        threads.push(thread::spawn(move || -> anyhow::Result<()> {
            let [(_, request), ..] = self::pages();
            // Not all at the same moment.
            thread::sleep(pause * number as u32 / readers.max(1) as u32);
            while !over.load(Ordering::Relaxed) {
                client.get(&request)?;
                pages.fetch_add(1, Ordering::Relaxed);
                thread::sleep(pause);
            }
            Ok(())
        }));
    }
    thread::sleep(Duration::from_millis(200));
    let (began, before) = (Instant::now(), pages.load(Ordering::Relaxed));
    let cycles = crowd.cycles(args.cycles.max(1));
    let read = pages.load(Ordering::Relaxed) - before;
    let rate = read as f64 / began.elapsed().as_secs_f64();
    over.store(true, Ordering::Relaxed);
    for thread in threads {
        let ended = thread.join();
        ended.map_err(|_| anyhow::anyhow!("a reader panicked"))??;
    }
    let mut cycles = cycles?;
    let p99 = quantile(&mut cycles, 0.99);
    Ok((quantile(&mut cycles, 0.5), p99, rate))
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
                p50_ms,
                p99_ms,
                pages_per_second,
            } = cycles;
            let times = p99_ms / alone;
            writeln!(
                f,
                "  {meanwhile:<26} p50 {p50_ms:>6.2} ms, p99 {p99_ms:>6.2} ms ({times:.2} times), \
                 {pages_per_second:.0} pages/s"
            )?;
        }
        write!(
            f,
            "limits: 200 MB/s of JSON; p99 at most twice while ten read; Mesos 65 MB/s"
        )
    }
}
