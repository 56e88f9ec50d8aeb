//! Tracing: a span a letter, in the trace that its sender was in.

mod common;
#[path = "common/web.rs"]
mod web;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use common::*;
use libproc::prelude::*;
use libproc::trace::{self, TraceContext};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use web::*;

type Fields = BTreeMap<&'static str, String>;

/// Remembers the fields of the spans of letters.
#[derive(Clone, Default)]
struct Recorder {
    spans: Arc<Mutex<Vec<Fields>>>,
    next: Arc<AtomicU64>,
}

struct Visitor<'a>(&'a mut Fields);

impl Visit for Visitor<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(
            field.name(),
            format!("{value:?}").trim_matches('"').to_owned(),
        );
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.name() == "letter"
    }
    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut fields = Fields::new();
        attributes.record(&mut Visitor(&mut fields));
        self.spans.lock().expect("no panic").push(fields);
        Id::from_u64(self.next.fetch_add(1, Ordering::Relaxed) + 1)
    }
    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut spans = self.spans.lock().expect("no panic");
        values.record(&mut Visitor(&mut spans[span.into_u64() as usize - 1]));
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

impl Recorder {
    /// Runs a test while this thread's spans are recorded.
    fn watch(&self, test: impl Future<Output = ()>) {
        tracing::subscriber::with_default(self.clone(), || alone(test));
    }

    fn take(&self) -> Vec<Fields> {
        self.spans.lock().expect("no panic").clone()
    }
}

protocol! {
    /// What a guide accepts.
    pub protocol Guiding { message Where {} -> String; }
}

/// Tells which trace it is in, at once and after having waited.
struct Guide;

impl Actor for Guide {
    type Context = Context<Self>;
}

impl Process for Guide {
    type Protocol = Guiding;
    fn routes(routes: &mut Routes<Self>) {
        routes.get("where", |_, _, ctx| {
            let (answer, later) = Later::new();
            let at_once = here();
            ctx.defer(tokio::task::yield_now(), move |_, (), _| {
                answer.send(http::Response::text(format!("{at_once} {}", here())));
            });
            later
        });
    }
}

impl Handler<Where> for Guide {
    type Result = Reply<String>;
    fn handle(&mut self, _: Where, _: &mut Context<Self>) -> Reply<String> {
        Reply(here())
    }
}

fn here() -> String {
    trace::current().map_or("nowhere".to_owned(), |context| context.to_string())
}

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[test]
fn a_letter_is_a_span_and_begins_a_trace() {
    let recorder = Recorder::default();
    recorder.watch(async {
        let node = node().await;
        let guide = node.spawn("guide", Guide);
        let first = node.ask(&guide, Where {}).await.expect("it answers");
        let second = node.ask(&guide, Where {}).await.expect("it answers");
        let contexts = [first, second].map(|text| text.parse::<TraceContext>().expect("a context"));
        assert_ne!(contexts[0].trace_id(), contexts[1].trace_id());
        let spans = recorder.take();
        assert_eq!(spans.len(), 2);
        let expected = [
            ("message", "Where".to_owned()),
            ("span_id", format!("{:016x}", contexts[0].span_id())),
            ("to", guide.to_string()),
            ("trace_id", format!("{:032x}", contexts[0].trace_id())),
        ];
        assert_eq!(spans[0], expected.into_iter().collect());
        node.shutdown().await;
    });
}

#[test]
fn a_request_goes_on_in_the_trace_of_its_client_also_after_waiting() {
    let recorder = Recorder::default();
    recorder.watch(async {
        let node = node().await;
        node.spawn("guide", Guide);
        let request = format!("GET /guide/where\r\ntraceparent: {PARENT}\r\n\r\n");
        let response = http(&node, &request).await;
        let (_, both) = response.rsplit_once("\r\n").expect("a body");
        let (at_once, later) = both.split_once(' ').expect("two contexts");
        assert_eq!(at_once, later);
        assert_eq!(at_once[..35], PARENT[..35], "the same trace");
        assert_ne!(at_once[36..52], PARENT[36..52], "another span");
        let spans = recorder.take();
        assert_eq!(spans[0]["parent_id"], PARENT[36..52]);
        let broken = format!("GET /guide/where\r\ntraceparent: {}\r\n\r\n", &PARENT[..54]);
        let response = http(&node, &broken).await;
        assert!(!response.contains(&PARENT[3..35]), "{response}");
        // A client that does not want to be recorded is not.
        let before = recorder.take().len();
        let quiet = format!("{}00", &PARENT[..53]);
        let request = format!("GET /guide/where\r\ntraceparent: {quiet}\r\n\r\n");
        let response = http(&node, &request).await;
        assert!(
            response.ends_with(&format!("{quiet} {quiet}")),
            "{response}"
        );
        assert_eq!(recorder.take().len(), before);
        node.shutdown().await;
    });
}

protocol! {
    /// What a relay accepts.
    pub protocol Relaying { message Relay { to: Pid<Guiding> } -> String; }
}

/// Asks a guide, and says where it was itself: before it asked, and when the answer came.
struct Relayer;

impl Actor for Relayer {
    type Context = Context<Self>;
}

impl Process for Relayer {
    type Protocol = Relaying;
}

impl Handler<Relay> for Relayer {
    type Result = Later<String>;
    fn handle(&mut self, Relay { to }: Relay, ctx: &mut Context<Self>) -> Later<String> {
        let (answer, later) = Later::new();
        let asked = ctx.ask(&to, Where {});
        let before = here();
        ctx.defer(asked, move |_, there, _| {
            let there = there.unwrap_or_else(|error| error.to_string());
            answer.send(format!("{before} {there} {}", here()));
        });
        later
    }
}

#[test]
fn a_trace_follows_asks_and_their_answers_within_a_node_and_over_nodes() {
    let recorder = Recorder::default();
    recorder.watch(async {
        let (one, two) = (node().await, node().await);
        let relay = one.spawn("relay", Relayer);
        let parent: TraceContext = PARENT.parse().expect("W3C's own example");
        for guide in [one.spawn("guide", Guide), two.spawn("guide", Guide)] {
            let asked = {
                let _entered = trace::resume(parent);
                one.ask(&relay, Relay { to: guide })
            };
            let said = asked.await.expect("it answers");
            let contexts: Vec<TraceContext> = said
                .split(' ')
                .map(|text| text.parse().expect("a context"))
                .collect();
            let [before, there, after] = contexts[..] else {
                panic!("{said}");
            };
            assert_eq!(before.trace_id(), parent.trace_id());
            assert_eq!(there.trace_id(), parent.trace_id());
            assert_ne!(there.span_id(), before.span_id());
            assert_eq!(after, before, "the answer continues where it was asked");
        }
        one.shutdown().await;
        two.shutdown().await;
    });
    let spans = recorder.take();
    let ids = |name: &str, field: &str| -> Vec<String> {
        let of = |span: &&Fields| span.get("message").is_some_and(|message| message == name);
        let fields = spans.iter().filter(of);
        fields.map(|span| span[field].clone()).collect()
    };
    assert_eq!(ids("Where", "parent_id"), ids("Relay", "span_id"));
}

#[test]
fn the_trace_of_a_letter_that_reached_nobody_is_not_that_of_the_next() {
    Recorder::default().watch(async {
        let (one, two) = (node().await, node().await);
        let guide = two.spawn("guide", Guide);
        let nobody: Pid<Guiding> = format!("nobody@{}", two.address())
            .parse()
            .expect("an address");
        let parent: TraceContext = PARENT.parse().expect("W3C's own example");
        {
            let _entered = trace::resume(parent);
            one.tell(&nobody, Where {});
        }
        let said = one.ask(&guide, Where {}).await.expect("it answers");
        let context: TraceContext = said.parse().expect("a context");
        assert_ne!(context.trace_id(), parent.trace_id());
        one.shutdown().await;
        two.shutdown().await;
    });
}
