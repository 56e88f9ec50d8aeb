//! The least an append can cost: a write into a file of zeros, and a flush.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::measure::latency::Latency;

/// Bytes of the file, which is written over and over.
const FILE: u64 = 16 << 20;

/// Writes and flushes, one after the other; how many a second, and how long each took.
pub(super) fn measure(place: &Path, size: usize, time: Duration) -> Result<(f64, Latency)> {
    let path = place.join("floor");
    fs::write(&path, vec![0; FILE as usize])?;
    let file = File::options().write(true).open(&path)?;
    file.sync_all()?;
    let data = vec![7; size];
    let mut latency = Latency::new();
    let (began, mut at) = (Instant::now(), 0);
    while began.elapsed() < time {
        let since = Instant::now();
        file.write_all_at(&data, at)?;
        file.sync_data()?;
        latency.record_since(since);
        at += size as u64;
        if at + size as u64 > FILE {
            at = 0;
        }
    }
    let per_second = latency.count() as f64 / began.elapsed().as_secs_f64();
    fs::remove_file(&path)?;
    Ok((per_second, latency))
}
