//! Ids a master gives: its own by chance, those of others by counting.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use types::{AgentId, FrameworkId, OfferId};

/// Gives ids that begin with the master's own, so that no two masters give the same.
#[derive(Debug)]
pub(crate) struct Ids {
    master: String,
    frameworks: u64,
    agents: u64,
    offers: u64,
}

impl Ids {
    pub(crate) fn new(seed: Option<u64>) -> Self {
        let mut random = seed.map_or_else(libproc::env::rng, StdRng::seed_from_u64);
        let id = uuid::Builder::from_random_bytes(random.random()).into_uuid();
        Self {
            master: id.to_string(),
            frameworks: 0,
            agents: 0,
            offers: 0,
        }
    }

    pub(crate) fn master(&self) -> &str {
        &self.master
    }

    /// Whether this master, in this life, gave the id.
    pub(crate) fn gave(&self, id: &str) -> bool {
        id.strip_prefix(&self.master)
            .is_some_and(|rest| rest.starts_with('-'))
    }

    pub(crate) fn framework(&mut self) -> FrameworkId {
        self.frameworks += 1;
        let text = format!("{}-{:04}", self.master, self.frameworks - 1);
        FrameworkId::new(text).expect("a UUID and a number are an id")
    }

    pub(crate) fn agent(&mut self) -> AgentId {
        self.agents += 1;
        let text = format!("{}-S{}", self.master, self.agents - 1);
        AgentId::new(text).expect("a UUID and a number are an id")
    }

    pub(crate) fn offer(&mut self) -> OfferId {
        self.offers += 1;
        let text = format!("{}-O{}", self.master, self.offers - 1);
        OfferId::new(text).expect("a UUID and a number are an id")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_the_masters_and_a_number() {
        let mut ids = Ids::new(Some(1));
        let master = ids.master().to_owned();
        assert_eq!(ids.framework().as_str(), format!("{master}-0000"));
        assert_eq!(ids.agent().as_str(), format!("{master}-S0"));
        assert_eq!(ids.offer().as_str(), format!("{master}-O0"));
        assert_eq!(ids.offer().as_str(), format!("{master}-O1"));
        assert!(ids.gave(&format!("{master}-S0")));
        assert!(!ids.gave("other-S0") && !ids.gave(&master));
    }

    #[test]
    fn masters_have_different_ids_unless_they_have_one_seed() {
        assert_ne!(Ids::new(None).master(), Ids::new(None).master());
        assert_eq!(Ids::new(Some(7)).master(), Ids::new(Some(7)).master());
    }
}
