//! `tepui keygen`: a secret for the nodes of a cluster to share.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use libproc::env;
use libproc::security::Keys;
use rand::Rng as _;

use crate::output;

/// Bytes of a secret: as many as the hash it is used with has.
const SECRET_BYTES: usize = 32;

/// Makes the secret of a cluster, for --secret-file of master, agents and commands.
///
/// Whoever knows it belongs to the cluster. It keeps strangers out of a network that is trusted; it
/// does not hide what is said. See `tepui certs` for networks that are not.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tepui keygen cluster.key
  tepui up --secret-file=cluster.key
  tepui ps --secret-file=cluster.key
  tepui keygen --http-token cluster.key    # for curl -H \"Authorization: Bearer TOKEN\"
")]
pub(crate) struct Args {
    /// Where to write it; nobody else will be able to read it
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Prints what HTTP clients show, for a secret that is there
    #[arg(long)]
    http_token: bool,
}

/// Makes it.
///
/// # Errors
/// When the file is there already, or cannot be written.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if args.http_token {
        let keys = Keys::from_files(std::slice::from_ref(&args.file))?;
        output::line(&keys.http_token())?;
        return Ok(ExitCode::SUCCESS);
    }
    let secret: [u8; SECRET_BYTES] = env::rng().random();
    let mut text: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    text.push('\n');
    write_secret(&args.file, text.as_bytes(), Existing::Kept)?;
    let file = args.file.display();
    eprintln!("{file} is the secret: copy it to every machine, and name it with --secret-file");
    Ok(ExitCode::SUCCESS)
}

/// What becomes of a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    Kept,
    Replaced,
}

/// Writes a file that only its owner can read, whole or not at all.
///
/// # Errors
/// When it cannot be written, or is to be kept.
pub(crate) fn write_secret(path: &Path, bytes: &[u8], existing: Existing) -> Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    let target = match existing {
        Existing::Kept => path,
        Existing::Replaced => {
            // Left by one that was interrupted.
            let _ = std::fs::remove_file(&draft);
            &draft
        }
    };
    let write = || -> std::io::Result<()> {
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(target)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        match existing {
            Existing::Kept => Ok(()),
            Existing::Replaced => std::fs::rename(target, path),
        }
    };
    write().with_context(|| format!("could not write {}", path.display()))
}
