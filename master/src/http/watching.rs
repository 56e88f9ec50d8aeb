//! Operators that watch: a stream of what changes in the books.

use std::collections::VecDeque;

use api::v1::body::Encoding;
use api::v1::master::event::{self, Event, EventBody};
use libproc::http::{Body, Response, StatusCode, header};
use libproc::prelude::Context;
use types::{AgentId, FrameworkId, TaskId, TaskState, TaskStatus};

use super::reads::write_subscribed;
use super::refusal::Refusal;
use super::sink::Sink;
use super::stream::HEARTBEAT;
use crate::process::MasterProcess;

/// So many watch at once; one more, and the one that has watched longest is sent away.
const MAX_WATCHERS: usize = 1_000;

/// Those that watch, those that have watched longest first.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    sinks: VecDeque<Sink>,
    beating: bool,
}

impl Watchers {
    fn is_empty(&self) -> bool {
        self.sinks.is_empty()
    }

    fn add(&mut self, sink: Sink) {
        while self.sinks.len() >= MAX_WATCHERS {
            self.sinks.pop_front();
        }
        self.sinks.push_back(sink);
    }

    /// Tells everybody; those that do not listen are sent away.
    fn tell(&mut self, event: &Event) {
        let mut records = [None, None];
        self.sinks.retain(|sink| {
            let encoding = sink.encoding();
            let slot = &mut records[usize::from(encoding == Encoding::Protobuf)];
            let record = slot.get_or_insert_with(|| encoding.encode(event));
            let sent = sink.send_record(record);
            if let Err(broken) = sent {
                tracing::info!(%broken, "stream of events ended");
            }
            sent.is_ok()
        });
    }
}

/// Events. Each does nothing while nobody watches.
impl MasterProcess {
    /// SUBSCRIBE: a stream of events, of which the first says how everything is.
    pub(super) fn open_watch(
        &mut self,
        encoding: Encoding,
        ctx: &mut Context<Self>,
    ) -> Result<Response, Refusal> {
        let (sink, events) = Sink::behind(encoding);
        let snapshot = self.snapshot();
        let subscribed = |page| write_subscribed(snapshot, encoding, HEARTBEAT.as_secs_f64(), page);
        let all = self.clerk.precede(events, subscribed).ok_or_else(|| {
            let text = "There is no thread to write the state on; try again";
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, text)
        })?;
        // There is room for the first event of a stream.
        let _ = sink.send(&Event::from(EventBody::Heartbeat));
        self.watchers.add(sink);
        if !self.watchers.beating {
            self.watchers.beating = true;
            ctx.after(HEARTBEAT, Self::beat);
        }
        let mut response = Response::new(Body::Stream(all));
        let media_type = header::HeaderValue::from_static(encoding.media_type());
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, media_type);
        Ok(response)
    }

    fn beat(&mut self, ctx: &mut Context<Self>) {
        self.watchers.tell(&EventBody::Heartbeat.into());
        self.watchers.beating = !self.watchers.is_empty();
        if self.watchers.beating {
            ctx.after(HEARTBEAT, Self::beat);
        }
    }

    /// There is a task that was not known.
    pub(crate) fn task_added(&mut self, framework_id: &FrameworkId, task_id: &TaskId) {
        if self.watchers.is_empty() {
            return;
        }
        let framework = self.books.framework(framework_id);
        if let Some(task) = framework.and_then(|framework| framework.task(task_id)) {
            let event = EventBody::TaskAdded(event::TaskAdded { task: task.into() });
            self.watchers.tell(&event.into());
        }
    }

    /// There is news of a task, whose latest state may be ahead of it.
    pub(crate) fn task_updated(
        &mut self,
        framework_id: &FrameworkId,
        status: &TaskStatus,
        state: TaskState,
    ) {
        if self.watchers.is_empty() {
            return;
        }
        let event = EventBody::TaskUpdated(event::TaskUpdated {
            framework_id: framework_id.into(),
            status: status.into(),
            state: state.into(),
        });
        self.watchers.tell(&event.into());
    }

    /// There is an agent that was not there.
    pub(crate) fn agent_added(&mut self, id: &AgentId) {
        if self.watchers.is_empty() {
            return;
        }
        if let Some(agent) = self.books.agent(id) {
            let agent = self.snapshot().agent_message(agent);
            let event = EventBody::AgentAdded(event::AgentAdded { agent });
            self.watchers.tell(&event.into());
        }
    }

    /// An agent is gone, or does not answer.
    pub(crate) fn agent_removed(&mut self, id: &AgentId) {
        if !self.watchers.is_empty() {
            let agent_id = id.into();
            let event = EventBody::AgentRemoved(event::AgentRemoved { agent_id });
            self.watchers.tell(&event.into());
        }
    }

    /// There is a framework that was not known.
    pub(crate) fn framework_added(&mut self, id: &FrameworkId) {
        if self.watchers.is_empty() {
            return;
        }
        if let Some(framework) = self.books.framework(id) {
            let framework = self.snapshot().framework_message(framework);
            let event = EventBody::FrameworkAdded(event::FrameworkAdded { framework });
            self.watchers.tell(&event.into());
        }
    }

    /// A framework came back, went, or says something else of itself.
    pub(crate) fn framework_updated(&mut self, id: &FrameworkId) {
        if self.watchers.is_empty() {
            return;
        }
        if let Some(framework) = self.books.framework(id) {
            let framework = self.snapshot().framework_message(framework);
            let event = EventBody::FrameworkUpdated(event::FrameworkUpdated { framework });
            self.watchers.tell(&event.into());
        }
    }

    /// A framework has ended.
    pub(crate) fn framework_removed(&mut self, info: &types::FrameworkInfo) {
        if !self.watchers.is_empty() {
            let framework_info = info.into();
            let event = EventBody::FrameworkRemoved(event::FrameworkRemoved { framework_info });
            self.watchers.tell(&event.into());
        }
    }
}
