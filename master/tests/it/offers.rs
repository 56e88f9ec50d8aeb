//! How offers are made, answered, refused and taken back.

use std::time::Duration;

use api::master::{Accept, Decline, Revive, Suppress};
use api::scheduler::{Offers, Rescind, Update};
use master::Options;
use types::{Filters, OfferId, Operation, Reason, TaskState};

use crate::world::*;

fn decline(framework_id: &types::FrameworkId, offer: &types::Offer, seconds: u64) -> Decline {
    Decline {
        framework_id: framework_id.clone(),
        offer_ids: vec![offer.id.clone()],
        filters: Filters::refuse(Duration::from_secs(seconds)),
    }
}

#[test]
fn what_is_free_is_offered_at_once() {
    world(|world| async move {
        let (mut scheduler, framework_id) = world.scheduler("framework").await;
        let begin = tokio::time::Instant::now();
        let (_agent, agent_id) = world.agent("agent").await;
        let offers = scheduler.expect::<Offers>().await.offers;
        assert!(begin.elapsed() < Duration::from_millis(20));
        assert_eq!(offers.len(), 1);
        assert_eq!(offers[0].framework_id, framework_id);
        assert_eq!(offers[0].agent_id, agent_id);
        assert_eq!(offers[0].resources, agent_info().resources);
        assert_eq!(offers[0].hostname, "host");
        let agents = world.get_agents().await;
        assert_eq!(agents[0].offered, agent_info().resources);
        scheduler.expect_nothing(Duration::from_secs(60)).await;
    });
}

#[test]
fn a_declined_offer_comes_back_when_its_filter_ends() {
    world(|world| async move {
        let (_agent, _) = world.agent("agent").await;
        let (mut scheduler, id) = world.scheduler("framework").await;
        let offers = scheduler.expect::<Offers>().await.offers;
        let begin = tokio::time::Instant::now();
        scheduler.say(&world.master, decline(&id, &offers[0], 30));
        scheduler.expect::<Offers>().await;
        let elapsed = begin.elapsed();
        let range = Duration::from_secs(30)..Duration::from_millis(30_100);
        assert!(range.contains(&elapsed), "{elapsed:?}");
    });
}

#[test]
fn a_declined_offer_goes_to_the_other_framework() {
    world(|world| async move {
        let (_agent, _) = world.agent("agent").await;
        let (mut one, one_id) = world.scheduler("one").await;
        let offers = one.expect::<Offers>().await.offers;
        let (mut two, two_id) = world.scheduler("two").await;
        two.expect_nothing(SECOND).await;
        one.say(&world.master, decline(&one_id, &offers[0], 3600));
        let offers = two.expect::<Offers>().await.offers;
        assert_eq!(offers[0].framework_id, two_id);
        one.expect_nothing(SECOND).await;
    });
}

#[test]
fn revive_ends_filters_and_suppress_ends_offers() {
    world(|world| async move {
        let (_agent, _) = world.agent("agent").await;
        let (mut scheduler, framework_id) = world.scheduler("framework").await;
        let revive = Revive {
            framework_id: framework_id.clone(),
            roles: vec![],
        };
        let suppress = Suppress {
            framework_id: framework_id.clone(),
            roles: vec![],
        };
        let offers = scheduler.expect::<Offers>().await.offers;
        scheduler.say(&world.master, decline(&framework_id, &offers[0], 3600));
        scheduler.expect_nothing(SECOND).await;
        scheduler.say(&world.master, revive.clone());
        let offers = scheduler.expect::<Offers>().await.offers;
        scheduler.say(&world.master, suppress);
        scheduler.say(&world.master, decline(&framework_id, &offers[0], 0));
        scheduler.expect_nothing(Duration::from_secs(60)).await;
        scheduler.say(&world.master, revive);
        scheduler.expect::<Offers>().await;
    });
}

#[test]
fn offers_that_are_not_answered_in_time_are_rescinded() {
    let options = Options {
        offer_timeout: Some(Duration::from_secs(10)),
        ..options()
    };
    world_with(options, |world| async move {
        let (_agent, _) = world.agent("agent").await;
        let (mut scheduler, _) = world.scheduler("framework").await;
        let offers = scheduler.expect::<Offers>().await.offers;
        let begin = tokio::time::Instant::now();
        let rescinded = scheduler.expect::<Rescind>().await;
        assert_eq!(rescinded.offer_id, offers[0].id);
        assert_eq!(begin.elapsed().as_secs(), 10);
        let again = scheduler.expect::<Offers>().await.offers;
        assert_ne!(again[0].id, offers[0].id);
    });
}

#[test]
fn tasks_on_offers_that_are_not_there_are_dropped_and_the_rest_is_offered_again() {
    world(|world| async move {
        let (mut agent, _) = world.agent("agent").await;
        let (mut scheduler, framework_id) = world.scheduler("framework").await;
        let offers = scheduler.expect::<Offers>().await.offers;
        let stale: OfferId = "stale".parse().unwrap();
        let accept = Accept {
            framework_id: framework_id.clone(),
            offer_ids: vec![offers[0].id.clone(), stale],
            operations: vec![Operation::Launch {
                tasks: vec![task("t", &offers[0])],
            }],
            filters: Filters::default(),
        };
        scheduler.say(&world.master, accept);
        let status = scheduler.expect::<Update>().await.status;
        assert_eq!(status.state, TaskState::Dropped);
        assert_eq!(status.reason, Some(Reason::InvalidOffers));
        let again = scheduler.expect::<Offers>().await.offers;
        assert_eq!(again[0].resources, offers[0].resources);
        agent.expect_nothing(SECOND).await;
    });
}

#[test]
fn nobody_uses_the_offers_of_another() {
    world(|world| async move {
        let (mut agent, _) = world.agent("agent").await;
        let (mut one, one_id) = world.scheduler("one").await;
        let offers = one.expect::<Offers>().await.offers;
        let (mut two, two_id) = world.scheduler("two").await;
        // As itself, and in the name of the other.
        world.accept(&two, &two_id, &[&offers[0]], vec![task("a", &offers[0])]);
        world.accept(&two, &one_id, &[&offers[0]], vec![task("b", &offers[0])]);
        two.say(&world.master, decline(&one_id, &offers[0], 0));
        two.say(&world.master, decline(&two_id, &offers[0], 0));
        assert_eq!(
            two.expect::<Update>().await.status.state,
            TaskState::Dropped
        );
        two.expect_nothing(SECOND).await;
        agent.expect_nothing(SECOND).await;
        // The offer stands.
        world.accept(&one, &one_id, &[&offers[0]], vec![task("c", &offers[0])]);
        agent.expect::<api::agent::RunTask>().await;
    });
}

#[test]
fn offers_of_one_agent_are_used_together() {
    world(|world| async move {
        let (mut agent, _) = world.agent("agent").await;
        let (mut scheduler, id) = world.scheduler("framework").await;
        let first = scheduler.expect::<Offers>().await.offers.remove(0);
        let small = vec![task("small", &first)];
        world.accept(&scheduler, &id, &[&first], small);
        agent.expect::<api::agent::RunTask>().await;
        // The rest comes back as one offer, and what the task used as another.
        let rest = scheduler.expect::<Offers>().await.offers.remove(0);
        let agent_id = first.agent_id.clone();
        world.update(&agent, &agent_id, (&id, "small"), TaskState::Finished);
        scheduler.expect::<Update>().await;
        let freed = scheduler.expect::<Offers>().await.offers.remove(0);
        let mut large = task("large", &first);
        large.resources = agent_info().resources;
        world.accept(&scheduler, &id, &[&rest, &freed], vec![large]);
        let run = agent.expect::<api::agent::RunTask>().await;
        assert_eq!(run.task.resources, agent_info().resources);
    });
}
