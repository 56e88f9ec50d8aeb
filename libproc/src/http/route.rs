//! Routes: the doors of a process for HTTP.

use tokio::sync::oneshot;

use super::{Method, Request, Respond, Responder, Response, StatusCode};
use crate::context::Context;
use crate::process::Process;
use crate::reply::Later;

/// What a route gives: a [`Response`] at once, or a [`Later`] one.
pub enum Answer {
    /// The response.
    Now(Response),
    /// The response to come; dropped unsent, the client sees 503.
    Later(Later<Response>),
}

impl From<Response> for Answer {
    fn from(response: Response) -> Answer {
        Answer::Now(response)
    }
}

impl From<Later<Response>> for Answer {
    fn from(later: Later<Response>) -> Answer {
        Answer::Later(later)
    }
}

type Serve<A> = Box<dyn Fn(&mut A, Request, &mut Context<A>) -> Answer>;

struct Route<A: Process> {
    /// Any, if none.
    method: Option<Method>,
    path: &'static str,
    serve: Serve<A>,
}

impl<A: Process> Route<A> {
    fn methods(&self) -> &str {
        self.method.as_ref().map_or("ANY", Method::as_str)
    }
}

/// Collects the routes of a process; filled in [`Process::routes`].
///
/// A route serves its path below `/<id>/` and everything below that, unless a longer one fits.
pub struct Routes<A: Process>(Vec<Route<A>>);

impl<A: Process> Routes<A> {
    /// Serves GET and HEAD of `/<id>/<path>`.
    pub fn get<R: Into<Answer> + 'static>(
        &mut self,
        path: &'static str,
        serve: fn(&mut A, Request, &mut Context<A>) -> R,
    ) {
        self.on(Some(Method::GET), path, serve);
    }

    /// Serves POST of `/<id>/<path>`.
    pub fn post<R: Into<Answer> + 'static>(
        &mut self,
        path: &'static str,
        serve: fn(&mut A, Request, &mut Context<A>) -> R,
    ) {
        self.on(Some(Method::POST), path, serve);
    }

    /// Serves every method of `/<id>/<path>`: the function says itself which it takes.
    pub fn any<R: Into<Answer> + 'static>(
        &mut self,
        path: &'static str,
        serve: fn(&mut A, Request, &mut Context<A>) -> R,
    ) {
        self.on(None, path, serve);
    }

    fn on<R: Into<Answer> + 'static>(
        &mut self,
        method: Option<Method>,
        path: &'static str,
        serve: fn(&mut A, Request, &mut Context<A>) -> R,
    ) {
        let serve = Box::new(move |actor: &mut A, request, ctx: &mut Context<A>| {
            serve(actor, request, ctx).into()
        });
        self.0.push(Route {
            method,
            path,
            serve,
        });
    }

    /// The routes of the longest path that `path` lies in.
    fn longest(&self, path: &str) -> Vec<&Route<A>> {
        let below = |route: &&Route<A>| {
            path.strip_prefix(route.path).is_some_and(|rest| {
                rest.is_empty() || rest.starts_with('/') || route.path.is_empty()
            })
        };
        let longest = self
            .0
            .iter()
            .filter(below)
            .map(|route| route.path.len())
            .max();
        self.0
            .iter()
            .filter(below)
            .filter(|route| Some(route.path.len()) == longest)
            .collect()
    }
}

/// A request on its way to a process.
pub(crate) struct Call {
    /// The path below the id of the process, without slashes at its ends.
    pub(crate) path: String,
    pub(crate) what: What,
}

pub(crate) enum What {
    Serve(Box<Request>, Responder),
    /// The paths there are, for the help page.
    List(oneshot::Sender<Vec<String>>),
}

impl Call {
    /// Serves the request in the process's turn.
    pub(crate) fn serve<A: Process>(self, actor: &mut A, ctx: &mut Context<A>) {
        let mut routes = Routes(Vec::new());
        A::routes(&mut routes);
        let (request, responder) = match self.what {
            What::Serve(request, responder) => (request, responder),
            What::List(list) => {
                let line = |route: &Route<A>| format!("{} /{}", route.methods(), route.path);
                // Whoever wanted the list may have gone.
                return drop(list.send(routes.0.iter().map(line).collect()));
            }
        };
        let here = routes.longest(&self.path);
        let method = if request.method() == Method::HEAD {
            &Method::GET
        } else {
            request.method()
        };
        let serves = |route: &&&Route<A>| route.method.as_ref().is_none_or(|ours| ours == method);
        let Some(route) = here.iter().find(serves) else {
            let response = match here.as_slice() {
                [] => Response::error(StatusCode::NOT_FOUND, "no such page; see /help\n"),
                [first, ..] => {
                    let text = format!("use {} here\n", first.methods());
                    Response::error(StatusCode::METHOD_NOT_ALLOWED, text)
                }
            };
            return drop(responder.send(response));
        };
        match (route.serve)(actor, *request, ctx) {
            // A client that hung up wants no response.
            Answer::Now(response) => drop(responder.send(response)),
            Answer::Later(later) => drop(tokio::task::spawn_local(async move {
                if let Some(response) = later.await {
                    drop(responder.send(response));
                }
            })),
        }
    }
}
