//! Follows what a task writes, from the agent it runs on, to the very end.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use api::agent::FileError;
use libproc::env::Instant;
use tokio::sync::watch;

use crate::follow::{Part, Sandbox};
use crate::run::printer::{Printer, Stream};

/// Shortest wait before a file is looked at again.
const LOOK_MIN: Duration = Duration::from_millis(5);
/// Longest wait before a file that does not grow is looked at again.
const LOOK_MAX: Duration = Duration::from_millis(200);
/// Wait between two looks after the task has ended, while its agent gathers the rest.
const LOOK_ENDED: Duration = Duration::from_millis(1);
/// How long the rest of the output may take to come after the task has ended.
const REST: Duration = Duration::from_secs(10);

/// How far a task is, for those who read its output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// It has not started.
    Launched,
    /// It runs.
    Running,
    /// It has ended.
    Ended,
}

/// Follows both outputs of an instance until they end.
///
/// # Errors
/// When our own output is gone.
pub(crate) async fn follow(
    sandbox: Sandbox,
    instance: usize,
    stage: watch::Receiver<Stage>,
    printer: Rc<RefCell<Printer>>,
) -> Result<()> {
    let one = |stream| {
        let follower = Follower { sandbox: &sandbox, instance, stream, printer: &printer };
        follower.run(stage.clone())
    };
    let (stdout, stderr) = tokio::join!(one(Stream::Stdout), one(Stream::Stderr));
    stdout.and(stderr)
}

struct Follower<'a> {
    sandbox: &'a Sandbox,
    instance: usize,
    stream: Stream,
    printer: &'a RefCell<Printer>,
}

impl Follower<'_> {
    async fn run(self, mut stage: watch::Receiver<Stage>) -> Result<()> {
        // The sender lives as long as there is somebody to print for.
        let started = stage.wait_for(|stage| *stage > Stage::Launched).await.is_ok();
        let (mut offset, mut wait, mut give_up) = (0, LOOK_MIN, None);
        while started {
            // Looked at before the file: what the task wrote was there when it had ended.
            let ended = *stage.borrow_and_update() == Stage::Ended;
            match self.sandbox.next(self.stream.file(), offset).await {
                Ok(Part::Bytes(bytes)) => {
                    offset += bytes.len() as u64;
                    self.printer.borrow_mut().write(self.instance, self.stream, &bytes)?;
                    (wait, give_up) = (LOOK_MIN, None);
                    continue;
                }
                Ok(Part::End) => break,
                Ok(Part::NoFile) if ended => break,
                Ok(Part::NoFile | Part::NoneYet) => {}
                Err(error) => {
                    let unknown = error.downcast_ref() == Some(&FileError::UnknownTask);
                    let over = ended && unknown;
                    if over || self.is_late(&mut give_up, &error) {
                        break;
                    }
                }
            }
            if ended && *give_up.get_or_insert_with(|| Instant::now() + REST) < Instant::now() {
                tracing::warn!(task = %self.sandbox.task_id, "rest of the output did not come");
                break;
            }
            if ended {
                tokio::time::sleep(LOOK_ENDED).await;
                continue;
            }
            let _ = tokio::time::timeout(wait, stage.changed()).await; // whichever is first
            wait = (wait * 2).min(LOOK_MAX);
        }
        self.printer.borrow_mut().finish(self.instance, self.stream)
    }

    /// Whether an agent has not answered for so long that it is not waited for.
    fn is_late(&self, give_up: &mut Option<Instant>, error: &anyhow::Error) -> bool {
        let until = *give_up.get_or_insert_with(|| Instant::now() + REST);
        if until >= Instant::now() {
            return false;
        }
        eprintln!("tepui: the output of {} is lost from here on: {error:#}", self.sandbox.task_id);
        true
    }
}
