//! What changed from one value to the next, for large values that change little.
//!
//! What is equal at the beginning and the end is copied as it is. In between, blocks of the old
//! value are looked for at every offset of the new one by a rolling hash, as rsync does ("The rsync
//! algorithm", Tridgell and Mackerras, 1996), and copied from where they are. The crates there are
//! for this compress as well, take many times the memory, or bind to C.

use std::collections::HashMap;

use bytes::{BufMut as _, Bytes, BytesMut};

/// Values shorter than this are logged whole.
const VALUE_MIN: usize = 1 << 10;

/// Bytes of a block that is looked for.
const BLOCK: usize = 64;

/// Bytes that are compared at once.
const STRIDE: usize = 256;

/// Kinds of edits: copy from the old value (where, how much), insert (how much, what).
const COPY: u8 = 0;
const INSERT: u8 = 1;

/// Bytes of an edit beside what is inserted.
#[cfg(test)]
const COPY_BYTES: usize = 1 + 8 + 8;
const INSERT_BYTES: usize = 1 + 8;

/// The edits that make `new` of `old`; none if they would not be much shorter than `new`.
pub(super) fn diff(old: &[u8], new: &[u8]) -> Option<Bytes> {
    if new.len() < VALUE_MIN || old.len() < VALUE_MIN {
        return None;
    }
    let limit = new.len() / 2;
    let shorter = old.len().min(new.len());
    let prefix = common_start(old, new);
    let rest = shorter - prefix;
    let suffix = common_end(&old[old.len() - rest..], &new[new.len() - rest..]);
    let (old_end, new_end) = (old.len() - suffix, new.len() - suffix);
    let mut edits = Edits::new(limit);
    edits.copy(0, prefix);
    blocks(
        &old[prefix..old_end],
        &new[prefix..new_end],
        prefix,
        &mut edits,
    )?;
    edits.copy(old_end, suffix);
    edits.finish()
}

/// How many bytes are equal from the start on.
fn common_start(a: &[u8], b: &[u8]) -> usize {
    let chunks = a.chunks_exact(STRIDE).zip(b.chunks_exact(STRIDE));
    let equal = STRIDE * chunks.take_while(|(a, b)| a == b).count();
    let rest = a[equal..].iter().zip(&b[equal..]);
    equal + rest.take_while(|(a, b)| a == b).count()
}

/// How many bytes are equal up to the end.
fn common_end(a: &[u8], b: &[u8]) -> usize {
    let chunks = a.rchunks_exact(STRIDE).zip(b.rchunks_exact(STRIDE));
    let equal = STRIDE * chunks.take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[..a.len() - equal], &b[..b.len() - equal]);
    let rest = a.iter().rev().zip(b.iter().rev());
    equal + rest.take_while(|(a, b)| a == b).count()
}

/// Edits for a stretch of which neither beginning nor end is equal; `base` is where that of the
/// old value begins. None when they become too long.
fn blocks(old: &[u8], new: &[u8], base: usize, edits: &mut Edits) -> Option<()> {
    // The first block of a kind: what repeats itself is not all remembered.
    let mut known: HashMap<u32, usize> = HashMap::new();
    if new.len() >= BLOCK {
        for (number, block) in old.chunks_exact(BLOCK).enumerate() {
            known
                .entry(Rolling::of(block).value())
                .or_insert(number * BLOCK);
        }
    }
    // Everything before is in an edit.
    let mut done = 0;
    let mut at = 0;
    let mut rolling = None;
    while !known.is_empty() && at + BLOCK <= new.len() {
        let hash: &mut Rolling = rolling.get_or_insert_with(|| Rolling::of(&new[at..at + BLOCK]));
        let found = known.get(&hash.value()).copied();
        let found = found.filter(|from| old[*from..from + BLOCK] == new[at..at + BLOCK]);
        let Some(from) = found else {
            if at + BLOCK < new.len() {
                hash.roll(new[at], new[at + BLOCK]);
            }
            at += 1;
            if at - done > edits.room() {
                return None;
            }
            continue;
        };
        let before = common_end(&old[..from], &new[done..at]);
        let after = common_start(&old[from + BLOCK..], &new[at + BLOCK..]);
        edits.insert(&new[done..at - before])?;
        edits.copy(base + from - before, before + BLOCK + after);
        at += BLOCK + after;
        done = at;
        rolling = None;
    }
    edits.insert(&new[done..])
}

/// The sum of rsync over a block: two sums of 16 bits.
struct Rolling {
    a: u32,
    b: u32,
}

impl Rolling {
    fn of(block: &[u8]) -> Rolling {
        let (mut a, mut b) = (0_u32, 0_u32);
        for byte in block {
            a = a.wrapping_add(u32::from(*byte));
            b = b.wrapping_add(a);
        }
        Rolling { a, b }
    }

    fn roll(&mut self, out: u8, into: u8) {
        let (out, into) = (u32::from(out), u32::from(into));
        self.a = self.a.wrapping_sub(out).wrapping_add(into);
        self.b = self
            .b
            .wrapping_sub(out.wrapping_mul(BLOCK as u32))
            .wrapping_add(self.a);
    }

    fn value(&self) -> u32 {
        (self.b << 16) ^ self.a
    }
}

/// Edits as bytes.
struct Edits {
    bytes: BytesMut,
    limit: usize,
    /// A copy that may yet be longer: from where, how much.
    copying: Option<(usize, usize)>,
}

impl Edits {
    fn new(limit: usize) -> Edits {
        Edits {
            bytes: BytesMut::new(),
            limit,
            copying: None,
        }
    }

    fn room(&self) -> usize {
        self.limit.saturating_sub(self.bytes.len())
    }

    fn copy(&mut self, from: usize, count: usize) {
        if count == 0 {
            return;
        }
        if let Some((start, so_far)) = &mut self.copying
            && *start + *so_far == from
        {
            *so_far += count;
            return;
        }
        self.put_copy();
        self.copying = Some((from, count));
    }

    fn put_copy(&mut self) {
        if let Some((from, count)) = self.copying.take() {
            self.bytes.put_u8(COPY);
            self.bytes.put_u64_le(from as u64);
            self.bytes.put_u64_le(count as u64);
        }
    }

    /// None when it becomes too long.
    fn insert(&mut self, bytes: &[u8]) -> Option<()> {
        if bytes.is_empty() {
            return Some(());
        }
        self.put_copy();
        if bytes.len() + INSERT_BYTES > self.room() {
            return None;
        }
        self.bytes.put_u8(INSERT);
        self.bytes.put_u64_le(bytes.len() as u64);
        self.bytes.put_slice(bytes);
        Some(())
    }

    fn finish(mut self) -> Option<Bytes> {
        self.put_copy();
        (self.bytes.len() <= self.limit).then(|| self.bytes.freeze())
    }
}

/// Makes the edits that [`diff`] found; none if they are not of this value, or would make more than
/// `max` bytes.
pub(super) fn apply(old: &[u8], mut edits: &[u8], max: usize) -> Option<Bytes> {
    let mut new = BytesMut::new();
    while let Some((kind, rest)) = edits.split_first() {
        let (first, rest) = number(rest)?;
        let (part, rest) = match *kind {
            COPY => {
                let (count, rest) = number(rest)?;
                let end = first.checked_add(count)?;
                (old.get(first..end)?, rest)
            }
            INSERT => rest.split_at_checked(first)?,
            _ => return None,
        };
        if part.len() > max - new.len() {
            return None;
        }
        new.put_slice(part);
        edits = rest;
    }
    Some(new.freeze())
}

fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    let number = u64::from_le_bytes(*number);
    Some((usize::try_from(number).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAX: usize = 1 << 20;

    /// Bytes without a pattern.
    fn noise(count: usize) -> Vec<u8> {
        let mut state = 1_u64;
        let next = |_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as u8
        };
        (0..count).map(next).collect()
    }

    #[test]
    fn edits_of_distant_places_are_as_long_as_what_is_new() {
        let old = noise(100_000);
        let mut new = old.clone();
        new[50_000] ^= 1;
        new.splice(10_000..10_000, *b"inserted");
        new.drain(80_000..81_000);
        let edits = diff(&old, &new).unwrap();
        assert!(edits.len() < 8 * COPY_BYTES + 3 * BLOCK, "{}", edits.len());
        assert_eq!(apply(&old, &edits, MAX).unwrap(), new);
    }

    #[test]
    fn a_part_that_moved_is_copied_from_where_it_was() {
        let old = noise(100_000);
        let new = [&old[60_000..], &old[..60_000]].concat();
        let edits = diff(&old, &new).unwrap();
        assert!(edits.len() < 300, "{}", edits.len());
        assert_eq!(apply(&old, &edits, MAX).unwrap(), new);
    }

    #[test]
    fn what_has_nothing_in_common_is_kept_whole() {
        let (old, new) = (vec![0; 5_000], noise(5_000));
        assert_eq!(diff(&old, &new), None);
        assert_eq!(diff(b"short", b"shorter"), None);
    }

    #[test]
    fn an_empty_change_is_one_copy() {
        let old = noise(5_000);
        assert_eq!(diff(&old, &old).unwrap().len(), COPY_BYTES);
    }

    #[test]
    fn edits_that_make_too_much_are_refused() {
        let old = noise(5_000);
        let edits = diff(&old, &old).unwrap();
        assert_eq!(apply(&old, &edits, 4_999), None);
        assert_eq!(apply(&old[..4_000], &edits, MAX), None);
    }

    proptest! {
        #[test]
        fn edits_make_the_new_value(
            seed in any::<u8>(),
            changes in proptest::collection::vec((0..6_000_usize, any::<u8>(), 0..3_u8), 0..20),
        ) {
            let old: Vec<u8> = noise(6_000).iter().map(|byte| byte % (seed | 1)).collect();
            let mut new = old.clone();
            for (at, byte, kind) in changes {
                let at = at.min(new.len() - 1);
                match kind {
                    0 => new[at] = byte,
                    1 => new.insert(at, byte),
                    _ => drop(new.remove(at)),
                }
            }
            if let Some(edits) = diff(&old, &new) {
                prop_assert_eq!(apply(&old, &edits, MAX).unwrap(), new);
            }
        }

        #[test]
        fn edits_that_are_none_are_refused(
            edits in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            // Whatever comes out is not too long, and nothing panics.
            let made = apply(&noise(2_000), &edits, 3_000);
            prop_assert!(made.is_none_or(|made| made.len() <= 3_000));
        }
    }
}
