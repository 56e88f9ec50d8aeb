//! An ensemble in memory, for tests and simulations: sessions, versions, numbers, watches, and
//! the ways in which a connection goes wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::{Ensemble, Keeper, KeeperError, Listing, Mode, Node, Op};

/// A simulated ensemble, for one of its clients. Clones are the same client.
#[derive(Debug, Clone)]
pub struct SimulatedEnsemble {
    shared: Arc<Mutex<Tree>>,
    timeout: Duration,
    client: ClientId,
}

type ClientId = u64;
type SessionId = u64;

#[derive(Debug, Default)]
struct Tree {
    nodes: BTreeMap<String, Znode>,
    sessions: BTreeMap<SessionId, Living>,
    /// Clients that are cut off.
    cut: BTreeSet<ClientId>,
    /// Sessions that have ended while they were cut off.
    deaf: BTreeMap<SessionId, Living>,
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

/// A session that has not ended.
#[derive(Debug)]
struct Living {
    client: ClientId,
    expired: watch::Sender<bool>,
}

impl SimulatedEnsemble {
    /// An empty ensemble, whose sessions outlive their connections by `timeout`.
    pub fn new(timeout: Duration) -> SimulatedEnsemble {
        SimulatedEnsemble {
            shared: Arc::default(),
            timeout,
            client: 0,
        }
    }

    /// The same ensemble for another client.
    #[must_use]
    pub fn client(&self) -> SimulatedEnsemble {
        let mut tree = self.shared.lock();
        tree.last += 1;
        SimulatedEnsemble {
            client: tree.last,
            ..self.clone()
        }
    }

    /// Cuts this client off. The ensemble ends its sessions after the timeout, unless it is mended
    /// before; they hear of nothing.
    pub fn cut(&self) {
        self.shared.lock().cut.insert(self.client);
        let this = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(this.timeout).await;
            let mut tree = this.shared.lock();
            if tree.cut.contains(&this.client) {
                tree.expire_all(this.client);
            }
        });
    }

    /// Mends what was cut. Sessions that have ended meanwhile hear of it.
    pub fn mend(&self) {
        let mut tree = self.shared.lock();
        tree.cut.remove(&self.client);
        let deaf = tree
            .deaf
            .extract_if(.., |_, session| session.client == self.client);
        deaf.for_each(|(_, session)| {
            session.expired.send_replace(true);
        });
    }

    /// Ends the sessions of this client.
    pub fn expire(&self) {
        self.shared.lock().expire_all(self.client);
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

    fn expire_all(&mut self, client: ClientId) {
        let of_client = self
            .sessions
            .iter()
            .filter(|(_, session)| session.client == client);
        let ids: Vec<SessionId> = of_client.map(|(id, _)| *id).collect();
        ids.into_iter().for_each(|id| self.expire(id));
    }

    fn expire(&mut self, id: SessionId) {
        let Some(session) = self.sessions.remove(&id) else {
            return;
        };
        match self.cut.contains(&session.client) {
            // It hears of nothing, until it is mended.
            true => {
                self.deaf.insert(id, session);
            }
            false => {
                session.expired.send_replace(true);
            }
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
            if tree.down || tree.cut.contains(&this.client) {
                return Err(KeeperError::Lost);
            }
            tree.last += 1;
            let id = tree.last;
            let (expired, hears) = watch::channel(false);
            let client = this.client;
            tree.sessions.insert(id, Living { client, expired });
            drop(tree);
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
                    Some(session) if tree.down || tree.cut.contains(&session.client) => {
                        return Err(KeeperError::Lost);
                    }
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
