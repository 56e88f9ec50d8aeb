//! Who waits for a process: for its exit, or for room in its mailbox.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::link::Watcher;
use crate::overflow::Room;
use crate::table::Handle;

/// Who waits for a process. Most have nobody, or the one process that is linked to them: these take
/// no memory beyond the slot.
#[derive(Default)]
pub(crate) enum Waiting {
    #[default]
    Nobody,
    /// A process that is linked to it.
    Linked(Handle),
    Crowd(Box<Crowd>),
}

/// More who wait, and others than processes.
#[derive(Default)]
pub(crate) struct Crowd {
    /// For its exit.
    watchers: Vec<Watcher>,
    /// For room in its mailbox.
    room: Room,
}

impl Waiting {
    /// Has `watcher` told of the exit.
    pub(crate) fn watch(&mut self, watcher: Watcher) {
        if let (Waiting::Nobody, Watcher::Process(at)) = (&self, &watcher) {
            *self = Waiting::Linked(*at);
            return;
        }
        let watchers = &mut self.crowd().watchers;
        if watchers.len() == watchers.capacity() {
            // Before it grows: tasks that stopped waiting need no place.
            watchers.retain(|other| !matches!(other, Watcher::Task(task) if task.is_closed()));
        }
        watchers.push(watcher);
    }

    /// Lets those who are `whom` wait no more for the exit.
    pub(crate) fn unwatch(&mut self, whom: impl Fn(&Watcher) -> bool) {
        match self {
            Waiting::Nobody => {}
            Waiting::Linked(at) if whom(&Watcher::Process(*at)) => *self = Waiting::Nobody,
            Waiting::Linked(_) => {}
            Waiting::Crowd(crowd) => crowd.watchers.retain(|watcher| !whom(watcher)),
        }
    }

    /// How many are told of the exit.
    pub(crate) fn watcher_count(&self) -> usize {
        match self {
            Waiting::Nobody => 0,
            Waiting::Linked(_) => 1,
            Waiting::Crowd(crowd) => crowd.watchers.len(),
        }
    }

    pub(crate) fn is_nobody(&self) -> bool {
        matches!(self, Waiting::Nobody)
    }

    /// What is notified when there is room in the mailbox again.
    pub(crate) fn room(&mut self) -> Arc<Notify> {
        self.crowd().room.wait()
    }

    /// There is room in the mailbox again.
    #[inline]
    pub(crate) fn made_room(&self) {
        if let Waiting::Crowd(crowd) = self {
            crowd.room.made();
        }
    }

    /// Those who are to be told of the exit, in the order in which they came.
    pub(crate) fn into_watchers(self) -> Vec<Watcher> {
        match self {
            Waiting::Nobody => Vec::new(),
            Waiting::Linked(at) => vec![Watcher::Process(at)],
            Waiting::Crowd(crowd) => crowd.watchers,
        }
    }

    fn crowd(&mut self) -> &mut Crowd {
        if !matches!(self, Waiting::Crowd(_)) {
            let watchers = std::mem::take(self).into_watchers();
            let room = Room::default();
            *self = Waiting::Crowd(Box::new(Crowd { watchers, room }));
        }
        match self {
            Waiting::Crowd(crowd) => crowd,
            Waiting::Nobody | Waiting::Linked(_) => unreachable!("it was made a crowd above"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(index: u32) -> Watcher {
        let generation = 1;
        Watcher::Process(Handle { index, generation })
    }

    fn indices(waiting: Waiting) -> Vec<u32> {
        let index = |watcher: Watcher| match watcher {
            Watcher::Process(at) => at.index,
            _ => panic!("only processes wait here"),
        };
        waiting.into_watchers().into_iter().map(index).collect()
    }

    #[test]
    fn watchers_are_told_in_the_order_in_which_they_came() {
        let mut waiting = Waiting::default();
        assert!(waiting.is_nobody());
        for index in 0..3 {
            waiting.watch(process(index));
            assert_eq!(waiting.watcher_count(), index as usize + 1);
        }
        waiting.unwatch(|watcher| matches!(watcher, Watcher::Process(at) if at.index == 1));
        assert_eq!(indices(waiting), [0, 2]);
    }

    #[test]
    fn whoever_waits_for_room_keeps_the_one_who_waits_for_the_exit() {
        let mut waiting = Waiting::default();
        waiting.watch(process(7));
        let _room = waiting.room();
        waiting.made_room();
        assert_eq!(indices(waiting), [7]);
    }

    #[test]
    fn one_who_is_linked_takes_no_memory_of_its_own() {
        assert_eq!(size_of::<Waiting>(), 16);
        let mut waiting = Waiting::default();
        waiting.watch(process(7));
        waiting.unwatch(|watcher| matches!(watcher, Watcher::Process(at) if at.index == 8));
        assert_eq!(waiting.watcher_count(), 1);
        waiting.unwatch(|_| true);
        assert!(waiting.is_nobody());
    }
}
