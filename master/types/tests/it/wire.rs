//! Every noun survives the wire, as MessagePack with names.

use std::fmt::Debug;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use types::*;

fn round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug>(noun: &T) {
    let bytes = rmp_serde::to_vec_named(noun).unwrap();
    assert_eq!(&rmp_serde::from_slice::<T>(&bytes).unwrap(), noun);
    for end in 0..bytes.len() {
        let _ = rmp_serde::from_slice::<T>(&bytes[..end]); // an error or not, but no panic
    }
}

fn resources() -> Resources {
    Resources::from_json(
        r#"[
            {"name": "cpus", "type": "SCALAR", "scalar": {"value": 2.5}, "revocable": {}},
            {"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 1, "end": 9}]}},
            {"name": "words", "type": "SET", "set": {"item": ["a", "b"]}},
            {"name": "disk", "type": "SCALAR", "scalar": {"value": 7}, "shared": {},
             "provider_id": {"value": "p"},
             "reservations": [{"type": "STATIC", "role": "a"},
                              {"type": "DYNAMIC", "role": "a/b", "principal": "ops"}],
             "disk": {"persistence": {"id": "v"},
                      "volume": {"mode": "RW", "container_path": "data"},
                      "source": {"type": "PATH", "path": {"root": "/mnt/a"}}}}
        ]"#,
    )
    .unwrap()
}

fn task() -> TaskInfo {
    let uri = Uri {
        value: "http://host/file.tgz".into(),
        extract: true,
        ..Uri::default()
    };
    let mut command = CommandInfo::argv(["sleep", "60"]).env("A", "b");
    command.uris.push(uri);
    let executor = ExecutorInfo {
        framework_id: Some(FrameworkId::random()),
        data: vec![0, 255],
        shutdown_grace: Some(Duration::from_millis(1_500)),
        ..ExecutorInfo::custom(ExecutorId::random(), command)
    };
    TaskInfo {
        command: None,
        executor: Some(executor),
        data: vec![1, 2, 3],
        labels: Labels::new().with("tier", "web"),
        kill_policy: Some(KillPolicy {
            grace_period: Duration::from_secs(3),
        }),
        max_completion_time: Some(Duration::from_secs(60)),
        discovery: Some(DiscoveryInfo {
            visibility: Visibility::Cluster,
            name: Some("web".into()),
            environment: None,
            location: None,
            version: Some("1".into()),
            ports: vec![Port {
                number: 80,
                name: None,
                protocol: Some("tcp".into()),
                visibility: None,
                labels: Labels::new(),
            }],
            labels: Labels::new(),
        }),
        limits: ResourceLimits::new().with(ResourceName::MEM, Scalar::from_units(64)),
        ..TaskInfo::command(
            TaskId::random(),
            AgentId::random(),
            CommandInfo::default(),
            resources(),
        )
    }
}

fn status(state: TaskState) -> TaskStatus {
    TaskStatus {
        data: vec![9; 300],
        executor_id: Some(ExecutorId::random()),
        healthy: Some(false),
        container: Some(ContainerStatus {
            container_id: Some(ContainerId::random()),
            pid: Some(7),
        }),
        exit_code: Some(-1),
        signal: Some(9),
        unreachable_since_ms: Some(u64::MAX),
        ..TaskStatus::new(TaskId::random(), state, Source::Executor, 1_234)
    }
    .because(Reason::ExecutorTerminated, "it ended")
    .on(AgentId::random())
    .acknowledged_as(UpdateId::random())
}

#[test]
fn tasks_survive_the_wire() {
    let info = task();
    round_trip(&info);
    let role = Role::new("a/b").unwrap();
    let mut task = Task::staging(&info, FrameworkId::random(), role, Some("root".into()));
    task.status_update_state = Some(TaskState::Running);
    task.status_update_id = Some(UpdateId::random());
    for state in TaskState::all() {
        round_trip(&status(state));
        task.remember(&status(state));
    }
    round_trip(&task);
}

#[test]
fn offers_and_operations_survive_the_wire() {
    round_trip(&Offer {
        id: OfferId::random(),
        framework_id: FrameworkId::random(),
        agent_id: AgentId::random(),
        hostname: "host".into(),
        role: Role::any(),
        resources: resources(),
        attributes: "rack:abc;level:10;ports:[1-2]".parse().unwrap(),
        executor_ids: vec![ExecutorId::random()],
        agent_address: "10.0.0.1:5051".into(),
    });
    round_trip(&Filters::from_seconds(0.25));
    round_trip(&Operation::Launch {
        tasks: vec![task()],
    });
    round_trip(&Operation::LaunchGroup {
        executor: ExecutorInfo::group(ExecutorId::new("e").unwrap(), resources()),
        tasks: vec![task()],
    });
    round_trip(&Operation::Reserve {
        resources: resources(),
    });
    round_trip(&Operation::Unreserve {
        resources: resources(),
    });
    round_trip(&Operation::Create {
        volumes: resources(),
    });
    round_trip(&Operation::Destroy {
        volumes: resources(),
    });
    round_trip(&Conversion {
        consumed: resources(),
        converted: Resources::new(),
    });
}

#[test]
fn frameworks_agents_and_masters_survive_the_wire() {
    let framework = FrameworkInfo {
        id: Some(FrameworkId::random()),
        user: Some("root".into()),
        webui_url: Some("http://host".into()),
        ..FrameworkInfo::new("sleepers").role(Role::new("a").unwrap())
    };
    round_trip(&framework);
    round_trip(&AgentInfo {
        id: Some(AgentId::random()),
        domain: Some(FaultDomain {
            region: "eu".into(),
            zone: "1".into(),
        }),
        attributes: "rack:abc".parse().unwrap(),
        ..AgentInfo::new("host", 5051, resources())
    });
    round_trip(&AgentCapability::AgentDraining);
    round_trip(&MasterInfo {
        id: "m".into(),
        hostname: "host".into(),
        address: "10.0.0.1:5050".into(),
        version: "0.1.0".into(),
    });
    round_trip(&"cpus:1;mem:5".parse::<ResourceQuantities>().unwrap());
}

#[test]
fn reasons_survive_the_wire() {
    Reason::all().iter().for_each(round_trip);
}

#[test]
fn a_field_nobody_knows_yet_is_ignored() {
    #[derive(Serialize)]
    struct Tomorrow {
        id: String,
        hostname: String,
        address: String,
        version: String,
        colour: String,
    }
    let text = || "x".to_owned();
    let tomorrow = Tomorrow {
        id: text(),
        hostname: text(),
        address: text(),
        version: text(),
        colour: text(),
    };
    let bytes = rmp_serde::to_vec_named(&tomorrow).unwrap();
    assert!(rmp_serde::from_slice::<MasterInfo>(&bytes).is_ok());
}

#[test]
fn what_is_impossible_does_not_come_off_the_wire() {
    fn refused<T: DeserializeOwned>(wrong: impl Serialize) {
        let bytes = rmp_serde::to_vec_named(&wrong).unwrap();
        assert!(rmp_serde::from_slice::<T>(&bytes).is_err());
    }
    refused::<TaskId>("a/b");
    refused::<Role>("a//b");
    refused::<Scalar>(-1i64);
    refused::<Scalar>(i64::MAX);
    refused::<Ranges>(vec![Range { begin: 2, end: 1 }]);
    refused::<Set>(vec!["a,b"]);
    refused::<ResourceName>("a:b");
    refused::<Labels>(vec![
        Label {
            key: String::new(),
            value: None
        };
        MAX_LABELS + 1
    ]);
}
