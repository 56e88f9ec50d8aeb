//! `tepui log status`: how the replicas of a log are.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use replog::{NodeId, ReplicaStatus, Status};
use serde_json::{Value as Json, json};

use super::client::{Client, LogFlag};
use crate::output;
use crate::table::{self, Mood};

/// How long each replica may take.
const ANSWER: Duration = Duration::from_secs(2);

/// Shows every replica of a log: whether it votes, who leads, how far each is.
///
/// Exits with 1 when no replica leads, or fewer than a majority vote.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tepui log status
  tepui log status --replica=10.0.0.1:5070,10.0.0.2:5070 --json
  tepui log status --replica=10.0.0.1:5050                        # that of masters
")]
pub(crate) struct Args {
    #[command(flatten)]
    log: LogFlag,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What one replica says, or that it does not.
struct Line {
    node: NodeId,
    address: Option<SocketAddr>,
    votes: bool,
    status: Option<ReplicaStatus>,
}

/// Shows them.
///
/// # Errors
/// When no replica answers.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    super::super::alone(async {
        let client = Client::new(&args.log).await?;
        let lines = ask_all(&client).await;
        let leader = lines.iter().find_map(|line| {
            let status = line.status.as_ref()?;
            status.leadership.leading.map(|_| line.node)
        });
        let members = lines.iter().filter(|line| line.votes).count();
        let voting = lines
            .iter()
            .filter(|line| line.votes && is_voting(line))
            .count();
        match args.json {
            true => output::json(&json(&client.status, leader, &lines))?,
            false => print(leader, &lines)?,
        }
        let is_well = leader.is_some() && voting > members / 2;
        Ok(match is_well {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    })
}

fn is_voting(line: &Line) -> bool {
    let status = line.status.as_ref().map(|status| status.status);
    matches!(status, Some(Status::Voting | Status::Repairing))
}

async fn ask_all(client: &Client) -> Vec<Line> {
    let seen = &client.status;
    let mut nodes: Vec<NodeId> = seen.members.iter().map(|member| member.node).collect();
    nodes.extend(seen.book.keys());
    nodes.push(seen.member.node);
    nodes.sort();
    nodes.dedup();
    let mut lines = Vec::new();
    for node in nodes {
        let votes = seen.members.iter().any(|member| member.node == node);
        let address = seen.book.get(&node).copied();
        let status = match address {
            Some(address) if address != client.address => {
                let log = client.of(address);
                let asked = tokio::time::timeout(ANSWER, log.status());
                asked.await.ok().and_then(Result::ok)
            }
            Some(_) => Some(seen.clone()),
            None => None,
        };
        lines.push(Line {
            node,
            address,
            votes,
            status,
        });
    }
    lines
}

fn print(leader: Option<NodeId>, lines: &[Line]) -> Result<()> {
    let headings = [
        "REPLICA", "ADDRESS", "STATUS", "ROLE", "BEGIN", "CHOSEN", "END", "DAMAGED",
    ];
    let mut table = table::new(&headings);
    for line in lines {
        let address = line.address.map(|address| address.to_string());
        let mut cells = vec![
            comfy_table::Cell::new(line.node),
            comfy_table::Cell::new(address.unwrap_or_else(|| "?".to_owned())),
        ];
        match &line.status {
            None => cells.push(table::state("no answer", Mood::Bad)),
            Some(status) => {
                let mood = match status.status {
                    Status::Voting if !status.full => Mood::Good,
                    Status::Empty | Status::Starting | Status::Recovering => Mood::Waiting,
                    Status::Voting | Status::Repairing => Mood::Bad,
                };
                let role = match (leader == Some(line.node), line.votes) {
                    (true, _) => "leads",
                    (false, true) => "follows",
                    (false, false) => "does not vote",
                };
                cells.push(table::state(word(status), mood));
                cells.push(comfy_table::Cell::new(role));
                for position in [status.begin, status.commit, status.end] {
                    cells.push(comfy_table::Cell::new(position));
                }
                cells.push(comfy_table::Cell::new(damaged(status)));
            }
        }
        table.add_row(cells);
    }
    output::line(&table::text(&table))
}

/// The word for a status.
fn word(status: &ReplicaStatus) -> &'static str {
    match status.status {
        _ if status.full => "disk full",
        Status::Empty => "empty",
        Status::Starting => "starting",
        Status::Recovering => "recovering",
        Status::Voting => "voting",
        Status::Repairing => "repairing",
    }
}

fn damaged(status: &ReplicaStatus) -> String {
    let spans = status
        .damaged
        .iter()
        .map(|span| match span.first == span.last {
            true => span.first.to_string(),
            false if span.last == replog::Position::MAX => format!("{}-", span.first),
            false => format!("{}-{}", span.first, span.last),
        });
    let spans: Vec<String> = spans.collect();
    spans.join(",")
}

fn json(seen: &ReplicaStatus, leader: Option<NodeId>, lines: &[Line]) -> Json {
    let replicas = lines.iter().map(|line| {
        let address = line.address.map(|address| address.to_string());
        let Some(status) = &line.status else {
            return json!({"node": line.node.0, "address": address, "status": "no answer",
                          "votes": line.votes});
        };
        json!({
            "node": line.node.0,
            "address": address,
            "status": word(status),
            "votes": line.votes,
            "leads": leader == Some(line.node),
            "life": status.member.life.0,
            "begin": status.begin.0,
            "chosen": status.commit.0,
            "end": status.end.0,
            "damaged": damaged(status),
            "unwritten": status.unwritten,
        })
    });
    json!({
        "log": format!("{:016x}", seen.cluster.0),
        "epoch": seen.epoch.0,
        "leader": leader.map(|leader| leader.0),
        "replicas": replicas.collect::<Vec<_>>(),
    })
}
