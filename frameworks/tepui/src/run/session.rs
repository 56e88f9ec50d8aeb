//! A run from its start to its end: the framework, its tasks' output, signals, and what to exit
//! with.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use api::master::GetAgents;
use libproc::env::Instant;
use sdk::{Handle, Master, TaskUpdate};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use types::{FrameworkInfo, Resources, Role, TaskState};

use crate::client::{Client, pid_at};
use crate::exit;
use crate::follow::Sandbox;
use crate::lifeline::{Asked, Signals};
use crate::run::outcome::Outcome;
use crate::run::printer::{Printer, Style};
use crate::run::runner::{Event, Runner, Work};
use crate::run::shortage::{self, Shortage};
use crate::run::streams::{self, Stage};

/// How long the master has to take the framework in.
const SUBSCRIBE: Duration = Duration::from_secs(3);
/// How long tasks wait for offers before people are told why; and how often that is looked at.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a lost master is waited for: as long as a master waits for a lost agent.
const MASTER_LOST: Duration = Duration::from_secs(75);
/// How long tasks may take to end once somebody wants that.
const CANCEL: Duration = Duration::from_secs(20);

/// Waits until then; for ever, if that is never.
async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// A run.
pub(crate) struct Session {
    client: Client,
    work: Work,
    role: Role,
    handle: Handle<Runner>,
    events: mpsc::UnboundedReceiver<Event>,
    printer: Rc<RefCell<Printer>>,
    /// Of those that were launched.
    stages: Vec<watch::Sender<Stage>>,
    followers: JoinSet<Result<()>>,
    outcomes: BTreeMap<usize, Outcome>,
    interrupted: Option<Asked>,
    /// The framework was told to end: all its tasks have.
    stopping: bool,
    /// When this is given up.
    deadline: Option<Instant>,
    /// What was last said of why tasks wait.
    told: String,
}

impl Session {
    /// Starts the framework.
    ///
    /// # Errors
    /// When the node has no room for it.
    pub(crate) fn start(
        client: Client,
        master: Master,
        work: Work,
        role: Role,
        info: FrameworkInfo,
        style: Style,
    ) -> Result<Session> {
        let (sender, events) = mpsc::unbounded_channel();
        let runner = Runner::new(work.clone(), role.clone(), sender);
        let handle = sdk::start_within(&client.node, master, runner, info, Some(SUBSCRIBE))?;
        let printer = Rc::new(RefCell::new(Printer::new(style, work.name.clone())));
        Ok(Session {
            client,
            work,
            role,
            handle,
            events,
            printer,
            stages: Vec::new(),
            followers: JoinSet::new(),
            outcomes: BTreeMap::new(),
            interrupted: None,
            stopping: false,
            deadline: None,
            told: String::new(),
        })
    }

    /// Runs to the end; gives what to exit with. `wait` is for larger agents than there are.
    ///
    /// # Errors
    /// When there is no master, it refuses, or there is no place for the tasks.
    pub(crate) async fn run(mut self, wait: bool) -> Result<ExitCode> {
        let mut signals = Signals::take().context("could not take signals")?;
        let mut look = Instant::now() + PATIENCE;
        loop {
            if self.has_ended() {
                self.stop();
                if self.followers.is_empty() {
                    break;
                }
            }
            let waits = self.stages.len() < self.work.instances && self.interrupted.is_none();
            tokio::select! {
                biased;
                Some(event) = self.events.recv() => self.handle(event)?,
                Some(followed) = self.followers.join_next() => {
                    followed.context("reading the output of a task failed")??;
                }
                ended = self.handle.ended(), if !self.stopping => {
                    return Err(self.ended_early(ended));
                }
                asked = signals.next() => {
                    let lost = self.deadline.is_some(); // the master, or our patience before
                    if self.interrupted.replace(asked).is_some() || lost {
                        break;
                    }
                    self.cancel();
                }
                () = sleep_until(self.deadline) => {
                    if self.interrupted.is_none() {
                        return Err(exit::error(exit::NOT_RUN, "the master did not come back"));
                    }
                    break;
                }
                () = tokio::time::sleep_until(look), if waits => {
                    self.say_why(wait).await?;
                    look = Instant::now() + PATIENCE;
                }
            }
        }
        self.end().await
    }

    /// Whether every task has ended.
    fn has_ended(&self) -> bool {
        let wanted = match self.interrupted {
            Some(_) => self.stages.len(),
            None => self.work.instances,
        };
        self.outcomes.len() >= wanted
    }

    /// Tells the framework to end, while what its tasks wrote is still being read.
    fn stop(&mut self) {
        if !std::mem::replace(&mut self.stopping, true) {
            // Refused only when it has ended.
            self.handle.remote().visit(|_, calls| calls.stop());
        }
    }

    fn handle(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Subscribed if self.interrupted.is_none() => self.deadline = None,
            Event::Subscribed => {}
            Event::Disconnected => {
                eprintln!("tepui: the master does not answer, trying again");
                self.deadline
                    .get_or_insert_with(|| Instant::now() + MASTER_LOST);
            }
            Event::Launched {
                instances,
                framework_id,
                agent,
            } => {
                for instance in instances {
                    let sandbox = Sandbox {
                        node: self.client.node.clone(),
                        agent: pid_at(api::AGENT, agent),
                        framework_id: framework_id.clone(),
                        task_id: self.work.task_id(instance),
                    };
                    let (sender, stage) = watch::channel(Stage::Launched);
                    self.stages.push(sender);
                    let printer = self.printer.clone();
                    let follow = streams::follow(sandbox, instance, stage, printer);
                    self.followers.spawn_local(follow);
                }
            }
            Event::Updated { instance, status } => self.updated(instance, &status)?,
        }
        Ok(())
    }

    fn updated(&mut self, instance: usize, status: &TaskUpdate) -> Result<()> {
        self.printer.borrow().updated(instance, status)?;
        let stage = match status.state {
            state if state.is_terminal() => Stage::Ended,
            TaskState::Running | TaskState::Killing => Stage::Running,
            _ => Stage::Launched,
        };
        if let Some(sender) = self.stages.get(instance) {
            let further = |known: &mut Stage| {
                let further = stage > *known;
                *known = stage.max(*known);
                further
            };
            sender.send_if_modified(further);
        }
        if stage == Stage::Ended {
            self.outcomes
                .entry(instance)
                .or_insert_with(|| Outcome::of(status));
        }
        Ok(())
    }

    /// Ends the tasks, on the word of whoever started this.
    fn cancel(&mut self) {
        self.deadline = Some(Instant::now() + CANCEL);
        // Refused only when the framework has ended, which is heard of anyway.
        self.handle
            .remote()
            .visit(|runner, calls| runner.cancel(calls));
    }

    /// Tells why tasks wait, when that is news.
    async fn say_why(&mut self, wait: bool) -> Result<()> {
        let Ok(agents) = self.client.ask(GetAgents {}).await else {
            return Ok(()); // the session of the framework has words for that
        };
        let need: &Resources = &self.work.need;
        let text = match shortage::explain(need, &self.role, &agents) {
            Shortage::Impossible(text) if !wait => {
                self.leave().await;
                let text = format!("no agent can take the task: {text} (--wait waits for one)");
                return Err(exit::error(exit::NOT_RUN, text));
            }
            Shortage::Impossible(text) | Shortage::Waiting(text) => text,
        };
        if text != self.told {
            eprintln!("waiting for offers: {text}");
            self.told = text;
        }
        Ok(())
    }

    /// Ends the framework, with whatever runs of it.
    async fn leave(&mut self) {
        self.stop();
        if let Err(error) = self.handle.ended().await {
            tracing::debug!(%error, "framework ended");
        }
    }

    async fn end(mut self) -> Result<ExitCode> {
        let first_bad = self
            .outcomes
            .values()
            .map(|outcome| outcome.code)
            .find(|code| *code != 0);
        let code = match self.interrupted {
            Some(asked) => exit::SIGNAL + asked.number(),
            None => first_bad.unwrap_or(0),
        };
        if self.interrupted.is_none() {
            for (instance, outcome) in &self.outcomes {
                self.printer.borrow().ended(*instance, outcome);
            }
        }
        self.printer.borrow().end(code)?;
        self.leave().await;
        Ok(ExitCode::from(code))
    }

    fn ended_early(&self, ended: sdk::Result) -> anyhow::Error {
        match ended {
            Err(sdk::Error::NoMaster { .. } | sdk::Error::NoAnswer { .. }) => {
                self.client.explain(&libproc::AskError::Unreachable)
            }
            Err(sdk::Error::Denied { reason, .. }) => {
                self.client.explain(&libproc::AskError::Denied(reason))
            }
            Err(error) => anyhow!(error).context("the command was not run to its end"),
            Ok(_) => anyhow!("the framework ended before its tasks"),
        }
    }
}
