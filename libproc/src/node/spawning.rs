//! Spawning: an actor gets a slot, an address and its first turn.

use std::sync::atomic::Ordering;

use ecow::EcoString;

use super::Node;
use super::finding::{ANONYMOUS, anonymous};
use crate::link::Watcher;
use crate::pid::{Pid, Upid, valid_id};
use crate::process::{Body, Kind, OfKind, Process, Run};
use crate::table::{Handle, Mailbox};

/// Why a process was not spawned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// A living process has that id.
    #[error("a process with the id `{0}` lives on this node")]
    IdTaken(String),
    /// The text cannot be an id.
    #[error("`{0}` cannot be the id of a process")]
    InvalidId(String),
    /// The node is about to go down.
    #[error("the node takes no new processes: it is draining")]
    Draining,
}

impl Node {
    /// Starts `actor` as the process `id@address`.
    ///
    /// # Panics
    /// When `id` is taken or no id, or the node is draining: see [`try_spawn`](Node::try_spawn) for
    /// ids that come from outside.
    pub fn spawn<A: Process + Send>(&self, id: &str, actor: A) -> Pid<A::Protocol> {
        self.try_spawn(id, actor)
            .unwrap_or_else(|error| panic!("could not spawn: {error}"))
    }

    /// Starts `actor` as the process `id@address`.
    ///
    /// # Errors
    /// [`SpawnError`] when a living process has that id, it cannot be one, or the node is
    /// [draining](Node::drain).
    pub fn try_spawn<A: Process + Send>(
        &self,
        id: &str,
        actor: A,
    ) -> Result<Pid<A::Protocol>, SpawnError> {
        let make = |upid: &Upid| Body::new(actor, upid.clone());
        self.settle(Some(id), A::KIND, make).map(Pid::assume)
    }

    /// Starts `actor` under an id of the node's choosing.
    pub fn spawn_anonymous<A: Process + Send>(&self, actor: A) -> Pid<A::Protocol> {
        let make = |upid: &Upid| Body::new(actor, upid.clone());
        match self.settle(None, A::KIND, make) {
            Ok(upid) => Pid::assume(upid),
            Err(error) => unreachable!("only given ids are refused: {error}"),
        }
    }

    /// Starts `actor` as the process `id`, with `watcher` in place before its first turn.
    pub(crate) fn spawn_watched<A: Process + Send>(
        &self,
        id: &str,
        actor: A,
        watcher: Watcher,
    ) -> Result<Pid<A::Protocol>, SpawnError> {
        let (upid, at) = self.prepare(Some(id), A::KIND, |mailbox, upid| {
            mailbox.body = Some(Box::new(Body::new(actor, upid.clone())));
            mailbox.waiting.watch(watcher);
        })?;
        self.0.pool.schedule(self.number(), at.index, None);
        Ok(Pid::assume(upid))
    }

    /// Starts the actor that `make` makes as the process `id@address`, on one worker where it stays:
    /// for state that may not move between threads, and for turns that are long on purpose.
    ///
    /// `worker` counts from zero and wraps around at the number of workers. The process costs a
    /// wake-up of that worker's thread whenever another thread sends to it.
    ///
    /// # Errors
    /// As [`try_spawn`](Node::try_spawn).
    pub fn spawn_pinned<A: Process>(
        &self,
        id: &str,
        worker: usize,
        make: impl FnOnce() -> A + Send + 'static,
    ) -> Result<Pid<A::Protocol>, SpawnError> {
        let pool = &self.0.pool;
        let worker = worker % pool.worker_count().clamp(1, usize::from(u16::MAX)) + 1;
        let (upid, at) = self.prepare(Some(id), A::KIND, |mailbox, _| {
            mailbox.pinned = worker as u16;
        })?;
        let body_upid = upid.clone();
        let make = move || Box::new(Body::new(make(), body_upid)) as Box<dyn Run>;
        pool.settle(worker as u16, at.index, Box::new(make));
        Ok(Pid::assume(upid))
    }

    /// Gives a body a slot, an address and its first turn.
    pub(crate) fn settle<B: Run + Send + 'static>(
        &self,
        id: Option<&str>,
        kind: &'static Kind,
        make: impl FnOnce(&Upid) -> B,
    ) -> Result<Upid, SpawnError> {
        let (upid, at) = self.prepare(id, kind, |mailbox, upid| {
            mailbox.body = Some(Box::new(make(upid)));
        })?;
        self.0.pool.schedule(self.number(), at.index, None);
        Ok(upid)
    }

    /// Gives a process a slot and an address; `fill` puts in what is particular to it.
    fn prepare(
        &self,
        id: Option<&str>,
        kind: &'static Kind,
        fill: impl FnOnce(&mut Mailbox, &Upid),
    ) -> Result<(Upid, Handle), SpawnError> {
        if let Some(id) = id
            && (!valid_id(id) || id.starts_with(ANONYMOUS))
        {
            let id = id.chars().take(crate::pid::ID_MAX).collect();
            return Err(SpawnError::InvalidId(id));
        }
        // The node's own helpers have no names, and work to its end.
        if id.is_some() && self.is_draining() {
            return Err(SpawnError::Draining);
        }
        let mut names = id.map(|id| (id, self.0.names.lock()));
        if let Some((id, names)) = &names
            && names.find(id).is_some()
        {
            return Err(SpawnError::IdTaken((*id).to_owned()));
        }
        let (spare, second) = self
            .0
            .pool
            .with_here(self.number(), |here| {
                let here = here.filter(|here| here.is_polling())?;
                Some((here.spares().take_slot(), here.second()))
            })
            .unzip();
        let index = spare.flatten().unwrap_or_else(|| self.0.table.take());
        let slot = self
            .0
            .table
            .slot(index)
            .expect("a slot that was taken is in the table");
        let mut mailbox = slot.0.lock();
        let generation = mailbox.generation.wrapping_add(1).max(1);
        let at = Handle { index, generation };
        let name = id.map_or_else(|| anonymous(at), EcoString::from);
        let upid = Upid::in_place_of(mailbox.upid.take(), name, self.home(), at);
        if let Some((_, names)) = &mut names {
            names.add(upid.clone());
        }
        drop(names);
        *mailbox = Mailbox {
            generation,
            born_s: second.unwrap_or_else(|| self.uptime().as_secs() as u32),
            scheduled: true,
            fresh: true,
            alive: true,
            kind: Some(kind),
            upid: Some(upid.clone()),
            ..Mailbox::default()
        };
        fill(&mut mailbox, &upid);
        drop(mailbox);
        self.0.living.fetch_add(1, Ordering::SeqCst);
        Ok((upid, at))
    }
}
