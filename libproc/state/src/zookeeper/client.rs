//! Sessions with a real ensemble.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use zookeeper_client::{Acl, Acls, AuthId, Client, CreateMode, Error, MultiWriteError, Permission};

use super::{Ensemble, Keeper, KeeperError, Listing, Mode, Node, Op, ZkUrl};

/// A real ensemble.
#[derive(Debug, Clone)]
pub struct RealEnsemble {
    url: ZkUrl,
    timeout: Duration,
}

impl RealEnsemble {
    /// The ensemble of this address; sessions outlive their connection by `timeout`, as far as
    /// the servers allow.
    pub fn new(url: ZkUrl, timeout: Duration) -> RealEnsemble {
        RealEnsemble { url, timeout }
    }
}

impl Ensemble for RealEnsemble {
    fn connect(&self) -> BoxFuture<'static, Result<Arc<dyn Keeper>, KeeperError>> {
        let this = self.clone();
        async move {
            let mut connector = Client::connector().with_session_timeout(this.timeout);
            let acls = match this.url.credentials() {
                None => Acls::anyone_all().to_vec(),
                Some((user, password)) => {
                    let shown = format!("{user}:{password}");
                    connector = connector.with_auth("digest", shown.as_bytes());
                    let everybody = Acl::new(Permission::READ, AuthId::anyone());
                    [Acls::creator_all().to_vec(), vec![everybody]].concat()
                }
            };
            let client = connector.connect(&this.url.servers()).await;
            let client = client.map_err(|error| error_of(error, ""))?;
            Ok(Arc::new(Session { client, acls }) as Arc<dyn Keeper>)
        }
        .boxed()
    }
}

struct Session {
    client: Client,
    acls: Vec<Acl>,
}

fn error_of(error: Error, path: &str) -> KeeperError {
    match error {
        Error::SessionExpired | Error::ClientClosed | Error::SessionMoved => KeeperError::Expired,
        Error::ConnectionLoss | Error::Timeout | Error::NoHosts => KeeperError::Lost,
        Error::NoAuth | Error::AuthFailed => KeeperError::Denied,
        Error::NoNode => KeeperError::NoNode(path.to_owned()),
        error => KeeperError::Other(Arc::new(error)),
    }
}

/// Does something with a client of its own, beyond the life of the session's handle.
fn with<T, F>(
    session: &Session,
    work: impl FnOnce(Client, Vec<Acl>) -> F,
) -> BoxFuture<'static, Result<T, KeeperError>>
where
    F: Future<Output = Result<T, KeeperError>> + Send + 'static,
{
    work(session.client.clone(), session.acls.clone()).boxed()
}

async fn make_parents(client: &Client, acls: &[Acl], path: &str) -> Result<(), KeeperError> {
    let Some((parent, _)) = path
        .rsplit_once('/')
        .filter(|(parent, _)| !parent.is_empty())
    else {
        return Ok(());
    };
    let options = CreateMode::Persistent.with_acls(Acls::new(acls));
    let made = client.mkdir(parent, &options).await;
    made.map_err(|error| error_of(error, parent))
}

impl Keeper for Session {
    fn get(&self, path: &str) -> BoxFuture<'static, Result<Option<Node>, KeeperError>> {
        let path = path.to_owned();
        with(self, |client, _| async move {
            match client.get_data(&path).await {
                Ok((data, stat)) => Ok(Some(Node {
                    data,
                    version: stat.version,
                })),
                Err(Error::NoNode) => Ok(None),
                Err(error) => Err(error_of(error, &path)),
            }
        })
    }

    fn list(&self, path: &str) -> BoxFuture<'static, Result<Listing, KeeperError>> {
        let path = path.to_owned();
        with(self, |client, _| async move {
            let listed = client.list_and_watch_children(&path).await;
            let (children, watcher) = listed.map_err(|error| error_of(error, &path))?;
            let changed = watcher.changed().map(drop).boxed();
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
        with(self, |client, acls| async move {
            make_parents(&client, &acls, &path).await?;
            let acls = Acls::new(&acls);
            let (options, counted) = match mode {
                Mode::Persistent => (CreateMode::Persistent.with_acls(acls), false),
                Mode::EphemeralSequential => {
                    (CreateMode::EphemeralSequential.with_acls(acls), true)
                }
            };
            match client.create(&path, &data, &options).await {
                Ok((_, sequence)) if counted => Ok(format!("{path}{sequence}")),
                Ok(_) | Err(Error::NodeExists) => Ok(path),
                Err(error) => Err(error_of(error, &path)),
            }
        })
    }

    fn delete(&self, path: &str) -> BoxFuture<'static, Result<(), KeeperError>> {
        let path = path.to_owned();
        with(self, |client, _| async move {
            match client.delete(&path, None).await {
                Ok(()) | Err(Error::NoNode) => Ok(()),
                Err(error) => Err(error_of(error, &path)),
            }
        })
    }

    fn multi(&self, ops: Vec<Op>) -> BoxFuture<'static, Result<bool, KeeperError>> {
        with(self, |client, acls| async move {
            let mut writer = client.new_multi_writer();
            let options = CreateMode::Persistent.with_acls(Acls::new(&acls));
            for op in &ops {
                let added = match op {
                    Op::Check { path, version } => writer.add_check_version(path, *version),
                    Op::Create { path, data } => writer.add_create(path, data, &options),
                    Op::Set {
                        path,
                        data,
                        version,
                    } => writer.add_set_data(path, data, Some(*version)),
                    Op::Delete { path, version } => writer.add_delete(path, Some(*version)),
                };
                added.map_err(|error| error_of(error, ""))?;
            }
            match writer.commit().await {
                Ok(_) => Ok(true),
                Err(MultiWriteError::OperationFailed {
                    source: Error::BadVersion | Error::NoNode | Error::NodeExists,
                    ..
                }) => Ok(false),
                Err(error) => Err(error_of(error.into(), "")),
            }
        })
    }

    fn ended(&self) -> BoxFuture<'static, ()> {
        let mut states = self.client.state_watcher();
        async move {
            let mut state = states.state();
            while !state.is_terminated() {
                state = states.changed().await;
            }
        }
        .boxed()
    }

    fn timeout(&self) -> Duration {
        self.client.session_timeout()
    }
}
