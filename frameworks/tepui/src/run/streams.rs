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

/// Shortest wait before files are looked at again.
const LOOK_MIN: Duration = Duration::from_millis(5);
/// Longest wait before files that do not grow are looked at again.
const LOOK_MAX: Duration = Duration::from_millis(200);
/// How often the agent is asked at once whether everything is there, when a task has ended: that
/// is a matter of less than a timer's tick.
const ASK_AT_ONCE: u32 = 8;
/// Wait between two looks after that.
const LOOK_ENDED: Duration = Duration::from_millis(1);
/// How long an agent that does not answer is asked again, and how long the rest of the output may
/// take to come.
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
    let follower = |stream| Follower {
        sandbox: &sandbox,
        instance,
        stream,
        printer: &printer,
        offset: 0,
    };
    let mut stdout = follower(Stream::Stdout);
    let mut stderr = follower(Stream::Stderr);
    let followed = follow_both(&sandbox, &mut stdout, &mut stderr, stage).await;
    if let Err(Stopped::Agent(error)) = &followed {
        let task = &sandbox.task_id;
        eprintln!("tepui: the rest of the output of {task} is lost: {error:#}");
    }
    stdout.finish()?;
    stderr.finish()?;
    match followed {
        Err(Stopped::Output(error)) => Err(error),
        Ok(()) | Err(Stopped::Agent(_)) => Ok(()),
    }
}

/// Why following stopped before the end.
enum Stopped {
    /// Nobody reads what is printed.
    Output(anyhow::Error),
    /// The agent does not tell.
    Agent(anyhow::Error),
}

/// What there was to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// All that there is for now.
    SoFar,
    /// All that there ever will be.
    All,
}

async fn follow_both(
    sandbox: &Sandbox,
    stdout: &mut Follower<'_>,
    stderr: &mut Follower<'_>,
    mut stage: watch::Receiver<Stage>,
) -> Result<(), Stopped> {
    // The answer does not matter: this connects to the agent while it starts the task.
    let connect = sandbox.read(Stream::Stdout.file(), 0, 0);
    // What `wait_for` gives keeps the stage locked: it must not be kept while others are awaited.
    let started = async {
        stage
            .wait_for(|stage| *stage > Stage::Launched)
            .await
            .is_ok()
    };
    let (_, started) = tokio::join!(connect, started);
    if !started {
        return Ok(()); // nobody waits for this any more
    }
    let mut patience = Patience::default();
    let mut wait = LOOK_MIN;
    while *stage.borrow_and_update() != Stage::Ended {
        let before = (stdout.offset, stderr.offset);
        let (out, err) = tokio::join!(stdout.catch_up(), stderr.catch_up());
        patience.judge(out.and(err).map(|_| ()))?;
        wait = if before == (stdout.offset, stderr.offset) {
            wait
        } else {
            LOOK_MIN
        };
        // Whichever comes first: time, or news of the task.
        let _ = tokio::time::timeout(wait, stage.changed()).await;
        wait = (wait * 2).min(LOOK_MAX);
    }
    let since = Instant::now();
    let mut asked = 0;
    loop {
        // When one file is there to its end, so is the other.
        let seen = patience.judge(stdout.catch_up().await)?;
        if seen == Some(Seen::All) || since.elapsed() > REST {
            patience.judge(stderr.catch_up().await)?;
            return Ok(());
        }
        asked += 1;
        if asked > ASK_AT_ONCE {
            tokio::time::sleep(LOOK_ENDED).await;
        }
    }
}

/// How long an agent that does not answer is borne with.
#[derive(Default)]
struct Patience {
    until: Option<Instant>,
}

impl Patience {
    /// Passes on what was read; an agent that does not answer is asked again for some time.
    fn judge<T>(&mut self, read: Result<T, Stopped>) -> Result<Option<T>, Stopped> {
        match read {
            Ok(read) => {
                self.until = None;
                Ok(Some(read))
            }
            Err(Stopped::Agent(_))
                if *self.until.get_or_insert_with(|| Instant::now() + REST) > Instant::now() =>
            {
                Ok(None)
            }
            Err(stopped) => Err(stopped),
        }
    }
}

struct Follower<'a> {
    sandbox: &'a Sandbox,
    instance: usize,
    stream: Stream,
    printer: &'a RefCell<Printer>,
    offset: u64,
}

impl Follower<'_> {
    /// Prints what was written since the last time.
    async fn catch_up(&mut self) -> Result<Seen, Stopped> {
        loop {
            match self.sandbox.next(self.stream.file(), self.offset).await {
                Ok(Part::Bytes(bytes)) => {
                    self.offset += bytes.len() as u64;
                    let mut printer = self.printer.borrow_mut();
                    let written = printer.write(self.instance, self.stream, &bytes);
                    written.map_err(Stopped::Output)?;
                }
                Ok(Part::NoneYet) => return Ok(Seen::SoFar),
                // Made before anything runs: it will not come later either.
                Ok(Part::NoFile | Part::End) => return Ok(Seen::All),
                // The agent forgot it, or never had it: there is nothing to read.
                Err(error) if error.downcast_ref() == Some(&FileError::UnknownTask) => {
                    return Ok(Seen::All);
                }
                Err(error) => return Err(Stopped::Agent(error)),
            }
        }
    }

    fn finish(&self) -> Result<()> {
        self.printer.borrow_mut().finish(self.instance, self.stream)
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;

    use api::agent::{Agenting, Chunk, ReadFile};
    use libproc::{Node, Probe};
    use types::{FrameworkId, TaskId};

    use super::*;
    use crate::run::printer::Style;

    /// A task on an agent that the test plays.
    struct Played {
        agent: Probe<Agenting>,
        stage: watch::Sender<Stage>,
        followed: tokio::task::JoinHandle<Result<()>>,
    }

    async fn played() -> Played {
        let node = Node::bind("127.0.0.1:0").await.unwrap();
        let agent = node.probe::<Agenting>(api::AGENT);
        let (stage, receiver) = watch::channel(Stage::Launched);
        let sandbox = Sandbox {
            node,
            agent: agent.pid(),
            framework_id: FrameworkId::new("f").unwrap(),
            task_id: TaskId::new("t").unwrap(),
        };
        let printer = Rc::new(RefCell::new(Printer::new(Style::Plain, "t".into())));
        let followed = tokio::task::spawn_local(follow(sandbox, 0, receiver, printer));
        Played {
            agent,
            stage,
            followed,
        }
    }

    /// Answers the next question, which is for `file` from `offset`.
    async fn answer(
        agent: &mut Probe<Agenting>,
        file: &str,
        offset: u64,
        data: &[u8],
        ended: bool,
    ) {
        let asked = agent.await_one::<ReadFile>().await;
        assert_eq!(
            (asked.message.path.as_str(), asked.message.offset),
            (file, offset)
        );
        let size = offset + data.len() as u64;
        asked.answer(Ok(Chunk {
            data: data.to_vec(),
            offset,
            size,
            ended,
        }));
    }

    fn run(test: impl Future<Output = ()>) {
        let ran = libproc::run_alone(async {
            test.await;
            Ok(())
        });
        ran.unwrap();
    }

    #[test]
    fn a_task_may_end_while_its_agent_is_being_connected() {
        run(async {
            let Played {
                mut agent,
                stage,
                followed,
            } = played().await;
            let connecting = agent.await_one::<ReadFile>().await;
            stage.send_replace(Stage::Running);
            tokio::task::yield_now().await;
            stage.send_replace(Stage::Ended);
            connecting.answer(Err(FileError::UnknownTask));
            answer(&mut agent, "stdout", 0, b"", true).await;
            answer(&mut agent, "stderr", 0, b"", true).await;
            followed.await.unwrap().unwrap();
        });
    }

    #[test]
    fn everything_is_read_until_the_agent_says_that_it_is_all() {
        run(async {
            let Played {
                mut agent,
                stage,
                followed,
            } = played().await;
            answer(&mut agent, "stdout", 0, b"", false).await;
            stage.send_replace(Stage::Ended);
            answer(&mut agent, "stdout", 0, b"", false).await;
            for _ in 0..2 * ASK_AT_ONCE {
                answer(&mut agent, "stdout", 0, b"", false).await;
            }
            answer(&mut agent, "stdout", 0, b"", true).await;
            answer(&mut agent, "stderr", 0, b"\n", true).await;
            answer(&mut agent, "stderr", 1, b"", true).await;
            followed.await.unwrap().unwrap();
        });
    }
}
