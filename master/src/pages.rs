//! The pages of a master: health, version, state and metrics, as JSON.

use libproc::http::{Request, Response, StatusCode};
use libproc::prelude::*;
use serde_json::json;

use crate::from_operator::History;
use crate::process::MasterProcess;

/// GET /master/health
pub(crate) fn health(
    _: &mut MasterProcess,
    _: Request,
    _: &mut Context<MasterProcess>,
) -> Response {
    Response::with(StatusCode::OK, "text/plain; charset=utf-8", "")
}

/// GET /master/version
pub(crate) fn version(
    _: &mut MasterProcess,
    _: Request,
    _: &mut Context<MasterProcess>,
) -> Response {
    Response::json(&json!({ "version": api::VERSION }))
}

/// GET /master/state
pub(crate) fn state(
    master: &mut MasterProcess,
    _: Request,
    _: &mut Context<MasterProcess>,
) -> Response {
    Response::json(&json!({
        "cluster": master.options.cluster,
        "master": master.summary(),
        "agents": master.agent_summaries(),
        "frameworks": master.framework_summaries(),
        "tasks": master.task_summaries(None, History::Included),
    }))
}

/// GET /master/metrics
pub(crate) fn metrics(
    master: &mut MasterProcess,
    _: Request,
    _: &mut Context<MasterProcess>,
) -> Response {
    let books = &master.books;
    let connected = books.agents().filter(|agent| agent.connected).count();
    let active = books.frameworks().filter(|f| f.is_active()).count();
    Response::json(&json!({
        "uptime_ms": master.started.elapsed().as_millis() as u64,
        "agents_connected": connected,
        "agents_disconnected": books.agents().count() - connected,
        "agents_unreachable": books.unreachable_agents().count(),
        "frameworks_active": active,
        "frameworks_inactive": books.frameworks().count() - active,
        "frameworks_completed": books.completed_frameworks().count(),
        "offers_outstanding": books.offers().count(),
        "tasks_live": books.live_tasks(),
        "counters": master.metrics,
    }))
}
