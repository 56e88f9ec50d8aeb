//! The result, and whether it is right.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;

use super::step::{Step, WorkDir, read_counts};
use super::words::Counts;

/// What is printed at the end.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// How many words were counted.
    pub(crate) words: u64,
    /// How many different ones.
    distinct: usize,
    files: usize,
    maps: usize,
    reduces: usize,
    elapsed_ms: u64,
    /// The most frequent words, the most frequent first.
    pub(crate) top: Vec<Frequency>,
    /// Whether a count in this process gives the same, for every word.
    pub(crate) equal: bool,
}

#[derive(Debug, Serialize)]
pub(crate) struct Frequency {
    pub(crate) word: String,
    count: u64,
}

impl Report {
    /// Adds up the parts and counts the files again to compare.
    pub(crate) fn new(
        work: &WorkDir,
        steps: &[Step],
        files: &[PathBuf],
        top: usize,
        elapsed: Duration,
    ) -> anyhow::Result<Report> {
        let maps = steps
            .iter()
            .filter(|step| matches!(step, Step::Map { .. }))
            .count();
        let reduces = steps.len() - maps;
        let mut counts = Counts::default();
        for reduce in 0..reduces {
            counts.merge(read_counts(&work.part(reduce as u32))?);
        }
        let mut check = Counts::default();
        for file in files {
            let text = fs::read(file);
            let text = text.with_context(|| format!("could not read {}", file.display()))?;
            check.merge(Counts::of(&text));
        }
        let frequency = |(word, count)| Frequency { word, count };
        Ok(Report {
            words: counts.total(),
            distinct: counts.distinct(),
            files: files.len(),
            maps,
            reduces,
            elapsed_ms: elapsed.as_millis() as u64,
            top: counts.top(top).into_iter().map(frequency).collect(),
            equal: counts == check,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self
            .top
            .first()
            .map_or(0, |first| first.count.to_string().len());
        for Frequency { word, count } in &self.top {
            writeln!(f, "{count:>width$}  {word}")?;
        }
        let seconds = self.elapsed_ms as f64 / 1_000.0;
        writeln!(
            f,
            "{} words, {} different, in {} files, by {} maps and {} reduces, in {seconds:.1} s",
            self.words, self.distinct, self.files, self.maps, self.reduces
        )?;
        match self.equal {
            true => writeln!(f, "checked: equal to a single-process count"),
            false => writeln!(f, "checked: NOT equal to a single-process count"),
        }
    }
}
