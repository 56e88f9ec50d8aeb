//! What there is in the bytes of a segment: frames, and stretches that are none.

use std::ops::Range;

use super::frame::{self, Header, Kind};

/// What was found in the bytes of one segment.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Scan {
    /// In the order in which they lie there.
    pub(super) items: Vec<Item>,
    /// Behind the last frame, or the last byte that is not zero.
    pub(super) end: usize,
    /// It ends with a seal.
    pub(super) sealed: bool,
}

/// One of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// A whole frame, at this offset.
    Frame(usize, Header),
    /// What cannot be read.
    Bad(Bad),
}

/// A stretch that cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bad {
    /// Where it is.
    pub(super) range: Range<usize>,
    /// What it was, when its header is whole.
    pub(super) kind: Option<Kind>,
}

/// Reads `bytes`, which lie at position `base`, from offset `start` on.
pub(super) fn scan(bytes: &[u8], start: usize, base: u64, salt: u64) -> Scan {
    let header = |at: usize| frame::read_header(bytes.get(at..)?, base + at as u64, salt);
    let mut scan = Scan {
        end: start,
        ..Scan::default()
    };
    let mut at = start;
    while at < bytes.len() {
        let Some(found) = header(at) else {
            let rest = &bytes[at..];
            let Some(last) = rest.iter().rposition(|byte| *byte != 0) else {
                break;
            };
            let last = at + last + 1;
            let mut steps = (at + frame::ALIGN..last).step_by(frame::ALIGN);
            let next = steps.find(|at| header(*at).is_some()).unwrap_or(last);
            scan.bad(at..next, None);
            at = next.next_multiple_of(frame::ALIGN);
            continue;
        };
        let body = at + frame::HEADER;
        let end = body + found.length as usize;
        let next = at + frame::size(found.length as usize);
        match bytes.get(body..end) {
            Some(body) if frame::is_whole(&found, body) => {
                scan.items.push(Item::Frame(at, found));
                scan.end = next;
                scan.sealed = found.kind == Kind::Seal;
            }
            Some(_) => scan.bad(at..next, Some(found.kind)),
            None => scan.bad(at..bytes.len(), Some(found.kind)),
        }
        if scan.sealed {
            break;
        }
        at = next;
    }
    scan
}

impl Scan {
    fn bad(&mut self, range: Range<usize>, kind: Option<Kind>) {
        self.end = range.end;
        self.items.push(Item::Bad(Bad { range, kind }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Key;

    const SALT: u64 = 5;

    /// Three frames at position 1000 and zeros; the offsets of the frames.
    fn three() -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut offsets) = (Vec::new(), Vec::new());
        for slot in 0..3 {
            offsets.push(bytes.len());
            let position = 1000 + bytes.len() as u64;
            let kind = Kind::Of(Key::Slot(slot));
            frame::write(&mut bytes, kind, b"some bytes", position, 0, SALT);
        }
        bytes.resize(512, 0);
        (bytes, offsets)
    }

    fn frames(scan: &Scan) -> Vec<usize> {
        let offset = |item: &Item| match item {
            Item::Frame(at, _) => Some(*at),
            Item::Bad(_) => None,
        };
        scan.items.iter().filter_map(offset).collect()
    }

    #[test]
    fn frames_are_found_up_to_the_zeros() {
        let (bytes, offsets) = three();
        let scan = scan(&bytes, 0, 1000, SALT);
        assert_eq!(frames(&scan), offsets);
        assert_eq!((scan.end, scan.sealed), (3 * 48, false));
    }

    #[test]
    fn a_spoilt_body_says_whose_it_was() {
        let (mut bytes, offsets) = three();
        bytes[offsets[1] + frame::HEADER] ^= 1;
        let scan = scan(&bytes, 0, 1000, SALT);
        assert_eq!(frames(&scan), [offsets[0], offsets[2]]);
        let bad = Bad {
            range: offsets[1]..offsets[2],
            kind: Some(Kind::Of(Key::Slot(1))),
        };
        assert!(scan.items.contains(&Item::Bad(bad)));
    }

    #[test]
    fn what_follows_a_spoilt_header_is_found_again() {
        let (mut bytes, offsets) = three();
        bytes[offsets[1] + 9] ^= 1;
        let scan = scan(&bytes, 0, 1000, SALT);
        assert_eq!(frames(&scan), [offsets[0], offsets[2]]);
        let bad = Bad {
            range: offsets[1]..offsets[2],
            kind: None,
        };
        assert!(scan.items.contains(&Item::Bad(bad)));
    }

    #[test]
    fn nothing_is_read_behind_a_seal() {
        let mut bytes = Vec::new();
        frame::write(&mut bytes, Kind::Seal, b"", 0, 0, SALT);
        bytes.extend([7; 64]);
        let scan = scan(&bytes, 0, 0, SALT);
        assert_eq!((scan.items.len(), scan.end, scan.sealed), (1, 32, true));
    }
}
