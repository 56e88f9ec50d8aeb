//! Conversations that are nearly right, with the door of a node: nothing panics, nothing hangs,
//! nothing but the connection itself is lost.
//!
//! Runs for `TEPUI_FUZZ_SECONDS` (5 unless given) from the seed `TEPUI_FUZZ_SEED`, and prints the
//! seed of the conversation that fails.
#![cfg(feature = "sim")]

mod common;
#[path = "../fuzz/conversation.rs"]
mod conversation;

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use common::alone;
use common::raw::{ask, frame, letter};
use conversation::{Choice, PREFACE, Shapes, converse, hello, subject};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Frames of a conversation before it is spoiled.
const FRAMES_MAX: usize = 40;
/// Changes to a conversation.
const CHANGES_MAX: usize = 4;
/// Largest body made on purpose, in bytes.
const BODY_MAX: usize = 200 << 10;
/// Deepest nesting made on purpose.
const DEPTH_MAX: usize = 100_000;

thread_local! {
    /// The conversation under way.
    static SEED: Cell<u64> = const { Cell::new(0) };
}

/// One of `from`.
fn one<T: Clone>(rng: &mut StdRng, from: &[T]) -> T {
    from[rng.random_range(0..from.len())].clone()
}

fn noise(rng: &mut StdRng, most: usize) -> Vec<u8> {
    let length = rng.random_range(0..=most);
    (0..length).map(|_| rng.random()).collect()
}

fn encode<T: serde::Serialize>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec_named(value).expect("it encodes")
}

/// The body of a message: right, strange, deep, large, or noise.
fn body(rng: &mut StdRng) -> Vec<u8> {
    match rng.random_range(0..10) {
        0..4 => encode(&conversation::Add { by: rng.random() }),
        4 => encode(&Shapes {
            text: "ä".repeat(rng.random_range(0..100)),
            bytes: noise(rng, 2000),
            lists: vec![vec![(1, -1); rng.random_range(0..50)]; rng.random_range(0..5)],
            map: [("a".to_owned(), None), ("b".to_owned(), Some(1.5))].into(),
            choice: one(
                rng,
                &[
                    Choice::Unit,
                    Choice::One("one".to_owned()),
                    Choice::Two(2, 'x'),
                    Choice::Named {
                        upid: None,
                        wide: i128::MIN,
                    },
                ],
            ),
        }),
        5 => {
            // Containers in containers, where one value is expected.
            let opener = one(
                rng,
                &[&[0x91][..], &[0x81, 0xa1, b'x'], &[0x81, 0xa2, b'b', b'y']],
            );
            opener.repeat(rng.random_range(0..DEPTH_MAX))
        }
        6 => {
            // Lengths that are not kept.
            let lie = [&[0xdd, 255, 255, 255, 255][..], &[0xc6, 255, 255, 255, 255]];
            [&[0x81, 0xa2, b'b', b'y'][..], one(rng, &lie)].concat()
        }
        7 => {
            // A field that is not known, and large.
            let mut body = b"\x82\xa2by\x01\xa4more".to_vec();
            let large = rng.random_range(0..BODY_MAX);
            body.push(0xc6);
            body.extend_from_slice(&(large as u32).to_be_bytes());
            body.resize(body.len() + large, 7);
            body
        }
        _ => noise(rng, 300),
    }
}

const IDS: [&[u8]; 7] = [
    b"subject",
    b"nobody",
    b"~0.1",
    b"~4294967295.4294967295",
    b"~.",
    b"a@b",
    b"\xff",
];
const NAMES: [&[u8]; 6] = [b"Add", b"Shapes", b"Greet", b"Hold", b"Unknown", b""];

fn any_frame(rng: &mut StdRng) -> Vec<u8> {
    let number = one(rng, &[0, 1, 2, u64::MAX, 1 << 20]);
    match rng.random_range(0..20) {
        0 => frame(1, one(rng, &IDS)),
        1 => frame(2, one(rng, &IDS)),
        2 => frame(3, one(rng, &NAMES)),
        3..8 => letter(rng.random_range(0..3), rng.random_range(0..4), &body(rng)),
        8..13 => ask(
            rng.random_range(0..3),
            rng.random_range(0..4),
            number,
            &body(rng),
        ),
        13 => frame(
            one(rng, &[6, 7, 14]),
            &[&number.to_le_bytes()[..], &body(rng)].concat(),
        ),
        14 => frame(one(rng, &[8, 9]), one(rng, &IDS)),
        15 => frame(10, &body(rng)),
        16 => frame(one(rng, &[11, 12]), b""),
        17 => frame(13, b""),
        18 => frame(15, &one(rng, &[0, number]).to_le_bytes()),
        _ => frame(rng.random(), &noise(rng, 100)),
    }
}

/// A conversation, and where its frames begin.
fn conversation(rng: &mut StdRng) -> (Vec<u8>, Vec<usize>) {
    let address = SocketAddr::from(([127, 0, 0, 99], rng.random_range(1..4)));
    let mut bytes = [PREFACE, &hello(address, rng.random_range(0..3))].concat();
    let mut starts = vec![PREFACE.len()];
    let known = [
        frame(1, b"subject"),
        frame(2, b"me"),
        frame(3, b"Add"),
        frame(3, b"Shapes"),
    ];
    let more = rng.random_range(0..FRAMES_MAX);
    for next in 0..known.len() + more {
        starts.push(bytes.len());
        match known.get(next) {
            Some(known) => bytes.extend_from_slice(known),
            None => bytes.append(&mut any_frame(rng)),
        }
    }
    (bytes, starts)
}

/// Spoils a conversation in one place.
fn spoil(rng: &mut StdRng, bytes: &mut Vec<u8>, starts: &[usize]) {
    if bytes.is_empty() {
        return;
    }
    let at = rng.random_range(0..bytes.len());
    let start = one(rng, starts).min(bytes.len());
    match rng.random_range(0..9) {
        0 => bytes[at] ^= 1 << rng.random_range(0..8),
        1 => bytes[at] = rng.random(),
        2 => bytes.truncate(at),
        3 => {
            let more = noise(rng, 20);
            bytes.splice(at..at, more);
        }
        4 => {
            let end = (at + rng.random_range(0..100)).min(bytes.len());
            bytes.drain(at..end);
        }
        5 => {
            // A length that is not kept.
            let lie: u32 = one(
                rng,
                &[0, 1, 5, 255, 65_536, 16 << 20, (16 << 20) + 1, u32::MAX],
            );
            for (place, byte) in bytes[start..].iter_mut().zip(lie.to_le_bytes()) {
                *place = byte;
            }
        }
        6 => {
            // A piece of another conversation, or of this one, in the middle.
            let (other, starts) = conversation(rng);
            let from = one(rng, &starts);
            let piece = &other[from..(from + rng.random_range(0..500)).min(other.len())];
            bytes.splice(start..start, piece.iter().copied());
        }
        7 => {
            // A flood.
            let flood = any_frame(rng);
            let times = rng.random_range(0..1000).min(1 + BODY_MAX / flood.len());
            bytes.splice(start..start, flood.repeat(times));
        }
        _ => {
            // All of it again, without a new connection.
            let again = bytes.clone();
            bytes.splice(start..start, again);
        }
    }
}

#[test]
fn conversations_that_are_nearly_right_cost_only_their_connection() {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let seconds = number("TEPUI_FUZZ_SECONDS").unwrap_or(5);
    let first = number("TEPUI_FUZZ_SEED").unwrap_or_else(rand::random);
    println!("TEPUI_FUZZ_SEED={first}");
    // A panic of a task is told to nobody: it must not pass unseen.
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        told(panic);
        eprintln!("fails with TEPUI_FUZZ_SEED={}", SEED.get());
        std::process::abort();
    }));
    let began = Instant::now();
    let mut seed = first;
    while began.elapsed() < Duration::from_secs(seconds) {
        // Some conversations for each node: what one leaves behind meets the next.
        alone(async {
            let (node, subject) = subject().await;
            for _ in 0..200 {
                if began.elapsed() >= Duration::from_secs(seconds) {
                    break;
                }
                SEED.set(seed);
                let mut rng = StdRng::seed_from_u64(seed);
                let (mut bytes, starts) = conversation(&mut rng);
                for _ in 0..rng.random_range(0..=CHANGES_MAX) {
                    spoil(&mut rng, &mut bytes, &starts);
                }
                let piece = one(&mut rng, &[1, 3, 100, 5000, usize::MAX]);
                // Byte by byte only what is short: it is slow.
                let piece = piece.max(bytes.len() / 2000);
                converse(&node, &subject, &bytes, piece).await;
                seed = seed.wrapping_add(1);
            }
            node.shutdown().await;
        });
    }
    let conversations = seed.wrapping_sub(first);
    println!("{conversations} conversations");
    assert!(conversations > 10, "only {conversations}");
}
