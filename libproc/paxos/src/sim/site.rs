//! A machine of the simulation: a replica that may run, its disk, its clock.

use super::disk::Disk;
use crate::{Life, Member, Millis, NodeId, Position, Replica, Span, Status};

/// One machine.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) node: NodeId,
    pub(crate) replica: Option<Replica>,
    pub(crate) disk: Disk,
    /// Counts its starts, so that what was meant for a former one is known.
    pub(crate) start: u32,
    /// When its timer event is due, in simulated microseconds.
    pub(crate) timer_at: u64,
    /// The process stands still until then.
    pub(crate) paused_until: u64,
    /// What its user has been told.
    pub(crate) learned: Position,
    /// It lost the promises of this life, and is not yet configured in another.
    pub(crate) forgot: Option<Life>,
    /// Stays down for the rest of the run.
    pub(crate) retired: bool,
    clock_offset_ms: u64,
    clock_permille: u64,
}

impl Site {
    pub(crate) fn new(node: NodeId, clock_offset_ms: u64, clock_permille: u64) -> Self {
        Self {
            node,
            replica: None,
            disk: Disk::default(),
            start: 0,
            timer_at: u64::MAX,
            paused_until: 0,
            learned: Position::ZERO,
            forgot: None,
            retired: false,
            clock_offset_ms,
            clock_permille,
        }
    }

    /// What its clock shows.
    pub(crate) fn clock(&self, time_us: u64) -> Millis {
        Millis(time_us / 1_000 * self.clock_permille / 1_000 + self.clock_offset_ms)
    }

    /// When its clock will show `millis`.
    pub(crate) fn when(&self, millis: Millis) -> u64 {
        let shown = millis.0.saturating_sub(self.clock_offset_ms);
        shown
            .saturating_mul(1_000)
            .div_ceil(self.clock_permille)
            .saturating_mul(1_000)
    }

    /// In which life its disk is.
    pub(crate) fn member(&self) -> Member {
        Member {
            node: self.node,
            life: self.disk.durable.life(),
        }
    }

    /// What it has lost and not got back.
    pub(crate) fn damage(&self) -> impl Iterator<Item = &Span> {
        let running = self
            .replica
            .as_ref()
            .map_or(&[][..], |replica| replica.damage());
        self.disk.durable.damage().iter().chain(running)
    }

    pub(crate) fn is_well(&self) -> bool {
        let status = self.replica.as_ref().map(Replica::status);
        self.forgot.is_none() && self.damage().next().is_none() && status == Some(Status::Voting)
    }
}
