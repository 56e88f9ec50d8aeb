//! Bodies of messages: decoded only when they are not nested too deep.
//!
//! A decoder goes one call deeper for each container in a container, so that a few kilobytes of
//! nothing but openings would overflow the stack of its thread. Ours counts lists and maps, but not
//! the choices of an enum; so how deep a body goes is counted before, without recursion, where it
//! is long enough for that to matter.

use rmp_serde::Deserializer;
use rmp_serde::decode::Error;
use serde::de::DeserializeOwned;

/// Most containers within each other. What programs say to each other has hardly ten.
pub(crate) const DEPTH_MAX: usize = 64;
/// What the decoder counts down from: it refuses at zero.
const DECODER_DEPTH: usize = DEPTH_MAX + 1;

/// Bytes up to which a body is decoded without being counted first: five hundred choices, each of
/// which takes two of them, take a small part of a stack.
const SHORT: usize = 1 << 10;

/// Decodes a value.
///
/// # Errors
/// When the bytes are no such value, or nested deeper than [`DEPTH_MAX`].
#[inline]
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    if bytes.len() > SHORT && is_deep(bytes) {
        return Err(Error::DepthLimitExceeded);
    }
    let mut decoder = Deserializer::from_read_ref(bytes);
    decoder.set_max_depth(DECODER_DEPTH);
    T::deserialize(&mut decoder)
}

/// Whether the first value of `bytes` is nested deeper than [`DEPTH_MAX`]; false when it is cut off
/// before that shows.
fn is_deep(bytes: &[u8]) -> bool {
    // Values that are still to come, of each container that is open.
    let mut open = [0u32; DEPTH_MAX];
    let mut depth = 0;
    let mut at = 0;
    while let Some(values) = next(bytes, &mut at) {
        if values > 0 {
            if depth == DEPTH_MAX {
                return true;
            }
            // More than a frame can hold counts as that.
            open[depth] = values.try_into().unwrap_or(u32::MAX);
            depth += 1;
            continue;
        }
        // A value is whole, and with it each container of which it is the last.
        loop {
            let Some(outer) = depth.checked_sub(1) else {
                return false;
            };
            open[outer] -= 1;
            if open[outer] > 0 {
                break;
            }
            depth = outer;
        }
    }
    false
}

/// Passes one marker and what belongs to it alone; how many values it announces. None at the end.
#[inline]
fn next(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let marker = *bytes.get(*at)?;
    *at += 1;
    let (length, values) = match marker {
        // Small numbers, nil, truth; and 0xc1, which is nothing.
        0x00..=0x7f | 0xc0..=0xc3 | 0xe0..=0xff => (0, 0),
        0x80..=0x8f => (0, 2 * u64::from(marker - 0x80)),
        0x90..=0x9f => (0, u64::from(marker - 0x90)),
        0xa0..=0xbf => (u64::from(marker - 0xa0), 0),
        0xc4 | 0xd9 => (number::<1>(bytes, at)?, 0),
        0xc5 | 0xda => (number::<2>(bytes, at)?, 0),
        0xc6 | 0xdb => (number::<4>(bytes, at)?, 0),
        // Extensions have a type beside their bytes.
        0xc7 => (1 + number::<1>(bytes, at)?, 0),
        0xc8 => (1 + number::<2>(bytes, at)?, 0),
        0xc9 => (1 + number::<4>(bytes, at)?, 0),
        0xcc | 0xd0 => (1, 0),
        0xcd | 0xd1 | 0xd4 => (2, 0),
        0xd5 => (3, 0),
        0xca | 0xce | 0xd2 => (4, 0),
        0xd6 => (5, 0),
        0xcb | 0xcf | 0xd3 => (8, 0),
        0xd7 => (9, 0),
        0xd8 => (17, 0),
        0xdc => (0, number::<2>(bytes, at)?),
        0xdd => (0, number::<4>(bytes, at)?),
        0xde => (0, 2 * number::<2>(bytes, at)?),
        0xdf => (0, 2 * number::<4>(bytes, at)?),
    };
    // Past the end, the next marker is not found.
    *at = at.saturating_add(length as usize);
    Some(values)
}

/// Passes a big-endian number.
#[inline]
fn number<const WIDTH: usize>(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let digits = bytes.get(*at..)?.first_chunk::<WIDTH>()?;
    *at += WIDTH;
    let digit = |number: u64, byte: &u8| (number << 8) | u64::from(*byte);
    Some(digits.iter().fold(0, digit))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, Serialize, Deserialize, PartialEq)]
    enum Nest {
        In(Box<Nest>),
        Out,
    }

    #[test]
    fn what_is_nested_a_hundred_thousand_times_is_refused_and_overflows_nothing() {
        let openings: [&[u8]; 4] = [
            &[0x91],
            &[0x81, 0xa2, b'I', b'n'],
            &[0xdc, 0, 1],
            &[0x92, 1],
        ];
        for opening in openings {
            let body = opening.repeat(100_000);
            let depth = decode::<Nest>(&body);
            assert!(matches!(depth, Err(Error::DepthLimitExceeded)), "{depth:?}");
            assert!(decode::<serde_json::Value>(&body).is_err());
            assert!(decode::<serde::de::IgnoredAny>(&body).is_err());
        }
    }

    #[test]
    fn what_is_too_short_to_be_counted_overflows_nothing_either() {
        for opening in [&[0x91][..], &[0x81, 0], &[0x81, 1]] {
            let body = opening.repeat(SHORT / opening.len());
            assert!(decode::<Nest>(&body).is_err());
            assert!(decode::<serde_json::Value>(&body).is_err());
            assert!(decode::<serde::de::IgnoredAny>(&body).is_err());
        }
    }

    #[test]
    fn what_is_nested_as_deep_as_allowed_is_decoded() {
        let nest = |depth| (0..depth).fold(Nest::Out, |nest, _| Nest::In(Box::new(nest)));
        for depth in [0, 1, DEPTH_MAX - 1, DEPTH_MAX] {
            let body = rmp_serde::to_vec_named(&nest(depth)).expect("it encodes");
            assert_eq!(
                decode::<Nest>(&body).expect("it is not too deep"),
                nest(depth)
            );
        }
        for (depth, allowed) in [(DEPTH_MAX, true), (DEPTH_MAX + 1, false)] {
            for length in [0, SHORT] {
                // A list in a list, and after them what makes the body long.
                let mut body = vec![0x92];
                body.extend(vec![0x91; depth - 1]);
                body.extend(rmp_serde::to_vec("x").expect("it encodes"));
                body.extend(rmp_serde::to_vec(&"x".repeat(length)).expect("it encodes"));
                assert_eq!(decode::<serde_json::Value>(&body).is_ok(), allowed);
            }
        }
    }

    #[test]
    fn every_shape_is_passed_over_whole() {
        type Wide = (
            Vec<(u8, i64, f32, f64)>,
            BTreeMap<String, String>,
            Option<char>,
        );
        let text = |length: usize| "x".repeat(length);
        let numbers = [
            0,
            1,
            127,
            128,
            255,
            256,
            65_536,
            i64::MAX,
            -1,
            -33,
            -200,
            -40_000,
            i64::MIN,
        ];
        let list = |times: usize| {
            let each = numbers.iter().map(|&n| (n as u8, n, n as f32, n as f64));
            each.cycle().take(times).collect::<Vec<_>>()
        };
        for (items, length) in [
            (0, 0),
            (3, 31),
            (15, 32),
            (16, 255),
            (300, 256),
            (70_000, 70_000),
        ] {
            let map = (0..items.min(20_000)).map(|key| (format!("{key}"), text(length.min(300))));
            let wide: Wide = (list(items), map.collect(), Some('x'));
            let long = (
                wide,
                text(length),
                serde_bytes::ByteBuf::from(vec![0; length]),
                vec![(); 3],
            );
            let body = rmp_serde::to_vec_named(&long).expect("it encodes");
            let (mut at, mut values) = (0, 1);
            while values > 0 {
                values += next(&body, &mut at).expect("it is whole");
                values -= 1;
            }
            assert_eq!(at, body.len());
            assert!(!is_deep(&body));
        }
    }
}
