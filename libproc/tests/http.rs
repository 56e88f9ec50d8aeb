//! One port: what curl sees of a node.

mod common;
#[path = "common/web.rs"]
mod web;

use common::*;
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
