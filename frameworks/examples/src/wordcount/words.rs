//! Words and how often they occur.
//!
//! A word is a run of letters, apostrophes inside it included; any byte beyond ASCII counts as a
//! letter, and ASCII letters lose their case. No word spans lines, so a text may be cut between
//! lines without changing the count.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};

/// Longer words are cut: what is longer is no word, and must not fill the memory.
const WORD_MAX: usize = 256;

/// How often each word occurs, in the order of the words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts(BTreeMap<Vec<u8>, u64>);

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'\'' || !byte.is_ascii()
}

/// A run of letters as a word: without its outer apostrophes, in lower case, not too long.
fn word(letters: &[u8]) -> Option<Vec<u8>> {
    let first = letters.iter().position(|byte| *byte != b'\'')?;
    let last = letters.iter().rposition(|byte| *byte != b'\'')?;
    let word = &letters[first..=last];
    Some(word[..word.len().min(WORD_MAX)].to_ascii_lowercase())
}

impl Counts {
    pub(crate) fn add(&mut self, word: Vec<u8>, times: u64) {
        *self.0.entry(word).or_default() += times;
    }

    /// Counts what a reader gives, a buffer at a time.
    pub(crate) fn read(&mut self, mut reader: impl BufRead) -> io::Result<()> {
        let mut letters = Vec::new();
        loop {
            let buffer = reader.fill_buf()?;
            if buffer.is_empty() {
                break;
            }
            for byte in buffer {
                if !is_letter(*byte) {
                    self.end_of_word(&mut letters);
                } else if letters.len() < WORD_MAX * 2 {
                    letters.push(*byte);
                }
            }
            let length = buffer.len();
            reader.consume(length);
        }
        self.end_of_word(&mut letters);
        Ok(())
    }

    fn end_of_word(&mut self, letters: &mut Vec<u8>) {
        if let Some(word) = word(letters) {
            self.add(word, 1);
        }
        letters.clear();
    }

    /// Counts a whole text at once: another way to the same numbers, to check them.
    pub(crate) fn of(text: &[u8]) -> Counts {
        let mut counts = Counts::default();
        let runs = text.split(|byte| !is_letter(*byte));
        runs.map(|run| &run[..run.len().min(WORD_MAX * 2)])
            .filter_map(word)
            .for_each(|word| counts.add(word, 1));
        counts
    }

    pub(crate) fn merge(&mut self, other: Counts) {
        other
            .0
            .into_iter()
            .for_each(|(word, times)| self.add(word, times));
    }

    /// Deals the words into parts, so that the same word is always in the same part.
    pub(crate) fn deal(self, parts: u32) -> Vec<Counts> {
        let mut dealt = vec![Counts::default(); parts.max(1) as usize];
        for (word, times) in self.0 {
            let part = hash(&word) % dealt.len() as u64;
            dealt[part as usize].add(word, times);
        }
        dealt
    }

    /// How many words there are.
    pub(crate) fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// How many different words there are.
    pub(crate) fn distinct(&self) -> usize {
        self.0.len()
    }

    /// The words that occur most, and how often; those that occur equally often by their letters.
    pub(crate) fn top(&self, count: usize) -> Vec<(String, u64)> {
        let mut words: Vec<_> = self.0.iter().collect();
        words.sort_by(|(a, a_times), (b, b_times)| b_times.cmp(a_times).then(a.cmp(b)));
        let text = |word: &[u8]| String::from_utf8_lossy(word).into_owned();
        words
            .into_iter()
            .take(count)
            .map(|(word, times)| (text(word), *times))
            .collect()
    }

    /// Writes a line a word: the word, a tab, the count.
    pub(crate) fn write_lines(&self, mut writer: impl Write) -> io::Result<()> {
        for (word, times) in &self.0 {
            writer.write_all(word)?;
            writeln!(writer, "\t{times}")?;
        }
        writer.flush()
    }

    /// Reads what [`write_lines`](Counts::write_lines) wrote.
    pub(crate) fn read_lines(reader: impl BufRead) -> io::Result<Counts> {
        let mut counts = Counts::default();
        for line in reader.split(b'\n') {
            let line = line?;
            let invalid = || {
                let line = String::from_utf8_lossy(&line).into_owned();
                io::Error::new(io::ErrorKind::InvalidData, format!("no count: `{line}`"))
            };
            let tab = line
                .iter()
                .position(|byte| *byte == b'\t')
                .ok_or_else(invalid)?;
            let times = std::str::from_utf8(&line[tab + 1..])
                .ok()
                .and_then(|n| n.parse().ok());
            counts.add(line[..tab].to_vec(), times.ok_or_else(invalid)?);
        }
        Ok(counts)
    }
}

/// FNV-1a: the same on every machine and in every version, which maps and reduces rely on.
fn hash(word: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    word.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_letters_without_case_and_outer_apostrophes() {
        let counts = Counts::of("The cat's 'Cat', the\ncat; 7 '' naïve-NAïVE".as_bytes());
        let expected = [("cat", 2), ("naïve", 2), ("the", 2), ("cat's", 1)];
        assert_eq!(
            counts.top(9),
            expected.map(|(word, times)| (word.to_owned(), times))
        );
        assert_eq!((counts.total(), counts.distinct()), (7, 4));
    }

    #[test]
    fn a_word_that_is_none_does_not_fill_the_memory() {
        let long = "x".repeat(1 << 20);
        let mut counts = Counts::default();
        counts.read(long.as_bytes()).unwrap();
        assert_eq!(counts, Counts::of(long.as_bytes()));
        assert_eq!(counts.top(1)[0].0.len(), WORD_MAX);
    }

    #[test]
    fn a_line_that_is_no_count_is_an_error() {
        for wrong in ["word\n", "word\tmany\n", "word\t-1\n", "\n"] {
            assert!(Counts::read_lines(wrong.as_bytes()).is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn reading_in_small_buffers_counts_the_same(text in "[a-cA-C' \n\u{e9}-]{0,200}", size in 1usize..9) {
            let mut counts = Counts::default();
            counts.read(io::BufReader::with_capacity(size, text.as_bytes())).unwrap();
            prop_assert_eq!(counts, Counts::of(text.as_bytes()));
        }

        #[test]
        fn what_is_dealt_and_written_comes_together_again(text in "[a-e' \n]{0,300}", parts in 1u32..7) {
            let counts = Counts::of(text.as_bytes());
            let mut together = Counts::default();
            for part in counts.clone().deal(parts) {
                let mut lines = Vec::new();
                part.write_lines(&mut lines).unwrap();
                together.merge(Counts::read_lines(&lines[..]).unwrap());
            }
            prop_assert_eq!(together, counts);
        }
    }
}
