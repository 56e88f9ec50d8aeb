//! `tepui jobs submit` and `run`: takes jobs to the queue.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use jobs::ids::{JobId, Target};
use jobs::protocol::Submit;
use jobs::spec::{After, Array, Command, Spec};
use sdk::placement::Constraint;
use types::{Resource, ResourceName, Resources, Scalar};

use super::client::{Client, JobsFlag};
use super::{output as streams, show};
use crate::{commands, flags, output};

/// Largest file of jobs, in bytes: what is in it fits one letter.
const FILE_MAX: u64 = 12 << 20;

/// Takes a job to the queue, and prints its number.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tepui jobs submit -- sleep 60
  tepui jobs submit --cpus=2 --mem=1024 --retries=3 --timeout=10mins 'make && make test'
  tepui jobs submit --array=1-1000 'crunch part-$TEPUI_JOB_INDEX'
  tepui jobs submit --key=prepare ./prepare
  tepui jobs submit --after=prepare --after=17:any ./crunch
  tepui jobs submit --from=flow.json       # many at once, all of them or none
")]
pub(super) struct Args {
    #[command(flatten)]
    job: JobFlags,
    /// A file with a list of jobs in JSON, instead of one on the command line
    #[arg(long, value_name = "FILE", conflicts_with = "command")]
    from: Option<PathBuf>,
    /// Prints JSON, for scripts: the numbers of the jobs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    jobs: JobsFlag,
    /// The command: a line for `sh -c`, or a program and its arguments
    #[arg(
        required_unless_present = "from",
        trailing_var_arg = true,
        value_name = "COMMAND"
    )]
    command: Vec<String>,
}

/// Takes a job to the queue, waits for its end, prints what it printed, and exits as it did.
#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    job: JobFlags,
    #[command(flatten)]
    jobs: JobsFlag,
    /// The command: a line for `sh -c`, or a program and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// What a job is like.
#[derive(Debug, clap::Args)]
struct JobFlags {
    /// Processors each run needs
    #[arg(long, default_value = "1", value_parser = flags::value::<Scalar>)]
    cpus: Scalar,
    /// Memory each run needs, in MB
    #[arg(long, default_value = "32", value_parser = flags::value::<Scalar>)]
    mem: Scalar,
    /// Disk each run needs, in MB
    #[arg(long, default_value = "0", value_parser = flags::value::<Scalar>)]
    disk: Scalar,
    /// Graphics processors each run needs
    #[arg(long, default_value = "0", value_parser = flags::value::<Scalar>)]
    gpus: Scalar,
    /// How many ports each run needs; PORT0 and so on tell which
    #[arg(long, default_value = "0")]
    ports: u32,
    /// A variable of the command; can be given several times
    #[arg(long, short, value_name = "NAME=VALUE", value_parser = flags::variable)]
    env: Vec<(String, String)>,
    /// What is fetched first; can be given several times
    #[arg(long = "file", value_name = "URI")]
    files: Vec<String>,
    /// What it is called, for people
    #[arg(long)]
    name: Option<String>,
    /// A name that no other job has, to depend on
    #[arg(long)]
    key: Option<String>,
    /// The application it belongs to
    #[arg(long, default_value = "default")]
    app: String,
    /// Whose share it uses
    #[arg(long, env = "USER", default_value = "nobody")]
    user: String,
    /// From -20, runs first, to 19, among the jobs of its user
    #[arg(long, default_value = "0", allow_negative_numbers = true)]
    priority: i8,
    /// A word to find it by; can be given several times
    #[arg(long = "tag")]
    tags: Vec<String>,
    /// Runs it once for each index: 1-1000; TEPUI_JOB_INDEX tells which
    #[arg(long, value_name = "FIRST-LAST", value_parser = flags::value::<Array>)]
    array: Option<Array>,
    /// A job that has to have succeeded before, by its number or key; `:any` or `:failure` after it
    /// says how else it may have ended; can be given several times
    #[arg(long, value_name = "JOB", value_parser = flags::value::<After>)]
    after: Vec<After>,
    /// How often a run that fails is tried again
    #[arg(long, default_value = "0")]
    retries: u32,
    /// How long to wait before the first retry; it doubles with each
    #[arg(long, value_name = "DURATION", default_value = "1secs", value_parser = flags::duration)]
    retry_wait: Duration,
    /// How long a try may take
    #[arg(long, value_name = "DURATION", value_parser = flags::duration)]
    timeout: Option<Duration>,
    /// Where it may run: hostname:UNIQUE, rack:LIKE:r1.*, zone:GROUP_BY:3 and so on; can be given
    /// several times
    #[arg(long = "constraint", value_name = "CONSTRAINT", value_parser = flags::value::<Constraint>)]
    constraints: Vec<Constraint>,
    /// The user of the operating system it runs as [default: the agent's choice]
    #[arg(long)]
    run_as: Option<String>,
    /// Does not run it again when its agent is lost: it may have run
    #[arg(long)]
    at_most_once: bool,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let specs = match &args.from {
        Some(path) => read(path)?,
        None => vec![args.job.spec(&args.command)?],
    };
    commands::alone(async {
        let client = Client::new(&args.jobs).await?;
        let ids = submit(&client, specs).await?;
        match args.json {
            true => output::json(&ids)?,
            false => ids
                .iter()
                .try_for_each(|id| output::line(&id.to_string()))?,
        }
        Ok(ExitCode::SUCCESS)
    })
}

pub(super) fn run_and_wait(args: &RunArgs) -> Result<ExitCode> {
    let spec = args.job.spec(&args.command)?;
    let single = spec.array.is_none();
    commands::alone(async {
        let client = Client::new(&args.jobs).await?;
        let ids = submit(&client, vec![spec]).await?;
        let Some(job) = ids.first().copied() else {
            bail!("the queue took nothing in");
        };
        let target = Target { job, index: None };
        let ended = show::ended(&client, target).await?;
        if single && ended.run.iter().any(|run| run.task_id.is_some()) {
            streams::copy(&client, target, sdk::STDOUT, output::bytes).await?;
            streams::copy(&client, target, sdk::STDERR, |bytes| {
                use std::io::Write as _;
                Ok(std::io::stderr().lock().write_all(bytes)?)
            })
            .await?;
        }
        show::say_why(&ended);
        Ok(show::code_of(&ended))
    })
}

async fn submit(client: &Client, jobs: Vec<Spec>) -> Result<Vec<JobId>> {
    client.ask(Submit { jobs }).await
}

fn read(path: &std::path::Path) -> Result<Vec<Spec>> {
    let length = std::fs::metadata(path).map(|metadata| metadata.len());
    let named = || format!("could not read {}", path.display());
    if length.with_context(named)? > FILE_MAX {
        bail!(
            "{} is larger than {FILE_MAX} bytes: submit it in parts",
            path.display()
        );
    }
    let text = std::fs::read_to_string(path).with_context(named)?;
    serde_json::from_str(&text).with_context(|| format!("{} is no list of jobs", path.display()))
}

impl JobFlags {
    fn spec(&self, command: &[String]) -> Result<Spec> {
        let command = match command {
            [line] => Command::Shell(line.clone()),
            words => Command::Argv(words.to_vec()),
        };
        let amounts = [
            (ResourceName::CPUS, self.cpus),
            (ResourceName::MEM, self.mem),
            (ResourceName::DISK, self.disk),
            (ResourceName::GPUS, self.gpus),
        ];
        let mut need = Resources::new();
        for (name, amount) in amounts {
            if amount != Scalar::ZERO {
                need.insert(Resource::scalar(name, amount))?;
            }
        }
        let mut spec = Spec {
            key: self.key.clone(),
            name: self.name.clone(),
            app: self.app.clone(),
            user: self.user.clone(),
            need,
            ports: self.ports,
            env: BTreeMap::from_iter(self.env.iter().cloned()),
            files: self.files.clone(),
            priority: self.priority,
            tags: self.tags.clone(),
            array: self.array,
            after: self.after.clone(),
            timeout: self.timeout,
            constraints: self.constraints.clone(),
            run_as: self.run_as.clone(),
            at_most_once: self.at_most_once,
            ..Spec::new(command)
        };
        spec.retries.most = self.retries;
        spec.retries.first = self.retry_wait;
        spec.validate()?;
        Ok(spec)
    }
}
