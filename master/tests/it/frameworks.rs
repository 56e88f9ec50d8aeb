//! How frameworks subscribe, and what they are refused.

use std::collections::BTreeSet;
use std::time::Duration;

use api::master::{FrameworkState, Subscribe};
use api::scheduler::{Offers, Rejected, Rescind, Subscribed};
use master::Options;
use types::{FrameworkCapability, FrameworkInfo, Role};

use crate::world::*;

fn role(text: &str) -> Role {
    Role::new(text).unwrap()
}

#[test]
fn a_framework_that_subscribes_gets_an_id_and_is_seen() {
    world(|world| async move {
        let (scheduler, id) = world.scheduler("framework").await;
        let master = world.get_master().await;
        assert_eq!(id.as_str(), format!("{}-0000", master.info.id));
        assert_eq!(master.frameworks, 1);
        let frameworks = world.get_frameworks().await;
        assert_eq!(frameworks[0].state, FrameworkState::Active);
        assert_eq!(frameworks[0].pid, Some(scheduler.pid.clone()));
        assert_eq!(frameworks[0].info.id, Some(id));
    });
}

#[test]
fn a_subscription_that_is_repeated_is_answered_again() {
    world(|world| async move {
        let (_agent, _) = world.agent("agent").await;
        let (mut scheduler, id) = world.scheduler("framework").await;
        scheduler.expect::<Offers>().await;
        world.subscribe(&scheduler, framework_info("framework"));
        assert_eq!(scheduler.expect::<Subscribed>().await.framework_id, id);
        scheduler.expect_nothing(SECOND).await;
        assert_eq!(world.get_frameworks().await.len(), 1);
    });
}

#[test]
fn an_id_from_before_the_master_is_kept() {
    world(|world| async move {
        let info = FrameworkInfo {
            id: Some("of-another-age".parse().unwrap()),
            ..framework_info("framework")
        };
        let (_scheduler, id) = world.scheduler_of("framework", info).await;
        assert_eq!(id.as_str(), "of-another-age");
    });
}

#[test]
fn nobody_subscribes_for_another() {
    world(|world| async move {
        let mut scheduler = SchedulerStand::start(&world.node, "framework", Mute::No).await;
        let (stranger, _) = world.scheduler("stranger").await;
        let subscribe = Subscribe {
            info: framework_info("framework"),
            suppressed: vec![],
            scheduler: scheduler.pid.clone(),
        };
        stranger.say(&world.master, subscribe.clone());
        world.node.tell(&world.master, subscribe);
        scheduler.expect_nothing(SECOND).await;
        assert_eq!(world.get_frameworks().await.len(), 1);
    });
}

#[test]
fn an_impossible_framework_is_rejected() {
    let options = Options {
        roles: Some(BTreeSet::from([role("a")])),
        ..options()
    };
    world_with(options, |world| async move {
        let mut scheduler = SchedulerStand::start(&world.node, "framework", Mute::No).await;
        let mut two = framework_info("framework").role(role("a"));
        two.capabilities.remove(&FrameworkCapability::MultiRole);
        two.roles.push(role("b"));
        world.subscribe(&scheduler, two);
        let rejected = scheduler.expect::<Rejected>().await;
        assert!(rejected.reason.contains("MULTI_ROLE"), "{rejected:?}");
        world.subscribe(&scheduler, framework_info("framework").role(role("c")));
        let rejected = scheduler.expect::<Rejected>().await;
        assert!(rejected.reason.contains("role c"), "{rejected:?}");
        world.subscribe(&scheduler, framework_info("framework").role(role("a")));
        scheduler.expect::<Subscribed>().await;
    });
}

#[test]
fn one_scheduler_is_one_framework() {
    world(|world| async move {
        let (mut scheduler, _) = world.scheduler("framework").await;
        let info = FrameworkInfo {
            id: Some("second".parse().unwrap()),
            ..framework_info("second")
        };
        world.subscribe(&scheduler, info);
        scheduler.expect::<Rejected>().await;
        assert_eq!(world.get_frameworks().await.len(), 1);
    });
}

#[test]
fn offers_for_roles_a_framework_leaves_are_rescinded() {
    world(|world| async move {
        let (_agent, _) = world.agent("agent").await;
        let info = framework_info("framework").role(role("a"));
        let (mut scheduler, id) = world.scheduler_of("framework", info).await;
        let offers = scheduler.expect::<Offers>().await.offers;
        assert_eq!(offers[0].role, role("a"));
        let info = FrameworkInfo {
            id: Some(id),
            ..framework_info("framework").role(role("b"))
        };
        world.subscribe(&scheduler, info);
        assert_eq!(scheduler.expect::<Rescind>().await.offer_id, offers[0].id);
        scheduler.expect::<Subscribed>().await;
        let offers = scheduler.expect::<Offers>().await.offers;
        assert_eq!(offers[0].role, role("b"));
    });
}

#[test]
fn suppressed_roles_get_no_offers_from_the_start() {
    world(|world| async move {
        let (_agent, _) = world.agent("agent").await;
        let mut scheduler = SchedulerStand::start(&world.node, "framework", Mute::No).await;
        let subscribe = Subscribe {
            info: framework_info("framework"),
            suppressed: vec![Role::any()],
            scheduler: scheduler.pid.clone(),
        };
        scheduler.say(&world.master, subscribe);
        scheduler.expect::<Subscribed>().await;
        scheduler.expect_nothing(Duration::from_secs(60)).await;
    });
}
