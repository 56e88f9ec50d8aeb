//! What one task does, told by a file in the work directory: map pieces, or reduce parts.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::split::Piece;
use super::words::Counts;

/// One task's work. Doing it twice, or twice at once, gives the same files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Step {
    /// Counts the words of some pieces, and deals them into a part for each reduce.
    Map {
        number: u32,
        pieces: Vec<Piece>,
        reduces: u32,
    },
    /// Adds up its part of every map.
    Reduce { number: u32, maps: u32 },
}

/// The directory that all tasks share, and what is where in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WorkDir(pub(crate) PathBuf);

impl WorkDir {
    /// Makes the directories that steps write to.
    pub(crate) fn prepare(&self) -> io::Result<()> {
        fs::create_dir_all(self.0.join("steps"))?;
        fs::create_dir_all(self.0.join("maps"))
    }

    /// The description of a step.
    pub(crate) fn step(&self, name: &str) -> PathBuf {
        self.0.join("steps").join(format!("{name}.json"))
    }

    /// What a map has for a reduce.
    fn mapped(&self, map: u32, reduce: u32) -> PathBuf {
        self.0.join("maps").join(format!("map-{map}-part-{reduce}"))
    }

    /// The result of a reduce.
    pub(crate) fn part(&self, reduce: u32) -> PathBuf {
        self.0.join(format!("part-{reduce}"))
    }

    /// Leaves only the results.
    pub(crate) fn clear(&self) -> io::Result<()> {
        fs::remove_dir_all(self.0.join("steps"))?;
        fs::remove_dir_all(self.0.join("maps"))
    }
}

impl Step {
    /// A name for people and for files.
    pub(crate) fn name(&self) -> String {
        match self {
            Step::Map { number, .. } => format!("map-{number}"),
            Step::Reduce { number, .. } => format!("reduce-{number}"),
        }
    }

    /// Writes down what is to be done.
    pub(crate) fn save(&self, work: &WorkDir) -> anyhow::Result<()> {
        let path = work.step(&self.name());
        let text = serde_json::to_vec(self).context("a path is not UTF-8")?;
        fs::write(&path, text).with_context(|| format!("could not write {}", path.display()))
    }

    /// Does what a description says: the whole of what a task is.
    pub(crate) fn run_file(path: &Path) -> anyhow::Result<()> {
        let text = fs::read(path).with_context(|| {
            format!(
                "could not read {}: is it on a file system all agents share?",
                path.display()
            )
        })?;
        let step: Step = serde_json::from_slice(&text)
            .with_context(|| format!("{} does not describe a step", path.display()))?;
        let work = path.parent().and_then(Path::parent);
        let work = work.context("the description of a step lies in a work directory")?;
        step.run(&WorkDir(work.to_owned()))
    }

    pub(crate) fn run(&self, work: &WorkDir) -> anyhow::Result<()> {
        match self {
            Step::Map {
                number,
                pieces,
                reduces,
            } => map(work, *number, pieces, *reduces),
            Step::Reduce { number, maps } => reduce(work, *number, *maps),
        }
    }
}

fn map(work: &WorkDir, number: u32, pieces: &[Piece], reduces: u32) -> anyhow::Result<()> {
    let mut counts = Counts::default();
    for piece in pieces {
        read_piece(piece, &mut counts)
            .with_context(|| format!("could not read {}", piece.file.display()))?;
    }
    for (reduce, part) in (0..).zip(counts.deal(reduces)) {
        write_whole(&work.mapped(number, reduce), &part)?;
    }
    Ok(())
}

fn read_piece(piece: &Piece, counts: &mut Counts) -> io::Result<()> {
    let mut file = File::open(&piece.file)?;
    file.seek(SeekFrom::Start(piece.start))?;
    counts.read(BufReader::new(file.take(piece.end - piece.start)))
}

fn reduce(work: &WorkDir, number: u32, maps: u32) -> anyhow::Result<()> {
    let mut counts = Counts::default();
    for map in 0..maps {
        counts.merge(read_counts(&work.mapped(map, number))?);
    }
    write_whole(&work.part(number), &counts)
}

pub(crate) fn read_counts(path: &Path) -> anyhow::Result<Counts> {
    let read = || Counts::read_lines(BufReader::new(File::open(path)?));
    read().with_context(|| format!("could not read {}", path.display()))
}

/// Writes a file that is there as a whole or not at all, also when two tasks write it at once.
fn write_whole(path: &Path, counts: &Counts) -> anyhow::Result<()> {
    let draft = path.with_extension(format!("draft-{}", std::process::id()));
    let write = || {
        counts.write_lines(BufWriter::new(File::create(&draft)?))?;
        fs::rename(&draft, path)
    };
    write().with_context(|| format!("could not write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_and_reduces_give_the_count_of_the_whole() {
        let directory = tempfile::tempdir().unwrap();
        let work = WorkDir(directory.path().to_owned());
        work.prepare().unwrap();
        let text = "one two two\nthree three three\nfour four four four\n";
        let file = directory.path().join("text");
        fs::write(&file, text).unwrap();
        let cut = text.find("four").unwrap() as u64;
        for (number, start, end) in [(0, 0, cut), (1, cut, text.len() as u64)] {
            let pieces = vec![Piece {
                file: file.clone(),
                start,
                end,
            }];
            let step = Step::Map {
                number,
                pieces,
                reduces: 3,
            };
            step.save(&work).unwrap();
            Step::run_file(&work.step(&step.name())).unwrap();
        }
        let mut together = Counts::default();
        for number in 0..3 {
            Step::Reduce { number, maps: 2 }.run(&work).unwrap();
            together.merge(read_counts(&work.part(number)).unwrap());
        }
        assert_eq!(together, Counts::of(text.as_bytes()));
        work.clear().unwrap();
        assert!(Step::Reduce { number: 0, maps: 2 }.run(&work).is_err());
    }
}
