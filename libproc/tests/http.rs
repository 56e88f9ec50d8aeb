//! One port: what curl sees of a node.

mod common;

use common::*;
use libproc::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends one request and reads until the server closes.
async fn http(node: &Node, request: &str) -> String {
    let mut stream = TcpStream::connect(node.address())
        .await
        .expect("it listens");
    let (line, rest) = request.split_once("\r\n").unwrap_or((request, ""));
    let text = format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{rest}");
    let text = if text.contains("\r\n\r\n") {
        text
    } else {
        format!("{text}\r\n")
    };
    stream.write_all(text.as_bytes()).await.expect("it reads");
    let mut response = String::new();
    stream
        .read_to_string(&mut response)
        .await
        .expect("it answers");
    response
}

fn status(response: &str) -> &str {
    response.split(' ').nth(1).unwrap_or("none")
}

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

#[test]
fn a_node_shows_its_processes_counters_and_routes() {
    alone(async {
        let node = node().await;
        let counter = node.spawn("counter", Counter::default());
        assert_eq!(node.ask(&counter, Add { by: 1 }).await, Ok(1));
        let page = http(&node, "GET /processes").await;
        assert!(
            page.contains(r#""id":"counter""#) && page.contains(r#""handled":1"#),
            "{page}"
        );
        let page = http(&node, "GET /metrics/snapshot").await;
        assert!(page.contains(r#""libproc/processes":1"#), "{page}");
        let page = http(&node, "GET /metrics").await;
        assert!(
            page.contains("libproc_processes 1") && page.ends_with("# EOF\n"),
            "{page}"
        );
        let page = http(&node, "GET /help").await;
        assert!(page.contains("GET /counter/total\n"), "{page}");
        node.shutdown().await;
    });
}
