//! The record of a run: what is true, what frameworks were told, and what must not have been.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use agent::simulated::Happening;
use types::Resources;

use crate::tape::Tape;
use crate::truth::Truth;

/// The record of a run, shared by all who write to it.
#[derive(Clone, Default)]
pub(crate) struct Record(Arc<Mutex<Pages>>);

#[derive(Default)]
pub(crate) struct Pages {
    pub(crate) truth: Truth,
    pub(crate) tapes: BTreeMap<String, Tape>,
    /// The hosts of which one master leads, of several.
    pub(crate) leads: BTreeSet<String>,
    /// What must not be, in the order it was seen.
    pub(crate) violations: Vec<String>,
}

impl Record {
    pub(crate) fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn violation(&self, what: impl Into<String>) {
        let what = what.into();
        tracing::error!(what, "violation");
        self.pages().violations.push(what);
    }

    pub(crate) fn add_host(&self, host: &str, total: Resources) {
        self.pages().truth.add_host(host, total);
    }

    pub(crate) fn crashed(&self, host: &str) {
        let mut pages = self.pages();
        pages.truth.crashed(host);
        pages.leads.remove(host);
    }

    /// The master on a host leads, or does so no longer. Of several only one may.
    pub(crate) fn leads(&self, host: &str, leads: bool) {
        let mut pages = self.pages();
        match leads {
            true => pages.leads.insert(host.to_owned()),
            false => pages.leads.remove(host),
        };
        let all = pages.leads.clone();
        drop(pages);
        if all.len() > 1 {
            self.violation(format!("several masters lead: {all:?}"));
        }
    }

    pub(crate) fn happened(&self, host: &str, happening: Happening<'_>) {
        let happened = self.pages().truth.happened(host, happening);
        if let Err(what) = happened {
            self.violation(what);
        }
    }

    /// Writes to the tape of a framework; what fails must not be.
    pub(crate) fn tape_mut(
        &self,
        name: &str,
        write: impl FnOnce(&mut Tape, &Truth) -> Result<(), String>,
    ) {
        let mut pages = self.pages();
        let Pages { truth, tapes, .. } = &mut *pages;
        let written = write(tapes.entry(name.to_owned()).or_default(), truth);
        drop(pages);
        if let Err(what) = written {
            self.violation(format!("{name}: {what}"));
        }
    }

    /// Reads the tape of a framework, empty if there is none.
    pub(crate) fn tape<R>(&self, name: &str, read: impl FnOnce(&Tape) -> R) -> R {
        let mut pages = self.pages();
        read(pages.tapes.entry(name.to_owned()).or_default())
    }
}
