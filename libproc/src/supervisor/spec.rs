//! What a supervisor is told of a child: how it is made, when it is restarted, how it is stopped.

use std::time::Duration;

use crate::context::Local;
use crate::link::Watcher;
use crate::node::{Node, SpawnError};
use crate::pid::Upid;
use crate::placement::Placement;
use crate::process::Process;
use crate::spawn_on::{self, SpawnOnError, Spawnable};
use crate::supervisor::stopper::{self, Stopper};

/// How long a child may take to stop after it was asked to, unless given.
const GRACE: Duration = Duration::from_secs(5);
/// Longest wait before a restart, whatever is given: a day.
const WAIT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// When a child that ended is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// However it ended.
    Permanent,
    /// When it did not end by itself in good order: it panicked, failed, or was lost.
    Transient,
    /// Never.
    Temporary,
}

/// How long a supervisor waits before it starts a child again: longer after each failure in a row,
/// and never quite as long as another supervisor would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    pub(crate) first: Duration,
    pub(crate) most: Duration,
    pub(crate) healthy: Duration,
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff {
            first: Duration::from_millis(100),
            most: Duration::from_secs(30),
            healthy: Duration::from_secs(60),
        }
    }
}

impl Backoff {
    /// Begins with 100 ms, doubles up to 30 s, and begins anew with a child that ran for a minute.
    #[must_use]
    pub fn new() -> Backoff {
        Backoff::default()
    }

    /// The wait after the first failure. Half of each wait is left to chance.
    #[must_use]
    pub fn first(mut self, first: Duration) -> Backoff {
        self.first = first.min(WAIT_MAX);
        self
    }

    /// The longest wait.
    #[must_use]
    pub fn most(mut self, most: Duration) -> Backoff {
        self.most = most.min(WAIT_MAX);
        self
    }

    /// How long a child has to run for its failures before that to be forgotten.
    #[must_use]
    pub fn healthy(mut self, healthy: Duration) -> Backoff {
        self.healthy = healthy;
        self
    }

    /// The wait after so many failures in a row before this one; `chance` is in 0..1.
    pub(crate) fn wait(&self, failures: u32, chance: f64) -> Duration {
        let doubled = 2u32.saturating_pow(failures);
        let wait = self.first.saturating_mul(doubled).min(self.most);
        wait / 2 + (wait / 2).mul_f64(chance)
    }
}

/// Spawns a child, watched from before its first turn, and has it tell when that was done.
type Make = Box<dyn Fn(&Node, &str, Watcher, Ready) -> Result<(Upid, Stopper), SpawnError> + Send>;

pub(crate) type Ready = Box<dyn FnOnce() + Send>;

pub(crate) enum Start {
    Here(Make),
    Placed {
        kind: &'static str,
        args: Vec<u8>,
        placement: Placement,
    },
}

/// A child of a [`Supervisor`](crate::Supervisor): an id, a way to make it, and what to do when it
/// ends.
pub struct ChildSpec {
    pub(crate) id: String,
    pub(crate) start: Start,
    pub(crate) restart: Restart,
    pub(crate) grace: Duration,
    pub(crate) backoff: Backoff,
}

impl ChildSpec {
    fn new(id: &str, start: Start) -> ChildSpec {
        ChildSpec {
            id: id.to_owned(),
            start,
            restart: Restart::Permanent,
            grace: GRACE,
            backoff: Backoff::new(),
        }
    }

    /// A child on the supervisor's own node, made by `make` each time it is started. It counts as
    /// started when its [`started`](actix::Actor::started) has returned.
    #[must_use]
    pub fn local<A: Process + Send>(id: &str, make: impl Fn() -> A + Send + 'static) -> ChildSpec {
        let make = move |node: &Node, id: &str, watcher, ready: Ready| {
            let pid = node.spawn_watched(id, make(), watcher)?;
            if let Some(at) = pid.upid().handle() {
                Local::<A>::of(node.clone(), at).run(move |_, _| ready());
            }
            Ok((pid.upid().clone(), stopper::of::<A>()))
        };
        ChildSpec::new(id, Start::Here(Box::new(make)))
    }

    /// A child on a node that [offers](Node::offer) its kind: always the same, or one chosen among
    /// the members of the cluster each time it is started. It stops when its node can no longer hear
    /// the supervisor's.
    ///
    /// # Errors
    /// [`SpawnOnError::BadArgs`] when the arguments cannot be encoded.
    pub fn placed<A: Spawnable>(
        id: &str,
        placement: Placement,
        args: &A::Args,
    ) -> Result<ChildSpec, SpawnOnError> {
        let start = Start::Placed {
            kind: A::KIND,
            args: spawn_on::encode::<A>(args)?,
            placement,
        };
        Ok(ChildSpec::new(id, start))
    }

    /// When it is started again; [permanently](Restart::Permanent) unless given.
    #[must_use]
    pub fn restart(mut self, restart: Restart) -> ChildSpec {
        self.restart = restart;
        self
    }

    /// How long it may take to stop after it was asked to, before it is stopped at once; 5 s unless
    /// given. It handles what waits for it in that time.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> ChildSpec {
        self.grace = grace;
        self
    }

    /// How long to wait before it is started again.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> ChildSpec {
        self.backoff = backoff;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wait_is_twice_as_long_up_to_the_longest_and_half_of_it_is_chance() {
        let ms = Duration::from_millis;
        let backoff = Backoff::new().first(ms(100)).most(ms(500));
        let least: Vec<_> = (0..4).map(|n| backoff.wait(n, 0.0)).collect();
        assert_eq!(least, [ms(50), ms(100), ms(200), ms(250)]);
        let most: Vec<_> = (0..4).map(|n| backoff.wait(n, 1.0)).collect();
        assert_eq!(most, [ms(100), ms(200), ms(400), ms(500)]);
        assert_eq!(backoff.wait(u32::MAX, 1.0), ms(500));
    }
}
