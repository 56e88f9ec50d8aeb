//! A framework over the v1 HTTP API: what schedulers of other languages speak.
//!
//! A subscription is a request whose answer does not end; every other call is a request of its own,
//! on a second connection, in order. What the session wants said is put into calls (`call`), what
//! the stream says into what the session hears (`event`): to the author both doors are the same.

mod call;
mod event;
mod exchange;
mod stream;

use std::net::SocketAddr;

use api::v1::scheduler::Call;
use election::{Detector, Leader};
use hyper::StatusCode;
use libproc::Security;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use types::FrameworkId;

use self::exchange::{Connection, Shown, Trouble, reason};
use self::stream::End;
use crate::address::MasterAddress;
use crate::error::Error;
use crate::session::{Input, ToMaster};

/// How many events may wait for the framework before the stream is read no further.
const NEWS_MAX: usize = 256;
/// How many calls may wait to be made; a master that is that slow is taken for lost.
const CALLS_MAX: usize = 16_384;

/// A master that is spoken to over HTTP.
#[derive(Debug, Clone)]
pub struct HttpMaster {
    address: MasterAddress,
    shown: Shown,
    /// Tells which master leads, where somebody finds that out.
    detector: Option<Detector>,
}

impl HttpMaster {
    /// The master at `ip:port` or `host:port`, or any of its cluster, which sends us on.
    ///
    /// # Errors
    /// When the text is no address.
    pub fn new(address: &str) -> Result<HttpMaster, Error> {
        Ok(HttpMaster {
            address: MasterAddress::parse(address)?,
            shown: Shown {
                security: Security::none(),
                authorization: None,
            },
            detector: None,
        })
    }

    /// [`new`](HttpMaster::new) of a cluster with this security: its secret is shown, or TLS is
    /// spoken with its certificates.
    ///
    /// # Errors
    /// When the text is no address.
    pub fn secured(address: &str, security: &Security) -> Result<HttpMaster, Error> {
        let mut master = HttpMaster::new(address)?;
        master.shown = Shown {
            security: security.clone(),
            authorization: security.http_authorization(),
        };
        Ok(master)
    }

    /// Moves to each master that leads, by what the detector says: also when none is left of those
    /// that would send us on.
    #[must_use]
    pub fn following(mut self, detector: Detector) -> HttpMaster {
        self.detector = Some(detector);
        self
    }

    pub(crate) fn detector(&self) -> Option<&Detector> {
        self.detector.as_ref()
    }

    /// Shows it this as `Authorization` in every request.
    #[must_use]
    pub fn authorization(mut self, authorization: Option<String>) -> HttpMaster {
        self.shown.authorization = authorization;
        self
    }
}

impl std::fmt::Display for HttpMaster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = match self.shown.security.is_tls() {
            true => "https",
            false => "http",
        };
        write!(f, "{scheme}://{}", self.address)
    }
}

/// What comes from the tasks that hold the connections.
#[derive(Debug)]
pub(crate) enum News {
    /// There is a stream, at this master.
    Opened {
        at: MasterAddress,
        peer: SocketAddr,
        stream_id: String,
    },
    /// It said something.
    Heard(Box<Input>),
    /// It is over.
    Ended(End),
    /// A call could not be made.
    Failed(Trouble),
}

/// The line to a master, of one framework.
pub(crate) struct HttpLine {
    master: HttpMaster,
    /// Where the next attempt goes: to the last leader, or where the master was said to be.
    next: MasterAddress,
    subscription: Option<Subscription>,
    /// Counts subscriptions, so that news of one that is over is known.
    count: u64,
}

/// The news of one subscription, to wait for outside of the process.
pub(crate) struct Listener {
    number: u64,
    news: mpsc::Receiver<News>,
}

impl Listener {
    /// The next news; none when there will be no more.
    pub(crate) async fn next(mut self) -> Option<(News, Listener)> {
        let news = self.news.recv().await?;
        Some((news, self))
    }
}

/// A subscription that is there, or is being asked for.
struct Subscription {
    /// Given to the task that makes the calls.
    teller: mpsc::Sender<News>,
    calls: Option<mpsc::Sender<Posting>>,
    /// Who is at the other end, once there is a stream.
    peer: Option<SocketAddr>,
    task: AbortHandle,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A call to make, and whom to tell that it was made.
struct Posting {
    call: Call,
    made: Option<oneshot::Sender<()>>,
}

impl HttpLine {
    pub(crate) fn new(master: HttpMaster) -> HttpLine {
        HttpLine {
            next: master.address.clone(),
            master,
            subscription: None,
            count: 0,
        }
    }

    pub(crate) fn master(&self) -> &HttpMaster {
        &self.master
    }

    /// This master leads; true if that voids what there was with another.
    pub(crate) fn led_by(&mut self, leader: &Leader) -> bool {
        let peer = self.subscription.as_ref().and_then(|on| on.peer);
        if peer == Some(leader.pid.upid().address()) {
            return false;
        }
        self.next = MasterAddress::of(leader);
        self.subscription.take().is_some()
    }

    /// Says something to the master. To subscribe gives a listener, unless that is being done: an
    /// attempt comes to an end by itself.
    pub(crate) fn tell(&mut self, message: &ToMaster) -> Option<Listener> {
        let call = call::call(message);
        if let ToMaster::Subscribe(..) = message {
            return self.subscription.is_none().then(|| self.subscribe(call));
        }
        self.post(Posting { call, made: None });
        None
    }

    /// Says that the framework is done; gives what comes true once the master has heard it.
    pub(crate) fn teardown(&mut self, framework_id: &FrameworkId) -> oneshot::Receiver<()> {
        let (made, heard) = oneshot::channel();
        self.post(Posting {
            call: call::teardown(framework_id),
            made: Some(made),
        });
        heard
    }

    fn subscribe(&mut self, call: Call) -> Listener {
        let (teller, news) = mpsc::channel(NEWS_MAX);
        let (at, shown) = (self.next.clone(), self.master.shown.clone());
        let told = teller.clone();
        let task = tokio::spawn(async move {
            let end = stream::subscription(at, call, shown, told.clone()).await;
            // Nobody listens when the framework has ended.
            let _ = told.send(News::Ended(end)).await;
        });
        self.subscription = Some(Subscription {
            teller,
            calls: None,
            peer: None,
            task: task.abort_handle(),
        });
        self.count += 1;
        let number = self.count;
        Listener { number, news }
    }

    fn post(&mut self, posting: Posting) {
        let calls = self.subscription.as_ref().and_then(|on| on.calls.as_ref());
        let Some(calls) = calls else {
            // The session says nothing to a master that has not taken it in.
            return tracing::debug!("call without a stream is not made");
        };
        if calls.try_send(posting).is_err() {
            tracing::warn!(limit = CALLS_MAX, "calls wait too long for the master");
            let broken = std::io::Error::other("too many calls wait for it");
            // The channel of the news has room, or the stream is ended by what fills it.
            if let Some(on) = &self.subscription {
                let _ = on.teller.try_send(News::Failed(Trouble::Connect(broken)));
            }
        }
    }

    /// Whether what a listener hears is still of the subscription that is.
    pub(crate) fn is_current(&self, listener: &Listener) -> bool {
        self.subscription.is_some() && listener.number == self.count
    }

    /// What the news are to the session; none when they are nothing to it.
    pub(crate) fn heard(&mut self, news: News) -> Option<Input> {
        match news {
            News::Opened {
                at,
                peer,
                stream_id,
            } => {
                let on = self.subscription.as_mut()?;
                let (calls, waiting) = mpsc::channel(CALLS_MAX);
                on.calls = Some(calls);
                on.peer = Some(peer);
                self.next = at.clone();
                let line = Calling {
                    at,
                    shown: self.master.shown.clone(),
                    stream_id,
                };
                tokio::spawn(make_calls(line, waiting, on.teller.clone()));
                None
            }
            News::Heard(input) => Some(*input),
            News::Ended(End::Refused(reason)) => {
                self.subscription = None;
                Some(Input::Rejected(reason))
            }
            News::Ended(end) => {
                tracing::debug!(master = %self.next, %end, "stream ended");
                self.broken()
            }
            News::Failed(trouble) => {
                tracing::debug!(master = %self.next, %trouble, "call not made");
                self.broken()
            }
        }
    }

    fn broken(&mut self) -> Option<Input> {
        self.subscription = None;
        // Who led may be gone: then the others know who does, or the detector.
        self.next = match self.master.detector() {
            Some(detector) => {
                detector.miss();
                let leader = detector.leader();
                leader.map_or_else(|| self.next.clone(), |leader| MasterAddress::of(&leader))
            }
            None => self.master.address.clone(),
        };
        Some(Input::Broken)
    }
}

/// Where calls of a subscription go, and what they show.
struct Calling {
    at: MasterAddress,
    shown: Shown,
    stream_id: String,
}

/// Makes calls, one after the other, until the subscription is over.
async fn make_calls(line: Calling, mut calls: mpsc::Receiver<Posting>, news: mpsc::Sender<News>) {
    let mut connection = None;
    while let Some(posting) = calls.recv().await {
        if let Err(trouble) = make_call(&line, &posting.call, &mut connection).await {
            // Nobody listens when the framework has ended.
            let _ = news.send(News::Failed(trouble)).await;
            return;
        }
        if let Some(made) = posting.made {
            let _ = made.send(()); // the same
        }
    }
}

async fn make_call(
    line: &Calling,
    call: &Call,
    connection: &mut Option<Connection>,
) -> Result<(), Trouble> {
    let stream_id = Some(line.stream_id.as_str());
    // The master closes connections that rest.
    let kept = connection.take().filter(Connection::is_open);
    let mut open = match kept {
        Some(open) => open,
        None => Connection::open(&line.at, &line.shown).await?,
    };
    let response = match open.post(call, &line.shown, stream_id).await {
        // It was closed before anything was sent.
        Err(Trouble::Broken(error)) if error.is_canceled() => {
            open = Connection::open(&line.at, &line.shown).await?;
            open.post(call, &line.shown, stream_id).await?
        }
        posted => posted?,
    };
    let status = response.status();
    let reason = reason(response).await;
    *connection = Some(open);
    if status != StatusCode::ACCEPTED {
        let call = call.kind.map(|kind| kind.as_str());
        tracing::warn!(call, reason, "master refused a call");
    }
    Ok(())
}
