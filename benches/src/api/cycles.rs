//! Cycles of offer, accept and running, and those who read the state meanwhile.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use serde::Serialize;

use super::client::Client;
use super::crowd::Crowd;
use super::quantile;

/// How long readers read before cycles are counted.
const WARM_UP: Duration = Duration::from_millis(200);
/// A reader that rests looks so often whether it is to end.
const LOOK: Duration = Duration::from_millis(20);

/// Cycles of offer, accept and running, of all rounds.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Cycles {
    pub(super) meanwhile: &'static str,
    /// How many there were.
    pub(super) cycles: usize,
    /// Pages that were read in a second, meanwhile.
    pub(super) pages_per_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

/// Cycles of the rounds so far.
pub(super) struct Counted {
    cycles_ms: Vec<f64>,
    pages: u64,
    seconds: f64,
}

impl Counted {
    pub(super) const fn new() -> Counted {
        Counted {
            cycles_ms: Vec::new(),
            pages: 0,
            seconds: 0.0,
        }
    }

    /// Counts for some time, while `readers` read.
    pub(super) fn add(
        &mut self,
        crowd: &Crowd,
        readers: Readers,
        time: Duration,
    ) -> anyhow::Result<()> {
        thread::sleep(WARM_UP);
        let (began, before) = (Instant::now(), readers.pages());
        let cycles = crowd.cycles(time);
        self.pages += readers.pages() - before;
        self.seconds += began.elapsed().as_secs_f64();
        readers.end()?;
        self.cycles_ms.extend(cycles?);
        Ok(())
    }

    pub(super) fn finish(mut self, meanwhile: &'static str) -> Cycles {
        Cycles {
            meanwhile,
            cycles: self.cycles_ms.len(),
            pages_per_second: self.pages as f64 / self.seconds,
            p50_ms: quantile(&mut self.cycles_ms, 0.5),
            p99_ms: quantile(&mut self.cycles_ms, 0.99),
        }
    }
}

/// Clients that read one page again and again.
pub(super) struct Readers {
    over: Arc<AtomicBool>,
    pages: Arc<AtomicU64>,
    threads: Vec<JoinHandle<anyhow::Result<()>>>,
}

impl Readers {
    pub(super) fn none() -> Readers {
        Readers {
            over: Arc::default(),
            pages: Arc::default(),
            threads: Vec::new(),
        }
    }

    /// Starts `count` clients, each of which rests for a `pause` between two pages.
    pub(super) fn start(
        count: usize,
        request: &[u8],
        address: SocketAddr,
        pause: Duration,
    ) -> anyhow::Result<Readers> {
        let mut readers = Readers::none();
        for number in 0..count {
            let (over, pages) = (readers.over.clone(), readers.pages.clone());
            let (mut client, request) = (Client::connect(address)?, request.to_vec());
            // Not all at the same moment.
            let first = pause * number as u32 / count as u32;
            readers.threads.push(thread::spawn(move || {
                rest(first, &over);
                while !over.load(Ordering::Relaxed) {
                    client.get(&request)?;
                    pages.fetch_add(1, Ordering::Relaxed);
                    rest(pause, &over);
                }
                Ok(())
            }));
        }
        Ok(readers)
    }

    /// How many pages were read so far.
    fn pages(&self) -> u64 {
        self.pages.load(Ordering::Relaxed)
    }

    fn end(self) -> anyhow::Result<()> {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads {
            let ended = thread.join();
            ended.map_err(|_| anyhow!("a reader panicked"))??;
        }
        Ok(())
    }
}

/// Rests for a `pause`, or until it is over.
fn rest(pause: Duration, over: &AtomicBool) {
    let began = Instant::now();
    while !over.load(Ordering::Relaxed) {
        let left = pause.saturating_sub(began.elapsed());
        if left.is_zero() {
            return;
        }
        thread::sleep(left.min(LOOK));
    }
}
