//! Nouns of every shape that the public API can tell of.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use types::{
    AgentId, AgentInfo, Attributes, CommandInfo, ContainerId, ContainerStatus, DiscoveryInfo,
    Environment, ExecutorId, ExecutorInfo, ExecutorKind, FaultDomain, FrameworkCapability,
    FrameworkId, FrameworkInfo, KillPolicy, Label, Labels, MasterInfo, Offer, OfferId, Opaque,
    Operation, Port, Reason, Reservation, ResourceLimits, ResourceName, Resources, Role, Scalar,
    Source, Task, TaskId, TaskInfo, TaskState, TaskStatus, UpdateId, Uri, Visibility,
};

fn word() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9:._é-]{1,12}".prop_filter("no dots", |word| !matches!(word.as_str(), "." | ".."))
}

macro_rules! ids {
    ($($function:ident: $id:ident,)*) => { $(
        fn $function() -> impl Strategy<Value = $id> {
            word().prop_map(|word| $id::new(word).unwrap())
        }
    )* };
}

ids! {
    task_id: TaskId,
    agent_id: AgentId,
    framework_id: FrameworkId,
    executor_id: ExecutorId,
    offer_id: OfferId,
    container_id: ContainerId,
}

fn update_id() -> impl Strategy<Value = UpdateId> {
    any::<u128>().prop_map(|bits| UpdateId::from_uuid(uuid::Uuid::from_u128(bits)))
}

/// As long as anything waits, to the nanosecond.
fn duration() -> impl Strategy<Value = Duration> {
    (0u64..300_000_000_000_000_000).prop_map(Duration::from_nanos)
}

fn time_ms() -> impl Strategy<Value = u64> {
    0u64..4_102_444_800_000
}

fn labels() -> impl Strategy<Value = Labels> {
    let label = (word(), of(word())).prop_map(|(key, value)| Label { key, value });
    vec(label, 0..3).prop_map(|labels| Labels::try_from(labels).unwrap())
}

fn role() -> impl Strategy<Value = Role> {
    prop::sample::select(vec!["*", "a", "a/b", "c"]).prop_map(|role| Role::new(role).unwrap())
}

/// Reserved and not, in all kinds of values.
pub(crate) fn resources() -> impl Strategy<Value = Resources> {
    let texts = vec!["", "(a)", "(c)"];
    let one = (prop::sample::select(texts), 1u64..5_000, 1u64..100, word());
    let dynamic = (of(word()), labels(), any::<bool>());
    (vec(one, 0..3), dynamic).prop_map(|(list, (principal, labels, refined))| {
        let mut resources = Resources::new();
        for (role, thousandths, port, word) in list {
            let cpus = Scalar::from_thousandths(thousandths);
            let word: String = word.chars().filter(char::is_ascii_alphanumeric).collect();
            let ports = format!("ports{role}:[{port}-{}]", port + 7);
            let text =
                format!("cpus{role}:{cpus};mem{role}:{port};{ports};names{role}:{{x{word}}}");
            resources += text.parse::<Resources>().unwrap();
        }
        let parent = Reservation {
            labels,
            ..Reservation::dynamic(Role::new("a").unwrap(), principal)
        };
        let mut reserved: Resources = Resources::new()
            .cpus(1.0)
            .push_reservation(&parent)
            .unwrap();
        if refined {
            let child = Reservation::dynamic(Role::new("a/b").unwrap(), None);
            reserved = reserved.push_reservation(&child).unwrap();
        }
        resources + reserved
    })
}

fn limits() -> impl Strategy<Value = ResourceLimits> {
    of(1u64..1_000_000).prop_map(|thousandths| match thousandths {
        Some(thousandths) => {
            ResourceLimits::new().with(ResourceName::MEM, Scalar::from_thousandths(thousandths))
        }
        None => ResourceLimits::new(),
    })
}

fn uri() -> impl Strategy<Value = Uri> {
    (word(), any::<[bool; 3]>(), of(word())).prop_map(|(value, flags, output_file)| Uri {
        value,
        executable: flags[0],
        extract: flags[1],
        cache: flags[2],
        output_file,
    })
}

fn command() -> impl Strategy<Value = CommandInfo> {
    let environment = prop::collection::btree_map(word(), ".{0,8}", 0..3);
    (
        any::<bool>(),
        ".{0,9}",
        vec(word(), 0..3),
        environment,
        of(word()),
        vec(uri(), 0..3),
    )
        .prop_map(
            |(shell, value, arguments, environment, user, uris)| CommandInfo {
                shell,
                value,
                arguments,
                environment: Environment(environment),
                user,
                uris,
            },
        )
}

fn visibility() -> impl Strategy<Value = Visibility> {
    let all = vec![
        Visibility::Framework,
        Visibility::Cluster,
        Visibility::External,
    ];
    prop::sample::select(all)
}

fn discovery() -> impl Strategy<Value = DiscoveryInfo> {
    let port = (
        any::<u16>(),
        of(word()),
        of(word()),
        of(visibility()),
        labels(),
    )
        .prop_map(|(number, name, protocol, visibility, labels)| Port {
            number,
            name,
            protocol,
            visibility,
            labels,
        });
    let texts = (of(word()), of(word()), of(word()), of(word()));
    (visibility(), texts, vec(port, 0..3), labels()).prop_map(
        |(visibility, (name, environment, location, version), ports, labels)| DiscoveryInfo {
            visibility,
            name,
            environment,
            location,
            version,
            ports,
            labels,
        },
    )
}

/// All but our own for commands, of which the public API has no word.
pub(crate) fn executor() -> impl Strategy<Value = ExecutorInfo> {
    let kind = prop::sample::select(vec![ExecutorKind::Default, ExecutorKind::Custom]);
    let texts = (".{0,9}", ".{0,9}", vec(any::<u8>(), 0..9));
    let rest = (of(duration()), labels());
    (
        executor_id(),
        of(framework_id()),
        kind,
        of(command()),
        resources(),
        texts,
        rest,
    )
        .prop_map(
            |(executor_id, framework_id, kind, command, resources, texts, rest)| ExecutorInfo {
                executor_id,
                framework_id,
                kind,
                command,
                resources,
                name: texts.0,
                source: texts.1,
                data: texts.2,
                shutdown_grace: rest.0,
                labels: rest.1,
                opaque: Opaque::new(),
            },
        )
}

fn kill_policy() -> impl Strategy<Value = KillPolicy> {
    duration().prop_map(|grace_period| KillPolicy { grace_period })
}

pub(crate) fn task_info() -> impl Strategy<Value = TaskInfo> {
    let what = (
        of(command()),
        of(executor()),
        vec(any::<u8>(), 0..9),
        labels(),
    );
    let how = (of(kill_policy()), of(duration()), of(discovery()), limits());
    (".{0,9}", task_id(), agent_id(), resources(), what, how).prop_map(
        |(name, task_id, agent_id, resources, what, how)| TaskInfo {
            name,
            task_id,
            agent_id,
            resources,
            command: what.0,
            executor: what.1,
            data: what.2,
            labels: what.3,
            kill_policy: how.0,
            max_completion_time: how.1,
            discovery: how.2,
            limits: how.3,
            opaque: Opaque::new(),
        },
    )
}

fn state() -> impl Strategy<Value = TaskState> {
    prop::sample::select(TaskState::all().to_vec())
}

fn source() -> impl Strategy<Value = Source> {
    prop::sample::select(vec![Source::Master, Source::Agent, Source::Executor])
}

fn reason() -> impl Strategy<Value = Reason> {
    let told = |reason: &Reason| *reason != Reason::ExecutorPreempted;
    prop::sample::select(
        Reason::all()
            .iter()
            .copied()
            .filter(told)
            .collect::<Vec<_>>(),
    )
}

fn container() -> impl Strategy<Value = ContainerStatus> {
    (of(container_id()), of(any::<u32>()))
        .prop_map(|(container_id, pid)| ContainerStatus { container_id, pid })
}

/// All but exit code and signal, of which the public API has no word.
pub(crate) fn status() -> impl Strategy<Value = TaskStatus> {
    let why = (source(), of(reason()), of(".{1,9}"));
    let place = (of(agent_id()), of(executor_id()), of(container()));
    let rest = (
        of(update_id()),
        vec(any::<u8>(), 0..9),
        of(any::<bool>()),
        labels(),
    );
    (
        task_id(),
        state(),
        why,
        place,
        (time_ms(), of(time_ms())),
        rest,
    )
        .prop_map(|(task_id, state, why, place, times, rest)| TaskStatus {
            reason: why.1,
            message: why.2,
            agent_id: place.0,
            executor_id: place.1,
            container: place.2,
            unreachable_since_ms: times.1,
            update_id: rest.0,
            data: rest.1,
            healthy: rest.2,
            labels: rest.3,
            ..TaskStatus::new(task_id, state, why.0, times.0)
        })
}

/// With resources: they tell the role.
pub(crate) fn task() -> impl Strategy<Value = Task> {
    let told = (vec(status(), 0..3), of(state()), of(update_id()), state());
    (task_info(), framework_id(), role(), of(word()), told).prop_map(
        |(info, framework_id, role, user, told)| Task {
            statuses: told.0,
            status_update_state: told.1,
            status_update_id: told.2,
            state: told.3,
            ..Task::staging(&info, framework_id, role, user)
        },
    )
}

pub(crate) fn framework() -> impl Strategy<Value = FrameworkInfo> {
    let capabilities = prop::sample::subsequence(
        vec![
            FrameworkCapability::RevocableResources,
            FrameworkCapability::TaskKillingState,
            FrameworkCapability::GpuResources,
            FrameworkCapability::SharedResources,
            FrameworkCapability::PartitionAware,
            FrameworkCapability::MultiRole,
            FrameworkCapability::ReservationRefinement,
            FrameworkCapability::RegionAware,
        ],
        0..=8,
    );
    let texts = (of(word()), of(word()), of(word()), of(word()), ".{0,9}");
    let rest = (
        of(framework_id()),
        labels(),
        any::<bool>(),
        0u64..315_360_000_000,
    );
    (capabilities, vec(role(), 1..4), texts, rest).prop_map(
        |(capabilities, mut roles, texts, rest)| {
            let capabilities: BTreeSet<_> = capabilities.into_iter().collect();
            if !capabilities.contains(&FrameworkCapability::MultiRole) {
                roles.truncate(1);
            }
            FrameworkInfo {
                id: rest.0,
                labels: rest.1,
                checkpoint: rest.2,
                failover_timeout: Duration::from_millis(rest.3),
                user: texts.0,
                hostname: texts.1,
                principal: texts.2,
                webui_url: texts.3,
                roles,
                capabilities,
                ..FrameworkInfo::new(texts.4)
            }
        },
    )
}

fn attributes() -> impl Strategy<Value = Attributes> {
    prop::sample::select(vec!["", "rack:r1", "rack:r1;level:2.5;slots:[1-4];rack:r2"])
        .prop_map(|text| text.parse().unwrap())
}

pub(crate) fn agent() -> impl Strategy<Value = AgentInfo> {
    let domain = (word(), word()).prop_map(|(region, zone)| FaultDomain { region, zone });
    let rest = (of(agent_id()), of(domain), any::<bool>());
    (word(), any::<u16>(), resources(), attributes(), rest).prop_map(
        |(hostname, port, resources, attributes, rest)| AgentInfo {
            id: rest.0,
            domain: rest.1,
            checkpoint: rest.2,
            attributes,
            ..AgentInfo::new(hostname, port, resources)
        },
    )
}

pub(crate) fn master() -> impl Strategy<Value = MasterInfo> {
    (word(), any::<std::net::SocketAddr>(), word(), word()).prop_map(
        |(id, address, hostname, version)| MasterInfo {
            id,
            hostname,
            // Scopes and flows of IPv6 are no part of an address here.
            address: std::net::SocketAddr::new(address.ip(), address.port()).to_string(),
            version,
        },
    )
}

pub(crate) fn offer() -> impl Strategy<Value = Offer> {
    let ids = (
        offer_id(),
        framework_id(),
        agent_id(),
        vec(executor_id(), 0..3),
    );
    let address = any::<std::net::SocketAddrV4>().prop_map(|address| address.to_string());
    (ids, word(), role(), resources(), attributes(), address).prop_map(
        |(ids, hostname, role, resources, attributes, agent_address)| Offer {
            id: ids.0,
            framework_id: ids.1,
            agent_id: ids.2,
            executor_ids: ids.3,
            hostname,
            role,
            resources,
            attributes,
            agent_address,
        },
    )
}

pub(crate) fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        vec(task_info(), 0..3).prop_map(|tasks| Operation::Launch { tasks }),
        (executor(), vec(task_info(), 0..3)).prop_map(|(executor, tasks)| {
            let member = |task| TaskInfo {
                executor: None,
                ..task
            };
            let tasks = tasks.into_iter().map(member).collect();
            Operation::LaunchGroup { executor, tasks }
        }),
        resources().prop_map(|resources| Operation::Reserve { resources }),
        resources().prop_map(|resources| Operation::Unreserve { resources }),
        resources().prop_map(|volumes| Operation::Create { volumes }),
        resources().prop_map(|volumes| Operation::Destroy { volumes }),
    ]
}
