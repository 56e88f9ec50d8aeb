//! The replicated log: records on disk, and the actors that agree on them.

pub mod store;
