//! A client of HTTP/1.1 that costs next to nothing: one connection, kept open.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

/// No answer takes longer than this.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes read at once.
const READ_BYTES: usize = 256 << 10;

pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    line: String,
    /// The last body that was read.
    pub(crate) body: Vec<u8>,
}

/// An answer whose body is still to be read.
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) stream_id: Option<String>,
    /// The length of the body; in chunks, if none.
    length: Option<usize>,
}

/// How an answer came.
pub(crate) struct Came {
    pub(crate) first_byte: Duration,
    pub(crate) whole: Duration,
}

/// A request, as it goes over the wire.
pub(crate) fn request(line: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{line} HTTP/1.1\r\nHost: master\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> anyhow::Result<Client> {
        let stream = TcpStream::connect(address).context("could not connect")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Client {
            stream: BufReader::with_capacity(READ_BYTES, stream),
            line: String::new(),
            body: Vec::new(),
        })
    }

    pub(crate) fn send(&mut self, request: &[u8]) -> anyhow::Result<()> {
        Ok(self.stream.get_mut().write_all(request)?)
    }

    fn line(&mut self) -> anyhow::Result<&str> {
        self.line.clear();
        let read = self.stream.read_line(&mut self.line)?;
        ensure!(read > 0, "the master hung up");
        Ok(self.line.trim_end())
    }

    pub(crate) fn head(&mut self) -> anyhow::Result<Head> {
        let first = self.line()?;
        let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
        let mut head = Head {
            status: status.with_context(|| format!("no status in '{first}'"))?,
            stream_id: None,
            length: None,
        };
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(": ") else {
                return Ok(head);
            };
            if name.eq_ignore_ascii_case("content-length") {
                head.length = Some(value.parse()?);
            } else if name.eq_ignore_ascii_case("mesos-stream-id") {
                head.stream_id = Some(value.to_owned());
            }
        }
    }

    /// Reads the next chunk behind what is there of the body; false when there is none.
    pub(crate) fn chunk(&mut self) -> anyhow::Result<bool> {
        let length = usize::from_str_radix(self.line()?, 16)?;
        self.take(length)?;
        self.line()?;
        Ok(length > 0)
    }

    fn take(&mut self, length: usize) -> anyhow::Result<()> {
        let before = self.body.len();
        self.body.resize(before + length, 0);
        self.stream.read_exact(&mut self.body[before..])?;
        Ok(())
    }

    /// Sends a request and reads its answer into [`Self::body`].
    pub(crate) fn get(&mut self, request: &[u8]) -> anyhow::Result<Came> {
        let began = Instant::now();
        self.send(request)?;
        let head = self.head()?;
        if head.length != Some(0) {
            self.stream.fill_buf()?;
        }
        let first_byte = began.elapsed();
        self.body.clear();
        match head.length {
            Some(length) => self.take(length)?,
            None => while self.chunk()? {},
        }
        if head.status != 200 {
            bail!(
                "the master answered {}: {}",
                head.status,
                String::from_utf8_lossy(&self.body)
            );
        }
        let whole = began.elapsed();
        Ok(Came { first_byte, whole })
    }
}
