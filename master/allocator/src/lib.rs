//! Decides who is offered what: dominant resource fairness over roles. Pure.
