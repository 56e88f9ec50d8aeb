//! The registry of a cluster as a variable: fetched, mutated, and stored, unless somebody else
//! stored first.
//!
//! `cargo run -p state --example registry` runs it in memory; with an argument, in that file, which
//! remembers from run to run.

use serde::{Deserialize, Serialize};
use state::{FileStorage, MemoryStorage, State};

/// What the variable holds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Registry {
    agents: Vec<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let state = match std::env::args().nth(1) {
        Some(path) => State::new(FileStorage::open(path)?),
        None => State::new(MemoryStorage::default()),
    };

    let variable = state.fetch::<Registry>("registry").await?;
    let somebody_else = variable.clone();

    let mut registry = variable.value().cloned().unwrap_or_default();
    registry
        .agents
        .push(format!("agent-{}", registry.agents.len() + 1));
    let variable = variable.mutate(registry);
    match state.store(variable).await? {
        Some(stored) => println!("stored: {:?}", stored.value()),
        None => println!("somebody else stored first"),
    }

    // Whoever fetched before that stores nothing.
    let variable = somebody_else.mutate(Registry::default());
    match state.store(variable).await? {
        Some(stored) => println!("stored: {:?}", stored.value()),
        None => println!("somebody else stored first"),
    }
    Ok(())
}
