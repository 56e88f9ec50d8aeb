//! The limit: what the machine forks, executes and waits for without us.

use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use anyhow::{Context, anyhow, ensure};

/// How many `true` a second, one after the other.
pub(crate) fn one_after_the_other(count: u32) -> anyhow::Result<f64> {
    let began = Instant::now();
    run(count)?;
    Ok(f64::from(count) / began.elapsed().as_secs_f64())
}

/// How many `true` a second by two threads.
pub(crate) fn two_at_a_time(count: u32) -> anyhow::Result<f64> {
    let began = Instant::now();
    let other = thread::spawn(move || run(count / 2));
    run(count / 2)?;
    other.join().map_err(|_| anyhow!("a thread panicked"))??;
    Ok(f64::from(count) / began.elapsed().as_secs_f64())
}

fn run(count: u32) -> anyhow::Result<()> {
    for _ in 0..count {
        let status = Command::new("true").stdin(Stdio::null()).status();
        ensure!(
            status.context("could not run true")?.success(),
            "true failed"
        );
    }
    Ok(())
}
