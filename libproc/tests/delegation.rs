//! Credentials that a node gives to others, good for talking with it alone.

mod common;
#[path = "common/secrets.rs"]
mod secrets;

use common::*;
use libproc::security::{Delegation, SecurityError};
use libproc::{Denied, Security};
use secrets::*;

#[test]
fn delegated_credentials_are_for_talking_with_the_delegator_alone() {
    alone(async {
        let agent = node_with(knowing(&[OLD])).await;
        let master = node_with(knowing(&[OLD])).await;
        let on_agent = agent.spawn("counter", Counter::default());
        let on_master = master.spawn("counter", Counter::default());
        assert_eq!(agent.ask(&on_master, Add { by: 1 }).await, Ok(1));
        let passed = agent
            .delegate("executor 1")
            .expect("it has a secret")
            .to_bytes();
        let delegation = || Delegation::from_bytes(&passed).expect("it was made so");
        let security = || Security::delegated(delegation()).expect("it was made so");

        let executor = node_with(security()).await;
        let on_executor = executor.spawn("counter", Counter::default());
        assert_eq!(executor.ask(&on_agent, Add { by: 1 }).await, Ok(1));
        let asked = executor.ask(&on_master, Add { by: 1 }).await;
        assert_eq!(asked, denied(Denied::WrongSecret));
        let asked = master.ask(&on_executor, Add { by: 1 }).await;
        assert_eq!(asked, denied(Denied::WrongSecret));
        let other = node_with(security()).await;
        let asked = other.ask(&on_executor, Add { by: 1 }).await;
        assert_eq!(asked, denied(Denied::NotForDelegates));
        assert!(matches!(
            executor.delegate("more"),
            Err(SecurityError::Delegated)
        ));

        // The agent dials the executor too, when the connection broke.
        executor.shutdown().await;
        let again = node_again(executor.address(), security()).await;
        let on_executor = again.spawn("counter", Counter::default());
        assert_eq!(add_again(&agent, &on_executor, 5).await, Ok(5));

        // It does not pass for the master, once that is down.
        master.shutdown().await;
        let passes = node_again(master.address(), security()).await;
        passes.spawn("counter", Counter::default());
        let asked = add_again(&agent, &on_master, 1).await;
        assert_eq!(asked, denied(Denied::NotForDelegates));
        let asked = add_again(&passes, &on_agent, 1).await;
        assert_eq!(asked, denied(Denied::NotForDelegates));
        for node in [agent, other, again, passes] {
            node.shutdown().await;
        }
    });
}
