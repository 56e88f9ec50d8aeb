//! `/processes`: every process, in chunks, so that a million of them hold nobody up.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt::Write as _;
use std::ops::Range;

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::mpsc;

use super::super::{Body, Respond, Response, StatusCode, header};
use super::Page;
use super::query::{Query, Refusal, refused};
use crate::node::Node;

/// Slots of the table looked at in one go, before other work of the thread gets its turn.
pub(super) const BATCH: u32 = 512;
/// Bytes after which a chunk is sent.
const CHUNK: usize = 64 << 10;
/// Chunks that wait for a client that reads slowly.
const CHUNKS_WAITING: usize = 2;
/// Processes a sorted page shows, unless told, and at most: they are kept until the last is seen.
const SORTED: usize = 1_000;
const SORTED_MAX: usize = 10_000;
/// Letters of one mailbox that are looked at: it is locked meanwhile.
pub(crate) const LETTERS_SEEN: usize = 4_096;

/// A process as `/processes` shows it.
#[derive(Debug, Serialize)]
pub(crate) struct ProcessPage {
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    pub(crate) state: State,
    /// Letters that wait for it.
    pub(crate) mailbox: usize,
    /// Letters that may wait for it.
    pub(crate) capacity: u32,
    /// Letters it has handled.
    pub(crate) handled: u64,
    /// Time it has spent on them.
    pub(crate) busy_ns: u64,
    /// Processes whose exit it is told of; unknown while it is being run.
    pub(crate) links: Option<usize>,
    /// Whoever is told when it exits: processes and tasks here, and other nodes.
    pub(crate) watchers: usize,
    /// Seconds since its first turn.
    pub(crate) age_s: u32,
}

/// What a process is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// Nothing waits for it.
    Idle,
    /// It waits for a turn.
    Queued,
    /// A worker runs it.
    Running,
    /// It has ended, and those who wait for it are being told.
    Ending,
}

/// One process, and what waits for it.
#[derive(Serialize)]
pub(crate) struct OnePage {
    #[serde(flatten)]
    pub(crate) process: ProcessPage,
    /// The messages it accepts.
    pub(crate) accepts: Vec<&'static str>,
    /// Letters that wait for it, by name; those that are no messages in brackets.
    pub(crate) waiting: BTreeMap<&'static str, usize>,
    /// Letters that were not looked at, behind those that were.
    pub(crate) waiting_unseen: usize,
}

#[derive(Clone, Copy)]
enum Sort {
    Busy,
    Mailbox,
    Handled,
}

impl Sort {
    fn key(self, page: &ProcessPage) -> u64 {
        match self {
            Sort::Busy => page.busy_ns,
            Sort::Mailbox => page.mailbox as u64,
            Sort::Handled => page.handled,
        }
    }
}

pub(super) async fn all(node: &Node, query: &Query) -> Page {
    let sort = match query.get("sort") {
        None => None,
        Some("busy") => Some(Sort::Busy),
        Some("mailbox") => Some(Sort::Mailbox),
        Some("handled") => Some(Sort::Handled),
        Some(_) => return Err(refused("`sort` is busy, mailbox or handled")),
    };
    let (prefix, limit) = (query.text("prefix").to_owned(), query.count("limit")?);
    let Some(sort) = sort else {
        return Ok(streamed(node.clone(), prefix, limit.unwrap_or(usize::MAX)));
    };
    let limit = limit.unwrap_or(SORTED);
    if limit > SORTED_MAX {
        return Err(refused(format!(
            "`limit` is {SORTED_MAX} at most where pages are sorted"
        )));
    }
    Ok(Response::json(&sorted(node, &prefix, sort, limit).await))
}

pub(super) fn one(node: &Node, id: &str) -> Page {
    match node.page(id) {
        Some(page) => Ok(Response::json(&page)),
        None => {
            let text = "no such process; see /processes";
            Err(Refusal::new(StatusCode::NOT_FOUND, text))
        }
    }
}

/// The table in parts that are looked at in one go.
pub(super) fn batches(node: &Node) -> impl Iterator<Item = Range<u32>> + use<> {
    let top = node.table().used();
    (0..top)
        .step_by(BATCH as usize)
        .map(move |first| first..top.min(first + BATCH))
}

/// A page that is made while it is sent: its client decides how fast.
fn streamed(node: Node, prefix: String, limit: usize) -> Response {
    let (sender, chunks) = mpsc::channel(CHUNKS_WAITING);
    tokio::task::spawn_local(async move {
        let (mut chunk, mut left) = (String::from("["), limit);
        for batch in batches(&node) {
            for page in node.pages(batch, &prefix).take(left) {
                let opening = if left == limit { "" } else { "," };
                left -= 1;
                let page = serde_json::to_string(&page).unwrap_or_default();
                // Writing to a string cannot fail.
                let _ = write!(chunk, "{opening}\n{page}");
            }
            if chunk.len() >= CHUNK && !send(&sender, &mut chunk).await {
                return; // the client has gone
            }
            if left == 0 {
                break;
            }
            tokio::task::yield_now().await;
        }
        chunk.push_str("\n]\n");
        send(&sender, &mut chunk).await;
    });
    let mut response = Response::new(Body::Stream(chunks));
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

async fn send(sender: &mpsc::Sender<Bytes>, chunk: &mut String) -> bool {
    sender.send(std::mem::take(chunk).into()).await.is_ok()
}

/// Those with the most, the first in the table first among equals.
async fn sorted(node: &Node, prefix: &str, sort: Sort, limit: usize) -> Vec<ProcessPage> {
    let mut most = BinaryHeap::with_capacity(limit + 1);
    let mut seen = 0u64;
    for batch in batches(node) {
        for page in node.pages(batch, prefix) {
            seen += 1;
            most.push(Reverse(Ranked(sort.key(&page), Reverse(seen), page)));
            if most.len() > limit {
                most.pop();
            }
        }
        tokio::task::yield_now().await;
    }
    most.into_sorted_vec()
        .into_iter()
        .map(|Reverse(Ranked(_, _, page))| page)
        .collect()
}

/// A page by its rank.
struct Ranked(u64, Reverse<u64>, ProcessPage);

impl Ord for Ranked {
    fn cmp(&self, other: &Ranked) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Ranked) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Ranked) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ranked {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tokio::time::Instant;

    use super::*;
    use crate::metrics::gather;
    use crate::prelude::*;

    protocol! {
        /// What an idler accepts.
        protocol Idling {
            message Nudge {} -> u64;
            message Nap {};
        }
    }

    #[derive(Default)]
    struct Idler {
        nudges: u64,
        napping: bool,
    }

    impl Actor for Idler {
        type Context = Context<Self>;
        fn started(&mut self, ctx: &mut Context<Self>) {
            if self.napping {
                let (local, metrics) = (ctx.local(), ctx.metrics());
                let pulled =
                    metrics.pull_gauge_of(&local, "nudges", "", |idler| idler.nudges as f64);
                pulled.expect("the name is free");
            }
        }
    }

    impl Process for Idler {
        type Protocol = Idling;
    }

    impl Handler<Nudge> for Idler {
        type Result = u64;
        fn handle(&mut self, _: Nudge, _: &mut Context<Self>) -> u64 {
            self.nudges += 1;
            self.nudges
        }
    }

    impl Handler<Nap> for Idler {
        type Result = ();
        fn handle(&mut self, _: Nap, _: &mut Context<Self>) {}
    }

    fn alone(test: impl Future<Output = ()>) {
        let test = async {
            test.await;
            Ok(())
        };
        crate::run_alone(test).expect("a runtime starts");
    }

    #[test]
    fn many_processes_are_sent_in_small_chunks_while_others_work() {
        const MANY: usize = 30_000;
        alone(async {
            let node = Node::bind("127.0.0.1:0").await.expect("a free port");
            for number in 0..MANY {
                node.spawn(&format!("idler-{number}"), Idler::default());
            }
            let busy = node.spawn("busy", Idler::default());
            let response = streamed(node.clone(), "idler".into(), usize::MAX);
            let Body::Stream(mut chunks) = response.into_body() else {
                panic!("the page is a stream");
            };
            // Nobody reads: the page waits, and nothing else does.
            for _ in 0..1_000 {
                assert!(node.ask(&busy, Nudge {}).await.is_ok());
            }
            assert_eq!(chunks.len(), CHUNKS_WAITING);
            let (mut whole, mut answered) = (Vec::new(), 0);
            while let Some(chunk) = chunks.recv().await {
                assert!(chunk.len() < 4 * CHUNK, "a chunk of {}", chunk.len());
                whole.extend_from_slice(&chunk);
                answered += usize::from(node.ask(&busy, Nudge {}).await.is_ok());
            }
            assert!(
                answered > MANY * 100 / (4 * CHUNK),
                "{answered} asks between chunks"
            );
            let pages: Vec<serde_json::Value> = serde_json::from_slice(&whole).expect("JSON");
            let ids: BTreeSet<&str> = pages
                .iter()
                .filter_map(|page| page["id"].as_str())
                .collect();
            assert_eq!((pages.len(), ids.len()), (MANY, MANY));
            node.shutdown().await;
        });
    }

    #[test]
    fn a_page_of_one_counts_what_waits_by_name() {
        alone(async {
            let node = Node::bind("127.0.0.1:0").await.expect("a free port");
            let idler = node.spawn("idler", Idler::default());
            // On one thread nothing is handled before the next await.
            for _ in 0..LETTERS_SEEN {
                node.tell(&idler, Nudge {});
            }
            for _ in 0..3 {
                node.tell(&idler, Nap {});
            }
            let page = node.page("idler").expect("it lives");
            assert_eq!(page.waiting, BTreeMap::from([("Nudge", LETTERS_SEEN)]));
            assert_eq!(
                (page.waiting_unseen, page.process.mailbox),
                (3, LETTERS_SEEN + 3)
            );
            assert_eq!(page.process.state, State::Queued);
            assert_eq!(page.accepts, ["Nudge", "Nap"]);
            assert_eq!(
                node.ask(&idler, Nudge {}).await,
                Ok(LETTERS_SEEN as u64 + 1)
            );
            let page = node.page("idler").expect("it lives");
            assert_eq!((page.waiting.len(), page.process.state), (0, State::Idle));
            assert_eq!(page.process.handled, LETTERS_SEEN as u64 + 4);
            assert!(node.page("nobody").is_none());
            node.shutdown().await;
        });
    }

    #[test]
    fn a_process_that_is_stuck_keeps_no_page_waiting_and_is_asked_once() {
        alone(async {
            let node = Node::bind("127.0.0.1:0").await.expect("a free port");
            let idler = Idler {
                napping: true,
                ..Idler::default()
            };
            let idler = node.spawn("idler", idler);
            assert_eq!(node.ask(&idler, Nudge {}).await, Ok(1));
            let nudges = async |node: &Node, wait_ms| {
                let deadline = Instant::now() + std::time::Duration::from_millis(wait_ms);
                gather(node, "nudges", deadline).await.len()
            };
            assert_eq!(nudges(&node, 60_000).await, 1);
            // Stuck: as if a worker ran it and never came back.
            let at = node.find("idler").expect("it lives");
            let slot = node.table().slot(at.index).expect("it has a slot");
            let body = {
                let mut mailbox = slot.0.lock();
                mailbox.scheduled = true;
                mailbox.body.take()
            };
            for _ in 0..3 {
                assert_eq!(nudges(&node, 20).await, 0);
            }
            assert_eq!(node.page("idler").expect("it lives").waiting["(work)"], 1);
            {
                let mut mailbox = slot.0.lock();
                mailbox.scheduled = false;
                mailbox.body = body;
            }
            assert_eq!(node.ask(&idler, Nudge {}).await, Ok(2));
            assert_eq!(nudges(&node, 60_000).await, 1);
            node.shutdown().await;
        });
    }
}
