//! The shell: letters become inputs of the session, its outputs become letters and the author's
//! turns.

use std::time::Duration;

use api::master::GetAgents;
use api::scheduler::{
    Failure, FromExecutor, Offers, Rejected, Rescind, Scheduling, Subscribed, Update,
};
use election::{Detector, Leader};
use libproc::env;
use libproc::prelude::*;
use state::State;
use tokio::sync::{mpsc, oneshot};
use types::{FrameworkId, FrameworkInfo};

use crate::calls::Calls;
use crate::demand::{Demand, Wish};
use crate::error::{Error, Result};
use crate::framework::{Event, Framework};
use crate::http::Listener;
use crate::keeping::{Effect, Keeping};
use crate::line::{Line, Master};
use crate::post_mortem::Agents;
use crate::session::{Ending, Input, Output, Session, Wake};

/// How long a framework that is done waits for the master to have heard of it.
const FAREWELL: Duration = Duration::from_secs(2);

/// Something to do in the framework's turn, from outside.
///
/// What comes back is for whoever asked, once everything that was stored is kept.
pub(crate) type Visit<F> = Box<dyn FnOnce(&mut F, &mut Calls) -> Option<Answer> + Send>;

/// Tells somebody outside what came of a visit.
pub(crate) type Answer = Box<dyn FnOnce() + Send>;

/// A framework as a process: speaks [`Scheduling`] with a master, or the v1 API.
///
/// Made and spawned by [`start`](crate::start). Whoever wants another session implements
/// [`Process`] with that protocol.
pub struct SchedulerProcess<F> {
    pub(crate) framework: F,
    calls: Calls,
    pub(crate) session: Session,
    line: Line,
    demand: Demand,
    /// How often it was asked which agents there are.
    surveys: u64,
    pub(crate) agents: Agents,
    /// Where what must survive is kept, once it was read.
    pub(crate) keeping: Option<Keeping>,
    /// The same before.
    state: Option<State>,
    /// Tells which master leads, where that changes.
    detector: Option<Detector>,
    door: Option<Door<F>>,
    /// Dropped with the process: closes the door.
    _open: oneshot::Sender<()>,
    end: Option<oneshot::Sender<Result>>,
}

/// Where visits come in, until it is closed.
struct Door<F> {
    visits: mpsc::Receiver<Visit<F>>,
    closed: oneshot::Receiver<()>,
}

/// What a [`SchedulerProcess`] is connected to.
pub(crate) struct Wiring<F> {
    pub(crate) master: Master,
    pub(crate) state: Option<State>,
    pub(crate) visits: mpsc::Receiver<Visit<F>>,
    pub(crate) end: oneshot::Sender<Result>,
}

impl<F: Framework> SchedulerProcess<F> {
    pub(crate) fn new(
        framework: F,
        info: FrameworkInfo,
        patience: Option<Duration>,
        prefix: String,
        wiring: Wiring<F>,
    ) -> SchedulerProcess<F> {
        let (open, closed) = oneshot::channel();
        let visits = wiring.visits;
        SchedulerProcess {
            framework,
            calls: Calls::with_prefix(prefix),
            session: Session::new(info, patience, env::rng()),
            demand: Demand::default(),
            surveys: 0,
            agents: Agents::default(),
            keeping: None,
            state: wiring.state,
            detector: Line::detector_of(&wiring.master),
            line: Line::new(wiring.master),
            door: Some(Door { visits, closed }),
            _open: open,
            end: Some(wiring.end),
        }
    }

    /// Feeds the session and does what it says, in order.
    pub(crate) fn run(&mut self, input: Input, ctx: &mut Context<Self>) {
        self.step(input, ctx);
        self.turn_over(ctx);
    }

    fn step(&mut self, input: Input, ctx: &mut Context<Self>) {
        for output in self.session.step(env::unix_ms(), input) {
            match output {
                Output::Show(event) => self.show(event, ctx),
                Output::Wake(after, wake) => {
                    ctx.after(after, move |this, ctx| this.woken(wake, ctx));
                }
                Output::Again(input) => {
                    ctx.after(Duration::ZERO, move |this, ctx| this.run(input, ctx));
                }
                Output::Timer(after, token) => {
                    ctx.after(after, move |this, ctx| {
                        this.visit(|framework, calls| framework.on_timer(token, calls), ctx);
                    });
                }
                Output::Link | Output::Tell(_) | Output::End(..) => {
                    self.carry_out(Effect::Output(output), ctx);
                }
            }
        }
    }

    /// Does what others notice.
    pub(crate) fn send(&mut self, output: Output, ctx: &mut Context<Self>) {
        match output {
            Output::Link => self.line.link(ctx),
            Output::Tell(message) => {
                if let Some(listener) = self.line.tell(message, ctx) {
                    Self::listen(listener, ctx);
                }
            }
            Output::End(teardown, ending) => self.farewell(teardown, ending, ctx),
            Output::Show(_) | Output::Wake(..) | Output::Again(_) | Output::Timer(..) => {}
        }
    }

    /// Moves to each master that leads, as soon as it does.
    fn follow(mut detector: Detector, known: Option<Leader>, ctx: &mut Context<Self>) {
        let next = async move {
            let leader = detector.other_than(known.as_ref()).await;
            (detector, leader)
        };
        ctx.defer(next, |this, (detector, leader), ctx| {
            let moved = leader
                .as_ref()
                .is_some_and(|leader| this.line.led_by(leader, ctx));
            if moved {
                tracing::info!(master = %this.line, "following master");
                this.run(Input::Broken, ctx);
            }
            Self::follow(detector, leader, ctx);
        });
    }

    fn woken(&mut self, wake: Wake, ctx: &mut Context<Self>) {
        self.run(Input::Woken(wake), ctx);
    }

    /// Input that only the master may give, by letter.
    fn heard(&mut self, input: Input, ctx: &mut Context<Self>) {
        match self.line.may_say(ctx.sender()) {
            true => self.run(input, ctx),
            false => tracing::debug!(sender = ?ctx.sender(), "message of a stranger ignored"),
        }
    }

    /// Hears what a subscription over HTTP says, one event a turn.
    fn listen(listener: Listener, ctx: &mut Context<Self>) {
        ctx.defer(listener.next(), |this, next, ctx| {
            let Some((news, listener)) = next else { return };
            let Some(http) = this.line.http_mut() else {
                return;
            };
            if !http.is_current(&listener) {
                return; // it is over
            }
            let input = http.heard(news);
            Self::listen(listener, ctx);
            if let Some(input) = input {
                this.run(input, ctx);
            }
        });
    }

    fn show(&mut self, event: Event, ctx: &mut Context<Self>) {
        log(&event, &self.line);
        self.keep_id(&event);
        let failed = match &event {
            Event::Offers(offers) => {
                self.agents.offered(offers);
                None
            }
            Event::Update(update) if self.framework.explains_failures() => Some(update.clone()),
            _ => None,
        };
        let subscribed = matches!(event, Event::Subscribed(_));
        self.turn(|framework, calls| event.show(framework, calls), ctx);
        if subscribed {
            self.survey(ctx);
        }
        if let Some(update) = failed {
            self.explain(self.session.id(), update, ctx);
        }
    }

    /// A turn of the author's by itself, not one within what the session says.
    pub(crate) fn visit<R>(
        &mut self,
        turn: impl FnOnce(&mut F, &mut Calls) -> R,
        ctx: &mut Context<Self>,
    ) -> Option<R> {
        let result = self.turn(turn, ctx);
        self.turn_over(ctx);
        result
    }

    /// Lets the author decide, and carries out what was decided.
    fn turn<R>(
        &mut self,
        turn: impl FnOnce(&mut F, &mut Calls) -> R,
        ctx: &mut Context<Self>,
    ) -> Option<R> {
        self.end.as_ref()?;
        self.calls.set_now(env::unix_ms());
        let result = turn(&mut self.framework, &mut self.calls);
        for call in self.calls.take() {
            if let Some(call) = self.keep(call) {
                self.step(Input::Called(call), ctx);
            }
        }
        let wish = self.demand.look(env::unix_ms(), self.framework.demand());
        self.wish(wish, ctx);
        Some(result)
    }

    /// Asks which agents there are, and again as often as the author wants.
    fn survey(&mut self, ctx: &mut Context<Self>) {
        let (Some(every), Some(master)) = (self.framework.watches_agents(), self.line.pid()) else {
            return;
        };
        self.surveys += 1;
        let number = self.surveys;
        let asked = ctx.ask_within(&master.clone(), GetAgents {}, every);
        ctx.defer(asked, move |this, agents, ctx| {
            if let Ok(agents) = agents {
                this.visit(|framework, calls| framework.on_agents(agents, calls), ctx);
            }
            ctx.after(every, move |this, ctx| {
                if this.surveys == number {
                    this.survey(ctx); // unless another subscription has begun over
                }
            });
        });
    }

    /// Has the master know whether offers are wanted.
    fn wish(&mut self, wish: Wish, ctx: &mut Context<Self>) {
        match wish {
            Wish::Same => {}
            Wish::Call(call) => self.step(Input::Called(call), ctx),
            Wish::Later(after) => {
                ctx.after(after, |this, ctx| {
                    let wish = this.demand.look_again(env::unix_ms());
                    this.wish(wish, ctx);
                    this.turn_over(ctx);
                });
            }
        }
    }

    /// Ends, once the master has heard of it: an answer to any later question proves that.
    fn farewell(&mut self, teardown: Option<FrameworkId>, ending: Ending, ctx: &mut Context<Self>) {
        let Some(end) = self.end.take() else { return };
        let result = self.result(ending);
        let Some(framework_id) = teardown else {
            // Nobody waits any more when the handle was dropped.
            drop(end.send(result));
            return ctx.stop();
        };
        self.line
            .teardown(framework_id, FAREWELL, ctx, move |this, heard, ctx| {
                if !heard {
                    let master = &this.line;
                    tracing::warn!(%master, "master may not know that the framework is done");
                }
                drop(end.send(result));
                ctx.stop();
            });
    }

    /// Ends for a reason that is not the session's.
    pub(crate) fn end_with(&mut self, error: Error, ctx: &mut Context<Self>) {
        if let Some(end) = self.end.take() {
            drop(end.send(Err(error)));
        }
        ctx.stop();
    }

    fn result(&self, ending: Ending) -> Result {
        let master = self.line.address();
        match ending {
            Ending::Code(code) => Ok(code),
            Ending::Failed(reason) => Err(Error::Failed(reason)),
            Ending::NoMaster => Err(match self.line.denied() {
                Some(reason) => Error::Denied { master, reason },
                None => Error::NoMaster { master },
            }),
            Ending::NoAnswer => Err(Error::NoAnswer { master }),
            Ending::Rejected(reason) => Err(Error::Rejected(reason)),
        }
    }

    /// Waits for the next visit from outside.
    pub(crate) fn await_visit(&mut self, ctx: &mut Context<Self>) {
        let Some(mut door) = self.door.take() else {
            return;
        };
        let next = async move {
            tokio::select! {
                biased;
                _ = &mut door.closed => None,
                visit = door.visits.recv() => visit.map(|visit| (visit, door)),
            }
        };
        ctx.defer(next, |this, next, ctx| {
            // None: everybody who could come has gone.
            let Some((visit, door)) = next else { return };
            this.door = Some(door);
            if let Some(Some(answer)) = this.turn(visit, ctx) {
                this.carry_out(Effect::Answer(answer), ctx);
            }
            this.turn_over(ctx);
            this.await_visit(ctx);
        });
    }
}

fn log(event: &Event, master: &Line) {
    match event {
        Event::Subscribed(Subscribed { framework_id, .. }) => {
            tracing::info!(%master, framework = %framework_id, "framework subscribed");
        }
        Event::Disconnected => tracing::warn!(%master, "master lost"),
        Event::Error(reason) => tracing::error!(%master, reason, "framework refused"),
        Event::Update(status) => {
            let (task, state) = (&status.task_id, status.state);
            tracing::debug!(%task, %state, message = status.message, "task updated");
        }
        Event::Offers(offers) => tracing::debug!(offers = offers.len(), "resources offered"),
        Event::Rescinded(offer) => tracing::debug!(%offer, "offer rescinded"),
        Event::Failure(_) | Event::Message(_) => {}
    }
}

impl<F: Framework> Actor for SchedulerProcess<F> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let state = self.state.take();
        self.begin(state, ctx);
        if let Some(detector) = self.detector.clone() {
            Self::follow(detector, None, ctx);
        }
    }
}

impl<F: Framework> Process for SchedulerProcess<F> {
    type Protocol = Scheduling;
}

impl<F: Framework> Handler<Subscribed> for SchedulerProcess<F> {
    type Result = ();
    fn handle(&mut self, message: Subscribed, ctx: &mut Context<Self>) {
        self.line.took_in(ctx.sender());
        self.heard(Input::Subscribed(message), ctx);
    }
}

impl<F: Framework> Handler<Offers> for SchedulerProcess<F> {
    type Result = ();
    fn handle(&mut self, Offers { offers }: Offers, ctx: &mut Context<Self>) {
        self.heard(Input::Offers(offers), ctx);
    }
}

impl<F: Framework> Handler<Rescind> for SchedulerProcess<F> {
    type Result = ();
    fn handle(&mut self, Rescind { offer_id }: Rescind, ctx: &mut Context<Self>) {
        self.heard(Input::Rescinded(offer_id), ctx);
    }
}

impl<F: Framework> Handler<Update> for SchedulerProcess<F> {
    type Result = ();
    fn handle(&mut self, Update { status }: Update, ctx: &mut Context<Self>) {
        self.heard(Input::Updated(status), ctx);
    }
}

impl<F: Framework> Handler<Failure> for SchedulerProcess<F> {
    type Result = ();
    fn handle(&mut self, failure: Failure, ctx: &mut Context<Self>) {
        self.heard(Input::Failed(failure), ctx);
    }
}

impl<F: Framework> Handler<FromExecutor> for SchedulerProcess<F> {
    type Result = ();
    fn handle(&mut self, message: FromExecutor, ctx: &mut Context<Self>) {
        self.heard(Input::Said(message), ctx);
    }
}

impl<F: Framework> Handler<Rejected> for SchedulerProcess<F> {
    type Result = ();
    fn handle(&mut self, Rejected { reason }: Rejected, ctx: &mut Context<Self>) {
        self.heard(Input::Rejected(reason), ctx);
    }
}

impl<F: Framework> Handler<Exited> for SchedulerProcess<F> {
    type Result = ();
    fn handle(&mut self, exited: Exited, ctx: &mut Context<Self>) {
        tracing::debug!(master = %exited.upid, reason = %exited.reason, "link to master broken");
        if !self.line.is_to(&exited.upid) {
            return; // a master from before
        }
        if let Some(detector) = &self.detector {
            detector.miss();
        }
        self.line.broke(&exited.reason);
        self.run(Input::Broken, ctx);
    }
}
