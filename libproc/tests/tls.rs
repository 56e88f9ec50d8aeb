//! Nodes with certificates, and those with others, or none.

#[path = "common/certificates.rs"]
mod certificates;
mod common;

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use certificates::*;
use common::*;
use libproc::prelude::*;
use libproc::security::{Authority, Delegation, HttpAccess, Issued, Names, from_now};
use libproc::{Denied, Security};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// A node on a free port of one of this machine's many addresses.
async fn node_at(ip: &str, security: Security) -> Node {
    let node = Node::builder()
        .security(security)
        .bind(&format!("{ip}:0"))
        .await;
    node.expect("a free port")
}

fn security(authority: &Authority, ip: &str) -> Security {
    tls(authority, &issued(authority, &[ip]))
}

fn denied<T>(why: Denied) -> Result<T, AskError> {
    Err(AskError::Denied(why))
}

/// How often a node has denied somebody for this.
async fn count(node: &Node, authority: &Authority, why: Denied) -> u64 {
    let certificate = issued(authority, &["127.0.0.1"]);
    let stream = connect(node.address(), authority, Some(&certificate)).await;
    let page = get(stream.expect("a member may look"), "/metrics/snapshot").await;
    let body = page.split("\r\n\r\n").nth(1).expect("a body");
    let page: serde_json::Value = serde_json::from_str(body).expect("it is JSON");
    page[format!("libproc/denied/{why:?}")]
        .as_u64()
        .expect("a counter")
}

async fn get(mut stream: impl AsyncRead + AsyncWrite + Unpin, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it reads");
    let mut answer = Vec::new();
    // Whoever ends a TLS connection without a word is not always polite.
    stream.read_to_end(&mut answer).await.ok();
    String::from_utf8(answer).expect("it is text")
}

#[test]
fn nodes_with_certificates_of_one_authority_talk() {
    alone(async {
        let authority = authority();
        let here = node_at("127.0.0.2", security(&authority, "127.0.0.2")).await;
        let there = node_at("127.0.0.3", security(&authority, "127.0.0.3")).await;
        let counter = there.spawn("counter", Counter::default());
        let bytes = "x".repeat(3 << 20);
        let length = bytes.len() as u64;
        assert_eq!(here.ask(&counter, Store { bytes }).await, Ok(length));
        for by in 1..=1000 {
            here.tell(&counter, Add { by });
        }
        assert_eq!(here.ask(&counter, Add { by: 0 }).await, Ok(1 + 500_500));
        // And back over the same connection.
        let counter = here.spawn("counter", Counter::default());
        assert_eq!(there.ask(&counter, Add { by: 7 }).await, Ok(7));
        here.shutdown().await;
        there.shutdown().await;
    });
}

#[test]
fn a_node_may_claim_the_addresses_of_its_certificate_and_no_others() {
    alone(async {
        let authority = authority();
        let there = node_at("127.0.0.3", security(&authority, "127.0.0.3")).await;
        let counter = there.spawn("counter", Counter::default());
        let thief = node_at("127.0.0.2", security(&authority, "127.0.0.9")).await;
        let asked = thief.ask(&counter, Add { by: 1 }).await;
        assert_eq!(asked, denied(Denied::OtherAddress));
        assert_eq!(count(&there, &authority, Denied::OtherAddress).await, 1);
        let on_thief = thief.spawn("counter", Counter::default());
        let asked = there.ask(&on_thief, Add { by: 1 }).await;
        assert_eq!(asked, denied(Denied::OtherAddress));
        // An operator may dial from anywhere, and be answered by at none.
        let names = Names {
            roaming: true,
            ..names(&[])
        };
        let roaming = authority
            .issue(&names, from_now(LIFE))
            .expect("a certificate");
        let laptop = node_at("127.0.0.4", tls(&authority, &roaming)).await;
        assert_eq!(laptop.ask(&counter, Add { by: 1 }).await, Ok(1));
        laptop.shutdown().await;
        let laptop = node_at("127.0.0.4", tls(&authority, &roaming)).await;
        let on_laptop = laptop.spawn("counter", Counter::default());
        let asked = there.ask(&on_laptop, Add { by: 1 }).await;
        assert_eq!(asked, denied(Denied::OtherAddress));
        for node in [there, thief, laptop] {
            node.shutdown().await;
        }
    });
}

#[test]
fn certificates_that_have_expired_or_are_by_others_are_denied() {
    alone(async {
        let authority = authority();
        let there = node_at("127.0.0.3", security(&authority, "127.0.0.3")).await;
        let counter = there.spawn("counter", Counter::default());
        let past = SystemTime::now() - Duration::from_secs(60);
        let expired = authority
            .issue(&names(&["127.0.0.2"]), past)
            .expect("a certificate");
        let expired = tls(&authority, &expired);
        let other = certificates::authority();
        let other = tls(&authority, &issued(&other, &["127.0.0.2"]));
        for security in [expired, other] {
            let here = node_at("127.0.0.2", security).await;
            assert_eq!(
                here.ask(&counter, Add { by: 1 }).await,
                denied(Denied::BadCertificate)
            );
            let on_here = here.spawn("counter", Counter::default());
            assert_eq!(
                there.ask(&on_here, Add { by: 1 }).await,
                denied(Denied::BadCertificate)
            );
            here.shutdown().await;
        }
        assert_eq!(there.ask(&counter, Add { by: 0 }).await, Ok(0));
        // Two that they denied, two that it did.
        assert_eq!(count(&there, &authority, Denied::BadCertificate).await, 4);
        there.shutdown().await;
    });
}

#[test]
fn tls_and_plain_tell_each_other_what_is_wrong() {
    alone(async {
        let authority = authority();
        let there = node_at("127.0.0.3", security(&authority, "127.0.0.3")).await;
        let plain = node().await;
        let (on_there, on_plain) = [&there, &plain]
            .map(|node| node.spawn("counter", Counter::default()))
            .into();
        assert_eq!(
            plain.ask(&on_there, Add { by: 1 }).await,
            denied(Denied::TlsWanted)
        );
        assert_eq!(
            there.ask(&on_plain, Add { by: 1 }).await,
            denied(Denied::NoTlsThere)
        );
        let stream = TcpStream::connect(there.address())
            .await
            .expect("it listens");
        let answer = get(stream, "/metrics").await;
        assert!(
            answer.starts_with("HTTP/1.1 400 ") && answer.contains("https"),
            "{answer}"
        );
        let error = connect(plain.address(), &authority, None)
            .await
            .expect_err("no TLS");
        assert!(error.to_string().contains("ProtocolVersion"), "{error}");
        for nonsense in [
            &b"\x16\x03\x01\xff\xff"[..],
            b"\x16garbage",
            b"?",
            b"\x00nonsense",
        ] {
            for node in [&there, &plain] {
                let mut stream = TcpStream::connect(node.address())
                    .await
                    .expect("it listens");
                stream.write_all(nonsense).await.expect("it reads");
                stream.shutdown().await.expect("it is open");
                stream.read_to_end(&mut Vec::new()).await.ok();
            }
        }
        assert_eq!(there.ask(&on_there, Add { by: 0 }).await, Ok(0));
        there.shutdown().await;
        plain.shutdown().await;
    });
}

#[test]
fn http_clients_need_a_certificate_unless_the_builder_says_otherwise() {
    alone(async {
        let authority = authority();
        let certificate = issued(&authority, &["127.0.0.1"]);
        let status = async |node: &Node, path: &str, certificate: Option<&Issued>| -> String {
            match connect(node.address(), &authority, certificate).await {
                Ok(stream) => {
                    let answer = get(stream, path).await;
                    answer.split(' ').nth(1).unwrap_or("none").to_owned()
                }
                Err(_) => "none".to_owned(),
            }
        };
        let cases = [
            (HttpAccess::Members, ["none", "none"]),
            (HttpAccess::Pages, ["200", "403"]),
            (HttpAccess::Anybody, ["200", "200"]),
        ];
        for (access, [page, process]) in cases {
            let node = node_at("127.0.0.1", tls(&authority, &certificate).http(access)).await;
            node.spawn("counter", Counter::default());
            assert_eq!(status(&node, "/metrics", None).await, page, "{access:?}");
            assert_eq!(
                status(&node, "/counter/total", None).await,
                process,
                "{access:?}"
            );
            assert_eq!(
                status(&node, "/counter/total", Some(&certificate)).await,
                "200"
            );
            // Never frames.
            if access != HttpAccess::Members {
                let stream = connect(node.address(), &authority, None).await;
                let mut stream = stream.expect("anybody may connect");
                stream
                    .write_all(&hello(node.address()))
                    .await
                    .expect("it reads");
                let mut answer = Vec::new();
                stream.read_to_end(&mut answer).await.ok();
                let answer = String::from_utf8_lossy(&answer);
                assert!(answer.contains("CertificateWanted"), "{answer}");
            }
            node.shutdown().await;
        }
    });
}

/// What a node says first.
fn hello(to: SocketAddr) -> Vec<u8> {
    #[derive(serde::Serialize)]
    struct Hello {
        version: u16,
        address: SocketAddr,
        incarnation: u64,
        to: SocketAddr,
    }
    let address = SocketAddr::from(([127, 0, 0, 1], 9));
    let hello = Hello {
        version: 2,
        address,
        incarnation: 1,
        to,
    };
    let body = rmp_serde::to_vec_named(&hello).expect("it encodes");
    [
        b"\x00tepui\r\n",
        &(body.len() as u32).to_le_bytes()[..],
        &body,
    ]
    .concat()
}

#[test]
fn certificates_are_read_again_from_their_files_while_the_node_runs() {
    alone(async {
        use libproc::security::{Authorities, Identity};
        let directory = std::env::temp_dir().join(format!("libproc-tls-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a temporary directory");
        let path = |name: &str| directory.join(name);
        let write = |authority: &Authority| {
            let issued = issued(authority, &["127.0.0.3"]);
            std::fs::write(path("ca"), authority.certificate_pem()).expect("it is ours");
            std::fs::write(path("certificate"), issued.certificate_pem).expect("it is ours");
            std::fs::write(path("key"), issued.key_pem).expect("it is ours");
        };
        let (first, second) = (authority(), authority());
        write(&first);
        let identity = Identity::from_files(path("certificate"), path("key")).expect("PEM");
        let authorities = Authorities::from_file(path("ca")).expect("PEM");
        let reloaded = Security::tls(identity, authorities).expect("they belong together");
        let there = node_at("127.0.0.3", reloaded.clone()).await;
        let counter = there.spawn("counter", Counter::default());
        let asks = async |authority: &Authority| {
            let here = node_at("127.0.0.2", security(authority, "127.0.0.2")).await;
            let answer = here.ask(&counter, Add { by: 1 }).await;
            here.shutdown().await;
            answer
        };
        assert_eq!(asks(&first).await, Ok(1));
        assert!(!reloaded.reload().expect("nothing has changed"));
        write(&second);
        assert!(reloaded.reload().expect("they are good"));
        assert_eq!(asks(&second).await, Ok(2));
        assert_eq!(asks(&first).await, denied(Denied::BadCertificate));
        std::fs::write(path("key"), "no key").expect("it is ours");
        assert!(reloaded.reload().is_err());
        assert_eq!(asks(&second).await, Ok(3));
        reloaded
            .replace(&security(&first, "127.0.0.3"))
            .expect("they are good");
        assert_eq!(asks(&first).await, Ok(4));
        std::fs::remove_dir_all(&directory).expect("it is ours");
        there.shutdown().await;
    });
}

#[test]
fn delegated_certificates_are_for_talking_with_the_delegator_alone() {
    alone(async {
        let authority = authority();
        let agent = node_at("127.0.0.2", security(&authority, "127.0.0.2")).await;
        let master = node_at("127.0.0.3", security(&authority, "127.0.0.3")).await;
        let on_agent = agent.spawn("counter", Counter::default());
        let on_master = master.spawn("counter", Counter::default());
        assert_eq!(agent.ask(&on_master, Add { by: 1 }).await, Ok(1));
        let passed = agent
            .delegate("executor 1")
            .expect("it has a certificate")
            .to_bytes();
        let security = || {
            let delegation = Delegation::from_bytes(&passed).expect("it was made so");
            Security::delegated(delegation).expect("it was made so")
        };
        let executor = node_at("127.0.0.2", security()).await;
        assert_eq!(executor.ask(&on_agent, Add { by: 1 }).await, Ok(1));
        let asked = executor.ask(&on_master, Add { by: 1 }).await;
        assert_eq!(asked, denied(Denied::BadCertificate));
        executor.shutdown().await;
        // It may claim no address but the agent's.
        let elsewhere = node_at("127.0.0.3", security()).await;
        let asked = elsewhere.ask(&on_agent, Add { by: 1 }).await;
        assert_eq!(asked, denied(Denied::OtherAddress));
        let again = node_again(executor.address(), security()).await;
        let on_again = again.spawn("counter", Counter::default());
        assert_eq!(add_again(&agent, &on_again, 5).await, Ok(5));
        for node in [agent, master, elsewhere, again] {
            node.shutdown().await;
        }
    });
}
