//! What a replica shows of itself on its node's page of metrics.

use libproc::prelude::*;
use paxos::Config;

use super::{ReplicaProcess, is_ready};

/// A number of a replica: its name, what it says, and how it is had.
type Gauge = (&'static str, &'static str, fn(&ReplicaProcess) -> f64);

/// `log/recovered` and `log/ensemble_size` are those of Mesos's log.
const GAUGES: [Gauge; 6] = [
    ("log/recovered", "Whether the replica votes", |replica| {
        f64::from(u8::from(is_ready(replica.core.status())))
    }),
    ("log/ensemble_size", "Replicas that vote", |replica| {
        let members = replica.core.config().map(Config::members);
        members.map_or(0, <[_]>::len) as f64
    }),
    ("log/leading", "Whether the replica leads", |replica| {
        f64::from(u8::from(replica.leadership().leading.is_some()))
    }),
    ("log/begin", "The first position that is kept", |replica| {
        replica.core.begin().0 as f64
    }),
    (
        "log/chosen",
        "Everything up to here is known to be chosen",
        |replica| replica.core.commit().0 as f64,
    ),
    (
        "log/disk_full",
        "Whether appends are refused for lack of space",
        |replica| f64::from(u8::from(replica.pending.is_full())),
    ),
];

/// Registers them.
pub(super) fn register(ctx: &mut Context<ReplicaProcess>) {
    let (metrics, replica) = (ctx.metrics(), ctx.local());
    for (name, help, read) in GAUGES {
        // Another log on the node has the name: then that is the one that is shown.
        if let Err(error) = metrics.pull_gauge_of(&replica, name, help, read) {
            tracing::debug!(%error, name, "not shown");
        }
    }
}
