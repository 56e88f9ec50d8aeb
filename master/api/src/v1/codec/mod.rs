//! How the messages of the public API are written and read: one definition, two encodings.
//!
//! [`message!`](macros) declares a struct with its fields and their numbers. From that one list it
//! makes a [`Message`]: protobuf (proto2: presence, required fields, unknown enum values dropped)
//! and the JSON that Apache Mesos speaks, which is not protobuf's own mapping: names as declared,
//! 64-bit numbers as numbers, base64 for bytes, defaults written out, and on the way in a good
//! deal of tolerance (see [`json`]).
//!
//! Neither prost's derive nor pbjson is used for this. The derive takes a missing required field
//! for an empty one, keeps enums as any `i32`, and knows no limit but nesting; pbjson needs protoc
//! and writes proto3's camelCase JSON. What prost does have is used: varints, keys and the skipping
//! of unknown fields; and the tests hold its derive against ours.
//!
//! | file | about |
//! | --- | --- |
//! | [`bounds`] | where in a message the reader is, and how much it may still take |
//! | [`value`] | one value: a number, a text, bytes |
//! | [`field`] | a field: required, optional, repeated, a map |
//! | [`json`] | JSON in, with its tolerance |
//! | [`macros`] | the declarations |

pub mod bounds;
pub mod field;
pub mod json;
pub mod macros;
pub mod value;

use std::fmt::Debug;

use bytes::Bytes;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, encode_varint};
use serde::de::MapAccess;
use serde::ser::Serialize;

use bounds::{Bounds, Fault, Place};

/// A message of the public API.
///
/// Its `Serialize` and `Deserialize` are the JSON of the API. [`Message::from_json`] does the same
/// and says which field was wrong.
pub trait Message: value::Value + Default + Debug + Serialize {
    /// Its name in the documentation of the API, without the package.
    const NAME: &'static str;

    /// Appends the fields in protobuf.
    fn write_fields(&self, out: &mut Vec<u8>);

    /// Reads one field of protobuf; returns the bit of a field that was there.
    #[doc(hidden)]
    fn read_field(&mut self, key: Key, input: &mut &[u8], at: &Place<'_>) -> Result<u64, Fault>;

    /// Reads one entry of a JSON object; returns the bit of a field that was there. An `alias`
    /// does not count when the field has a bit in `seen`.
    #[doc(hidden)]
    fn read_entry<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
        entry: Entry,
        at: &Place<'_>,
    ) -> Result<u64, A::Error>;

    /// The first required field that has no bit in `seen`.
    #[doc(hidden)]
    fn missing(seen: u64) -> Option<&'static str>;

    /// Returns the message in protobuf.
    fn to_protobuf(&self) -> Bytes {
        let mut out = Vec::new();
        self.write_fields(&mut out);
        out.into()
    }

    /// Returns the message in JSON, without white space.
    fn to_json(&self) -> Bytes {
        serde_json::to_vec(self)
            .expect("a message has text keys only")
            .into()
    }

    /// Reads a message in protobuf.
    ///
    /// # Errors
    ///
    /// Says which field is wrong or missing, or that the message is too large or nested too deep.
    fn from_protobuf(mut input: &[u8]) -> Result<Self, Fault> {
        let bounds = Bounds::new();
        merge(Self::default(), 0, &mut input, &Place::root(&bounds))
    }

    /// Reads a message in JSON.
    ///
    /// # Errors
    ///
    /// Says where the text is no JSON, or which field is wrong or missing, or that the message is
    /// too large or nested too deep.
    fn from_json(text: &[u8]) -> Result<Self, Fault> {
        json::from_slice(text)
    }
}

/// The number and the form of a protobuf field.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Key {
    pub(crate) tag: u32,
    pub(crate) wire: WireType,
}

/// What is known of an entry of a JSON object.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The entry has the name the field had before agents were called agents.
    pub(crate) alias: bool,
    /// The bits of the fields that were there.
    pub(crate) seen: u64,
}

/// Reads all of `input` into `message`, in which the fields in `seen` are there already.
pub(crate) fn merge<M: Message>(
    mut message: M,
    mut seen: u64,
    input: &mut &[u8],
    at: &Place<'_>,
) -> Result<M, Fault> {
    while !input.is_empty() {
        let (tag, wire) = decode_key(input).map_err(|error| at.garbled(&error))?;
        seen |= message.read_field(Key { tag, wire }, input, at)?;
    }
    match M::missing(seen) {
        Some(name) => Err(at.missing(name)),
        None => Ok(message),
    }
}

/// Skips a field that has no meaning here.
pub(crate) fn skip(key: Key, input: &mut &[u8], at: &Place<'_>) -> Result<(), Fault> {
    prost::encoding::skip_field(key.wire, key.tag, input, DecodeContext::default())
        .map_err(|error| at.garbled(&error))
}

/// Takes the bytes of a value that is preceded by its length.
pub(crate) fn take<'a>(input: &mut &'a [u8], at: &Place<'_>) -> Result<&'a [u8], Fault> {
    let length = decode_varint(input).map_err(|error| at.garbled(&error))?;
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let Some((value, rest)) = input.split_at_checked(length) else {
        return Err(at.convert("is longer than the message it is in"));
    };
    *input = rest;
    Ok(value)
}

/// Appends what `write` writes, preceded by its length.
pub(crate) fn with_length(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    // Most messages are shorter than 128 bytes, whose length is one byte. A longer one moves up
    // once its length is known, which is cheaper than to measure each message at every level.
    let start = out.len();
    out.push(0);
    write(out);
    let length = out.len() - start - 1;
    let mut prefix = Vec::new();
    if let Ok(short) = u8::try_from(length)
        && short < 0x80
    {
        out[start] = short;
        return;
    }
    encode_varint(length as u64, &mut prefix);
    out.splice(start..=start, prefix);
}
