//! The one way to sockets: the operating system's, or in a simulation turmoil's, with TLS over
//! either.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

/// Where both sides of a connection are that crosses no network.
#[cfg(feature = "sim")]
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// Whether this thread runs a host of a simulation.
pub(crate) fn in_simulation() -> bool {
    #[cfg(feature = "sim")]
    return turmoil::in_simulation();
    #[cfg(not(feature = "sim"))]
    false
}

pub(crate) enum Listener {
    Real(tokio::net::TcpListener),
    /// With the address of its host: the simulated one answers at all of a host's addresses.
    #[cfg(feature = "sim")]
    Sim(turmoil::net::TcpListener, std::net::IpAddr),
}

pub(crate) enum Stream {
    Real(tokio::net::TcpStream),
    #[cfg(feature = "sim")]
    Sim(turmoil::net::TcpStream),
    /// No network at all.
    #[cfg(feature = "sim")]
    Memory(tokio::io::DuplexStream),
    Tls(Box<TlsStream<Rewound>>),
}

pub(crate) enum ReadHalf {
    Real(tokio::net::tcp::OwnedReadHalf),
    #[cfg(feature = "sim")]
    Sim(turmoil::net::tcp::OwnedReadHalf),
    #[cfg(feature = "sim")]
    Memory(tokio::io::ReadHalf<tokio::io::DuplexStream>),
    Tls(tokio::io::ReadHalf<Box<TlsStream<Rewound>>>),
}

pub(crate) enum WriteHalf {
    Real(Direct),
    #[cfg(feature = "sim")]
    Sim(turmoil::net::tcp::OwnedWriteHalf),
    #[cfg(feature = "sim")]
    Memory(tokio::io::WriteHalf<tokio::io::DuplexStream>),
    Tls(tokio::io::WriteHalf<Box<TlsStream<Rewound>>>),
}

/// The sending side of a socket of the operating system. It closes when the last clone is dropped.
#[derive(Clone)]
pub(crate) struct Direct(Arc<tokio::net::tcp::OwnedWriteHalf>);

/// A stream whose first bytes were read already.
pub(crate) struct Rewound {
    pub(crate) opening: BytesMut,
    pub(crate) stream: Stream,
}

impl Listener {
    pub(crate) async fn bind(address: SocketAddr) -> io::Result<Listener> {
        #[cfg(feature = "sim")]
        if in_simulation() {
            let any = SocketAddr::from(([0, 0, 0, 0], address.port()));
            let listener = turmoil::net::TcpListener::bind(any).await?;
            return Ok(Listener::Sim(listener, address.ip()));
        }
        tokio::net::TcpListener::bind(address)
            .await
            .map(Listener::Real)
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Listener::Real(listener) => listener.local_addr(),
            #[cfg(feature = "sim")]
            Listener::Sim(listener, ip) => Ok(SocketAddr::new(*ip, listener.local_addr()?.port())),
        }
    }

    pub(crate) async fn accept(&self) -> io::Result<Stream> {
        match self {
            Listener::Real(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Stream::Real(stream))
            }
            #[cfg(feature = "sim")]
            Listener::Sim(listener, _) => Ok(Stream::Sim(listener.accept().await?.0)),
        }
    }
}

impl Stream {
    pub(crate) async fn connect(address: SocketAddr) -> io::Result<Stream> {
        #[cfg(feature = "sim")]
        if in_simulation() {
            return connect_simulated(address).await.map(Stream::Sim);
        }
        let stream = tokio::net::TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Stream::Real(stream))
    }

    /// Begins TLS as the one who dialed `ip`, whose certificate must name that.
    pub(crate) async fn dial_tls(
        self,
        config: Arc<ClientConfig>,
        ip: IpAddr,
    ) -> io::Result<Stream> {
        let name = ServerName::IpAddress(ip.into());
        let opening = BytesMut::new();
        let rewound = Rewound {
            opening,
            stream: self,
        };
        let stream = TlsConnector::from(config).connect(name, rewound).await?;
        Ok(Stream::Tls(Box::new(TlsStream::Client(stream))))
    }

    /// Begins TLS as the one who was dialed, by a client of whom `opening` was read; if that fails,
    /// gives back the stream below.
    pub(crate) async fn answer_tls(
        self,
        config: Arc<ServerConfig>,
        opening: BytesMut,
    ) -> Result<Stream, (io::Error, Stream)> {
        let rewound = Rewound {
            opening,
            stream: self,
        };
        let accepted = TlsAcceptor::from(config)
            .accept(rewound)
            .into_fallible()
            .await;
        let stream = accepted.map_err(|(error, rewound)| (error, rewound.stream))?;
        Ok(Stream::Tls(Box::new(TlsStream::Server(stream))))
    }

    /// The certificate that the other side has shown, and what leads from there to an authority.
    pub(crate) fn certificates(&self) -> Option<&[CertificateDer<'static>]> {
        match self {
            Stream::Tls(stream) => stream.get_ref().1.peer_certificates(),
            Stream::Real(_) => None,
            #[cfg(feature = "sim")]
            Stream::Sim(_) | Stream::Memory(_) => None,
        }
    }

    /// Where this side of the connection is.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Stream::Real(stream) => stream.local_addr(),
            #[cfg(feature = "sim")]
            Stream::Sim(stream) => stream.local_addr(),
            #[cfg(feature = "sim")]
            Stream::Memory(_) => Ok(NOWHERE),
            Stream::Tls(stream) => stream.get_ref().0.stream.local_addr(),
        }
    }

    /// Where the other side of the connection is.
    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Stream::Real(stream) => stream.peer_addr(),
            #[cfg(feature = "sim")]
            Stream::Sim(stream) => stream.peer_addr(),
            #[cfg(feature = "sim")]
            Stream::Memory(_) => Ok(NOWHERE),
            Stream::Tls(stream) => stream.get_ref().0.stream.peer_addr(),
        }
    }

    pub(crate) fn into_split(self) -> (ReadHalf, WriteHalf) {
        match self {
            Stream::Real(stream) => {
                let (read, write) = stream.into_split();
                (
                    ReadHalf::Real(read),
                    WriteHalf::Real(Direct(Arc::new(write))),
                )
            }
            #[cfg(feature = "sim")]
            Stream::Sim(stream) => {
                let (read, write) = stream.into_split();
                (ReadHalf::Sim(read), WriteHalf::Sim(write))
            }
            #[cfg(feature = "sim")]
            Stream::Memory(stream) => {
                let (read, write) = tokio::io::split(stream);
                (ReadHalf::Memory(read), WriteHalf::Memory(write))
            }
            Stream::Tls(stream) => {
                let (read, write) = tokio::io::split(stream);
                (ReadHalf::Tls(read), WriteHalf::Tls(write))
            }
        }
    }
}

impl WriteHalf {
    /// What can be written to without waiting; none where bytes take more than a socket.
    pub(crate) fn direct(&self) -> Option<Direct> {
        match self {
            WriteHalf::Real(direct) => Some(direct.clone()),
            WriteHalf::Tls(_) => None,
            #[cfg(feature = "sim")]
            WriteHalf::Sim(_) | WriteHalf::Memory(_) => None,
        }
    }
}

impl Direct {
    /// Writes what the socket takes at once; how many bytes that was.
    ///
    /// # Errors
    /// Of the kind [`WouldBlock`](io::ErrorKind::WouldBlock) when it takes nothing now.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }
}

impl AsyncWrite for Direct {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let socket: &tokio::net::TcpStream = (*self.0).as_ref();
        loop {
            ready!(socket.poll_write_ready(cx))?;
            match socket.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }
    /// A socket keeps nothing back.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    /// Others may still write; dropped, it closes.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Connects as over a real network: where the link is cut nobody answers, not even to refuse.
///
/// Turmoil drops what is sent over a cut link before anybody waits for an answer, and takes that
/// for a refusal; a refusal by the peer needs time to come.
#[cfg(feature = "sim")]
async fn connect_simulated(address: SocketAddr) -> io::Result<turmoil::net::TcpStream> {
    let mut connecting = std::pin::pin!(turmoil::net::TcpStream::connect(address));
    let at_once = std::future::poll_fn(|cx| Poll::Ready(connecting.as_mut().poll(cx))).await;
    match at_once {
        Poll::Ready(Err(_)) => std::future::pending().await,
        Poll::Ready(Ok(stream)) => Ok(stream),
        Poll::Pending => connecting.await,
    }
}

macro_rules! either {
    ($self:ident, $inner:ident => $call:expr) => {
        match $self.get_mut() {
            Self::Real($inner) => $call,
            #[cfg(feature = "sim")]
            Self::Sim($inner) => $call,
            #[cfg(feature = "sim")]
            Self::Memory($inner) => $call,
            Self::Tls($inner) => $call,
        }
    };
}

macro_rules! read_through {
    ($($half:ty),*) => { $(impl AsyncRead for $half {
        fn poll_read(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            either!(self, inner => Pin::new(inner).poll_read(cx, buffer))
        }
    })* };
}

macro_rules! write_through {
    ($($half:ty),*) => { $(impl AsyncWrite for $half {
        fn poll_write(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            either!(self, inner => Pin::new(inner).poll_write(cx, bytes))
        }
        fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            either!(self, inner => Pin::new(inner).poll_flush(cx))
        }
        fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            either!(self, inner => Pin::new(inner).poll_shutdown(cx))
        }
    })* };
}

read_through!(Stream, ReadHalf);
write_through!(Stream, WriteHalf);

impl AsyncRead for Rewound {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.opening.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let count = self.opening.len().min(buffer.remaining());
        buffer.put_slice(&self.opening[..count]);
        self.opening.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
