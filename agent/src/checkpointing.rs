//! Writing down what the next agent must know, before anybody hears of it.
//!
//! Whatever leaves the agent because of a change leaves when the change is on disk: a task starts, a
//! framework is told, an executor is told that it need not tell again. What belongs to frameworks
//! without checkpoints is not written, and does not wait unless something before it does.

use std::collections::{BTreeSet, VecDeque};

use libproc::prelude::*;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::agent::Agent;
use crate::checkpoints::{AgentRecord, Change, FORMAT, Key, Store, encode};

/// What waits for the disk.
type Held = Box<dyn FnOnce(&mut Agent, &mut Context<Agent>) + Send>;

/// What an agent has written down, and what waits for that.
pub(crate) struct Checkpoints {
    /// None of an agent that nothing outlives.
    store: Option<Store>,
    done: UnboundedSender<u64>,
    said: Option<UnboundedReceiver<u64>>,
    /// How many commits were asked for.
    asked: u64,
    /// How many of them are on disk.
    written: u64,
    held: VecDeque<(u64, Held)>,
    /// What there are records of.
    stored: BTreeSet<Key>,
    /// The agent's own record is not as it should be.
    agent_changed: bool,
}

impl Checkpoints {
    pub(crate) fn new(store: Option<Store>, stored: BTreeSet<Key>) -> Checkpoints {
        let (done, said) = unbounded_channel();
        Checkpoints {
            store,
            done,
            said: Some(said),
            asked: 0,
            written: 0,
            held: VecDeque::new(),
            stored,
            agent_changed: false,
        }
    }

    /// Whether executors outlive the agent, if their frameworks want that.
    pub(crate) fn last(&self) -> bool {
        self.store.is_some()
    }

    fn is_idle(&self) -> bool {
        self.held.is_empty() && self.asked == self.written
    }

    fn commit(&mut self, changes: Vec<Change>) {
        let Some(store) = &self.store else {
            return;
        };
        self.asked += 1;
        if store.commit(changes, self.asked, &self.done) {
            self.written = self.asked;
        }
    }
}

impl Agent {
    /// Has what the disk says come to the agent.
    pub(crate) fn hear_disk(&mut self, ctx: &mut Context<Self>) {
        let Some(mut said) = self.checkpoints.said.take() else {
            return;
        };
        let local = ctx.local();
        tokio::task::spawn_local(async move {
            while let Some(number) = said.recv().await {
                local.run(move |agent, ctx| agent.written(number, ctx));
            }
        });
    }

    fn written(&mut self, number: u64, ctx: &mut Context<Self>) {
        let checkpoints = &mut self.checkpoints;
        checkpoints.written = checkpoints.written.max(number);
        while let Some((waits_for, _)) = self.checkpoints.held.front()
            && *waits_for <= self.checkpoints.written
        {
            if let Some((_, then)) = self.checkpoints.held.pop_front() {
                then(self, ctx);
            }
        }
    }

    /// Has `then` done as soon as everything that has changed is on disk; at once if it is. What is
    /// asked for in order is done in order.
    pub(crate) fn once_written(
        &mut self,
        ctx: &mut Context<Self>,
        then: impl FnOnce(&mut Agent, &mut Context<Agent>) + Send + 'static,
    ) {
        self.write_down();
        match self.checkpoints.is_idle() {
            true => then(self, ctx),
            false => {
                let number = self.checkpoints.asked;
                self.checkpoints.held.push_back((number, Box::new(then)));
            }
        }
    }

    /// The agent's own record is to be written anew.
    pub(crate) fn agent_changed(&mut self) {
        self.checkpoints.agent_changed = true;
    }

    /// Has everything written that has changed.
    pub(crate) fn write_down(&mut self) {
        let mut changed = self.books.take_changed();
        changed.extend(self.updates.take_changed());
        if std::mem::take(&mut self.checkpoints.agent_changed) {
            changed.insert(Key::Agent);
        }
        if !self.checkpoints.last() {
            return;
        }
        let changes: Vec<Change> = changed
            .into_iter()
            .filter_map(|key| self.change_of(key))
            .collect();
        if !changes.is_empty() {
            self.checkpoints.commit(changes);
        }
    }

    fn change_of(&mut self, key: Key) -> Option<Change> {
        let record = match &key {
            Key::Agent => self.own_record(),
            Key::Framework(of) | Key::Executor(of, _) => self
                .outlives(of)
                .then(|| self.books.record_of(&key))
                .flatten(),
            Key::Task(of) => {
                let outlives = self.outlives(&of.framework_id);
                outlives.then(|| self.books.record_of(&key)).flatten()
            }
            Key::Stream(of) => {
                let outlives = self.outlives(&of.framework_id);
                outlives.then(|| self.updates.record_of(of)).flatten()
            }
        };
        let stored = key.stored();
        match record {
            Some(record) => {
                self.checkpoints.stored.insert(key);
                Some((stored, Some(record)))
            }
            None => self
                .checkpoints
                .stored
                .remove(&key)
                .then_some((stored, None)),
        }
    }

    fn own_record(&self) -> Option<Vec<u8>> {
        self.info.id.as_ref()?;
        Some(encode(&AgentRecord {
            format: FORMAT,
            info: self.info.clone(),
            address: self.at,
            boot_id: self.options.boot_id.clone(),
            token_key: self.token_key_bytes.clone(),
            draining: self.draining,
        }))
    }

    /// Whether what a framework runs here outlives the agent.
    pub(crate) fn outlives(&self, framework_id: &types::FrameworkId) -> bool {
        self.checkpoints.last() && self.books.is_checkpointed(framework_id)
    }

    /// Forgets everything, as an agent that leaves for good.
    pub(crate) fn forget_everything(&mut self) {
        let stored = std::mem::take(&mut self.checkpoints.stored);
        let changes: Vec<Change> = stored.iter().map(|key| (key.stored(), None)).collect();
        self.info.id = None;
        if !changes.is_empty() {
            self.checkpoints.commit(changes);
        }
    }
}
