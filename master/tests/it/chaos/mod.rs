//! Agents and schedulers that do anything, in any order: nothing breaks, and nothing is lost.
//!
//! The master checks its books after every message. At the end everybody lets go, and whoever
//! comes then is offered all there is: what allocator and books think free is the same.

mod cast;

use std::collections::BTreeMap;
use std::time::Duration;

use api::master::{self, ReconcileTask};
use api::scheduler;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use types::{AgentId, Filters, Resources, TaskState, UpdateId};

use crate::world::*;
use cast::{Client, Node};

struct Chaos {
    random: StdRng,
    nodes: Vec<Node>,
    clients: Vec<Client>,
    tasks: u64,
}

impl Chaos {
    fn new(seed: u64) -> Chaos {
        let node = |i| Node {
            name: format!("agent-{i}"),
            stand: None,
            id: None,
            tasks: BTreeMap::new(),
        };
        let client = |i| Client {
            name: format!("client-{i}"),
            stand: None,
            id: None,
            offers: Vec::new(),
            launched: Vec::new(),
        };
        Chaos {
            random: StdRng::seed_from_u64(seed),
            nodes: (0..3).map(node).collect(),
            clients: (0..3).map(client).collect(),
            tasks: 0,
        }
    }

    async fn step(&mut self, world: &mut World) {
        let (node, client) = (
            self.random.random_range(0..3),
            self.random.random_range(0..3),
        );
        match self.random.random_range(0..100) {
            0..15 => self.nodes[node].come(world).await,
            15..17 => self.nodes[node].leave().await,
            17..30 => self.tell_news(node, world),
            30..45 => self.clients[client].come(world, &mut self.random).await,
            45..47 => self.clients[client].leave().await,
            47..75 => self.answer_offers(client, world),
            75..85 => self.chat(client, world),
            85..90 => self.talk_nonsense(node, client, world),
            90 => self.end_framework(client, world),
            91..99 => {
                let wait = Duration::from_millis(self.random.random_range(0..20_000));
                tokio::time::sleep(wait).await;
            }
            _ => {
                let patience = Duration::from_secs(100);
                tokio::time::sleep(patience).await;
            }
        }
        self.hear(world);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    fn tell_news(&mut self, node: usize, world: &World) {
        let node = &mut self.nodes[node];
        let states = [
            TaskState::Starting,
            TaskState::Running,
            TaskState::Killing,
            TaskState::Finished,
            TaskState::Failed,
        ];
        let all: Vec<_> = node.tasks.keys().cloned().collect();
        if let (Some(key), Some(state)) = (
            all.choose(&mut self.random),
            states.choose(&mut self.random),
        ) {
            node.report_state(key, *state, world);
        }
    }

    fn answer_offers(&mut self, client: usize, world: &World) {
        let client = &mut self.clients[client];
        let (Some(stand), Some(id)) = (&client.stand, &client.id) else {
            return;
        };
        if client.offers.is_empty() {
            return;
        }
        let i = self.random.random_range(0..client.offers.len());
        let keep = self.random.random_bool(0.1); // and use it again, which is wrong
        let offer = if keep {
            client.offers[i].clone()
        } else {
            client.offers.remove(i)
        };
        let filters = Filters::refuse(Duration::from_secs(self.random.random_range(0..3)));
        if self.random.random_bool(0.3) {
            let offer_ids = vec![offer.id.clone()];
            let framework_id = id.clone();
            return stand.say(
                &world.master,
                master::Decline {
                    framework_id,
                    offer_ids,
                    filters,
                },
            );
        }
        let mut tasks = Vec::new();
        for _ in 0..self.random.random_range(0..4) {
            self.tasks += 1;
            let mut info = task(&format!("t{}", self.tasks % 40), &offer);
            let cpus = f64::from(self.random.random_range(0..20_u32)) / 8.0;
            info.resources = Resources::new()
                .cpus(cpus)
                .mem_mib(self.random.random_range(0..300));
            client.launched.push(info.task_id.clone());
            tasks.push(info);
        }
        world.accept(stand, id, &[&offer], tasks);
    }

    fn chat(&mut self, client: usize, world: &World) {
        let client = &self.clients[client];
        let (Some(stand), Some(id)) = (&client.stand, &client.id) else {
            return;
        };
        let (framework_id, roles) = (id.clone(), Vec::new());
        match self.random.random_range(0..5) {
            0 => stand.say(
                &world.master,
                master::Revive {
                    framework_id,
                    roles,
                },
            ),
            1 => stand.say(
                &world.master,
                master::Suppress {
                    framework_id,
                    roles,
                },
            ),
            2 => stand.say(
                &world.master,
                master::Reconcile {
                    framework_id,
                    tasks: vec![],
                },
            ),
            3 => {
                let asked = client.launched.iter().map(|task_id| ReconcileTask {
                    task_id: task_id.clone(),
                    agent_id: None,
                });
                let tasks = asked.collect();
                stand.say(
                    &world.master,
                    master::Reconcile {
                        framework_id,
                        tasks,
                    },
                );
            }
            _ => {
                if let Some(task_id) = client.launched.choose(&mut self.random).cloned() {
                    let (agent_id, kill_policy) = (None, None);
                    let kill = master::Kill {
                        framework_id,
                        task_id,
                        agent_id,
                        kill_policy,
                    };
                    stand.say(&world.master, kill);
                }
            }
        }
    }

    /// An agent and a scheduler say what is not theirs to say.
    fn talk_nonsense(&mut self, node: usize, client: usize, world: &World) {
        let any_framework = self.clients[(client + 1) % 3].id.clone();
        let framework_id = any_framework.unwrap_or_else(|| "nobody".parse().unwrap());
        let any_agent = self.nodes[(node + 1) % 3].id.clone();
        let agent_id = any_agent.unwrap_or_else(|| "nowhere".parse().unwrap());
        if let Some(stand) = &self.clients[client].stand {
            let teardown = master::Teardown {
                framework_id: framework_id.clone(),
            };
            stand.say(&world.master, teardown);
            let unregister = master::Unregister {
                agent_id: agent_id.clone(),
            };
            stand.say(&world.master, unregister);
            let acknowledge = master::Acknowledge {
                framework_id: framework_id.clone(),
                agent_id: agent_id.clone(),
                task_id: "t1".parse().unwrap(),
                update_id: UpdateId::random(),
            };
            stand.say(&world.master, acknowledge);
        }
        if let Some(stand) = &self.nodes[node].stand {
            stand.say(
                &world.master,
                master::Unregister {
                    agent_id: agent_id.clone(),
                },
            );
            world.update(stand, &agent_id, (&framework_id, "t1"), TaskState::Failed);
        }
    }

    fn end_framework(&mut self, client: usize, world: &World) {
        let client = &mut self.clients[client];
        if let (Some(stand), Some(framework_id)) = (&client.stand, client.id.take()) {
            stand.say(&world.master, master::Teardown { framework_id });
            client.offers.clear();
        }
    }

    /// Frameworks are ended by an operator, and agents begin anew.
    async fn end_all(&mut self, world: &World) {
        for framework in world.get_frameworks().await {
            let framework_id = framework.info.id.unwrap();
            let teardown = master::TeardownFramework { framework_id };
            // Those that have ended cannot end again.
            let _ = world.node.ask(&world.master, teardown).await.unwrap();
        }
        for node in &mut self.nodes {
            node.come(world).await;
        }
    }

    /// Agents end their tasks, frameworks give their offers back: nobody is told twice.
    async fn let_go(&mut self, world: &World) {
        let here = world.get_agents().await;
        let here = here
            .iter()
            .filter(|a| a.state == master::AgentState::Active);
        let here: Vec<_> = here.map(|agent| Some(agent.agent_id.clone())).collect();
        for node in &mut self.nodes {
            if node.stand.is_none() || !here.contains(&node.id) {
                node.come(world).await;
            }
        }
        for client in &mut self.clients {
            if client.stand.is_some() && client.id.is_none() {
                client.come(world, &mut self.random).await;
            }
        }
        tokio::time::sleep(Duration::from_secs(100)).await;
        self.hear(world);
        tokio::time::sleep(SECOND).await;
        for node in &mut self.nodes {
            let tasks: Vec<_> = node.tasks.keys().cloned().collect();
            for key in tasks {
                node.report_state(&key, TaskState::Finished, world);
            }
        }
        tokio::time::sleep(SECOND).await;
        self.hear(world);
        for client in &mut self.clients {
            let (Some(stand), Some(framework_id)) = (&client.stand, client.id.clone()) else {
                continue;
            };
            let roles = Vec::new();
            let suppress = master::Suppress {
                framework_id: framework_id.clone(),
                roles,
            };
            stand.say(&world.master, suppress);
            let offer_ids = client.offers.drain(..).map(|offer| offer.id).collect();
            let filters = Filters::NONE;
            stand.say(
                &world.master,
                master::Decline {
                    framework_id,
                    offer_ids,
                    filters,
                },
            );
        }
    }

    fn hear(&mut self, world: &World) {
        self.nodes.iter_mut().for_each(|node| node.hear(world));
        self.clients
            .iter_mut()
            .for_each(|client| client.hear(world));
    }

    /// Everybody lets go, and a stranger comes: all there is is offered to it.
    async fn settle(mut self, world: &mut World) {
        if self.random.random() {
            self.end_all(world).await;
        } else {
            self.let_go(world).await;
        }
        tokio::time::sleep(Duration::from_secs(100)).await;
        let (mut stranger, _) = world.scheduler("stranger").await;
        let mut offered: BTreeMap<AgentId, Resources> = BTreeMap::new();
        tokio::time::sleep(Duration::from_secs(10)).await;
        for message in stranger.take() {
            let offers = message
                .downcast::<scheduler::Offers>()
                .expect("nothing but offers");
            for offer in offers.offers {
                *offered.entry(offer.agent_id).or_default() += offer.resources;
            }
        }
        let agents = world.get_agents().await;
        let here = agents
            .iter()
            .filter(|a| a.state == master::AgentState::Active);
        let mut count = 0;
        for agent in here {
            assert_eq!(agent.used, Resources::new());
            assert_eq!(offered.get(&agent.agent_id), Some(&agent.total));
            count += 1;
        }
        assert_eq!(count, 3);
    }
}

fn run(seed: u64, steps: u32) {
    println!("seed {seed}");
    world(|mut world| async move {
        let mut chaos = Chaos::new(seed);
        for _ in 0..steps {
            chaos.step(&mut world).await;
        }
        chaos.settle(&mut world).await;
    });
}

#[test]
fn nothing_breaks_and_nothing_is_lost_whatever_they_do() {
    for seed in 0..40 {
        run(seed, 400);
    }
}
