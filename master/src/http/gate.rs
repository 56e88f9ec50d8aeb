//! The gate of the master: which of its doors ask clients who they are, and whether they have said.

use std::sync::Arc;

use api::v1::authentication::{Authentication, Principal, Realm};
use libproc::http::{Admission, Guard, Request, Response, Target, header};

use super::refusal::Refusal;
use crate::process::MasterProcess;

/// What is asked of every request on the node of a master that asks at all.
pub(crate) fn guard(authentication: &Authentication) -> Option<Guard> {
    if authentication.realms.is_empty() {
        return None;
    }
    let authentication = authentication.clone();
    Some(Arc::new(move |parts, target| {
        let shown = parts.headers.get(header::AUTHORIZATION);
        let shown = shown.and_then(|shown| shown.to_str().ok());
        let principal = shown.and_then(|shown| authentication.credentials.principal(shown));
        let known = principal.is_some();
        if let Some(principal) = principal {
            parts.extensions.insert(principal);
        }
        let realm = Realm::MasterReadOnly;
        if target == Target::Page && authentication.requires(realm) && !known {
            return Admission::Refused(Response::from(Refusal::challenge(realm)));
        }
        Admission::Open
    }))
}

impl MasterProcess {
    /// Who makes a request for a door of this realm; none where nobody has to say.
    pub(crate) fn admit_client(
        &self,
        request: &Request,
        realm: Realm,
    ) -> Result<Option<Principal>, Refusal> {
        if !self.options.authentication.requires(realm) {
            return Ok(None);
        }
        let principal = request.extensions().get::<Principal>();
        principal
            .cloned()
            .map(Some)
            .ok_or_else(|| Refusal::challenge(realm))
    }

    /// Serves a request for a door of this realm, if its client may come.
    pub(crate) fn gated(
        &mut self,
        request: Request,
        realm: Realm,
        serve: impl FnOnce(&mut Self, Request) -> Response,
    ) -> Response {
        match self.admit_client(&request, realm) {
            Ok(_) => serve(self, request),
            Err(refusal) => refusal.into(),
        }
    }
}

/// Says in the words of Apache Mesos that a framework is another's.
pub(crate) fn not_yours(shown: &Principal, named: &str) -> String {
    format!(
        "Authenticated principal '{shown}' does not match principal '{named}' set in `FrameworkInfo`"
    )
}
