//! The guide: from a first process to many nodes, in the order in which one needs it.
//!
//! | chapter | what it is about |
//! | --- | --- |
//! | [first_process] | an actor, its address, and how it is told and asked |
//! | [messages] | protocols: the page both sides share, and what may change on it |
//! | [asking] | answers at once, later, or never; waiting without blocking |
//! | [linking] | hearing that another process has gone, and what to do then |
//! | [supervising] | processes that start others, and start them again when they end |
//! | [spawning] | processes on other nodes, and addresses in messages |
//! | [clusters] | members, groups, look-ups, and where a process is started |
//! | [testing] | virtual time, probes, filters, partitions, seeds |
//! | [tuning] | workers, turns, full mailboxes, work that blocks, connections |
//! | [operating] | pages, metrics, traces, dead letters, who may come in, the end |
//! | [semantics] | what is promised and what is not, each said once |
//! | [coming_from] | what is called what in libprocess, Erlang and actix |
//!
//! Every example is compiled and run by the tests of this crate; longer programs lie in its
//! `examples` folder.

#[doc = include_str!("first_process.md")]
pub mod first_process {}

#[doc = include_str!("messages.md")]
pub mod messages {}

#[doc = include_str!("asking.md")]
pub mod asking {}

#[doc = include_str!("linking.md")]
pub mod linking {}

#[doc = include_str!("supervising.md")]
pub mod supervising {}

#[doc = include_str!("spawning.md")]
pub mod spawning {}

#[doc = include_str!("clusters.md")]
pub mod clusters {}

#[doc = include_str!("testing.md")]
pub mod testing {}

#[doc = include_str!("tuning.md")]
pub mod tuning {}

#[doc = include_str!("operating.md")]
pub mod operating {}

#[doc = include_str!("semantics.md")]
pub mod semantics {}

#[doc = include_str!("coming_from.md")]
pub mod coming_from {}
