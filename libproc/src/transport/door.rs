//! The door of a node: whatever connects is frames, HTTP, or TLS with one of them inside.

use std::io;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::connection;
use super::greeting::{Talk, farewell};
use super::handshake::{self, PREFACE, TIMEOUT};
use crate::http;
use crate::http::server::Visitor;
use crate::net::Stream;
use crate::node::Node;
use crate::security::{self, Denied, HttpAccess, HttpClient, Scheme};

/// The byte that opens TLS.
const TLS: u8 = 0x16;
/// Says to a TLS client that there is no TLS: a fatal alert, `protocol_version`.
const NO_TLS: &[u8] = &[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 70];
/// Bytes read at first.
const OPENING: usize = 1024;

/// What there is to do once it is known who came.
enum Opened {
    Http {
        stream: Stream,
        opening: BytesMut,
        client: HttpClient,
    },
    /// Nothing: a node that was let in, or somebody who was not.
    Done,
}

/// Serves whatever connected: TLS, frames when it opens with our preface, else HTTP.
pub(crate) async fn accept(node: Node, stream: Stream) {
    let Some(_counted) = connection::seat(&node) else {
        return;
    };
    let seat = node.strangers().seat();
    let opened = tokio::select! {
        biased; // any order will do, but the same one in every run
        opened = timeout(TIMEOUT, open(&node, stream)) => opened,
        () = seat.evicted() => {
            node.counters().evicted_connections.add(1);
            return;
        }
    };
    match opened {
        Ok(Ok(Opened::Http {
            stream,
            opening,
            client,
        })) => {
            let visitor = Visitor::new(client, seat);
            http::server::serve(node.clone(), stream, opening, visitor).await;
        }
        Ok(Ok(Opened::Done)) => {}
        Ok(Err(error)) => {
            if error.kind() == io::ErrorKind::InvalidData {
                node.counters().refused_connections.add(1);
            }
            tracing::debug!(%error, "connection refused");
        }
        Err(_) => node.counters().evicted_connections.add(1), // silent
    }
}

async fn open(node: &Node, mut stream: Stream) -> io::Result<Opened> {
    let from = stream.peer_addr()?;
    let mut opening = BytesMut::with_capacity(OPENING);
    if stream.read_buf(&mut opening).await? == 0 {
        return Ok(Opened::Done);
    }
    let is_tls = opening[0] == TLS;
    let scheme = node.security().scheme();
    match &scheme {
        Scheme::Tls(tls) if is_tls => {
            let config = match node.security().http_access(&scheme) {
                HttpAccess::Members => &tls.server,
                HttpAccess::PagesOnLoopback | HttpAccess::Pages | HttpAccess::Anybody => {
                    &tls.open_server
                }
            };
            match stream.answer_tls(config.clone(), opening).await {
                Ok(inner) => stream = inner,
                Err((error, rest)) => {
                    let denied = security::denial(&error);
                    if let Some(denied) = denied {
                        node.denies(from, None, denied);
                    }
                    farewell(rest).await;
                    return Err(match denied {
                        Some(_) => io::Error::new(io::ErrorKind::PermissionDenied, error),
                        None => error,
                    });
                }
            }
            opening = BytesMut::with_capacity(OPENING);
        }
        Scheme::Tls(_) => {
            node.denies(from, None, Denied::TlsWanted);
            refuse_plain(stream, opening).await?;
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "no TLS"));
        }
        Scheme::None | Scheme::Secret(_) if is_tls => {
            node.denies(from, None, Denied::NoTlsThere);
            stream.write_all(NO_TLS).await?;
            farewell(stream).await;
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "TLS"));
        }
        Scheme::None | Scheme::Secret(_) => {}
    }
    if opens_with_preface(&mut stream, &mut opening).await? {
        handshake::answer(node, stream, opening).await?;
        return Ok(Opened::Done);
    }
    let client = HttpClient {
        ip: from.ip(),
        rank: stream.certificates().and_then(security::rank),
    };
    Ok(Opened::Http {
        stream,
        opening,
        client,
    })
}

async fn opens_with_preface(stream: &mut Stream, opening: &mut BytesMut) -> io::Result<bool> {
    loop {
        let seen = opening.len().min(PREFACE.len());
        if opening[..seen] != PREFACE[..seen] {
            return Ok(false);
        }
        if seen == PREFACE.len() {
            opening.advance(seen);
            return Ok(true);
        }
        if stream.read_buf(opening).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Tells one who speaks in the clear, in its own language, that this port wants TLS.
async fn refuse_plain(mut stream: Stream, mut opening: BytesMut) -> io::Result<()> {
    if opening[0].is_ascii_uppercase() {
        let text = "This port speaks TLS: use https, with a certificate.\n";
        let response = format!(
            "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{text}",
            text.len()
        );
        stream.write_all(response.as_bytes()).await?;
        farewell(stream).await;
    } else if opens_with_preface(&mut stream, &mut opening).await? {
        let mut talk = Talk {
            stream,
            unread: opening,
        };
        talk.hear().await?;
        talk.deny(Denied::TlsWanted).await;
    }
    Ok(())
}
