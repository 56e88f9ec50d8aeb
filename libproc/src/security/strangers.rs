//! Seats for connections that have not shown who they are: a bounded number, for a bounded time.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Most connections at once that have not shown who they are, unless told otherwise: each costs a
/// descriptor and a few KiB, for five seconds at most.
pub(crate) const STRANGERS_MAX: usize = 256;

/// The seats of a node.
///
/// When all are taken, the one who has sat longest goes: an honest peer needs a few round trips, so
/// whoever sits for long is slow or means ill, and those must not keep others out.
pub(crate) struct Strangers {
    max: usize,
    seats: Arc<Mutex<Seats>>,
}

#[derive(Default)]
struct Seats {
    next: u64,
    taken: BTreeMap<u64, Arc<Notify>>,
}

/// A seat; given back when it is dropped.
pub(crate) struct Seat {
    number: u64,
    seats: Arc<Mutex<Seats>>,
    evicted: Arc<Notify>,
}

impl Strangers {
    pub(crate) fn new(max: usize) -> Strangers {
        Strangers {
            max: max.max(1),
            seats: Arc::default(),
        }
    }

    /// Takes a seat; if there is none, from whoever has sat longest.
    pub(crate) fn seat(&self) -> Seat {
        let mut seats = self.seats.lock();
        if seats.taken.len() >= self.max
            && let Some((_, longest)) = seats.taken.pop_first()
        {
            longest.notify_one();
        }
        let number = seats.next;
        seats.next += 1;
        let evicted = Arc::new(Notify::new());
        seats.taken.insert(number, evicted.clone());
        Seat {
            number,
            seats: self.seats.clone(),
            evicted,
        }
    }

    #[cfg(test)]
    fn taken(&self) -> usize {
        self.seats.lock().taken.len()
    }
}

impl Seat {
    /// Waits until somebody else needs the seat.
    pub(crate) async fn evicted(&self) {
        self.evicted.notified().await;
    }

    /// Gets up: whoever sat here is no stranger any more.
    pub(crate) fn vacate(&self) {
        self.seats.lock().taken.remove(&self.number);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.vacate();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn whoever_has_sat_longest_goes_when_there_is_no_seat() {
        let strangers = Strangers::new(2);
        let (first, second) = (strangers.seat(), strangers.seat());
        assert!(first.evicted().now_or_never().is_none());
        let third = strangers.seat();
        assert!(first.evicted().now_or_never().is_some());
        assert!(second.evicted().now_or_never().is_none());
        third.vacate();
        let fourth = strangers.seat();
        assert!(second.evicted().now_or_never().is_none());
        assert_eq!(strangers.taken(), 2);
        drop((second, fourth));
        assert_eq!(strangers.taken(), 0);
    }
}
