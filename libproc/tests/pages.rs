//! The pages of a node: its processes and its routes.

mod common;
#[path = "common/web.rs"]
mod web;

use common::*;
use libproc::prelude::*;
use serde_json::Value as Json;
use web::*;

async fn json(node: &Node, path: &str) -> Json {
    serde_json::from_str(&body(node, path).await).expect("the page is JSON")
}

fn ids(page: &Json) -> Vec<&str> {
    let pages = page.as_array().expect("a list");
    pages
        .iter()
        .filter_map(|page| page["id"].as_str())
        .collect()
}

protocol! {
    /// What a clerk accepts.
    pub protocol Clerking { message Stamp {}; }
}

/// A process that says what its routes are for.
struct Clerk;

impl Actor for Clerk {
    type Context = Context<Self>;
}

impl Process for Clerk {
    type Protocol = Clerking;
    fn routes(routes: &mut Routes<Self>) {
        routes
            .get("forms", |_, _, _| http::Response::text("none"))
            .help("Forms, where there are <some>");
        routes
            .post("forms/new", |_, _, _| http::Response::text("made"))
            .help("Makes a form");
    }
}

impl Handler<Stamp> for Clerk {
    type Result = ();
    fn handle(&mut self, _: Stamp, _: &mut Context<Self>) {}
}

#[test]
fn every_process_is_shown_and_can_be_sorted_and_found() {
    alone(async {
        let node = node().await;
        for (id, asks) in [("b", 2), ("a-1", 5), ("a-2", 0), ("c", 1)] {
            let counter = node.spawn(id, Counter::default());
            for _ in 0..asks {
                assert!(node.ask(&counter, Add { by: 1 }).await.is_ok());
            }
        }
        let watcher = format!("c@{}", node.address());
        let watcher: Pid<Counting> = watcher.parse().expect("an address");
        let listener = node.probe::<Listening>("listener");
        let whom = Upid::new("b", node.address()).expect("an id");
        node.tell(
            &watcher,
            Watch {
                whom,
                listener: listener.pid(),
            },
        );
        assert_eq!(node.ask(&watcher, Add { by: 0 }).await, Ok(1));

        let page = json(&node, "/processes").await;
        assert_eq!(ids(&page), ["b", "a-1", "a-2", "c", "listener"]);
        let b = &page[0];
        assert!(
            b["kind"]
                .as_str()
                .is_some_and(|kind| kind.ends_with("Counter")),
            "{b}"
        );
        let numbers = [
            "mailbox", "capacity", "handled", "busy_ns", "links", "watchers", "age_s",
        ];
        let numbers = numbers.map(|name| b[name].as_u64().unwrap_or_else(|| panic!("{name}: {b}")));
        assert_eq!(numbers, [0, 10_000, 2, 0, 0, 1, 0]);
        assert_eq!(
            (&b["state"], &page[3]["links"]),
            (&"idle".into(), &1.into())
        );

        assert_eq!(json(&node, "/__processes__").await, page);
        assert_eq!(
            ids(&json(&node, "/processes?prefix=a-").await),
            ["a-1", "a-2"]
        );
        assert_eq!(ids(&json(&node, "/processes?limit=2").await), ["b", "a-1"]);
        let sorted = json(&node, "/processes?sort=handled&limit=3").await;
        assert_eq!(ids(&sorted), ["a-1", "c", "b"]);
        let sorted = json(&node, "/processes?sort=mailbox&limit=2").await;
        assert_eq!(
            ids(&sorted),
            ["b", "a-1"],
            "the first in the table among equals"
        );
        assert_eq!(
            json(&node, "/processes?prefix=nobody").await,
            Json::Array(vec![])
        );

        let one = json(&node, "/processes/%61-1").await;
        assert_eq!((&one["id"], &one["handled"]), (&"a-1".into(), &5.into()));
        assert_eq!(
            (&one["accepts"][0], &one["waiting"]),
            (&"Add".into(), &serde_json::json!({}))
        );
        assert_eq!(json(&node, "/__processes__/a-1").await["id"], "a-1");
        for (request, expected) in [
            ("GET /processes?sort=size", "400"),
            ("GET /processes?limit=0", "400"),
            ("GET /processes?sort=busy&limit=1000000", "400"),
            ("GET /processes/nobody", "404"),
            ("POST /processes", "405"),
            ("GET /metrics?timeout=soon", "400"),
            ("HEAD /processes", "200"),
        ] {
            assert_eq!(status(&http(&node, request).await), expected, "{request}");
        }
        node.shutdown().await;
    });
}

#[test]
fn help_says_what_there_is_in_the_form_that_is_wanted() {
    alone(async {
        let node = node().await;
        node.spawn("clerk", Clerk);
        node.spawn("counter", Counter::default());
        node.spawn("<b>", Clerk);
        node.probe::<Listening>("silent");
        node.set_front("clerk");
        let text = body(&node, "/help").await;
        assert!(text.contains("\nGET /counter/total\n"), "{text}");
        let line = text
            .lines()
            .find(|line| line.starts_with("POST /clerk/forms/new "));
        assert!(
            line.is_some_and(|line| line.ends_with(" Makes a form")),
            "{text}"
        );
        assert!(text.contains("GET /metrics/snapshot "), "{text}");
        assert!(
            text.contains("answered by clerk") && !text.contains("silent"),
            "{text}"
        );

        let html = http(&node, "GET /help\r\nAccept: text/html,*/*\r\n\r\n").await;
        assert!(html.contains("Content-Type: text/html"), "{html}");
        assert!(
            html.contains("where there are &lt;some&gt;") && !html.contains("<b>"),
            "{html}"
        );
        assert!(
            html.contains("<a href=\"/clerk/forms\">/clerk/forms</a>"),
            "{html}"
        );

        let page = json(&node, "/help?format=json").await;
        let clerk = &page["processes"][1];
        assert_eq!(
            (&clerk["id"], &clerk["routes"][1]["method"]),
            (&"clerk".into(), &"POST".into())
        );
        assert_eq!(page["front"], "clerk");

        let one = body(&node, "/help/clerk").await;
        assert!(
            one.contains("accepts Stamp") && one.contains("GET /clerk/forms"),
            "{one}"
        );
        let route = body(&node, "/help/clerk/forms/new").await;
        assert!(
            route.contains("Makes a form") && !route.contains("GET"),
            "{route}"
        );
        let route = json(&node, "/help/clerk/forms?format=json").await;
        assert_eq!(
            route["processes"][0]["routes"].as_array().map(Vec::len),
            Some(2)
        );
        for (path, expected) in [
            ("/help/nobody", "404"),
            ("/help/clerk/form", "404"),
            ("/help?format=pdf", "400"),
        ] {
            assert_eq!(
                status(&http(&node, &format!("GET {path}")).await),
                expected,
                "{path}"
            );
        }
        node.shutdown().await;
    });
}

#[test]
fn help_of_many_of_a_kind_is_short() {
    alone(async {
        let node = node().await;
        for number in 0..150 {
            node.spawn(&format!("clerk-{number}"), Clerk);
        }
        let page = json(&node, "/help?format=json").await;
        assert_eq!(page["processes"].as_array().map(Vec::len), Some(100));
        assert_eq!(page["processes_left_off"], 50);
        node.shutdown().await;
    });
}
