//! Commits: records gather while others are written, and are then written with one flush.

use std::time::Duration;

use libproc::env::Instant;
use libproc::prelude::*;
use paxos::{Damage, Input, Position, Record, Space, WriteNumber};

use super::ReplicaProcess;
use crate::store::{self, LogStore, StoreError};

/// How long nothing is written, at least, before it is noted that everything is durable.
const IDLE: Duration = Duration::from_millis(10);
/// So many times as long as the last commit took, too: on a slow disk the note would come between two commits.
const IDLE_COMMITS: u32 = 8;
/// How long to wait before a full disk is tried again.
const TRY_AGAIN: Duration = Duration::from_millis(500);

/// What is to be written.
#[derive(Debug)]
pub(super) struct Pending {
    records: Vec<store::Record>,
    /// The last of the protocol's records among them.
    upto: WriteNumber,
    /// Slots before it are to be dropped when the records are durable.
    begin: Option<Position>,
    /// The records say what damage the store found: it need not report it again.
    notes_damage: bool,
    /// The disk was full when they were tried.
    full: bool,
    /// When the last commit began, and how long it took.
    last: Option<(Instant, Duration)>,
    /// A timer is set that looks whether nothing was written since.
    settling: bool,
    waits: bool,
}

/// A batch, on its way to the disk and back.
struct Batch {
    store: Box<dyn LogStore>,
    records: Vec<store::Record>,
    upto: WriteNumber,
    begin: Option<Position>,
    notes_damage: bool,
    settles: bool,
}

impl Batch {
    fn write(&mut self) -> Result<(), StoreError> {
        if !self.records.is_empty() {
            self.store.append(&self.records)?;
        }
        if let Some(begin) = self.begin {
            self.store.truncate(begin.0)?;
        }
        if self.notes_damage {
            self.store.damage_noted()?;
        }
        match self.settles {
            true => self.store.settle(),
            false => Ok(()),
        }
    }
}

impl Pending {
    pub(super) fn new(notes_damage: bool) -> Pending {
        Pending {
            records: Vec::new(),
            upto: WriteNumber(0),
            begin: None,
            notes_damage,
            full: false,
            last: None,
            settling: false,
            waits: false,
        }
    }

    pub(super) fn add(&mut self, records: impl IntoIterator<Item = store::Record>) {
        self.records.extend(records);
    }

    pub(super) fn wants_commit(&self) -> bool {
        !self.records.is_empty() && !self.waits
    }

    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    pub(super) fn count(&self) -> usize {
        self.records.len()
    }
}

impl ReplicaProcess {
    /// Takes down a record of the protocol.
    pub(super) fn persist(&mut self, number: WriteNumber, record: Record) {
        let records = self.ledger.write(&record);
        self.pending.records.extend(records);
        self.pending.upto = number;
        match record {
            Record::Accepted { position, entry } => {
                self.writing.insert(position, (number, entry));
            }
            Record::Base(base) => self.pending.begin = Some(base.begin),
            Record::Damaged(_) => self.pending.notes_damage = true,
            Record::Started(_)
            | Record::Status { .. }
            | Record::Promised(_)
            | Record::Committed(_)
            | Record::Configured { .. } => {}
        }
    }

    /// Writes what has gathered, unless the disk is busy with what came before.
    pub(super) fn commit(&mut self, ctx: &mut Context<Self>) {
        if self.pending.wants_commit() {
            self.write(false, ctx);
        }
    }

    fn write(&mut self, settles: bool, ctx: &mut Context<Self>) {
        let Some(store) = self.store.take() else {
            return;
        };
        let pending = &mut self.pending;
        let mut batch = Batch {
            store,
            records: std::mem::take(&mut pending.records),
            upto: pending.upto,
            begin: pending.begin.take(),
            notes_damage: std::mem::take(&mut pending.notes_damage),
            settles,
        };
        pending.last = Some((Instant::now(), Duration::ZERO));
        let delay = self.options.commit_delay;
        let work = async move {
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            libproc::blocking(move || {
                let result = batch.write();
                (batch, result)
            })
            .await
        };
        ctx.defer(work, |this, (batch, result), ctx| {
            this.written(batch, result, ctx);
        });
    }

    fn written(&mut self, batch: Batch, result: Result<(), StoreError>, ctx: &mut Context<Self>) {
        let Batch {
            store,
            records,
            upto,
            begin,
            notes_damage,
            settles,
        } = batch;
        self.store = Some(store);
        if let Some((began, took)) = &mut self.pending.last {
            *took = began.elapsed();
        }
        match result {
            Ok(()) => {
                self.writing.retain(|_, (number, _)| *number > upto);
                if std::mem::take(&mut self.pending.full) {
                    tracing::info!("the disk of the log has space again");
                    self.feed(Input::Space(Space::Available), ctx);
                }
                self.feed(Input::Persisted(upto), ctx);
                self.commit(ctx);
                if !settles {
                    self.await_idleness(ctx);
                }
            }
            Err(error @ StoreError::Full { .. }) => {
                let later = std::mem::replace(&mut self.pending.records, records);
                self.pending.records.extend(later);
                self.pending.begin = self.pending.begin.or(begin);
                self.pending.notes_damage |= notes_damage;
                self.pending.waits = true;
                ctx.after(TRY_AGAIN, |this, ctx| {
                    this.pending.waits = false;
                    this.commit(ctx);
                });
                if !std::mem::replace(&mut self.pending.full, true) {
                    tracing::error!(%error, "appends are refused until there is space");
                    self.feed(Input::Space(Space::Full), ctx);
                }
            }
            Err(error) => self.give_up(&error, ctx),
        }
    }

    /// When nothing more is written for a while, the superblock says what the next record would. One
    /// timer looks after all commits: none is set and undone on their way.
    fn await_idleness(&mut self, ctx: &mut Context<Self>) {
        let Some((began, took)) = self.pending.last else {
            return;
        };
        if std::mem::replace(&mut self.pending.settling, true) {
            return;
        }
        let idle_at = began + took + IDLE.max(took * IDLE_COMMITS);
        ctx.after(
            idle_at.saturating_duration_since(Instant::now()),
            move |this, ctx| {
                this.pending.settling = false;
                let is_last = this.pending.last.is_some_and(|(last, _)| last == began);
                match is_last {
                    _ if this.store.is_none() => {} // whoever brings it back asks for this again
                    true => this.write(true, ctx),
                    false => this.await_idleness(ctx),
                }
            },
        );
    }

    /// A record could not be read: the protocol gets it back from the others.
    pub(super) fn found_damaged(&mut self, damage: &store::Damage, ctx: &mut Context<Self>) {
        tracing::error!(%damage, "a record of the log is damaged");
        let damage = match damage.key {
            Some(store::Key::Slot(slot)) => {
                Damage::Entries(vec![paxos::Span::new(Position(slot), Position(slot))])
            }
            Some(store::Key::Meta(_)) | None => Damage::Promise,
        };
        self.feed(Input::Damaged(damage), ctx);
    }
}
