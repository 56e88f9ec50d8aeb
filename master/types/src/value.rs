//! Values of resources: an amount, ranges of numbers, or a set of words.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Ranges, Scalar, Set};

/// How much of a resource, or which.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Value {
    /// An amount.
    Scalar(Scalar),
    /// Numbers, each there once.
    Ranges(Ranges),
    /// Words, each there once.
    Set(Set),
}

impl Value {
    /// Returns whether there is nothing.
    pub fn is_empty(&self) -> bool {
        match self {
            Value::Scalar(scalar) => scalar.is_zero(),
            Value::Ranges(ranges) => ranges.is_empty(),
            Value::Set(set) => set.is_empty(),
        }
    }

    /// Returns whether all of `other` is here. A value of another type never is.
    pub fn contains(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Scalar(ours), Value::Scalar(theirs)) => ours >= theirs,
            (Value::Ranges(ours), Value::Ranges(theirs)) => ours.contains(theirs),
            (Value::Set(ours), Value::Set(theirs)) => ours.contains(theirs),
            (Value::Scalar(_) | Value::Ranges(_) | Value::Set(_), _) => false,
        }
    }

    /// Returns the name of the type, as Mesos writes it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Scalar(_) => "SCALAR",
            Value::Ranges(_) => "RANGES",
            Value::Set(_) => "SET",
        }
    }

    /// Returns the amount, if this is one.
    pub fn as_scalar(&self) -> Option<Scalar> {
        match self {
            Value::Scalar(scalar) => Some(*scalar),
            Value::Ranges(_) | Value::Set(_) => None,
        }
    }

    /// Returns the ranges, if these are some.
    pub fn as_ranges(&self) -> Option<&Ranges> {
        match self {
            Value::Ranges(ranges) => Some(ranges),
            Value::Scalar(_) | Value::Set(_) => None,
        }
    }

    /// Adds a value of the same type; one of another type changes nothing.
    pub(crate) fn add(&mut self, other: &Value) {
        match (self, other) {
            (Value::Scalar(ours), Value::Scalar(theirs)) => *ours += *theirs,
            (Value::Ranges(ours), Value::Ranges(theirs)) => *ours += theirs,
            (Value::Set(ours), Value::Set(theirs)) => *ours += theirs,
            (Value::Scalar(_) | Value::Ranges(_) | Value::Set(_), _) => {}
        }
    }

    /// Takes away a value of the same type, as far as it is here.
    pub(crate) fn subtract(&mut self, other: &Value) {
        match (self, other) {
            (Value::Scalar(ours), Value::Scalar(theirs)) => *ours -= *theirs,
            (Value::Ranges(ours), Value::Ranges(theirs)) => *ours -= theirs,
            (Value::Set(ours), Value::Set(theirs)) => *ours -= theirs,
            (Value::Scalar(_) | Value::Ranges(_) | Value::Set(_), _) => {}
        }
    }

    /// A number for the type, in the order of the variants.
    pub(crate) fn kind(&self) -> u8 {
        match self {
            Value::Scalar(_) => 0,
            Value::Ranges(_) => 1,
            Value::Set(_) => 2,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Scalar(scalar) => scalar.fmt(f),
            Value::Ranges(ranges) => ranges.fmt(f),
            Value::Set(set) => set.fmt(f),
        }
    }
}
