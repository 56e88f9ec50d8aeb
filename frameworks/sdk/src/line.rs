//! The line between a framework and its master: letters between actors, or the v1 API.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use api::master::{GetMaster, Mastering, Subscribe, Teardown};
use election::{Detector, Leader};
use libproc::prelude::*;
use libproc::{Denied, ExitReason};
use types::FrameworkId;

use crate::framework::Framework;
use crate::http::{HttpLine, HttpMaster, Listener};
use crate::process::SchedulerProcess;
use crate::session::ToMaster;

/// Where the master of a framework is, and how it is spoken to.
#[derive(Debug, Clone)]
pub enum Master {
    /// By letters to its process.
    Process(Pid<Mastering>),
    /// By letters to the process of whichever leads.
    Elected(Detector),
    /// By the v1 API.
    Http(HttpMaster),
}

impl From<Detector> for Master {
    fn from(detector: Detector) -> Master {
        Master::Elected(detector)
    }
}

impl From<Pid<Mastering>> for Master {
    fn from(pid: Pid<Mastering>) -> Master {
        Master::Process(pid)
    }
}

impl From<HttpMaster> for Master {
    fn from(master: HttpMaster) -> Master {
        Master::Http(master)
    }
}

/// What a framework has of its master.
pub(crate) enum Line {
    Letters {
        master: Pid<Mastering>,
        /// Who speaks for the master since it took the framework in.
        voice: Option<Upid>,
        /// Why the last attempt to connect was denied, if it was.
        denied: Option<Denied>,
    },
    Http(Box<HttpLine>),
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Line::Letters { master, .. } => master.fmt(f),
            Line::Http(http) => http.master().fmt(f),
        }
    }
}

impl Line {
    pub(crate) fn new(master: Master) -> Line {
        match master {
            Master::Process(master) => Line::Letters {
                master,
                voice: None,
                denied: None,
            },
            Master::Elected(detector) => Line::Letters {
                master: detector.leader().map_or_else(nobody, |leader| leader.pid),
                voice: None,
                denied: None,
            },
            Master::Http(master) => Line::Http(Box::new(HttpLine::new(master))),
        }
    }

    /// Another master leads, or the same one anew; true if the line to the one before is void.
    pub(crate) fn led_by<F: Framework>(
        &mut self,
        leader: &Leader,
        ctx: &mut Context<SchedulerProcess<F>>,
    ) -> bool {
        let (master, voice) = match self {
            Line::Letters { master, voice, .. } => (master, voice),
            Line::Http(http) => return http.led_by(leader),
        };
        if *master == leader.pid {
            return false; // if it is another life of it, the link shows that
        }
        ctx.unlink(master.upid());
        master.clone_from(&leader.pid);
        *voice = None;
        true
    }

    /// Whether this is the master of the line.
    pub(crate) fn is_to(&self, upid: &Upid) -> bool {
        match self {
            Line::Letters { master, .. } => master.upid() == upid,
            Line::Http(_) => false,
        }
    }

    /// The process of the master, unless it is spoken to over HTTP.
    pub(crate) fn pid(&self) -> Option<&Pid<Mastering>> {
        match self {
            Line::Letters { master, .. } => Some(master),
            Line::Http(_) => None,
        }
    }

    /// The address of the master, for people.
    pub(crate) fn address(&self) -> String {
        match self {
            Line::Letters { master, .. } => master.upid().address().to_string(),
            Line::Http(http) => http.master().to_string(),
        }
    }

    /// Tells which master leads, where somebody finds that out for this line.
    pub(crate) fn detector_of(master: &Master) -> Option<Detector> {
        match master {
            Master::Process(_) => None,
            Master::Elected(detector) => Some(detector.clone()),
            Master::Http(master) => master.detector().cloned(),
        }
    }

    pub(crate) fn http_mut(&mut self) -> Option<&mut HttpLine> {
        match self {
            Line::Letters { .. } => None,
            Line::Http(http) => Some(http),
        }
    }

    /// Watches the master; over HTTP the stream does.
    pub(crate) fn link<F: Framework>(&self, ctx: &mut Context<SchedulerProcess<F>>) {
        match self {
            Line::Letters { master, .. } => ctx.link(master.upid()),
            Line::Http(_) => {}
        }
    }

    /// Says something to the master; gives what to listen to from here on, if it is new.
    pub(crate) fn tell<F: Framework>(
        &mut self,
        message: ToMaster,
        ctx: &mut Context<SchedulerProcess<F>>,
    ) -> Option<Listener> {
        if let ToMaster::Subscribe(info, _) = &message {
            tracing::debug!(master = %self, framework = %info.name, "subscribing");
        }
        match self {
            Line::Letters { master, .. } => {
                write(master, message, ctx);
                None
            }
            Line::Http(http) => http.tell(&message),
        }
    }

    /// Says that the framework is done; `then` is told whether the master has heard it `within`
    /// that time.
    pub(crate) fn teardown<F: Framework>(
        &mut self,
        framework_id: FrameworkId,
        within: Duration,
        ctx: &mut Context<SchedulerProcess<F>>,
        then: impl FnOnce(&mut SchedulerProcess<F>, bool, &mut Context<SchedulerProcess<F>>)
        + Send
        + 'static,
    ) {
        match self {
            Line::Letters { master, .. } => {
                ctx.tell(master, Teardown { framework_id });
                // An answer to any later question proves that it was heard.
                let heard = ctx.ask_within(master, GetMaster {}, within);
                ctx.defer(heard, |this, heard, ctx| then(this, heard.is_ok(), ctx));
            }
            Line::Http(http) => {
                let heard = tokio::time::timeout(within, http.teardown(&framework_id));
                ctx.defer(heard, |this, heard, ctx| {
                    then(this, matches!(heard, Ok(Ok(()))), ctx);
                });
            }
        }
    }

    /// Whether a letter of this sender is the master's.
    pub(crate) fn may_say(&self, sender: Option<&Upid>) -> bool {
        match (self, sender) {
            (Line::Letters { voice, .. }, Some(sender)) => {
                voice.as_ref().is_none_or(|voice| voice == sender)
            }
            (Line::Letters { .. }, None) => true,
            // It writes none to who speaks HTTP.
            (Line::Http(_), _) => false,
        }
    }

    /// The master took the framework in, by a letter of this sender.
    pub(crate) fn took_in(&mut self, sender: Option<&Upid>) {
        if let Line::Letters { voice, .. } = self
            && voice.is_none()
        {
            *voice = sender.cloned();
        }
    }

    /// The link to the master broke.
    pub(crate) fn broke(&mut self, reason: &ExitReason) {
        if let Line::Letters { voice, denied, .. } = self {
            *voice = None;
            *denied = match reason {
                ExitReason::Denied(why) => Some(*why),
                _ => None,
            };
        }
    }

    /// Why the last attempt to connect was denied, if it was.
    pub(crate) fn denied(&self) -> Option<Denied> {
        match self {
            Line::Letters { denied, .. } => *denied,
            Line::Http(_) => None,
        }
    }
}

/// A master that is nowhere, until one leads.
fn nobody() -> Pid<Mastering> {
    let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, api::MASTER_PORT));
    Pid::assume(Upid::new(api::MASTER, nowhere).expect("the id of a master is an id"))
}

fn write<F: Framework>(
    master: &Pid<Mastering>,
    message: ToMaster,
    ctx: &mut Context<SchedulerProcess<F>>,
) {
    match message {
        ToMaster::Subscribe(info, suppressed) => {
            let (info, scheduler) = (*info, ctx.pid());
            ctx.tell(
                master,
                Subscribe {
                    info,
                    suppressed,
                    scheduler,
                },
            );
        }
        ToMaster::Accept(message) => ctx.tell(master, message),
        ToMaster::Decline(message) => ctx.tell(master, message),
        ToMaster::Revive(message) => ctx.tell(master, message),
        ToMaster::Suppress(message) => ctx.tell(master, message),
        ToMaster::Kill(message) => ctx.tell(master, message),
        ToMaster::ShutdownExecutor(message) => ctx.tell(master, message),
        ToMaster::Acknowledge(message) => ctx.tell(master, message),
        ToMaster::Reconcile(message) => ctx.tell(master, message),
        ToMaster::ToExecutor(message) => ctx.tell(master, message),
    }
}
