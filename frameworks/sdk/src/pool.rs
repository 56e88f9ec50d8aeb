//! Offers that are held back, until there are enough of them or for a time. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use types::{Offer, OfferId};

/// Offers that a framework keeps for a while, to choose among more of them at once or to gather
/// enough for all of a gang: what is held is nobody else's, so it is held for a time only.
#[derive(Debug, Clone)]
pub struct OfferPool {
    hold: Duration,
    offers: BTreeMap<OfferId, (u64, Offer)>,
}

impl OfferPool {
    /// A pool that holds each offer for so long.
    pub fn new(hold: Duration) -> OfferPool {
        OfferPool {
            hold,
            offers: BTreeMap::new(),
        }
    }

    /// Holds offers back.
    pub fn add(&mut self, now_ms: u64, offers: impl IntoIterator<Item = Offer>) {
        for offer in offers {
            self.offers.insert(offer.id.clone(), (now_ms, offer));
        }
    }

    /// An offer is void.
    pub fn rescind(&mut self, offer_id: &OfferId) {
        self.offers.remove(offer_id);
    }

    /// The offers that are held.
    pub fn offers(&self) -> impl Iterator<Item = &Offer> {
        self.offers.values().map(|(_, offer)| offer)
    }

    /// Takes an offer out, to use it.
    pub fn take(&mut self, offer_id: &OfferId) -> Option<Offer> {
        self.offers.remove(offer_id).map(|(_, offer)| offer)
    }

    /// Takes out what was held long enough, to decline it.
    pub fn expire(&mut self, now_ms: u64) -> Vec<Offer> {
        let hold_ms = self.hold.as_millis() as u64;
        let old = self
            .offers
            .extract_if(.., |_, (since, _)| since.saturating_add(hold_ms) <= now_ms);
        old.map(|(_, (_, offer))| offer).collect()
    }

    /// Takes everything out.
    pub fn drain(&mut self) -> Vec<Offer> {
        let offers = std::mem::take(&mut self.offers);
        offers.into_values().map(|(_, offer)| offer).collect()
    }
}

#[cfg(test)]
mod tests {
    use types::Resources;

    use super::*;
    use crate::testing::offer;

    #[test]
    fn an_offer_is_held_until_it_is_used_rescinded_or_old() {
        let mut pool = OfferPool::new(Duration::from_millis(100));
        let offers: Vec<_> = (0..3)
            .map(|n| offer(&format!("a{n}"), Resources::new()))
            .collect();
        pool.add(0, offers[..2].to_vec());
        pool.add(50, offers[2..].to_vec());
        assert_eq!(pool.offers().count(), 3);
        assert_eq!(pool.take(&offers[0].id).as_ref(), Some(&offers[0]));
        assert_eq!(pool.expire(99), []);
        assert_eq!(pool.expire(100), [offers[1].clone()]);
        pool.rescind(&offers[2].id);
        assert_eq!(pool.drain(), []);
    }
}
