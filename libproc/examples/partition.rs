//! What a cut does to a bank whose clients try again: money is booked twice, unless bookings have
//! numbers. Both banks live through the same simulated minute.
//!
//!     cargo run -p libproc --features sim --example partition

use std::collections::BTreeSet;
use std::time::Duration;

use libproc::prelude::*;
use libproc::sim::{self, World};

/// The seed of everything that is left to chance here.
const SEED: u64 = 1;

protocol! {
    /// What a bank accepts.
    pub protocol Banking {
        /// Adds to the account; the reply is the balance.
        message Deposit { number: u64, amount: u64 } -> u64;
    }
}

/// An account.
#[derive(Default)]
struct Bank {
    balance: u64,
    /// The numbers of the deposits that were booked, where anybody looks at them.
    booked: Option<BTreeSet<u64>>,
}

impl Actor for Bank {
    type Context = Context<Self>;
}

impl Process for Bank {
    type Protocol = Banking;
}

impl Handler<Deposit> for Bank {
    type Result = u64;
    fn handle(&mut self, deposit: Deposit, _: &mut Context<Self>) -> u64 {
        let booked = self.booked.as_mut();
        if booked.is_none_or(|booked| booked.insert(deposit.number)) {
            self.balance += deposit.amount;
        }
        self.balance
    }
}

/// Deposits 10 three times, while answers of the bank are lost for a while; the balance in the end.
async fn deposit(world: World, careful: bool) -> u64 {
    let (bank_node, node) = (world.start("bank").await, world.start("client").await);
    let booked = careful.then(BTreeSet::new);
    let bank = bank_node.spawn("bank", Bank { balance: 0, booked });
    let mut balance = 0;
    for number in 1..=3 {
        if number == 2 {
            println!(
                "{:>6.1} s  the way back from the bank is cut",
                seconds(&world)
            );
            world.partition_one_way("bank", "client");
        }
        loop {
            let deposit = Deposit { number, amount: 10 };
            match node.ask(&bank, deposit).await {
                Ok(answer) => {
                    println!(
                        "{:>6.1} s  deposit {number}: balance {answer}",
                        seconds(&world)
                    );
                    balance = answer;
                    break;
                }
                Err(error) => {
                    println!(
                        "{:>6.1} s  deposit {number}: {error}; again",
                        seconds(&world)
                    );
                    world.repair("bank", "client");
                }
            }
        }
    }
    balance
}

fn seconds(world: &World) -> f64 {
    world.elapsed().as_secs_f64()
}

fn main() {
    let minute = Duration::from_secs(60);
    for careful in [false, true] {
        let simulation = sim::Simulation::new(SEED).limit(minute);
        let balance = simulation.run(move |world| deposit(world, careful));
        let bank = if careful { "careful" } else { "careless" };
        println!("the {bank} bank has {balance} of 30\n");
    }
}
