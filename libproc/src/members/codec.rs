//! How the packets of the gossip are encoded: MessagePack with field names, each item after its length.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Buf, BufMut};
use foca::{Header, Member, Message, State};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::identity::{Card, Identity};

/// Most members a node knows of, those included that have gone: a limit against peers that tell of
/// more. Above it the mesh of connections would be the first to suffer.
pub(crate) const MEMBERS_MAX: usize = 4096;

/// A packet that makes no sense, or has no room.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CodecError {
    #[error("no room in the packet")]
    NoRoom,
    #[error("the packet does not decode")]
    Malformed,
    #[error("the packet comes from another node than it says")]
    Impostor,
    #[error("more than {MEMBERS_MAX} members")]
    TooMany,
}

#[derive(Serialize, Deserialize)]
struct HeaderPage {
    from: Card,
    from_incarnation: u16,
    to: Identity,
    message: Message<Identity>,
}

#[derive(Serialize, Deserialize)]
struct MemberPage {
    member: Card,
    incarnation: u16,
    state: State,
}

/// Whom packets may come from and be about.
#[derive(Default)]
pub(crate) struct Gate {
    /// The node that sent the packet at hand.
    pub(crate) sender: Option<SocketAddr>,
    /// Whom packets were about.
    pub(crate) known: BTreeSet<SocketAddr>,
}

/// Encodes, decodes and checks.
pub(crate) struct Codec(pub(crate) Arc<Mutex<Gate>>);

impl Codec {
    fn admit(&mut self, card: Card) -> Result<Identity, CodecError> {
        let identity = card.checked().ok_or(CodecError::Malformed)?;
        let mut gate = self.0.lock();
        if !gate.known.contains(&identity.address) {
            if gate.known.len() >= MEMBERS_MAX {
                return Err(CodecError::TooMany);
            }
            gate.known.insert(identity.address);
        }
        Ok(identity)
    }
}

impl foca::Codec<Identity> for Codec {
    type Error = CodecError;

    fn encode_header(
        &mut self,
        header: &Header<Identity>,
        buffer: impl BufMut,
    ) -> Result<(), CodecError> {
        let page = HeaderPage {
            from: Card::of(&header.src).ok_or(CodecError::Malformed)?,
            from_incarnation: header.src_incarnation,
            to: header.dst.clone(),
            message: header.message.clone(),
        };
        put(&page, buffer)
    }

    fn decode_header(&mut self, buffer: impl Buf) -> Result<Header<Identity>, CodecError> {
        let page: HeaderPage = take(buffer)?;
        if self.0.lock().sender != Some(page.from.identity.address) {
            return Err(CodecError::Impostor);
        }
        Ok(Header {
            src: self.admit(page.from)?,
            src_incarnation: page.from_incarnation,
            dst: page.to,
            message: page.message,
        })
    }

    fn encode_member(
        &mut self,
        member: &Member<Identity>,
        buffer: impl BufMut,
    ) -> Result<(), CodecError> {
        let page = MemberPage {
            member: Card::of(member.id()).ok_or(CodecError::Malformed)?,
            incarnation: member.incarnation(),
            state: member.state(),
        };
        put(&page, buffer)
    }

    fn decode_member(&mut self, buffer: impl Buf) -> Result<Member<Identity>, CodecError> {
        let page: MemberPage = take(buffer)?;
        let identity = self.admit(page.member)?;
        Ok(Member::new(identity, page.incarnation, page.state))
    }
}

fn put<T: Serialize>(item: &T, mut buffer: impl BufMut) -> Result<(), CodecError> {
    let bytes = rmp_serde::to_vec_named(item).map_err(|_| CodecError::Malformed)?;
    let length = u16::try_from(bytes.len()).map_err(|_| CodecError::NoRoom)?;
    if buffer.remaining_mut() < bytes.len() + 2 {
        return Err(CodecError::NoRoom);
    }
    buffer.put_u16_le(length);
    buffer.put_slice(&bytes);
    Ok(())
}

fn take<T: DeserializeOwned>(mut buffer: impl Buf) -> Result<T, CodecError> {
    if buffer.remaining() < 2 {
        return Err(CodecError::Malformed);
    }
    let length = usize::from(buffer.get_u16_le());
    if buffer.remaining() < length {
        return Err(CodecError::Malformed);
    }
    let bytes = buffer.copy_to_bytes(length);
    rmp_serde::from_slice(&bytes).map_err(|_| CodecError::Malformed)
}
