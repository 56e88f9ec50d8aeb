//! Executors are started: with what they were given, as whom, or not at all.

use super::*;

pub(crate) async fn a_builtin_executor_runs_in_its_sandbox_with_its_environment(
    mut cluster: Cluster,
) {
    cluster.launch("a", builtin("look ")).await;
    assert_eq!(cluster.exit().await, ("a".into(), ExitStatus::Exited(0)));
    assert_eq!(
        cluster.output("a", "stdout"),
        "true [(\"PATH\", \"/usr/bin:/bin\")]\n"
    );
    assert_eq!(cluster.output("a", "stderr"), "a\n");
}

pub(crate) async fn a_command_runs_with_its_arguments_and_output_is_appended(mut cluster: Cluster) {
    cluster
        .launch(
            "a",
            program("sh", &["sh", "-c", "echo $0 $#; pwd", "x", "y"]),
        )
        .await;
    assert_eq!(cluster.exit().await, ("a".into(), ExitStatus::Exited(0)));
    cluster.launch("a", program("echo", &[])).await;
    assert_eq!(cluster.exit().await, ("a".into(), ExitStatus::Exited(0)));
    let sandbox = cluster.directory.path().join("a");
    assert_eq!(
        cluster.output("a", "stdout"),
        format!("x 1\n{}\n\n", sandbox.display())
    );
}

pub(crate) async fn what_cannot_run_is_refused_with_its_reason(cluster: Cluster) {
    let mut homeless = cluster.request("a", builtin("exit 0"));
    homeless.sandbox = "/no/such/sandbox".into();
    let why = cluster.refusal(homeless).await;
    assert!(
        why.starts_with("sandbox /no/such/sandbox: No such file"),
        "{why}"
    );

    let why = cluster
        .refusal(cluster.request("a", program("/no/such/program", &[])))
        .await;
    assert!(
        why.starts_with("execute \"/no/such/program\": No such file"),
        "{why}"
    );

    let mut nobody = cluster.request("a", builtin("exit 0"));
    nobody.user = Some("no such user".into());
    assert_eq!(
        cluster.refusal(nobody).await,
        "user \"no such user\": unknown"
    );

    let mut planted = cluster.request("a", shell("true"));
    planted.sandbox = cluster.directory.path().join("link");
    std::os::unix::fs::symlink("/", &planted.sandbox).expect("a link");
    let why = cluster.refusal(planted).await;
    assert!(why.ends_with("(os error 20)"), "{why}");

    let planted = cluster.request("planted", shell("true"));
    std::os::unix::fs::symlink("fifo", planted.sandbox.join("stdout")).expect("a link");
    let why = cluster.refusal(planted).await;
    assert!(why.starts_with("open stdout: "), "{why}");

    let mut large = cluster.request("a", builtin("exit 0"));
    large
        .environment
        .insert("X".into(), "x".repeat(1024 * 1024));
    assert!(matches!(
        cluster.launcher.launch(large).await,
        Err(LaunchError::TooLarge { .. })
    ));
}

pub(crate) async fn a_container_id_is_free_again_after_a_refusal_and_an_exit(mut cluster: Cluster) {
    cluster
        .refusal(cluster.request("a", program("/no/such/program", &[])))
        .await;
    cluster.launch("a", shell("read line < fifo")).await;
    let why = cluster
        .refusal(cluster.request("a", builtin("exit 0")))
        .await;
    assert_eq!(why, "container a runs already");
    cluster.launcher.destroy("a", Destroy::Now);
    assert_eq!(cluster.exit().await, ("a".into(), ExitStatus::Signaled(9)));
    cluster.launch("a", builtin("exit 0")).await;
    assert_eq!(cluster.exit().await, ("a".into(), ExitStatus::Exited(0)));
}

pub(crate) async fn two_hundred_executors_run_at_once(mut cluster: Cluster) {
    let names: Vec<String> = (0..200).map(|number| format!("{number:03}")).collect();
    for name in &names {
        cluster
            .launch(name, builtin("sh echo > fifo; sleep 1000"))
            .await;
    }
    for name in &names {
        cluster.ready(name).await;
    }
    for name in &names {
        cluster.launcher.destroy(name, Destroy::Now);
    }
    let mut ended = Vec::new();
    for _ in &names {
        let (name, status) = cluster.exit().await;
        assert_eq!(status, ExitStatus::Signaled(9));
        ended.push(name);
    }
    ended.sort();
    assert_eq!(ended, names);
}

pub(crate) async fn limits_hold(mut cluster: Cluster) {
    let mut request = cluster.request("a", shell("ulimit -Sn; ulimit -Hn; umask"));
    request.limits = vec![Limit {
        kind: LimitKind::OpenFiles,
        soft: Some(50),
        hard: Some(60),
    }];
    cluster.launcher.launch(request).await.expect("a launch");
    cluster.exit().await;
    assert_eq!(cluster.output("a", "stdout"), "50\n60\n0022\n");
}

pub(crate) async fn an_executor_inherits_no_descriptors(mut cluster: Cluster) {
    // A program still being started keeps a pipe open in the zygote.
    let line = "for file in /proc/self/fd/*; do readlink $file; done | sort; cat < /dev/stdin";
    let starting = cluster.launcher.launch(cluster.request("a", shell(line)));
    cluster.launch("b", builtin(&format!("sh {line}"))).await;
    starting.await.expect("a launch");
    let (first, second) = (cluster.exit().await, cluster.exit().await);
    assert_eq!(
        (first.1, second.1),
        (ExitStatus::Exited(0), ExitStatus::Exited(0))
    );
    for id in ["a", "b"] {
        let text = cluster.output(id, "stdout");
        let sandbox = format!("{}/{id}", cluster.directory.path().display());
        // The pipe to `sort` is the script's own, as is the directory it reads.
        let foreign = text.lines().filter(|file| {
            let own = file.starts_with(&sandbox) || *file == "/dev/null";
            !own && !file.starts_with("pipe:") && !file.starts_with("/proc/")
        });
        assert_eq!(foreign.collect::<Vec<_>>(), Vec::<&str>::new());
        assert!(
            text.lines()
                .filter(|file| file.starts_with("pipe:"))
                .count()
                <= 1,
            "{text}"
        );
    }
}

pub(crate) async fn a_user_switch_takes_all_rights(mut cluster: Cluster) {
    let Some(nobody) = User::from_name("nobody")
        .expect("users")
        .filter(|_| geteuid().is_root())
    else {
        return println!("skipped: needs root, and a user nobody");
    };
    // Others cannot enter a temporary directory otherwise.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(cluster.directory.path(), open).expect("our directory");
    for (id, what) in [
        ("a", shell("id -u; id -G; touch mine")),
        ("b", builtin("sh id -u; id -G")),
    ] {
        let mut request = cluster.request(id, what);
        request.user = Some("nobody".into());
        let sandbox = request.sandbox.clone();
        cluster.launcher.launch(request).await.expect("a launch");
        assert_eq!(cluster.exit().await, (id.into(), ExitStatus::Exited(0)));
        let expected = format!("{}\n{}\n", nobody.uid, nobody.gid);
        assert_eq!(cluster.output(id, "stdout"), expected);
        for file in [
            sandbox.clone(),
            sandbox.join("stdout"),
            sandbox.join("stderr"),
        ] {
            let owner = fs::metadata(&file).expect("a file").uid();
            assert_eq!(owner, nobody.uid.as_raw(), "{}", file.display());
        }
    }
}
