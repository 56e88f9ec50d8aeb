//! The floor: the least that messages between two OS processes cost with this body format. One
//! task a side, a bare tokio socket, a fixed header, writes of many messages, bodies decoded where
//! they were read; no processes, no names, no handshake, no flow control.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use bytes::{Buf, BufMut, BytesMut};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::case::{Case, Kind};
use super::serve::each_connection;
use crate::measure::latency::Latency;
use crate::measure::reading::Reading;

/// Bytes written and read at once.
const BATCH: usize = 64 << 10;
/// Largest frame taken, without its length: a stranger's number is no reason to wait for memory.
const FRAME_MAX: usize = 1 << 20;
/// A frame's length.
const LENGTH: usize = 4;
/// What stands before the body: receiver, sender, kind.
const HEADER: usize = 8 + 8 + 2;

/// Kinds of frames.
const LOAD: u16 = 0;
const COUNT: u16 = 1;
const ECHO: u16 = 2;
const REPLY: u16 = 3;

#[derive(Serialize, Deserialize)]
struct Load<'a> {
    #[serde(with = "serde_bytes", borrow)]
    bytes: &'a [u8],
}

#[derive(Serialize, Deserialize)]
struct Tagged<'a> {
    tag: u64,
    #[serde(with = "serde_bytes", borrow)]
    bytes: &'a [u8],
}

/// Appends a frame.
fn put(out: &mut BytesMut, to: u64, kind: u16, body: &impl Serialize) -> io::Result<()> {
    let start = out.len();
    out.put_u32_le(0);
    out.put_u64_le(to);
    out.put_u64_le(1);
    out.put_u16_le(kind);
    rmp_serde::encode::write(&mut out.writer(), body).map_err(io::Error::other)?;
    let length = (out.len() - start - LENGTH) as u32;
    out[start..start + LENGTH].copy_from_slice(&length.to_le_bytes());
    Ok(())
}

/// A frame's kind and body.
struct Frame<'a> {
    kind: u16,
    body: &'a [u8],
}

/// Hands every whole frame of `buffer` to `each`, and leaves the rest.
fn take(
    buffer: &mut BytesMut,
    mut each: impl FnMut(Frame<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let mut at = 0;
    loop {
        let rest = &buffer[at..];
        let Some(length) = rest.first_chunk::<LENGTH>() else {
            break;
        };
        let length = u32::from_le_bytes(*length) as usize;
        if !(HEADER..=FRAME_MAX).contains(&length) {
            return Err(io::Error::other("that is no frame"));
        }
        let Some(frame) = rest.get(LENGTH..LENGTH + length) else {
            break;
        };
        let kind = u16::from_le_bytes([frame[16], frame[17]]);
        each(Frame {
            kind,
            body: &frame[HEADER..],
        })?;
        at += LENGTH + length;
    }
    buffer.advance(at);
    Ok(())
}

fn decode<'a, T: Deserialize<'a>>(body: &'a [u8]) -> io::Result<T> {
    rmp_serde::from_slice(body).map_err(io::Error::other)
}

/// Counts loads, and answers the rest.
pub(super) async fn serve(listener: TcpListener) -> io::Result<()> {
    each_connection(listener, serve_one).await
}

async fn serve_one(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = BytesMut::with_capacity(2 * BATCH);
    let mut out = BytesMut::with_capacity(BATCH);
    let mut count = 0u64;
    loop {
        buffer.reserve(BATCH);
        if stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
        take(&mut buffer, |Frame { kind, body }| {
            match kind {
                LOAD => {
                    std::hint::black_box(decode::<Load<'_>>(body)?.bytes);
                    count += 1;
                }
                COUNT => put(
                    &mut out,
                    1,
                    REPLY,
                    &Tagged {
                        tag: count,
                        bytes: &[],
                    },
                )?,
                _ => put(&mut out, 1, REPLY, &decode::<Tagged<'_>>(body)?)?,
            }
            Ok(())
        })?;
        if !out.is_empty() {
            stream.write_all(&out).await?;
            out.clear();
        }
    }
}

/// Whether `case` has a floor.
pub(super) fn has(case: Case) -> bool {
    !matches!(case.kind, Kind::Paced { .. })
}

/// Measures `case` against the floor at `address`.
pub(super) fn measure(case: Case, address: SocketAddr) -> io::Result<Vec<Reading>> {
    libproc::run_alone(async {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        match case.kind {
            Kind::OneWay { targets } => one_way(case, stream, targets).await,
            Kind::Ask { in_flight } => ask(case, stream, in_flight).await,
            Kind::Paced { .. } => Ok(Vec::new()),
        }
    })
}

async fn one_way(case: Case, mut stream: TcpStream, targets: usize) -> io::Result<Vec<Reading>> {
    let payload = vec![7; case.bytes];
    let mut out = BytesMut::with_capacity(2 * BATCH);
    let began = Instant::now();
    for number in 0..case.count {
        put(
            &mut out,
            number % targets as u64,
            LOAD,
            &Load { bytes: &payload },
        )?;
        if out.len() >= BATCH {
            stream.write_all(&out).await?;
            out.clear();
        }
    }
    put(&mut out, 1, COUNT, &Tagged { tag: 0, bytes: &[] })?;
    stream.write_all(&out).await?;
    let mut came = None;
    let mut buffer = BytesMut::with_capacity(BATCH);
    while came.is_none() {
        if stream.read_buf(&mut buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        take(&mut buffer, |frame| {
            came = Some(decode::<Tagged<'_>>(frame.body)?.tag);
            Ok(())
        })?;
    }
    let elapsed = began.elapsed();
    if came != Some(case.count) {
        return Err(io::Error::other("the floor lost messages"));
    }
    let each = elapsed.as_nanos() as f64 / case.count as f64;
    Ok(vec![Reading::time(case.name, case.of, each)])
}

async fn ask(case: Case, mut stream: TcpStream, in_flight: u64) -> io::Result<Vec<Reading>> {
    let payload = vec![7; case.bytes];
    let mut latency = Latency::new();
    let (mut out, mut buffer) = (
        BytesMut::with_capacity(BATCH),
        BytesMut::with_capacity(BATCH),
    );
    let (mut asked, mut answered) = (0u64, 0u64);
    let began = Instant::now();
    // When the question in each place was asked.
    let mut places = vec![began; in_flight.min(case.count) as usize];
    for (tag, place) in places.iter_mut().enumerate() {
        *place = Instant::now();
        put(
            &mut out,
            1,
            ECHO,
            &Tagged {
                tag: tag as u64,
                bytes: &payload,
            },
        )?;
        asked += 1;
    }
    while answered < case.count {
        if !out.is_empty() {
            stream.write_all(&out).await?;
            out.clear();
        }
        buffer.reserve(BATCH);
        if stream.read_buf(&mut buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        take(&mut buffer, |frame| {
            let tag = decode::<Tagged<'_>>(frame.body)?.tag;
            let Some(place) = places.get_mut(tag as usize) else {
                return Err(io::Error::other("nobody asked that"));
            };
            let now = Instant::now();
            latency.record((now - *place).as_nanos() as u64);
            answered += 1;
            if asked < case.count {
                *place = now;
                put(
                    &mut out,
                    1,
                    ECHO,
                    &Tagged {
                        tag,
                        bytes: &payload,
                    },
                )?;
                asked += 1;
            }
            Ok(())
        })?;
    }
    let each = began.elapsed().as_nanos() as f64 / case.count as f64;
    Ok(vec![
        Reading::time(case.name, case.of, each).with_latency(latency),
    ])
}
