//! Nodes that share a secret, and those who do not know it.

mod common;

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;

use common::*;
use libproc::prelude::*;
use libproc::security::{Delegation, HttpAccess, Keys, SecurityError};
use libproc::{Denied, Security};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A secret of 32 bytes.
type Key = [u8; 32];
const OLD: Key = [1; 32];
const NEW: Key = [2; 32];

fn knowing(keys: &[Key]) -> Security {
    Security::secret(Keys::from_bytes(keys).expect("they are long enough"))
}

async fn node_with(security: Security) -> Node {
    let node = Node::builder().security(security).bind("127.0.0.1:0").await;
    node.expect("a free port")
}

fn denied<T>(why: Denied) -> Result<T, AskError> {
    Err(AskError::Denied(why))
}

/// The number of a counter on the metrics page.
async fn metric(node: &Node, name: &str) -> u64 {
    let page = http(node.address(), "/metrics/snapshot", None).await;
    let body = page.split("\r\n\r\n").nth(1).expect("a body");
    let page: serde_json::Value = serde_json::from_str(body).expect("it is JSON");
    page[name]
        .as_u64()
        .unwrap_or_else(|| panic!("no {name} in {page}"))
}

async fn http(to: SocketAddr, path: &str, token: Option<&str>) -> String {
    let stream = TcpStream::connect(to).await.expect("it listens");
    let shown = token
        .map(|token| format!("Authorization: Bearer {token}\r\n"))
        .unwrap_or_default();
    request(
        stream,
        &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{shown}\r\n"),
    )
    .await
}

async fn request(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> String {
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it reads");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .await
        .expect("it answers");
    answer
}

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

/// Passes bytes between two connections, and remembers those of the first.
async fn between(from: TcpStream, to: TcpStream) -> Vec<u8> {
    let ((mut from_read, mut from_write), (mut to_read, mut to_write)) =
        (from.into_split(), to.into_split());
    let back = tokio::task::spawn_local(async move {
        tokio::io::copy(&mut to_read, &mut from_write).await.ok();
    });
    let (mut heard, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = from_read.read(&mut buffer).await {
        heard.extend_from_slice(&buffer[..count]);
        if to_write.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
    back.abort();
    heard
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

fn counter_at(address: SocketAddr) -> Pid<Counting> {
    format!("counter@{address}").parse().expect("an address")
}

#[test]
fn nobody_can_stand_between_two_nodes_under_an_address_of_his_own() {
    alone(async {
        let (here, there) = (
            node_with(knowing(&[OLD])).await,
            node_with(knowing(&[OLD])).await,
        );
        there.spawn("counter", Counter::default());
        let (relay, address) = listener().await;
        let asked = here.ask(&counter_at(address), Add { by: 1 });
        let relayed = async {
            let (dialer, _) = relay.accept().await.expect("somebody dials");
            let onward = TcpStream::connect(there.address())
                .await
                .expect("it listens");
            between(dialer, onward).await
        };
        let (asked, _) = tokio::join!(asked, relayed);
        assert_eq!(asked, denied(Denied::Relayed));
        here.shutdown().await;
        there.shutdown().await;
    });
}

#[test]
fn what_opened_one_connection_opens_no_other() {
    alone(async {
        // One that is reached at an address where everything is written down.
        let (wire, address) = listener().await;
        let behind = listener().await.1;
        let there = Node::builder().security(knowing(&[OLD])).advertise(address);
        let there = there.bind(&behind.to_string()).await.expect("a free port");
        let counter = there.spawn("counter", Counter::default());
        let here = node_with(knowing(&[OLD])).await;
        let listened = async {
            let (dialer, _) = wire.accept().await.expect("somebody dials");
            let onward = TcpStream::connect(behind).await.expect("it listens");
            between(dialer, onward).await
        };
        let asking = async {
            assert_eq!(here.ask(&counter, Add { by: 1 }).await, Ok(1));
            here.shutdown().await;
        };
        let (heard, ()) = tokio::join!(listened, asking);
        // The same again, to the byte.
        let mut replay = TcpStream::connect(behind).await.expect("it listens");
        replay.write_all(&heard).await.expect("it reads");
        let mut answer = Vec::new();
        replay.read_to_end(&mut answer).await.expect("it answers");
        assert!(contains(&answer, b"WrongSecret"), "{answer:?}");
        assert_eq!(there.ask(&counter, Add { by: 0 }).await, Ok(1));
        there.shutdown().await;
    });
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Reads a greeting, with its length.
async fn greeting(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await.expect("a greeting");
    let mut body = vec![0; u32::from_le_bytes(length) as usize];
    stream.read_exact(&mut body).await.expect("a greeting");
    [&length[..], &body].concat()
}

#[test]
fn a_challenge_or_a_proof_that_is_sent_back_proves_nothing() {
    #[derive(serde::Serialize)]
    struct Challenge {
        nonce: [u8; 16],
    }
    #[derive(serde::Deserialize)]
    struct Proofs {
        proofs: Vec<[u8; 32]>,
    }
    #[derive(serde::Serialize)]
    struct Sealed {
        #[serde(with = "serde_bytes")]
        welcome: Vec<u8>,
        proof: Option<[u8; 32]>,
    }
    #[derive(serde::Serialize)]
    struct Welcome {
        incarnation: u64,
        accepted: bool,
    }
    let said = |body: Vec<u8>| [&(body.len() as u32).to_le_bytes()[..], &body].concat();
    alone(async {
        let here = node_with(knowing(&[OLD])).await;
        for proves in [true, false] {
            let (impostor, address) = listener().await;
            let answers = async {
                let (mut dialer, _) = impostor.accept().await.expect("somebody dials");
                dialer.read_exact(&mut [0; 8]).await.expect("a preface");
                greeting(&mut dialer).await;
                let challenge: Result<_, ()> = Ok(Challenge { nonce: [9; 16] });
                let challenge = rmp_serde::to_vec_named(&challenge).expect("it encodes");
                dialer.write_all(&said(challenge)).await.expect("it reads");
                let proofs = greeting(&mut dialer).await;
                let proofs: Proofs = rmp_serde::from_slice(&proofs[4..]).expect("it decodes");
                let welcome = Welcome {
                    incarnation: 1,
                    accepted: true,
                };
                let welcome = rmp_serde::to_vec_named(&welcome).expect("it encodes");
                let proof = proves.then(|| proofs.proofs[0]);
                let sealed: Result<_, ()> = Ok(Sealed { welcome, proof });
                let sealed = rmp_serde::to_vec_named(&sealed).expect("it encodes");
                dialer.write_all(&said(sealed)).await.expect("it reads");
                let mut letters = Vec::new();
                dialer.read_to_end(&mut letters).await.expect("it hangs up");
                letters
            };
            let asked = here.ask(&counter_at(address), Add { by: 1 });
            let (letters, asked) = tokio::join!(answers, asked);
            assert_eq!(asked, denied(Denied::WrongSecret));
            assert_eq!(letters, b"");
        }
        here.shutdown().await;
    });
}

#[test]
fn strangers_who_say_nothing_or_nonsense_keep_nobody_out() {
    alone(async {
        let builder = Node::builder().security(knowing(&[OLD])).strangers(4);
        let there = builder.bind("127.0.0.1:0").await.expect("a free port");
        let counter = there.spawn("counter", Counter::default());
        let connect = || TcpStream::connect(there.address());
        // Silent, slow in the middle of each part, and HTTP without an end or a token.
        let openings: [&[u8]; 6] = [
            b"",
            b"\x00tep",
            b"\x00tepui\r\n",
            b"\x00tepui\r\n\x40\x00\x00\x00\x81",
            b"GET / HTTP/1.1\r\n",
            b"GET /counter/total HTTP/1.1\r\nHost: x\r\n\r\n",
        ];
        let mut open = Vec::new();
        for opening in openings.iter().cycle().take(60) {
            let mut stream = connect().await.expect("it listens");
            stream.write_all(opening).await.expect("it reads");
            open.push(stream);
        }
        // Nonsense ends at once, however long it says it is.
        for nonsense in [
            &b"\x00tepui\r\n\xff\xff\xff\xff"[..],
            b"\x00tepui\r\n\x01\0\0\0\xc1",
        ] {
            let mut stream = connect().await.expect("it listens");
            stream.write_all(nonsense).await.expect("it reads");
            assert_eq!(stream.read_to_end(&mut Vec::new()).await.ok(), Some(0));
        }
        let here = node_with(knowing(&[OLD])).await;
        assert_eq!(here.ask(&counter, Add { by: 1 }).await, Ok(1));
        assert!(metric(&there, "libproc/evicted_connections").await >= 56);
        here.shutdown().await;
        there.shutdown().await;
    });
}

/// What a node that knows a secret says first.
fn hello(to: SocketAddr, version: u16) -> Vec<u8> {
    #[derive(serde::Serialize)]
    struct Hello {
        version: u16,
        address: SocketAddr,
        incarnation: u64,
        to: SocketAddr,
        nonce: [u8; 16],
        label: Option<String>,
    }
    let hello = Hello {
        version,
        address: SocketAddr::from(([127, 0, 0, 1], 9)),
        incarnation: 1,
        to,
        nonce: [5; 16],
        label: Some("label".to_owned()),
    };
    let body = rmp_serde::to_vec_named(&hello).expect("it encodes");
    let length = (body.len() as u32).to_le_bytes();
    [b"\x00tepui\r\n", &length[..], &body].concat()
}

#[test]
fn a_node_of_another_version_is_told_so() {
    alone(async {
        let there = node_with(knowing(&[OLD])).await;
        let mut stream = TcpStream::connect(there.address())
            .await
            .expect("it listens");
        let hello = hello(there.address(), 1);
        stream.write_all(&hello).await.expect("it reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("it answers");
        assert!(contains(&answer, b"Version"), "{answer:?}");
        there.shutdown().await;
    });
}

#[test]
fn greetings_that_are_mangled_open_nothing_and_harm_nobody() {
    const SEED: u64 = 20;
    alone(async {
        let there = node_with(knowing(&[OLD])).await;
        let counter = there.spawn("counter", Counter::default());
        let mut rng = StdRng::seed_from_u64(SEED);
        let whole = [
            hello(there.address(), 2),
            hello(there.address(), 2)[8..].to_vec(),
        ]
        .concat();
        for round in 0..300 {
            let mut bytes = whole.clone();
            for _ in 0..rng.random_range(0..8) {
                let at = rng.random_range(8..bytes.len());
                bytes[at] = rng.random();
            }
            bytes.truncate(rng.random_range(8..=bytes.len()));
            let mut stream = TcpStream::connect(there.address())
                .await
                .expect("it listens");
            // It may have hung up.
            stream.write_all(&bytes).await.ok();
            stream.shutdown().await.ok();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.ok();
            assert!(!contains(&answer, b"welcome"), "seed {SEED}, round {round}");
        }
        let here = node_with(knowing(&[OLD])).await;
        assert_eq!(here.ask(&counter, Add { by: 1 }).await, Ok(1));
        here.shutdown().await;
        there.shutdown().await;
    });
}

#[test]
fn delegated_credentials_are_for_talking_with_the_delegator_alone() {
    alone(async {
        let agent = node_with(knowing(&[OLD])).await;
        let master = node_with(knowing(&[OLD])).await;
        let on_agent = agent.spawn("counter", Counter::default());
        let on_master = master.spawn("counter", Counter::default());
        assert_eq!(agent.ask(&on_master, Add { by: 1 }).await, Ok(1));
        let passed = agent
            .delegate("executor 1")
            .expect("it has a secret")
            .to_bytes();
        let delegation = || Delegation::from_bytes(&passed).expect("it was made so");
        let security = || Security::delegated(delegation()).expect("it was made so");

        let executor = node_with(security()).await;
        let on_executor = executor.spawn("counter", Counter::default());
        assert_eq!(executor.ask(&on_agent, Add { by: 1 }).await, Ok(1));
        let asked = executor.ask(&on_master, Add { by: 1 }).await;
        assert_eq!(asked, denied(Denied::WrongSecret));
        let asked = master.ask(&on_executor, Add { by: 1 }).await;
        assert_eq!(asked, denied(Denied::WrongSecret));
        let other = node_with(security()).await;
        let asked = other.ask(&on_executor, Add { by: 1 }).await;
        assert_eq!(asked, denied(Denied::NotForDelegates));
        assert!(matches!(
            executor.delegate("more"),
            Err(SecurityError::Delegated)
        ));

        // The agent dials the executor too, when the connection broke.
        executor.shutdown().await;
        let again = node_again(executor.address(), security()).await;
        let on_executor = again.spawn("counter", Counter::default());
        assert_eq!(add_again(&agent, &on_executor, 5).await, Ok(5));

        // It does not pass for the master, once that is down.
        master.shutdown().await;
        let passes = node_again(master.address(), security()).await;
        passes.spawn("counter", Counter::default());
        let asked = add_again(&agent, &on_master, 1).await;
        assert_eq!(asked, denied(Denied::NotForDelegates));
        let asked = add_again(&passes, &on_agent, 1).await;
        assert_eq!(asked, denied(Denied::NotForDelegates));
        for node in [agent, other, again, passes] {
            node.shutdown().await;
        }
    });
}

#[test]
fn a_peer_that_stalls_in_the_handshake_costs_its_own_time_only() {
    alone(async {
        let here = node_with(knowing(&[OLD])).await;
        let (silent, address) = listener().await;
        let accepted = async {
            let stream = silent.accept().await.expect("somebody dials");
            std::future::pending::<()>().await;
            drop(stream);
        };
        tokio::select! {
            asked = here.ask(&counter_at(address), Add { by: 1 }) => {
                assert_eq!(asked, Err(AskError::Unreachable));
            }
            () = accepted => {}
        }
        here.shutdown().await;
    });
}
