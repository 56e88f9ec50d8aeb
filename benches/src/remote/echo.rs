//! A bare socket that gives back what it gets: what a round trip costs at least.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::case::{Case, Kind};
use super::serve::each_connection;
use crate::measure::latency::Latency;
use crate::measure::pace;
use crate::measure::reading::Reading;

/// Bytes read at once.
const READ: usize = 64 << 10;
/// Bytes of a question that say when it was due.
const STAMP: usize = 8;

/// Gives back whatever comes.
pub(super) async fn serve(listener: TcpListener) -> io::Result<()> {
    each_connection(listener, serve_one).await
}

async fn serve_one(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; READ];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..count]).await?;
    }
}

/// Whether `case` has an echo to be set beside.
pub(super) fn has(case: Case) -> bool {
    matches!(case.kind, Kind::Ask { in_flight: 1 } | Kind::Paced { .. })
}

/// Measures `case` against the echo at `address`.
pub(super) fn measure(case: Case, address: SocketAddr) -> io::Result<Vec<Reading>> {
    libproc::run_alone(async {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        match case.kind {
            Kind::Paced { per_second } => paced(case, stream, per_second).await,
            Kind::OneWay { .. } | Kind::Ask { .. } => round_trips(case, stream).await,
        }
    })
}

async fn round_trips(case: Case, mut stream: TcpStream) -> io::Result<Vec<Reading>> {
    let mut latency = Latency::new();
    let mut payload = vec![7; case.bytes];
    stream.write_all(&payload).await?;
    stream.read_exact(&mut payload).await?;
    let began = Instant::now();
    let mut sent = began;
    for _ in 0..case.count {
        stream.write_all(&payload).await?;
        stream.read_exact(&mut payload).await?;
        let now = Instant::now();
        latency.record((now - sent).as_nanos() as u64);
        sent = now;
    }
    let each = began.elapsed().as_nanos() as f64 / case.count as f64;
    Ok(vec![
        Reading::time(case.name, case.of, each).with_latency(latency),
    ])
}

async fn paced(case: Case, stream: TcpStream, per_second: u64) -> io::Result<Vec<Reading>> {
    let began = Instant::now();
    let (due, mut all_due) = mpsc::unbounded_channel();
    let pacer = pace::start(began, per_second, case.count, move |nanoseconds| {
        // Refused only when the measurement has failed.
        let _ = due.send(nanoseconds);
    });
    let (mut reader, mut writer) = stream.into_split();
    let size = case.bytes.max(2 * STAMP);
    let writing = tokio::task::spawn_local(async move {
        let mut payload = vec![7; size];
        while let Some(nanoseconds) = all_due.recv().await {
            let sent = began.elapsed().as_nanos() as u64;
            payload[..STAMP].copy_from_slice(&u64::to_le_bytes(nanoseconds));
            payload[STAMP..2 * STAMP].copy_from_slice(&sent.to_le_bytes());
            writer.write_all(&payload).await?;
        }
        io::Result::Ok(())
    });
    let (mut from_due, mut from_sent) = (Latency::new(), Latency::new());
    let mut payload = vec![0; size];
    for _ in 0..case.count {
        reader.read_exact(&mut payload).await?;
        from_due.record_since(began + stamp(&payload[..STAMP]));
        from_sent.record_since(began + stamp(&payload[STAMP..2 * STAMP]));
    }
    writing.await??;
    pace::ended(pacer)?;
    Ok(pace::readings(case.name, from_due, from_sent))
}

fn stamp(bytes: &[u8]) -> Duration {
    Duration::from_nanos(bytes.try_into().map_or(0, u64::from_le_bytes))
}
