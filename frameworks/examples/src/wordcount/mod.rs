//! Counts words on a cluster: map tasks count pieces of real files, reduce tasks add up.
//!
//! ```text
//! files ── cut between lines ──▶ map-0 … map-M ── parts ──▶ reduce-0 … reduce-R ──▶ part-0 … part-R
//! ```
//! Tasks run this program again, with `--step` and a file that says what to do. Input and results
//! pass through a directory: agents on several machines must share the file system it is on, and
//! have the program at the same path. The result is checked against a count in this process.

mod job;
mod report;
mod split;
mod step;
mod texts;
mod words;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use clap::Parser;
use sdk::prelude::{FrameworkInfo, Resources, Role};
use tempfile::TempDir;

use self::job::Job;
use self::report::Report;
use self::split::{Input, split};
use self::step::{Step, WorkDir};
use crate::progress::Progress;

/// Most maps, and most reduces: each map writes a file for each reduce.
const STEPS_MAX: i64 = 1_000;

/// Counts the words of text files on a cluster.
#[derive(Debug, Clone, Parser)]
#[command(name = "wordcount", version)]
pub struct Args {
    /// Files to count, and directories of such; a few texts that come with the program if none.
    pub inputs: Vec<PathBuf>,
    /// How many map tasks, at most.
    #[arg(long, short, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=STEPS_MAX))]
    pub maps: u32,
    /// How many reduce tasks.
    #[arg(long, short, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=STEPS_MAX))]
    pub reduces: u32,
    /// How many of the most frequent words to show.
    #[arg(long, default_value_t = 20)]
    pub top: usize,
    /// Where to work, and leave the results; a directory that is empty or not there. Else a
    /// temporary one.
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Keep the temporary directory, or all that lies beside the results in `--out`.
    #[arg(long)]
    pub keep: bool,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
    /// Say nothing on the way.
    #[arg(long, short)]
    pub quiet: bool,
    /// The role to run in.
    #[arg(long, default_value = "*")]
    pub role: Role,
    /// Where the master is: ip:port, host:port or master@ip:port. Else TEPUI_MASTER, else
    /// MESOS_MASTER, else 127.0.0.1:5050.
    #[arg(long)]
    pub master: Option<String>,
    /// Speak with the master over HTTP, by the v1 API, instead of by letters between actors.
    #[arg(long)]
    pub http: bool,
    /// How to show that this program belongs to the cluster; as the environment says if none.
    #[arg(skip)]
    pub security: Option<sdk::Security>,
    /// Do this step: what tasks are told.
    #[arg(long, hide = true)]
    pub step: Option<PathBuf>,
    /// How tasks call this program, as words before `--step`: for programs that this is a part of.
    /// The path of the running program if empty.
    #[arg(skip)]
    pub program: Vec<String>,
}

/// Runs the example to its end, in a runtime of its own; or, in a task, does its step.
///
/// The exit code is 1 when the result differs from a count in this process.
///
/// # Errors
/// When there is nothing to count, no master, or a step fails too often.
pub fn main(args: Args) -> anyhow::Result<ExitCode> {
    if let Some(step) = &args.step {
        Step::run_file(step)?;
        return Ok(ExitCode::SUCCESS);
    }
    let began = Instant::now();
    let place = Place::new(&args)?;
    let inputs = inputs(&args, &place.work)?;
    let steps = plan(&args, &inputs, &place.work)?;
    let code = count_on_cluster(&args, &steps, &place.work)?;
    if code != sdk::ExitCode::SUCCESS {
        return Ok(ExitCode::from(code.0));
    }
    let files: Vec<_> = inputs.into_iter().map(|input| input.file).collect();
    let elapsed = began.elapsed();
    let report = Report::new(&place.work, &steps, &files, args.top, elapsed)?;
    match args.json {
        true => println!("{}", serde_json::to_string_pretty(&report)?),
        false => print!("{report}"),
    }
    place.leave(&args)?;
    Ok(ExitCode::from(u8::from(!report.equal)))
}

/// The work directory, and whether it goes with us.
struct Place {
    work: WorkDir,
    temporary: Option<TempDir>,
}

impl Place {
    fn new(args: &Args) -> anyhow::Result<Place> {
        let (path, temporary) = match &args.out {
            Some(out) => {
                fs::create_dir_all(out)
                    .with_context(|| format!("could not make {}", out.display()))?;
                let empty = fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_none());
                anyhow::ensure!(empty, "{} is not an empty directory", out.display());
                (out.clone(), None)
            }
            None => {
                let temporary = tempfile::Builder::new().prefix("wordcount-").tempdir();
                let temporary = temporary.context("could not make a temporary directory")?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        let work = WorkDir(path.canonicalize().context("the work directory is gone")?);
        work.prepare()
            .context("could not prepare the work directory")?;
        Ok(Place { work, temporary })
    }

    fn leave(self, args: &Args) -> anyhow::Result<()> {
        match self.temporary {
            Some(temporary) if args.keep => {
                let path = temporary.keep();
                eprintln!("kept {}", path.display());
            }
            None if !args.keep => self.work.clear().context("could not clear up")?,
            Some(_) | None => {}
        }
        Ok(())
    }
}

/// The files to count, by absolute paths, in order.
fn inputs(args: &Args, work: &WorkDir) -> anyhow::Result<Vec<Input>> {
    let bundled = work.0.join("texts");
    let named = match args.inputs.is_empty() {
        true => {
            texts::unpack(&bundled).context("could not unpack the texts")?;
            std::slice::from_ref(&bundled)
        }
        false => &args.inputs,
    };
    let mut inputs = Vec::new();
    for path in named {
        let found = find(path, &mut inputs);
        found.with_context(|| format!("could not read {}", path.display()))?;
    }
    let size: u64 = inputs.iter().map(|input| input.size).sum();
    anyhow::ensure!(size > 0, "there is nothing to count");
    Ok(inputs)
}

/// A file, or all files below a directory; links inside it are not followed.
fn find(path: &Path, inputs: &mut Vec<Input>) -> std::io::Result<()> {
    let path = path.canonicalize()?;
    let metadata = fs::metadata(&path)?;
    if !metadata.is_dir() {
        inputs.push(Input {
            file: path,
            size: metadata.len(),
        });
        return Ok(());
    }
    let mut entries = fs::read_dir(&path)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(|entry| entry.file_name());
    for entry in entries {
        let kind = entry.file_type()?;
        if kind.is_dir() || kind.is_file() {
            find(&entry.path(), inputs)?;
        }
    }
    Ok(())
}

/// All steps, written down where tasks find them.
fn plan(args: &Args, inputs: &[Input], work: &WorkDir) -> anyhow::Result<Vec<Step>> {
    let shares = split(inputs, args.maps, |path| File::open(path)).context("could not cut")?;
    let (maps, reduces) = (shares.len() as u32, args.reduces);
    let map = |(number, pieces)| Step::Map {
        number,
        pieces,
        reduces,
    };
    let reduce = |number| Step::Reduce { number, maps };
    let steps: Vec<_> = (0..)
        .zip(shares)
        .map(map)
        .chain((0..reduces).map(reduce))
        .collect();
    steps.iter().try_for_each(|step| step.save(work))?;
    Ok(steps)
}

fn count_on_cluster(args: &Args, steps: &[Step], work: &WorkDir) -> anyhow::Result<sdk::ExitCode> {
    let program = match args.program.is_empty() {
        true => {
            let program = std::env::current_exe().context("could not find this program")?;
            vec![program.display().to_string()]
        }
        false => args.program.clone(),
    };
    let need = Resources::new().cpus(0.1).mem_mib(32);
    let progress = match args.quiet {
        true => Progress::Silent,
        false => Progress::new(steps.len() as u64),
    };
    let job = Job::new(program, work.clone(), need, steps, progress);
    let options = crate::options(args.master.clone(), args.security.clone(), args.http);
    let info = FrameworkInfo::new("wordcount").role(args.role.clone());
    sdk::run_with(job, info, options).context("could not count")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundled_texts_counted_by_steps_are_equal_to_a_count_at_once() {
        let args = Args::parse_from(["wordcount", "--maps", "5", "--reduces", "2"]);
        let place = Place::new(&args).unwrap();
        let inputs = inputs(&args, &place.work).unwrap();
        let steps = plan(&args, &inputs, &place.work).unwrap();
        assert_eq!(steps.len(), 7);
        steps.iter().for_each(|step| step.run(&place.work).unwrap());
        let files: Vec<_> = inputs.into_iter().map(|input| input.file).collect();
        let elapsed = std::time::Duration::ZERO;
        let report = Report::new(&place.work, &steps, &files, 3, elapsed).unwrap();
        assert!(report.equal && report.words > 100_000);
        assert_eq!(report.top[0].word, "the");
        let wrong = &files[1..];
        assert!(
            !Report::new(&place.work, &steps, wrong, 3, elapsed)
                .unwrap()
                .equal
        );
    }

    #[test]
    fn a_directory_that_is_not_empty_is_not_worked_in() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("mine"), "precious").unwrap();
        let out = directory.path().to_str().unwrap();
        assert!(Place::new(&Args::parse_from(["wordcount", "--out", out])).is_err());
    }

    #[test]
    fn results_stay_in_the_directory_they_were_asked_for() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let args = Args::parse_from(["wordcount", "--out", out.to_str().unwrap()]);
        let place = Place::new(&args).unwrap();
        fs::write(place.work.part(0), "the\t1\n").unwrap();
        place.leave(&args).unwrap();
        let left: Vec<_> = fs::read_dir(&out)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["part-0"]);
    }
}
