//! The run of a simulation: hosts, steps, and what is said when something is wrong.

use std::fmt::Write as _;
use std::future::{Future, pending};
use std::time::Duration;

use api::master::GetAgents;
use libproc::sim::{History, history, simulation_in_steps, turmoil};
use libproc::{ExitReason, Node, Pid};

use crate::cluster::{Cluster, Order};
use crate::hosts::{MASTER_HOST, Shape, start_agent};
use crate::seeds::replay;
use crate::trace;

/// The host of the script, to which no fault comes.
const OPERATOR_HOST: &str = "operator";

/// The port of its node.
const OPERATOR_PORT: u16 = 5053;
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
pub fn simulate<Fut>(seed: u64, shape: Shape, script: impl FnOnce(Cluster) -> Fut) -> Outcome
where
    Fut: Future<Output = ()> + 'static,
{
    trace::on_demand();
    let mut sim = simulation_in_steps(seed, shape.limit, shape.step);
    let address = sim.lookup(MASTER_HOST);
    let master = format!("{}@{address}:{}", api::MASTER, api::MASTER_PORT);
    let master: Pid<_> = master.parse().expect("an address is a value");
    let cluster = Cluster::new(seed, shape, master);
    for host in cluster.fixed_hosts() {
        let cluster = cluster.clone();
        let name = host.clone();
        sim.host(host, move || run_host(cluster.clone(), name.clone()));
    }
    let (operator, script) = (cluster.clone(), script(cluster.clone()));
    sim.client(OPERATOR_HOST, async move {
        operator.set_node(node_at(OPERATOR_HOST, OPERATOR_PORT).await?);
        tokio::task::spawn_local(watch_books(operator));
        script.await;
        Ok(())
    });
    loop {
        let stepped = sim.step();
        let broken = stepped.as_ref().err().map(ToString::to_string);
        let violations = cluster.record().pages().violations.clone();
        if broken.is_some() || !violations.is_empty() {
            fail(seed, &cluster, &sim, violations.into_iter().chain(broken));
        }
        for order in cluster.take_orders() {
            carry_out(order, &mut sim, &cluster);
        }
        if matches!(stepped, Ok(true)) {
            break;
        }
    }
    let tasks = cluster.record().pages().truth.started();
    Outcome {
        history: history(),
        elapsed: sim.elapsed(),
        tasks,
    }
}

fn fail(
    seed: u64,
    cluster: &Cluster,
    sim: &turmoil::Sim<'_>,
    what: impl Iterator<Item = String>,
) -> ! {
    let mut text = format!(
        "seed {seed} fails after {:.3} s:\n",
        sim.elapsed().as_secs_f64()
    );
    for line in what {
        let _ = writeln!(text, "  {line}");
    }
    text.push_str("what was done to the cluster:\n");
    for deed in &cluster.record().pages().deeds {
        let _ = writeln!(text, "  {deed}");
    }
    panic!("{text}run it again with\n  {}\n", replay(seed));
}

fn carry_out(order: Order, sim: &mut turmoil::Sim<'_>, cluster: &Cluster) {
    match order {
        Order::Start(host, software) => sim.host(host, software),
        Order::Crash(host) => {
            sim.crash(host.as_str());
            cluster.record().crashed(&host);
        }
        Order::Restart(host) => sim.bounce(host),
        Order::Latency(a, b, longest) => sim.set_link_max_message_latency(a, b, longest),
    }
}

/// A node at the address of a simulated host.
pub(crate) async fn node_at(host: &str, port: u16) -> std::io::Result<Node> {
    Node::bind(&format!("{}:{port}", turmoil::lookup(host))).await
}

/// What runs on the hosts that are there from the beginning.
async fn run_host(cluster: Cluster, host: String) -> turmoil::Result {
    if host == MASTER_HOST {
        let node = node_at(&host, api::MASTER_PORT).await?;
        cluster.is_up(&host, &node);
        let master = master::start(&node, cluster.shape().master.clone());
        let reason = node.exit_of(master.upid()).await;
        cluster
            .record()
            .violation(format!("the master ended: {reason}"));
    } else {
        let node = node_at(&host, api::AGENT_PORT).await?;
        cluster.is_up(&host, &node);
        let (master, resources) = (cluster.master().clone(), cluster.shape().resources.clone());
        let work_dir = cluster.work_dir(&host);
        let agent = start_agent(&node, &host, master, resources, work_dir, cluster.record())?;
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
