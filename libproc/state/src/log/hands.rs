//! What goes on although nobody waits for it: tasks beside a process of the node.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use libproc::prelude::*;
use tokio::sync::{mpsc, oneshot};

use crate::StorageError;

protocol! {
    /// It hears nothing, and is there for its tasks.
    pub(super) protocol Silent {}
}

type Work = BoxFuture<'static, ()>;

/// Does work to its end. A handle; the process ends with the last.
#[derive(Clone)]
pub(super) struct Hands {
    works: mpsc::UnboundedSender<Work>,
}

impl Hands {
    pub(super) fn new(node: &Node) -> Hands {
        let (works, waiting) = mpsc::unbounded_channel();
        let waiting = Some(waiting);
        node.spawn_anonymous(Worker { waiting });
        Hands { works }
    }

    /// Does work that nobody waits for.
    pub(super) fn start(&self, work: impl Future<Output = ()> + Send + 'static) {
        if self.works.send(Box::pin(work)).is_err() {
            tracing::debug!("the node of a state is gone, and with it what it was to do");
        }
    }

    /// Does work to its end, even if whoever waits for it stops doing so.
    pub(super) async fn finish<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StorageError>> + Send + 'static,
    ) -> Result<T, StorageError> {
        let (answer, answered) = oneshot::channel();
        self.start(async move {
            // Whoever does not wait any more does without it.
            let _ = answer.send(work.await);
        });
        let gone = |error| Err(StorageError::Unknown(Arc::new(error)));
        answered.await.unwrap_or_else(gone)
    }
}

struct Worker {
    waiting: Option<mpsc::UnboundedReceiver<Work>>,
}

impl Actor for Worker {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let Some(mut waiting) = self.waiting.take() else {
            return;
        };
        let works = async move {
            while let Some(work) = waiting.recv().await {
                tokio::task::spawn_local(work);
            }
        };
        ctx.defer(works, |_, (), ctx| ctx.stop());
    }
}

impl Process for Worker {
    type Protocol = Silent;
}
