//! How long a replica with many records takes to start.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use bytes::Bytes;
use replog::{Log, LogError, NodeId};
use serde_json::{Value as Json, json};

use super::replicas::Replicas;
use super::{Args, say};

/// Bytes of an entry.
const ENTRY: usize = 128;
/// Appends under way at once, to fill the log.
const OUTSTANDING: u64 = 4096;
/// How often it is started.
const STARTS: usize = 3;

pub(super) fn measure(args: &Args, place: &Path) -> Result<Json> {
    let directory = place.join("restart");
    let node = NodeId(1);
    let mut replicas = Replicas::start(&directory, 1)?;
    let (records, began) = (args.records, Instant::now());
    replicas.on(node, async move |_, log| fill(log, ENTRY, records).await)??;
    let filled = began.elapsed();
    let mut opened = Vec::new();
    let mut led = Vec::new();
    for _ in 0..STARTS {
        replicas.kill(node)?;
        let began = Instant::now();
        replicas.revive(node)?;
        opened.push(began.elapsed().as_secs_f64());
        replicas.leader()?;
        led.push(began.elapsed().as_secs_f64());
    }
    let chosen = replicas.status(node)?.commit;
    replicas.end()?;
    std::fs::remove_dir_all(&directory)?;
    for times in [&mut opened, &mut led] {
        times.sort_by(f64::total_cmp);
    }
    let (opened, led) = (opened[STARTS / 2], led[STARTS / 2]);
    say(
        args,
        &format!(
            "restart with {chosen} records of {ENTRY} B: {opened:.2} s until it runs, {led:.2} s until \
         it leads (alone); filled in {:.1} s",
            filled.as_secs_f64()
        ),
    );
    Ok(
        json!({"records": chosen.0, "bytes": ENTRY, "running_s": opened, "leading_s": led,
              "filled_s": filled.as_secs_f64()}),
    )
}

/// Appends so many entries, many at once.
pub(super) async fn fill(log: Log, size: usize, count: u64) -> Result<(), LogError> {
    let mut writer = log.writer();
    writer.start().await?;
    let data = Bytes::from(vec![7; size]);
    let most = (OUTSTANDING as usize * 128 / size).clamp(8, OUTSTANDING as usize);
    let mut under_way = VecDeque::with_capacity(most);
    for _ in 0..count {
        if under_way.len() == most
            && let Some(append) = under_way.pop_front()
        {
            append.await?;
        }
        under_way.push_back(writer.append(data.clone()));
    }
    for append in under_way {
        append.await?;
    }
    Ok(())
}
