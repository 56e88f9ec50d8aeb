//! Ping-pong: two processes, one ball.

use std::io;
use std::time::Instant;

use libproc::prelude::*;

use super::stage::{Finish, Load, each, timed, warmed};
use crate::measure::latency::Latency;
use crate::measure::reading::{Each, Reading};

/// Round trips.
const ROUND_TRIPS: u64 = 200_000;

protocol! {
    /// What a player accepts.
    protocol Rally {
        message Meet { partner: Pid<Rally> };
        message Ball { left: u64 };
    }
}

struct Player {
    partner: Option<Pid<Rally>>,
    /// Round trips, where single ones are timed.
    latency: Option<(Instant, Latency)>,
    finish: Finish<Option<Latency>>,
}

impl Actor for Player {
    type Context = Context<Self>;
}

impl Process for Player {
    type Protocol = Rally;
}

impl Handler<Meet> for Player {
    type Result = ();
    fn handle(&mut self, Meet { partner }: Meet, _: &mut Context<Self>) {
        self.partner = Some(partner);
    }
}

impl Handler<Ball> for Player {
    type Result = ();
    fn handle(&mut self, Ball { left }: Ball, ctx: &mut Context<Self>) {
        if let Some((since, latency)) = &mut self.latency {
            let now = Instant::now();
            latency.record((now - *since).as_nanos() as u64);
            *since = now;
        }
        if left == 0 {
            let latency = self.latency.take();
            return self.finish.with(latency.map(|(_, latency)| latency));
        }
        if let Some(partner) = &self.partner {
            ctx.tell(partner, Ball { left: left - 1 });
        }
    }
}

/// Nanoseconds a round trip; timed one by one as well when `stamped`, which costs time.
fn play(load: Load, stamped: bool) -> io::Result<(Each, Option<Latency>)> {
    warmed(load, async |node, load| {
        let count = load.of(ROUND_TRIPS);
        let (finish, finished) = Finish::new();
        let player = |finish, stamped: bool| Player {
            partner: None,
            latency: stamped.then(|| (Instant::now(), Latency::new())),
            finish,
        };
        let one = node.spawn("one", player(finish, stamped));
        let two = node.spawn("two", player(Finish::nobody(), false));
        node.tell(
            &one,
            Meet {
                partner: two.clone(),
            },
        );
        node.tell(
            &two,
            Meet {
                partner: one.clone(),
            },
        );
        let start = || node.tell(&one, Ball { left: 2 * count });
        let (took, latency) = timed(finished, start).await?;
        Ok((each(&took, count), latency))
    })
}

pub(super) fn run(load: Load) -> io::Result<Vec<Reading>> {
    let (each, _) = play(load, false)?;
    let (_, latency) = play(load, true)?;
    let reading = Reading::time("ping-pong", "round trip", each);
    Ok(vec![match latency {
        Some(latency) => reading.with_latency(latency),
        None => reading,
    }])
}
