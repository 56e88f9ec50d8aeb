//! Ring: a token goes round a thousand processes.

use std::io;

use libproc::prelude::*;

use super::stage::{Finish, Load, each, timed, warmed};
use crate::measure::reading::Reading;

/// Processes in the ring.
const PROCESSES: usize = 1000;
/// Hops of the token.
const HOPS: u64 = 1_000_000;

protocol! {
    /// What a member of the ring accepts.
    protocol Passing {
        message Close { next: Pid<Passing> };
        message Token { left: u64 };
    }
}

struct Member {
    next: Option<Pid<Passing>>,
    finish: Finish<()>,
}

impl Actor for Member {
    type Context = Context<Self>;
}

impl Process for Member {
    type Protocol = Passing;
}

impl Handler<Close> for Member {
    type Result = ();
    fn handle(&mut self, Close { next }: Close, _: &mut Context<Self>) {
        self.next = Some(next);
    }
}

impl Handler<Token> for Member {
    type Result = ();
    fn handle(&mut self, Token { left }: Token, ctx: &mut Context<Self>) {
        match &self.next {
            Some(next) if left > 0 => ctx.tell(next, Token { left: left - 1 }),
            _ => self.finish.with(()),
        }
    }
}

pub(super) fn run(load: Load) -> io::Result<Vec<Reading>> {
    let each = warmed(load, async |node, load| {
        let hops = load.of(HOPS);
        let (finish, finished) = Finish::new();
        // The token ends at the member it would reach after the last hop.
        let last = hops as usize % PROCESSES;
        let mut finish = Some(finish);
        let ring: Vec<_> = (0..PROCESSES)
            .map(|place| {
                let mine = finish.take_if(|_| place == last);
                let finish = mine.unwrap_or_else(Finish::nobody);
                node.spawn(&format!("member-{place}"), Member { next: None, finish })
            })
            .collect();
        for (member, next) in ring.iter().zip(ring.iter().cycle().skip(1)) {
            node.tell(member, Close { next: next.clone() });
        }
        let start = || node.tell(&ring[0], Token { left: hops });
        let (took, ()) = timed(finished, start).await?;
        Ok(each(&took, hops))
    })?;
    Ok(vec![Reading::time("ring", "hop", each)])
}
