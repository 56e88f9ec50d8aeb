//! One run of a simulation: steps, orders of the script, and what is said when something is wrong.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use super::check::replay;
use super::simulation_in_steps;
use super::world::{Order, SCRIPT, World};

/// How long a simulation may take, of its own time, unless it is given another limit.
const LIMIT: Duration = Duration::from_secs(60 * 60);
/// How often the network moves, unless it is given another step.
const STEP: Duration = Duration::from_millis(1);

/// Runs `script` in a world in which everything follows from `seed`, until it returns.
///
/// # Panics
/// When the script or the software of a host panics, or an hour of the world's time is over; with
/// the seed, what was done to the world, and how to run it again.
pub fn run<T, Fut>(seed: u64, script: impl FnOnce(World) -> Fut) -> T
where
    T: 'static,
    Fut: Future<Output = T> + 'static,
{
    Simulation::new(seed).run(script)
}

/// How a simulation is to be, for [`Simulation::run`].
#[derive(Debug, Clone)]
#[must_use = "run a script in it"]
pub struct Simulation {
    seed: u64,
    limit: Duration,
    step: Duration,
}

impl Simulation {
    /// One in which everything follows from `seed`.
    pub fn new(seed: u64) -> Simulation {
        Simulation {
            seed,
            limit: LIMIT,
            step: STEP,
        }
    }

    /// How long it may take, of its own time, before it fails; an hour unless given.
    pub fn limit(mut self, limit: Duration) -> Simulation {
        self.limit = limit;
        self
    }

    /// How often the network moves: packets arrive at multiples of it. 1 ms unless given. What it
    /// costs to simulate time in which nothing happens is a few microseconds a step and host.
    pub fn step(mut self, step: Duration) -> Simulation {
        self.step = step.max(STEP);
        self
    }

    /// Runs `script` until it returns.
    ///
    /// # Panics
    /// As [`run`] does.
    pub fn run<T, Fut>(self, script: impl FnOnce(World) -> Fut) -> T
    where
        T: 'static,
        Fut: Future<Output = T> + 'static,
    {
        let world = World::new(self.seed, self.step);
        let mut sim = simulation_in_steps(self.seed, self.limit, self.step);
        let outcome = Rc::new(RefCell::new(None));
        let (script, slot) = (script(world.clone()), outcome.clone());
        sim.client(SCRIPT, async move {
            let returned = script.await;
            slot.replace(Some(returned));
            Ok(())
        });
        let ended = drive(&mut sim, &world);
        let elapsed = sim.elapsed();
        world.end();
        drop(sim);
        crate::env::unseed();
        if let Err(failures) = ended {
            fail(self.seed, elapsed, &failures, &world.deeds());
        }
        let returned = outcome.take();
        returned.expect("a simulation that has not failed ends when its script returned")
    }
}

/// Steps until the script has returned; what went wrong, if something did.
fn drive(sim: &mut turmoil::Sim<'_>, world: &World) -> Result<(), Vec<String>> {
    loop {
        let stepped = sim.step();
        let mut failures = world.failures();
        failures.extend(stepped.as_ref().err().map(ToString::to_string));
        if !failures.is_empty() {
            return Err(failures);
        }
        if matches!(stepped, Ok(true)) {
            return Ok(());
        }
        for (order, done) in world.take_orders() {
            carry_out(order, sim);
            // A script that no longer waits has gone on.
            let _ = done.send(());
        }
    }
}

fn carry_out(order: Order, sim: &mut turmoil::Sim<'_>) {
    match order {
        Order::Start(host, software) => sim.host(host, software),
        Order::Crash(host) => sim.crash(host),
        Order::Bounce(host) => sim.bounce(host),
        Order::Latency(a, b, longest) => sim.set_link_max_message_latency(a, b, longest),
        Order::Loss(a, b, rate) => sim.set_link_fail_rate(a, b, rate),
    }
}

fn fail(seed: u64, elapsed: Duration, failures: &[String], deeds: &[String]) -> ! {
    let mut text = format!("seed {seed} fails after {:.6} s:\n", elapsed.as_secs_f64());
    for line in failures {
        let _ = writeln!(text, "  {line}");
    }
    text.push_str("what was done to the world:\n");
    for deed in deeds {
        let _ = writeln!(text, "{deed}");
    }
    panic!("{text}run it again with\n  {}\n", replay(seed));
}
