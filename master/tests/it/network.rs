//! The same conversations across sockets, where letters are bytes.

use api::master::AgentState;
use api::scheduler::{Rescind, Update};
use libproc::Node;
use types::TaskState;

use crate::world::*;

/// Runs a test on real time, with the master on one node and the stand-ins on another.
fn two_nodes<F: Future<Output = ()>>(test: impl FnOnce(World) -> F) {
    let ended = libproc::run_alone(async {
        let here = Node::bind("127.0.0.1:0").await?;
        let there = Node::bind("127.0.0.1:0").await?;
        let master = master::start(&here, options());
        test(World {
            node: there,
            master,
        })
        .await;
        here.shutdown().await;
        Ok(())
    });
    ended.expect("two free ports");
}

#[test]
fn a_task_runs_and_ends_on_another_node() {
    two_nodes(|world| async move {
        let mut running = Running::new(&world).await;
        let of = (&running.framework_id, "t");
        world.update(&running.agent, &running.agent_id, of, TaskState::Finished);
        let status = running.scheduler.skip_to::<Update>().await.status;
        assert_eq!(status.state, TaskState::Finished);
        world.acknowledge(&running.scheduler, &running.framework_id, &status);
        running
            .agent
            .expect::<api::agent::AcknowledgeUpdate>()
            .await;
        world.node.shutdown().await;
    });
}

#[test]
fn the_end_of_a_node_is_the_end_of_its_connections() {
    two_nodes(|world| async move {
        let (agent, agent_id) = world.agent("agent").await;
        let observer = Node::bind("127.0.0.1:0").await.expect("a free port");
        let seen_from = World {
            node: observer.clone(),
            master: world.master.clone(),
        };
        let (mut scheduler, _) = seen_from.scheduler("framework").await;
        let offers = scheduler.expect::<api::scheduler::Offers>().await.offers;
        assert_eq!(offers[0].agent_id, agent_id);
        drop(agent);
        world.node.shutdown().await;
        let rescinded = scheduler.expect::<Rescind>().await;
        assert_eq!(rescinded.offer_id, offers[0].id);
        let agents = seen_from.get_agents().await;
        assert_eq!(agents[0].state, AgentState::Disconnected);
        observer.shutdown().await;
    });
}
