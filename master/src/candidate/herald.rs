//! The herald: the process that tells others who leads.

use election::{Detector, Electing, Leader, Leadership, WhoLeads};
use libproc::prelude::*;
use tokio::sync::watch;

/// Tells who leads.
pub(super) struct Herald {
    /// The master here, while it leads and is ready.
    own: watch::Receiver<Option<Leader>>,
    detector: Detector,
}

impl Herald {
    pub(super) fn new(own: watch::Receiver<Option<Leader>>, detector: Detector) -> Self {
        Self { own, detector }
    }
}

impl Actor for Herald {
    type Context = Context<Self>;
}

impl Process for Herald {
    type Protocol = Electing;
}

impl Handler<WhoLeads> for Herald {
    type Result = Reply<Leadership>;
    fn handle(&mut self, _: WhoLeads, _: &mut Context<Self>) -> Self::Result {
        let own = self.own.borrow().clone();
        let is_me = own.is_some();
        let leader = own.or_else(|| self.detector.leader());
        let leader = leader.and_then(|leader| leader.info);
        Reply(Leadership { leader, is_me })
    }
}
