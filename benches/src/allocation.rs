//! Rounds of the allocator, with the work of three benchmarks of Apache Mesos.
//!
//! The figures beside are those of Apache Mesos 1.12-dev on a machine of the same kind: wall time
//! of one allocation cycle, on two cores. Ours are of one core, without a process around it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use allocator::{AgentEntry, Allocation, Allocator, FrameworkEntry, Options};
use types::{
    AgentId, Filters, FrameworkCapability, FrameworkId, Range, Ranges, Resource, ResourceName,
    Resources, Role, Scalar,
};

/// Agents added before the rounds they cause are run, as when many register at once.
const BATCH: usize = 100;

/// Cycles of declining; Mesos' figures are of as many.
const DECLINE_CYCLES: u64 = 20;

/// Cycles of suppressing, after which everybody is suppressed.
const SUPPRESS_CYCLES: usize = 5;

/// No step takes longer than an hour.
const MAX_NS: u64 = 3_600_000_000_000;

/// Measures rounds of the allocator.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many agents; those of the published figures if not given
    #[arg(long)]
    agents: Option<usize>,
    /// How many frameworks; those of the published figures if not given
    #[arg(long)]
    frameworks: Option<usize>,
    /// How often everything is repeated
    #[arg(long, default_value_t = 3)]
    repeat: usize,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// One line of the table.
struct Line {
    benchmark: &'static str,
    step: &'static str,
    agents: usize,
    frameworks: usize,
    times_ns: Histogram<u64>,
    /// Offers made in the last of these steps.
    offers: usize,
    /// What Mesos takes, in milliseconds, and with how many agents and frameworks.
    mesos: &'static str,
}

/// Measures what `args` say and prints it.
pub fn run(args: &Args) {
    let flags = args;
    let mut lines = Vec::new();
    let size = |agents: usize, frameworks: usize| {
        (
            flags.agents.unwrap_or(agents).max(1),
            flags.frameworks.unwrap_or(frameworks).max(1),
        )
    };
    for _ in 0..flags.repeat.max(1) {
        suppress_offers(size(10_000, 1_000), &mut lines);
        decline_offers(size(5_000, 200), &mut lines);
        add_and_update(size(10_000, 200), &mut lines);
    }
    if flags.json {
        print_json(&lines)
    } else {
        print_table(&lines)
    }
}

/// Before each cycle a fifth more frameworks are suppressed, and all offers come back unfiltered.
fn suppress_offers((agents, frameworks): (usize, usize), lines: &mut Vec<Line>) {
    let mut record = recorder("SuppressOffers", agents, frameworks, lines);
    let mut allocator = Allocator::new(Options::default());
    let ids = add_frameworks(&mut allocator, frameworks, &[]);
    let (total, used) = busy_agent("cpus:16;mem:1024;disk:1024");
    let (took, ()) = time(|| add_agents(&mut allocator, agents, &ids, &total, &used));
    record("add agents", took, 0, "");
    let (took, mut round) = time(|| allocator.allocate_all(0));
    record(
        "round, nobody suppressed",
        took,
        round.len(),
        "355-441 (10000x1000)",
    );
    let per_cycle = frameworks.div_ceil(SUPPRESS_CYCLES);
    let cycles = ids.chunks(per_cycle);
    let last = cycles.len() - 1;
    for (cycle, suppressed) in cycles.enumerate() {
        for id in suppressed {
            allocator.suppress(id, &BTreeSet::new());
        }
        let (took, ()) = time(|| recover(&mut allocator, &round, None, 0));
        record("recover all", took, round.len(), "");
        let (took, offered) = time(|| allocator.allocate_all(0));
        if cycle == last {
            record(
                "round, all suppressed",
                took,
                offered.len(),
                "54 (10000x1000)",
            );
        } else {
            record("round", took, offered.len(), "355-441 (10000x1000)");
        }
        round = offered;
    }
}

/// Before each cycle every offer is declined for as long as possible.
fn decline_offers((agents, frameworks): (usize, usize), lines: &mut Vec<Line>) {
    let mut record = recorder("DeclineOffers", agents, frameworks, lines);
    let mut allocator = Allocator::new(Options::default());
    let ids = add_frameworks(&mut allocator, frameworks, &[]);
    let (total, used) = busy_agent("cpus:16;mem:2014;disk:1024");
    let (took, ()) = time(|| add_agents(&mut allocator, agents, &ids, &total, &used));
    record("add agents", took, 0, "");
    let mut round = allocator.allocate_all(0);
    let filters = Filters::from_seconds(f64::from(i32::MAX));
    for cycle in 1..=DECLINE_CYCLES {
        let now_ms = cycle * 1_000;
        let (took, ()) = time(|| recover(&mut allocator, &round, Some(filters), now_ms));
        record("decline all", took, round.len(), "");
        let (took, offered) = time(|| allocator.allocate_all(now_ms));
        record("round", took, offered.len(), "213 (5000x200)");
        round = offered;
    }
}

/// Agents come, then each gets ten processors more that may be taken away.
fn add_and_update((agents, frameworks): (usize, usize), lines: &mut Vec<Line>) {
    let mut record = recorder("AddAndUpdateSlave", agents, frameworks, lines);
    let mut allocator = Allocator::new(Options::default());
    let capabilities = [FrameworkCapability::RevocableResources];
    let (took, ids) = time(|| add_frameworks(&mut allocator, frameworks, &capabilities));
    record("add frameworks", took, 0, "2.0 (10000x200)");
    let total = parse("cpus:2;mem:1024;disk:4096;ports:[31000-32000]");
    let used =
        parse("cpus:1;mem:128;disk:1024;ports:[31126-31510,31512-31623,31810-31852,31854-31964]");
    let (took, offers) = time(|| {
        let mut offers = 0;
        for batch in (0..agents).step_by(BATCH) {
            for i in batch..agents.min(batch + BATCH) {
                allocator.add_agent(agent(i, &ids, &total, &used));
            }
            offers += allocator.allocate(0).len();
        }
        offers
    });
    record("add agents, with rounds", took, offers, "650 (10000x200)");
    let mut more = total;
    let cpus = Resource::scalar(ResourceName::CPUS, Scalar::from_units(10));
    more.insert(Resource {
        revocable: true,
        ..cpus
    })
    .expect("cpus may be revocable");
    let ids: Vec<AgentId> = (0..agents).map(agent_id).collect();
    let (took, offers) = time(|| {
        let mut offers = 0;
        for batch in ids.chunks(BATCH) {
            for id in batch {
                allocator.update_agent(id, more.clone());
            }
            offers += allocator.allocate(0).len();
        }
        offers
    });
    record(
        "update agents, with rounds",
        took,
        offers,
        "409 (10000x200)",
    );
}

fn add_frameworks(
    allocator: &mut Allocator,
    count: usize,
    capabilities: &[FrameworkCapability],
) -> Vec<FrameworkId> {
    let ids: Vec<FrameworkId> = (0..count)
        .map(|i| FrameworkId::new(format!("framework-{i}")).expect("a name is an id"))
        .collect();
    for id in &ids {
        let capabilities = capabilities.iter().copied().collect();
        let entry = FrameworkEntry::new(id.clone(), [Role::any()]);
        allocator.add_framework(FrameworkEntry {
            capabilities,
            ..entry
        });
    }
    ids
}

fn add_agents(
    allocator: &mut Allocator,
    count: usize,
    frameworks: &[FrameworkId],
    total: &Resources,
    used: &Resources,
) {
    for i in 0..count {
        allocator.add_agent(agent(i, frameworks, total, used));
    }
}

fn agent(i: usize, frameworks: &[FrameworkId], total: &Resources, used: &Resources) -> AgentEntry {
    let by_role = BTreeMap::from([(Role::any(), used.clone())]);
    let used = BTreeMap::from([(frameworks[i % frameworks.len()].clone(), by_role)]);
    AgentEntry {
        used,
        ..AgentEntry::new(agent_id(i), total.clone())
    }
}

fn agent_id(i: usize) -> AgentId {
    AgentId::new(format!("agent-{i}")).expect("a name is an id")
}

/// An agent with a thousand ports, of which sixteen ranges are used.
fn busy_agent(used: &str) -> (Resources, Resources) {
    let ranges = (0..16u64).map(|i| Range {
        begin: 31_000 + i * 60,
        end: 31_030 + i * 60,
    });
    let ports = Ranges::try_from(ranges.collect::<Vec<_>>()).expect("ranges begin before they end");
    (
        parse("cpus:24;mem:4096;disk:4096;ports:[31000-32000]"),
        parse(used).ports(ports),
    )
}

fn parse(text: &str) -> Resources {
    text.parse().expect("the text is of resources")
}

fn recover(allocator: &mut Allocator, round: &[Allocation], filters: Option<Filters>, now_ms: u64) {
    for Allocation {
        framework,
        role,
        agent,
        resources,
    } in round
    {
        allocator.recover(framework, agent, role, resources, filters, now_ms);
    }
}

fn time<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = work();
    (start.elapsed(), result)
}

/// Returns what adds a time to the line of its step, which is made if need be.
fn recorder(
    benchmark: &'static str,
    agents: usize,
    frameworks: usize,
    lines: &mut Vec<Line>,
) -> impl FnMut(&'static str, Duration, usize, &'static str) {
    move |step, took, offers, mesos| {
        let found = lines
            .iter()
            .position(|line| line.benchmark == benchmark && line.step == step);
        let i = found.unwrap_or_else(|| {
            let times_ns = Histogram::new_with_max(MAX_NS, 3).expect("the bounds are possible");
            lines.push(Line {
                benchmark,
                step,
                agents,
                frameworks,
                times_ns,
                offers,
                mesos,
            });
            lines.len() - 1
        });
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        lines[i].times_ns.saturating_record(nanoseconds.max(1));
        lines[i].offers = offers;
    }
}

fn print_table(lines: &[Line]) {
    println!(
        "{:<18} {:<27} {:>11} {:>7} {:>5} {:>10} {:>10}  Mesos, ms (size)",
        "benchmark", "step", "size", "offers", "runs", "median ms", "max ms"
    );
    for line in lines {
        println!(
            "{:<18} {:<27} {:>11} {:>7} {:>5} {:>10.3} {:>10.3}  {}",
            line.benchmark,
            line.step,
            format!("{}x{}", line.agents, line.frameworks),
            line.offers,
            line.times_ns.len(),
            milliseconds(line.times_ns.value_at_quantile(0.5)),
            milliseconds(line.times_ns.max()),
            line.mesos,
        );
    }
}

fn print_json(lines: &[Line]) {
    let objects = lines.iter().map(|line| {
        format!(
            "  {{\"benchmark\": \"{}\", \"step\": \"{}\", \"agents\": {}, \"frameworks\": {}, \
             \"offers\": {}, \"runs\": {}, \"median_ms\": {:.3}, \"max_ms\": {:.3}, \
             \"mesos_ms\": \"{}\"}}",
            line.benchmark,
            line.step,
            line.agents,
            line.frameworks,
            line.offers,
            line.times_ns.len(),
            milliseconds(line.times_ns.value_at_quantile(0.5)),
            milliseconds(line.times_ns.max()),
            line.mesos,
        )
    });
    println!("[\n{}\n]", objects.collect::<Vec<_>>().join(",\n"));
}

fn milliseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e6
}
