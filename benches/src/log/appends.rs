//! Appends acknowledged by three replicas on one disk, beside bare writes and flushes of it.

use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use replog::{Log, LogError};
use serde_json::{Value as Json, json};

use super::replicas::Replicas;
use super::{Args, floor, quantiles_text, rated, say};
use crate::measure::latency::Latency;

/// Part of the time that goes by before anything is counted.
const WARM_UP: f64 = 0.2;

pub(super) fn measure(args: &Args, place: &Path) -> Result<Json> {
    let time = Duration::from_secs(args.seconds);
    let mut patterns = Vec::new();
    for size in &args.sizes {
        let (before, latency) = floor::measure(place, *size, time)?;
        say(
            args,
            &format!(
                "{size} B, bare write and flush: {before:.0} a second; {}",
                quantiles_text(&latency)
            ),
        );
        let directory = place.join(format!("appends-{size}"));
        let replicas = Replicas::start(&directory, 3)?;
        let mut single = None;
        let mut measured = Vec::new();
        for outstanding in &args.outstanding {
            let (size, outstanding) = (*size, *outstanding);
            let leader = replicas.leader()?;
            let append = async move |_, log| append(log, size, outstanding, time).await;
            let (per_second, latency) = replicas.on(leader, append)??;
            if outstanding == 1 {
                single = Some(per_second);
            }
            let times_single = single.map(|single| per_second / single);
            say(
                args,
                &format!(
                    "{size} B, {outstanding} outstanding: {per_second:.0} a second, {:.0} % of bare, \
                 {:.1} MB/s{}; {}",
                    per_second / before * 100.0,
                    per_second * size as f64 / 1e6,
                    times_single
                        .map(|times| format!(", {times:.1}x one"))
                        .unwrap_or_default(),
                    quantiles_text(&latency)
                ),
            );
            let mut figures = rated(per_second, &latency);
            figures["outstanding"] = outstanding.into();
            figures["times_one_outstanding"] = json!(times_single);
            measured.push((per_second, figures));
        }
        replicas.end()?;
        std::fs::remove_dir_all(&directory)?;
        let (after, _) = floor::measure(place, size.to_owned(), time)?;
        let bare = (before + after) / 2.0;
        say(
            args,
            &format!("{size} B, bare write and flush again: {after:.0} a second"),
        );
        let log = measured.into_iter().map(|(per_second, mut figures)| {
            figures["of_bare"] = json!(per_second / bare);
            figures
        });
        patterns.push(json!({
            "bytes": size,
            "bare": {"before": before, "after": after, "latency": rated(before, &latency)},
            "log": log.collect::<Vec<_>>(),
        }));
    }
    Ok(Json::Array(patterns))
}

/// Keeps so many appends under way for so long; how many were acknowledged a second.
async fn append(
    log: Log,
    size: usize,
    outstanding: usize,
    time: Duration,
) -> Result<(f64, Latency), LogError> {
    let mut writer = log.writer();
    writer.start().await?;
    let data = Bytes::from(vec![7; size]);
    let mut latency = Latency::new();
    let mut under_way = VecDeque::with_capacity(outstanding);
    let began = Instant::now();
    let warm = began + time.mul_f64(WARM_UP);
    let end = warm + time;
    loop {
        while under_way.len() < outstanding {
            under_way.push_back((Instant::now(), writer.append(data.clone())));
        }
        let Some((since, append)) = under_way.pop_front() else {
            break;
        };
        append.await?;
        let now = Instant::now();
        if now >= end {
            break;
        }
        if now >= warm {
            latency.record((now - since).as_nanos() as u64);
        }
    }
    Ok((latency.count() as f64 / time.as_secs_f64(), latency))
}
