//! Where others come to a queue: a process that asks it for them, by letter or over HTTP.

use std::future::Future;

use api::agent::{Agenting, Chunk, FileEntry};
use libproc::http::{Request, Response};
use libproc::prelude::*;
use sdk::{Calls, Remote, Sandbox};
use types::TaskId;

use crate::ids::Target;
use crate::protocol::{
    Apps, Jobbing, Kill, List, ListOutput, PutApp, ReadOutput, RemoveApp, Show, Submit,
};
use crate::queue::Queue;
use crate::retz;
use crate::view::RunView;

/// What is said when the queue ends while it is asked.
const GONE: &str = "the queue is ending: ask again, another one goes on with it";

/// Serves a queue.
pub struct Desk(Counter);

/// Asks a queue, on behalf of somebody. A cheap handle.
#[derive(Clone)]
pub(crate) struct Counter {
    node: Node,
    queue: Remote<Queue>,
}

impl Desk {
    /// A desk of this queue, on the node of its framework.
    pub fn new(node: &Node, queue: Remote<Queue>) -> Desk {
        Desk(Counter {
            node: node.clone(),
            queue,
        })
    }

    fn page(&mut self, request: Request, ctx: &mut Context<Self>) -> Later<Response> {
        let counter = self.0.clone();
        answer(async move { retz::serve(counter, request).await }, ctx)
    }
}

impl Counter {
    /// Asks the queue; the answer comes when everything before it is kept.
    pub(crate) async fn ask<R: Send + 'static>(
        &self,
        what: impl FnOnce(&mut Queue, &mut Calls) -> Result<R, String> + Send + 'static,
    ) -> Result<R, String> {
        let asked = self.queue.ask(what).await;
        asked.unwrap_or_else(|| Err(GONE.to_owned()))
    }

    /// The first of the runs that a target means.
    async fn run(&self, target: Target) -> Result<(RunView, Option<types::FrameworkId>), String> {
        self.ask(move |queue, _| {
            let shown = queue
                .show(target)
                .and_then(|job| job.run.into_iter().next());
            let run = shown.ok_or_else(|| no_such(target))?;
            Ok((run, queue.framework_id().cloned()))
        })
        .await
    }

    /// Where the files of a run are read.
    async fn sandbox(&self, target: Target) -> Result<Sandbox, String> {
        let (run, framework_id) = self.run(target).await?;
        let (Some(agent), Some(task_id), Some(framework_id)) =
            (run.agent, run.task_id, framework_id)
        else {
            return Err(format!("job {target} has written nothing: it has not run"));
        };
        let address = agent.parse().map_err(|_| format!("no address: {agent}"))?;
        let agent = Upid::new(api::AGENT, address).map_err(|error| error.to_string())?;
        Ok(Sandbox {
            node: self.node.clone(),
            agent: Pid::<Agenting>::assume(agent),
            framework_id,
            task_id: TaskId::new(task_id).map_err(|error| error.to_string())?,
        })
    }

    pub(crate) async fn read(
        &self,
        target: Target,
        path: String,
        offset: u64,
        length: u32,
    ) -> Result<Chunk, String> {
        let sandbox = self.sandbox(target).await?;
        sandbox.read(&path, offset, length).await.map_err(plain)
    }

    pub(crate) async fn list(
        &self,
        target: Target,
        path: String,
    ) -> Result<Vec<FileEntry>, String> {
        let sandbox = self.sandbox(target).await?;
        sandbox.list(&path).await.map_err(plain)
    }

    pub(crate) async fn kill(&self, target: Target) -> Result<u64, String> {
        self.ask(move |queue, calls| {
            let runs = queue.runs_of(target);
            if runs.is_empty() {
                return Err(no_such(target));
            }
            Ok(runs
                .into_iter()
                .filter(|run| queue.kill(*run, calls))
                .count() as u64)
        })
        .await
    }
}

pub(crate) fn no_such(target: Target) -> String {
    format!("there is no job {target}, or it is forgotten")
}

fn plain(error: sdk::SandboxError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Answers with what comes of some work.
fn answer<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
    ctx: &mut Context<Desk>,
) -> Later<T> {
    let (answer, later) = Later::new();
    ctx.defer(work, |_, result, _| answer.send(result));
    later
}

impl Actor for Desk {
    type Context = Context<Self>;
}

impl Process for Desk {
    type Protocol = Jobbing;

    fn routes(routes: &mut Routes<Self>) {
        routes
            .any("", Self::page)
            .help("Jobs, on the paths of Retz: /jobs, /job/ID, /apps, /app/ID, /status, /ping");
    }
}

impl Handler<Submit> for Desk {
    type Result = Later<Result<Vec<crate::ids::JobId>, String>>;
    fn handle(&mut self, Submit { jobs }: Submit, ctx: &mut Context<Self>) -> Self::Result {
        let counter = self.0.clone();
        let submit = async move {
            let submit = |queue: &mut Queue, calls: &mut Calls| {
                queue
                    .submit(jobs, calls)
                    .map_err(|refused| refused.to_string())
            };
            counter.ask(submit).await
        };
        answer(submit, ctx)
    }
}

impl Handler<List> for Desk {
    type Result = Later<Result<crate::view::Page, String>>;
    fn handle(&mut self, List { query }: List, ctx: &mut Context<Self>) -> Self::Result {
        let counter = self.0.clone();
        answer(
            async move { counter.ask(move |queue, _| Ok(queue.list(&query))).await },
            ctx,
        )
    }
}

impl Handler<Show> for Desk {
    type Result = Later<Result<crate::view::JobView, String>>;
    fn handle(&mut self, Show { target }: Show, ctx: &mut Context<Self>) -> Self::Result {
        let counter = self.0.clone();
        let show = move |queue: &mut Queue, _: &mut Calls| {
            queue.show(target).ok_or_else(|| no_such(target))
        };
        answer(async move { counter.ask(show).await }, ctx)
    }
}

impl Handler<Kill> for Desk {
    type Result = Later<Result<u64, String>>;
    fn handle(&mut self, Kill { target }: Kill, ctx: &mut Context<Self>) -> Self::Result {
        let counter = self.0.clone();
        answer(async move { counter.kill(target).await }, ctx)
    }
}

impl Handler<ReadOutput> for Desk {
    type Result = Later<Result<Chunk, String>>;
    fn handle(&mut self, message: ReadOutput, ctx: &mut Context<Self>) -> Self::Result {
        let counter = self.0.clone();
        let ReadOutput {
            target,
            path,
            offset,
            length,
        } = message;
        answer(
            async move { counter.read(target, path, offset, length).await },
            ctx,
        )
    }
}

impl Handler<ListOutput> for Desk {
    type Result = Later<Result<Vec<FileEntry>, String>>;
    fn handle(&mut self, message: ListOutput, ctx: &mut Context<Self>) -> Self::Result {
        let counter = self.0.clone();
        let ListOutput { target, path } = message;
        answer(async move { counter.list(target, path).await }, ctx)
    }
}

impl Handler<Apps> for Desk {
    type Result = Later<Result<Vec<crate::job::App>, String>>;
    fn handle(&mut self, _: Apps, ctx: &mut Context<Self>) -> Self::Result {
        let counter = self.0.clone();
        let apps = |queue: &mut Queue, _: &mut Calls| Ok(queue.apps().values().cloned().collect());
        answer(async move { counter.ask(apps).await }, ctx)
    }
}

impl Handler<PutApp> for Desk {
    type Result = Later<Result<(), String>>;
    fn handle(&mut self, PutApp { app }: PutApp, ctx: &mut Context<Self>) -> Self::Result {
        let counter = self.0.clone();
        let put = move |queue: &mut Queue, calls: &mut Calls| {
            queue
                .put_app(app, calls)
                .map_err(|refused| refused.to_string())
        };
        answer(async move { counter.ask(put).await }, ctx)
    }
}

impl Handler<RemoveApp> for Desk {
    type Result = Later<Result<bool, String>>;
    fn handle(&mut self, RemoveApp { id }: RemoveApp, ctx: &mut Context<Self>) -> Self::Result {
        let counter = self.0.clone();
        let remove = move |queue: &mut Queue, calls: &mut Calls| Ok(queue.remove_app(&id, calls));
        answer(async move { counter.ask(remove).await }, ctx)
    }
}
