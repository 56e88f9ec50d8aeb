//! The page of a master that counts what it did, as JSON.

use libproc::http::{Request, Response};
use libproc::prelude::*;
use serde_json::json;

use crate::process::MasterProcess;

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
