//! ZooKeeper: sessions that others can see the end of, and a storage of variables.
//!
//! | file | about |
//! | --- | --- |
//! | [`url`] | `zk://…`: where an ensemble is, and where in it |
//! | [`keeper`] | what we ask of a session, as a trait |
//! | [`client`] | sessions with a real ensemble |
//! | [`simulated`] | an ensemble in memory, for tests and simulations |
//! | [`storage`] | variables, one znode each |

mod client;
mod keeper;
mod simulated;
mod storage;
mod url;

pub use client::RealEnsemble;
pub use keeper::{Ensemble, Keeper, KeeperError, Listing, Mode, Node, Op};
pub use simulated::SimulatedEnsemble;
pub use storage::ZooKeeperStorage;
pub use url::{BadUrl, ZkUrl};
