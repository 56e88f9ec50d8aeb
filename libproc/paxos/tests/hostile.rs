//! A replica hears nonsense from who may speak to it: it refuses, and never panics.

mod common;

use common::Cluster;
use paxos::*;
use proptest::prelude::*;

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..6u64, Just(u64::MAX), Just(u64::MAX - 1), any::<u64>()]
}

fn ballot() -> impl Strategy<Value = Ballot> {
    (number(), 0..5u64, number()).prop_map(|(round, node, incarnation)| Ballot {
        round,
        node: NodeId(node),
        incarnation: Incarnation(incarnation),
    })
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        Just(Action::Nop),
        Just(Action::Append("data".into())),
        number().prop_map(|to| Action::Truncate { to: Position(to) }),
        Just(Action::Configure(config())),
    ]
}

fn config() -> Config {
    let member = Member {
        node: NodeId(2),
        life: Life(9),
    };
    Config::new([member], Quorums::Majority).expect("one is enough")
}

fn request() -> impl Strategy<Value = RequestId> {
    (0..4u64, 0..6u64).prop_map(|(incarnation, number)| RequestId {
        incarnation: Incarnation(incarnation),
        number,
    })
}

fn message() -> impl Strategy<Value = Message> {
    let entry = || (ballot(), action()).prop_map(|(ballot, action)| Entry { ballot, action });
    let position = || number().prop_map(Position);
    let span = || (position(), position()).prop_map(|(first, last)| Span { first, last });
    let leading =
        (ballot(), position()).prop_map(|(ballot, proposed)| Some(Leading { ballot, proposed }));
    prop_oneof![
        (ballot(), position()).prop_map(|(ballot, commit)| Message::PreVote { ballot, commit }),
        ballot().prop_map(|ballot| Message::PreVoted { ballot }),
        (ballot(), position()).prop_map(|(ballot, from)| Message::Prepare { ballot, from }),
        (
            ballot(),
            position(),
            prop::collection::vec((position(), entry()), 0..3),
            prop::collection::vec(span(), 0..3)
        )
            .prop_map(|(ballot, commit, entries, damaged)| Message::Promised {
                ballot,
                commit,
                entries,
                damaged
            }),
        (
            ballot(),
            position(),
            prop::collection::vec(action(), 0..3),
            position()
        )
            .prop_map(|(ballot, first, actions, commit)| Message::Accept {
                ballot,
                first,
                actions,
                commit
            }),
        (ballot(), position(), position(), position(), position()).prop_map(
            |(ballot, first, last, commit, begin)| Message::Accepted {
                ballot,
                first,
                last,
                commit,
                begin
            }
        ),
        (ballot(), number(), position()).prop_map(|(ballot, round, commit)| Message::Heartbeat {
            ballot,
            round,
            commit
        }),
        (ballot(), number(), position()).prop_map(|(ballot, round, commit)| Message::Followed {
            ballot,
            round,
            commit
        }),
        (ballot(), ballot()).prop_map(|(ballot, promised)| Message::Rejected { ballot, promised }),
        (ballot(), position()).prop_map(|(ballot, commit)| Message::Ignored {
            ballot,
            status: Status::Recovering,
            commit
        }),
        (ballot(), position()).prop_map(|(ballot, commit)| Message::Behind { ballot, commit }),
        (request(), span()).prop_map(|(request, span)| Message::Fetch { request, span }),
        (
            request(),
            position(),
            prop::collection::vec(entry(), 0..3),
            position(),
            leading
        )
            .prop_map(
                |(request, first, entries, commit, leading)| Message::Fetched {
                    request,
                    first,
                    entries,
                    commit,
                    leading
                }
            ),
        (request(), position()).prop_map(|(request, begin)| Message::Truncated {
            request,
            base: Base {
                begin,
                config: config(),
                snapshot: None
            }
        }),
        request().prop_map(|request| Message::AskRead { request }),
        (request(), position())
            .prop_map(|(request, position)| Message::ReadAt { request, position }),
        ballot().prop_map(|ballot| Message::TakeOver { ballot }),
        number().prop_map(|life| Message::Refused {
            refusal: Refusal::Life(Life(life))
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn nonsense_is_refused_and_nothing_panics(
        messages in prop::collection::vec((1..5u64, 0..4u64, message()), 1..40)
    ) {
        let mut cluster = Cluster::new(3);
        cluster.pass(3_000);
        for (node, life, message) in messages {
            let from = Member { node: NodeId(node), life: Life(life) };
            let envelope = Envelope {
                cluster: ClusterId(1),
                epoch: Epoch(1),
                from,
                to: NodeId(1),
                message,
            };
            let now = cluster.now;
            let site = cluster.nodes.get_mut(&NodeId(1)).expect("it runs");
            for output in site.replica.step(now, Input::Receive(envelope)) {
                if let Output::Persist(number, _) = output {
                    site.replica.step(now, Input::Persisted(number));
                }
            }
        }
    }
}
