//! Counts, clocks and arguments that every peer in Rust shares.
//!
//! A program is called as `PROGRAM local PATTERN THREADS SCALE` and prints
//! `peer pattern threads figure`; or, where it can talk to another OS process, as
//! `PROGRAM serve PORT`, until its input ends, and `PROGRAM remote PORT CASE COUNT`, which prints
//! `peer case threads figure p50 p99 p999`. Figures are nanoseconds an operation, or bytes.

use std::future::Future;
use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use hdrhistogram::Histogram;
use tokio::sync::Notify;

/// Round trips of the ping-pong.
pub const ROUND_TRIPS: u64 = 200_000;
/// Messages of one sender to one receiver.
pub const ONE_WAY: u64 = 2_000_000;
/// Messages, or children, after which a sender or a parent lets others have their turn.
pub const BURST: u64 = 1000;
/// Senders of the fan-in.
pub const SENDERS: u64 = 4;
/// Messages of each.
pub const FAN_IN: u64 = 500_000;
/// Actors in the ring.
pub const RING: usize = 1000;
/// Hops of its token.
pub const HOPS: u64 = 1_000_000;
/// Actors spawned, told and stopped.
pub const FORK_JOIN: u64 = 100_000;
/// Actors that ping each other.
pub const BIG: usize = 100;
/// Pings of each.
pub const PINGS: u64 = 5000;
/// Asks, one in flight.
pub const ASKS: u64 = 200_000;
/// Asks, a hundred in flight.
pub const MANY_ASKS: u64 = 500_000;
/// How many those are.
pub const MANY: u64 = 100;
/// Actors that burn.
pub const BURNERS: u64 = 64;
/// Messages of each.
pub const BURNS: u64 = 1000;
/// Steps that one of them takes: about 4.5 us at 3 GHz.
pub const BURN_STEPS: u32 = 2250;
/// Idle actors.
pub const IDLE: u64 = 100_000;
/// The share of the work that is done first, unmeasured.
const WARM_UP: f64 = 0.1;

/// How much of a pattern is to be done.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Threads that run actors.
    pub threads: usize,
    /// Of the usual count.
    pub scale: f64,
}

impl Load {
    /// So much of `usual`, 1 at least.
    pub fn of(self, usual: u64) -> u64 {
        ((usual as f64 * self.scale) as u64).max(1)
    }
}

/// What a program was called for.
#[derive(Debug)]
pub enum Call {
    /// Play a pattern between actors of this OS process.
    Local {
        /// Its name.
        pattern: String,
        /// How much of it.
        load: Load,
    },
    /// Serve on a port.
    Serve {
        /// Which.
        port: u16,
    },
    /// Measure against a port.
    Remote {
        /// Which.
        port: u16,
        /// What.
        case: Case,
    },
}

/// What is done between two OS processes.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it is called.
    pub name: String,
    /// Payload of a message, in bytes.
    pub bytes: usize,
    /// How often it is done.
    pub count: u64,
    /// Questions under way at once; 0 where nothing answers.
    pub in_flight: u64,
}

impl Case {
    /// The case called `name`.
    pub fn named(name: &str, count: u64) -> Option<Case> {
        let (bytes, in_flight) = match name {
            "one-way-0" => (0, 0),
            "one-way-100" => (100, 0),
            "one-way-1024" => (1024, 0),
            "round-trip" => (100, 1),
            "ask-100" => (100, 100),
            _ => return None,
        };
        let name = name.to_owned();
        Some(Case {
            name,
            bytes,
            count,
            in_flight,
        })
    }
}

/// What this program was called for.
///
/// # Panics
/// When it was called in no way it knows: the runner is at fault.
pub fn call() -> Call {
    let all: Vec<String> = std::env::args().skip(1).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<u64>().expect("a number");
    match all[..] {
        ["local", pattern, threads, scale] => Call::Local {
            pattern: pattern.to_owned(),
            load: Load {
                threads: number(threads) as usize,
                scale: scale.parse().expect("a number"),
            },
        },
        ["serve", port] => Call::Serve {
            port: number(port) as u16,
        },
        ["remote", port, case, count] => Call::Remote {
            port: number(port) as u16,
            case: Case::named(case, number(count)).expect("a case"),
        },
        _ => panic!("local PATTERN THREADS SCALE | serve PORT | remote PORT CASE COUNT"),
    }
}

/// Prints a figure.
pub fn print(peer: &str, pattern: &str, threads: usize, figure: f64) {
    println!("{peer} {pattern} {threads} {figure:.2}");
}

/// Prints what a remote case took, and how long single operations did.
pub fn print_remote(peer: &str, case: &Case, elapsed: Duration, latency: Option<&Histogram<u64>>) {
    let each = elapsed.as_nanos() as f64 / case.count as f64;
    let mut line = format!("{peer} {} 1 {each:.2}", case.name);
    for quantile in [0.5, 0.99, 0.999] {
        if let Some(latency) = latency {
            line += &format!(" {}", latency.value_at_quantile(quantile));
        }
    }
    println!("{line}");
}

/// A histogram of nanoseconds.
pub fn histogram() -> Histogram<u64> {
    Histogram::new(3).expect("three digits are few enough")
}

/// Ends this OS process when its input ends: whoever started it has gone.
pub fn end_with_input() {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
}

/// Runs `main` on a tokio runtime with so many threads that run tasks.
pub fn on_tokio<T>(threads: usize, main: impl Future<Output = T>) -> T {
    let mut builder = match threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = builder.worker_threads(threads).enable_all().build();
    runtime.expect("a runtime starts").block_on(main)
}

/// Plays a pattern once small, to warm up, and once in full; the figure of the second.
pub async fn warmed<F: Future<Output = f64>>(load: Load, play: impl Fn(Load) -> F) -> f64 {
    let scale = load.scale * WARM_UP;
    play(Load { scale, ..load }).await;
    play(load).await
}

/// Nanoseconds for each of `count` operations since `began`.
pub fn each(began: Instant, count: u64) -> f64 {
    began.elapsed().as_nanos() as f64 / count as f64
}

/// Held by many: the pattern is over when the last of them has counted down.
#[derive(Debug, Clone)]
pub struct Countdown(Arc<(AtomicU64, Notify)>);

impl Countdown {
    /// From so many.
    pub fn new(from: u64) -> Countdown {
        Countdown(Arc::new((AtomicU64::new(from), Notify::new())))
    }

    /// One is done.
    pub fn down(&self) {
        if self.0.0.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.1.notify_one();
        }
    }

    /// Waits until all are.
    pub async fn done(&self) {
        self.0.1.notified().await;
    }
}

/// The same cheap generator everywhere that "big" is measured (xorshift).
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// That of actor `number`.
    pub fn of(number: u64) -> Random {
        Random(number * 7919 + 13)
    }

    /// A number below `bound`, which is at least 1.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) % bound as u64) as usize
    }
}

/// Computes for a while.
pub fn burn(state: u64) -> u64 {
    let mut state = state;
    for _ in 0..BURN_STEPS {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    std::hint::black_box(state)
}

/// Asks `count` times, `in_flight` at once, from one task.
pub async fn ask_from_one<F: Future<Output = ()>>(
    count: u64,
    in_flight: u64,
    ask: impl Fn(u64) -> F,
) {
    if in_flight == 1 {
        for number in 0..count {
            ask(number).await;
        }
        return;
    }
    let asks = futures::stream::iter(0..count).map(ask);
    asks.buffer_unordered(in_flight as usize)
        .for_each(|()| async {})
        .await;
}

/// Resident memory of this OS process, in bytes.
pub fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.map_or("", |rest| rest.trim_end_matches("kB").trim());
    kib.parse::<u64>().unwrap_or_default() * 1024
}

/// Measures `case` and prints it: tells one after the other with `tell`, then waits for `came`,
/// which gives how many came; or asks with `ask`.
///
/// # Panics
/// When messages were lost.
pub async fn measure_remote(
    peer: &str,
    case: &Case,
    tell: impl AsyncFn(),
    came: impl AsyncFn() -> u64,
    ask: impl AsyncFn(),
) {
    if case.in_flight == 0 {
        let before = came().await;
        let began = Instant::now();
        for _ in 0..case.count {
            tell().await;
        }
        let after = came().await;
        let elapsed = began.elapsed();
        assert_eq!(after - before, case.count, "messages were lost");
        return print_remote(peer, case, elapsed, None);
    }
    ask().await;
    let latency = std::cell::RefCell::new(histogram());
    let began = Instant::now();
    let asks = ask_from_one(case.count, case.in_flight, |_| async {
        let sent = Instant::now();
        ask().await;
        latency
            .borrow_mut()
            .record(sent.elapsed().as_nanos() as u64)
            .unwrap_or_default();
    });
    asks.await;
    print_remote(peer, case, began.elapsed(), Some(&latency.borrow()));
}
