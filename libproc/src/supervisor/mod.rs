//! Supervision.

pub(crate) mod stopper;
