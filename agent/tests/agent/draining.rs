//! An agent that is drained: its tasks end for that reason, and others are sent away until then.

use std::time::Duration;

use api::agent::Drain;
use api::executor::Kill;
use types::{DrainConfig, Reason, TaskState};

use crate::rig::{Rig, command, custom, paused};

impl Rig {
    fn drain(&self, mark_gone: bool) {
        let max_grace_period = Some(Duration::from_secs(1));
        let config = DrainConfig {
            max_grace_period,
            mark_gone,
        };
        self.node.tell(&self.agent, Drain { config });
    }
}

#[test]
fn tasks_are_killed_for_the_drain_and_no_others_taken_until_they_have_ended() {
    paused(async {
        let mut rig = Rig::registered().await;
        rig.run(command("t"));
        let mut executor = rig.executor().await;
        rig.tells(&mut executor, "t", TaskState::Running).await;
        let running = rig.update().await;
        rig.acknowledge(&running);
        rig.drain(false);
        let kill = executor.probe.expect::<Kill>().await;
        let grace = kill.kill_policy.unwrap().grace_period;
        assert_eq!(grace, Duration::from_secs(1));

        rig.run(command("u"));
        let dropped = rig.update().await;
        assert_eq!(
            (dropped.task_id.as_str(), dropped.state),
            ("u", TaskState::Dropped)
        );
        assert_eq!(dropped.reason, Some(Reason::AgentDraining));
        rig.acknowledge(&dropped);

        rig.tells(&mut executor, "t", TaskState::Killed).await;
        let killed = rig.update().await;
        assert_eq!(killed.state, TaskState::Killed);
        assert_eq!(killed.reason, Some(Reason::AgentDraining));
        rig.acknowledge(&killed);
        rig.settle().await;
        rig.run(command("v"));
        rig.executor().await;
    });
}

#[test]
fn tasks_of_an_agent_that_will_be_gone_are_gone_by_the_operator() {
    paused(async {
        let mut rig = Rig::registered().await;
        rig.run(custom("t"));
        rig.drain(true);
        let (_launched, _executor) = rig.launched().await;
        let gone = rig.update().await;
        assert_eq!(gone.state, TaskState::GoneByOperator);
        assert_eq!(gone.reason, Some(Reason::AgentDraining));
    });
}
