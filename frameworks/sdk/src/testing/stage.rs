//! A stage: a framework played against a cluster that is pretended whole, on a clock of its own.
//!
//! What runs is the framework's own code, turn by turn; master, agents and tasks are a few tables.
//! So a day with a hundred faults takes milliseconds, and everything follows from the seed. What
//! the stage leaves out, a session's messages crossing each other, is simulated with the real
//! master and agents by the crate `cluster`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use state::Encoded;
use types::{AgentId, Offer, OfferId, Resources, TaskId, TaskInfo, TaskState};

use super::play::{Cue, Played, Script, default_script};
use crate::calls::{Call, Calls};
use crate::framework::Framework;
use crate::keeping::Kept;

/// How long after something became free it is offered.
const OFFER_AFTER_MS: u64 = 2;
/// How long after its launch a task runs.
const START_AFTER_MS: u64 = 5;

/// A framework on a stage.
pub struct Stage<F> {
    make: Box<dyn Fn() -> F>,
    script: Script,
    framework: F,
    calls: Calls,
    rng: StdRng,
    now_ms: u64,
    /// What is to happen, by time and in order.
    cues: BTreeMap<(u64, u64), Cue>,
    next_cue: u64,
    /// Cues of a framework's life that is over are void.
    life: u64,
    agents: BTreeMap<AgentId, Agent>,
    tasks: BTreeMap<TaskId, Actual>,
    offers: BTreeMap<OfferId, Offer>,
    kept: BTreeMap<String, Encoded>,
    suppressed: bool,
    crash_chance: f64,
    stopped: bool,
}

struct Agent {
    total: Resources,
    up: bool,
    /// No offers until then.
    refused_until_ms: u64,
}

/// A task as it really is.
#[derive(Debug, Clone, PartialEq)]
pub struct Actual {
    /// What was launched.
    pub task: TaskInfo,
    /// Its true state.
    pub state: TaskState,
    /// When it was launched and when it ended, in milliseconds since the stage opened.
    pub launched_ms: u64,
    /// When it ended.
    pub ended_ms: Option<u64>,
    /// Its end was heard, and acknowledged.
    pub acknowledged: bool,
}

impl<F: Framework> Stage<F> {
    /// A stage without agents, on which everything follows from `seed`. `make` is called again
    /// whenever the framework crashes.
    pub fn new(seed: u64, make: impl Fn() -> F + 'static) -> Stage<F> {
        let mut stage = Stage {
            framework: make(),
            make: Box::new(make),
            script: Box::new(default_script),
            calls: Calls::with_prefix("life-0".to_owned()),
            rng: StdRng::seed_from_u64(seed),
            now_ms: 0,
            cues: BTreeMap::new(),
            next_cue: 0,
            life: 0,
            agents: BTreeMap::new(),
            tasks: BTreeMap::new(),
            offers: BTreeMap::new(),
            kept: BTreeMap::new(),
            suppressed: false,
            crash_chance: 0.0,
            stopped: false,
        };
        stage.open();
        stage
    }

    /// Adds an agent.
    ///
    /// # Panics
    /// When the name cannot be an id.
    #[must_use]
    pub fn agent(mut self, name: &str, total: Resources) -> Stage<F> {
        let id = AgentId::new(name).expect("the agent of a test has a valid id");
        let agent = Agent {
            total,
            up: true,
            refused_until_ms: 0,
        };
        self.agents.insert(id.clone(), agent);
        self.cue(OFFER_AFTER_MS, Cue::Offer(id));
        self
    }

    /// Has tasks do what `script` says, instead of what their commands do as far as the stage
    /// understands them: `true`, `false`, `sleep SECONDS`, `exit CODE`.
    #[must_use]
    pub fn script(
        mut self,
        script: impl Fn(&TaskInfo, &mut StdRng) -> Played + 'static,
    ) -> Stage<F> {
        self.script = Box::new(script);
        self
    }

    /// Has the framework crash in this part of its turns: before anything of the turn is stored,
    /// before anything of it leaves, or before the update that it handled is acknowledged.
    #[must_use]
    pub fn crashing(mut self, chance: f64) -> Stage<F> {
        self.crash_chance = chance;
        self
    }

    /// Changes how often the framework crashes from here on.
    pub fn set_crashing(&mut self, chance: f64) {
        self.crash_chance = chance;
    }

    /// The framework.
    pub fn framework(&self) -> &F {
        &self.framework
    }

    /// All tasks that ever reached their agents.
    pub fn tasks(&self) -> &BTreeMap<TaskId, Actual> {
        &self.tasks
    }

    /// The time since the stage opened, in milliseconds.
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// Whether the framework has ended.
    pub fn has_stopped(&self) -> bool {
        self.stopped
    }

    /// How often the framework crashed.
    pub fn crashes(&self) -> u64 {
        self.life
    }

    /// Runs `visit` in a turn of the framework.
    pub fn visit<R>(&mut self, visit: impl FnOnce(&mut F, &mut Calls) -> R) -> R {
        self.calls.set_now(self.now_ms);
        let result = visit(&mut self.framework, &mut self.calls);
        self.carry_out();
        result
    }

    /// Lets time go by.
    pub fn run(&mut self, time: Duration) {
        let until = self.now_ms + time.as_millis() as u64;
        self.run_while(until, |_| true);
        self.now_ms = self.now_ms.max(until);
    }

    /// Lets time go by until something is so; whether it came to be within that time.
    pub fn until(&mut self, within: Duration, is_so: impl Fn(&F) -> bool) -> bool {
        let until = self.now_ms + within.as_millis() as u64;
        self.run_while(until, |framework| !is_so(framework));
        is_so(&self.framework)
    }

    fn run_while(&mut self, until_ms: u64, goes_on: impl Fn(&F) -> bool) {
        while goes_on(&self.framework) && !self.stopped {
            let Some(next) = self.cues.first_entry() else {
                break;
            };
            if next.key().0 > until_ms {
                break;
            }
            let ((at_ms, _), cue) = next.remove_entry();
            self.now_ms = self.now_ms.max(at_ms);
            self.play(cue);
        }
    }

    fn cue(&mut self, after_ms: u64, cue: Cue) {
        self.next_cue += 1;
        let at = self.now_ms.saturating_add(after_ms);
        self.cues.insert((at, self.next_cue), cue);
    }
}

/// Faults.
impl<F: Framework> Stage<F> {
    /// The framework crashes, and begins again with what it stored.
    pub fn crash(&mut self) {
        self.life += 1;
        self.framework = (self.make)();
        self.calls = Calls::with_prefix(format!("life-{}", self.life));
        self.open();
    }

    /// An agent is gone for good, and its tasks with it.
    pub fn lose_agent(&mut self, name: &str) {
        let Some((id, agent)) = self.agents.iter_mut().find(|(id, _)| id.as_str() == name) else {
            return;
        };
        agent.up = false;
        let id = id.clone();
        self.offers.retain(|_, offer| offer.agent_id != id);
        let lost = |actual: &Actual| actual.task.agent_id == id && !actual.state.is_terminal();
        let lost: Vec<_> = self
            .tasks
            .iter()
            .filter(|(_, actual)| lost(actual))
            .collect();
        let lost: Vec<_> = lost.into_iter().map(|(id, _)| id.clone()).collect();
        for task_id in lost {
            self.becomes(&task_id, TaskState::Gone);
        }
    }

    /// The master is lost and comes back: offers are void, tasks go on.
    pub fn lose_master(&mut self) {
        let offers = std::mem::take(&mut self.offers);
        for offer_id in offers.into_keys() {
            self.turn(
                |framework, calls| framework.on_rescinded(offer_id, calls),
                None,
            );
        }
        self.turn(Framework::on_disconnected, None);
        self.subscribe();
    }
}

/// The parts of the others.
impl<F: Framework> Stage<F> {
    fn open(&mut self) {
        self.suppressed = false;
        self.offers.clear();
        let kept: Kept = self.kept.clone().into_iter().collect();
        self.calls.set_now(self.now_ms);
        let restored = self.framework.on_restored(kept, &mut self.calls);
        assert!(
            restored.is_ok(),
            "what was kept is understood: {restored:?}"
        );
        let life = self.life;
        self.carry_out();
        if self.life != life {
            return; // it crashed, and was opened again
        }
        self.subscribe();
    }

    fn subscribe(&mut self) {
        let subscribed = super::subscribed();
        self.turn(
            |framework, calls| framework.on_subscribed(subscribed, calls),
            None,
        );
        // What was not acknowledged is said again, and the session asks for all there is.
        let open = |actual: &&Actual| !actual.acknowledged;
        let open = self
            .tasks
            .values()
            .filter(open)
            .map(|actual| actual.task.task_id.clone());
        let open: Vec<_> = open.collect();
        open.into_iter()
            .for_each(|task_id| self.cue(1, Cue::Tell(task_id)));
        self.offer_all();
    }

    fn offer_all(&mut self) {
        let all: Vec<_> = self.agents.keys().cloned().collect();
        all.into_iter()
            .for_each(|id| self.cue(OFFER_AFTER_MS, Cue::Offer(id)));
    }

    fn play(&mut self, cue: Cue) {
        match cue {
            Cue::Offer(agent_id) => self.offer(&agent_id),
            Cue::Start(task_id) => {
                if self
                    .tasks
                    .get(&task_id)
                    .is_some_and(|a| a.state == TaskState::Staging)
                {
                    self.becomes(&task_id, TaskState::Running);
                }
            }
            Cue::End(task_id, state) => {
                if self
                    .tasks
                    .get(&task_id)
                    .is_some_and(|a| !a.state.is_terminal())
                {
                    self.becomes(&task_id, state);
                }
            }
            Cue::Tell(task_id) => self.tell(&task_id),
            Cue::Answer(task_id, state, life) if life == self.life => {
                let update = super::update(&task_id, state);
                self.turn(|framework, calls| framework.on_update(update, calls), None);
            }
            Cue::Timer(token, life) if life == self.life => {
                self.turn(|framework, calls| framework.on_timer(token, calls), None);
            }
            Cue::Answer(..) | Cue::Timer(..) => {}
        }
    }

    fn becomes(&mut self, task_id: &TaskId, state: TaskState) {
        let now_ms = self.now_ms;
        let Some(actual) = self.tasks.get_mut(task_id) else {
            return;
        };
        actual.state = state;
        if state.is_terminal() {
            actual.ended_ms = Some(now_ms);
            let agent_id = actual.task.agent_id.clone();
            self.cue(OFFER_AFTER_MS, Cue::Offer(agent_id));
        }
        self.cue(1, Cue::Tell(task_id.clone()));
    }

    fn tell(&mut self, task_id: &TaskId) {
        let Some(actual) = self.tasks.get(task_id) else {
            return;
        };
        if actual.acknowledged {
            return;
        }
        let mut update = super::update(task_id, actual.state);
        update.agent_id = Some(actual.task.agent_id.clone());
        let ended = actual.state.is_terminal().then(|| task_id.clone());
        self.turn(|framework, calls| framework.on_update(update, calls), ended);
    }

    fn offer(&mut self, agent_id: &AgentId) {
        let Some(agent) = self.agents.get(agent_id) else {
            return;
        };
        let offered = self
            .offers
            .values()
            .any(|offer| offer.agent_id == *agent_id);
        if !agent.up || self.suppressed || offered || agent.refused_until_ms > self.now_ms {
            return;
        }
        let here = |a: &&Actual| a.task.agent_id == *agent_id && !a.state.is_terminal();
        let used: Resources = self
            .tasks
            .values()
            .filter(here)
            .map(|a| &a.task.resources)
            .sum();
        let free = &agent.total - &used;
        if free.is_empty() {
            return;
        }
        let offer = super::offer(agent_id.as_str(), free);
        self.offers.insert(offer.id.clone(), offer.clone());
        self.turn(
            |framework, calls| framework.on_offers(vec![offer], calls),
            None,
        );
    }

    /// A turn of the framework; then what it stored is kept, and what it called is carried out, or
    /// it crashes in between. `ended` is the task whose end it acknowledges.
    fn turn(&mut self, turn: impl FnOnce(&mut F, &mut Calls), ended: Option<TaskId>) {
        if self.stopped {
            return;
        }
        self.calls.set_now(self.now_ms);
        turn(&mut self.framework, &mut self.calls);
        let life = self.life;
        self.carry_out();
        if self.life == life
            && let Some(actual) = ended.and_then(|id| self.tasks.get_mut(&id))
        {
            actual.acknowledged = true;
        }
    }

    fn carry_out(&mut self) {
        let crashes = self.crash_chance > 0.0 && self.rng.random_bool(self.crash_chance);
        let moment = match crashes {
            true => self.rng.random_range(0..3),
            false => 3,
        };
        let calls = self.calls.take();
        if moment > 0 {
            for call in &calls {
                match call {
                    Call::Store { name, value } => {
                        drop(self.kept.insert(name.clone(), value.clone()));
                    }
                    Call::Expunge { name } => drop(self.kept.remove(name)),
                    _ => {}
                }
            }
        }
        if moment < 2 {
            return self.crash();
        }
        for call in calls {
            self.called(call);
        }
        if crashes {
            return self.crash();
        }
        match self.framework.demand() {
            Some(0) => self.suppressed = true,
            Some(_) if self.suppressed => self.called(Call::Revive { roles: Vec::new() }),
            Some(_) | None => {}
        }
    }

    fn called(&mut self, call: Call) {
        match &call {
            Call::Accept { offer_ids, .. } => {
                let offers = offer_ids.iter().map(|id| self.offers.remove(id));
                let offers: Option<Vec<Offer>> = offers.collect();
                let tasks: Vec<_> = call.tasks().cloned().collect();
                match offers {
                    Some(_) => tasks.into_iter().for_each(|task| self.launch(task)),
                    None => {
                        for task in tasks {
                            let answer = Cue::Answer(task.task_id, TaskState::Dropped, self.life);
                            self.cue(1, answer);
                        }
                    }
                }
                self.offer_all();
            }
            Call::Decline { offer_ids, filters } => {
                for id in offer_ids {
                    let Some(offer) = self.offers.remove(id) else {
                        continue;
                    };
                    let until = self.now_ms + filters.refuse_ms().max(1);
                    if let Some(agent) = self.agents.get_mut(&offer.agent_id) {
                        agent.refused_until_ms = until;
                    }
                    self.cue(filters.refuse_ms().max(1), Cue::Offer(offer.agent_id));
                }
            }
            Call::Revive { .. } => {
                self.suppressed = false;
                self.agents
                    .values_mut()
                    .for_each(|agent| agent.refused_until_ms = 0);
                self.offer_all();
            }
            Call::Suppress { .. } => self.suppressed = true,
            Call::Kill { task_id, .. } => self.cue(2, Cue::End(task_id.clone(), TaskState::Killed)),
            Call::Reconcile { task_ids } => self.reconcile(task_ids),
            Call::ReconcileOn { tasks } => {
                let task_ids: Vec<_> = tasks.iter().map(|(id, _)| id.clone()).collect();
                self.reconcile(&task_ids);
            }
            Call::After { delay, token } => {
                self.cue(delay.as_millis() as u64, Cue::Timer(*token, self.life));
            }
            Call::Stop(_) => self.stopped = true,
            Call::ShutdownExecutor { .. }
            | Call::Message { .. }
            | Call::Store { .. }
            | Call::Expunge { .. } => {}
        }
    }

    fn launch(&mut self, task: TaskInfo) {
        assert!(
            !self.tasks.contains_key(&task.task_id),
            "task {} is launched twice",
            task.task_id
        );
        let played = (self.script)(&task, &mut self.rng);
        let id = task.task_id.clone();
        self.cue(START_AFTER_MS, Cue::Start(id.clone()));
        let ends = START_AFTER_MS + 1 + played.after.as_millis() as u64;
        self.cue(ends, Cue::End(id.clone(), played.end));
        let actual = Actual {
            task,
            state: TaskState::Staging,
            launched_ms: self.now_ms,
            ended_ms: None,
            acknowledged: false,
        };
        self.tasks.insert(id, actual);
    }

    fn reconcile(&mut self, task_ids: &[TaskId]) {
        let known: BTreeSet<TaskId> = match task_ids {
            [] => self.tasks.keys().cloned().collect(),
            some => some.iter().cloned().collect(),
        };
        for id in known {
            let state = self.tasks.get(&id).map(|actual| actual.state);
            if task_ids.is_empty() && state.is_none_or(TaskState::is_terminal) {
                continue;
            }
            let answer = Cue::Answer(id, state.unwrap_or(TaskState::Gone), self.life);
            self.cue(1, answer);
        }
    }
}
