//! Nodes: a process table, its workers and its connections, behind one address.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot, watch};

use crate::ask::{AskError, unbox};
use crate::context::Context;
use crate::counters::Counters;
use crate::dead::{DeadLetters, DeadReason};
use crate::http::Call;
use crate::http::introspection::ProcessPage;
use crate::letter::{Asker, Letter, Parcel, ReplyTo};
use crate::link::{ExitReason, Watcher};
use crate::pid::{Pid, Upid, valid_id};
use crate::process::{Body, Process, Run};
use crate::protocol::{Accepts, MessageInfo, Page, Wire};
use crate::spawn_on::Factory;
use crate::table::{Handle, Table};
use crate::timer::Alarms;
use crate::transport::{Peer, PeerWatch};
use crate::worker::Pool;

/// Opens the ids of processes that were given none; no name may begin with it.
const ANONYMOUS: char = '~';
/// Longest time [`Node::shutdown`] waits for processes to end, and then for bytes to leave.
const SHUTDOWN: Duration = Duration::from_secs(5);

/// A node: processes, the workers that run them, and one port for frames and HTTP.
///
/// A value, not a global: any number of nodes live in one OS process, one thread, one test.
/// Cloning gives another handle to the same node; it lives until [`shutdown`](Node::shutdown).
#[derive(Clone)]
pub struct Node(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) address: SocketAddr,
    pub(crate) incarnation: u64,
    pub(crate) silence: Duration,
    pub(crate) simulated: bool,
    table: Table,
    names: Mutex<HashMap<Box<str>, Handle>>,
    front: Mutex<Option<Box<str>>>,
    living: AtomicU64,
    emptied: Notify,
    pool: Pool,
    alarms: Alarms,
    peers: Mutex<BTreeMap<SocketAddr, Arc<Peer>>>,
    dead: DeadLetters,
    counters: Counters,
    kinds: Mutex<BTreeMap<&'static str, Factory>>,
    over: AtomicBool,
    down: watch::Sender<bool>,
    pub(crate) arbiters: Mutex<Vec<actix_rt::Arbiter>>,
}

/// Why a process was not spawned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// A living process has that id.
    #[error("a process with the id `{0}` lives on this node")]
    IdTaken(String),
    /// The text cannot be an id.
    #[error("`{0}` cannot be the id of a process")]
    InvalidId(String),
}

/// A process of this node that letters from a peer are for.
pub(crate) struct Target {
    pub(crate) id: Box<str>,
    at: Option<Handle>,
    pub(crate) messages: &'static [MessageInfo],
}

impl Inner {
    pub(crate) fn new(address: SocketAddr, incarnation: u64, silence: Duration) -> Inner {
        Inner {
            address,
            incarnation,
            silence,
            simulated: crate::net::in_simulation(),
            table: Table::new(),
            names: Mutex::default(),
            front: Mutex::default(),
            living: AtomicU64::new(0),
            emptied: Notify::new(),
            pool: Pool::default(),
            alarms: Alarms::default(),
            peers: Mutex::default(),
            dead: DeadLetters::default(),
            counters: Counters::default(),
            kinds: Mutex::default(),
            over: AtomicBool::new(false),
            down: watch::Sender::new(false),
            arbiters: Mutex::default(),
        }
    }
}

/// Spawning and ending.
impl Node {
    pub(crate) fn from_inner(inner: Inner) -> Node {
        Node(Arc::new(inner))
    }

    /// The address peers reach this node at.
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Starts `actor` as the process `id@address`.
    ///
    /// # Panics
    /// When `id` is taken or no id: see [`try_spawn`](Node::try_spawn) for ids that come from
    /// outside.
    pub fn spawn<A: Process>(&self, id: &str, actor: A) -> Pid<A::Protocol> {
        self.try_spawn(id, actor)
            .unwrap_or_else(|error| panic!("could not spawn: {error}"))
    }

    /// Starts `actor` as the process `id@address`.
    ///
    /// # Errors
    /// [`SpawnError`] when a living process has that id, or it cannot be one.
    pub fn try_spawn<A: Process>(
        &self,
        id: &str,
        actor: A,
    ) -> Result<Pid<A::Protocol>, SpawnError> {
        let make = |upid: Upid, at| Body {
            actor,
            ctx: Context::new(self.clone(), upid, at),
        };
        let messages = <A::Protocol as Page>::MESSAGES;
        let upid = self.settle(
            Some(id),
            std::any::type_name::<A>(),
            messages,
            A::CAPACITY,
            make,
        )?;
        Ok(Pid::assume(upid))
    }

    /// Starts `actor` under an id of the node's choosing.
    pub fn spawn_anonymous<A: Process>(&self, actor: A) -> Pid<A::Protocol> {
        let make = |upid: Upid, at| Body {
            actor,
            ctx: Context::new(self.clone(), upid, at),
        };
        let messages = <A::Protocol as Page>::MESSAGES;
        match self.settle(
            None,
            std::any::type_name::<A>(),
            messages,
            A::CAPACITY,
            make,
        ) {
            Ok(upid) => Pid::assume(upid),
            Err(error) => unreachable!("only given ids are refused: {error}"),
        }
    }

    /// Gives a body a slot, an address and its first turn.
    pub(crate) fn settle<B: Run + 'static>(
        &self,
        id: Option<&str>,
        kind: &'static str,
        messages: &'static [MessageInfo],
        capacity: u32,
        make: impl FnOnce(Upid, Handle) -> B,
    ) -> Result<Upid, SpawnError> {
        if let Some(id) = id
            && (!valid_id(id) || id.starts_with(ANONYMOUS))
        {
            return Err(SpawnError::InvalidId(
                id.chars().take(crate::pid::ID_MAX).collect(),
            ));
        }
        let mut names = id.map(|id| (id, self.0.names.lock()));
        if let Some((id, names)) = &names
            && names.contains_key(*id)
        {
            return Err(SpawnError::IdTaken((*id).to_owned()));
        }
        let index = self.0.table.take();
        let slot = self
            .0
            .table
            .slot(index)
            .expect("a slot that was taken is in the table");
        let mut mailbox = slot.0.lock();
        mailbox.generation = mailbox.generation.wrapping_add(1).max(1);
        let at = Handle {
            index,
            generation: mailbox.generation,
        };
        let id = id.map_or_else(
            || format!("{ANONYMOUS}{index}.{}", at.generation),
            str::to_owned,
        );
        let upid = Upid::resolved(id.into(), self.0.address, Some(at));
        if let Some((id, names)) = &mut names {
            names.insert((*id).into(), at);
        }
        drop(names);
        mailbox.upid = Some(upid.clone());
        mailbox.kind = kind;
        mailbox.messages = messages;
        mailbox.capacity = capacity;
        mailbox.handled = 0;
        mailbox.body = Some(Box::new(make(upid.clone(), at)));
        mailbox.fresh = true;
        mailbox.alive = true;
        mailbox.scheduled = true;
        drop(mailbox);
        self.0.living.fetch_add(1, Ordering::SeqCst);
        self.schedule(index);
        Ok(upid)
    }

    /// Makes the process at `upid` stop before it handles anything else; a remote one is left alone.
    pub fn terminate(&self, upid: &Upid) {
        if let Some(at) = self.locate(upid) {
            self.urgent(at, Letter::Stop(ExitReason::Stopped));
        }
    }

    /// Waits until the process at `upid` of this node has gone.
    pub fn exit_of(
        &self,
        upid: &Upid,
    ) -> impl Future<Output = ExitReason> + Send + 'static + use<> {
        let (sender, exited) = oneshot::channel();
        match self.locate(upid) {
            Some(at) => self.watch(at, Watcher::Task(sender)),
            None => Watcher::Task(sender).tell(self, upid, &ExitReason::NoProcess),
        }
        async move { exited.await.unwrap_or(ExitReason::NoProcess) }
    }

    /// Buries a process: nobody finds it any more, and everybody who waits for it is told.
    pub(crate) fn bury(
        &self,
        at: Handle,
        mut body: Box<dyn Run>,
        rest: impl Iterator<Item = Letter>,
        reason: ExitReason,
    ) {
        let Some(slot) = self.0.table.slot(at.index) else {
            return;
        };
        let upid = {
            let mut mailbox = slot.0.lock();
            mailbox.alive = false;
            mailbox.upid.take()
        };
        let Some(upid) = upid else { return };
        let orderly = !matches!(reason, ExitReason::Panicked(_));
        if !orderly {
            tracing::error!(%upid, %reason, "process panicked");
        }
        let end = std::panic::AssertUnwindSafe(|| {
            let links = body.end(orderly);
            drop(body);
            links
        });
        // A process that panics while it ends has ended all the same; its links go with the slot.
        let links = std::panic::catch_unwind(end).unwrap_or_default();
        {
            let mut names = self.0.names.lock();
            if names.get(upid.id()) == Some(&at) {
                names.remove(upid.id());
            }
        }
        let (queue, watchers) = {
            let mut mailbox = slot.0.lock();
            mailbox.scheduled = false;
            mailbox.woken = false;
            (
                std::mem::take(&mut mailbox.queue),
                std::mem::take(&mut mailbox.watchers),
            )
        };
        self.refuse_all(DeadReason::NoProcess, rest.chain(queue));
        for watcher in watchers {
            watcher.tell(self, &upid, &reason);
        }
        for link in links {
            self.unlink(at, &link);
        }
        self.0.table.give_back(at.index);
        if self.0.living.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.emptied.notify_waiters();
        }
    }

    /// Stops every process, sends what still waits to be sent, closes port and connections.
    ///
    /// Takes a few seconds at most, whatever processes and peers do.
    pub async fn shutdown(&self) {
        let emptied = self.0.emptied.notified();
        for (index, slot) in self.0.table.slots() {
            let mailbox = slot.0.lock();
            let at = Handle {
                index,
                generation: mailbox.generation,
            };
            let alive = mailbox.alive;
            drop(mailbox);
            if alive {
                self.urgent(at, Letter::Stop(ExitReason::Stopped));
            }
        }
        if self.process_count() > 0 {
            // What does not end in time is left where it is: the node goes down around it.
            let _ = tokio::time::timeout(SHUTDOWN, emptied).await;
        }
        let peers: Vec<_> = self.0.peers.lock().values().cloned().collect();
        let flushed = async {
            while !peers.iter().all(|peer| peer.is_flushed()) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let _ = tokio::time::timeout(SHUTDOWN / 5, flushed).await;
        self.0.over.store(true, Ordering::SeqCst);
        self.0.down.send_replace(true);
        self.0.pool.rouse_all();
        for arbiter in self.0.arbiters.lock().drain(..) {
            arbiter.stop();
        }
    }
}

/// Sending.
impl Node {
    /// Sends `message` from outside any process: at most once.
    pub fn tell<P: Accepts<M>, M: Wire>(&self, to: &Pid<P>, message: M) {
        self.post(None, to, message, None);
    }

    /// Sends `message` from outside any process and waits for its answer.
    ///
    /// # Errors
    /// [`AskError`] when the process or its node is gone, or cannot be reached.
    pub fn ask<P: Accepts<M>, M: Wire>(
        &self,
        to: &Pid<P>,
        message: M,
    ) -> impl Future<Output = Result<M::Result, AskError>> + Send + 'static + use<P, M> {
        let (sender, answer) = oneshot::channel();
        self.post(None, to, message, Some(ReplyTo::new(Asker::Task(sender))));
        async move { unbox(answer.await.unwrap_or(Err(AskError::Lost))) }
    }

    pub(crate) fn post<P: Accepts<M>, M: Wire>(
        &self,
        from: Option<Upid>,
        to: &Pid<P>,
        message: M,
        reply: Option<ReplyTo>,
    ) {
        let upid = to.upid();
        if upid.address() != self.0.address {
            return self
                .peer(upid.address())
                .letter(from.as_ref(), upid, &message, reply);
        }
        let parcel = Box::new(Parcel { message, reply });
        let letter = Letter::Message {
            from,
            index: P::INDEX,
            parcel,
        };
        if let Err((letter, reason)) = self.post_here(upid, letter) {
            self.dead(reason, 1);
            refuse::<M>(letter, reason);
        }
    }

    /// Puts a message into the mailbox of the process at `upid` of this node.
    fn post_here(&self, upid: &Upid, letter: Letter) -> Result<(), (Letter, DeadReason)> {
        let mut letter = letter;
        if let Some(at) = upid.hint() {
            match self.push(at, Some(upid), letter) {
                Err((back, DeadReason::NoProcess)) => letter = back, // the hint may be old
                done => return done,
            }
        }
        let Some(at) = self.find(upid.id()) else {
            return Err((letter, DeadReason::NoProcess));
        };
        upid.remember(at);
        self.push(at, Some(upid), letter)
    }

    /// Puts a letter of the system itself into a mailbox, full or not; a stop goes to its front.
    pub(crate) fn urgent(&self, at: Handle, letter: Letter) {
        // To a process that has gone there is nothing left to say.
        let _ = self.push(at, None, letter);
    }

    /// Puts a letter into a mailbox; one addressed by a `upid` only if that is the process's, and
    /// there is room.
    fn push(
        &self,
        at: Handle,
        upid: Option<&Upid>,
        letter: Letter,
    ) -> Result<(), (Letter, DeadReason)> {
        let Some(slot) = self.0.table.slot(at.index) else {
            return Err((letter, DeadReason::NoProcess));
        };
        let mut mailbox = slot.0.lock();
        if mailbox.generation != at.generation || !mailbox.alive {
            return Err((letter, DeadReason::NoProcess));
        }
        if let Some(upid) = upid {
            // A hint may be of another node that had this address: the id tells.
            if mailbox.upid.as_ref() != Some(upid) {
                return Err((letter, DeadReason::NoProcess));
            }
            if mailbox.queue.len() >= mailbox.capacity as usize {
                return Err((letter, DeadReason::MailboxFull));
            }
        }
        match letter {
            Letter::Stop(_) => mailbox.queue.push_front(letter),
            letter => mailbox.queue.push_back(letter),
        }
        if !mailbox.scheduled {
            mailbox.scheduled = true;
            drop(mailbox);
            self.schedule(at.index);
        }
        Ok(())
    }

    /// Puts letters from a peer into a mailbox; those that do not fit stay in `letters`.
    pub(crate) fn deliver(&self, target: &mut Target, letters: &mut Vec<Letter>) {
        let slot = target
            .at
            .and_then(|at| Some((at, self.0.table.slot(at.index)?)));
        let Some((at, slot)) = slot else {
            return self.refuse_all(DeadReason::NoProcess, letters.drain(..));
        };
        let mut mailbox = slot.0.lock();
        if mailbox.generation != at.generation || !mailbox.alive {
            drop(mailbox);
            target.at = None;
            return self.refuse_all(DeadReason::NoProcess, letters.drain(..));
        }
        let room = (mailbox.capacity as usize).saturating_sub(mailbox.queue.len());
        mailbox
            .queue
            .extend(letters.drain(..room.min(letters.len())));
        if !mailbox.scheduled && !mailbox.queue.is_empty() {
            mailbox.scheduled = true;
            drop(mailbox);
            self.schedule(at.index);
        }
    }

    /// Wakes a process whose timer is due.
    pub(crate) fn wake(&self, at: Handle) {
        let Some(slot) = self.0.table.slot(at.index) else {
            return;
        };
        let mut mailbox = slot.0.lock();
        if mailbox.generation != at.generation || !mailbox.alive {
            return;
        }
        if mailbox.scheduled {
            mailbox.woken = true;
            return;
        }
        mailbox.scheduled = true;
        drop(mailbox);
        self.schedule(at.index);
    }

    /// Hands a request to one of the process's routes.
    pub(crate) fn call(&self, process: Handle, call: Call) {
        // Dropped when the process has gone: the client sees 503.
        self.urgent(process, Letter::Http(Box::new(call)));
    }
}

/// Finding.
impl Node {
    /// The living process at `upid` of this node.
    fn locate(&self, upid: &Upid) -> Option<Handle> {
        if upid.address() != self.0.address {
            return None;
        }
        if let Some(at) = upid.hint()
            && let Some(slot) = self.0.table.slot(at.index)
        {
            let mailbox = slot.0.lock();
            // The hint may be of another node that had this address: the id tells.
            if mailbox.generation == at.generation && mailbox.upid.as_ref() == Some(upid) {
                return Some(at);
            }
        }
        let at = self.find(upid.id())?;
        upid.remember(at);
        Some(at)
    }

    pub(crate) fn find(&self, id: &str) -> Option<Handle> {
        let Some(anonymous) = id.strip_prefix(ANONYMOUS) else {
            return self.0.names.lock().get(id).copied();
        };
        let (index, generation) = anonymous.split_once('.')?;
        let at = Handle {
            index: index.parse().ok()?,
            generation: generation.parse().ok()?,
        };
        let mailbox = self.0.table.slot(at.index)?.0.lock();
        (mailbox.alive && mailbox.generation == at.generation).then_some(at)
    }

    pub(crate) fn target(&self, id: &str) -> Target {
        Target {
            id: id.into(),
            at: None,
            messages: &[],
        }
    }

    /// Looks a target up unless that was done before; false when nobody lives there.
    pub(crate) fn resolve(&self, target: &mut Target) -> bool {
        if target.at.is_none()
            && let Some(at) = self.find(&target.id)
            && let Some(slot) = self.0.table.slot(at.index)
        {
            target.messages = slot.0.lock().messages;
            target.at = Some(at);
        }
        target.at.is_some()
    }

    /// Lets the process `id` answer HTTP requests for paths that name no process.
    pub fn set_front(&self, id: &str) {
        *self.0.front.lock() = Some(id.into());
    }

    pub(crate) fn front(&self) -> Option<Handle> {
        let front = self.0.front.lock().clone();
        self.find(&front?)
    }

    pub(crate) fn peer(&self, address: SocketAddr) -> Arc<Peer> {
        let mut peers = self.0.peers.lock();
        let new = || Arc::new(Peer::new(self.clone(), address));
        peers.entry(address).or_insert_with(new).clone()
    }

    /// Forgets a peer that nobody but its caller holds: nodes come and go.
    pub(crate) fn forget(&self, peer: &Arc<Peer>) {
        let mut peers = self.0.peers.lock();
        if Arc::strong_count(peer) <= 2 && peer.is_idle() {
            peers.remove(&peer.address());
        }
    }
}

/// Links.
impl Node {
    pub(crate) fn link(&self, watcher: Handle, to: &Upid) {
        if to.address() != self.0.address {
            return self.peer(to.address()).link(watcher, to.id());
        }
        match self.locate(to) {
            Some(at) => self.watch(at, Watcher::Process(watcher)),
            None => Watcher::Process(watcher).tell(self, to, &ExitReason::NoProcess),
        }
    }

    pub(crate) fn unlink(&self, watcher: Handle, to: &Upid) {
        if to.address() != self.0.address {
            let peer = self.0.peers.lock().get(&to.address()).cloned();
            return peer
                .into_iter()
                .for_each(|peer| peer.unlink(watcher, to.id()));
        }
        if let Some(at) = self.locate(to) {
            let process = |other: &Watcher| matches!(other, Watcher::Process(at) if *at == watcher);
            self.unwatch(at, process);
        }
    }

    /// Somebody at a peer links to the process `id` here; none when there is no such process.
    pub(crate) fn watch_for(&self, id: &str, watch: PeerWatch) -> Option<Handle> {
        let at = self.find(id)?;
        self.forget_peer(at, watch.peer.address());
        self.watch(at, Watcher::Peer(watch));
        Some(at)
    }

    pub(crate) fn forget_peer(&self, at: Handle, address: SocketAddr) {
        self.unwatch(
            at,
            |other| matches!(other, Watcher::Peer(of) if of.peer.address() == address),
        );
    }

    fn watch(&self, at: Handle, watcher: Watcher) {
        let Some(slot) = self.0.table.slot(at.index) else {
            return;
        };
        let mut mailbox = slot.0.lock();
        match mailbox.upid.clone() {
            Some(_) if mailbox.generation == at.generation && mailbox.alive => {
                mailbox.watchers.push(watcher);
            }
            upid => {
                drop(mailbox);
                let gone = || Upid::resolved("~".into(), self.0.address, None);
                watcher.tell(self, &upid.unwrap_or_else(gone), &ExitReason::NoProcess);
            }
        }
    }

    fn unwatch(&self, at: Handle, whom: impl Fn(&Watcher) -> bool) {
        if let Some(slot) = self.0.table.slot(at.index) {
            let mut mailbox = slot.0.lock();
            if mailbox.generation == at.generation {
                mailbox.watchers.retain(|watcher| !whom(watcher));
            }
        }
    }
}

/// Looking inside, and the parts of a node for the rest of this crate.
impl Node {
    /// How many letters could not be delivered, by reason.
    pub fn dead_letters(&self) -> impl Iterator<Item = (DeadReason, u64)> {
        self.0.dead.by_reason()
    }

    /// How many processes live here.
    pub fn process_count(&self) -> u64 {
        self.0.living.load(Ordering::SeqCst)
    }

    pub(crate) fn pages(&self) -> Vec<ProcessPage> {
        let page = |(_, slot): (u32, &crate::table::Slot)| {
            let mailbox = slot.0.lock();
            Some(ProcessPage {
                id: mailbox.upid.as_ref()?.id().to_owned(),
                kind: mailbox.kind,
                mailbox: mailbox.queue.len(),
                handled: mailbox.handled,
                scheduled: mailbox.scheduled,
                watchers: mailbox.watchers.len(),
                links: mailbox.body.as_ref().map(|body| body.link_count()),
            })
        };
        self.0.table.slots().filter_map(page).collect()
    }

    pub(crate) fn dead(&self, reason: DeadReason, count: u64) {
        self.0.dead.add(reason, count);
    }

    /// Drops letters; whoever waits for an answer to one is told.
    pub(crate) fn refuse_all(&self, reason: DeadReason, letters: impl Iterator<Item = Letter>) {
        let messages = letters
            .filter(|letter| matches!(letter, Letter::Message { .. }))
            .count();
        if messages > 0 {
            self.dead(reason, messages as u64);
        }
    }

    fn schedule(&self, index: u32) {
        self.0.pool.schedule(self.number(), index);
    }

    pub(crate) fn on_worker(&self, call: impl FnOnce() + Send + 'static) {
        self.0.pool.call(self.number(), call);
    }

    /// Tells nodes of one OS process apart.
    pub(crate) fn number(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }

    pub(crate) fn incarnation(&self) -> u64 {
        self.0.incarnation
    }

    pub(crate) fn silence(&self) -> Duration {
        self.0.silence
    }

    pub(crate) fn is_simulated(&self) -> bool {
        self.0.simulated
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.over.load(Ordering::SeqCst)
    }

    pub(crate) fn down(&self) -> watch::Receiver<bool> {
        self.0.down.subscribe()
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.0.counters
    }

    pub(crate) fn kinds(&self) -> &Mutex<BTreeMap<&'static str, Factory>> {
        &self.0.kinds
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.0.pool
    }

    pub(crate) fn table(&self) -> &Table {
        &self.0.table
    }

    pub(crate) fn alarms(&self) -> &Alarms {
        &self.0.alarms
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }
}

/// Fails the ask of a letter that was not delivered with the reason, where its type is known.
fn refuse<M: Wire>(letter: Letter, reason: DeadReason) {
    let Letter::Message { parcel, .. } = letter else {
        return;
    };
    let Ok(parcel) = parcel.downcast::<Parcel<M>>() else {
        return;
    };
    if let Some(reply) = parcel.reply {
        reply.fail(match reason {
            DeadReason::MailboxFull => AskError::Busy,
            _ => AskError::NoProcess,
        });
    }
}
