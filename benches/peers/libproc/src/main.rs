//! libproc as a peer among peers; and, where `PEER` says so, the floor under its wire and a bare
//! echo. Called as the others are (see common/src/lib.rs).

use std::net::SocketAddr;

use anyhow::{Context, bail};
use benches::actors::{Load, PATTERNS};
use benches::remote::{By, CASES, ServeArgs, Server, serve};

fn main() -> anyhow::Result<()> {
    let all: Vec<String> = std::env::args().skip(1).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    match all[..] {
        ["local", pattern, threads, scale] => {
            let load = Load {
                arbiters: threads.parse()?,
                scale: scale.parse()?,
            };
            local(pattern, load)
        }
        ["serve", port] => serve(&ServeArgs {
            bind: SocketAddr::from(([127, 0, 0, 1], port.parse()?)),
            arbiters: 1,
            until_end_of_input: true,
        }),
        ["remote", port, case, count] => remote(port, case, count.parse()?),
        _ => bail!("local PATTERN THREADS SCALE | serve PORT | remote PORT CASE COUNT"),
    }
}

fn local(name: &str, load: Load) -> anyhow::Result<()> {
    // What it does not know is not played, as by the others.
    let Some(pattern) = PATTERNS.iter().find(|pattern| pattern.name == name) else {
        return Ok(());
    };
    for reading in (pattern.run)(load)? {
        println!(
            "libproc {} {} {:.2}",
            reading.name, load.arbiters, reading.value
        );
    }
    Ok(())
}

fn remote(port: &str, name: &str, count: u64) -> anyhow::Result<()> {
    let by = match std::env::var("PEER").as_deref() {
        Ok("floor") => By::Floor,
        Ok("echo") => By::Echo,
        _ => By::Libproc,
    };
    let mut case = *CASES
        .iter()
        .find(|case| case.name == name)
        .with_context(|| format!("there is no case `{name}`"))?;
    case.count = count;
    let server = Server::at(&format!("127.0.0.1:{port}"))?;
    for reading in server.measure(by, case, 1)? {
        let mut line = format!("{} {name} 1 {:.2}", by.name(), reading.value);
        for quantile in [0.5, 0.99, 0.999] {
            if let Some(latency) = &reading.latency {
                line += &format!(" {}", latency.at(quantile));
            }
        }
        println!("{line}");
    }
    Ok(())
}
