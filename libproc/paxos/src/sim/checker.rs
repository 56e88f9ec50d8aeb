//! What must never be seen, whatever goes wrong. The checker sees everything and takes part in nothing.

use crate::{Action, Ballot, Base, Config, Envelope, Message, Position, Span, Ticket};
use std::collections::BTreeMap;

/// What became of a request to append, as its caller knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Open,
    Refused,
    Done(Position),
}

/// Everything seen in a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checker {
    /// What is chosen, by whoever learned it first.
    chosen: BTreeMap<Position, Action>,
    /// What was proposed where, under which ballot.
    proposed: BTreeMap<(Position, Ballot), Action>,
    /// By ticket.
    fates: Vec<Fate>,
    /// The last position each leader acknowledged.
    served: BTreeMap<Ballot, Position>,
    /// Ballots that led.
    leaders: BTreeMap<Ballot, Position>,
    /// The last position acknowledged.
    pub(crate) acknowledged: Position,
    /// The last position learned by anybody.
    pub(crate) last: Position,
    /// The highest truncation chosen.
    pub(crate) begin: Position,
    /// Who votes, by the highest configuration chosen.
    pub(crate) config: Option<Config>,
    /// Reads open: what had been acknowledged when they were asked.
    reads: BTreeMap<Ticket, Position>,
    /// Acknowledged appends.
    pub(crate) appends: u64,
    /// Answered reads.
    pub(crate) read: u64,
}

/// What is wrong.
pub(crate) type Wrong = String;

impl Checker {
    /// A new request to append; its ticket is its data.
    pub(crate) fn ticket(&mut self) -> Ticket {
        self.fates.push(Fate::Open);
        Ticket(self.fates.len() as u64 - 1)
    }

    pub(crate) fn asks(&mut self, ticket: Ticket) {
        self.reads.insert(ticket, self.acknowledged);
    }

    pub(crate) fn readable(&mut self, ticket: Ticket, position: Position) -> Result<(), Wrong> {
        let Some(before) = self.reads.remove(&ticket) else {
            return Err(format!("read {ticket} was answered twice or never asked"));
        };
        self.read += 1;
        if position < before {
            return Err(format!(
                "a read at {position} after {before} was acknowledged"
            ));
        }
        Ok(())
    }

    pub(crate) fn sent(&mut self, envelope: &Envelope) -> Result<(), Wrong> {
        let Message::Accept {
            ballot,
            first,
            actions,
            ..
        } = &envelope.message
        else {
            return Ok(());
        };
        for (position, action) in (first.0..).map(Position).zip(actions) {
            let known = self
                .proposed
                .entry((position, *ballot))
                .or_insert_with(|| action.clone());
            if known != action {
                return Err(format!("two values proposed at {position} under {ballot}"));
            }
        }
        if self.proposed.len() > 4_096 {
            let old = Position(self.last.0.saturating_sub(512));
            self.proposed = self.proposed.split_off(&(old, Ballot::ZERO));
        }
        Ok(())
    }

    /// A replica says that `action` is chosen at `position`.
    pub(crate) fn chosen(&mut self, position: Position, action: &Action) -> Result<(), Wrong> {
        if let Some(known) = self.chosen.get(&position) {
            if known != action {
                return Err(format!(
                    "{known:?} and {action:?} are both chosen at {position}"
                ));
            }
            return Ok(());
        }
        if position <= self.last {
            return Err(format!(
                "{action:?} is chosen at {position}, which was truncated unseen"
            ));
        }
        if position != self.last.next() {
            return Err(format!(
                "{position} was learned before {}",
                self.last.next()
            ));
        }
        self.last = position;
        match action {
            Action::Append(data) => self.chosen_append(position, data)?,
            Action::Truncate { to } => self.begin = self.begin.max((*to).min(position)),
            Action::Configure(config) => self.config = Some(config.clone()),
            Action::Nop => {}
        }
        self.chosen.insert(position, action.clone());
        Ok(())
    }

    fn chosen_append(&mut self, position: Position, data: &[u8]) -> Result<(), Wrong> {
        let Some(index) = data.first_chunk().map(|bytes| u64::from_le_bytes(*bytes)) else {
            return Err(format!("nobody appended what is chosen at {position}"));
        };
        match usize::try_from(index)
            .ok()
            .and_then(|index| self.fates.get(index))
        {
            Some(Fate::Open) => Ok(()),
            Some(Fate::Refused) => Err(format!("{position} has what was refused")),
            Some(Fate::Done(at)) if *at == position => Ok(()),
            Some(Fate::Done(at)) => Err(format!("what was appended at {at} is at {position} too")),
            None => Err(format!("nobody appended what is chosen at {position}")),
        }
    }

    pub(crate) fn appended(
        &mut self,
        ballot: Ballot,
        ticket: Ticket,
        position: Position,
    ) -> Result<(), Wrong> {
        let last = self.served.entry(ballot).or_default();
        *last = (*last).max(position);
        let index = usize::try_from(ticket.0).expect("a ticket of ours");
        self.fates[index] = Fate::Done(position);
        self.appends += 1;
        self.acknowledged = self.acknowledged.max(position);
        match self.chosen.get(&position) {
            Some(Action::Append(data)) if data[..8] == ticket.0.to_le_bytes() => Ok(()),
            Some(Action::Truncate { .. }) => Ok(()),
            other => Err(format!(
                "{ticket} was acknowledged at {position}, where {other:?} is"
            )),
        }
    }

    pub(crate) fn refused(&mut self, ticket: Ticket) -> Result<(), Wrong> {
        if self.reads.remove(&ticket).is_some() {
            return Ok(());
        }
        let index = usize::try_from(ticket.0).expect("a ticket of ours");
        if let Fate::Done(at) = self.fates[index] {
            return Err(format!(
                "{ticket} was refused after it was acknowledged at {at}"
            ));
        }
        let bytes = ticket.0.to_le_bytes();
        let recent = self.chosen.iter().rev().take(512);
        for (position, action) in recent {
            if matches!(action, Action::Append(data) if data[..8] == bytes) {
                return Err(format!("{ticket} was refused and is chosen at {position}"));
            }
        }
        self.fates[index] = Fate::Refused;
        Ok(())
    }

    /// A replica says that it leads and has learned everything before `next`.
    pub(crate) fn elected(&mut self, ballot: Ballot, next: Position) -> Result<(), Wrong> {
        if let Some(former) = self.leaders.insert(ballot, next) {
            return Err(format!(
                "{ballot} was elected twice, at {former} and {next}"
            ));
        }
        // One that hears late that it was elected, when another has been already, can write nothing.
        let before = self.served.range(..ballot).map(|(_, last)| *last).max();
        if let Some(last) = before.filter(|last| next <= *last) {
            return Err(format!(
                "{ballot} leads from {next}, but {last} was acknowledged"
            ));
        }
        Ok(())
    }

    /// A replica begins its log at `base`.
    pub(crate) fn installed(&self, base: &Base) -> Result<(), Wrong> {
        if base.begin > self.begin.max(Position::FIRST) {
            return Err(format!(
                "a log begins at {}, nobody truncated that",
                base.begin
            ));
        }
        Ok(())
    }

    /// What a replica keeps is what was chosen, without gaps.
    pub(crate) fn kept(&self, span: Span, actions: &[&Action]) -> Result<(), Wrong> {
        for (position, action) in (span.first.0..=span.last.0).map(Position).zip(actions) {
            match self.chosen.get(&position) {
                Some(known) if known == *action => {}
                known => {
                    return Err(format!(
                        "{known:?} is chosen at {position}, {action:?} is kept"
                    ));
                }
            }
        }
        Ok(())
    }
}
