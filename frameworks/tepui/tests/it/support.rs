//! Programs that are started, watched and ended by tests, none of them without a time limit.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value as Json;

/// Longest time for anything: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);
/// The variable that tells the processes of a test from all others.
const MARK: &str = "TEPUI_TEST_MARK";

/// What a program did.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Done {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    pub(crate) fn json(&self) -> Json {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        serde_json::from_slice(&self.stdout).expect("the output is JSON")
    }

    pub(crate) fn json_lines(&self) -> Vec<Json> {
        self.text()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// Where the processes of a test keep what is temporary, and how they are known.
pub(crate) struct Place {
    directory: tempfile::TempDir,
    mark: String,
}

impl Place {
    pub(crate) fn new() -> Place {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let mark = format!(
            "{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        Place {
            directory: tempfile::tempdir().unwrap(),
            mark,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The command, without anything of our own environment that it could listen to.
    pub(crate) fn tepui(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tepui"));
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("MESOS_") || text.starts_with("TEPUI_") || text == "RUST_LOG" {
                command.env_remove(&name);
            }
        }
        command
            .env("TMPDIR", self.path())
            .env(MARK, &self.mark)
            .args(words);
        command
    }

    pub(crate) fn run(&self, words: &[&str]) -> Done {
        finish(self.tepui(words))
    }

    /// The processes of this test that run.
    pub(crate) fn processes(&self) -> Vec<i32> {
        let mark = format!("{MARK}={}", self.mark).into_bytes();
        let marked = |pid: &i32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment
                .split(|byte| *byte == 0)
                .any(|variable| variable == mark)
        };
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(marked).collect()
    }

    /// What lies in the temporary directory.
    pub(crate) fn left(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).unwrap().flatten();
        entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect()
    }
}

/// A program that runs, and the lines it prints.
///
/// Dropped, it is killed.
pub(crate) struct Program {
    child: Option<Child>,
    pid: i32,
    lines: Receiver<String>,
    errors: Receiver<String>,
}

impl Program {
    pub(crate) fn start(mut command: Command) -> Program {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = lines_of(child.stdout.take().unwrap());
        let errors = lines_of(child.stderr.take().unwrap());
        let pid = child.id().cast_signed();
        Program {
            child: Some(child),
            pid,
            lines,
            errors,
        }
    }

    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// The next line on stdout for which `wanted` holds.
    pub(crate) fn line(&self, wanted: impl Fn(&str) -> bool) -> String {
        next(&self.lines, wanted)
    }

    /// The next line on stderr for which `wanted` holds.
    pub(crate) fn error_line(&self, wanted: impl Fn(&str) -> bool) -> String {
        next(&self.errors, wanted)
    }

    /// Waits for the end; gives the lines on stderr that nobody has taken.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let mut child = self.child.take().unwrap();
        let (sender, ended) = mpsc::channel();
        thread::spawn(move || sender.send(child.wait().unwrap()));
        let Ok(status) = ended.recv_timeout(PATIENCE) else {
            self.signal(Signal::SIGKILL);
            panic!("the program did not end");
        };
        (status, self.errors.iter().collect::<Vec<_>>().join("\n"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill(); // it may have ended
            let _ = child.wait();
        }
    }
}

fn next(lines: &Receiver<String>, wanted: impl Fn(&str) -> bool) -> String {
    let mut seen = Vec::new();
    loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(line) if wanted(&line) => return line,
            Ok(line) => seen.push(line),
            Err(error) => panic!("no such line ({error}), only {seen:#?}"),
        }
    }
}

fn lines_of(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        BufReader::new(from)
            .lines()
            .map_while(Result::ok)
            .try_for_each(|line| sender.send(line))
    });
    receiver
}

/// Runs a command to its end.
pub(crate) fn finish(command: Command) -> Done {
    finish_within(command, PATIENCE)
}

/// Runs a command to its end, which comes in time.
pub(crate) fn finish_within(mut command: Command, time: Duration) -> Done {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let pid = Pid::from_raw(child.id().cast_signed());
    let (sender, ended) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output().unwrap()));
    let Ok(output) = ended.recv_timeout(time) else {
        let _ = kill(pid, Signal::SIGKILL);
        panic!("{command:?} did not end");
    };
    Done {
        code: output.status.code(),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A cluster by `tepui up`, stopped when it is dropped.
pub(crate) struct Cluster {
    pub(crate) place: Place,
    pub(crate) up: Option<Program>,
    pub(crate) master: String,
}

impl Cluster {
    pub(crate) fn start(flags: &[&str]) -> Cluster {
        Cluster::start_with(flags, &[])
    }

    /// A cluster whose processes have these variables besides.
    pub(crate) fn start_with(flags: &[&str], variables: &[(&str, &OsStr)]) -> Cluster {
        let place = Place::new();
        let mut command = place.tepui(&[&["up", "--port=0"], flags].concat());
        command.envs(variables.iter().copied());
        let up = Program::start(command);
        let line = up.line(|line| line.contains("export TEPUI_MASTER="));
        let master = line.rsplit('=').next().unwrap().to_owned();
        Cluster {
            place,
            up: Some(up),
            master,
        }
    }

    /// A client's command.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = self.place.tepui(words);
        command.env("TEPUI_MASTER", &self.master);
        command
    }

    pub(crate) fn run(&self, words: &[&str]) -> Done {
        finish(self.command(words))
    }

    pub(crate) fn start_program(&self, words: &[&str]) -> Program {
        Program::start(self.command(words))
    }

    /// Starts a task that sleeps; gives the program that runs it, and the id of the task.
    pub(crate) fn sleeper(&self, flags: &[&str]) -> (Program, String) {
        let words = [&["run", "--json"], flags, &["sleep", "1000"]].concat();
        let program = self.start_program(&words);
        let line = program.line(|line| line.contains("TASK_RUNNING"));
        let event: Json = serde_json::from_str(&line).unwrap();
        (program, event["id"].as_str().unwrap().to_owned())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(up) = self.up.take() {
            up.signal(Signal::SIGINT);
            let (status, errors) = up.end();
            if !thread::panicking() {
                assert!(status.success(), "{errors}");
                assert_eq!(self.place.left(), Vec::<String>::new());
            }
        }
    }
}
