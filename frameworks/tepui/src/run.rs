//! One command on the cluster, as one or many tasks: the parts of `tepui run`.

pub(crate) mod outcome;
pub(crate) mod printer;
pub(crate) mod runner;
pub(crate) mod session;
pub(crate) mod shortage;
pub(crate) mod streams;
