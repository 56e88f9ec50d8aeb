//! Room that empty lanes keep, within bounds.

use std::collections::VecDeque;

use super::pool::Here;
use crate::lane::Warmth;

/// Most processes of a worker whose empty lanes keep a little room (up to 1 KiB), much (64 KiB), or
/// very much (1 MiB): nine megabytes together.
const WARM_SMALL: usize = 1024;
const WARM_LARGE: usize = 64;
const WARM_HUGE: usize = 4;

/// The processes of a worker whose empty lanes keep their room, because they had a turn lately:
/// a process that is spoken to again and again allocates nothing, one that rests holds nothing.
#[derive(Default)]
pub(super) struct Warm {
    small: VecDeque<u32>,
    large: VecDeque<u32>,
    huge: VecDeque<u32>,
}

impl Warm {
    /// Lets a process keep its lane; the one that kept its for longest gives it to `spares`.
    pub(super) fn add(&mut self, here: &Here, index: u32, warmth: Warmth) {
        let (lanes, most) = match warmth {
            Warmth::Cold => return,
            Warmth::Small => (&mut self.small, WARM_SMALL),
            Warmth::Large => (&mut self.large, WARM_LARGE),
            Warmth::Huge => (&mut self.huge, WARM_HUGE),
        };
        lanes.push_back(index);
        if lanes.len() <= most {
            return;
        }
        let cooled = lanes
            .pop_front()
            .and_then(|index| here.node().table().slot(index));
        let Some(slot) = cooled else { return };
        let mut mailbox = slot.0.lock();
        if mailbox.warmth != warmth {
            return; // another process has its slot, or it is on the other list
        }
        mailbox.warmth = Warmth::Cold;
        if mailbox.scheduled {
            return; // it has a turn, and will be warm again after that
        }
        let lane = mailbox.lane.take();
        drop(mailbox);
        if let Some(lane) = lane {
            let rest = here.spares().keep_lane(lane);
            drop(rest);
        }
    }
}
