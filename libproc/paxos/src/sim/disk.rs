//! A simulated disk: records in order, synced in groups, with what crashes and rot do to them.

use crate::{Base, Damage, Durable, Entry, Position, Record, Span, WriteNumber};
use std::collections::{BTreeMap, VecDeque};

/// What one replica's storage holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    /// What is durable.
    pub(crate) durable: Durable,
    /// The durable entries that are kept, chosen or not.
    pub(crate) log: BTreeMap<Position, Entry>,
    /// Written, and lost in a crash unless synced.
    unsynced: VecDeque<(WriteNumber, Record)>,
    /// The last number written in this start.
    written: WriteNumber,
    /// What the storage has told to be lost, and after which record; until a later one answers.
    told: Vec<(WriteNumber, Vec<Span>)>,
    /// The last number of the sync under way.
    pub(crate) syncing: Option<WriteNumber>,
}

impl Disk {
    pub(crate) fn write(&mut self, number: WriteNumber, record: Record) {
        self.written = number;
        self.unsynced.push_back((number, record));
    }

    /// Begins a sync of everything written, if there is anything and none is under way.
    pub(crate) fn sync(&mut self) -> Option<WriteNumber> {
        let (last, _) = self.unsynced.back()?;
        if self.syncing.is_some() {
            return None;
        }
        self.syncing = Some(*last);
        self.syncing
    }

    /// The sync is done.
    pub(crate) fn synced(&mut self) -> Option<WriteNumber> {
        let last = self.syncing.take()?;
        while let Some((number, record)) = self.unsynced.pop_front_if(|(n, _)| *n <= last) {
            if let Record::Damaged(_) | Record::Status { .. } = record {
                self.told.retain(|(before, _)| *before >= number);
            }
            self.keep(record);
        }
        Some(last)
    }

    /// Of what was not synced, the first `survivors` records made it.
    pub(crate) fn crash(&mut self, survivors: u64) {
        self.syncing = None;
        self.written = WriteNumber(0);
        let survivors = usize::try_from(survivors)
            .unwrap_or(usize::MAX)
            .min(self.unsynced.len());
        for (number, record) in std::mem::take(&mut self.unsynced)
            .into_iter()
            .take(survivors)
        {
            if let Record::Damaged(_) | Record::Status { .. } = record {
                self.told.retain(|(before, _)| *before >= number);
            }
            self.keep(record);
        }
        for (_, spans) in std::mem::take(&mut self.told) {
            self.durable.damaged(Damage::Entries(spans));
        }
    }

    /// Records written and not synced.
    pub(crate) fn unsynced(&self) -> u64 {
        self.unsynced.len() as u64
    }

    fn keep(&mut self, record: Record) {
        match &record {
            Record::Accepted { position, entry } => {
                self.log.insert(*position, entry.clone());
            }
            Record::Base(Base { begin, .. }) => self.log = self.log.split_off(begin),
            _ => {}
        }
        self.durable.apply(record);
    }

    /// The entries of `span`, as far as they are there without a gap, also of what is not synced.
    pub(crate) fn read(&self, span: Span, bytes: usize) -> Vec<Entry> {
        let mut late = BTreeMap::new();
        for (_, record) in &self.unsynced {
            if let Record::Accepted { position, entry } = record {
                late.insert(*position, entry);
            }
        }
        let (mut entries, mut weight) = (Vec::new(), 0);
        for position in (span.first.0..=span.last.0).map(Position) {
            let Some(entry) = late
                .get(&position)
                .copied()
                .or_else(|| self.log.get(&position))
            else {
                break;
            };
            weight += entry.action.weight();
            if weight > bytes && !entries.is_empty() {
                break;
            }
            entries.push(entry.clone());
        }
        entries
    }

    /// Loses entries.
    pub(crate) fn lose(&mut self, spans: Vec<Span>) {
        for span in &spans {
            self.log.retain(|position, _| !span.has(*position));
        }
        let last = self
            .unsynced
            .back()
            .map_or(self.written, |(number, _)| *number);
        self.told.push((last, spans.clone()));
        self.durable.damaged(Damage::Entries(spans));
    }
}
