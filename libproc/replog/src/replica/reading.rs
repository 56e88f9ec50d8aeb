//! Reading: from memory what is recent, from the store what is not.

use libproc::prelude::*;
use paxos::{Action, Entry, Input, NodeId, Position, RequestId, Span};

use super::{ReplicaProcess, positions};
use crate::error::Refused;
use crate::protocol::ReplicaStatus;
use crate::protocol::{Appended, AwaitLeader, AwaitMore, Entries, Leadership, Look, ReadEntries};
use crate::store::{Damage, Key, StoreError};

/// Bytes in one answer to a reader, at most; one entry always goes. A quarter of a frame.
const ANSWER_BYTES: usize = 4 << 20;
/// Entries in one answer, at most.
const ANSWER_ENTRIES: usize = 16_384;
/// Readers that wait for more at once, at most.
const WAITING_MAX: usize = 65_536;

/// Entries that were read, one after the other.
#[derive(Default)]
struct Stretch {
    entries: Vec<Entry>,
    /// Why there are no more, when that is not for lack of room.
    damage: Option<Damage>,
    broken: Option<StoreError>,
}

impl ReplicaProcess {
    /// Reads entries from wherever they are, on a thread for work that blocks if need be.
    fn stretch(
        &mut self,
        span: Span,
        bytes: usize,
        count: usize,
        ctx: &mut Context<Self>,
        then: impl FnOnce(&mut Self, Stretch, &mut Context<Self>) + Send + 'static,
    ) {
        let mut at_hand = Stretch::default();
        let mut room = bytes;
        let mut next = span.first;
        for position in positions(span).take(count) {
            let entry = self.core.entry(position);
            let entry = entry.or_else(|| self.writing.get(&position).map(|(_, entry)| entry));
            let Some(entry) = entry else { break };
            let weight = entry.action.weight();
            if weight > room && !at_hand.entries.is_empty() {
                return then(self, at_hand, ctx);
            }
            room = room.saturating_sub(weight);
            at_hand.entries.push(entry.clone());
            next = position.next();
        }
        if next > span.last || at_hand.entries.len() >= count || !at_hand.entries.is_empty() {
            return then(self, at_hand, ctx);
        }
        let reader = self.reader.clone();
        let decoder = self.ledger.decoder();
        let work = move || {
            let mut stretch = Stretch::default();
            for position in positions(span).take(count) {
                let entry = match reader.read(Key::Slot(position.0)) {
                    Ok(Some(body)) => decoder.entry(position.0, &body),
                    Ok(None) => break,
                    Err(error) => Err(error),
                };
                let entry = match entry {
                    Ok(Some(entry)) => entry,
                    Ok(None) => break,
                    Err(StoreError::Damaged(damage)) => {
                        stretch.damage = Some(damage);
                        break;
                    }
                    Err(error) => {
                        stretch.broken = Some(error);
                        break;
                    }
                };
                let weight = entry.action.weight();
                if weight > room && !stretch.entries.is_empty() {
                    break;
                }
                room = room.saturating_sub(weight);
                stretch.entries.push(entry);
            }
            stretch
        };
        ctx.defer(libproc::blocking(work), |this, stretch, ctx| {
            if let Some(damage) = &stretch.damage {
                this.found_damaged(damage, ctx);
            }
            if let Some(error) = &stretch.broken {
                this.give_up(error, ctx);
            }
            then(this, stretch, ctx);
        });
    }

    /// Reads what the protocol wants to send to another replica.
    pub(super) fn load(
        &mut self,
        to: NodeId,
        request: RequestId,
        span: Span,
        bytes: usize,
        ctx: &mut Context<Self>,
    ) {
        let count = usize::try_from(self.options.protocol.fetch).unwrap_or(usize::MAX);
        self.stretch(span, bytes, count, ctx, move |this, stretch, ctx| {
            let (first, entries) = (span.first, stretch.entries);
            let loaded = Input::Loaded {
                to,
                request,
                first,
                entries,
            };
            this.feed(loaded, ctx);
        });
    }
}

impl Handler<ReadEntries> for ReplicaProcess {
    type Result = Later<Result<Entries, Refused>>;
    fn handle(&mut self, message: ReadEntries, ctx: &mut Context<Self>) -> Self::Result {
        let ReadEntries { from, to } = message;
        let (answer, later) = Later::new();
        let begin = self.core.begin();
        let to = to.min(self.core.commit());
        if from < begin {
            answer.send(Err(Refused::Truncated { begin }));
            return later;
        }
        if from > to {
            let appended = Vec::new();
            answer.send(Ok(Entries {
                appended,
                next: from,
            }));
            return later;
        }
        let damage = self.core.damage();
        if damage.iter().any(|span| span.has(from)) {
            answer.send(Err(Refused::Damaged { position: from }));
            return later;
        }
        let ahead = damage
            .iter()
            .map(|span| span.first)
            .filter(|first| *first > from);
        let to = ahead.min().map_or(to, |first| to.min(first.previous()));
        let span = Span::new(from, to);
        self.stretch(
            span,
            ANSWER_BYTES,
            ANSWER_ENTRIES,
            ctx,
            move |this, stretch, _| {
                if stretch.entries.is_empty() {
                    // Truncated or found damaged in this moment.
                    let begin = this.core.begin();
                    return answer.send(Err(match from < begin {
                        true => Refused::Truncated { begin },
                        false => Refused::Damaged { position: from },
                    }));
                }
                let next = from.plus(stretch.entries.len() as u64);
                let numbered = stretch.entries.into_iter().zip(from.0..);
                let appended = numbered.filter_map(|(entry, position)| match entry.action {
                    Action::Append(data) => Some(Appended {
                        position: Position(position),
                        data,
                    }),
                    Action::Nop | Action::Truncate { .. } | Action::Configure(_) => None,
                });
                answer.send(Ok(Entries {
                    appended: appended.collect(),
                    next,
                }));
            },
        );
        later
    }
}

impl Handler<AwaitMore> for ReplicaProcess {
    type Result = Later<Position>;
    fn handle(&mut self, AwaitMore { known }: AwaitMore, _: &mut Context<Self>) -> Self::Result {
        let (answer, later) = Later::new();
        self.more.retain(|(_, answer)| !answer.is_unwanted());
        let commit = self.core.commit();
        match commit > known || self.more.len() >= WAITING_MAX {
            true => answer.send(commit),
            false => self.more.push((known, answer)),
        }
        later
    }
}

impl Handler<AwaitLeader> for ReplicaProcess {
    type Result = Later<Leadership>;
    fn handle(&mut self, message: AwaitLeader, _: &mut Context<Self>) -> Self::Result {
        let (answer, later) = Later::new();
        self.changes.retain(|(_, answer)| !answer.is_unwanted());
        let leadership = self.leadership();
        match message.known != Some(leadership) || self.changes.len() >= WAITING_MAX {
            true => answer.send(leadership),
            false => self.changes.push((message.known, answer)),
        }
        later
    }
}

impl Handler<Look> for ReplicaProcess {
    type Result = Reply<ReplicaStatus>;
    fn handle(&mut self, _: Look, _: &mut Context<Self>) -> Self::Result {
        Reply(self.status())
    }
}
