//! An ensemble in memory, for tests and simulations: sessions, versions, numbers, watches, and
//! the ways in which a connection goes wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::{Ensemble, Keeper, KeeperError, Listing, Mode, Node, Op};

/// Which session.
pub type SessionId = u64;

/// A simulated ensemble. A cheap handle: clones are the same ensemble.
#[derive(Debug, Clone)]
pub struct SimulatedEnsemble {
    shared: Arc<Mutex<Tree>>,
    timeout: Duration,
    /// The session of this handle, once there is one.
    latest: Arc<Mutex<Option<SessionId>>>,
}

#[derive(Debug, Default)]
struct Tree {
    nodes: BTreeMap<String, Znode>,
    sessions: BTreeMap<SessionId, Client>,
    /// Sessions that have ended while they were cut off.
    deaf: BTreeMap<SessionId, watch::Sender<bool>>,
    last: SessionId,
    /// No connection is answered.
    down: bool,
    /// The next so many writes happen, and are not answered.
    mute: u32,
}

#[derive(Debug, Default)]
struct Znode {
    data: Vec<u8>,
    version: i32,
    owner: Option<SessionId>,
    counter: u32,
    changed: Arc<Notify>,
}

#[derive(Debug)]
struct Client {
    cut: bool,
    expired: watch::Sender<bool>,
}

impl SimulatedEnsemble {
    /// An empty ensemble, whose sessions outlive their connections by `timeout`.
    pub fn new(timeout: Duration) -> SimulatedEnsemble {
        SimulatedEnsemble {
            shared: Arc::default(),
            timeout,
            latest: Arc::default(),
        }
    }

    /// The same ensemble for another client, whose sessions are told apart by
    /// [`session`](SimulatedEnsemble::session).
    #[must_use]
    pub fn client(&self) -> SimulatedEnsemble {
        SimulatedEnsemble {
            latest: Arc::default(),
            ..self.clone()
        }
    }

    /// The session this client began last.
    pub fn session(&self) -> Option<SessionId> {
        *self.latest.lock()
    }

    /// Cuts a session off. The ensemble ends it after the timeout, unless it is mended before; the
    /// session hears of nothing.
    pub fn cut(&self, id: SessionId) {
        let mut tree = self.shared.lock();
        if let Some(client) = tree.sessions.get_mut(&id) {
            client.cut = true;
        }
        let (shared, timeout) = (self.shared.clone(), self.timeout);
        tokio::spawn(async move {
            tokio::time::sleep(timeout).await;
            let mut tree = shared.lock();
            if tree.sessions.get(&id).is_some_and(|client| client.cut) {
                tree.expire(id);
            }
        });
    }

    /// Mends what was cut. A session that has ended meanwhile hears of it.
    pub fn mend(&self, id: SessionId) {
        let mut tree = self.shared.lock();
        if let Some(client) = tree.sessions.get_mut(&id) {
            client.cut = false;
        }
        if let Some(expired) = tree.deaf.remove(&id) {
            expired.send_replace(true);
        }
    }

    /// Ends a session, which hears of it.
    pub fn expire(&self, id: SessionId) {
        let mut tree = self.shared.lock();
        if let Some(client) = tree.sessions.get_mut(&id) {
            client.cut = false;
        }
        tree.expire(id);
    }

    /// From now on nobody is answered, or again.
    pub fn set_down(&self, down: bool) {
        self.shared.lock().down = down;
    }

    /// The next so many writes happen, but whoever asked for them hears that the connection broke.
    pub fn lose_answers(&self, count: u32) {
        self.shared.lock().mute = count;
    }

    /// What the children of a znode hold, by name.
    pub fn children(&self, path: &str) -> BTreeMap<String, Vec<u8>> {
        let tree = self.shared.lock();
        let named = tree.children_of(path).into_iter();
        let held = |name: String| {
            let data = tree.nodes[&format!("{path}/{name}")].data.clone();
            (name, data)
        };
        named.map(held).collect()
    }
}

impl Tree {
    fn children_of(&self, path: &str) -> BTreeSet<String> {
        let prefix = format!("{path}/");
        let below = self.nodes.range(prefix.clone()..);
        let below = below.map_while(|(path, _)| path.strip_prefix(&prefix));
        let direct = below.filter(|rest| !rest.contains('/'));
        direct.map(str::to_owned).collect()
    }

    /// Word of a change goes to those who watch the znode above.
    fn tell_above(&mut self, path: &str) {
        let above = path.rsplit_once('/').map_or("", |(above, _)| above);
        if let Some(above) = self.nodes.get(above) {
            above.changed.notify_waiters();
        }
    }

    fn expire(&mut self, id: SessionId) {
        let Some(client) = self.sessions.remove(&id) else {
            return;
        };
        match client.cut {
            // It hears of nothing, until it is mended.
            true => drop(self.deaf.insert(id, client.expired)),
            false => drop(client.expired.send_replace(true)),
        }
        let owned = |node: &Znode| node.owner == Some(id);
        let gone: Vec<String> = self
            .nodes
            .iter()
            .filter(|(_, node)| owned(node))
            .map(|(path, _)| path.clone())
            .collect();
        for path in gone {
            self.nodes.remove(&path);
            self.tell_above(&path);
        }
    }

    fn make(&mut self, path: &str, data: Vec<u8>, owner: Option<SessionId>) {
        let mut above = String::new();
        for part in path.trim_start_matches('/').split('/') {
            above = format!("{above}/{part}");
            if !self.nodes.contains_key(&above) {
                self.nodes.insert(above.clone(), Znode::default());
                self.tell_above(&above.clone());
            }
        }
        let node = self.nodes.get_mut(path).expect("it was made above");
        (node.data, node.owner) = (data, owner);
    }

    /// Whether a part finds the znode as it must be.
    fn apply(&mut self, op: Op) -> bool {
        match op {
            Op::Check { path, version } => self.version(&path) == Some(version),
            Op::Create { path, data } => {
                let free = !self.nodes.contains_key(&path);
                if free {
                    self.make(&path, data, None);
                }
                free
            }
            Op::Set {
                path,
                data,
                version,
            } => match self.nodes.get_mut(&path) {
                Some(node) if node.version == version => {
                    node.data = data;
                    node.version += 1;
                    true
                }
                Some(_) | None => false,
            },
            Op::Delete { path, version } => {
                let there = self.version(&path) == Some(version);
                if there {
                    self.nodes.remove(&path);
                    self.tell_above(&path);
                }
                there
            }
        }
    }

    fn version(&self, path: &str) -> Option<i32> {
        Some(self.nodes.get(path)?.version)
    }

    /// What the multi operation changes, to be put back.
    fn copy(&self, ops: &[Op]) -> Vec<(String, Option<Znode>)> {
        let paths = ops.iter().map(|op| match op {
            Op::Check { path, .. }
            | Op::Create { path, .. }
            | Op::Set { path, .. }
            | Op::Delete { path, .. } => path.clone(),
        });
        let copy = |node: &Znode| Znode {
            data: node.data.clone(),
            version: node.version,
            owner: node.owner,
            counter: node.counter,
            changed: node.changed.clone(),
        };
        paths
            .map(|path| (path.clone(), self.nodes.get(&path).map(copy)))
            .collect()
    }
}

impl Ensemble for SimulatedEnsemble {
    fn connect(&self) -> BoxFuture<'static, Result<Arc<dyn Keeper>, KeeperError>> {
        let this = self.clone();
        async move {
            tokio::task::yield_now().await;
            let mut tree = this.shared.lock();
            if tree.down {
                return Err(KeeperError::Lost);
            }
            tree.last += 1;
            let id = tree.last;
            let (expired, hears) = watch::channel(false);
            tree.sessions.insert(
                id,
                Client {
                    cut: false,
                    expired,
                },
            );
            drop(tree);
            *this.latest.lock() = Some(id);
            Ok(Arc::new(Session {
                id,
                hears,
                shared: this.shared.clone(),
                timeout: this.timeout,
            }) as Arc<dyn Keeper>)
        }
        .boxed()
    }
}

#[derive(Clone)]
struct Session {
    id: SessionId,
    hears: watch::Receiver<bool>,
    shared: Arc<Mutex<Tree>>,
    timeout: Duration,
}

impl Session {
    /// Does something at the ensemble: on the way there and back, others may come first.
    fn at<T: Send + 'static>(
        &self,
        writes: bool,
        work: impl FnOnce(&mut Tree, SessionId) -> Result<T, KeeperError> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, KeeperError>> {
        let this = self.clone();
        async move {
            tokio::task::yield_now().await;
            let done = {
                let mut tree = this.shared.lock();
                match tree.sessions.get(&this.id) {
                    None if tree.deaf.contains_key(&this.id) => return Err(KeeperError::Lost),
                    None => return Err(KeeperError::Expired),
                    Some(client) if client.cut || tree.down => return Err(KeeperError::Lost),
                    Some(_) => {}
                }
                let done = work(&mut tree, this.id);
                if writes && tree.mute > 0 {
                    tree.mute -= 1;
                    return Err(KeeperError::Lost);
                }
                done
            };
            tokio::task::yield_now().await;
            done
        }
        .boxed()
    }
}

impl Keeper for Session {
    fn get(&self, path: &str) -> BoxFuture<'static, Result<Option<Node>, KeeperError>> {
        let path = path.to_owned();
        self.at(false, move |tree, _| {
            Ok(tree.nodes.get(&path).map(|node| Node {
                data: node.data.clone(),
                version: node.version,
            }))
        })
    }

    fn list(&self, path: &str) -> BoxFuture<'static, Result<Listing, KeeperError>> {
        let (path, ended) = (path.to_owned(), self.ended());
        self.at(false, move |tree, _| {
            let node = tree
                .nodes
                .get(&path)
                .ok_or_else(|| KeeperError::NoNode(path.clone()))?;
            // Begins to wait before anything else happens.
            let mut changed = Box::pin(node.changed.clone().notified_owned());
            changed.as_mut().enable();
            let children = tree.children_of(&path).into_iter().collect();
            let changed = async move {
                tokio::select! {
                    biased;
                    () = changed => {}
                    () = ended => {}
                }
            };
            let changed = changed.boxed();
            Ok(Listing { children, changed })
        })
    }

    fn create(
        &self,
        path: &str,
        data: Vec<u8>,
        mode: Mode,
    ) -> BoxFuture<'static, Result<String, KeeperError>> {
        let path = path.to_owned();
        self.at(true, move |tree, id| match mode {
            Mode::Persistent => {
                if !tree.nodes.contains_key(&path) {
                    tree.make(&path, data, None);
                }
                Ok(path)
            }
            Mode::EphemeralSequential => {
                let above = path
                    .rsplit_once('/')
                    .map_or("", |(above, _)| above)
                    .to_owned();
                if !tree.nodes.contains_key(&above) {
                    tree.make(&above, Vec::new(), None);
                }
                let above = tree.nodes.get_mut(&above).expect("it was made");
                let path = format!("{path}{:010}", above.counter);
                above.counter += 1;
                tree.make(&path, data, Some(id));
                Ok(path)
            }
        })
    }

    fn delete(&self, path: &str) -> BoxFuture<'static, Result<(), KeeperError>> {
        let path = path.to_owned();
        self.at(true, move |tree, _| {
            if tree.nodes.remove(&path).is_some() {
                tree.tell_above(&path);
            }
            Ok(())
        })
    }

    fn multi(&self, ops: Vec<Op>) -> BoxFuture<'static, Result<bool, KeeperError>> {
        self.at(true, move |tree, _| {
            let before = tree.copy(&ops);
            let done = ops.into_iter().all(|op| tree.apply(op));
            if !done {
                for (path, node) in before {
                    match node {
                        Some(node) => drop(tree.nodes.insert(path, node)),
                        None => drop(tree.nodes.remove(&path)),
                    }
                }
            }
            Ok(done)
        })
    }

    fn ended(&self) -> BoxFuture<'static, ()> {
        let mut hears = self.hears.clone();
        async move {
            if hears.wait_for(|expired| *expired).await.is_err() {
                std::future::pending::<()>().await; // the ensemble itself is gone
            }
        }
        .boxed()
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }
}
