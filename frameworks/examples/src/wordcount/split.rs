//! Cutting the input into pieces of about equal size, between lines.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A range of bytes of a file that begins and ends between lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Piece {
    pub(crate) file: PathBuf,
    pub(crate) start: u64,
    pub(crate) end: u64,
}

/// A file to count, and its size in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Input {
    pub(crate) file: PathBuf,
    pub(crate) size: u64,
}

/// Deals the files out to at most `shares` shares of about equal size, each with something in it.
///
/// `open` opens a file, to look where its lines end.
pub(crate) fn split<R: Read + Seek>(
    inputs: &[Input],
    shares: u32,
    mut open: impl FnMut(&Path) -> io::Result<R>,
) -> io::Result<Vec<Vec<Piece>>> {
    let total: u64 = inputs.iter().map(|input| input.size).sum();
    let target = total.div_ceil(u64::from(shares.max(1))).max(1);
    let mut dealt = vec![Vec::new()];
    let mut room = target;
    for input in inputs {
        let mut start = 0;
        while start < input.size {
            if room == 0 {
                dealt.push(Vec::new());
                room = target;
            }
            let end = match start + room {
                end if end >= input.size => input.size,
                end => end_of_line(open(&input.file)?, end)?.min(input.size),
            };
            let share = dealt.last_mut().expect("it begins with one");
            share.push(Piece {
                file: input.file.clone(),
                start,
                end,
            });
            room = room.saturating_sub(end - start);
            start = end;
        }
    }
    dealt.retain(|share| !share.is_empty());
    Ok(dealt)
}

/// The end of the line that the byte before `offset` is on.
fn end_of_line<R: Read + Seek>(mut file: R, offset: u64) -> io::Result<u64> {
    let mut at = offset.saturating_sub(1);
    file.seek(SeekFrom::Start(at))?;
    let mut reader = BufReader::new(file);
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(at);
        }
        if let Some(newline) = buffer.iter().position(|byte| *byte == b'\n') {
            return Ok(at + newline as u64 + 1);
        }
        let length = buffer.len();
        at += length as u64;
        reader.consume(length);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn split_texts(texts: &[String], shares: u32) -> Vec<Vec<Piece>> {
        let named = |(n, text): (usize, &String)| Input {
            file: PathBuf::from(n.to_string()),
            size: text.len() as u64,
        };
        let inputs: Vec<_> = texts.iter().enumerate().map(named).collect();
        let open = |path: &Path| {
            let n: usize = path.to_str().unwrap().parse().unwrap();
            Ok(Cursor::new(texts[n].clone()))
        };
        split(&inputs, shares, open).unwrap()
    }

    #[test]
    fn small_files_share_and_big_ones_are_cut_after_lines() {
        let texts = [
            "a\n".to_owned(),
            "b\n".to_owned(),
            "one\ntwo\nsix\nten\n".to_owned(),
        ];
        let piece = |file: &str, start, end| Piece {
            file: file.into(),
            start,
            end,
        };
        let expected = [
            vec![piece("0", 0, 2), piece("1", 0, 2), piece("2", 0, 8)],
            vec![piece("2", 8, 16)],
        ];
        assert_eq!(split_texts(&texts, 2), expected);
    }

    #[test]
    fn nothing_is_nobodys() {
        assert!(split_texts(&[String::new()], 3).is_empty());
        assert!(split_texts(&[], 3).is_empty());
    }

    proptest! {
        #[test]
        fn every_byte_is_in_one_piece_and_pieces_end_between_lines(
            texts in prop::collection::vec("[ab\n]{0,60}", 0..5),
            shares in 1u32..12,
        ) {
            let dealt = split_texts(&texts, shares);
            prop_assert!(dealt.len() <= shares as usize);
            prop_assert!(dealt.iter().all(|share| !share.is_empty()));
            let mut together = vec![String::new(); texts.len()];
            for piece in dealt.iter().flatten() {
                let n: usize = piece.file.to_str().unwrap().parse().unwrap();
                let (start, end) = (piece.start as usize, piece.end as usize);
                prop_assert_eq!(together[n].len(), start);
                prop_assert!(end > start);
                prop_assert!(end == texts[n].len() || texts[n].as_bytes()[end - 1] == b'\n');
                together[n].push_str(&texts[n][start..end]);
            }
            prop_assert_eq!(together, texts);
        }
    }
}
