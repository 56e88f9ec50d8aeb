//! Carries out what the keeper says: commits, and effects that were held.

use std::time::Duration;

use libproc::prelude::*;
use state::{Encoded, State, StorageError};

use super::{FRAMEWORK_ID, Keeper, RestoreError, Restored, of_author, restore};
use crate::calls::Call;
use crate::error::Error;
use crate::framework::{Event, Framework};
use crate::process::SchedulerProcess;
use crate::session::{Input, Output};

/// How long to wait before a commit that the storage could not take is tried again.
const AGAIN: Duration = Duration::from_millis(250);

/// Where a framework keeps what must survive.
pub(crate) struct Keeping {
    state: State,
    pub(crate) keeper: Keeper<Effect>,
    framework_id: Option<types::FrameworkId>,
}

/// Something that leaves the framework.
#[expect(
    clippy::large_enum_variant,
    reason = "answers are rare, and a box would cost every message an allocation"
)]
pub(crate) enum Effect {
    /// What the session says.
    Output(Output),
    /// An answer to somebody who asked from outside.
    Answer(Box<dyn FnOnce() + Send>),
}

impl<F: Framework> SchedulerProcess<F> {
    /// Begins: with what was kept, if anything is.
    pub(crate) fn begin(&mut self, state: Option<State>, ctx: &mut Context<Self>) {
        let Some(state) = state else {
            self.run(Input::Start, ctx);
            return self.await_visit(ctx);
        };
        ctx.defer(restore(state.clone()), |this, restored, ctx| {
            match restored {
                Ok(restored) => this.restored(state, restored, ctx),
                Err(error) => this.end_with(Error::Restore(error), ctx),
            };
        });
    }

    fn restored(&mut self, state: State, restored: Restored, ctx: &mut Context<Self>) {
        if let Some(id) = &restored.framework_id {
            tracing::info!(framework = %id, "framework comes back");
            self.session.known_as(id.clone());
        }
        let keeper = Keeper::new(restored.life, restored.variables);
        self.keeping = Some(Keeping {
            state,
            keeper,
            framework_id: restored.framework_id,
        });
        let mut understood = Ok(());
        let kept = restored.kept;
        self.visit(
            |framework, calls| understood = framework.on_restored(kept, calls),
            ctx,
        );
        match understood {
            Ok(()) => {
                self.run(Input::Start, ctx);
                self.await_visit(ctx); // nobody comes in before it knows what it knew
            }
            Err(error) => self.end_with(Error::Restore(RestoreError::State(error)), ctx),
        }
    }

    /// Notes the id the master gave, to come back under it.
    pub(crate) fn keep_id(&mut self, event: &Event) {
        let (Some(keeping), Event::Subscribed(subscribed)) = (&mut self.keeping, event) else {
            return;
        };
        let id = &subscribed.framework_id;
        if keeping.framework_id.as_ref() != Some(id) {
            keeping.framework_id = Some(id.clone());
            let value = Encoded::of(FRAMEWORK_ID, id).expect("an id is a text");
            keeping.keeper.change(FRAMEWORK_ID.to_owned(), Some(value));
        }
    }

    /// Takes what is for the keeper out of what was called; the rest comes back.
    pub(crate) fn keep(&mut self, call: Call) -> Option<Call> {
        let (name, value) = match call {
            Call::Store { name, value } => (name, Some(value)),
            Call::Expunge { name } => (name, None),
            other => return Some(other),
        };
        if let Some(keeping) = &mut self.keeping {
            keeping.keeper.change(of_author(&name), value);
        }
        None
    }

    /// Carries out an effect, now or when everything before it is kept.
    pub(crate) fn carry_out(&mut self, effect: Effect, ctx: &mut Context<Self>) {
        let passed = match &mut self.keeping {
            Some(keeping) => keeping.keeper.pass(effect),
            None => Some(effect),
        };
        if let Some(effect) = passed {
            self.perform(effect, ctx);
        }
    }

    fn perform(&mut self, effect: Effect, ctx: &mut Context<Self>) {
        match effect {
            Effect::Output(output) => self.send(output, ctx),
            Effect::Answer(answer) => answer(),
        }
    }

    /// Commits what the turn that is over has stored, unless a commit is under way.
    pub(crate) fn turn_over(&mut self, ctx: &mut Context<Self>) {
        let Some(keeping) = &mut self.keeping else {
            return;
        };
        keeping.keeper.next_turn();
        let transaction = match keeping.keeper.commit() {
            Ok(Some(transaction)) => transaction,
            Ok(None) => return,
            Err(error) => return self.end_with(Error::State(error), ctx),
        };
        let state = keeping.state.clone();
        let committed = async move { state.commit(transaction).await };
        ctx.defer(committed, |this, committed, ctx| match committed {
            Ok(true) => this.committed(ctx),
            Ok(false) | Err(state::Error::Storage(StorageError::Superseded)) => {
                this.end_with(Error::Superseded, ctx);
            }
            Err(state::Error::Storage(error @ StorageError::Failed { .. })) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "could not keep");
                ctx.after(AGAIN, |this, ctx| {
                    if let Some(keeping) = &mut this.keeping {
                        keeping.keeper.failed();
                    }
                    this.turn_over(ctx);
                });
            }
            // Who comes after reads what became of it.
            Err(error) => this.end_with(Error::State(error), ctx),
        });
    }

    fn committed(&mut self, ctx: &mut Context<Self>) {
        let Some(keeping) = &mut self.keeping else {
            return;
        };
        for effect in keeping.keeper.committed() {
            self.perform(effect, ctx);
        }
        self.turn_over(ctx);
    }
}
