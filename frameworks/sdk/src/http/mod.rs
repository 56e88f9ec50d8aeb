//! A framework over the v1 HTTP API: what schedulers of other languages speak.
//!
//! A subscription is a request whose answer does not end; every other call is a request of its own,
//! on a second connection, in order. What the session wants said is put into calls (`call`), what
//! the stream says into what the session hears (`event`): to the author both doors are the same.

mod call;
mod event;
mod exchange;
mod stream;

use api::v1::scheduler::Call;
use hyper::StatusCode;
use libproc::Security;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use types::FrameworkId;

use self::exchange::{Connection, Headers, Trouble, reason};
use self::stream::End;
use crate::address::MasterAddress;
use crate::error::Error;
use crate::session::{Input, ToMaster};

/// How many events may wait for the framework before the stream is read no further.
const NEWS_MAX: usize = 256;
/// How many calls may wait to be made; a master that is that slow is taken for lost.
const CALLS_MAX: usize = 16_384;

/// A master that is spoken to over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpMaster {
    address: MasterAddress,
    authorization: Option<String>,
}

impl HttpMaster {
    /// The master at `ip:port` or `host:port`, or any of its cluster, which sends us on.
    ///
    /// # Errors
    /// When the text is no address.
    pub fn new(address: &str) -> Result<HttpMaster, Error> {
        Ok(HttpMaster {
            address: MasterAddress::parse(address)?,
            authorization: None,
        })
    }

    /// [`new`](HttpMaster::new) of a cluster whose members share a secret, which is shown.
    ///
    /// # Errors
    /// When the text is no address, or the members speak TLS, which this does not.
    pub fn secured(address: &str, security: &Security) -> Result<HttpMaster, Error> {
        if security.is_tls() {
            return Err(Error::HttpOverTls);
        }
        let master = HttpMaster::new(address)?;
        Ok(master.authorization(security.http_authorization()))
    }

    /// Shows it this as `Authorization` in every request.
    #[must_use]
    pub fn authorization(mut self, authorization: Option<String>) -> HttpMaster {
        self.authorization = authorization;
        self
    }
}

impl std::fmt::Display for HttpMaster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "http://{}", self.address)
    }
}

/// What comes from the tasks that hold the connections.
#[derive(Debug)]
pub(crate) enum News {
    /// There is a stream, at this master.
    Opened {
        at: MasterAddress,
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
        let (at, authorization) = (self.next.clone(), self.master.authorization.clone());
        let told = teller.clone();
        let task = tokio::spawn(async move {
            let end = stream::subscription(at, call, authorization, told.clone()).await;
            // Nobody listens when the framework has ended.
            let _ = told.send(News::Ended(end)).await;
        });
        self.subscription = Some(Subscription {
            teller,
            calls: None,
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
            News::Opened { at, stream_id } => {
                let on = self.subscription.as_mut()?;
                let (calls, waiting) = mpsc::channel(CALLS_MAX);
                on.calls = Some(calls);
                self.next = at.clone();
                let headers = Headers {
                    authorization: self.master.authorization.clone(),
                    stream_id: Some(stream_id),
                };
                tokio::spawn(make_calls(at, headers, waiting, on.teller.clone()));
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
        // Who led may be gone: then the others know who does.
        self.next = self.master.address.clone();
        Some(Input::Broken)
    }
}

/// Makes calls, one after the other, until the subscription is over.
async fn make_calls(
    at: MasterAddress,
    headers: Headers,
    mut calls: mpsc::Receiver<Posting>,
    news: mpsc::Sender<News>,
) {
    let mut connection = None;
    while let Some(posting) = calls.recv().await {
        if let Err(trouble) = make_call(&at, &headers, &posting.call, &mut connection).await {
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
    at: &MasterAddress,
    headers: &Headers,
    call: &Call,
    connection: &mut Option<Connection>,
) -> Result<(), Trouble> {
    // The master closes connections that rest.
    let kept = connection.take().filter(Connection::is_open);
    let mut open = match kept {
        Some(open) => open,
        None => Connection::open(at).await?,
    };
    let response = match open.post(call, headers).await {
        // It was closed before anything was sent.
        Err(Trouble::Broken(error)) if error.is_canceled() => {
            open = Connection::open(at).await?;
            open.post(call, headers).await?
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
