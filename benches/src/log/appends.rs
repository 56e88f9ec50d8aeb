//! Appends acknowledged by three replicas on one disk, in turns with bare writes and flushes of it.

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

/// So many turns do the bare disk and the log take: the disk is shared, and fast and slow by turns.
const TURNS: u32 = 5;

/// What one thing did, over all turns.
#[derive(Default)]
struct Done {
    per_second: f64,
    latency: Option<Latency>,
}

impl Done {
    /// Adds a turn.
    fn add(&mut self, (per_second, latency): (f64, Latency)) {
        self.per_second += per_second / f64::from(TURNS);
        match &mut self.latency {
            Some(all) => all.merge(&latency),
            None => self.latency = Some(latency),
        }
    }

    fn latency(&self) -> Latency {
        self.latency.clone().unwrap_or_default()
    }
}

pub(super) fn measure(args: &Args, place: &Path) -> Result<Json> {
    let turn = Duration::from_secs(args.seconds) / TURNS;
    let mut patterns = Vec::new();
    for size in args.sizes.iter().copied() {
        let directory = place.join(format!("appends-{size}"));
        let replicas = Replicas::start(&directory, 3)?;
        let mut bare = Done::default();
        let mut log: Vec<Done> = args.outstanding.iter().map(|_| Done::default()).collect();
        for _ in 0..TURNS {
            bare.add(floor::measure(place, size, turn)?);
            for (outstanding, done) in args.outstanding.iter().copied().zip(&mut log) {
                let leader = replicas.leader()?;
                let append = async move |_, log| append(log, size, outstanding, turn).await;
                done.add(replicas.on(leader, append)??);
            }
        }
        replicas.end()?;
        std::fs::remove_dir_all(&directory)?;
        say(
            args,
            &format!(
                "{size} B, bare write and flush: {:.0} a second; {}",
                bare.per_second,
                quantiles_text(&bare.latency())
            ),
        );
        let single = args
            .outstanding
            .iter()
            .position(|outstanding| *outstanding == 1);
        let single = single.map(|at| log[at].per_second);
        let mut measured = Vec::new();
        for (outstanding, done) in args.outstanding.iter().zip(&log) {
            let times_single = single.map(|single| done.per_second / single);
            let of_bare = done.per_second / bare.per_second;
            say(
                args,
                &format!(
                    "{size} B, {outstanding} outstanding: {:.0} a second, {:.0} % of bare, \
                     {:.1} MB/s{}; {}",
                    done.per_second,
                    of_bare * 100.0,
                    done.per_second * size as f64 / 1e6,
                    times_single
                        .map(|times| format!(", {times:.1}x one"))
                        .unwrap_or_default(),
                    quantiles_text(&done.latency())
                ),
            );
            let mut figures = rated(done.per_second, &done.latency());
            figures["outstanding"] = (*outstanding).into();
            figures["times_one_outstanding"] = json!(times_single);
            figures["of_bare"] = json!(of_bare);
            measured.push(figures);
        }
        patterns.push(json!({
            "bytes": size,
            "bare": rated(bare.per_second, &bare.latency()),
            "log": measured,
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
