//! Chance as the gossip wants it: the simulation's when there is one.

use std::convert::Infallible;

use rand::RngCore as _;
use rand::rngs::StdRng;

use crate::env;

/// A generator of [`env`], behind the trait of the release of rand that foca uses.
pub(crate) struct Chance(StdRng);

impl Chance {
    pub(crate) fn new() -> Chance {
        Chance(env::rng())
    }
}

impl rand_core::TryRng for Chance {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.0.next_u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.next_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill_bytes(bytes);
        Ok(())
    }
}
