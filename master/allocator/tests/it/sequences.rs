//! Any sequence of events keeps the books right.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::model::{Event, Model};

fn event() -> impl Strategy<Value = Event> {
    let framework = || 0usize..4;
    let agent = || 0usize..5;
    let roles = |least: usize| vec(0usize..5, least..3);
    prop_oneof![
        4 => (framework(), roles(1), option::of(agent()))
            .prop_map(|(framework, roles, used)| Event::AddFramework { framework, roles, used }),
        1 => framework().prop_map(Event::RemoveFramework),
        1 => framework().prop_map(Event::ActivateFramework),
        1 => framework().prop_map(Event::DeactivateFramework),
        1 => (framework(), roles(0))
            .prop_map(|(framework, roles)| Event::UpdateFramework { framework, roles }),
        1 => (framework(), roles(0)).prop_map(|(i, roles)| Event::Suppress(i, roles)),
        1 => (framework(), roles(0)).prop_map(|(i, roles)| Event::Revive(i, roles)),
        4 => (agent(), 1u64..8, option::of((framework(), 0usize..5)))
            .prop_map(|(agent, size, used)| Event::AddAgent { agent, size, used }),
        1 => agent().prop_map(Event::RemoveAgent),
        1 => agent().prop_map(Event::ActivateAgent),
        1 => agent().prop_map(Event::DeactivateAgent),
        1 => (agent(), 1u64..8).prop_map(|(agent, size)| Event::UpdateAgent { agent, size }),
        6 => (any::<usize>(), any::<u64>(), option::of(0u8..8))
            .prop_map(|(which, part, refuse_s)| Event::Recover { which, part, refuse_s }),
        1 => any::<usize>().prop_map(|which| Event::Reserve { which }),
        1 => (0usize..5, 0u8..4).prop_map(|(i, weight)| Event::Weigh(i, weight)),
        2 => (0u16..5_000).prop_map(Event::Pass),
        3 => Just(Event::Allocate),
        2 => Just(Event::AllocateAll),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn nothing_is_allocated_twice_or_to_the_unwilling_or_left_over(
        seed in any::<u64>(),
        events in vec(event(), 1..120),
    ) {
        let mut model = Model::new(seed);
        events.into_iter().for_each(|event| model.run(event));
    }

    #[test]
    fn the_same_events_and_seed_give_the_same_rounds(
        seed in any::<u64>(),
        events in vec(event(), 1..80),
    ) {
        let (mut first, mut second) = (Model::new(seed), Model::new(seed));
        for event in events {
            first.run(event.clone());
            second.run(event);
        }
        prop_assert_eq!(first.history, second.history);
        prop_assert_eq!(first.allocator.counters(), second.allocator.counters());
    }

    #[test]
    fn a_round_over_candidates_leaves_nothing_to_a_round_over_all(
        events in vec(event(), 1..80),
    ) {
        let mut model = Model::new(0);
        for event in events {
            model.run(event);
        }
        model.run(Event::Allocate);
        let before = model.history.len();
        model.run(Event::AllocateAll);
        prop_assert_eq!(&model.history[before], &vec![]);
    }
}
