//! Masters of which one leads, through a simulated ZooKeeper.

use std::time::Duration;

use ::master::Options;
use api::agent::{Registered, Reregistered};
use api::master::Register;
use election::{Detector, Leadership, Masters, Place, WhoLeads, ZooKeeperContest};
use libproc::{Node, Pid, Upid};
use state::zookeeper::{SimulatedEnsemble, ZooKeeperStorage};
use state::{MemoryStorage, State};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use types::AgentId;

use crate::world::*;

const PATH: &str = "/mesos";
const TIMEOUT: Duration = Duration::from_secs(10);

/// One of several masters, and its way to ZooKeeper.
struct Candidate {
    node: Node,
    zookeeper: SimulatedEnsemble,
}

impl Candidate {
    async fn start(ensemble: &SimulatedEnsemble, state: &State, seed: u64) -> Candidate {
        let node = Node::bind("127.0.0.1:0").await.unwrap();
        let zookeeper = ensemble.client();
        let contest = ZooKeeperContest::new(zookeeper.clone(), PATH);
        let options = Options {
            seed: Some(seed),
            ..options()
        };
        ::master::stand(&node, options, contest, state.clone());
        Candidate { node, zookeeper }
    }

    async fn leadership(&self) -> Leadership {
        let upid = Upid::new(election::ELECTION, self.node.address()).unwrap();
        let herald: Pid<election::Electing> = Pid::assume(upid);
        self.node.ask(&herald, WhoLeads {}).await.unwrap()
    }

    async fn leads(&self) -> bool {
        self.leadership().await.is_me
    }

    fn place(&self) -> Place {
        let address = self.node.address();
        Place {
            host: address.ip().to_string(),
            port: address.port(),
        }
    }
}

/// Waits until one of these leads; checks all the while that no two do.
async fn leader_of<'a>(candidates: &[&'a Candidate]) -> &'a Candidate {
    for _ in 0..10_000 {
        let mut leaders = Vec::new();
        for candidate in candidates {
            if candidate.leads().await {
                leaders.push(*candidate);
            }
        }
        assert!(leaders.len() < 2, "two masters lead");
        if let Some(leader) = leaders.pop() {
            return leader;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nobody leads");
}

struct Three {
    ensemble: SimulatedEnsemble,
    state: State,
    masters: Vec<Candidate>,
}

/// On virtual time, for what stays within a node.
fn three<F: Future<Output = ()>>(test: impl FnOnce(Three) -> F) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build();
    tokio::task::LocalSet::new().block_on(&runtime.unwrap(), run(test));
}

/// On real time, for what goes from node to node.
fn three_nodes<F: Future<Output = ()>>(test: impl FnOnce(Three) -> F) {
    let ended = libproc::run_alone(async {
        run(test).await;
        Ok(())
    });
    ended.unwrap();
}

async fn run<F: Future<Output = ()>>(test: impl FnOnce(Three) -> F) {
    let ensemble = SimulatedEnsemble::new(TIMEOUT);
    let state = State::new(ZooKeeperStorage::new(ensemble.client(), "/mesos/registry"));
    let mut masters = Vec::new();
    for seed in 0..3 {
        masters.push(Candidate::start(&ensemble, &state, seed * 1_000).await);
    }
    let nodes: Vec<Node> = masters.iter().map(|master| master.node.clone()).collect();
    test(Three {
        ensemble,
        state,
        masters,
    })
    .await;
    for node in nodes {
        node.shutdown().await;
    }
}

impl Three {
    fn all(&self) -> Vec<&Candidate> {
        self.masters.iter().collect()
    }

    /// The masters but for this one.
    fn others(&self, than: &Candidate) -> Vec<&Candidate> {
        let address = than.node.address();
        self.masters
            .iter()
            .filter(|master| master.node.address() != address)
            .collect()
    }

    fn places(&self) -> Vec<Place> {
        self.masters.iter().map(Candidate::place).collect()
    }
}

#[test]
fn one_master_leads_and_all_know_it() {
    three(|three| async move {
        let leader = leader_of(&three.all()).await.node.address().to_string();
        tokio::time::sleep(Duration::from_secs(1)).await;
        for master in &three.masters {
            let told = master.leadership().await.leader.unwrap();
            assert_eq!(told.address, leader);
        }
        let znodes = three.ensemble.children(PATH);
        let announced: Vec<_> = znodes
            .keys()
            .filter(|name| name.starts_with("json.info_"))
            .collect();
        assert_eq!(announced.len(), 3, "{announced:?}");
        assert_eq!(announced[0], "json.info_0000000000");
    });
}

#[test]
fn a_leader_that_is_cut_off_steps_down_before_another_leads() {
    three(|three| async move {
        let leader = leader_of(&three.all()).await;
        let cut_at = tokio::time::Instant::now();
        leader.zookeeper.cut();
        while leader.leads().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let stepped_down = cut_at.elapsed();
        assert!(stepped_down < TIMEOUT, "{stepped_down:?}");
        for other in three.others(leader) {
            assert!(!other.leads().await);
        }
        // It comes back as the last in the row; the next one leads.
        let next = leader_of(&three.all()).await;
        assert_ne!(next.node.address(), leader.node.address());
    });
}

#[test]
fn a_short_break_changes_nothing() {
    three(|three| async move {
        let leader = leader_of(&three.all()).await;
        leader.zookeeper.cut();
        tokio::time::sleep(TIMEOUT / 4).await;
        leader.zookeeper.mend();
        for _ in 0..300 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert!(leader.leads().await);
        }
    });
}

#[test]
fn agents_find_the_next_master_in_a_list_and_are_known_there() {
    three_nodes(|three| async move {
        let node = Node::bind("127.0.0.1:0").await.unwrap();
        let mut detector = Detector::of_list(three.places(), &node);
        let first = detector.found().await;
        let mut agent = AgentStand::start(&node, "agent", Mute::No).await;
        let register = Register {
            info: agent_info(),
            agent: agent.pid.clone(),
            version: "1".to_owned(),
        };
        agent.say(&first.pid, register);
        let id: AgentId = agent.expect::<Registered>().await.agent_id;
        let leader = leader_of(&three.all()).await;
        assert_eq!(leader.node.address(), first.pid.upid().address());
        leader.zookeeper.expire();
        detector.miss();
        let second = detector.other_than(Some(&first)).await;
        let second = match second {
            Some(second) => second,
            None => detector.found().await,
        };
        assert_ne!(second.pid, first.pid);
        let reregister = api::master::Reregister {
            info: types::AgentInfo {
                id: Some(id.clone()),
                ..agent_info()
            },
            agent: agent.pid.clone(),
            version: "1".to_owned(),
            frameworks: vec![],
            executors: vec![],
            tasks: vec![],
        };
        agent.say(&second.pid, reregister);
        assert_eq!(agent.skip_to::<Reregistered>().await.agent_id, id);
        let names = three.state.names().await.unwrap();
        assert_eq!(names, [format!("agents/{id}"), "registry".to_owned()]);
        node.shutdown().await;
    });
}

/// What a path is answered: the first line, and where it leads.
async fn get(address: std::net::SocketAddr, path: &str) -> (String, Option<String>) {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let mut lines = text.lines();
    let status = lines.next().unwrap_or_default().to_owned();
    let location = lines.find_map(|line| line.strip_prefix("Location: "));
    (status, location.map(str::to_owned))
}

#[test]
fn a_standby_sends_clients_to_the_leader_or_asks_for_patience() {
    three_nodes(|three| async move {
        let leader = leader_of(&three.all()).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let to = leader.node.address();
        let standby = three.others(leader)[0];
        let here = standby.node.address();
        for (path, target) in [
            ("/state", "/state"),
            ("/master/state?x=1", "/master/state?x=1"),
            ("/api/v1/scheduler", "/api/v1/scheduler"),
            ("/", "/"),
            ("/redirect", ""),
            ("/master/redirect", ""),
        ] {
            let (status, location) = get(here, path).await;
            assert!(status.contains("307"), "{path}: {status}");
            assert_eq!(location, Some(format!("//{to}{target}")), "{path}");
        }
        assert!(get(here, "/health").await.0.contains("200"));
        assert!(get(here, "/version").await.0.contains("200"));
        let (status, location) = get(to, "/redirect").await;
        assert!(status.contains("307"), "{status}");
        assert_eq!(location, Some(format!("//{to}")));
        assert!(get(to, "/state").await.0.contains("200"));
        // Without a leader.
        let alone = SimulatedEnsemble::new(TIMEOUT);
        alone.set_down(true);
        let state = State::new(MemoryStorage::default());
        let lonely = Candidate::start(&alone, &state, 9).await;
        let (status, _) = get(lonely.node.address(), "/state").await;
        assert!(status.contains("503"), "{status}");
        lonely.node.shutdown().await;
    });
}

#[test]
fn a_list_of_masters_is_read_as_it_is_written() {
    three_nodes(|three| async move {
        let list: Vec<String> = three.places().iter().map(Place::to_string).collect();
        let masters: Masters = list.join(",").parse().unwrap();
        let node = Node::bind("127.0.0.1:0").await.unwrap();
        let mut detector = Detector::of(&masters, &node).await.unwrap();
        let leader = leader_of(&three.all()).await;
        let found = detector.found().await;
        assert_eq!(found.pid.upid().address(), leader.node.address());
        assert_eq!(
            found.info.unwrap().address,
            leader.node.address().to_string()
        );
        node.shutdown().await;
    });
}
