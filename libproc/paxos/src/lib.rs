//! Multi-Paxos as a pure function: a replicated log without sockets, files or clock.
//!
//! A [`Replica`] is acceptor, learner and, when elected, proposer. It is changed by one function,
//! [`Replica::step`]: an [`Input`] goes in, [`Output`]s come out, to be carried out in order. Time, chance
//! and starts are inputs; the same inputs give the same outputs on any machine.
//!
//! # What the shell around it does
//! - **Disk.** [`Output::Persist`] hands over a [`Record`] with a number. The shell writes records in
//!   order, as many at once as it likes, and says [`Input::Persisted`] with the last number that is
//!   durable. Everything that must wait for that waits inside the replica: a
//!   [`Output::Send`] may always leave at once. A shell that cannot write ends, and never tries the same
//!   records again after an error other than a full disk ([`Input::Space`]).
//! - **Start.** The storage replays its records into a [`Durable`], tells it what it lost
//!   ([`Durable::damaged`]), and [`Replica::start`] goes on from there.
//! - **Network.** [`Envelope`]s are plain data; they may be lost, doubled, delayed and reordered. What
//!   arrives goes in as [`Input::Receive`].
//! - **Time.** After each step the shell sets a timer to [`Replica::deadline`] and says [`Input::Tick`]
//!   when it is due, with a random number.
//! - **Reading.** Chosen entries come as [`Output::Chosen`] in order, and stay in the storage. The replica
//!   keeps only the end of the log in memory; for a peer that lags further it asks for entries by
//!   [`Output::Load`] and gets them by [`Input::Loaded`].
//!
//! # What it guarantees
//! Entries once chosen are the same for all and for ever; an append reported by [`Output::Appended`] is
//! chosen, durable on an accepting quorum, and after everything appended before. [`Output::Elected`] comes
//! when everything chosen before is learned, so a leader may act on what it has read. A request answered by
//! [`Output::Refused`] has no effect; by [`Output::Unknown`], perhaps.
//!
//! # Limits
//! No clock is trusted: reads ask a quorum. A leader cut off steps down after three quarters of the time its
//! followers wait, so that normally no two lead at once, but only ballots make sure that one of two can write:
//! [`Output::Elected`] may come late, when another has been elected already, and then nothing is appended.
//! A snapshot travels in one message: one that does not fit is sent by name ([`Snapshot::state`]). When all
//! disks of a log are lost, nothing tells it from one that never began.
//!
//! # Where to read on
//! [`membership`](Config) argues why changing the members is safe. One file per role: `acceptor`,
//! `learner`, `election` (when to stand, phase 1), `leader` (heartbeats, followers), `proposer` (the window,
//! phase 2), `catch_up` and `fetch` (who asks for ranges and bases, who answers), `damage` (lost records),
//! `recovery` (how a log begins, how a replica comes back), `change` (members, from the leader's side),
//! `reads`.
//!
//! ```
//! use paxos::{Append, ClusterId, Durable, Input, Millis, NodeId, Options, Output, Position};
//! use paxos::{Quorums, Replica, Setup, Ticket};
//!
//! let setup = Setup {
//!     cluster: ClusterId(7),
//!     node: NodeId(1),
//!     peers: [NodeId(1)].into(), // a log of one replica
//!     quorums: Quorums::Majority,
//!     options: Options::default(),
//! };
//! let (mut replica, mut todo) = Replica::start(setup, Durable::default(), 1, Millis(0));
//! let mut disk = Durable::default();
//! let mut appended = Vec::new();
//! let mut now = Millis(0);
//! while appended.is_empty() {
//!     if todo.is_empty() {
//!         now = replica.deadline();
//!         todo = replica.step(now, Input::Tick { random: 4 });
//!     }
//!     for output in std::mem::take(&mut todo) {
//!         match output {
//!             Output::Persist(number, record) => {
//!                 disk.apply(record); // a real shell writes it, and waits for the disk
//!                 todo.extend(replica.step(now, Input::Persisted(number)));
//!             }
//!             Output::Elected { .. } => {
//!                 let append = Append { ticket: Ticket(1), data: "hello".into() };
//!                 todo.extend(replica.step(now, Input::Append(vec![append])));
//!             }
//!             Output::Appended { position, .. } => appended.push(position),
//!             _ => {}
//!         }
//!     }
//! }
//! assert_eq!(appended, [Position(1)]);
//! assert_eq!(replica.commit(), Position(1));
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod acceptor;
mod action;
mod ballot;
mod catch_up;
mod change;
mod damage;
mod durable;
mod election;
mod error;
mod fetch;
#[cfg(feature = "sim")]
mod flaw;
mod id;
mod input_output;
mod invariants;
mod leader;
mod learner;
mod membership;
mod message;
#[cfg(test)]
mod model;
mod options;
mod proposer;
mod ranges;
mod reads;
mod record;
mod recovery;
mod replica;
#[cfg(feature = "sim")]
pub mod sim;
mod window;

pub use action::{Action, Entry};
pub use ballot::Ballot;
pub use durable::Durable;
pub use error::{Append, Failure, Space, Violation};
pub use id::{
    ClusterId, Epoch, Incarnation, Life, Millis, NodeId, Position, RequestId, Ticket, WriteNumber,
};
pub use input_output::{Input, Output, Setup, Status};
pub use membership::{Change, Config, ConfigError, Configs, Member, Quorums};
pub use message::{Envelope, Leading, Message, Refusal, Report};
pub use options::{MEMBERS_MAX, Options};
pub use record::{Base, Damage, Damaged, Record, Snapshot, Span};
pub use replica::Replica;

pub(crate) use election::Canvass;
pub(crate) use leader::Leader;
