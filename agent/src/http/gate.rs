//! The gate of the agent: which of its doors ask clients who they are, and whether they have said.
//!
//! Operators say so by a name and a secret; executors by the token their agent gave them, which is
//! good for the door of executors alone, also where the security of the node lets no stranger in.

use std::sync::Arc;

use api::v1::authentication::{Authentication, Principal, Realm};
use libproc::http::{Admission, Guard, Method, Request, Response, Target, header};

use super::Refusal;
use crate::agent::Agent;
use crate::token::{Claims, TokenKey};

/// The paths by which executors come. A token opens these, to the letter, and no others.
const EXECUTORS: [&str; 3] = [
    "/api/v1/executor",
    "/slave(1)/api/v1/executor",
    "/agent/api/v1/executor",
];

/// A client that was let in for its token alone.
#[derive(Debug, Clone, Copy)]
struct ByToken;

/// What is asked of every request on the node of an agent.
pub(crate) fn guard(authentication: &Authentication, key: Option<&TokenKey>) -> Option<Guard> {
    if authentication.realms.is_empty() && key.is_none() {
        return None;
    }
    let (authentication, key) = (authentication.clone(), key.cloned());
    Some(Arc::new(move |parts, target| {
        let shown = parts.headers.get(header::AUTHORIZATION);
        let shown = shown.and_then(|shown| shown.to_str().ok());
        let executor = EXECUTORS.contains(&parts.uri.path()) && parts.method == Method::POST;
        if executor && let Some(claims) = key.as_ref().zip(shown).and_then(|(k, s)| k.claims(s)) {
            parts.extensions.insert(claims);
            parts.extensions.insert(ByToken);
            return Admission::Shown;
        }
        let principal = shown.and_then(|shown| authentication.credentials.principal(shown));
        let known = principal.is_some();
        if let Some(principal) = principal {
            parts.extensions.insert(principal);
        }
        let realm = Realm::AgentReadOnly;
        if target == Target::Page && authentication.requires(realm) && !known {
            return Admission::Refused(Response::from(Refusal::challenge(realm)));
        }
        Admission::Open
    }))
}

impl Agent {
    /// Refuses a client that has not said who it is, for a door of this realm.
    pub(super) fn admit_client(&self, request: &Request, realm: Realm) -> Result<(), Refusal> {
        let extensions = request.extensions();
        let shown = match realm {
            Realm::AgentExecutor => {
                self.token_key.is_none() || extensions.get::<Claims>().is_some()
            }
            _ if extensions.get::<ByToken>().is_some() => false,
            _ => {
                let asks = self.options.authentication.requires(realm);
                !asks || extensions.get::<Principal>().is_some()
            }
        };
        match shown {
            true => Ok(()),
            false => Err(Refusal::challenge(realm)),
        }
    }
}

/// Refuses an executor that has shown to be another one, in the words of Apache Mesos.
pub(super) fn check_claims(
    request: &Request,
    framework_id: &str,
    executor_id: &str,
    container_id: &str,
) -> Result<(), String> {
    let Some(claims) = request.extensions().get::<Claims>() else {
        return Ok(());
    };
    let Claims { fid, eid, cid } = claims;
    let whose = format!("Authenticated principal '{{ cid: {cid}, eid: {eid}, fid: {fid} }}'");
    if fid != framework_id {
        return Err(format!(
            "{whose} does not contain an 'fid' claim with the framework ID {framework_id}, which is \
             set in the call"
        ));
    }
    if eid != executor_id {
        return Err(format!(
            "{whose} does not contain an 'eid' claim with the executor ID {executor_id}, which is \
             set in the call"
        ));
    }
    if cid != container_id {
        return Err(format!(
            "{whose} does not contain a 'cid' claim with the correct active ContainerID"
        ));
    }
    Ok(())
}
