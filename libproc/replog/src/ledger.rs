//! What a replica must not forget, as records of the store.
//!
//! The protocol's records are a sequence; a store keeps the last record of each key. A slot is an
//! entry; everything else there is one of. Three things need care:
//!
//! - To accept is to promise: who accepts under a ballot that was not promised writes the promise
//!   as well, since the entry may be truncated some day.
//! - To begin to recover is to forget what was accepted and not known to be chosen. Entries have a
//!   *generation*, counted up then: of an older one only those that were chosen by then count.
//! - Configurations are kept together, and those before the beginning of the log dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use paxos::{
    Ballot, Base, Config, Damage, Damaged, Durable, Entry, NodeId, Position, Record, Span, Status,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::store::{self, Key, Lost, Recovered, StoreError, StoreReader};

const STARTED: u64 = 1;
const STATUS: u64 = 2;
const PROMISED: u64 = 3;
const COMMITTED: u64 = 4;
const CONFIGS: u64 = 5;
const BASE: u64 = 6;
const DAMAGED: u64 = 7;
const BOOK: u64 = 8;

/// Spans of damage that are told apart; past them, everything between counts as damaged.
const SPANS_MAX: usize = 1024;

/// Turns the protocol's records into the store's, and back.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    promised: Ballot,
    commit: Position,
    configs: BTreeMap<Position, Config>,
    generation: u64,
    /// What was known to be chosen when the generation began.
    certain: Position,
}

/// Whether a replica votes, as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    generation: u64,
    certain: Position,
    status: Record,
}

/// What a store holds, for the replica.
pub(crate) struct Restored {
    pub(crate) ledger: Ledger,
    pub(crate) durable: Durable,
    /// Where replicas are, as far as was noted.
    pub(crate) book: BTreeMap<NodeId, SocketAddr>,
}

impl Ledger {
    /// The records of the store that keep this.
    pub(crate) fn write(&mut self, record: &Record) -> Vec<store::Record> {
        match record {
            Record::Started(_) => vec![meta(STARTED, record)],
            Record::Status { status, .. } => {
                if *status == Status::Recovering {
                    self.generation += 1;
                    self.certain = self.commit;
                }
                let kept = Kept {
                    generation: self.generation,
                    certain: self.certain,
                    status: record.clone(),
                };
                vec![meta(STATUS, &kept)]
            }
            Record::Promised(ballot) => {
                self.promised = self.promised.max(*ballot);
                vec![meta(PROMISED, &self.promised)]
            }
            Record::Accepted { position, entry } => {
                let mut records = Vec::with_capacity(2);
                if entry.ballot > self.promised {
                    self.promised = entry.ballot;
                    records.push(meta(PROMISED, &self.promised));
                }
                records.push(store::Record {
                    key: Key::Slot(position.0),
                    body: encode(&(self.generation, entry)),
                });
                records
            }
            Record::Committed(position) => {
                self.commit = self.commit.max(*position);
                vec![meta(COMMITTED, &self.commit)]
            }
            Record::Configured { from, config } => {
                self.configs.insert(*from, config.clone());
                vec![self.configs()]
            }
            Record::Base(base) => {
                self.commit = self.commit.max(base.begin.previous());
                self.configs.retain(|from, _| *from > base.begin);
                vec![
                    meta(BASE, base),
                    self.configs(),
                    meta(COMMITTED, &self.commit),
                ]
            }
            Record::Damaged(damaged) => vec![meta(DAMAGED, damaged)],
        }
    }

    fn configs(&self) -> store::Record {
        meta(CONFIGS, &self.configs.iter().collect::<Vec<_>>())
    }

    /// What keeps the addresses of the replicas.
    pub(crate) fn book(book: &BTreeMap<NodeId, SocketAddr>) -> store::Record {
        meta(BOOK, book)
    }

    /// Reads what a store holds.
    ///
    /// # Errors
    /// When it cannot be read, or is not what this program writes.
    pub(crate) fn restore(recovered: &Recovered) -> Result<Restored, StoreError> {
        use crate::store::LogStore as _;
        let reader = recovered.store.reader();
        let mut durable = Durable::default();
        let mut ledger = Ledger::default();
        if let Some(incarnation) = read::<Record>(&reader, STARTED)? {
            durable.apply(incarnation);
        }
        if let Some(promised) = read::<Ballot>(&reader, PROMISED)? {
            ledger.promised = promised;
            durable.apply(Record::Promised(promised));
        }
        if let Some(kept) = read::<Kept>(&reader, STATUS)? {
            (ledger.generation, ledger.certain) = (kept.generation, kept.certain);
            durable.apply(kept.status);
        }
        if let Some(base) = read::<Base>(&reader, BASE)? {
            durable.apply(Record::Base(base));
        }
        if let Some(configs) = read::<Vec<(Position, Config)>>(&reader, CONFIGS)? {
            for (from, config) in configs {
                ledger.configs.insert(from, config.clone());
                durable.apply(Record::Configured { from, config });
            }
        }
        if let Some(commit) = read::<Position>(&reader, COMMITTED)? {
            durable.apply(Record::Committed(commit));
        }
        ledger.commit = durable.commit();
        let mut unreadable = BTreeSet::new();
        for slot in reader.slots_from(ledger.commit.next().0) {
            let body = match reader.read(Key::Slot(slot)) {
                Ok(body) => body.unwrap_or_default(),
                // In a segment that the start took on trust.
                Err(StoreError::Damaged(damage)) => {
                    tracing::error!(%damage, "a record of the log is lost, until others give it back");
                    unreadable.insert(Position(slot));
                    continue;
                }
                Err(error) => return Err(error),
            };
            if let Some(entry) = ledger.decoder().entry(slot, &body)? {
                let position = Position(slot);
                durable.apply(Record::Accepted { position, entry });
            }
        }
        if let Some(damaged) = read::<Damaged>(&reader, DAMAGED)? {
            durable.apply(Record::Damaged(damaged));
        }
        for damage in assess(&recovered.lost, &reader, &durable)? {
            durable.damaged(damage);
        }
        if !unreadable.is_empty() {
            durable.damaged(Damage::Entries(spans(unreadable)));
        }
        let book = read(&reader, BOOK)?.unwrap_or_default();
        Ok(Restored {
            ledger,
            durable,
            book,
        })
    }

    /// What decodes entries while others are written.
    pub(crate) fn decoder(&self) -> Decoder {
        Decoder {
            generation: self.generation,
            certain: self.certain,
        }
    }
}

/// Decodes entries; see [`Ledger::decoder`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decoder {
    generation: u64,
    certain: Position,
}

impl Decoder {
    /// The entry in the body of a slot; none when it was forgotten.
    ///
    /// # Errors
    /// When it is not what this program writes.
    pub(crate) fn entry(&self, slot: u64, body: &[u8]) -> Result<Option<Entry>, StoreError> {
        let (generation, entry): (u64, Entry) = decode(body, &format!("slot {slot}"))?;
        let counts = generation == self.generation || Position(slot) <= self.certain;
        Ok(counts.then_some(entry))
    }
}

/// What the losses of a store mean to the protocol.
fn assess(
    lost: &[Lost],
    reader: &StoreReader,
    durable: &Durable,
) -> Result<Vec<Damage>, StoreError> {
    if lost.is_empty() {
        return Ok(Vec::new());
    }
    let (begin, commit) = (durable.begin(), durable.commit());
    let mut positions = BTreeSet::new();
    let mut forgot = false;
    let mut beyond = false;
    for lost in lost {
        match lost.damage.key {
            Some(Key::Slot(slot)) => drop(positions.insert(Position(slot))),
            Some(Key::Meta(_)) => forgot = true,
            None => {
                forgot |= !lost.metas_are_whole;
                beyond = true;
                // What was chosen when it was lost had been written before, and is not written
                // again. Anything later may have been in it, in place of what is there.
                let noted = lost.before.get(&COMMITTED);
                let noted = noted.map(|body| decode::<Position>(body, "metadata"));
                let noted = noted.transpose()?.unwrap_or(begin.previous());
                let mut at = noted.max(begin.previous()).next();
                while at <= commit {
                    let there = reader.position(Key::Slot(at.0));
                    if there.is_none_or(|there| there < lost.position) {
                        positions.insert(at);
                    }
                    at = at.next();
                }
            }
        }
    }
    // Whatever else it was: of what was chosen nothing may be missing.
    let there: BTreeSet<u64> = reader.slots_from(begin.0).into_iter().collect();
    positions.extend(
        (begin.0..=commit.0)
            .filter(|slot| !there.contains(slot))
            .map(Position),
    );
    positions.retain(|position| *position >= begin);
    let mut spans = spans(positions);
    if beyond {
        spans.push(Span::new(commit.next().max(begin), Position::MAX));
    }
    let mut damage = Vec::new();
    if forgot {
        damage.push(Damage::Promise);
    }
    if !spans.is_empty() {
        damage.push(Damage::Entries(spans));
    }
    Ok(damage)
}

/// Positions as spans; when they are too many, as one.
fn spans(positions: BTreeSet<Position>) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for position in positions {
        match spans.last_mut() {
            Some(span) if span.last.next() == position => span.last = position,
            _ => spans.push(Span::new(position, position)),
        }
    }
    match (spans.first(), spans.last()) {
        (Some(first), Some(last)) if spans.len() > SPANS_MAX => {
            vec![Span::new(first.first, last.last)]
        }
        _ => spans,
    }
}

fn meta<T: Serialize>(number: u64, value: &T) -> store::Record {
    let (key, body) = (Key::Meta(number), encode(value));
    store::Record { key, body }
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec(value).expect("plain data can be written to memory")
}

fn read<T: DeserializeOwned>(reader: &StoreReader, number: u64) -> Result<Option<T>, StoreError> {
    let body = reader.read(Key::Meta(number))?;
    body.map(|body| decode(&body, &format!("metadata {number}")))
        .transpose()
}

/// Records have checksums: one that cannot be decoded was written by another program.
fn decode<T: DeserializeOwned>(body: &[u8], what: &str) -> Result<T, StoreError> {
    rmp_serde::from_slice(body).map_err(|error| StoreError::Foreign {
        file: what.to_owned(),
        why: format!("it is nothing that this program writes: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use paxos::{Action, Incarnation, Life};

    use super::*;
    use crate::store::{Identity, LogStore as _, MemoryDisk, SegmentedStore, StoreOptions};

    const IDENTITY: Identity = Identity {
        cluster: 1,
        node: 1,
    };

    fn ballot(round: u64) -> Ballot {
        Ballot {
            round,
            node: NodeId(1),
            incarnation: Incarnation(1),
        }
    }

    fn accepted(position: u64, round: u64) -> Record {
        let action = Action::Append(format!("{position}/{round}").into());
        let (position, ballot) = (Position(position), ballot(round));
        let entry = Entry { ballot, action };
        Record::Accepted { position, entry }
    }

    fn status(status: Status) -> Record {
        Record::Status {
            status,
            life: Life(1),
            starting: None,
        }
    }

    /// What is restored from a store into which these were written.
    fn restored(records: &[Record]) -> Durable {
        let disk = MemoryDisk::new();
        let options = StoreOptions {
            segment_bytes: 12 << 10,
        };
        let mut store = SegmentedStore::init(Arc::new(disk.clone()), IDENTITY, options).unwrap();
        let mut ledger = Ledger::default();
        for record in records {
            store.append(&ledger.write(record)).unwrap();
        }
        drop(store);
        let recovered = SegmentedStore::open(Arc::new(disk), IDENTITY).unwrap();
        Ledger::restore(&recovered).unwrap().durable
    }

    fn applied(records: &[Record]) -> Durable {
        let mut durable = Durable::default();
        for record in records {
            durable.apply(record.clone());
        }
        durable
    }

    #[test]
    fn what_is_restored_is_what_the_records_say() {
        let mut records = vec![
            Record::Started(Incarnation(7)),
            status(Status::Voting),
            Record::Promised(ballot(2)),
        ];
        // Over several segments, so that metadata is written again at the head of each.
        for position in 1..500 {
            records.push(accepted(position, 3));
            if position % 7 == 0 {
                records.push(Record::Committed(Position(position - 3)));
            }
        }
        assert_eq!(restored(&records), applied(&records));
    }

    #[test]
    fn to_accept_under_a_higher_ballot_is_to_promise_it() {
        let records = [Record::Promised(ballot(2)), accepted(1, 5)];
        assert_eq!(restored(&records).promised(), ballot(5));
        let base = Base {
            begin: Position(2),
            config: Config::new(
                [paxos::Member {
                    node: NodeId(1),
                    life: Life(1),
                }],
                paxos::Quorums::Majority,
            )
            .unwrap(),
            snapshot: None,
        };
        let records = [accepted(1, 5), Record::Base(base)];
        assert_eq!(restored(&records).promised(), ballot(5));
    }

    #[test]
    fn what_was_accepted_and_not_chosen_before_a_recovery_is_forgotten() {
        let records = [
            status(Status::Voting),
            accepted(1, 1),
            accepted(2, 1),
            accepted(3, 1),
            Record::Committed(Position(1)),
            status(Status::Recovering),
            accepted(2, 4),
        ];
        let durable = restored(&records);
        assert_eq!(durable, applied(&records));
        assert_eq!(durable.end(), Position(2));
    }
}
