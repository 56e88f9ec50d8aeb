//! Bytes in messages that are not copied where they arrive.

use std::cell::RefCell;
use std::fmt;
use std::ops::Deref;

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

/// Bytes up to which a copy is made: about as cheap, and what was read with it need not be kept.
const COPIED: usize = 64;
/// Room that is made for a list of numbers before they are seen, in bytes.
const TRUSTED: usize = 4096;

/// Bytes as a part of a message: cloned by counting, and from another node not copied either.
///
/// What a connection brings is read into buffers of up to 128 KiB, or of one larger message. A blob
/// of more than 64 bytes is a part of that buffer, and keeps all of it in memory while it
/// lives. Where some of many are kept for long, keep a [`detached`](Blob::detached) one.
///
/// On the wire it is what a `serde_bytes::ByteBuf` is.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Blob(Bytes);

impl Blob {
    /// A copy with nothing else in memory because of it.
    #[must_use]
    pub fn detached(&self) -> Blob {
        Blob(Bytes::copy_from_slice(&self.0))
    }
}

impl Deref for Blob {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Blob {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Blob {
        Blob(bytes.into())
    }
}

impl From<Bytes> for Blob {
    fn from(bytes: Bytes) -> Blob {
        Blob(bytes)
    }
}

impl From<Blob> for Bytes {
    fn from(blob: Blob) -> Bytes {
        blob.0
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Blob, D::Error> {
        deserializer.deserialize_byte_buf(Reading)
    }
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Blob;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    #[inline]
    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Blob, E> {
        Ok(Blob(part(bytes)))
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Blob, E> {
        Ok(Blob(bytes.into()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Blob, E> {
        self.visit_bytes(text.as_bytes())
    }

    // What has no bytes of its own, as JSON, writes them as a list of numbers.
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Blob, A::Error> {
        let room = list.size_hint().unwrap_or(0).min(TRUSTED);
        let mut bytes = Vec::with_capacity(room);
        while let Some(byte) = list.next_element()? {
            bytes.push(byte);
        }
        Ok(Blob(bytes.into()))
    }
}

thread_local! {
    /// What is being decoded on this thread, if it can be shared.
    static ARRIVED: RefCell<Bytes> = const { RefCell::new(Bytes::new()) };
}

/// While it lives, blobs that are decoded on this thread from `arrived` are parts of it.
pub(crate) fn share(arrived: &Bytes) -> impl Drop + use<> {
    struct Shared;
    impl Drop for Shared {
        fn drop(&mut self) {
            ARRIVED.set(Bytes::new());
        }
    }
    ARRIVED.set(arrived.clone());
    Shared
}

#[inline]
fn part(bytes: &[u8]) -> Bytes {
    if bytes.len() <= COPIED {
        return Bytes::copy_from_slice(bytes);
    }
    ARRIVED.with_borrow(|arrived| {
        // What was decoded from elsewhere lies elsewhere.
        let start = bytes.as_ptr().addr().wrapping_sub(arrived.as_ptr().addr());
        let end = start.wrapping_add(bytes.len());
        match start <= end && end <= arrived.len() {
            true => arrived.slice(start..end),
            false => Bytes::copy_from_slice(bytes),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lies_in(part: &[u8], whole: &[u8]) -> bool {
        whole.as_ptr_range().contains(&part.as_ptr())
    }

    #[test]
    fn a_long_blob_is_a_part_of_what_arrived_and_any_other_is_a_copy() {
        for (length, shared) in [(0, false), (COPIED, false), (COPIED + 1, true)] {
            let sent = Blob::from(vec![7; length]);
            let body = Bytes::from(rmp_serde::to_vec_named(&sent).expect("it encodes"));
            let read = || -> Blob { crate::body::decode(&body).expect("it decodes") };
            let sharing = share(&body);
            assert_eq!(read(), sent);
            assert_eq!(lies_in(&read(), &body), shared, "{length}");
            assert!(!lies_in(&read().detached(), &body));
            let elsewhere = body.to_vec();
            let other: Blob = crate::body::decode(&elsewhere).expect("it decodes");
            assert!(other == sent && !lies_in(&other, &elsewhere) && !lies_in(&other, &body));
            drop(sharing);
            assert!(!lies_in(&read(), &body));
        }
    }

    #[test]
    fn a_blob_is_written_and_read_as_any_bytes_are() {
        let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
        let body = rmp_serde::to_vec(&serde_bytes::Bytes::new(&bytes)).expect("it encodes");
        let blob: Blob = rmp_serde::from_slice(&body).expect("it decodes");
        assert_eq!(*blob, bytes);
        assert_eq!(rmp_serde::to_vec(&blob).expect("it encodes"), body);
        let text = serde_json::to_string(&blob).expect("it encodes");
        assert_eq!(
            serde_json::from_str::<Blob>(&text).expect("it decodes"),
            blob
        );
        assert!(serde_json::from_str::<Blob>("[256]").is_err());
    }
}
