//! Sifting: what the filters of a node make of the letters of its processes.

use std::any::Any;
use std::time::Duration;

use super::filter::{Verdict, judge};
use crate::letter::Work;
use crate::pid::Upid;
use crate::process::{Body, Process};
use crate::protocol::{MessageInfo, Page};

impl<A: Process> Body<A> {
    /// The message if it is to be handled now; else it is gone, or comes later.
    pub(crate) fn sift(
        &mut self,
        from: Option<&Upid>,
        index: u16,
        parcel: Box<dyn Any + Send>,
    ) -> Option<Box<dyn Any + Send>> {
        let Some(info) = <A::Protocol as Page>::MESSAGES.get(usize::from(index)) else {
            return Some(parcel);
        };
        let (node, to) = (self.ctx.node().clone(), self.ctx.upid().clone());
        let later = |body: &mut Body<A>, after, parcel| {
            let from = from.cloned();
            let letter = Delayed {
                from,
                index,
                parcel,
            };
            body.ctx
                .work_after(after, Box::new(Again::<A>::new(letter)));
        };
        match judge(&node, &to, from, info, &*parcel) {
            Verdict::Pass => return Some(parcel),
            Verdict::Drop => {}
            Verdict::Delay(delay) => later(self, delay, parcel),
            Verdict::Double(copy) => {
                later(self, Duration::ZERO, copy);
                return Some(parcel);
            }
        }
        None
    }
}

struct Delayed {
    from: Option<Upid>,
    index: u16,
    parcel: Box<dyn Any + Send>,
}

/// Hands a delayed message to the actor; filters have seen it.
struct Again<A> {
    letter: Delayed,
    of: std::marker::PhantomData<fn(A)>,
}

impl<A> Again<A> {
    fn new(letter: Delayed) -> Again<A> {
        let of = std::marker::PhantomData;
        Again { letter, of }
    }
}

impl<A: Process> Work for Again<A> {
    fn run(self: Box<Self>, body: &mut dyn Any) {
        if let Some(body) = body.downcast_mut::<Body<A>>() {
            let Delayed {
                from,
                index,
                parcel,
            } = self.letter;
            body.message(from, index, parcel);
        }
    }
}

/// Has a probe take a message now, later, twice or not at all, as the filters say.
pub(crate) fn sift_for_probe(
    node: &crate::Node,
    to: &Upid,
    from: Option<&Upid>,
    info: &MessageInfo,
    parcel: Box<dyn Any + Send>,
    take: impl Fn(Box<dyn Any + Send>) + 'static,
) {
    match judge(node, to, from, info, &*parcel) {
        Verdict::Pass => take(parcel),
        Verdict::Drop => {}
        Verdict::Delay(delay) => drop(tokio::task::spawn_local(async move {
            tokio::time::sleep(delay).await;
            take(parcel);
        })),
        Verdict::Double(copy) => {
            take(parcel);
            take(copy);
        }
    }
}
