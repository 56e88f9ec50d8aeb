//! The process `members` of a node in a cluster: the shell around SWIM.
//!
//! The protocol is foca's: who to probe, whom to suspect, what to pass on. Its packets travel as
//! letters between the `members` of two nodes, its timers are timers of this process, its chance is
//! that of [`env`](crate::env): so it is simulated by seed like everything else.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::num::{NonZeroU8, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Handler};
use foca::{
    AccumulatingRuntime, Foca, Member, NoCustomBroadcast, OwnedNotification, PeriodicParams, State,
};
use parking_lot::Mutex;
use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::chance::Chance;
use super::codec::{Codec, Gate};
use super::identity::{Card, Identity, Says};
use super::info::MemberInfo;
use super::{ClusterOptions, SEEDS_MAX};
use crate::cluster::Books;
use crate::context::Context;
use crate::env;
use crate::node::Node;
use crate::pid::{Pid, Upid};
use crate::process::Process;
use crate::reply::Reply;

/// The id of the process; no other process should take it.
pub(crate) const MEMBERS: &str = "members";

/// Largest packet, in bytes: what fits of some six hundred members.
const PACKET_MAX: usize = 60 << 10;
/// Members asked to probe one that does not answer, and those a goodbye is told.
const HELPERS: usize = 3;
/// How often a piece of news is passed on by each member: enough for thousands.
const TRANSMISSIONS: u8 = 15;
/// Probe periods a member that does not answer is suspected for before it counts as lost.
const SUSPECTED_PERIODS: u32 = 4;
/// Probe periods between two questions for members one might not know of.
const ANNOUNCE_PERIODS: u32 = 30;
/// Probe periods between two tries to reach a seed or a lost member.
const REACH_PERIODS: u32 = 5;
/// How long a lost member is remembered, and tried again.
const REMEMBERED: Duration = Duration::from_secs(60 * 60);
/// Longest wait for a node that is greeted.
const GREET: Duration = Duration::from_secs(5);

crate::protocol! {
    /// What the process `members` accepts.
    pub(crate) protocol Gossiping {
        /// A packet of the gossip.
        message Packet {
            #[serde(with = "serde_bytes")]
            bytes: Vec<u8>,
        };
        /// Asked before joining, by a node at this start of it.
        message Greet { incarnation: u64 } -> Greeting;
    }
}

/// What a member says to one that wants to join.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Greeting {
    /// Who it is.
    own: Option<Card>,
    /// The generation the other has to exceed in order to be taken for alive.
    exceed: Option<u64>,
}

type Swim = Foca<Identity, Codec, Chance, NoCustomBroadcast>;
type Effects = AccumulatingRuntime<Identity>;

pub(crate) struct MembersProcess {
    swim: Swim,
    gate: Arc<Mutex<Gate>>,
    seeds: Vec<SocketAddr>,
    period: Duration,
    /// Some other member is known.
    active: bool,
    /// Since when members are down.
    down: BTreeMap<SocketAddr, Instant>,
    chance: StdRng,
}

fn members_at(address: SocketAddr) -> Pid<Gossiping> {
    Pid::assume(Upid::elsewhere(MEMBERS, address))
}

impl MembersProcess {
    pub(crate) fn new(node: &Node, options: ClusterOptions) -> MembersProcess {
        let ClusterOptions {
            seeds,
            info,
            period,
        } = options;
        let books = node.cluster_state().books();
        let says = Says {
            incarnation: node.incarnation(),
            info: books.said.clone().unwrap_or(info),
            leaves: false,
        };
        let identity = Identity::unknown(node.address()).saying(says);
        // Whom one before this one knew, if it has failed, are as good as seeds.
        let known = books.view.members().map(|member| member.address);
        let seeds: BTreeSet<SocketAddr> = seeds.into_iter().chain(known.take(SEEDS_MAX)).collect();
        let gate = Arc::default();
        let codec = Codec(Arc::clone(&gate));
        let seeds = seeds.into_iter().filter(|seed| *seed != node.address());
        MembersProcess {
            swim: Foca::new(identity, config(period), Chance::new(), codec),
            gate,
            seeds: seeds.collect(),
            period,
            active: false,
            down: BTreeMap::new(),
            chance: env::rng(),
        }
    }

    /// Lets SWIM do something and carries out what comes of it.
    fn swim(
        &mut self,
        ctx: &mut Context<Self>,
        act: impl FnOnce(&mut Swim, &mut Effects) -> Result<(), foca::Error>,
    ) {
        let mut effects = Effects::new();
        if let Err(error) = act(&mut self.swim, &mut effects) {
            tracing::debug!(%error, "gossip refused");
        }
        self.carry_out(effects, ctx);
    }

    fn carry_out(&mut self, mut effects: Effects, ctx: &mut Context<Self>) {
        let mut news = Vec::new();
        while let Some(notification) = effects.to_notify() {
            news.push(notification);
        }
        if !news.is_empty() {
            self.note(news, ctx.node());
        }
        while let Some((to, bytes)) = effects.to_send() {
            let bytes = bytes.into();
            ctx.tell(&members_at(to.address), Packet { bytes });
        }
        while let Some((after, timer)) = effects.to_schedule() {
            ctx.after(after, |members, ctx| {
                members.swim(ctx, |swim, effects| swim.handle_timer(timer, effects));
            });
        }
    }

    /// Brings news into the books, and to those who want to hear them.
    fn note(&mut self, news: Vec<OwnedNotification<Identity>>, node: &Node) {
        let state = node.cluster_state();
        let mut books = state.books();
        for notification in news {
            let events = match notification {
                OwnedNotification::MemberUp(identity) => books.view.up(&identity),
                OwnedNotification::MemberDown(identity) => books.view.down(&identity),
                OwnedNotification::Rename(_, identity) => books.view.renamed(&identity),
                OwnedNotification::Active => {
                    self.active = true;
                    Vec::new()
                }
                OwnedNotification::Idle | OwnedNotification::Defunct => {
                    self.active = false;
                    Vec::new()
                }
                // It was taken for lost and has come back: nothing changed here.
                OwnedNotification::Rejoin(_) => Vec::new(),
            };
            for event in &events {
                books.news(event);
            }
        }
        drop(books);
        state.changed();
    }

    /// Tries to reach nodes that should be members and are not: seeds, and those that were lost.
    fn reach(&mut self, ctx: &mut Context<Self>) {
        self.forget();
        let known: BTreeMap<SocketAddr, (State, bool)> = self
            .swim
            .iter_membership_state()
            .map(|member| (member.id().address, (member.state(), member.id().leaves())))
            .collect();
        let is_member = |seed: &SocketAddr| {
            known
                .get(seed)
                .is_some_and(|(state, _)| *state != State::Down)
        };
        let mut missing: Vec<SocketAddr> = self.seeds.clone();
        missing.retain(|seed| !is_member(seed));
        // Only one of the lost at a time: they are not coming back, most likely.
        let lost: Vec<SocketAddr> = known
            .iter()
            .filter(|(_, (state, left))| *state == State::Down && !left)
            .map(|(address, _)| *address)
            .collect();
        missing.extend(lost.choose(&mut self.chance));
        if self.active {
            missing = missing
                .choose(&mut self.chance)
                .copied()
                .into_iter()
                .collect();
        }
        missing.sort_unstable();
        missing.dedup();
        for address in missing {
            self.greet(address, ctx);
        }
        let periods = if self.active { REACH_PERIODS } else { 1 };
        let wait = self.period * periods;
        let jitter = wait.mul_f64(self.chance.random_range(0.0..0.2));
        ctx.after(wait + jitter, Self::reach);
    }

    /// Asks to be taken in by the node at `address`.
    fn greet(&mut self, address: SocketAddr, ctx: &mut Context<Self>) {
        let incarnation = ctx.node().incarnation();
        let asked = ctx.ask_within(&members_at(address), Greet { incarnation }, GREET);
        ctx.defer(asked, move |members, greeting, ctx| {
            let Greeting { own, exceed } = match greeting {
                Ok(greeting) => greeting,
                Err(error) => {
                    return tracing::debug!(%address, %error, "member not reached");
                }
            };
            let greeted = own.and_then(Card::checked);
            let greeted = greeted.filter(|identity| identity.address == address);
            members.swim(ctx, |swim, mut effects| {
                // Known before it knows this node, so that it can be told of a goodbye.
                let greeted = greeted.map(Member::alive);
                swim.apply_many(greeted.into_iter(), true, &mut effects)?;
                let late = exceed.filter(|generation| *generation >= swim.identity().generation);
                if let Some(anew) = late.and_then(|late| swim.identity().after(late)) {
                    swim.change_identity(anew, &mut effects)?;
                }
                swim.announce(Identity::unknown(address), effects)
            });
        });
    }

    /// Forgets who has been down for long, and whom packets named that are no members.
    fn forget(&mut self) {
        let down: BTreeMap<SocketAddr, Identity> = self
            .swim
            .iter_membership_state()
            .filter(|member| member.state() == State::Down)
            .map(|member| (member.id().address, member.id().clone()))
            .collect();
        self.down.retain(|address, _| down.contains_key(address));
        for (address, identity) in down {
            let since = self.down.entry(address).or_insert_with(Instant::now);
            if since.elapsed() < REMEMBERED {
                continue;
            }
            self.down.remove(&address);
            // Removes an entry, no more: there are no effects, and it cannot fail.
            let forget = foca::Timer::RemoveDown(identity);
            let _ = self.swim.handle_timer(forget, &mut Effects::new());
        }
        let members = self.swim.iter_membership_state();
        self.gate.lock().known = members.map(|member| member.id().address).collect();
    }

    /// Says something else of this node from now on.
    pub(crate) fn say(&mut self, info: MemberInfo, ctx: &mut Context<Self>) {
        ctx.node().cluster_state().books().said = Some(info.clone());
        self.become_one_who_says(info, false, ctx);
    }

    fn become_one_who_says(&mut self, info: MemberInfo, leaves: bool, ctx: &mut Context<Self>) {
        let incarnation = ctx.node().incarnation();
        let says = Says {
            incarnation,
            info,
            leaves,
        };
        let identity = self.swim.identity().saying(says);
        if !leaves {
            self.enter(&identity, ctx.node());
        }
        self.swim(ctx, |swim, effects| swim.change_identity(identity, effects));
    }

    /// Takes all members out.
    fn part(node: &Node) {
        let state = node.cluster_state();
        let mut books = state.books();
        for event in books.view.clear(node.address()) {
            books.news(&event);
        }
        drop(books);
        state.changed();
    }

    /// Enters this node itself among the members.
    fn enter(&self, own: &Identity, node: &Node) {
        let state = node.cluster_state();
        let mut books = state.books();
        for event in books.view.up(own) {
            books.news(&event);
        }
        drop(books);
        state.changed();
    }
}

impl Books {
    /// Passes a change of the members on.
    pub(crate) fn news(&mut self, event: &super::MemberEvent) {
        use super::MemberEvent::{Changed, Joined, Left, Lost};
        match event {
            Left(member) | Lost(member) => self.groups.lose(member.address),
            Joined(_) | Changed(_) => {}
        }
        self.view.publish(event);
    }
}

fn config(period: Duration) -> foca::Config {
    let some = |count| NonZeroUsize::new(count).expect("a constant that is not zero");
    let every = |frequency, count| {
        Some(PeriodicParams {
            frequency,
            num_members: some(count),
        })
    };
    foca::Config {
        probe_period: period,
        probe_rtt: period / 3,
        num_indirect_probes: some(HELPERS),
        max_transmissions: NonZeroU8::new(TRANSMISSIONS).expect("a constant that is not zero"),
        suspect_to_down_after: period * SUSPECTED_PERIODS,
        remove_down_after: None, // `forget` does that, without a timer for each
        max_packet_size: some(PACKET_MAX),
        notify_down_members: true,
        periodic_announce: every(period * ANNOUNCE_PERIODS, 1),
        periodic_announce_to_down_members: None, // `reach` does that, also when all are lost
        periodic_gossip: every(period / 5, HELPERS),
    }
}

impl Actor for MembersProcess {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let own = self.swim.identity().clone();
        Self::part(ctx.node()); // from whom one before this one knew
        self.enter(&own, ctx.node());
        self.reach(ctx);
    }

    /// Says goodbye.
    fn stopped(&mut self, ctx: &mut Context<Self>) {
        let says = self.swim.identity().says.as_ref();
        let info = says.map(|says| says.info.clone()).unwrap_or_default();
        self.become_one_who_says(info, true, ctx);
        self.swim(ctx, |swim, effects| swim.leave_cluster(effects));
        Self::part(ctx.node());
    }
}

impl Process for MembersProcess {
    type Protocol = Gossiping;
}

impl Handler<Packet> for MembersProcess {
    type Result = ();
    fn handle(&mut self, Packet { bytes }: Packet, ctx: &mut Context<Self>) {
        self.gate.lock().sender = ctx.sender().map(Upid::address);
        self.swim(ctx, |swim, effects| swim.handle_data(&bytes, effects));
    }
}

impl Handler<Greet> for MembersProcess {
    type Result = Reply<Greeting>;
    fn handle(&mut self, Greet { incarnation }: Greet, ctx: &mut Context<Self>) -> Self::Result {
        let address = ctx.sender().map(Upid::address);
        let mut members = self.swim.iter_membership_state();
        let member = members.find(|member| Some(member.id().address) == address);
        let exceed = member.and_then(|member| {
            let says = member.id().says.as_ref();
            let same = says.is_some_and(|says| says.incarnation == incarnation);
            (member.state() == State::Down || !same).then_some(member.id().generation)
        });
        let own = Card::of(self.swim.identity());
        Reply(Greeting { own, exceed })
    }
}
