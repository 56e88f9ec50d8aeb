//! The run of a simulation: hosts, checkers, and how it went.

use std::future::{Future, pending};
use std::time::Duration;

use api::master::GetAgents;
use election::Ensemble;
use libproc::sim::{History, Simulation, World, history, turmoil};
use libproc::{ExitReason, Node, Pid, Upid};

use crate::cluster::Cluster;
use crate::hosts::{Shape, Way, place_of, replica, start_agent};
use crate::trace;

/// How often the books of the master are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// How a simulation went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// All that was delivered: the same seed and script give the same.
    pub history: History,
    /// How long it took, of its own time.
    pub elapsed: Duration,
    /// How many tasks ran.
    pub tasks: u64,
}

/// Runs `script` on a simulated cluster, in which everything follows from `seed`.
///
/// # Panics
/// When the script does, or anything happens that must not. Says the seed, what was done to the
/// cluster, and how to run it again.
pub fn simulate<Fut>(
    seed: u64,
    shape: Shape,
    script: impl FnOnce(Cluster) -> Fut + 'static,
) -> Outcome
where
    Fut: Future<Output = ()> + 'static,
{
    trace::on_demand();
    let simulation = Simulation::new(seed).limit(shape.limit).step(shape.step);
    let (elapsed, tasks) = simulation.run(async move |world| {
        let cluster = start(world.clone(), shape).await;
        tokio::task::spawn_local(watch_books(cluster.clone()));
        tokio::task::spawn_local(watch_record(cluster.clone()));
        script(cluster.clone()).await;
        report(&cluster);
        (world.elapsed(), cluster.truth(|truth| truth.started()))
    });
    Outcome {
        history: history(),
        elapsed,
        tasks,
    }
}

/// A cluster in `world`, whose hosts are about to start.
async fn start(world: World, shape: Shape) -> Cluster {
    let node = world.here().await;
    let masters = shape.master_hosts();
    let way = match &masters[..] {
        [only] => {
            let address = (turmoil::lookup(only.as_str()), api::MASTER_PORT).into();
            let upid = Upid::new(api::MASTER, address).expect("an address is a value");
            Way::To(Pid::assume(upid))
        }
        several => Way::Among(several.iter().map(|host| place_of(host)).collect()),
    };
    let cluster = Cluster::new(world.clone(), node, shape, way);
    for host in cluster.fixed_hosts() {
        let cluster = cluster.clone();
        let name = host.clone();
        world.machine(&host, move || run_host(cluster.clone(), name.clone()));
    }
    world.node(&masters[0]).await; // all of them have started then
    cluster
}

/// Fails the simulation for what the record says must not be; whether there was anything.
fn report(cluster: &Cluster) -> bool {
    let violations = cluster.record().pages().violations.clone();
    violations
        .iter()
        .for_each(|what| cluster.world().fail(what));
    !violations.is_empty()
}

/// Looks at the record at each step.
async fn watch_record(cluster: Cluster) {
    while !report(&cluster) {
        tokio::time::sleep(cluster.shape().step).await;
    }
}

/// A node at the address of a simulated host.
pub(crate) async fn node_at(host: &str, port: u16) -> std::io::Result<Node> {
    Node::bind(&format!("{}:{port}", turmoil::lookup(host))).await
}

/// What runs on the hosts that are there from the beginning.
async fn run_host(cluster: Cluster, host: String) -> turmoil::Result {
    if cluster.shape().master_hosts().contains(&host) {
        let node = node_at(&host, api::MASTER_PORT).await?;
        cluster.world().is_up(&host, &node);
        if cluster.shape().masters > 1 {
            return stand(&cluster, &host, &node).await;
        }
        let master = master::start(&node, cluster.shape().master.clone());
        let reason = node.exit_of(master.upid()).await;
        cluster
            .record()
            .violation(format!("the master ended: {reason}"));
    } else {
        let node = node_at(&host, api::AGENT_PORT).await?;
        cluster.world().is_up(&host, &node);
        let (way, resources) = (cluster.way(), cluster.shape().resources.clone());
        let work_dir = cluster.work_dir(&host);
        let agent = start_agent(&node, &host, way, resources, work_dir, cluster.record())?;
        let reason = node.exit_of(agent.upid()).await;
        let panicked = matches!(reason, ExitReason::Panicked(_));
        if panicked || !cluster.may_end(&host) {
            cluster
                .record()
                .violation(format!("the agent on {host} ended: {reason}"));
        }
    }
    pending().await
}

/// One of several masters: it stands for election for as long as its host lives.
async fn stand(cluster: &Cluster, host: &str, node: &Node) -> turmoil::Result {
    let options = replica(cluster.shape(), host, cluster.disk(host));
    let (contest, state) = Ensemble::open(node, options).await?;
    let stand = master::stand(node, cluster.shape().master.clone(), contest, state);
    let mut own = stand.own();
    loop {
        let leads = own.borrow_and_update().is_some();
        cluster.record().leads(host, leads);
        if own.changed().await.is_err() {
            let what = format!("{host} stands for election no longer");
            cluster.record().violation(what);
            return pending().await;
        }
    }
}

/// Looks at the books of the master from time to time: nothing may be promised twice.
async fn watch_books(cluster: Cluster) {
    loop {
        tokio::time::sleep(LOOK).await;
        let Ok(agents) = cluster.ask(GetAgents {}).await else {
            continue; // the master is down
        };
        for agent in agents {
            let promised = &agent.used + &agent.offered;
            if !agent.total.contains(&promised) {
                let (host, total) = (agent.hostname, agent.total);
                let what = format!("{host} has {total}, and {promised} is used or offered");
                cluster.violation(what);
            }
        }
    }
}
