//! Metrics: what a node and its processes count, set and time, for `/metrics` and its snapshot.
//!
//! A name is a path such as `tasks/started`. `/metrics/snapshot` is a flat JSON object with the
//! names as they are; `/metrics` is OpenMetrics text, where whatever is no letter, digit or
//! underscore is an underscore. Labels tell the members of one family apart: in OpenMetrics they
//! are labels, in the snapshot their values follow the name, `tasks/running/web`.
//!
//! | | made by | snapshot | OpenMetrics |
//! | --- | --- | --- | --- |
//! | [`Counter`] | [`Metrics::counter`] | `name` | `name_total` |
//! | [`Gauge`], pushed | [`Metrics::gauge`] | `name` | `name` |
//! | gauge, pulled | [`Metrics::pull_gauge`], [`Metrics::pull_gauge_of`] | `name` | `name` |
//! | [`Histogram`] | [`Metrics::histogram`] | `name`, `name/count`, `name/p50` … | summary `name` |
//! | [`Timer`] | [`Metrics::timer`] | `name_ms`, `name_ms/count` … | summary `name_seconds` |
//!
//! What a process registers through [`Context::metrics`](crate::Context::metrics) goes with it.
//! Names that begin with `libproc/` are the node's own.
//!
//! ```
//! use libproc::prelude::*;
//!
//! fn main() -> std::io::Result<()> {
//!     libproc::run_alone(async {
//!         let node = Node::bind("127.0.0.1:0").await?;
//!         let metrics = node.metrics();
//!         let started = metrics.counter("tasks/started", "Tasks that were started");
//!         started.expect("the name is free").add(1);
//!         let web = metrics.labelled("role", "web");
//!         let running = web.gauge("tasks/running", "Tasks that run");
//!         running.expect("so is this one").set(3.0);
//!         assert!(metrics.counter("tasks/started", "Another").is_err());
//!         node.shutdown().await;
//!         Ok(())
//!     })
//! }
//! ```

mod cpu;
mod histogram;
mod name;
pub(crate) mod node;
pub(crate) mod openmetrics;
mod reading;
mod registry;
pub(crate) mod snapshot;
mod value;

use std::sync::Arc;

use crate::context::Local;
use crate::process::Process;
use crate::table::Handle;

pub use histogram::{Histogram, Stopwatch, Timer, WINDOW};
pub use name::{LABELS_MAX, NAME_MAX};
pub use registry::METRICS_MAX;
pub use value::{Counter, Gauge};

pub(crate) use cpu::ThreadCpu;
pub(crate) use reading::gather;
pub(crate) use registry::{Owned, Registry};

use name::Labels;
use registry::{Entry, Metric, Question, Ticket};

/// Why a metric was not registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetricError {
    /// The name, or a label, cannot be one.
    #[error("`{0}` cannot name a metric, a label or a unit")]
    Invalid(String),
    /// There is one with this name, or with one that reads the same on one of the pages.
    #[error("there is a metric `{0}`, or one that reads the same")]
    Taken(String),
    /// Other members of the family are of another kind, or have other labels or another unit.
    #[error("`{0}` is a family of another kind, with other labels or in another unit")]
    Mismatch(String),
    /// There are [`METRICS_MAX`] of them.
    #[error("a node has {METRICS_MAX} metrics at most")]
    TooMany,
    /// The process has exited, or has no metrics of its own.
    #[error("the process has exited, or has never used its own metrics")]
    NoOwner,
}

/// Registers metrics of a node, or of one of its processes.
///
/// A value: cloned, kept and handed on freely. Labels and a unit that are set on it are of all
/// metrics that are registered through it.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    owner: Option<Handle>,
    labels: Labels,
    unit: Option<&'static str>,
}

impl Metrics {
    pub(crate) fn new(registry: Arc<Registry>, owner: Option<Handle>) -> Metrics {
        Metrics {
            registry,
            owner,
            labels: Labels::new(),
            unit: None,
        }
    }

    /// The same, for members of families that this label tells apart.
    ///
    /// The label's name is of letters, digits and underscores.
    #[must_use]
    pub fn labelled(&self, name: &'static str, value: impl Into<String>) -> Metrics {
        let mut metrics = self.clone();
        metrics.labels.push((name, value.into()));
        metrics
    }

    /// The same, for metrics in this unit: `bytes`, `seconds`, `ratio`. In OpenMetrics the name
    /// ends in it.
    #[must_use]
    pub fn in_unit(&self, unit: &'static str) -> Metrics {
        let unit = Some(unit);
        Metrics {
            unit,
            ..self.clone()
        }
    }

    /// Registers a number that only grows.
    ///
    /// # Errors
    /// [`MetricError`]: the name is none or taken, or there are too many.
    pub fn counter(&self, name: &str, help: &str) -> Result<Counter, MetricError> {
        let counter = Counter::default();
        self.register(name, help, Metric::Counter(counter.clone()))?;
        Ok(counter)
    }

    /// Registers a number that is set.
    ///
    /// # Errors
    /// [`MetricError`]: the name is none or taken, or there are too many.
    pub fn gauge(&self, name: &str, help: &str) -> Result<Gauge, MetricError> {
        let gauge = Gauge::default();
        self.register(name, help, Metric::Gauge(gauge.clone()))?;
        Ok(gauge)
    }

    /// Registers a number that is read when somebody looks. `read` runs on any thread, and should
    /// not take long.
    ///
    /// # Errors
    /// [`MetricError`]: the name is none or taken, or there are too many.
    pub fn pull_gauge(
        &self,
        name: &str,
        help: &str,
        read: impl Fn() -> f64 + Send + Sync + 'static,
    ) -> Result<(), MetricError> {
        self.register(name, help, Metric::Pulled(Arc::new(read)))
    }

    /// Registers a number that a process is asked for when somebody looks: `read` runs in a turn
    /// of it. A page does without the number when the process does not get to it in time.
    ///
    /// # Errors
    /// [`MetricError`]: the name is none or taken, there are too many, or the process has no
    /// [metrics of its own](crate::Context::metrics).
    pub fn pull_gauge_of<A: Process>(
        &self,
        process: &Local<A>,
        name: &str,
        help: &str,
        read: impl Fn(&A) -> f64 + Send + Sync + 'static,
    ) -> Result<(), MetricError> {
        let (owner, process, read) = (Some(process.handle()), process.clone(), Arc::new(read));
        let ask = move |ticket: Ticket| {
            let read = read.clone();
            process.run(move |actor, _| ticket.answer(read(actor)));
        };
        let metric = Metric::Asked(Arc::new(Question::new(ask)));
        let metrics = Metrics {
            owner,
            ..self.clone()
        };
        metrics.register(name, help, metric)
    }

    /// Registers a distribution of whole numbers.
    ///
    /// # Errors
    /// [`MetricError`]: the name is none or taken, or there are too many.
    pub fn histogram(&self, name: &str, help: &str) -> Result<Histogram, MetricError> {
        let histogram = Histogram::default();
        self.register(name, help, Metric::Histogram(histogram.clone()))?;
        Ok(histogram)
    }

    /// Registers a distribution of durations: in milliseconds as `name_ms` in the snapshot, in
    /// seconds as `name_seconds` in OpenMetrics, whatever unit is set.
    ///
    /// # Errors
    /// [`MetricError`]: the name is none or taken, or there are too many.
    pub fn timer(&self, name: &str, help: &str) -> Result<Timer, MetricError> {
        let timer = Timer::default();
        self.register(name, help, Metric::Timer(timer.clone()))?;
        Ok(timer)
    }

    /// Removes the metric of this name and the labels set here; false when there is none.
    pub fn remove(&self, name: &str) -> bool {
        self.registry.remove(name, &self.labels)
    }

    fn register(&self, name: &str, help: &str, metric: Metric) -> Result<(), MetricError> {
        self.registry.add(Entry {
            name,
            help,
            unit: if metric.is_timer() {
                Some("seconds")
            } else {
                self.unit
            },
            labels: self.labels.clone(),
            owner: self.owner,
            metric,
        })
    }
}
