//! Spawning: an actor gets a slot, an address and its first turn.

use std::sync::atomic::Ordering;

use super::Node;
use super::finding::ANONYMOUS;
use crate::context::Context;
use crate::overflow::Overflow;
use crate::pid::{Pid, Upid, valid_id};
use crate::process::{Body, Process, Run};
use crate::protocol::{MessageInfo, Page};
use crate::table::Handle;

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
}

impl Node {
    /// Starts `actor` as the process `id@address`.
    ///
    /// # Panics
    /// When `id` is taken or no id: see [`try_spawn`](Node::try_spawn) for ids that come from
    /// outside.
    pub fn spawn<A: Process>(&self, id: &str, actor: A) -> Pid<A::Protocol> {
        self.try_spawn(id, actor)
            .unwrap_or_else(|error| panic!("could not spawn: {error}"))
    }

    /// Starts `actor` as the process `id@address`.
    ///
    /// # Errors
    /// [`SpawnError`] when a living process has that id, or it cannot be one.
    pub fn try_spawn<A: Process>(
        &self,
        id: &str,
        actor: A,
    ) -> Result<Pid<A::Protocol>, SpawnError> {
        let make = |upid: Upid, at| Body {
            actor,
            ctx: Context::new(self.clone(), upid, at),
        };
        let messages = <A::Protocol as Page>::MESSAGES;
        let upid = self.settle(
            Some(id),
            std::any::type_name::<A>(),
            messages,
            (A::CAPACITY, A::OVERFLOW),
            make,
        )?;
        Ok(Pid::assume(upid))
    }

    /// Starts `actor` under an id of the node's choosing.
    pub fn spawn_anonymous<A: Process>(&self, actor: A) -> Pid<A::Protocol> {
        let make = |upid: Upid, at| Body {
            actor,
            ctx: Context::new(self.clone(), upid, at),
        };
        let messages = <A::Protocol as Page>::MESSAGES;
        match self.settle(
            None,
            std::any::type_name::<A>(),
            messages,
            (A::CAPACITY, A::OVERFLOW),
            make,
        ) {
            Ok(upid) => Pid::assume(upid),
            Err(error) => unreachable!("only given ids are refused: {error}"),
        }
    }

    /// Gives a body a slot, an address and its first turn.
    pub(crate) fn settle<B: Run + 'static>(
        &self,
        id: Option<&str>,
        kind: &'static str,
        messages: &'static [MessageInfo],
        (capacity, overflow): (u32, Overflow),
        make: impl FnOnce(Upid, Handle) -> B,
    ) -> Result<Upid, SpawnError> {
        if let Some(id) = id
            && (!valid_id(id) || id.starts_with(ANONYMOUS))
        {
            return Err(SpawnError::InvalidId(
                id.chars().take(crate::pid::ID_MAX).collect(),
            ));
        }
        let mut names = id.map(|id| (id, self.0.names.lock()));
        if let Some((id, names)) = &names
            && names.contains_key(*id)
        {
            return Err(SpawnError::IdTaken((*id).to_owned()));
        }
        let index = self.0.table.take();
        let slot = self
            .0
            .table
            .slot(index)
            .expect("a slot that was taken is in the table");
        let mut mailbox = slot.0.lock();
        mailbox.generation = mailbox.generation.wrapping_add(1).max(1);
        let at = Handle {
            index,
            generation: mailbox.generation,
        };
        let id = id.map_or_else(
            || format!("{ANONYMOUS}{index}.{}", at.generation),
            str::to_owned,
        );
        let upid = Upid::resolved(id.into(), self.0.address, Some(at));
        if let Some((id, names)) = &mut names {
            names.insert((*id).into(), at);
        }
        drop(names);
        mailbox.upid = Some(upid.clone());
        mailbox.kind = kind;
        mailbox.messages = messages;
        mailbox.capacity = capacity;
        mailbox.overflow = overflow;
        mailbox.handled = 0;
        mailbox.body = Some(Box::new(make(upid.clone(), at)));
        mailbox.fresh = true;
        mailbox.alive = true;
        mailbox.scheduled = true;
        drop(mailbox);
        self.0.living.fetch_add(1, Ordering::SeqCst);
        self.schedule(index);
        Ok(upid)
    }
}
