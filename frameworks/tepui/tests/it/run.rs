//! `tepui run`: commands on a cluster, as if they ran here.

use nix::sys::signal::Signal;

use crate::support::Cluster;

#[test]
fn it_exits_as_the_command_does() {
    let cluster = Cluster::start(&["--agents=1"]);
    for (words, code) in [
        (&["run", "true"][..], 0),
        (&["run", "false"], 1),
        (&["run", "exit 3"], 3),
        (&["run", "--", "sh", "-c", "exit 4"], 4),
        (&["run", "--argv", "false"], 1),
        (&["run", "kill -9 $$"], 137),
        (&["run", "/no/such/program"], 127),
    ] {
        let done = cluster.run(words);
        assert_eq!(done.code, Some(code), "{words:?}: {}", done.stderr);
        assert_eq!(done.stdout, b"", "{words:?}");
    }
}

#[test]
fn a_program_that_is_not_there_was_never_run() {
    let cluster = Cluster::start(&["--agents=1"]);
    let done = cluster.run(&["run", "--", "/no/such", "program"]);
    assert_eq!(done.code, Some(125), "{}", done.stderr);
    assert!(done.stderr.contains("No such file"), "{}", done.stderr);
}

#[test]
fn both_outputs_arrive_whole() {
    let cluster = Cluster::start(&["--agents=1"]);
    let script = "i=0; while [ $i -lt 64 ]; do head -c 16384 /dev/zero | tr '\\0' a; \
                  i=$((i+1)); done; echo end; echo wrong >&2";
    let done = cluster.run(&["run", script]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(done.stdout.len(), (1 << 20) + 4);
    assert!(done.stdout.ends_with(b"aend\n"));
    assert_eq!(done.stderr, "wrong\n");
}

#[test]
fn output_comes_while_the_command_runs() {
    let cluster = Cluster::start(&["--agents=1"]);
    let program = cluster.start_program(&["run", "echo first; sleep 1000"]);
    program.line(|line| line == "first");
    program.signal(Signal::SIGINT);
    let (status, errors) = program.end();
    assert_eq!(status.code(), Some(130), "{errors}");
}

#[test]
fn instances_mark_their_lines_and_the_first_bad_code_counts() {
    let cluster = Cluster::start(&["--agents=2"]);
    let script = "echo one; printf two; case $0 in x) ;; esac; test $TEPUI_N = ok || exit 5";
    let words = [
        "run",
        "--instances=10",
        "--name=job",
        "--env=TEPUI_N=ok",
        script,
    ];
    let done = cluster.run(&words);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let text = done.text();
    for instance in 1..=10 {
        let mark = format!("job-{instance}| ");
        let lines: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix(&mark))
            .collect();
        assert_eq!(lines, ["one", "two"], "{text}");
    }
    let done = cluster.run(&["run", "--instances=10", "--name=job", script]);
    assert_eq!(done.code, Some(5), "{}", done.stderr);
    assert!(
        done.stderr.contains("job-10: exited with 5"),
        "{}",
        done.stderr
    );
}

#[test]
fn events_come_as_json() {
    let cluster = Cluster::start(&["--agents=1"]);
    let done = cluster.run(&["run", "--json", "echo hi; exit 2"]);
    assert_eq!(done.code, Some(2));
    let events = done.json_lines();
    let kinds: Vec<&str> = events
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect();
    assert_eq!(kinds.first(), Some(&"state"));
    let output = events
        .iter()
        .find(|event| event["event"] == "output")
        .unwrap();
    assert_eq!(
        (&output["stream"], &output["data"]),
        (&"stdout".into(), &"hi\n".into())
    );
    let ended = events
        .iter()
        .find(|event| event["state"] == "TASK_FAILED")
        .unwrap();
    assert_eq!(ended["exit_code"], 2);
    assert_eq!(events.last().unwrap()["exit_code"], 2);
}

#[test]
fn what_no_agent_has_is_an_error_that_names_it() {
    let cluster = Cluster::start(&["--agents=2", "--agent-resources=cpus:4;mem:100"]);
    let done = cluster.run(&["run", "--cpus=64", "true"]);
    assert_eq!(done.code, Some(125));
    let expected = "needs cpus:64, the largest agent has cpus:4";
    assert!(done.stderr.contains(expected), "{}", done.stderr);
}

#[test]
fn what_is_in_use_is_waited_for_and_the_reason_is_told() {
    let cluster = Cluster::start(&["--agents=1", "--agent-resources=cpus:1;mem:100"]);
    let (sleeper, id) = cluster.sleeper(&["--cpus=0.8"]);
    let waiter = cluster.start_program(&["run", "--cpus=0.5", "echo mine"]);
    let why = waiter.error_line(|line| line.starts_with("waiting for offers"));
    let expected = "needs cpus:0.5, the most that is free on one agent is cpus:0.2";
    assert!(why.contains(expected), "{why}");
    assert_eq!(cluster.run(&["kill", &id]).code, Some(0));
    waiter.line(|line| line == "mine");
    assert_eq!(waiter.end().0.code(), Some(0));
    assert_eq!(sleeper.end().0.code(), Some(143));
}

#[test]
fn ctrl_c_ends_the_tasks() {
    let cluster = Cluster::start(&["--agents=1"]);
    let (program, id) = cluster.sleeper(&[]);
    program.signal(Signal::SIGINT);
    program.line(|line| line.contains("TASK_KILLED") && line.contains(&id));
    let (status, errors) = program.end();
    assert_eq!(status.code(), Some(130), "{errors}");
    assert_eq!(cluster.run(&["ps", "--json"]).json(), serde_json::json!([]));
}

#[test]
fn a_task_whose_time_is_up_is_ended() {
    let cluster = Cluster::start(&["--agents=1"]);
    let done = cluster.run(&["run", "--max-completion-time=100ms", "sleep", "1000"]);
    assert_eq!(done.code, Some(124), "{}", done.stderr);
    assert!(done.stderr.contains("time was up"), "{}", done.stderr);
}
