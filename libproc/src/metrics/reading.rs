//! Reading: what every metric of a node says at one moment, for either page.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::histogram::Distribution;
use super::name::Labels;
use super::registry::{Family, Metric};
use crate::node::Node;

/// A number as the pages print it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    Whole(u64),
    Real(f64),
}

/// What one metric says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reading {
    Number(Number),
    /// In microseconds when the family is a timer's.
    Distribution(Box<Distribution>),
}

/// A family and what its members say.
pub(crate) struct Readings {
    pub(crate) family: Arc<Family>,
    pub(crate) members: Vec<(Labels, Reading)>,
}

/// Reads all metrics whose names in the snapshot begin with `prefix`, the node's own first.
///
/// Processes that are asked and have not answered by `deadline` are left out.
pub(crate) async fn gather(node: &Node, prefix: &str, deadline: Instant) -> Vec<Readings> {
    let mut all = super::node::readings(node, prefix);
    let mut asked = Vec::new();
    for (family, members) in node.registry().list(prefix) {
        let mut readings = Vec::with_capacity(members.len());
        for (labels, metric) in members {
            match metric {
                Metric::Asked(question) => {
                    let answer = question.put();
                    asked.extend(answer.map(|answer| (all.len(), labels, answer)));
                }
                metric => readings.extend(read(&metric).map(|reading| (labels, reading))),
            }
        }
        let members = readings;
        all.push(Readings { family, members });
    }
    for (index, labels, answer) in asked {
        if let Some(value) = before(deadline, answer).await {
            let reading = Reading::Number(Number::Real(value));
            all[index].members.push((labels, reading));
        }
    }
    for readings in &mut all {
        readings
            .members
            .sort_by(|(one, _), (other, _)| one.cmp(other));
    }
    all.retain(|readings| !readings.members.is_empty());
    all
}

/// An answer that is there already counts after the deadline, too.
async fn before(deadline: Instant, mut answer: oneshot::Receiver<f64>) -> Option<f64> {
    if let Ok(value) = answer.try_recv() {
        return Some(value);
    }
    timeout_at(deadline, answer).await.ok()?.ok()
}

fn read(metric: &Metric) -> Option<Reading> {
    let whole = |value| Reading::Number(Number::Whole(value));
    let real = |value| Reading::Number(Number::Real(value));
    match metric {
        Metric::Counter(counter) => Some(whole(counter.get())),
        Metric::Gauge(gauge) => Some(real(gauge.get())),
        // A reader that panics takes its own number off the page, not the page.
        Metric::Pulled(read) => catch_unwind(AssertUnwindSafe(|| read())).ok().map(real),
        Metric::Histogram(histogram) => Some(Reading::Distribution(Box::new(histogram.read()))),
        Metric::Timer(timer) => Some(Reading::Distribution(Box::new(timer.read()))),
        Metric::Asked(_) => None, // asked apart, all at once
    }
}
