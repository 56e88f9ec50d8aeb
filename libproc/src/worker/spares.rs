//! What processes of a worker left behind that its next ones can have: places in the table, and
//! lanes with the room they had.

use std::any::TypeId;

use crate::lane::{AnyLane, Warmth};
use crate::process::Kind;

/// Most free slots that a worker keeps to itself.
const SLOTS_MAX: usize = 1024;
/// Most empty lanes that a worker keeps, of each of so many protocols: a megabyte of each at most.
const LANES_MAX: usize = 1024;
const PROTOCOLS_MAX: usize = 4;

/// What is left of processes of one worker, for others: nobody locks, and hardly anything is
/// allocated, where processes come and go.
#[derive(Default)]
pub(crate) struct Spares {
    slots: Vec<u32>,
    /// By protocol, the one used last in front.
    lanes: Vec<(TypeId, Vec<Box<dyn AnyLane>>)>,
}

impl Spares {
    pub(crate) fn take_slot(&mut self) -> Option<u32> {
        self.slots.pop()
    }

    /// Keeps a free slot; false when there are enough.
    pub(crate) fn keep_slot(&mut self, index: u32) -> bool {
        let keep = self.slots.len() < SLOTS_MAX;
        if keep {
            self.slots.push(index);
        }
        keep
    }

    pub(crate) fn take_lane(&mut self, kind: &Kind) -> Option<Box<dyn AnyLane>> {
        self.lanes_of(kind.protocol)?.pop()
    }

    /// Keeps a lane that is empty and small; the others, and those that are too many, come back.
    pub(crate) fn keep_lane(&mut self, lane: Box<dyn AnyLane>) -> Option<Box<dyn AnyLane>> {
        if lane.len() > 0 || lane.room() != Warmth::Small {
            return Some(lane);
        }
        let protocol = lane.protocol();
        if self.lanes_of(protocol).is_none() {
            if self.lanes.len() == PROTOCOLS_MAX {
                self.lanes.pop();
            }
            self.lanes.insert(0, (protocol, Vec::new()));
        }
        match self.lanes_of(protocol) {
            Some(lanes) if lanes.len() < LANES_MAX => lanes.push(lane),
            _ => return Some(lane),
        }
        None
    }

    fn lanes_of(&mut self, protocol: TypeId) -> Option<&mut Vec<Box<dyn AnyLane>>> {
        let at = self.lanes.iter().position(|(of, _)| *of == protocol)?;
        self.lanes.swap(0, at);
        Some(&mut self.lanes[0].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overflow::Overflow;
    use crate::process::lane_for_one;
    use crate::protocol::Page;

    crate::protocol! {
        /// Nothing.
        protocol One {}
    }

    crate::protocol! {
        /// Nothing either.
        protocol Other {}
    }

    fn kind<P: Page>() -> Kind {
        Kind {
            name: || "",
            capacity: 1,
            overflow: Overflow::Reject,
            messages: &[],
            protocol: TypeId::of::<P>(),
            lane: lane_for_one::<P>,
        }
    }

    #[test]
    fn a_lane_goes_to_processes_of_its_protocol_alone() {
        let mut spares = Spares::default();
        assert!(spares.keep_lane(lane_for_one::<One>()).is_none());
        assert!(spares.take_lane(&kind::<Other>()).is_none());
        let lane = spares.take_lane(&kind::<One>());
        assert!(lane.is_some_and(|lane| lane.protocol() == TypeId::of::<One>()));
        assert!(spares.take_lane(&kind::<One>()).is_none());
    }

    #[test]
    fn what_is_kept_has_an_end() {
        let mut spares = Spares::default();
        let kept = (0..2 * SLOTS_MAX as u32).filter(|index| spares.keep_slot(*index));
        assert_eq!(kept.count(), SLOTS_MAX);
        let lanes = (0..2 * LANES_MAX).map(|_| lane_for_one::<One>());
        let refused = lanes.filter_map(|lane| spares.keep_lane(lane));
        assert_eq!(refused.count(), LANES_MAX);
    }
}
