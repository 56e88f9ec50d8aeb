//! Those who stand between nodes that share a secret, or pretend to know it.

mod common;
#[path = "common/secrets.rs"]
mod secrets;

use common::*;
use libproc::Denied;
use libproc::prelude::*;
use secrets::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

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
