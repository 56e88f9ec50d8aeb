//! Nodes that share a secret: who knows it, how it is replaced, and what it opens over HTTP.

mod common;
#[path = "common/secrets.rs"]
mod secrets;

use std::os::unix::fs::PermissionsExt as _;

use common::*;
use libproc::prelude::*;
use libproc::security::{HttpAccess, Keys, SecurityError};
use libproc::{Denied, Security};
use secrets::*;

#[test]
fn nodes_that_share_a_secret_talk_and_others_are_told_why_not() {
    alone(async {
        let there = node_with(knowing(&[OLD])).await;
        let counter = there.spawn("counter", Counter::default());
        for (security, expected) in [
            (knowing(&[OLD]), Ok(1)),
            (knowing(&[NEW]), denied(Denied::WrongSecret)),
            (Security::none(), denied(Denied::SecretWanted)),
        ] {
            let here = node_with(security).await;
            assert_eq!(here.ask(&counter, Add { by: 1 }).await, expected);
            here.shutdown().await;
        }
        assert_eq!(there.ask(&counter, Add { by: 0 }).await, Ok(1));
        assert_eq!(metric(&there, "libproc/denied/WrongSecret").await, 1);
        assert_eq!(metric(&there, "libproc/denied/SecretWanted").await, 1);
        assert_eq!(metric(&there, "libproc/refused_connections").await, 2);

        let open = node_with(Security::none()).await;
        let counter = open.spawn("counter", Counter::default());
        let asked = there.ask(&counter, Add { by: 1 }).await;
        assert_eq!(asked, denied(Denied::NoSecretThere));
        there.shutdown().await;
        open.shutdown().await;
    });
}

#[test]
fn a_secret_is_replaced_without_a_pause() {
    alone(async {
        let (old, both, new) = (
            node_with(knowing(&[OLD])).await,
            node_with(knowing(&[NEW, OLD])).await,
            node_with(knowing(&[NEW])).await,
        );
        let on_old = old.spawn("counter", Counter::default());
        let on_both = both.spawn("counter", Counter::default());
        let on_new = new.spawn("counter", Counter::default());
        assert_eq!(both.ask(&on_old, Add { by: 1 }).await, Ok(1));
        assert_eq!(both.ask(&on_new, Add { by: 1 }).await, Ok(1));
        assert_eq!(new.ask(&on_both, Add { by: 1 }).await, Ok(1));
        assert_eq!(
            new.ask(&on_old, Add { by: 1 }).await,
            denied(Denied::WrongSecret)
        );
        for node in [old, both, new] {
            node.shutdown().await;
        }
    });
}

#[test]
fn secrets_are_read_again_from_their_files_while_the_node_runs() {
    alone(async {
        let file = std::env::temp_dir().join(format!("libproc-secret-{}", std::process::id()));
        let write = |key: &[u8]| {
            std::fs::write(&file, key).expect("a temporary directory");
            let mode = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(&file, mode).expect("it is ours");
        };
        write(b"the old secret of the cluster\n");
        let security = Security::secret(Keys::from_files(&[&file]).expect("it is a secret"));
        let there = node_with(security.clone()).await;
        let counter = there.spawn("counter", Counter::default());
        let asks = async |key: &[u8]| {
            let keys = Keys::from_bytes(&[key]).expect("long enough");
            let here = node_with(Security::secret(keys)).await;
            let answer = here.ask(&counter, Add { by: 1 }).await;
            here.shutdown().await;
            answer
        };
        assert_eq!(asks(b"the old secret of the cluster").await, Ok(1));
        assert!(!security.reload().expect("nothing has changed"));
        write(b"the new secret of the cluster");
        assert!(security.reload().expect("it is a secret"));
        assert_eq!(asks(b"the new secret of the cluster").await, Ok(2));
        let asked = asks(b"the old secret of the cluster").await;
        assert_eq!(asked, denied(Denied::WrongSecret));
        write(b"short");
        assert!(matches!(security.reload(), Err(SecurityError::ShortKey(5))));
        std::fs::remove_file(&file).expect("it is ours");
        assert!(matches!(security.reload(), Err(SecurityError::Read { .. })));
        assert_eq!(asks(b"the new secret of the cluster").await, Ok(3));
        there.shutdown().await;
    });
}

#[test]
fn http_clients_show_the_token_of_the_secret_for_all_but_the_pages() {
    alone(async {
        let keys = Keys::from_bytes(&[OLD]).expect("long enough");
        let token = keys.http_token();
        let status = async |node: &Node, path: &str, token: Option<&str>| -> String {
            let answer = http(node.address(), path, token).await;
            answer.split(' ').nth(1).expect("a status").to_owned()
        };
        let cases = [
            (None, ["200", "401"]),
            (Some(HttpAccess::Members), ["401", "401"]),
            (Some(HttpAccess::Pages), ["200", "401"]),
            (Some(HttpAccess::Anybody), ["200", "200"]),
        ];
        for (access, [page, process]) in cases {
            let security = Security::secret(keys.clone());
            let node = node_with(match access {
                Some(access) => security.http(access),
                None => security,
            })
            .await;
            node.spawn("counter", Counter::default());
            assert_eq!(status(&node, "/metrics", None).await, page, "{access:?}");
            assert_eq!(
                status(&node, "/counter/total", None).await,
                process,
                "{access:?}"
            );
            let wrong = "0".repeat(64);
            assert_eq!(status(&node, "/counter/total", Some(&wrong)).await, process);
            assert_eq!(status(&node, "/counter/total", Some(&token)).await, "200");
            node.shutdown().await;
        }
    });
}
