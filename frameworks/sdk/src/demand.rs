//! Whether offers are wanted: pure.

use std::time::Duration;

use crate::calls::Call;

/// Offers are asked for again at most this often: what came to be wanted meanwhile goes with the
/// next time.
const SPACING: Duration = Duration::from_millis(50);

/// What the master was told of the author's [demand](crate::Framework::demand).
#[derive(Debug, Default)]
pub(crate) struct Demand {
    /// The demand at the last look; none before the first.
    last: Option<u64>,
    revived_ms: Option<u64>,
    /// It has grown since the last revival, and a look is ordered.
    waits: bool,
}

/// What follows from a demand.
#[derive(Debug, PartialEq)]
pub(crate) enum Wish {
    /// Nothing.
    Same,
    /// To call this.
    Call(Call),
    /// To look again after this time.
    Later(Duration),
}

impl Demand {
    /// Looks at the demand after a turn.
    pub(crate) fn look(&mut self, now_ms: u64, demand: Option<u64>) -> Wish {
        let Some(demand) = demand else {
            return Wish::Same;
        };
        let last = self.last.replace(demand);
        match last {
            // Who has just subscribed is offered everything.
            None if demand > 0 => Wish::Same,
            Some(0) if demand == 0 => Wish::Same,
            _ if demand == 0 => Wish::Call(Call::Suppress { roles: Vec::new() }),
            Some(last) if demand > last && !self.waits => self.revive(now_ms),
            Some(_) | None => Wish::Same,
        }
    }

    /// The time of [`Wish::Later`] has come.
    pub(crate) fn look_again(&mut self, now_ms: u64) -> Wish {
        self.waits = false;
        match self.last {
            Some(demand) if demand > 0 => self.revive(now_ms),
            Some(_) | None => Wish::Same,
        }
    }

    fn revive(&mut self, now_ms: u64) -> Wish {
        let spacing = SPACING.as_millis() as u64;
        let due = self.revived_ms.map_or(0, |at| at.saturating_add(spacing));
        if now_ms < due {
            self.waits = true;
            return Wish::Later(Duration::from_millis((due - now_ms).min(spacing)));
        }
        self.revived_ms = Some(now_ms);
        Wish::Call(Call::Revive { roles: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REVIVE: Wish = Wish::Call(Call::Revive { roles: Vec::new() });
    const SUPPRESS: Wish = Wish::Call(Call::Suppress { roles: Vec::new() });

    #[test]
    fn offers_are_wanted_while_there_is_demand_and_again_when_it_grows() {
        let mut demand = Demand::default();
        assert_eq!(demand.look(0, Some(3)), Wish::Same);
        assert_eq!(demand.look(1, Some(2)), Wish::Same);
        assert_eq!(demand.look(2, Some(0)), SUPPRESS);
        assert_eq!(demand.look(3, Some(0)), Wish::Same);
        assert_eq!(demand.look(1_000, Some(1)), REVIVE);
        assert_eq!(demand.look(2_000, Some(2)), REVIVE);
    }

    #[test]
    fn many_that_come_at_once_are_asked_for_once() {
        let mut demand = Demand::default();
        assert_eq!(demand.look(0, Some(0)), SUPPRESS);
        assert_eq!(demand.look(1_000, Some(1)), REVIVE);
        let later = Wish::Later(Duration::from_millis(40));
        assert_eq!(demand.look(1_010, Some(2)), later);
        assert_eq!(demand.look(1_011, Some(3)), Wish::Same);
        assert_eq!(demand.look_again(1_050), REVIVE);
        assert_eq!(demand.look(1_060, Some(0)), SUPPRESS);
    }

    #[test]
    fn who_says_nothing_is_left_alone() {
        assert_eq!(Demand::default().look(0, None), Wish::Same);
    }
}
