//! Metrics: what processes and users register, and both pages that show it.

mod common;
#[path = "common/openmetrics.rs"]
mod openmetrics;
#[path = "common/web.rs"]
mod web;

use std::time::Duration;

use common::*;
use libproc::metrics::{Counter as Count, METRICS_MAX, MetricError};
use libproc::prelude::*;
use serde_json::Value as Json;
use web::*;

async fn snapshot(node: &Node, query: &str) -> Json {
    serde_json::from_str(&body(node, &format!("/metrics/snapshot{query}")).await).expect("JSON")
}

async fn exposed(node: &Node) -> openmetrics::Samples {
    let page = body(node, "/metrics").await;
    openmetrics::read(&page).unwrap_or_else(|why| panic!("{why}\n{page}"))
}

/// A process with metrics of its own.
struct Shop {
    sold: Option<Count>,
    shelves: u32,
}

protocol! {
    /// What a shop accepts.
    pub protocol Shopping {
        message Buy { goods: u64 } -> u64;
        message Close {};
    }
}

impl Actor for Shop {
    type Context = Context<Self>;
    fn started(&mut self, ctx: &mut Context<Self>) {
        let metrics = ctx.metrics().labelled("shop", ctx.upid().id());
        self.sold = metrics.counter("shop/sold", "Goods that were sold").ok();
        let read = |shop: &Shop| f64::from(shop.shelves);
        let local = ctx.local();
        let shelves = metrics.pull_gauge_of(&local, "shop/shelves", "Shelves there are", read);
        shelves.expect("the name is free");
    }
}

impl Process for Shop {
    type Protocol = Shopping;
}

impl Handler<Buy> for Shop {
    type Result = u64;
    fn handle(&mut self, Buy { goods }: Buy, _: &mut Context<Self>) -> u64 {
        let sold = self.sold.as_ref().expect("it was registered");
        sold.add(goods);
        sold.get()
    }
}

impl Handler<Close> for Shop {
    type Result = ();
    fn handle(&mut self, _: Close, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

fn shop(shelves: u32) -> Shop {
    Shop {
        sold: None,
        shelves,
    }
}

#[test]
fn what_a_process_registers_is_on_both_pages_and_goes_with_it() {
    alone(async {
        let node = node().await;
        let corner = node.spawn("corner", shop(3));
        let market = node.spawn("market", shop(4));
        assert_eq!(node.ask(&corner, Buy { goods: 2 }).await, Ok(2));
        assert_eq!(node.ask(&market, Buy { goods: 5 }).await, Ok(5));
        let page = snapshot(&node, "?prefix=shop/").await;
        let expected = serde_json::json!({
            "shop/shelves/corner": 3, "shop/shelves/market": 4,
            "shop/sold/corner": 2, "shop/sold/market": 5,
        });
        assert_eq!(page, expected);
        let samples = exposed(&node).await;
        let market_label = r#"[("shop", "market")]"#.to_owned();
        assert_eq!(
            samples[&("shop_sold_total".into(), market_label.clone())],
            5.0
        );
        assert_eq!(samples[&("shop_shelves".into(), market_label)], 4.0);

        let gone = node.exit_of(market.upid());
        node.tell(&market, Close {});
        gone.await;
        let page = snapshot(&node, "?prefix=shop/").await;
        assert_eq!(
            page.to_string(),
            r#"{"shop/shelves/corner":3,"shop/sold/corner":2}"#
        );
        // The name is free again.
        let market = node.spawn("market", shop(9));
        assert_eq!(node.ask(&market, Buy { goods: 1 }).await, Ok(1));
        assert_eq!(snapshot(&node, "").await["shop/shelves/market"], 9);
        node.shutdown().await;
    });
}

#[test]
fn every_kind_of_metric_is_shown_with_its_own_words() {
    alone(async {
        let node = node().await;
        let metrics = node.metrics();
        let started = metrics.counter("jobs/started_total", "Jobs").expect("free");
        let load = metrics.gauge("load", "").expect("free");
        let disk = metrics
            .in_unit("bytes")
            .gauge("disk/free", "Room \"left\"\nin \\tmp");
        disk.expect("free").set(1e9);
        metrics
            .pull_gauge("answer", "The answer", || 42.5)
            .expect("free");
        metrics
            .pull_gauge("broken", "Cannot be read", || panic!("as planned"))
            .expect("free");
        metrics
            .pull_gauge("hot", "Too hot", || f64::INFINITY)
            .expect("free");
        let sizes = metrics.histogram("sizes", "Sizes of jobs").expect("free");
        let nasty = metrics.labelled("kind", "a\"b\\c{},=");
        let took = nasty.timer("jobs/took", "Time jobs take").expect("free");
        started.add(7);
        load.set(0.5);
        load.add(-2.0);
        (1..=100).for_each(|size| sizes.record(size));
        took.record(Duration::from_millis(20));
        took.start().cancel();

        let page = snapshot(&node, "").await;
        assert_eq!(
            (&page["jobs/started_total"], &page["load"]),
            (&7.into(), &(-1.5).into())
        );
        assert_eq!((&page["answer"], &page["hot"]), (&42.5.into(), &Json::Null));
        assert_eq!(
            (&page["broken"], &page["disk/free"]),
            (&Json::Null, &1_000_000_000u64.into())
        );
        assert_eq!(
            (&page["sizes"], &page["sizes/count"]),
            (&100.into(), &100.into())
        );
        assert_eq!(
            (&page["sizes/p50"], &page["sizes/max"]),
            (&50.into(), &100.into())
        );
        let took = "jobs/took_ms/a\"b\\c{},=";
        assert_eq!(
            (&page[took], &page[format!("{took}/count")]),
            (&20.into(), &1.into())
        );
        for ending in ["min", "max", "p50", "p90", "p95", "p99", "p999", "p9999"] {
            let ms = page[format!("{took}/{ending}")].as_f64().expect("a number");
            assert!((ms - 20.0).abs() <= 0.2, "{ending} is {ms}");
        }

        let samples = exposed(&node).await;
        let plain = |name: &str| samples[&(name.to_owned(), "[]".to_owned())];
        assert_eq!((plain("jobs_started_total"), plain("load")), (7.0, -1.5));
        assert_eq!(
            (plain("disk_free_bytes"), plain("hot")),
            (1e9, f64::INFINITY)
        );
        assert_eq!((plain("sizes_sum"), plain("sizes_count")), (5050.0, 100.0));
        let kind = ("kind", "a\"b\\c{},=");
        let count = (
            "jobs_took_seconds_count".to_owned(),
            format!("{:?}", [kind]),
        );
        assert_eq!(samples[&count], 1.0);
        let median = format!("{:?}", [kind, ("quantile", "0.5")]);
        assert!(
            samples.contains_key(&("jobs_took_seconds".to_owned(), median)),
            "{samples:?}"
        );
        node.shutdown().await;
    });
}

#[test]
fn two_metrics_never_read_the_same() {
    alone(async {
        let node = node().await;
        let metrics = node.metrics();
        let taken = |name: &str| Err(MetricError::Taken(name.to_owned()));
        let mismatch = |name: &str| Err(MetricError::Mismatch(name.to_owned()));
        let counter = |name: &str| metrics.counter(name, "").map(drop);
        let gauge = |name: &str| metrics.gauge(name, "").map(drop);
        assert_eq!(counter("a/b"), Ok(()));
        assert_eq!(counter("a/b"), taken("a/b"));
        assert_eq!(gauge("a/b"), taken("a/b"));
        assert_eq!(gauge("a_b"), taken("a_b"), "both are a_b in OpenMetrics");
        assert_eq!(
            gauge("a/b/total"),
            taken("a/b/total"),
            "the counter's sample is a_b_total"
        );
        let red = metrics.labelled("colour", "red");
        assert_eq!(red.gauge("c", "").map(drop), Ok(()));
        assert_eq!(
            gauge("c/red"),
            taken("c/red"),
            "both are c/red in the snapshot"
        );
        assert_eq!(gauge("c"), mismatch("c"));
        assert_eq!(red.counter("c", "").map(drop), mismatch("c").or(taken("c")));
        let blue = metrics.labelled("colour", "blue");
        assert_eq!(blue.counter("c", "").map(drop), mismatch("c"));
        assert_eq!(
            blue.in_unit("bytes").gauge("c", "").map(drop),
            mismatch("c")
        );
        assert_eq!(blue.gauge("c", "").map(drop), Ok(()));
        assert_eq!(metrics.timer("t", "").map(drop), Ok(()));
        assert_eq!(gauge("t_ms/p50"), taken("t_ms/p50"));
        for reserved in ["libproc/mine", "libproc_mine"] {
            assert_eq!(
                gauge(reserved),
                Err(MetricError::Invalid(reserved.to_owned()))
            );
        }
        assert!(!metrics.remove("c"), "that one has a label");
        assert!(red.remove("c") && blue.remove("c") && !red.remove("c"));
        assert_eq!(counter("c"), Ok(()), "the whole family has gone");
        let nobody = node.spawn("nobody", Counter::default());
        assert_eq!(node.ask(&nobody, Add { by: 1 }).await, Ok(1));
        exposed(&node).await;
        node.shutdown().await;
    });
}

#[test]
fn a_node_has_only_so_many_metrics_and_shows_them_all() {
    alone(async {
        let node = node().await;
        for number in 0..METRICS_MAX {
            let metrics = node.metrics().labelled("number", number.to_string());
            metrics.counter("many", "").expect("there is room").add(1);
        }
        let one_more = node.metrics().gauge("one/more", "").map(drop);
        assert_eq!(one_more, Err(MetricError::TooMany));
        let page = snapshot(&node, "?prefix=many").await;
        assert_eq!(page.as_object().map(|page| page.len()), Some(METRICS_MAX));
        exposed(&node).await;
        node.shutdown().await;
    });
}

#[test]
fn the_node_tells_of_itself() {
    alone(async {
        let (node, other) = (node().await, node().await);
        let counter = other.spawn("counter", Counter::default());
        for _ in 0..10 {
            assert!(node.ask(&counter, Add { by: 1 }).await.is_ok());
        }
        let page = snapshot(&other, "").await;
        let number = |name: &str| {
            page[name]
                .as_f64()
                .unwrap_or_else(|| panic!("no {name}: {page}"))
        };
        assert_eq!(number("libproc/processes"), 1.0);
        assert_eq!(number("libproc/letters_handled"), 10.0);
        assert_eq!(number("libproc/peers/connected"), 1.0);
        assert!(number("libproc/frames_received") >= 10.0);
        assert!(number("libproc/bytes_received") > 0.0 && number("libproc/bytes_sent") > 0.0);
        assert_eq!(
            number(&format!("libproc/outbox_bytes/{}", node.address())),
            0.0
        );
        assert_eq!(number("libproc/dead_letters/NoProcess"), 0.0);
        assert_eq!(number("libproc/http_requests"), 1.0);
        assert_eq!(number("libproc/workers/queue/0"), 0.0);
        assert!(number("libproc/uptime_seconds") > 0.0);
        let page = snapshot(&other, "?prefix=libproc/http").await;
        assert_eq!(
            (
                &page["libproc/http_responses/2xx"],
                &page["libproc/processes"]
            ),
            (&1.into(), &Json::Null)
        );
        assert_eq!(page["libproc/http_latency_ms/count"], 1);
        let samples = exposed(&other).await;
        assert!(samples.contains_key(&("libproc_letters_handled_total".into(), "[]".into())));
        let hold = node.ask(&counter, Hold {});
        assert!(
            node.ask(&counter, Add { by: 0 }).await.is_ok(),
            "and so the other has arrived"
        );
        assert_eq!(snapshot(&node, "").await["libproc/asks_outstanding"], 1);
        drop(hold);
        node.shutdown().await;
        other.shutdown().await;
    });
}

#[test]
fn the_strict_reader_refuses_what_the_specification_forbids() {
    let good = "# TYPE a counter\n# HELP a b\na_total{x=\"y\"} 1\n# TYPE g gauge\ng NaN\n# EOF\n";
    assert!(openmetrics::read(good).is_ok());
    for bad in [
        "# TYPE a counter\na_total 1\n",
        "# TYPE a counter\na 1\n# EOF\n",
        "# TYPE a counter\na_total -1\n# EOF\n",
        "# TYPE a gauge\na 1\n# HELP a late\n# EOF\n",
        "# TYPE a gauge\na 1\na 2\n# EOF\n",
        "# TYPE a gauge\n\na 1\n# EOF\n",
        "# TYPE a gauge\na{x=\"y} 1\n# EOF\n",
        "# TYPE a gauge\na{x=\"\\y\"} 1\n# EOF\n",
        "# TYPE a gauge\n# UNIT a bytes\na 1\n# EOF\n",
        "# TYPE a counter\na_total 1\n# TYPE a_total gauge\na_total 1\n# EOF\n",
        "# TYPE a gauge\na{x=\"1\"} 1\na{x=\"2\"} 1\na{x=\"1\"} 1\n# EOF\n",
        "# TYPE a summary\na{quantile=\"2\"} 1\n# EOF\n",
        "# TYPE a gauge\na one\n# EOF\n",
    ] {
        assert!(openmetrics::read(bad).is_err(), "{bad}");
    }
}
