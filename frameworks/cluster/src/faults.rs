//! Faults that follow from a seed: when which link or host fails, how, and for how long.

use std::fmt;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use tokio::time::Instant;

use crate::cluster::Cluster;

/// The shortest and the longest time a fault lasts: from what nobody notices to what outlives every
/// timeout but those of days.
const LASTING_MS: (f64, f64) = (100.0, 120_000.0);
/// How long every other hold lasts: long enough that what is not acknowledged is said again, too
/// short for anybody to give up the connection. Only then do words come twice.
const REPEATING_MS: (u64, u64) = (9_000, 15_000);
/// The longest latency of a slow link.
const SLOW_MS: u64 = 3_000;

/// Something that goes wrong, and is put right again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A link loses everything.
    Cut(String, String),
    /// A link loses everything in one direction.
    CutOneWay(String, String),
    /// A link keeps everything back.
    Hold(String, String),
    /// A link is slow: messages take up to so long.
    Slow(String, String, Duration),
    /// A connection is reset.
    Reset(String, String),
    /// A host crashes.
    Crash(String),
    /// A host is cut off from all others.
    Isolate(String),
}

/// A fault, when it comes, and when it is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Episode {
    /// When, after the beginning.
    pub at: Duration,
    /// How long.
    pub lasting: Duration,
    /// What.
    pub fault: Fault,
}

impl fmt::Display for Episode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} for {:?}: {:?}", self.at, self.lasting, self.fault)
    }
}

/// Makes up `count` episodes that begin within `length`, among masters and other hosts. A master is
/// on one side of every link; one of several may be cut off as well.
pub fn episodes(
    seed: u64,
    masters: &[String],
    others: &[String],
    count: usize,
    length: Duration,
) -> Vec<Episode> {
    let mut rng = StdRng::seed_from_u64(seed);
    let Some(first) = masters.first() else {
        return Vec::new();
    };
    let mut episode = || {
        let center = match masters.len() {
            1 => first,
            _ => masters.choose(&mut rng).unwrap_or(first),
        };
        let mut others: Vec<&String> = others.iter().collect();
        others.extend(masters.iter().filter(|master| *master != center));
        let at = length.mul_f64(rng.random());
        let (shortest, longest) = LASTING_MS;
        // As many short ones as long ones, by order of magnitude.
        let lasting_ms = shortest * (longest / shortest).powf(rng.random());
        let other = (*others.choose(&mut rng).unwrap_or(&center)).clone();
        let fault = match masters.len() > 1 && rng.random_ratio(1, 5) {
            true => Fault::Isolate(center.clone()),
            false => fault(&mut rng, center.clone(), other),
        };
        let lasting_ms = match &fault {
            Fault::Hold(..) if rng.random() => rng.random_range(REPEATING_MS.0..REPEATING_MS.1),
            _ => lasting_ms as u64,
        };
        Episode {
            at,
            lasting: Duration::from_millis(lasting_ms),
            fault,
        }
    };
    let mut episodes: Vec<_> = (0..count).map(|_| episode()).collect();
    episodes.sort_by_key(|episode| episode.at);
    episodes
}

fn fault(rng: &mut StdRng, center: String, other: String) -> Fault {
    match rng.random_range(0..14) {
        0..2 => Fault::Cut(center, other),
        2 => Fault::CutOneWay(center, other),
        3 => Fault::CutOneWay(other, center),
        4..8 => Fault::Hold(center, other),
        8 => {
            let longest = Duration::from_millis(rng.random_range(20..SLOW_MS));
            Fault::Slow(center, other, longest)
        }
        9..11 => Fault::Reset(center, other),
        11 => Fault::Crash(center),
        _ => Fault::Crash(other),
    }
}

/// Plays episodes on a cluster, until the last one is over.
pub async fn play(cluster: &Cluster, episodes: &[Episode]) {
    let begin = Instant::now();
    let starts = episodes
        .iter()
        .map(|episode| (episode.at, Turn::Begin(&episode.fault)));
    let ends = episodes
        .iter()
        .map(|e| (e.at + e.lasting, Turn::End(&e.fault)));
    let mut turns: Vec<_> = starts.chain(ends).collect();
    turns.sort_by_key(|(at, _)| *at);
    for (at, turn) in turns {
        tokio::time::sleep_until(begin + at).await;
        match turn {
            Turn::Begin(fault) => fault.begin(cluster).await,
            Turn::End(fault) => fault.end(cluster).await,
        }
    }
}

enum Turn<'a> {
    Begin(&'a Fault),
    End(&'a Fault),
}

impl Fault {
    /// Makes it happen.
    pub async fn begin(&self, cluster: &Cluster) {
        match self {
            Fault::Cut(a, b) => cluster.cut(a, b),
            Fault::CutOneWay(from, to) => cluster.cut_one_way(from, to),
            Fault::Hold(a, b) => cluster.hold(a, b),
            Fault::Slow(a, b, longest) => cluster.slow_down(a, b, *longest).await,
            Fault::Reset(a, b) => cluster.reset(a, b),
            Fault::Crash(host) => cluster.crash(host).await,
            Fault::Isolate(host) => cluster.isolate(host),
        }
    }

    /// Puts it right.
    pub async fn end(&self, cluster: &Cluster) {
        match self {
            Fault::Cut(a, b) | Fault::CutOneWay(a, b) => cluster.repair(a, b),
            Fault::Hold(a, b) => cluster.release(a, b),
            Fault::Slow(a, b, _) => cluster.speed_up(a, b).await,
            Fault::Reset(..) => {}
            Fault::Crash(host) => cluster.restart(host).await,
            Fault::Isolate(host) => cluster.rejoin(host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_faults() {
        let (masters, others) = (["master".to_owned()], ["agent-1".to_owned()]);
        let length = Duration::from_secs(100);
        let episodes = |seed| episodes(seed, &masters, &others, 20, length);
        let first = episodes(7);
        assert_eq!(first, episodes(7));
        assert_ne!(first, episodes(8));
        assert!(first.iter().all(|episode| episode.at <= length));
    }
}
