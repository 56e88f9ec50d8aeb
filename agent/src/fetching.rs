//! Fetching: what a command wants is brought into its sandbox first, by a process of its own that
//! the launcher starts there; the executor is launched when that has exited well.

use libproc::Context;
use types::{ContainerId, ExecutorKind, TaskInfo, Uri};

use crate::agent::Agent;
use crate::books::{Executor, Phase};
use crate::fetcher::{Request, SUFFIX};
use crate::launcher::{Destroy, ExitStatus, LaunchRequest, What};

/// What has to be fetched before an executor can start with its first task: what its own command
/// wants, or its task's, or its first group's.
pub(crate) fn wanted(executor: &Executor, first: &TaskInfo) -> Vec<Uri> {
    if let Some(command) = &executor.info.command {
        return command.uris.clone();
    }
    let uris = |task: &TaskInfo| task.command.clone().unwrap_or_default().uris;
    match executor.info.kind {
        ExecutorKind::Default => {
            let groups = executor.queued.iter().flat_map(|(_, batch)| batch.tasks());
            groups.flat_map(uris).collect()
        }
        ExecutorKind::Command | ExecutorKind::Custom => uris(first),
    }
}

impl Agent {
    /// Launches an executor, when what it wants is there.
    pub(crate) fn launch_with(
        &mut self,
        uris: Vec<Uri>,
        request: LaunchRequest,
        container_id: ContainerId,
        ctx: &mut Context<Self>,
    ) {
        if uris.is_empty() {
            return self.launch_now(request, container_id, ctx);
        }
        let start = Request { uris }.to_bytes();
        let fetch = LaunchRequest {
            container_id: format!("{container_id}{SUFFIX}"),
            outlives_agent: false,
            what: What::Builtin { start },
            ..request.clone()
        };
        tracing::info!(container = %container_id, "fetching what its command wants");
        self.fetching.insert(container_id.clone(), request);
        let launching = self.launch.launch(fetch);
        ctx.defer(launching, move |agent, result, ctx| {
            if let Err(error) = result
                && agent.fetching.remove(&container_id).is_some()
            {
                let text = format!("Failed to start the fetcher: {error}");
                agent.not_launched(&container_id, text, ctx);
            }
        });
    }

    /// A fetcher has exited, of this container if it is one of ours.
    pub(crate) fn fetched(
        &mut self,
        container_id: &ContainerId,
        status: ExitStatus,
        ctx: &mut Context<Self>,
    ) {
        let Some(request) = self.fetching.remove(container_id) else {
            return;
        };
        let phase = self
            .books
            .in_container(container_id)
            .map(|executor| executor.phase);
        match (phase, status) {
            (Some(Phase::Starting), ExitStatus::Exited(0)) => {
                self.launch_now(request, container_id.clone(), ctx);
            }
            (Some(Phase::Starting), how) => {
                let text = format!(
                    "Failed to fetch all URIs for container '{container_id}': the fetcher {how}; \
                     its stderr says more"
                );
                self.not_launched(container_id, text, ctx);
            }
            // It was killed meanwhile.
            (Some(_), _) => self.container_ended(container_id, None, ctx),
            (None, _) => {}
        }
    }

    /// Ends a container: what runs in it, or what fetches for it.
    pub(crate) fn destroy(&self, container_id: &ContainerId, how: Destroy) {
        match self.fetching.contains_key(container_id) {
            true => {
                let fetcher = format!("{container_id}{SUFFIX}");
                self.launch.destroy(&fetcher, Destroy::Now);
            }
            false => self.launch.destroy(container_id.as_str(), how),
        }
    }
}
