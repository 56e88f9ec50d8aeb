//! What a framework has done and heard, line by line in a file that outlives it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use types::TaskState;

/// A line of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// The master knows the framework by this id.
    Subscribed(String),
    /// A task is about to be launched: the work it is for, its id.
    Launched(usize, String),
    /// News of a task: its id, its state, the code it exited with.
    News(String, TaskState, Option<i32>),
    /// Every work has come to its intended end, and no task is left.
    Done,
}

impl Line {
    fn text(&self) -> String {
        match self {
            Line::Subscribed(id) => format!("subscribed {id}\n"),
            Line::Launched(work, task) => format!("launched {work} {task}\n"),
            Line::News(task, state, Some(code)) => format!("news {task} {state} {code}\n"),
            Line::News(task, state, None) => format!("news {task} {state}\n"),
            Line::Done => "done\n".to_owned(),
        }
    }

    fn read(text: &str) -> Option<Line> {
        let words: Vec<&str> = text.split(' ').collect();
        Some(match words[..] {
            ["subscribed", id] => Line::Subscribed(id.to_owned()),
            ["launched", work, task] => Line::Launched(work.parse().ok()?, task.to_owned()),
            ["news", task, state] => Line::News(task.to_owned(), state.parse().ok()?, None),
            ["news", task, state, code] => Line::News(
                task.to_owned(),
                state.parse().ok()?,
                Some(code.parse().ok()?),
            ),
            ["done"] => Line::Done,
            _ => return None,
        })
    }
}

/// A journal that is written: each line is out of reach of the writer's death once written.
pub(crate) struct Journal(File);

impl Journal {
    pub(crate) fn open(path: &Path) -> Journal {
        Journal(
            File::options()
                .create(true)
                .append(true)
                .open(path)
                .expect("a journal"),
        )
    }

    pub(crate) fn write(&mut self, line: &Line) {
        self.0
            .write_all(line.text().as_bytes())
            .expect("a line for the journal");
    }
}

/// A journal that is read while another process writes it.
#[derive(Debug, Clone)]
pub(crate) struct Reader(pub(crate) PathBuf);

impl Reader {
    /// All whole lines so far.
    pub(crate) fn lines(&self) -> Vec<Line> {
        let text = fs::read_to_string(&self.0).unwrap_or_default();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let read = |line: &str| Line::read(line).unwrap_or_else(|| panic!("`{line}` is no line"));
        whole.lines().map(read).collect()
    }

    pub(crate) fn is_done(&self) -> bool {
        self.lines().contains(&Line::Done)
    }

    /// The id the master gave the framework.
    pub(crate) fn framework_id(&self) -> Option<String> {
        self.lines().into_iter().find_map(|line| match line {
            Line::Subscribed(id) => Some(id),
            Line::Launched(..) | Line::News(..) | Line::Done => None,
        })
    }

    /// Each task that was launched, and the last word on it.
    pub(crate) fn last_words(&self) -> BTreeMap<String, Option<TaskState>> {
        let mut words = BTreeMap::new();
        for line in self.lines() {
            match line {
                Line::Launched(_, task) => drop(words.insert(task, None)),
                Line::News(task, state, _) => drop(words.insert(task, Some(state))),
                Line::Subscribed(_) | Line::Done => {}
            }
        }
        words
    }
}
