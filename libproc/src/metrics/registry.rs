//! The registry of a node: metrics by name, each once, and gone with the process they are of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::histogram::{Histogram, Timer};
use super::name::{self, Labels, NAME_MAX};
use super::value::{Counter, Gauge};
use super::{MetricError, Metrics};
use crate::table::Handle;

/// Most metrics of one node: a page of them stays below a few megabytes.
pub const METRICS_MAX: usize = 10_000;
/// What the names of the node's own metrics begin with, on each page.
const RESERVED: [&str; 2] = ["libproc/", "libproc_"];

/// What kind of family a metric belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
    Timer,
}

/// A metric, and how it is read.
#[derive(Clone)]
pub(crate) enum Metric {
    Counter(Counter),
    Gauge(Gauge),
    Pulled(Arc<dyn Fn() -> f64 + Send + Sync>),
    Asked(Arc<Question>),
    Histogram(Histogram),
    Timer(Timer),
}

impl Metric {
    pub(super) fn is_timer(&self) -> bool {
        matches!(self, Metric::Timer(_))
    }

    fn kind(&self) -> Kind {
        match self {
            Metric::Counter(_) => Kind::Counter,
            Metric::Gauge(_) | Metric::Pulled(_) | Metric::Asked(_) => Kind::Gauge,
            Metric::Histogram(_) => Kind::Histogram,
            Metric::Timer(_) => Kind::Timer,
        }
    }
}

/// What a process is asked when somebody looks.
pub(crate) struct Question {
    ask: Box<dyn Fn(Ticket) + Send + Sync>,
    /// A question waits in the mailbox: a process that is stuck is not asked again and again.
    asked: AtomicBool,
}

/// A question on its way: dropped unanswered, the answer is none.
pub(crate) struct Ticket {
    question: Arc<Question>,
    sender: oneshot::Sender<f64>,
}

impl Question {
    pub(super) fn new(ask: impl Fn(Ticket) + Send + Sync + 'static) -> Question {
        Question {
            ask: Box::new(ask),
            asked: AtomicBool::new(false),
        }
    }

    /// Asks, unless an earlier question has not been answered.
    pub(super) fn put(self: &Arc<Self>) -> Option<oneshot::Receiver<f64>> {
        if self.asked.swap(true, Ordering::AcqRel) {
            return None;
        }
        let (sender, answer) = oneshot::channel();
        let question = self.clone();
        (self.ask)(Ticket { question, sender });
        Some(answer)
    }
}

impl Ticket {
    pub(super) fn answer(mut self, value: f64) {
        let (gone, _) = oneshot::channel();
        // Whoever looked may have gone.
        let _ = std::mem::replace(&mut self.sender, gone).send(value);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.question.asked.store(false, Ordering::Release);
    }
}

/// What the members of a family share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Family {
    /// Its name in the snapshot.
    pub(crate) name: String,
    /// Its name in OpenMetrics.
    pub(crate) exposed: String,
    pub(crate) help: String,
    pub(crate) kind: Kind,
    pub(crate) unit: Option<&'static str>,
}

/// A metric that is to be registered.
pub(crate) struct Entry<'a> {
    pub(super) name: &'a str,
    pub(super) help: &'a str,
    pub(super) unit: Option<&'static str>,
    pub(super) labels: Labels,
    pub(super) owner: Option<Handle>,
    pub(super) metric: Metric,
}

/// The members of a family, by their labels.
type Members = Vec<(Labels, Metric)>;

struct Registered {
    family: Arc<Family>,
    members: BTreeMap<Labels, (Metric, Option<Handle>)>,
}

#[derive(Default)]
struct Inner {
    families: BTreeMap<String, Registered>,
    count: usize,
    /// All names that are used in OpenMetrics, and in the snapshot.
    exposed: BTreeSet<String>,
    flat: BTreeSet<String>,
    /// Processes with metrics of their own, and which those are.
    owners: BTreeMap<Handle, Vec<(String, Labels)>>,
}

/// The metrics of a node that are not the node's own.
#[derive(Default)]
pub(crate) struct Registry(Mutex<Inner>);

impl Registry {
    pub(super) fn add(&self, entry: Entry<'_>) -> Result<(), MetricError> {
        let Entry {
            name,
            help,
            unit,
            labels,
            owner,
            metric,
        } = entry;
        name::check(name, &labels, unit)?;
        let kind = metric.kind();
        let exposed = name::exposed(name, kind, unit);
        if RESERVED
            .iter()
            .any(|reserved| name.starts_with(reserved) || exposed.starts_with(reserved))
        {
            return Err(MetricError::Invalid(name.to_owned()));
        }
        let taken = || MetricError::Taken(name.to_owned());
        let mut inner = self.0.lock();
        if inner.count >= METRICS_MAX {
            return Err(MetricError::TooMany);
        }
        if owner.is_some_and(|owner| !inner.owners.contains_key(&owner)) {
            return Err(MetricError::NoOwner);
        }
        let flat = name::flat_names(name, kind, &labels);
        let family = match inner.families.get(name) {
            Some(members) if members.members.contains_key(&labels) => return Err(taken()),
            Some(members) if !members.takes(kind, unit, &labels) => {
                return Err(MetricError::Mismatch(name.to_owned()));
            }
            Some(_) => None,
            None => Some(name::exposed_names(&exposed, kind)),
        };
        let clash = flat.iter().any(|flat| inner.flat.contains(flat));
        let new = family.iter().flatten();
        if clash || new.into_iter().any(|name| inner.exposed.contains(name)) {
            return Err(taken());
        }
        inner.flat.extend(flat);
        inner.exposed.extend(family.into_iter().flatten());
        inner.count += 1;
        if let Some(owned) = owner.and_then(|owner| inner.owners.get_mut(&owner)) {
            owned.push((name.to_owned(), labels.clone()));
        }
        let members = inner
            .families
            .entry(name.to_owned())
            .or_insert_with(|| Registered {
                family: Arc::new(Family {
                    name: name.to_owned(),
                    exposed,
                    help: help.chars().take(NAME_MAX).collect(),
                    kind,
                    unit,
                }),
                members: BTreeMap::new(),
            });
        members.members.insert(labels, (metric, owner));
        Ok(())
    }

    pub(super) fn remove(&self, name: &str, labels: &Labels) -> bool {
        let mut inner = self.0.lock();
        let Some((metric, owner)) = inner.take(name, labels) else {
            return false;
        };
        if let Some(owned) = owner.and_then(|owner| inner.owners.get_mut(&owner)) {
            owned.retain(|(other, others)| other != name || others != labels);
        }
        drop(inner);
        drop(metric); // outside the lock: closures of users go with it
        true
    }

    /// The families whose members' names begin with `prefix`, and their members, by name.
    pub(super) fn list(&self, prefix: &str) -> Vec<(Arc<Family>, Members)> {
        let inner = self.0.lock();
        let families = inner
            .families
            .values()
            .map(|Registered { family, members }| {
                let wanted = members.iter().filter(|(labels, _)| {
                    name::flat(&family.name, family.kind, labels).starts_with(prefix)
                });
                let wanted = wanted.map(|(labels, (metric, _))| (labels.clone(), metric.clone()));
                (family.clone(), wanted.collect::<Vec<_>>())
            });
        families
            .filter(|(_, members)| !members.is_empty())
            .collect()
    }

    pub(super) fn count(&self) -> usize {
        self.0.lock().count
    }

    /// Forgets everything: the node has gone.
    pub(crate) fn clear(&self) {
        let inner = std::mem::take(&mut *self.0.lock());
        drop(inner); // outside the lock, as in `remove`
    }
}

impl Registered {
    fn takes(&self, kind: Kind, unit: Option<&'static str>, labels: &Labels) -> bool {
        let names = |labels: &Labels| labels.iter().map(|(name, _)| *name).collect::<Vec<_>>();
        let alike = self
            .members
            .keys()
            .next()
            .is_none_or(|other| names(other) == names(labels));
        alike && self.family.kind == kind && self.family.unit == unit
    }
}

impl Inner {
    /// Takes a metric out of everything but the list of its owner.
    fn take(&mut self, name: &str, labels: &Labels) -> Option<(Metric, Option<Handle>)> {
        let members = self.families.get_mut(name)?;
        let taken = members.members.remove(labels)?;
        let family = members.family.clone();
        self.count -= 1;
        for flat in name::flat_names(name, family.kind, labels) {
            self.flat.remove(&flat);
        }
        if members.members.is_empty() {
            self.families.remove(name);
            for exposed in name::exposed_names(&family.exposed, family.kind) {
                self.exposed.remove(&exposed);
            }
        }
        Some(taken)
    }
}

/// Held by a process: when it is dropped, its metrics are removed.
pub(crate) struct Owned {
    registry: Arc<Registry>,
    owner: Handle,
}

impl Owned {
    pub(crate) fn new(registry: Arc<Registry>, owner: Handle) -> Owned {
        registry.0.lock().owners.insert(owner, Vec::new());
        Owned { registry, owner }
    }

    pub(crate) fn metrics(&self) -> Metrics {
        Metrics::new(self.registry.clone(), Some(self.owner))
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let mut inner = self.registry.0.lock();
        let owned = inner.owners.remove(&self.owner).unwrap_or_default();
        let taken = owned.iter().map(|(name, labels)| inner.take(name, labels));
        let taken: Vec<_> = taken.collect();
        drop(inner);
        drop(taken); // outside the lock, as in `remove`
    }
}
