//! Runs `sleep` a number of times, wherever there is room: the smallest framework that is of use.
//!
//! An offer is filled with as many sleeps as fit, the rest goes back. A sleep that is lost on the
//! way, or fails, is slept again. When the last one has ended, so does the framework.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use sdk::prelude::*;

use crate::progress::Progress;

/// How many failed sleeps are slept again: a cluster that cannot run `sleep` cannot be helped.
const RETRIES: u32 = 20;

/// Sleeps many times at once on a cluster.
#[derive(Debug, Clone, Parser)]
#[command(name = "sleepers", version)]
pub struct Args {
    /// How many times to sleep.
    #[arg(long, short = 'n', default_value_t = 20)]
    pub tasks: u32,
    /// How long each sleep takes, in seconds.
    #[arg(long, short, default_value_t = 5.0)]
    pub seconds: f64,
    /// Processors for each sleep.
    #[arg(long, default_value_t = 0.1)]
    pub cpus: f64,
    /// Memory for each sleep, in MiB.
    #[arg(long, default_value_t = 32)]
    pub mem: u64,
    /// Say nothing on the way.
    #[arg(long, short)]
    pub quiet: bool,
    /// The role to sleep in.
    #[arg(long, default_value = "*")]
    pub role: Role,
    /// Where the master is: ip:port, host:port or master@ip:port. Else TEPUI_MASTER, else
    /// MESOS_MASTER, else 127.0.0.1:5050.
    #[arg(long)]
    pub master: Option<String>,
    /// Speak with the master over HTTP, by the v1 API, instead of by letters between actors.
    #[arg(long)]
    pub http: bool,
    /// How to show that this program belongs to the cluster; as the environment says if none.
    #[arg(skip)]
    pub security: Option<sdk::Security>,
}

/// Runs the example to its end, in a runtime of its own.
///
/// # Errors
/// When no master is there, or sleeps fail again and again.
pub fn main(args: Args) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        args.seconds.is_finite() && args.seconds >= 0.0,
        "cannot sleep {} seconds",
        args.seconds
    );
    let need = Resources::new().cpus(args.cpus).mem_mib(args.mem);
    anyhow::ensure!(!need.is_empty(), "a sleep needs processors or memory");
    if args.tasks == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    let command = format!("sleep {}", args.seconds);
    let progress = match args.quiet {
        true => Progress::Silent,
        false => Progress::new(args.tasks.into()),
    };
    let framework = Sleepers::new(args.tasks, command, need, progress);
    let options = crate::options(args.master, args.security, args.http);
    let info = FrameworkInfo::new("sleepers").role(args.role);
    let code = sdk::run_with(framework, info, options).context("could not sleep")?;
    if code.is_success() {
        println!("slept {} times", args.tasks);
    }
    Ok(ExitCode::from(code.0))
}

/// The framework.
struct Sleepers {
    total: u32,
    /// Still to be launched.
    left: u32,
    /// Launched and not ended.
    running: u32,
    failures: u32,
    command: String,
    need: Resources,
    progress: Progress,
}

impl Sleepers {
    fn new(total: u32, command: String, need: Resources, progress: Progress) -> Sleepers {
        Sleepers {
            total,
            left: total,
            running: 0,
            failures: 0,
            command,
            need,
            progress,
        }
    }

    fn report(&mut self) {
        let done = self.total - self.left - self.running;
        let message = format!("{done} of {} slept, {} asleep", self.total, self.running);
        self.progress.update(done.into(), message);
    }

    /// A sleep that did not work: its turn comes again, unless too many did not.
    fn again(&mut self, update: &TaskUpdate, calls: &mut Calls) {
        self.running = self.running.saturating_sub(1);
        self.left += 1;
        let reason = update.message.as_deref().unwrap_or("no reason given");
        self.progress
            .note(&format!("{}: {}: {reason}", update.task_id, update.state));
        match update.state {
            TaskState::Error => calls.fail(format!("a sleep is impossible: {reason}")),
            TaskState::Failed if self.failures == RETRIES => {
                calls.fail(format!(
                    "{RETRIES} sleeps failed, the last one so: {reason}"
                ));
            }
            TaskState::Failed => self.failures += 1,
            _ => {}
        }
        calls.revive();
    }
}

impl Framework for Sleepers {
    fn on_subscribed(&mut self, subscribed: Subscribed, _: &mut Calls) {
        let (id, master) = (subscribed.framework_id, subscribed.master.address);
        self.progress
            .note(&format!("subscribed with the master at {master} as {id}"));
    }

    fn on_offers(&mut self, offers: Vec<Offer>, calls: &mut Calls) {
        for offer in offers {
            let count = offer.resources.count(&self.need).min(self.left);
            self.left -= count;
            self.running += count;
            let sleep = |_| Task::command(&*self.command, &self.need);
            calls.accept(&offer, (0..count).map(sleep)); // none: declined
        }
        if self.left == 0 {
            calls.suppress(); // others get the rest at once
        }
        self.report();
    }

    fn on_update(&mut self, update: TaskUpdate, calls: &mut Calls) {
        match update.state {
            TaskState::Finished => self.running = self.running.saturating_sub(1),
            state if state.is_terminal() => self.again(&update, calls),
            // Starting, running, or out of sight for a while.
            _ => return,
        }
        self.report();
        if self.left + self.running == 0 {
            self.progress.finish();
            calls.stop();
        }
    }
}

#[cfg(test)]
mod tests {
    use sdk::testing::{offer, update};

    use super::*;

    fn sleepers(total: u32) -> (Sleepers, Calls) {
        let need = Resources::new().cpus(1.0);
        (
            Sleepers::new(total, "sleep 1".into(), need, Progress::Silent),
            Calls::default(),
        )
    }

    fn launched(calls: &mut Calls) -> Vec<TaskId> {
        let calls = calls.take();
        calls
            .iter()
            .flat_map(Call::tasks)
            .map(|task| task.task_id.clone())
            .collect()
    }

    #[test]
    fn every_sleep_is_launched_once_and_the_last_one_ends_it() {
        let (mut framework, mut calls) = sleepers(3);
        let room = || Resources::new().cpus(2.0);
        framework.on_offers(vec![offer("a", room()), offer("b", room())], &mut calls);
        let tasks = launched(&mut calls);
        assert_eq!(tasks.len(), 3);
        for task_id in &tasks {
            assert_eq!(calls.take(), []);
            framework.on_update(update(task_id, TaskState::Running), &mut calls);
            framework.on_update(update(task_id, TaskState::Finished), &mut calls);
        }
        assert_eq!(
            calls.take(),
            [Call::Stop(Stop::Done(sdk::ExitCode::SUCCESS))]
        );
    }

    #[test]
    fn a_lost_sleep_is_slept_again() {
        let (mut framework, mut calls) = sleepers(1);
        framework.on_offers(vec![offer("a", Resources::new().cpus(1.0))], &mut calls);
        let task_id = launched(&mut calls).remove(0);
        framework.on_update(update(&task_id, TaskState::Gone), &mut calls);
        assert_eq!(calls.take(), [Call::Revive { roles: vec![] }]);
        framework.on_offers(vec![offer("a", Resources::new().cpus(1.0))], &mut calls);
        assert_ne!(launched(&mut calls), [task_id]);
    }

    #[test]
    fn a_sleep_that_always_fails_ends_it() {
        let (mut framework, mut calls) = sleepers(1);
        for _ in 0..=RETRIES {
            assert!(
                !calls
                    .take()
                    .iter()
                    .any(|call| matches!(call, Call::Stop(_)))
            );
            framework.on_offers(vec![offer("a", Resources::new().cpus(1.0))], &mut calls);
            let task_id = launched(&mut calls).remove(0);
            framework.on_update(update(&task_id, TaskState::Failed), &mut calls);
        }
        assert!(matches!(calls.take()[0], Call::Stop(Stop::Failed(_))));
    }
}
