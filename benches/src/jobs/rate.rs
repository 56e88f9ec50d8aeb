//! Jobs of `true` through a queue of its own process and three agents, beside bare fork+exec+wait.

use std::fmt;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use serde::Serialize;

use super::Args;
use crate::measure::reading::median;
use crate::tasks::bare;
use crate::tasks::cluster::Cluster;

/// How many agents there are, and what each says it has: so many jobs run at once.
const AGENTS: u32 = 3;
const RESOURCES: &str = "cpus:64;mem:100000";

/// Medians over the rounds.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Rate {
    /// Bare fork+exec+wait of `true`, one after the other, a second.
    bare_per_second: f64,
    /// The same, two at a time.
    bare_two_per_second: f64,
    /// Jobs a second, from the start of `tepui jobs submit` to the end of `tepui jobs wait`.
    jobs_per_second: f64,
    /// Of the bare rate, one after the other: the median of each round's.
    share_of_bare: f64,
    /// Of the bare rate, two at a time.
    share_of_bare_two: f64,
}

pub(super) fn measure(tepui: &Path, args: &Args) -> anyhow::Result<Rate> {
    let cluster = Cluster::start_with(tepui, AGENTS, RESOURCES)?;
    let state = std::env::temp_dir().join(format!("tepui-bench-jobs-{}", std::process::id()));
    let queue = Queue::start(tepui, cluster.master(), &state)?;
    let (mut bare, mut two, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    let (mut shares, mut shares_two) = (Vec::new(), Vec::new());
    for round in 0..args.rounds.max(1) {
        eprintln!("round {} of {}", round + 1, args.rounds.max(1));
        let (one, both) = (
            bare::one_after_the_other(2_000)?,
            bare::two_at_a_time(2_000)?,
        );
        let rate = queue.jobs_per_second(tepui, args)?;
        shares.push(rate / one);
        shares_two.push(rate / both);
        bare.push(one);
        two.push(both);
        rates.push(rate);
    }
    drop(queue);
    // It was made by this run, and is of use to nobody.
    drop(std::fs::remove_file(&state));
    Ok(Rate {
        bare_per_second: median(bare),
        bare_two_per_second: median(two),
        jobs_per_second: median(rates),
        share_of_bare: median(shares),
        share_of_bare_two: median(shares_two),
    })
}

/// A queue that runs.
struct Queue {
    child: Child,
    address: String,
}

impl Queue {
    fn start(tepui: &Path, master: &str, state: &Path) -> anyhow::Result<Queue> {
        let mut command = Command::new(tepui);
        let state = format!("--state={}", state.display());
        command.args(["jobs", "start", "--port=0", "--master", master, &state]);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().context("could not start the queue")?;
        let output = child.stdout.take().context("it has an output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let Some((_, address)) = line.trim().split_once('@') else {
            bail!("the queue did not start: {:?}", child.wait()?);
        };
        let address = address.to_owned();
        Ok(Queue { child, address })
    }

    fn jobs_per_second(&self, tepui: &Path, args: &Args) -> anyhow::Result<f64> {
        let count = args.jobs.max(1);
        let file = std::env::temp_dir().join(format!("tepui-bench-flow-{}", std::process::id()));
        let job = serde_json::json!({"command": {"Argv": ["true"]}, "user": "bench"});
        let jobs = match args.array {
            true => {
                let mut job = job;
                job["array"] = serde_json::json!({"first": 1, "last": count});
                vec![job]
            }
            false => vec![job; count as usize],
        };
        std::fs::write(&file, serde_json::to_string(&jobs)?)?;
        let began = Instant::now();
        let from = format!("--from={}", file.display());
        let submitted = self.ask(tepui, &["submit", "--json", &from])?;
        let ids: Vec<u64> = serde_json::from_slice(&submitted)?;
        // Jobs of one user go in their order: when the last ones have ended, nearly all have.
        let last: Vec<String> = ids.iter().rev().take(200).map(u64::to_string).collect();
        let words = std::iter::once("wait").chain(last.iter().map(String::as_str));
        self.ask(tepui, &words.collect::<Vec<_>>())?;
        let elapsed = began.elapsed();
        let open = self.ask(
            tepui,
            &["list", "--state=queued", "--state=started", "--json"],
        )?;
        let open: Vec<serde_json::Value> = serde_json::from_slice(&open)?;
        ensure!(open.is_empty(), "{} jobs have not ended", open.len());
        std::fs::remove_file(&file)?;
        Ok(f64::from(count) / elapsed.as_secs_f64())
    }

    fn ask(&self, tepui: &Path, words: &[&str]) -> anyhow::Result<Vec<u8>> {
        let mut command = Command::new(tepui);
        command
            .arg("jobs")
            .args(words)
            .args(["--jobs", &self.address]);
        let done = command.stdin(Stdio::null()).output()?;
        let errors = String::from_utf8_lossy(&done.stderr);
        ensure!(done.status.success(), "tepui jobs {words:?}: {errors}");
        Ok(done.stdout)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-INT", &pid]).status();
        let _ = self.child.wait();
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rate {
            bare_per_second,
            bare_two_per_second,
            jobs_per_second,
            share_of_bare,
            share_of_bare_two,
        } = self;
        writeln!(
            f,
            "bare fork+exec+wait of true      {bare_per_second:>8.0}/s"
        )?;
        writeln!(
            f,
            "the same, two at a time          {bare_two_per_second:>8.0}/s"
        )?;
        let (one, two) = (100.0 * share_of_bare, 100.0 * share_of_bare_two);
        writeln!(
            f,
            "jobs of true through {AGENTS} agents    {jobs_per_second:>8.0}/s   {one:.0} % of bare \
             (limit 40 %), {two:.0} % of two at a time"
        )
    }
}
