//! The leader is killed: how long until another accepts an append.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use replog::Log;
use serde_json::{Value as Json, json};

use super::replicas::Replicas;
use super::{Args, quantiles, quantiles_text, say};
use crate::measure::latency::Latency;

/// How long a client waits before it tries again.
const AGAIN: Duration = Duration::from_millis(2);
/// Longest time for the killed one to come back.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn measure(args: &Args, place: &Path) -> Result<Json> {
    let directory = place.join("failover");
    let mut replicas = Replicas::start(&directory, 3)?;
    let mut latency = Latency::new();
    for _ in 0..args.rounds {
        let leader = replicas.leader()?;
        let nodes = replicas.nodes();
        let other = *nodes
            .iter()
            .find(|node| **node != leader)
            .unwrap_or(&leader);
        replicas.on(leader, async |_, log| append(log).await)?;
        let since = Instant::now();
        replicas.kill(leader)?;
        let end = replicas.on(other, async |_, log| append(log).await)?;
        latency.record_since(since);
        replicas.revive(leader)?;
        let until = Instant::now() + PATIENCE;
        while replicas.status(leader)?.commit < end {
            ensure!(
                Instant::now() < until,
                "the one that was killed does not catch up"
            );
            std::thread::sleep(AGAIN);
        }
    }
    replicas.end()?;
    std::fs::remove_dir_all(&directory)?;
    say(
        args,
        &format!(
            "leader killed {} times, until another accepts an append: {}",
            args.rounds,
            quantiles_text(&latency)
        ),
    );
    Ok(json!({"rounds": args.rounds, "latency": quantiles(&latency)}))
}

/// Appends an entry, however often it has to be tried.
async fn append(log: Log) -> replog::Position {
    let mut writer = log.writer();
    loop {
        if writer.start().await.is_ok()
            && let Ok(position) = writer.append("here").await
        {
            return position;
        }
        tokio::time::sleep(AGAIN).await;
    }
}
