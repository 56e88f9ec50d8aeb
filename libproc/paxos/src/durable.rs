//! What a replica remembers after a crash, and what must wait until it would.
//!
//! [`Durable`] is the fold of all records. [`AfterWrite`] is the other half of the promise: an effect
//! in it leaves only through [`AfterWrite::release`], which asks how far the records are on disk.

use crate::{
    Ballot, Base, Config, Configs, Damage, Damaged, Entry, Incarnation, Life, Position, Record,
    Snapshot, Span, Status, WriteNumber,
};
use std::collections::{BTreeMap, VecDeque};

/// A replica's memory, as its storage has it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Durable {
    pub(crate) incarnation: Incarnation,
    pub(crate) life: Life,
    pub(crate) status: Status,
    pub(crate) starting: Option<Config>,
    pub(crate) promised: Ballot,
    pub(crate) begin: Position,
    pub(crate) commit: Position,
    pub(crate) configs: Configs,
    pub(crate) snapshot: Option<Snapshot>,
    /// What was accepted after `commit`.
    pub(crate) entries: BTreeMap<Position, Entry>,
    pub(crate) damage: Damaged,
    /// Whether the storage lost promises.
    pub(crate) forgot: bool,
}

impl Default for Durable {
    fn default() -> Self {
        Self {
            incarnation: Incarnation(0),
            life: Life(0),
            status: Status::Empty,
            starting: None,
            promised: Ballot::ZERO,
            begin: Position::FIRST,
            commit: Position::ZERO,
            configs: Configs::default(),
            snapshot: None,
            entries: BTreeMap::new(),
            damage: Damaged::default(),
            forgot: false,
        }
    }
}

impl Durable {
    /// Adds a record. Call it with all records in the order they were written; accepted entries that a
    /// later `Committed` covers may be left out.
    pub fn apply(&mut self, record: Record) {
        match record {
            Record::Started(incarnation) => self.incarnation = self.incarnation.max(incarnation),
            Record::Status {
                status,
                life,
                starting,
            } => {
                (self.status, self.life, self.starting) = (status, life, starting);
                if let Status::Recovering = status {
                    self.entries.clear();
                    self.forgot = false;
                }
            }
            Record::Promised(ballot) => self.promised = self.promised.max(ballot),
            Record::Accepted { position, entry } => {
                self.promised = self.promised.max(entry.ballot);
                if position > self.commit {
                    self.entries.insert(position, entry);
                }
            }
            Record::Committed(position) => {
                self.commit = self.commit.max(position);
                self.entries = self.entries.split_off(&self.commit.next());
            }
            Record::Configured { from, config } => self.configs.insert(from, config),
            Record::Base(base) => {
                self.begin = base.begin;
                self.configs.insert(base.begin, base.config);
                self.configs.trim(base.begin);
                self.snapshot = base.snapshot;
                self.apply(Record::Committed(base.begin.previous()));
            }
            Record::Damaged(damage) => self.damage = damage,
        }
    }

    /// The storage lost something that no [`Record::Damaged`] it replayed tells of.
    pub fn damaged(&mut self, damage: Damage) {
        match damage {
            Damage::Entries(spans) => {
                for span in &spans {
                    self.entries.retain(|position, _| !span.has(*position));
                }
                self.damage.spans.extend(spans);
                self.damage.ballot = Ballot::MAX;
            }
            Damage::Promise => self.forgot = true,
        }
    }

    /// Records that stand for all applied so far, but for the entries up to [`commit`](Self::commit).
    pub fn checkpoint(&self) -> Vec<Record> {
        let mut records = vec![
            Record::Started(self.incarnation),
            Record::Promised(self.promised),
        ];
        records.push(Record::Status {
            status: self.status,
            life: self.life,
            starting: self.starting.clone(),
        });
        if let Some(config) = self.configs.at(self.begin) {
            let (begin, config, snapshot) = (self.begin, config.clone(), self.snapshot.clone());
            records.push(Record::Base(Base {
                begin,
                config,
                snapshot,
            }));
        }
        records.extend(
            self.configs
                .iter()
                .filter(|(from, _)| *from > self.begin)
                .map(|(from, config)| Record::Configured {
                    from,
                    config: config.clone(),
                }),
        );
        records.push(Record::Committed(self.commit));
        records.extend(
            self.entries
                .iter()
                .map(|(position, entry)| Record::Accepted {
                    position: *position,
                    entry: entry.clone(),
                }),
        );
        if !self.damage.spans.is_empty() {
            records.push(Record::Damaged(self.damage.clone()));
        }
        records
    }

    /// Whether the replica votes.
    pub fn status(&self) -> Status {
        self.status
    }

    /// The replica's memory.
    pub fn life(&self) -> Life {
        self.life
    }

    /// What is promised.
    pub fn promised(&self) -> Ballot {
        self.promised
    }

    /// The first position that is kept.
    pub fn begin(&self) -> Position {
        self.begin
    }

    /// What is known to be chosen.
    pub fn commit(&self) -> Position {
        self.commit
    }

    /// The last position something was accepted at, or `commit`.
    pub fn end(&self) -> Position {
        self.entries
            .keys()
            .next_back()
            .copied()
            .unwrap_or(Position::ZERO)
            .max(self.commit)
    }

    /// The configurations of the kept positions.
    pub fn configs(&self) -> &Configs {
        &self.configs
    }

    /// What stands for the entries before `begin`.
    pub fn snapshot(&self) -> Option<&Snapshot> {
        self.snapshot.as_ref()
    }

    /// What was lost and is not repaired.
    pub fn damage(&self) -> &[Span] {
        &self.damage.spans
    }
}

/// Effects that must not be seen before records are on disk.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct AfterWrite<T> {
    written: WriteNumber,
    durable: WriteNumber,
    waiting: VecDeque<(WriteNumber, T)>,
}

impl<T> AfterWrite<T> {
    pub(crate) fn new() -> Self {
        Self {
            written: WriteNumber(0),
            durable: WriteNumber(0),
            waiting: VecDeque::new(),
        }
    }

    /// The number of the next record.
    pub(crate) fn write(&mut self) -> WriteNumber {
        self.written.0 += 1;
        self.written
    }

    /// Keeps `effect` until every record written so far is durable.
    pub(crate) fn hold(&mut self, effect: T) {
        self.waiting.push_back((self.written, effect));
    }

    /// Records up to `number` are durable. Numbers never written are taken for the last written.
    pub(crate) fn persisted(&mut self, number: WriteNumber) {
        self.durable = self.durable.max(number.min(self.written));
    }

    /// The next effect that may be seen.
    pub(crate) fn release(&mut self) -> Option<T> {
        let due = self
            .waiting
            .front()
            .is_some_and(|(after, _)| *after <= self.durable);
        if due {
            self.waiting.pop_front().map(|(_, effect)| effect)
        } else {
            None
        }
    }

    /// The last number given.
    pub(crate) fn written(&self) -> WriteNumber {
        self.written
    }

    /// Whether what was written up to `number` is durable.
    pub(crate) fn is_durable(&self, number: WriteNumber) -> bool {
        number <= self.durable
    }

    /// Whether everything written is durable.
    pub(crate) fn is_settled(&self) -> bool {
        self.durable == self.written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_effect_waits_for_the_records_before_it_and_no_others() {
        let mut after = AfterWrite::new();
        after.write();
        let first = after.write();
        after.hold("reply");
        after.write();
        assert_eq!(after.release(), None);
        after.persisted(first);
        assert_eq!(after.release(), Some("reply"));
        assert!(!after.is_settled());
    }

    #[test]
    fn a_checkpoint_is_worth_the_records_before_it() {
        use crate::{Action, Config, Member, NodeId, Quorums};
        let ballot = Ballot {
            round: 3,
            node: NodeId(1),
            incarnation: Incarnation(2),
        };
        let member = Member {
            node: NodeId(1),
            life: Life(5),
        };
        let config = Config::new([member], Quorums::Majority).unwrap();
        let mut durable = Durable::default();
        for record in [
            Record::Started(Incarnation(4)),
            Record::Status {
                status: Status::Voting,
                life: Life(5),
                starting: None,
            },
            Record::Configured {
                from: Position(1),
                config: config.clone(),
            },
            Record::Promised(ballot),
            Record::Accepted {
                position: Position(1),
                entry: Entry {
                    ballot,
                    action: Action::Nop,
                },
            },
            Record::Accepted {
                position: Position(2),
                entry: Entry {
                    ballot,
                    action: Action::Nop,
                },
            },
            Record::Committed(Position(1)),
            Record::Damaged(Damaged {
                spans: vec![Span::new(Position(2), Position(2))],
                ballot,
            }),
        ] {
            durable.apply(record);
        }
        let mut again = Durable::default();
        for record in durable.checkpoint() {
            again.apply(record);
        }
        assert_eq!(again, durable);
    }
}
