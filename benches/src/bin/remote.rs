//! Prints what messages between two OS processes cost: `remote`, and `remote serve` beside it.

use std::io;
use std::process::Command;

use benches::remote::{Args, ServeArgs, run, serve};
use clap::{Parser, Subcommand};

/// Measures messages between two OS processes.
#[derive(Parser)]
struct Program {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Measures, against a server of its own unless told where one is
    Run(Args),
    /// Serves those who measure
    Serve(ServeArgs),
}

fn main() -> anyhow::Result<()> {
    match Program::parse().what {
        What::Run(args) => run(&args, || {
            let mut serving = Command::new(std::env::current_exe()?);
            serving.arg("serve");
            io::Result::Ok(serving)
        }),
        What::Serve(args) => serve(&args),
    }
}
