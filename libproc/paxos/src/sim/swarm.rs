//! What a run is like: drawn from its seed, so that each run is extreme in another way (swarm testing,
//! Groce et al., 2012). The ranges are those of TigerBeetle's VOPR where it has such a fault.

use super::chance::Chance;
use crate::{Millis, Options, Quorums};

/// The options of one run.
#[derive(Clone, Debug)]
pub struct Swarm {
    /// Replicas that begin the log.
    pub members: u64,
    /// Replicas that may be added.
    pub spares: u64,
    /// The quorums it begins with.
    pub quorums: Quorums,
    /// Times and limits of the replicas.
    pub options: Options,
    /// Seconds with faults.
    pub faulty_seconds: u64,
    /// Messages lost, per thousand.
    pub loss: u64,
    /// Messages doubled, per thousand.
    pub duplication: u64,
    /// The longest usual delay of a message, in microseconds.
    pub delay_us: u64,
    /// Messages delayed a hundredfold, per thousand.
    pub stragglers: u64,
    /// The longest usual sync of a disk, in microseconds.
    pub sync_us: u64,
    /// Syncs that take a hundredfold, per thousand.
    pub slow_syncs: u64,
    /// Milliseconds between changes of who hears whom; zero for never.
    pub partitions_ms: u64,
    /// Milliseconds between crashes; zero for never.
    pub crashes_ms: u64,
    /// Milliseconds between pauses of a process; zero for never.
    pub pauses_ms: u64,
    /// Crashes that damage what was durable, per thousand.
    pub damage: u64,
    /// Milliseconds between damages found while running; zero for never.
    pub rot_ms: u64,
    /// Milliseconds between changes of the members; zero for never.
    pub changes_ms: u64,
    /// Milliseconds between resignations and elections nobody needs; zero for never.
    pub unrest_ms: u64,
    /// Milliseconds between disks that fill up for a while; zero for never.
    pub full_ms: u64,
    /// Milliseconds between requests.
    pub requests_ms: u64,
    /// Requests that truncate, per thousand.
    pub truncations: u64,
    /// Requests that read, per thousand.
    pub reads: u64,
    /// Clocks run faster or slower by up to this, per thousand.
    pub drift: u64,
    /// Whether a snapshot is kept before each truncation.
    pub snapshots: bool,
}

impl Swarm {
    /// The options of `seed`.
    pub(crate) fn draw(chance: &mut Chance) -> Self {
        let members = chance.pick(&[1, 2, 3, 3, 3, 3, 3, 4, 5, 5, 5]);
        let quorums = match (members, chance.between(0, 4)) {
            (3, 0) => Quorums::Of {
                electing: 3,
                accepting: 1,
            },
            (4, 0..2) => Quorums::Of {
                electing: 3,
                accepting: 2,
            },
            (5, 0) => Quorums::Of {
                electing: 4,
                accepting: 2,
            },
            (5, 1) => Quorums::Of {
                electing: 2,
                accepting: 4,
            },
            _ => Quorums::Majority,
        };
        let heartbeat = chance.pick(&[50, 100, 100, 200, 300]);
        let mut sometimes = |often: u64, low: u64, high: u64| {
            if chance.permille(often) {
                chance.between(low, high)
            } else {
                0
            }
        };
        let loss = sometimes(600, 0, 300);
        let duplication = sometimes(500, 0, 500);
        let stragglers = sometimes(500, 0, 100);
        let slow_syncs = sometimes(500, 0, 50);
        let partitions_ms = sometimes(700, 500, 20_000);
        let crashes_ms = sometimes(800, 500, 20_000);
        let pauses_ms = sometimes(300, 500, 20_000);
        let damage = sometimes(500, 0, 800);
        let rot_ms = sometimes(250, 2_000, 30_000);
        let changes_ms = sometimes(400, 1_000, 20_000);
        let unrest_ms = sometimes(400, 100, 5_000);
        let full_ms = sometimes(150, 2_000, 20_000);
        let truncations = sometimes(600, 1, 200);
        let drift = sometimes(300, 0, 150);
        Self {
            members,
            spares: if changes_ms > 0 {
                chance.between(0, 3)
            } else {
                0
            },
            quorums,
            options: Options {
                heartbeat_ms: Millis(heartbeat),
                election_ms: Millis(heartbeat * chance.between(4, 8)),
                jitter_ms: Millis(heartbeat * chance.between(1, 6)),
                resend_ms: Millis(heartbeat * chance.between(1, 4)),
                window: chance.pick(&[1, 2, 4, 16, 64]),
                window_bytes: chance.pick(&[100, 1_000, 1 << 20]),
                queue: chance.pick(&[1, 16, 1_000]),
                ahead: chance.pick(&[2, 8, 64, 256]),
                ahead_bytes: chance.pick(&[200, 1 << 20]),
                keep: chance.pick(&[0, 1, 8, 64]),
                fetch: chance.pick(&[1, 4, 64]),
                change_ms: Millis(heartbeat * chance.between(10, 40)),
                ..Options::default()
            },
            faulty_seconds: chance.pick(&[20, 60, 60, 120, 300]),
            loss,
            duplication,
            delay_us: chance.pick(&[500, 2_000, 10_000, 50_000]),
            stragglers,
            sync_us: chance.pick(&[200, 1_000, 5_000, 20_000]),
            slow_syncs,
            partitions_ms,
            crashes_ms,
            pauses_ms,
            damage,
            rot_ms,
            changes_ms,
            unrest_ms,
            full_ms,
            requests_ms: chance.pick(&[20, 50, 100, 300]),
            truncations,
            reads: chance.pick(&[0, 100, 500]),
            drift,
            snapshots: chance.permille(500),
        }
    }
}
