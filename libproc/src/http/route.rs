//! Routes: the doors of a process for HTTP.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::rc::Rc;

use serde::Serialize;
use tokio::sync::oneshot;

use super::{Method, Request, Respond, Responder, Response, StatusCode};
use crate::context::Context;
use crate::process::Process;
use crate::reply::Later;
use crate::trace::{self, TraceContext};

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
    help: &'static str,
    serve: Serve<A>,
}

/// A route as the help pages show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct RouteLine {
    pub(crate) method: String,
    /// Below the id of its process, unless a page says otherwise.
    pub(crate) path: String,
    /// Empty where nothing is said of it.
    pub(crate) help: &'static str,
}

/// Lists the routes of a kind of process.
pub(crate) type RouteList = fn() -> Vec<RouteLine>;

/// A route that was just added: what `/help` says of it can be added, too.
pub struct Described<'a>(&'a mut &'static str);

impl Described<'_> {
    /// Says in one line what the route is for.
    pub fn help(self, text: &'static str) {
        *self.0 = text;
    }
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
    ) -> Described<'_> {
        self.on(Some(Method::GET), path, serve)
    }

    /// Serves POST of `/<id>/<path>`.
    pub fn post<R: Into<Answer> + 'static>(
        &mut self,
        path: &'static str,
        serve: fn(&mut A, Request, &mut Context<A>) -> R,
    ) -> Described<'_> {
        self.on(Some(Method::POST), path, serve)
    }

    /// Serves every method of `/<id>/<path>`: the function says itself which it takes.
    pub fn any<R: Into<Answer> + 'static>(
        &mut self,
        path: &'static str,
        serve: fn(&mut A, Request, &mut Context<A>) -> R,
    ) -> Described<'_> {
        self.on(None, path, serve)
    }

    fn on<R: Into<Answer> + 'static>(
        &mut self,
        method: Option<Method>,
        path: &'static str,
        serve: fn(&mut A, Request, &mut Context<A>) -> R,
    ) -> Described<'_> {
        let serve = Box::new(move |actor: &mut A, request, ctx: &mut Context<A>| {
            serve(actor, request, ctx).into()
        });
        let route = self.0.push_mut(Route {
            method,
            path,
            help: "",
            serve,
        });
        Described(&mut route.help)
    }

    fn all() -> Routes<A> {
        let mut routes = Routes(Vec::new());
        A::routes(&mut routes);
        routes
    }

    /// The routes of this kind of process as requests look for them, the longest paths first: made
    /// once on each thread.
    fn sorted() -> Rc<Routes<A>> {
        thread_local! {
            static SORTED: RefCell<HashMap<TypeId, Rc<dyn Any>>> = RefCell::default();
        }
        let known = SORTED.with_borrow(|sorted| sorted.get(&TypeId::of::<A>()).cloned());
        if let Some(Ok(known)) = known.map(Rc::downcast) {
            return known;
        }
        let mut routes = Routes::all();
        routes
            .0
            .sort_by_key(|route| (Reverse(route.path.len()), route.path));
        let routes = Rc::new(routes);
        SORTED.with_borrow_mut(|sorted| sorted.insert(TypeId::of::<A>(), routes.clone()));
        routes
    }

    pub(crate) fn list() -> Vec<RouteLine> {
        let line = |route: &Route<A>| RouteLine {
            method: route.methods().to_owned(),
            path: route.path.to_owned(),
            help: route.help,
        };
        Routes::all().0.iter().map(line).collect()
    }

    /// The routes of the longest path that `path` lies in: they are next to each other.
    fn longest(&self, path: &str) -> &[Route<A>] {
        let below = |route: &Route<A>| {
            path.strip_prefix(route.path).is_some_and(|rest| {
                rest.is_empty() || rest.starts_with('/') || route.path.is_empty()
            })
        };
        let Some(first) = self.0.iter().position(below) else {
            return &[];
        };
        let here = self.0[first].path;
        let after = self.0[first..].iter().position(|route| route.path != here);
        let end = after.map_or(self.0.len(), |after| first + after);
        &self.0[first..end]
    }
}

/// A request on its way to a process.
pub(crate) struct Call {
    /// The path below the id of the process, without slashes at its ends.
    pub(crate) path: String,
    pub(crate) what: What,
    /// The trace that the client asks from.
    pub(crate) context: Option<TraceContext>,
}

pub(crate) enum What {
    Serve(Box<Request>, Responder),
    /// The routes there are, for the help page.
    List(oneshot::Sender<Vec<RouteLine>>),
}

impl Call {
    /// Serves the request in the process's turn.
    pub(crate) fn serve<A: Process>(self, actor: &mut A, ctx: &mut Context<A>) {
        let (request, responder) = match self.what {
            What::Serve(request, responder) => (request, responder),
            // Whoever wanted the list may have gone.
            What::List(list) => return drop(list.send(Routes::<A>::list())),
        };
        let routes = Routes::sorted();
        let _entered = trace::enter(self.context, ctx.upid(), None, "(http)");
        let here = routes.longest(&self.path);
        let method = if request.method() == Method::HEAD {
            &Method::GET
        } else {
            request.method()
        };
        let serves = |route: &&Route<A>| route.method.as_ref().is_none_or(|ours| ours == method);
        let Some(route) = here.iter().find(serves) else {
            let response = match here {
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
