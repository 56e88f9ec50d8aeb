//! Looking a process up on another node: is it there, and does it speak what one wants to say?

use std::net::SocketAddr;

use crate::ask::AskError;
use crate::node::Node;
use crate::pid::{ID_MAX, InvalidUpid, Pid, Upid};
use crate::protocol::Page;
use crate::system::{self, Find};

/// Why a look-up found nothing to talk to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// The text cannot be an id.
    #[error(transparent)]
    InvalidId(#[from] InvalidUpid),
    /// The node has no process of that id.
    #[error("no process `{0}` lives on the node")]
    NoProcess(String),
    /// The process does not accept this message of the protocol.
    #[error("the process `{id}` does not accept {message}")]
    SpeaksOther {
        /// Its id.
        id: String,
        /// The first message it does not accept.
        message: &'static str,
    },
    /// The node was not reached.
    #[error("the node did not answer")]
    Node(#[source] AskError),
}

impl Node {
    /// Finds the process `id` of the node at `address`, and makes sure that it accepts every message
    /// of `P`, by name.
    ///
    /// That was so at the time: link to it to hear when it is over. A process that accepts more than
    /// `P` speaks `P` all the same.
    ///
    /// ```
    /// use libproc::prelude::*;
    /// use libproc::LookupError;
    /// # protocol! { /// Counts.
    /// # pub protocol Counting { message Count {}; } }
    /// # protocol! { /// Draws.
    /// # pub protocol Drawing { message Draw {}; } }
    /// # struct Counter;
    /// # impl Actor for Counter { type Context = Context<Self>; }
    /// # impl Process for Counter { type Protocol = Counting; }
    /// # impl Handler<Count> for Counter {
    /// #     type Result = ();
    /// #     fn handle(&mut self, _: Count, _: &mut Context<Self>) {}
    /// # }
    /// # fn main() -> std::io::Result<()> { libproc::run_alone(async {
    /// let (here, there) = (Node::bind("127.0.0.1:0").await?, Node::bind("127.0.0.1:0").await?);
    /// there.spawn("counter", Counter);
    /// let counter: Pid<Counting> = here.lookup(there.address(), "counter").await.expect("it is there");
    /// here.tell(&counter, Count {});
    /// let drawer = here.lookup::<Drawing>(there.address(), "counter").await;
    /// assert!(matches!(drawer, Err(LookupError::SpeaksOther { message: "Draw", .. })));
    /// # here.shutdown().await; there.shutdown().await; Ok(()) }) }
    /// ```
    ///
    /// # Errors
    /// [`LookupError`].
    pub async fn lookup<P: Page>(
        &self,
        address: SocketAddr,
        id: &str,
    ) -> Result<Pid<P>, LookupError> {
        let upid = Upid::new(id, address)?;
        let id: String = id.chars().take(ID_MAX).collect();
        let asked = self.ask(&system::at(address), Find { id: id.clone() });
        let page = asked.await.map_err(LookupError::Node)?;
        let Some(page) = page else {
            return Err(LookupError::NoProcess(id));
        };
        let mut messages = P::MESSAGES.iter().map(|message| message.name);
        match messages.find(|message| !page.iter().any(|name| name == message)) {
            Some(message) => Err(LookupError::SpeaksOther { id, message }),
            None => Ok(Pid::assume(upid)),
        }
    }
}
