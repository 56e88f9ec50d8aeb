//! The same cluster on the real network of this machine.

use cluster::{Shape, Storm, real};
use types::FrameworkInfo;

#[test]
fn a_cluster_on_the_real_network_does_its_work() {
    let done = libproc::run_alone(async {
        let mut cluster = real(Shape::default())
            .await
            .expect("this machine has ports");
        let storm = Storm::steady(20, 0).then_stop();
        let started = cluster
            .start(storm.clone(), FrameworkInfo::new("storm"))
            .await;
        let ended = started.expect("this machine has ports").ended().await;
        assert_eq!(cluster.violations(), [""; 0]);
        assert_eq!(cluster.truth(|truth| truth.started()), 20);
        cluster.shutdown().await;
        Ok(ended.map(|code| (code.is_success(), storm.done())))
    });
    assert_eq!(done.unwrap().unwrap(), (true, 20));
}
