//! Verifying: what the start took on trust is read while the replica runs, a segment at a time.

use std::time::Duration;

use libproc::prelude::*;
use paxos::{Input, Position, Span};

use super::ReplicaProcess;
use crate::store::{Damage, Key};

/// Between two segments, so that others get at the disk.
const PAUSE: Duration = Duration::from_millis(20);

impl ReplicaProcess {
    /// Reads the next segment that the start did not, and goes on with the others.
    pub(super) fn verify_next(&mut self, ctx: &mut Context<Self>) {
        let Some(segment) = self.unread.pop_front() else {
            return;
        };
        let reader = self.reader.clone();
        let verified = libproc::blocking(move || reader.verify(segment));
        ctx.defer(verified, |this, verified, ctx| {
            match verified {
                Ok(damaged) => this.found_in_segment(&damaged, ctx),
                Err(error) => return this.give_up(&error, ctx),
            }
            ctx.after(PAUSE, |this, ctx| this.verify_next(ctx));
        });
    }

    fn found_in_segment(&mut self, damaged: &[Damage], ctx: &mut Context<Self>) {
        let mut spans = Vec::new();
        for damage in damaged {
            let Some(Key::Slot(slot)) = damage.key else {
                // Metadata that counts lies in the last segment, which the start reads.
                self.found_damaged(damage, ctx);
                continue;
            };
            let position = Position(slot);
            let is_known = self.core.damage().iter().any(|span| span.has(position));
            if position >= self.core.begin() && !is_known {
                tracing::error!(%damage, "a record of the log is damaged");
                spans.push(Span::new(position, position));
            }
        }
        if !spans.is_empty() {
            self.feed(Input::Damaged(paxos::Damage::Entries(spans)), ctx);
        }
    }
}
