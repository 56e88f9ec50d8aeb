//! What a peer may put into a packet: nothing it says brings the gossip down, or makes it one-sided.

use std::net::SocketAddr;
use std::sync::Arc;

use foca::{AccumulatingRuntime, Codec as _, Foca, Member, NoCustomBroadcast};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::chance::Chance;
use super::codec::{Codec, CodecError, Gate, MEMBERS_MAX};
use super::identity::{GENERATION_MAX, Identity, Says};
use super::info::MemberInfo;

type Swim = Foca<Identity, Codec, Chance, NoCustomBroadcast>;
type Effects = AccumulatingRuntime<Identity>;

fn address(n: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, (n >> 8) as u8, n as u8], 5050))
}

fn identity(n: u16) -> Identity {
    Identity::unknown(address(n)).saying(Says {
        incarnation: u64::from(n),
        info: MemberInfo::new().name(&n.to_string()),
        leaves: false,
    })
}

fn swim(n: u16) -> (Swim, Arc<Mutex<Gate>>) {
    let gate: Arc<Mutex<Gate>> = Arc::default();
    let codec = Codec(gate.clone());
    let config = foca::Config::simple();
    (Foca::new(identity(n), config, Chance::new(), codec), gate)
}

/// What members 1 and 2 say to each other when 2 joins, with the one it is said to.
fn conversation() -> Vec<(u16, Vec<u8>)> {
    let mut members = [swim(1), swim(2)];
    let mut effects = Effects::new();
    let known = Identity::unknown(address(1));
    let announced = members[1].0.announce(known, &mut effects);
    announced.expect("it encodes");
    let mut said = Vec::new();
    for turn in 0..20usize {
        let mut next = Effects::new();
        while let Some((_, timer)) = effects.to_schedule() {
            if turn < 10 {
                let from = usize::from(turn % 2 == 0);
                let _ = members[from].0.handle_timer(timer, &mut next);
            }
        }
        while let Some((to, bytes)) = effects.to_send() {
            let to = u16::from(to.address == address(2)) + 1;
            said.push((to, bytes.to_vec()));
            let (swim, gate) = &mut members[usize::from(to) - 1];
            gate.lock().sender = Some(address(3 - to));
            swim.handle_data(&bytes, &mut next)
                .expect("they understand each other");
        }
        effects = next;
    }
    assert!(members.iter().all(|(swim, _)| swim.num_members() == 1));
    said
}

#[test]
fn packets_that_are_cut_spliced_or_altered_are_refused_and_bring_nothing_down() {
    let said = conversation();
    assert!(said.len() > 3);
    for seed in 0..3000 {
        let mut chance = StdRng::seed_from_u64(seed);
        let (mut swim, gate) = swim(1);
        for _ in 0..5 {
            let (_, packet) = &said[chance.random_range(0..said.len())];
            let mut packet = packet.clone();
            match chance.random_range(0..4) {
                0 => packet.truncate(chance.random_range(0..packet.len())),
                1 => {
                    let (_, other) = &said[chance.random_range(0..said.len())];
                    let at = chance.random_range(0..packet.len());
                    packet.splice(at.., other.iter().copied());
                }
                2 => {}
                _ => (0..chance.random_range(1..8)).for_each(|_| {
                    let at = chance.random_range(0..packet.len());
                    packet[at] = chance.random();
                }),
            }
            gate.lock().sender = Some(address(2));
            // Refused or not, it must come back: a panic says the seed by its round.
            let handled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                drop(swim.handle_data(&packet, Effects::new()));
            }));
            assert!(handled.is_ok(), "seed {seed}");
        }
    }
}

#[test]
fn a_packet_counts_only_from_the_node_it_says_it_comes_from() {
    let (to, packet) = conversation().swap_remove(0);
    assert_eq!(to, 1);
    let (mut swim, gate) = swim(1);
    for sender in [None, Some(address(3))] {
        gate.lock().sender = sender;
        assert!(swim.handle_data(&packet, Effects::new()).is_err());
    }
    assert_eq!(swim.num_members(), 0);
    gate.lock().sender = Some(address(2));
    swim.handle_data(&packet, Effects::new())
        .expect("it is from 2");
    assert_eq!(swim.num_members(), 1);
}

#[test]
fn members_that_cannot_be_and_more_than_there_may_be_are_refused() {
    let mut codec = Codec(Arc::default());
    let mut admit = |identity: Identity| {
        let mut bytes = Vec::new();
        let member = Member::alive(identity);
        codec
            .encode_member(&member, &mut bytes)
            .expect("it encodes");
        codec.decode_member(&bytes[..]).map(drop)
    };
    let mut late = identity(1);
    late.generation = GENERATION_MAX + 1;
    assert!(matches!(admit(late), Err(CodecError::Malformed)));
    let mut nowhere = identity(1);
    nowhere.address = SocketAddr::from(([0, 0, 0, 0], 5050));
    assert!(matches!(admit(nowhere), Err(CodecError::Malformed)));
    let talks = Says {
        incarnation: 1,
        info: MemberInfo::new().name(&"x".repeat(10_000)),
        leaves: false,
    };
    assert!(matches!(
        admit(identity(1).saying(talks)),
        Err(CodecError::Malformed)
    ));
    for n in 0..MEMBERS_MAX as u16 {
        assert!(admit(identity(n)).is_ok());
    }
    assert!(matches!(
        admit(identity(MEMBERS_MAX as u16)),
        Err(CodecError::TooMany)
    ));
    assert!(admit(identity(7)).is_ok(), "who is known stays known");
}
