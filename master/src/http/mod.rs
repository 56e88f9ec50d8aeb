//! The doors of the master for HTTP: the public API of Apache Mesos, and pages for people.
//!
//! | file | about |
//! | --- | --- |
//! | [`accept`] | what schedulers do with offers |
//! | [`scheduler`] | calls of schedulers, and what they are answered |
//! | [`operator`] | calls of operators |
//! | [`reads`] | what operators read that may be long |
//! | [`views`] | the books as operators see them |
//! | [`watching`] | operators' streams of what changes |
//! | [`snapshot`] | what the master knows at one moment |
//! | [`page`] | pages that may be long, written part by part |
//! | [`stream`] | a scheduler's stream of events, a process like any other scheduler |
//! | [`terms`] | what frameworks ask of offers |
//! | [`sink`] | streams of events in general, and their limits |
//! | [`v0`] | the pages that tools read |
//! | [`refusal`] | what is said to requests that are wrong |
//! | [`files`] | the files that are shown |
//! | [`gate`] | who has to say who it is |

mod accept;
mod files;
pub(crate) mod gate;
mod operator;
mod page;
mod reads;
pub(crate) mod refusal;
mod scheduler;
mod sink;
mod snapshot;
mod stream;
mod terms;
pub(crate) mod v0;
pub(in crate::http) mod views;
mod watching;

use api::v1::authentication::Realm;
use libproc::prelude::*;

pub(crate) use page::Clerk;
pub(crate) use stream::Stream;
pub(crate) use terms::Terms;
pub(crate) use watching::Watchers;

use crate::pages;
use crate::process::MasterProcess;

/// Every door of the master, on one page.
pub(crate) fn routes(routes: &mut Routes<MasterProcess>) {
    routes.any("api/v1", operator::serve);
    routes.any("api/v1/scheduler", scheduler::serve);
    routes.get("metrics", |master, request, ctx| {
        master.gated(request, Realm::MasterReadOnly, |master, request| {
            pages::metrics(master, request, ctx)
        })
    });
    v0::routes(routes);
    files::routes(routes);
    routes.any("", |master, request, _| {
        master.gated(request, Realm::MasterReadOnly, |_, _| {
            http::Response::from(v0::not_found())
        })
    });
}
