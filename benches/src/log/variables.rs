//! Variables in a log of three replicas: stores a second, and a set that is much larger than what
//! changes of it.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use libproc::Node;
use replog::Log;
use serde_json::{Value as Json, json};
use state::{Change, Entry, LogStorage, LogStorageOptions, Storage as _, Version};

use super::replicas::Replicas;
use super::{Args, quantiles_text, rated, say};
use crate::measure::latency::Latency;

/// Bytes of the values of which there are many.
const SMALL: usize = 128;
/// Bytes of those that make up the large set.
const LARGE: usize = 64 << 10;
/// So many changes are made of the large set.
const CHANGES: u64 = 2_000;

pub(super) fn measure(args: &Args, place: &Path) -> Result<Json> {
    let directory = place.join("variables");
    let replicas = Replicas::start(&directory, 3)?;
    let time = Duration::from_secs(args.seconds);
    let mut stores = Vec::new();
    for outstanding in &args.outstanding {
        let outstanding = *outstanding;
        let leader = replicas.leader()?;
        let job = async move |node, log| store(node, log, outstanding, time).await;
        let (per_second, latency) = replicas.on(leader, job)??;
        say(
            args,
            &format!(
                "stores of {SMALL} B, {outstanding} outstanding: {per_second:.0} a second; {}",
                quantiles_text(&latency)
            ),
        );
        let mut figures = rated(per_second, &latency);
        figures["outstanding"] = outstanding.into();
        stores.push(figures);
    }
    let (leader, mib) = (replicas.leader()?, args.set_mib);
    let set = replicas.on(leader, async move |node, log| large(node, log, mib).await)??;
    let opened = replicas.on(leader, async move |node, log| open(node, log).await)??;
    say(
        args,
        &format!(
            "a set of {mib} MiB: stored with {:.0} MB/s, {:.0} small changes a second, {:.0} B of \
             log each; opened in {:.2} s",
            set.filled, set.per_second, set.growth, opened
        ),
    );
    replicas.end()?;
    std::fs::remove_dir_all(&directory)?;
    Ok(json!({
        "stores": stores,
        "set": {
            "mib": mib,
            "stored_mb_per_second": set.filled,
            "changes_per_second": set.per_second,
            "log_bytes_per_change": set.growth,
            "opened_seconds": opened,
        },
    }))
}

/// Keeps so many stores under way for so long, each of a variable of its own.
async fn store(node: Node, log: Log, outstanding: usize, time: Duration) -> Result<(f64, Latency)> {
    let storage = LogStorage::new(&node, log, LogStorageOptions::default());
    storage.start().await?;
    let end = Instant::now() + time;
    let users = (0..outstanding).map(|user| {
        let storage = storage.clone();
        tokio::task::spawn_local(async move {
            let name = format!("{outstanding} small {user}");
            let mut latency = Latency::new();
            let mut version = None;
            loop {
                let since = Instant::now();
                version = Some(set(&storage, &name, version, vec![7; SMALL].into()).await?);
                latency.record_since(since);
                if Instant::now() >= end {
                    return anyhow::Ok(latency);
                }
            }
        })
    });
    let mut latency = Latency::new();
    for user in users.collect::<Vec<_>>() {
        latency.merge(&user.await??);
    }
    Ok((latency.count() as f64 / time.as_secs_f64(), latency))
}

/// Stores a variable that is at this version; its next.
async fn set(
    storage: &LogStorage,
    name: &str,
    expected: Option<Version>,
    value: Bytes,
) -> Result<Version> {
    let (name, version) = (name.to_owned(), Version::fresh());
    let entry = Entry {
        name,
        version,
        value,
    };
    let stored = storage
        .commit(vec![Change::Set { entry, expected }])
        .await?;
    stored.then_some(version).context("nobody else stores it")
}

/// What a large set does.
struct Large {
    /// MB that were stored a second.
    filled: f64,
    per_second: f64,
    /// Bytes of log for each change.
    growth: f64,
}

async fn large(node: Node, log: Log, mib: u64) -> Result<Large> {
    let storage = LogStorage::new(&node, log, LogStorageOptions::default());
    storage.start().await?;
    let count = (mib << 20) / LARGE as u64;
    let began = Instant::now();
    let mut variables = Vec::new();
    for number in 0..count {
        let value = noise(number);
        let name = format!("large {number}");
        let version = set(&storage, &name, None, value.clone().into()).await?;
        variables.push((name, version, value));
    }
    let filled = (count * LARGE as u64) as f64 / 1e6 / began.elapsed().as_secs_f64();
    let (grown, began) = (storage.growth(), Instant::now());
    for change in 0..CHANGES {
        let at = usize::try_from(change % count)?;
        let (name, version, value) = &mut variables[at];
        let places = LARGE as u64 - 1;
        value[usize::try_from(change.wrapping_mul(7_919) % places)?] ^= 0xff;
        *version = set(&storage, name, Some(*version), value.clone().into()).await?;
    }
    let per_second = CHANGES as f64 / began.elapsed().as_secs_f64();
    let growth = storage.growth().saturating_sub(grown) as f64 / CHANGES as f64;
    Ok(Large {
        filled,
        per_second,
        growth,
    })
}

/// How many seconds it takes to know all variables.
async fn open(node: Node, log: Log) -> Result<f64> {
    let began = Instant::now();
    let storage = LogStorage::new(&node, log, LogStorageOptions::default());
    anyhow::ensure!(!storage.names().await?.is_empty(), "the variables are gone");
    Ok(began.elapsed().as_secs_f64())
}

/// A value without a pattern.
fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..LARGE).map(next).collect()
}
