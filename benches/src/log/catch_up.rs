//! How fast a replica that has nothing is given everything by the others.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value as Json, json};

use super::replicas::Replicas;
use super::{Args, restart, say};

/// Bytes of an entry.
const ENTRY: usize = 16 << 10;
/// Longest time it may take.
const PATIENCE: Duration = Duration::from_secs(600);

pub(super) fn measure(args: &Args, place: &Path) -> Result<Json> {
    let directory = place.join("catch-up");
    let mut replicas = Replicas::start(&directory, 3)?;
    let leader = replicas.leader()?;
    let nodes = replicas.nodes();
    let late = *nodes
        .iter()
        .find(|node| **node != leader)
        .unwrap_or(&leader);
    replicas.kill(late)?;
    std::fs::remove_dir_all(replicas.directory(late))?;
    let count = (args.mib << 20) / ENTRY as u64;
    replicas.on(leader, async move |_, log| {
        restart::fill(log, ENTRY, count).await
    })??;
    let end = replicas.status(leader)?.commit;
    let began = Instant::now();
    replicas.revive(late)?;
    while replicas.status(late)?.commit < end {
        ensure!(
            began.elapsed() < PATIENCE,
            "it has not caught up in {PATIENCE:?}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    let took = began.elapsed().as_secs_f64();
    replicas.end()?;
    std::fs::remove_dir_all(&directory)?;
    let rate = count as f64 * ENTRY as f64 / 1e6 / took;
    say(
        args,
        &format!(
            "an empty replica catches up with {} MiB in {took:.2} s: {rate:.0} MB/s",
            args.mib
        ),
    );
    Ok(json!({"mib": args.mib, "entry_bytes": ENTRY, "seconds": took, "mb_per_second": rate}))
}
