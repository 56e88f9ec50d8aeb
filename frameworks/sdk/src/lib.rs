//! A framework as an actor: the author writes decisions, the session is done for them.
