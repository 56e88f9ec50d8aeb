//! Running a peer once, in OS processes of its own, and reading what it prints.

use std::io::{self, BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::peers::Peer;

/// Longest run of one pattern: what is not done by then is given up.
const RUN_MAX: Duration = Duration::from_secs(120);
/// Longest wait for a serving side to listen.
const LISTEN_MAX: Duration = Duration::from_secs(60);

/// A figure that a peer printed.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// What it measured.
    pub name: String,
    /// Nanoseconds an operation, or bytes.
    pub value: f64,
    /// Nanoseconds that half, 99 of 100 and 999 of 1000 operations did not exceed.
    pub percentiles: Option<[f64; 3]>,
}

/// Plays `pattern` once on so many threads; nothing when the peer does not know it.
///
/// # Errors
/// When it fails, or takes too long.
pub fn local(
    peer: &Peer,
    target: &Path,
    pattern: &str,
    threads: usize,
    scale: f64,
) -> anyhow::Result<Vec<Figure>> {
    let words = ["local", pattern, &threads.to_string(), &scale.to_string()];
    output(peer.command(target, threads, &words))
}

/// Measures `case` once, with a serving side started for it.
///
/// # Errors
/// When either side fails, or takes too long.
pub fn remote(peer: &Peer, target: &Path, case: &str, scale: f64) -> anyhow::Result<Vec<Figure>> {
    let count = (peer.count(case) as f64 * scale) as u64;
    let port = free_port()?.to_string();
    let mut command = peer.command(target, 1, &["serve", &port]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut serving = Ending(
        command
            .spawn()
            .context("could not start the serving side")?,
    );
    listening(&mut serving.0)?;
    let count = count.max(1).to_string();
    output(peer.command(target, 1, &["remote", &port, case, &count]))
}

/// An OS process that ends when this is dropped.
pub struct Ending(pub Child);

impl Drop for Ending {
    fn drop(&mut self) {
        // It may have ended already; and what is killed is waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Waits for the line that says that `child` listens.
fn listening(child: &mut Child) -> anyhow::Result<()> {
    let stdout = child
        .stdout
        .take()
        .context("a serving side has an output")?;
    let (say, said) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if line.starts_with("listening") {
                // Whoever waited may have given up. The rest is read on, so that nothing blocks.
                let _ = say.send(());
            }
        }
    });
    said.recv_timeout(LISTEN_MAX)
        .context("the serving side does not listen")
}

/// What `command` prints, once it has ended well.
fn output(mut command: Command) -> anyhow::Result<Vec<Figure>> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = Ending(command.spawn().context("could not start")?);
    let read = |from: Option<Box<dyn io::Read + Send>>| {
        thread::spawn(move || {
            let mut text = String::new();
            // What is not text is no figure.
            let _ = from.map(|mut from| from.read_to_string(&mut text));
            text
        })
    };
    let stdout = read(child.0.stdout.take().map(|from| Box::new(from) as _));
    let stderr = read(child.0.stderr.take().map(|from| Box::new(from) as _));
    let (say, said) = mpsc::channel();
    let waiting = thread::spawn(move || drop(say.send(stdout.join())));
    let Ok(Ok(text)) = said.recv_timeout(RUN_MAX) else {
        bail!("not done after {} s", RUN_MAX.as_secs());
    };
    drop(waiting.join());
    let status = child.0.wait()?;
    if !status.success() {
        let errors = stderr.join().unwrap_or_default();
        let last: Vec<&str> = errors.lines().rev().take(3).collect();
        bail!("{status}: {}", last.join(" / "));
    }
    Ok(text.lines().filter_map(figure).collect())
}

/// A line of the form `peer name threads value [p50 p99 p999]`.
fn figure(line: &str) -> Option<Figure> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let number = |place: usize| words.get(place)?.parse::<f64>().ok();
    let percentiles = match (number(4), number(5), number(6)) {
        (Some(p50), Some(p99), Some(p999)) => Some([p50, p99, p999]),
        _ => None,
    };
    let value = number(3).filter(|value| value.is_finite())?;
    let name = (*words.get(1)?).to_owned();
    Some(Figure {
        name,
        value,
        percentiles,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_figure_with_or_without_percentiles() {
        let plain = figure("caf ring 2 250.50").expect("it is one");
        assert_eq!((plain.name.as_str(), plain.value), ("ring", 250.5));
        assert_eq!(plain.percentiles, None);
        let full = figure("caf-io ask-100 1 8000.00 7000 9000 12000").expect("it is one");
        assert_eq!(full.percentiles, Some([7000.0, 9000.0, 12_000.0]));
    }

    #[test]
    fn what_else_is_printed_is_no_figure() {
        for line in ["", "listening", "warning: so and so many", "caf ring 2 NaN"] {
            assert_eq!(figure(line), None, "{line}");
        }
    }
}
