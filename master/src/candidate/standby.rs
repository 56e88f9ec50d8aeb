//! A standby: sends whoever comes to the master that leads.

use api::v1::{Message as _, VersionInfo};
use bytes::Bytes;
use election::{Detector, Electing, Leadership, WhoLeads};
use libproc::http::{Body, Request, Respond as _, Response, StatusCode, header};
use libproc::prelude::*;

/// What answers in place of a master that does not lead.
#[derive(Clone)]
pub(super) struct Standby {
    detector: Detector,
}

impl Standby {
    pub(super) fn new(detector: Detector) -> Self {
        Self { detector }
    }

    /// Sends the client to the same path of the leader, or asks it for patience.
    fn redirect(&mut self, request: Request, ctx: &mut Context<Self>) -> Response {
        let here = ctx.upid().address().to_string();
        let leader = self.detector.leader().and_then(|leader| leader.info);
        // Elected, and not ready yet: the client would come back here.
        let Some(leader) = leader.filter(|leader| leader.address != here) else {
            let text = "No leader elected, or it is not ready yet\n";
            return Response::error(StatusCode::SERVICE_UNAVAILABLE, text);
        };
        let port = leader.address.rsplit(':').next().unwrap_or_default();
        let target = match is_redirect(request.uri().path()) {
            true => "",
            false => request
                .uri()
                .path_and_query()
                .map_or("", |target| target.as_str()),
        };
        let location = format!("//{}:{port}{target}", leader.hostname);
        let Ok(location) = header::HeaderValue::try_from(location) else {
            let text = "the hostname of the leader is no name\n";
            return Response::error(StatusCode::INTERNAL_SERVER_ERROR, text);
        };
        let mut response = Response::new(Body::Full(Bytes::new()));
        *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
        response.headers_mut().insert(header::LOCATION, location);
        response
    }
}

/// Whether it is the page that only says where the leader is.
fn is_redirect(path: &str) -> bool {
    let path = path.trim_matches('/');
    let page = path.strip_prefix("master/").unwrap_or(path);
    page == "redirect" || page == "redirect.json"
}

impl Actor for Standby {
    type Context = Context<Self>;
}

impl Process for Standby {
    type Protocol = Electing;

    fn routes(routes: &mut Routes<Self>) {
        routes.any("health", |_, _, _| Response::new(Body::Full(Bytes::new())));
        for path in ["version", "version.json"] {
            routes.any(path, |_, _, _| {
                let version = VersionInfo {
                    version: api::v1::VERSION.to_owned(),
                    ..VersionInfo::default()
                };
                Response::with(StatusCode::OK, "application/json", version.to_json())
            });
        }
        routes.any("", Self::redirect);
    }
}

impl Handler<WhoLeads> for Standby {
    type Result = Reply<Leadership>;
    fn handle(&mut self, _: WhoLeads, _: &mut Context<Self>) -> Self::Result {
        let leader = self.detector.leader().and_then(|leader| leader.info);
        let is_me = false;
        Reply(Leadership { leader, is_me })
    }
}

#[cfg(test)]
mod tests {
    use super::is_redirect;

    #[test]
    fn the_page_that_says_where_the_leader_is_is_known() {
        for path in [
            "/redirect",
            "/master/redirect",
            "/master/redirect.json",
            "/redirect/",
        ] {
            assert!(is_redirect(path), "{path}");
        }
        for path in ["/", "/state", "/redirect/x", "/master/state?redirect"] {
            assert!(!is_redirect(path), "{path}");
        }
    }
}
