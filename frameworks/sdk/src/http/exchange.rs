//! One request to a master, and its answer: a connection, plain or TLS, limits of time and size,
//! redirection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use libproc::Security;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use api::v1::Encoding;
use api::v1::scheduler::Call;

use crate::address::MasterAddress;

/// Where schedulers call.
const PATH: &str = "/api/v1/scheduler";
/// Names the stream of a scheduler.
pub(super) const STREAM_ID: &str = "mesos-stream-id";
/// What calls and events are written in.
pub(super) const ENCODING: Encoding = Encoding::Protobuf;
/// How long a master may take to be connected to, and to begin its answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most of an answer that is kept to tell people why a call was refused, in bytes.
const REASON_MAX: usize = 4_096;

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error("the address of the master cannot be looked up: {0}")]
    Lookup(String),
    #[error("the master cannot be reached: {0}")]
    Connect(io::Error),
    #[error("the connection to the master broke: {0}")]
    Broken(hyper::Error),
    #[error("the master did not answer within 10 s")]
    Silent,
    #[error("the request cannot be written: {0}")]
    Request(#[from] hyper::http::Error),
}

/// Who we show ourselves to be.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    /// By the certificate of this, where masters speak TLS.
    pub(super) security: Security,
    /// In each request.
    pub(super) authorization: Option<String>,
}

/// A connection to a master, for one request after the other.
pub(super) struct Connection {
    host: String,
    /// Who is at the other end.
    pub(super) peer: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    pub(super) async fn open(at: &MasterAddress, shown: &Shown) -> Result<Connection, Trouble> {
        let address = at.look_up().await;
        let peer = address.map_err(|error| Trouble::Lookup(error.to_string()))?;
        let silent = |_| Trouble::Silent;
        let connected = timeout(PATIENCE, TcpStream::connect(peer)).await;
        let stream = connected.map_err(silent)?.map_err(Trouble::Connect)?;
        stream.set_nodelay(true).map_err(Trouble::Connect)?;
        let sender = match shown.security.tls_client() {
            None => begin(stream).await?,
            Some(config) => {
                // Certificates of nodes name addresses.
                let name = ServerName::IpAddress(peer.ip().into());
                let greeted = TlsConnector::from(config).connect(name, stream);
                let greeted = timeout(PATIENCE, greeted).await.map_err(silent)?;
                begin(greeted.map_err(Trouble::Connect)?).await?
            }
        };
        Ok(Connection {
            host: at.to_string(),
            peer,
            sender,
        })
    }

    /// Whether another request can be sent.
    pub(super) fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Makes a call; gives the head of the answer, and the body to come.
    pub(super) async fn post(
        &mut self,
        call: &Call,
        shown: &Shown,
        stream_id: Option<&str>,
    ) -> Result<Response<Incoming>, Trouble> {
        let mut request = Request::post(PATH)
            .header(header::HOST, &self.host)
            .header(header::CONTENT_TYPE, ENCODING.media_type())
            .header(header::ACCEPT, ENCODING.media_type());
        if let Some(authorization) = &shown.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        if let Some(stream_id) = stream_id {
            request = request.header(STREAM_ID, stream_id);
        }
        let request = request.body(Full::new(ENCODING.encode(call)))?;
        let sent = async {
            self.sender.ready().await?;
            self.sender.send_request(request).await
        };
        let answered = timeout(PATIENCE, sent).await;
        answered
            .map_err(|_| Trouble::Silent)?
            .map_err(Trouble::Broken)
    }
}

/// Begins HTTP over a stream.
async fn begin<S>(stream: S) -> Result<SendRequest<Full<Bytes>>, Trouble>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let begun = handshake(TokioIo::new(stream)).await;
    let (sender, connection) = begun.map_err(Trouble::Broken)?;
    // Ends with the sender and the last answer; why is told by those.
    tokio::spawn(connection);
    Ok(sender)
}

/// The beginning of an answer that is a text for people.
pub(super) async fn reason(response: Response<Incoming>) -> String {
    let status = response.status();
    let body = timeout(
        PATIENCE,
        Limited::new(response.into_body(), REASON_MAX).collect(),
    )
    .await;
    let text = match body {
        Ok(Ok(body)) => String::from_utf8_lossy(&body.to_bytes()).trim().to_owned(),
        Ok(Err(_)) | Err(_) => String::new(),
    };
    match text.is_empty() {
        true => status.to_string(),
        false => format!("{status}: {text}"),
    }
}

/// Where a master that does not lead says that the leader is.
pub(super) fn leader<B>(response: &Response<B>) -> Option<MasterAddress> {
    if response.status() != StatusCode::TEMPORARY_REDIRECT {
        return None;
    }
    let location = response.headers().get(header::LOCATION)?.to_str().ok()?;
    // With a scheme or, as masters write it, without.
    let (_, rest) = location.split_once("//")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    MasterAddress::parse(authority).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leader_is_where_the_location_says() {
        let at = |status: u16, location: &str| {
            let response = Response::builder().status(status);
            let response = response.header("Location", location).body(()).unwrap();
            leader(&response).map(|leader| leader.to_string())
        };
        let found = Some("10.0.0.1:5051".to_owned());
        assert_eq!(at(307, "//10.0.0.1:5051/api/v1/scheduler"), found);
        assert_eq!(at(307, "http://10.0.0.1:5051/api/v1/scheduler?x"), found);
        assert_eq!(at(307, "//10.0.0.1:5051"), found);
        assert_eq!(at(200, "//10.0.0.1:5051"), None);
        assert_eq!(at(307, "/api/v1/scheduler"), None);
        assert_eq!(at(307, "//:0"), None);
    }
}
