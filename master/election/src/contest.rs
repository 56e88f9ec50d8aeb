//! How a master becomes the one that leads.

use std::error::Error as StdError;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use libproc::Node;
use tokio::sync::watch;
use types::MasterInfo;

use crate::Detector;

/// Where a candidate stands. It goes only forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Another one leads, or nobody yet.
    Waiting,
    /// It leads.
    Leading,
    /// It is no candidate any more, or cannot know: if it led, it must stop before another leads.
    Lost,
}

/// Why nobody can be elected.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
#[error("could not stand for election")]
pub struct ElectionError(#[source] pub Arc<dyn StdError + Send + Sync>);

/// A master that would lead.
pub struct Candidacy {
    pub(crate) standing: watch::Receiver<Standing>,
    pub(crate) resign: Option<Resign>,
}

/// Withdraws a candidacy.
pub type Resign = BoxFuture<'static, ()>;

impl std::fmt::Debug for Candidacy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let standing = *self.standing.borrow();
        f.debug_tuple("Candidacy").field(&standing).finish()
    }
}

impl Candidacy {
    /// A candidacy whose standing somebody tells; `resign` withdraws it.
    pub fn new(standing: watch::Receiver<Standing>, resign: BoxFuture<'static, ()>) -> Candidacy {
        Candidacy {
            standing,
            resign: Some(resign),
        }
    }

    /// Waits until it leads, or is lost; says which.
    pub async fn decided(&mut self) -> Standing {
        let decided = self
            .standing
            .wait_for(|standing| *standing != Standing::Waiting);
        // Whoever told of it has gone.
        decided.await.map_or(Standing::Lost, |standing| *standing)
    }

    /// Waits until it is lost.
    pub async fn lost(&mut self) {
        let lost = self
            .standing
            .wait_for(|standing| *standing == Standing::Lost);
        drop(lost.await);
    }

    /// What withdraws it, so that another one need not wait until it is missed.
    ///
    /// # Panics
    /// When it was taken before.
    pub fn take_resign(&mut self) -> Resign {
        self.resign.take().expect("it is taken once")
    }
}

/// A way to elect a leader.
pub trait Contest: Send + Sync + 'static {
    /// Becomes a candidate, as the master of this description.
    fn join(
        &self,
        node: &Node,
        info: &MasterInfo,
    ) -> BoxFuture<'static, Result<Candidacy, ElectionError>>;

    /// Who leads, for standbys to tell.
    fn detector(&self, node: &Node) -> Detector;
}
