//! A queue as a program: its framework, and the desk beside it.

use libproc::Node;
use sdk::{Options, Remote};
use types::FrameworkInfo;

use crate::desk::Desk;
use crate::protocol::JOBS;
use crate::queue::{Limits, Queue};

/// Runs a queue until it is told to end: what runs then, runs on, for whoever goes on with what
/// the queue [keeps](Options::kept_in). `opened` is called when its desk is open, which one of
/// several does when it leads.
///
/// # Errors
/// See [`sdk::run`].
pub async fn serve(
    limits: Limits,
    info: FrameworkInfo,
    options: Options,
    opened: impl FnOnce(&Node),
) -> sdk::Result {
    let beside = |node: &Node, queue| {
        open(node, queue);
        opened(node);
    };
    sdk::run_beside(Queue::new(limits), info, options, beside).await
}

/// Opens a desk for a queue on the node of its framework, where its pages are the front.
pub fn open(node: &Node, queue: Remote<Queue>) {
    node.spawn(JOBS, Desk::new(node, queue));
    node.set_front(JOBS);
}
