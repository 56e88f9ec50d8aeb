//! Closures that run in a turn of a process.

use std::any::Any;
use std::marker::PhantomData;

use crate::context::Context;
use crate::letter::Work;
use crate::process::Process;

/// Boxes `run` as work for an actor of type `A`.
pub(crate) fn closure<A: Process>(
    run: impl FnOnce(&mut A, &mut Context<A>) + Send + 'static,
) -> Box<dyn Work> {
    Box::new(Closure {
        run,
        of: PhantomData,
    })
}

struct Closure<A, F> {
    run: F,
    of: PhantomData<fn(A)>,
}

impl<A: Process, F: FnOnce(&mut A, &mut Context<A>) + Send> Work for Closure<A, F> {
    fn run(self: Box<Self>, actor: &mut dyn Any, ctx: &mut dyn Any) {
        if let (Some(actor), Some(ctx)) = (actor.downcast_mut(), ctx.downcast_mut()) {
            (self.run)(actor, ctx);
        }
    }
}
