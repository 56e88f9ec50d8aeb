//! Following the master that leads, where masters elect one of themselves.

use election::{Detector, Leader};
use libproc::prelude::*;

use crate::agent::Agent;

impl Agent {
    /// Registers with the master, or with each that leads, as soon as it does.
    pub(crate) fn find_master(&mut self, ctx: &mut Context<Self>) {
        match self.options.detector.clone() {
            None => {
                let now_ms = self.now_ms();
                self.registration.attach(now_ms);
                self.wake(ctx);
            }
            Some(detector) => Self::follow(detector, None, ctx),
        }
    }

    fn follow(mut detector: Detector, known: Option<Leader>, ctx: &mut Context<Self>) {
        let next = async move {
            let leader = detector.other_than(known.as_ref()).await;
            (detector, leader)
        };
        ctx.defer(next, |this, (detector, leader), ctx| {
            match &leader {
                Some(leader) => this.led_by(leader, ctx),
                // The one before may still be there; whether it is, the link to it shows.
                None => tracing::info!("no master leads"),
            }
            Self::follow(detector, leader, ctx);
        });
    }

    /// Another master leads, or the same one anew: it has to hear of the agent.
    fn led_by(&mut self, leader: &Leader, ctx: &mut Context<Self>) {
        let before = std::mem::replace(&mut self.options.master, leader.pid.clone());
        if before != leader.pid {
            ctx.unlink(before.upid());
        }
        tracing::info!(master = %leader.pid, "following master");
        self.leader = None;
        let now_ms = self.now_ms();
        if self.registration.begin_anew(now_ms) {
            self.updates.pause();
        }
        self.set_alarm(ctx);
    }
}
