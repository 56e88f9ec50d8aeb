//! What pages say of a record, kept until the record changes.
//!
//! Most tasks and agents are the same from one poll to the next. What was written of one is kept
//! beside it, in each of the forms that were asked for, so that to write it again is to copy it; what
//! was summed up of a framework's tasks, too.

use std::sync::OnceLock;

/// How a record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As on the pages from before v1, in JSON.
    Page,
    /// As a message of the public API, in JSON.
    Json,
    /// The same in protobuf, without key and length.
    Protobuf,
}

/// What was written of one record. A copy of the record, which is made to be changed, has nothing.
#[derive(Debug, Default)]
pub(crate) struct Rendered([OnceLock<Box<[u8]>>; 3]);

impl Rendered {
    /// What is written in this form, by `write` if it was not written yet.
    pub(crate) fn get(&self, form: Form, write: impl FnOnce() -> Vec<u8>) -> &[u8] {
        self.0[form as usize].get_or_init(|| write().into_boxed_slice())
    }
}

impl Clone for Rendered {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// What was found out about one record by looking at all of it. A copy of the record, which is made
/// to be changed, has nothing.
#[derive(Debug)]
pub(crate) struct Derived<T>(OnceLock<T>);

impl<T> Derived<T> {
    /// What was found out, by `derive` if it was not yet.
    pub(crate) fn get(&self, derive: impl FnOnce() -> T) -> &T {
        self.0.get_or_init(derive)
    }
}

impl<T> Default for Derived<T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

impl<T> Clone for Derived<T> {
    fn clone(&self) -> Self {
        Self::default()
    }
}
