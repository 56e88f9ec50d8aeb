//! One port: what curl sees of a node.

mod common;
#[path = "common/web.rs"]
mod web;

use common::*;
use libproc::prelude::*;
use libproc::trace;
use web::*;

#[test]
fn routes_are_served_in_a_turn_of_the_process() {
    alone(async {
        let node = node().await;
        let counter = node.spawn("counter", Counter::default());
        assert_eq!(node.ask(&counter, Add { by: 42 }).await, Ok(42));
        let response = http(&node, "GET /counter/total").await;
        assert_eq!(status(&response), "200");
        assert!(response.ends_with("\r\n\r\n42"), "{response}");
        let response = http(&node, "GET /counter/total/later").await;
        assert!(response.ends_with("42"), "{response}");
        let set = http(&node, "POST /counter/total\r\nContent-Length: 1\r\n\r\n7").await;
        assert_eq!(status(&set), "200");
        assert_eq!(node.ask(&counter, Add { by: 0 }).await, Ok(7));
        let bad = http(&node, "POST /counter/total\r\nContent-Length: 1\r\n\r\nx").await;
        assert_eq!(status(&bad), "400");
        node.shutdown().await;
    });
}

#[test]
fn what_is_not_there_is_said_clearly() {
    alone(async {
        let node = node().await;
        node.spawn("counter", Counter::default());
        assert_eq!(status(&http(&node, "GET /nobody/total").await), "404");
        assert_eq!(status(&http(&node, "GET /counter/nothing").await), "404");
        assert_eq!(status(&http(&node, "DELETE /counter/total").await), "405");
        let huge = format!("POST /counter/total\r\nContent-Length: {}\r\n\r\n", 1 << 30);
        assert_eq!(status(&http(&node, &huge).await), "413");
        node.set_front("counter");
        assert!(http(&node, "GET /total").await.ends_with("\r\n\r\n0"));
        node.shutdown().await;
    });
}

/// Tells which trace it is in.
struct Guide;

impl Actor for Guide {
    type Context = Context<Self>;
}

impl Process for Guide {
    type Protocol = Listening;
    fn routes(routes: &mut Routes<Self>) {
        routes.get("where", |_, _, _| {
            let context = trace::current().map(|context| context.to_string());
            http::Response::text(context.unwrap_or("nowhere".to_owned()))
        });
    }
}

impl Handler<Total> for Guide {
    type Result = ();
    fn handle(&mut self, _: Total, _: &mut Context<Self>) {}
}

impl Handler<Gone> for Guide {
    type Result = ();
    fn handle(&mut self, _: Gone, _: &mut Context<Self>) {}
}

/// In a program without any subscriber, which those of other tests would be.
#[test]
fn with_tracing_off_there_is_no_trace_but_that_of_the_client() {
    alone(async {
        let node = node().await;
        node.spawn("guide", Guide);
        assert!(
            http(&node, "GET /guide/where")
                .await
                .ends_with("\r\n\r\nnowhere")
        );
        let context = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let request = format!("GET /guide/where\r\ntraceparent: {context}\r\n\r\n");
        let response = http(&node, &request).await;
        assert!(response.ends_with(context), "{response}");
        node.shutdown().await;
    });
}
