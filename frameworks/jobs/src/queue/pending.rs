//! What waits for its turn: by user, priority and what is needed, so that an offer is filled in a
//! time that depends on how many kinds of runs wait, not on how many runs.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use types::Resources;

use crate::ids::{JobId, RunId};
use crate::spec::Spec;

/// How many kinds of a user's runs are tried on an offer, in their order: those behind wait until
/// one before them has found its place.
const KINDS_MAX: usize = 256;

/// Names a kind.
pub(super) type KindId = u64;

/// Runs of one user that fit the same places, and go in the order they came.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Kind {
    user: String,
    priority: i8,
    need: Resources,
    ports: u32,
    constraints: Vec<String>,
    /// Where the places of siblings count, no other job's runs are of the kind.
    job: Option<JobId>,
}

/// All that waits for its turn.
#[derive(Debug, Default)]
pub(super) struct Pending {
    ids: HashMap<Kind, KindId>,
    kinds: HashMap<KindId, Waiting>,
    next: KindId,
    users: BTreeMap<String, BTreeSet<Rank>>,
    count: u64,
}

#[derive(Debug)]
struct Waiting {
    kind: Kind,
    runs: BTreeSet<RunId>,
}

/// The order of kinds of one user: by priority, then by the run that waits longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    priority: i8,
    first: RunId,
    kind: KindId,
}

impl Pending {
    /// How many runs wait.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The users who have something waiting.
    pub(super) fn users(&self) -> impl Iterator<Item = &str> {
        self.users.keys().map(String::as_str)
    }

    /// Some runs of a job wait.
    pub(super) fn add(&mut self, spec: &Spec, runs: impl IntoIterator<Item = RunId>) {
        let mut runs = runs.into_iter().peekable();
        let Some(job) = runs.peek().map(|run| run.job) else {
            return;
        };
        let id = self.kind_of(spec, job);
        let Some(waiting) = self.kinds.get_mut(&id) else {
            return;
        };
        let before = waiting.runs.first().copied();
        let had = waiting.runs.len();
        waiting.runs.extend(runs);
        self.count += (waiting.runs.len() - had) as u64;
        self.rank(id, before);
    }

    /// A run does not wait any more; false if it did not.
    pub(super) fn remove(&mut self, spec: &Spec, run: RunId) -> bool {
        let Some(id) = self.ids.get(&kind(spec, run.job)).copied() else {
            return false;
        };
        let Some(waiting) = self.kinds.get_mut(&id) else {
            return false;
        };
        let before = waiting.runs.first().copied();
        if !waiting.runs.remove(&run) {
            return false;
        }
        self.count -= 1;
        self.rank(id, before);
        true
    }

    fn kind_of(&mut self, spec: &Spec, job: JobId) -> KindId {
        let kind = kind(spec, job);
        if let Some(id) = self.ids.get(&kind) {
            return *id;
        }
        self.next += 1;
        let runs = BTreeSet::new();
        self.ids.insert(kind.clone(), self.next);
        self.kinds.insert(self.next, Waiting { kind, runs });
        self.next
    }

    /// Keeps the order of kinds after the runs of one have changed; a kind without runs goes.
    fn rank(&mut self, id: KindId, before: Option<RunId>) {
        let Some(waiting) = self.kinds.get(&id) else {
            return;
        };
        let (priority, first) = (waiting.kind.priority, waiting.runs.first().copied());
        if before == first {
            return;
        }
        let rank = |first| Rank {
            priority,
            first,
            kind: id,
        };
        let user = waiting.kind.user.clone();
        let ranks = self.users.entry(user.clone()).or_default();
        if let Some(before) = before {
            ranks.remove(&rank(before));
        }
        match first {
            Some(first) => drop(ranks.insert(rank(first))),
            None => {
                if ranks.is_empty() {
                    self.users.remove(&user);
                }
                if let Some(gone) = self.kinds.remove(&id) {
                    self.ids.remove(&gone.kind);
                }
            }
        }
    }

    /// The user's next run that `fits`, which is asked once for each kind that is not in `misses`,
    /// about the run of it that waits longest. Kinds that do not fit are added there.
    pub(super) fn next(
        &self,
        user: &str,
        misses: &mut HashSet<KindId>,
        mut fits: impl FnMut(RunId) -> bool,
    ) -> Option<RunId> {
        let ranks = self.users.get(user)?;
        for rank in ranks.iter().take(KINDS_MAX) {
            if misses.contains(&rank.kind) {
                continue;
            }
            if fits(rank.first) {
                return Some(rank.first);
            }
            misses.insert(rank.kind);
        }
        None
    }

    /// How many runs of the same user go before this one, counted up to `most`.
    pub(super) fn before(&self, spec: &Spec, run: RunId, most: usize) -> usize {
        let Some(ranks) = self.users.get(&spec.user) else {
            return 0;
        };
        let mut count = 0;
        for rank in ranks {
            if rank.priority > spec.priority || count >= most {
                break;
            }
            let Some(waiting) = self.kinds.get(&rank.kind) else {
                continue;
            };
            let all = rank.priority < spec.priority;
            let ahead = waiting.runs.iter().take_while(|other| all || **other < run);
            count += ahead.take(most - count).count();
        }
        count
    }
}

fn kind(spec: &Spec, job: JobId) -> Kind {
    let of_siblings = spec
        .constraints
        .iter()
        .any(|constraint| !constraint.is_of_agent());
    Kind {
        user: spec.user.clone(),
        priority: spec.priority,
        need: spec.need.clone(),
        ports: spec.ports,
        constraints: spec.constraints.iter().map(ToString::to_string).collect(),
        job: of_siblings.then_some(job),
    }
}
