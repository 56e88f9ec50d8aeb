//! One connection: bytes become letters, letters become bytes, silence is noticed.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::frame::{self, BadFrame, Frame, Kind, NOBODY, TABLE_MAX};
use super::peer::{Peer, PeerReply};
use crate::ask::AskError;
use crate::dead::DeadReason;
use crate::letter::{Asker, Letter, ReplyTo};
use crate::net::{ReadHalf, Stream, WriteHalf};
use crate::node::{Node, Target};
use crate::pid::{Upid, valid_id};

/// Bytes read at once at most: what one read brings should still be in the cache when it is handled.
const READ_MAX: usize = 128 << 10;
/// Bytes read at once at first: most connections never bring more.
const READ_MIN: usize = 4 << 10;
/// How long a reader waits for room in a full mailbox before letters for it are dropped.
const FULL_WAIT: Duration = Duration::from_millis(500);
/// Letters gathered for one process before they are put into its mailbox.
const RUN_MAX: usize = 1024;
/// How often it looks.
const FULL_LOOK: Duration = Duration::from_millis(1);

/// Serves the connection `epoch` of `peer` until it ends.
pub(crate) async fn serve(peer: Arc<Peer>, epoch: u64, stream: Stream, unread: BytesMut) {
    let (read, write) = stream.into_split();
    let heard = Cell::new(Instant::now());
    let mut down = peer.node().down();
    let mut reader = Reader::new(peer.clone(), epoch, &heard);
    tokio::select! {
        biased; // any order will do, but the same one in every run
        result = reader.run(read, unread) => if let Err(error) = result {
            tracing::debug!(peer = %peer.address(), %error, "connection ended");
        },
        () = write_all(&peer, epoch, write) => {}
        () = listen(&peer, epoch, &heard) => {
            tracing::warn!(peer = %peer.address(), "peer fell silent");
        }
        _ = down.wait_for(|down| *down) => {}
    }
    drop(reader);
    peer.disconnected(epoch);
    peer.node().forget(&peer);
}

/// Writes what is put into the outbox, as much at once as has gathered.
async fn write_all(peer: &Peer, epoch: u64, mut write: WriteHalf) {
    let mut spare = BytesMut::new();
    while let Some(mut bytes) = peer.outgoing(epoch, spare).await {
        peer.node().counters().bytes_sent.add(bytes.len() as u64);
        // Flushed too: TLS keeps what the socket did not take.
        if write.write_all(&bytes).await.is_err() || write.flush().await.is_err() {
            return;
        }
        bytes.clear();
        spare = if bytes.capacity() > 2 * READ_MAX {
            BytesMut::new()
        } else {
            bytes
        };
    }
}

/// Pings a peer that is quiet; returns when it has been silent too long.
async fn listen(peer: &Peer, epoch: u64, heard: &Cell<Instant>) {
    let silence = peer.node().silence();
    let mut quiet = Duration::ZERO;
    loop {
        // No longer than the peer may still be silent.
        tokio::time::sleep((silence / 3).min(silence - quiet)).await;
        quiet = heard.get().elapsed();
        if quiet >= silence {
            return;
        }
        if quiet >= silence / 3 {
            peer.beat(epoch, Kind::Ping);
        }
    }
}

/// The receiving side: the numbers the peer has defined, and what they stand for here.
struct Reader<'a> {
    peer: Arc<Peer>,
    node: Node,
    epoch: u64,
    heard: &'a Cell<Instant>,
    to: Vec<Target>,
    from: Vec<Upid>,
    /// Whom letters come from that were sent there from outside any process.
    nobody: Upid,
    names: Vec<Box<str>>,
    /// Letters for one process that wait to be put into its mailbox together.
    run: Vec<Letter>,
    run_to: usize,
    /// So many answers wait to be read by the peer that it may ask nothing.
    busy: bool,
}

impl<'a> Reader<'a> {
    fn new(peer: Arc<Peer>, epoch: u64, heard: &'a Cell<Instant>) -> Reader<'a> {
        let node = peer.node().clone();
        let nobody = Upid::resolved("~".into(), peer.address(), None);
        let (to, from, names, run) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Reader {
            nobody,
            peer,
            node,
            epoch,
            heard,
            to,
            from,
            names,
            run,
            run_to: 0,
            busy: false,
        }
    }

    async fn run(&mut self, mut read: ReadHalf, mut unread: BytesMut) -> io::Result<()> {
        let mut room = READ_MIN;
        loop {
            let mut taken = 0;
            self.busy = self.peer.is_busy(self.epoch);
            loop {
                let split = frame::split(&unread[taken..]);
                let Some((frame, length)) = split.map_err(|bad| self.refuse(&bad))? else {
                    break;
                };
                if !self.continues_run(&frame) {
                    self.deliver().await;
                }
                self.frame(frame).map_err(|bad| self.refuse(&bad))?;
                taken += length;
            }
            unread.advance(taken);
            self.deliver().await;
            if taken > 0 {
                // Lets the processes of this thread handle what came before more is read.
                tokio::task::yield_now().await;
            }
            while self.peer.is_overfull(self.epoch) {
                tokio::time::sleep(FULL_LOOK).await; // until it reads, or counts as silent
            }
            unread.reserve(room);
            let count = (&mut read).take(room as u64).read_buf(&mut unread).await?;
            if count == room {
                room = READ_MAX.min(4 * room);
            }
            if count == 0 {
                return Ok(());
            }
            self.heard.set(Instant::now());
            self.node.counters().bytes_received.add(count as u64);
        }
    }

    /// Whether a frame is one more letter for the process that the gathered ones are for. Anything
    /// else waits until those are delivered, so that nothing overtakes them.
    fn continues_run(&self, frame: &Frame<'_>) -> bool {
        match frame {
            Frame::Letter { to, .. } | Frame::Ask { to, .. } => {
                self.run_to == *to as usize && self.run.len() < RUN_MAX
            }
            _ => false,
        }
    }

    fn refuse(&self, bad: &BadFrame) -> io::Error {
        self.node.counters().bad_frames.add(1);
        io::Error::new(io::ErrorKind::InvalidData, bad.to_string())
    }

    fn frame(&mut self, frame: Frame<'_>) -> Result<(), BadFrame> {
        let epoch = self.epoch;
        match frame {
            Frame::To(id) => define(&mut self.to, self.node.target(checked(id)?))?,
            Frame::From(id) => {
                let upid = Upid::resolved(checked(id)?.into(), self.peer.address(), None);
                define(&mut self.from, upid)?;
            }
            Frame::Name(name) => define(&mut self.names, name.into())?,
            Frame::Forget => {
                (self.to, self.from, self.names) = (Vec::new(), Vec::new(), Vec::new());
            }
            Frame::Letter {
                to,
                from,
                name,
                body,
            } => self.letter(to, from, name, body, None)?,
            Frame::Ask {
                to,
                from,
                name,
                number,
                body,
            } => {
                let asker = PeerReply {
                    peer: self.peer.clone(),
                    epoch,
                    number,
                };
                let reply = ReplyTo::new(Asker::Peer(asker));
                if self.busy {
                    // Not worth a turn of the process: the answer could not be sent.
                    reply.fail(AskError::Busy);
                    return Ok(());
                }
                self.letter(to, from, name, body, Some(reply))?;
            }
            Frame::Reply { number, body } => self.peer.answered(epoch, number, body),
            Frame::Failed { number, body } => self.peer.failed(epoch, number, body),
            Frame::Link(id) => self.peer.watch(epoch, checked(id)?),
            Frame::Unlink(id) => self.peer.unwatch(epoch, id),
            Frame::Exited { body } => {
                let exited = rmp_serde::from_slice::<(&str, crate::ExitReason)>(body);
                let (id, reason) = exited.map_err(|_| BadFrame::Text)?;
                self.peer.exited(epoch, id, &reason);
            }
            Frame::Ping => self.peer.beat(epoch, Kind::Pong),
            Frame::Pong => {}
        }
        Ok(())
    }

    fn letter(
        &mut self,
        to: u32,
        from: u32,
        name: u16,
        body: &[u8],
        reply: Option<ReplyTo>,
    ) -> Result<(), BadFrame> {
        let to = to as usize;
        let name = self
            .names
            .get(usize::from(name))
            .ok_or(BadFrame::Undefined)?;
        let from = match from {
            NOBODY => Some(self.nobody.clone()),
            from => Some(
                self.from
                    .get(from as usize)
                    .ok_or(BadFrame::Undefined)?
                    .clone(),
            ),
        };
        let target = self.to.get_mut(to).ok_or(BadFrame::Undefined)?;
        if !self.node.resolve(target) {
            self.node.dead(DeadReason::NoProcess, 1);
            reply
                .into_iter()
                .for_each(|reply| reply.fail(AskError::NoProcess));
            return Ok(());
        }
        let Some(index) = target
            .messages
            .iter()
            .position(|message| message.name == &**name)
        else {
            self.node.dead(DeadReason::NotAccepted, 1);
            tracing::debug!(to = %target.id, from = ?from, %name, "message not accepted");
            reply
                .into_iter()
                .for_each(|reply| reply.fail(AskError::NotAccepted));
            return Ok(());
        };
        let parcel = match (target.messages[index].decode)(body, reply) {
            Ok(parcel) => parcel,
            Err((error, reply)) => {
                self.node.dead(DeadReason::Undecodable, 1);
                tracing::warn!(to = %target.id, from = ?from, %name, %error, "undecodable message");
                reply
                    .into_iter()
                    .for_each(|reply| reply.fail(AskError::Undecodable));
                return Ok(());
            }
        };
        self.run_to = to;
        self.run.push(Letter::Message {
            from,
            index: index as u16,
            parcel,
        });
        Ok(())
    }

    /// Puts the gathered letters into the mailbox, not reading on while it is full: the peer's
    /// senders feel it. Not for ever: other processes live behind this connection too.
    async fn deliver(&mut self) {
        if self.run.is_empty() {
            return;
        }
        let since = Instant::now();
        loop {
            self.node.deliver(&mut self.to[self.run_to], &mut self.run);
            if self.run.is_empty() || since.elapsed() > FULL_WAIT {
                break;
            }
            self.heard.set(Instant::now()); // it is we who do not listen
            tokio::time::sleep(FULL_LOOK).await;
        }
        self.node
            .refuse_all(DeadReason::MailboxFull, self.run.drain(..));
    }
}

fn define<T>(table: &mut Vec<T>, entry: T) -> Result<(), BadFrame> {
    if table.len() > TABLE_MAX {
        return Err(BadFrame::TooMany);
    }
    table.push(entry);
    Ok(())
}

fn checked(id: &str) -> Result<&str, BadFrame> {
    if valid_id(id) {
        Ok(id)
    } else {
        Err(BadFrame::Text)
    }
}
