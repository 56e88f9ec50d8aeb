//! What becomes of letters when a connection breaks, or never comes to be: each is a dead letter
//! with its reason, its receiver, its sender and its message.
#![cfg(feature = "sim")]

mod common;

use std::time::Duration;

use common::dead;
use libproc::prelude::*;
use libproc::sim::{History, history, simulation_in_steps, turmoil};
use libproc::{DeadLetter, DeadLetterOffice, DeadReason, Overflow};

/// How often the simulated network moves.
const STEP: Duration = Duration::from_millis(10);
/// Longest a simulation runs.
const LONG: Duration = Duration::from_secs(600);
/// Letters of a connection that are reported when it breaks.
const REPORTED: u64 = 1000;
/// Bytes of a page: a dozen of them are more than may be under way.
const PAGE: usize = 1 << 20;

protocol! {
    /// What a reader accepts.
    pub protocol Reading {
        message Page { text: String };
        message Line { number: u64 };
    }
}

protocol! {
    /// What a writer accepts: to whom it is to send how many pages.
    pub protocol Writing {
        message Write { reader: Pid<Reading>, pages: u64 };
    }
}

/// A reader that never has room for anything.
struct Reader;

impl Actor for Reader {
    type Context = Context<Self>;
}

impl Process for Reader {
    type Protocol = Reading;
    const CAPACITY: u32 = 0;
    const OVERFLOW: Overflow = Overflow::Block;
}

impl Handler<Page> for Reader {
    type Result = ();
    fn handle(&mut self, _: Page, _: &mut Context<Self>) {
        unreachable!("it has no room");
    }
}

impl Handler<Line> for Reader {
    type Result = ();
    fn handle(&mut self, _: Line, _: &mut Context<Self>) {
        unreachable!("it has no room");
    }
}

struct Writer;

impl Actor for Writer {
    type Context = Context<Self>;
}

impl Process for Writer {
    type Protocol = Writing;
}

impl Handler<Write> for Writer {
    type Result = ();
    fn handle(&mut self, Write { reader, pages }: Write, ctx: &mut Context<Self>) {
        for _ in 0..pages {
            let text = "x".repeat(PAGE);
            ctx.tell(&reader, Page { text });
        }
    }
}

async fn node_of(host: &str) -> std::io::Result<Node> {
    Node::bind(&format!("{}:5050", turmoil::lookup(host))).await
}

fn reader_of(host: &str) -> Pid<Reading> {
    let reader = format!("reader@{}:5050", turmoil::lookup(host));
    reader.parse().expect("an address")
}

/// Everything an office hears, until it hears nothing for a minute.
async fn heard(office: &mut Probe<DeadLetterOffice>) -> Vec<DeadLetter> {
    let mut all = Vec::new();
    let minute = Duration::from_secs(60);
    while let Ok(dead) = tokio::time::timeout(minute, office.receive::<DeadLetter>()).await {
        all.push(dead.message);
    }
    all
}

/// Pages to a reader without room fill the window of the connection; then the network swallows
/// everything, until both sides take the other for dead.
fn cut_off(seed: u64) -> History {
    const PAGES: u64 = 12;
    let mut sim = simulation_in_steps(seed, LONG, STEP);
    let from: Upid = format!("writer@{}:5050", sim.lookup("writer"))
        .parse()
        .expect("an address");
    let there = from.clone();
    sim.client("reader", async move {
        let node = node_of("reader").await?;
        node.spawn("reader", Reader);
        let mut office = node.probe::<DeadLetterOffice>("office");
        node.report_dead_letters(&office.pid());
        let lost = heard(&mut office).await;
        assert!(!lost.is_empty(), "pages waited for room");
        for page in &lost {
            assert_eq!(page.reason, DeadReason::Disconnected);
            assert_eq!((page.to.id(), page.message.as_str()), ("reader", "Page"));
            assert_eq!(page.from.as_ref(), Some(&there));
        }
        assert_eq!(dead(&node, DeadReason::Disconnected), lost.len() as u64);
        Ok(())
    });
    sim.client("writer", async move {
        let node = node_of("writer").await?;
        let mut office = node.probe::<DeadLetterOffice>("office");
        node.report_dead_letters(&office.pid());
        let reader = reader_of("reader");
        let writer = node.spawn("writer", Writer);
        let pages = PAGES;
        node.tell(
            &writer,
            Write {
                reader: reader.clone(),
                pages,
            },
        );
        tokio::time::sleep(Duration::from_secs(5)).await;
        node.tell(&reader, Line { number: 1 });
        turmoil::hold("writer", "reader");
        let lost = heard(&mut office).await;
        let (line, lost_pages) = lost.split_last().expect("more than may be under way");
        assert!((1..PAGES as usize).contains(&lost_pages.len()), "{lost:?}");
        for page in lost_pages {
            let expected = DeadLetter {
                reason: DeadReason::Disconnected,
                to: reader.upid().clone(),
                from: Some(from.clone()),
                message: "Page".to_owned(),
            };
            assert_eq!(*page, expected);
        }
        assert_eq!((line.message.as_str(), &line.from), ("Line", &None));
        assert_eq!(dead(&node, DeadReason::Disconnected), lost.len() as u64);
        Ok(())
    });
    sim.run().expect("the simulation succeeds");
    history()
}

#[test]
fn letters_that_wait_on_either_side_when_a_connection_breaks_are_reported_one_by_one() {
    assert_eq!(cut_off(1), cut_off(1), "a seed replays");
}

#[test]
fn of_many_letters_for_a_node_that_is_not_reached_the_first_are_reported_and_all_are_counted() {
    const LINES: u64 = 2500;
    let mut sim = simulation_in_steps(1, LONG, STEP);
    sim.host("reader", || async { std::future::pending().await });
    sim.client("writer", async {
        let node = node_of("writer").await?;
        let mut office = node.probe::<DeadLetterOffice>("office");
        node.report_dead_letters(&office.pid());
        let reader = reader_of("reader");
        for number in 0..LINES {
            node.tell(&reader, Line { number });
        }
        let lost = heard(&mut office).await;
        assert_eq!(lost.len() as u64, REPORTED);
        let expected = DeadLetter {
            reason: DeadReason::Unreachable,
            to: reader.upid().clone(),
            from: None,
            message: "Line".to_owned(),
        };
        assert!(lost.iter().all(|line| *line == expected), "{lost:?}");
        assert_eq!(dead(&node, DeadReason::Unreachable), LINES);
        Ok(())
    });
    sim.run().expect("the simulation succeeds");
}
