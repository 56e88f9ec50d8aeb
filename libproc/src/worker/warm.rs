//! Room that empty lanes keep, within bounds.

use std::collections::VecDeque;

use crate::lane::Warmth;
use crate::node::Node;

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
    pub(super) fn add(&mut self, node: &Node, index: u32, warmth: Warmth) {
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
        let cooled = lanes.pop_front().and_then(|index| node.table().slot(index));
        let Some(slot) = cooled else { return };
        let mut mailbox = slot.0.lock();
        if mailbox.warmth != warmth {
            return; // another process has its slot, or it is on the other list
        }
        mailbox.warmth = Warmth::Cold;
        if !mailbox.scheduled
            && let Some(lane) = &mut mailbox.lane
        {
            lane.cool();
        }
    }
}
