//! An agent in the books: what it has, what runs there, what of it is promised.

use std::collections::{BTreeMap, BTreeSet};

use api::agent::{Agenting, TaskOf};
use api::master::AgentState;
use imbl::OrdSet;
use libproc::Pid;
use types::{AgentId, AgentInfo, ExecutorId, FrameworkId, OfferId, Resources, Role};

use super::{Aside, Form, Record, Rendered};

/// What of an agent is used, by whom: as its allocator wants to know it.
pub(crate) type UsedBy = BTreeMap<FrameworkId, BTreeMap<Role, Resources>>;

/// An agent that is registered.
#[derive(Debug, Clone)]
pub(crate) struct Agent {
    pub(crate) id: AgentId,
    pub(crate) info: AgentInfo,
    pub(crate) pid: Pid<Agenting>,
    pub(crate) version: String,
    /// Its connection holds.
    pub(crate) connected: bool,
    /// It is about to be removed: the registry has been told, and it cannot come back before.
    pub(crate) leaving: bool,
    pub(crate) registered_ms: u64,
    /// When it came back last.
    pub(crate) reregistered_ms: Option<u64>,
    /// Counts its registrations: pings of an older one are void.
    pub(crate) session: u64,
    /// Pings in a row that were not answered in time.
    pub(crate) missed_pings: u32,
    /// The number of the order by which the allocator knows it: older allocations are void.
    pub(crate) announced: u64,
    pub(super) tasks: OrdSet<TaskOf>,
    pub(super) executors: BTreeSet<(FrameworkId, ExecutorId)>,
    pub(super) offers: OrdSet<OfferId>,
    pub(super) used: Resources,
    pub(super) offered: Resources,
    /// It reported tasks that overlap: what they use has to be summed up anew when one ends.
    pub(super) overlaps: bool,
    rendered: Rendered,
}

impl Record for Agent {
    fn touched(&mut self) {
        self.rendered = Rendered::default();
    }
}

impl Agent {
    /// Returns an agent on which nothing runs.
    pub(crate) fn new(id: AgentId, info: AgentInfo, pid: Pid<Agenting>, version: String) -> Self {
        Self {
            id,
            info,
            pid,
            version,
            connected: true,
            leaving: false,
            registered_ms: 0,
            reregistered_ms: None,
            session: 0,
            missed_pings: 0,
            announced: 0,
            tasks: OrdSet::new(),
            executors: BTreeSet::new(),
            offers: OrdSet::new(),
            used: Resources::new(),
            offered: Resources::new(),
            overlaps: false,
            rendered: Rendered::default(),
        }
    }

    /// The agent with what is used and offered of it, as it is written in a form, by `write` if that
    /// was not done since any of it changed. Whether it is set aside is not known here.
    pub(crate) fn rendered(&self, form: Form, write: impl FnOnce() -> Vec<u8>) -> &[u8] {
        self.rendered.get(form, write)
    }

    /// The tasks on it, those that have ended and are not acknowledged too.
    pub(crate) fn tasks(&self) -> impl ExactSizeIterator<Item = &TaskOf> {
        self.tasks.iter()
    }

    /// The offers of it that wait for an answer.
    pub(crate) fn offers(&self) -> impl Iterator<Item = &OfferId> {
        self.offers.iter()
    }

    /// What tasks and executors use of it.
    pub(crate) fn used(&self) -> &Resources {
        &self.used
    }

    /// What of it is promised in offers.
    pub(crate) fn offered(&self) -> &Resources {
        &self.offered
    }

    /// What is neither used nor offered.
    pub(crate) fn free(&self) -> Resources {
        &self.info.resources - &self.used - &self.offered
    }

    /// How operators see it, who may have set it aside.
    pub(crate) fn state(&self, aside: Option<&Aside>) -> AgentState {
        match aside.map(|aside| aside.drain) {
            _ if !self.connected => AgentState::Disconnected,
            None => AgentState::Active,
            Some(None) => AgentState::Deactivated,
            Some(Some(drain)) if drain.drained => AgentState::Drained,
            Some(Some(_)) => AgentState::Draining,
        }
    }
}
