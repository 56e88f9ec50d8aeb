//! One value of a field: a number, a text, bytes.

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use bytes::Bytes;
use prost::encoding::{WireType, decode_varint, encode_varint};
use serde::de::MapAccess;
use serde::ser::{Serialize, Serializer};

use super::bounds::{Fault, Place};
use super::json::Token;
use super::{take, with_length};

/// Base64 as everybody writes it, with or without the padding at the end.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// One value of a field. A repeated field has several.
pub trait Value: Sized + Clone + PartialEq {
    /// Its form on the wire of protobuf.
    #[doc(hidden)]
    const WIRE: WireType;

    /// Appends the value in protobuf, with its length if it has one.
    fn write(&self, out: &mut Vec<u8>);

    /// Reads one value of protobuf; none for a name of an enum that is not known here. A message
    /// is joined with the one that was there before.
    #[doc(hidden)]
    fn read(before: Option<Self>, input: &mut &[u8], at: &Place<'_>)
    -> Result<Option<Self>, Fault>;

    /// Writes the value in JSON.
    ///
    /// # Errors
    ///
    /// Those of the serializer.
    fn write_json<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;

    /// Takes a JSON value that is neither object nor array; none for a name of an enum that is not
    /// known here.
    #[doc(hidden)]
    fn read_token(token: Token<'_>, at: &Place<'_>) -> Result<Option<Self>, Fault>;

    /// Takes a JSON object.
    #[doc(hidden)]
    fn read_object<'de, A: MapAccess<'de>>(_: A, at: &Place<'_>) -> Result<Self, A::Error> {
        Err(at.keep(at.unexpected("object")))
    }
}

/// A value as serde sees it.
pub(crate) struct Shown<'a, T>(pub(crate) &'a T);

impl<T: Value> Serialize for Shown<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.write_json(serializer)
    }
}

/// Reads a varint.
pub(crate) fn varint(input: &mut &[u8], at: &Place<'_>) -> Result<u64, Fault> {
    decode_varint(input).map_err(|error| at.garbled(&error))
}

macro_rules! integers {
    ($($ty:ident as $wide:ident,)*) => { $(
        impl Value for $ty {
            const WIRE: WireType = WireType::Varint;

            fn write(&self, out: &mut Vec<u8>) {
                // A negative number has ten bytes: its sign goes all the way up.
                encode_varint(*self as $wide as u64, out);
            }

            fn read(
                _: Option<Self>,
                input: &mut &[u8],
                at: &Place<'_>,
            ) -> Result<Option<Self>, Fault> {
                Ok(Some(varint(input, at)? as $ty))
            }

            fn write_json<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.serialize(serializer)
            }

            fn read_token(token: Token<'_>, at: &Place<'_>) -> Result<Option<Self>, Fault> {
                let number = token.integer(at)?;
                match $ty::try_from(number) {
                    Ok(number) => Ok(Some(number)),
                    Err(_) => Err(at.convert(concat!("is out of the range of ", stringify!($ty)))),
                }
            }
        }
    )* };
}

integers! {
    i32 as i64,
    i64 as i64,
    u32 as u64,
    u64 as u64,
}

impl Value for bool {
    const WIRE: WireType = WireType::Varint;

    fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn read(_: Option<Self>, input: &mut &[u8], at: &Place<'_>) -> Result<Option<Self>, Fault> {
        Ok(Some(varint(input, at)? != 0))
    }

    fn write_json<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(*self)
    }

    fn read_token(token: Token<'_>, at: &Place<'_>) -> Result<Option<Self>, Fault> {
        match token {
            Token::Bool(value) => Ok(Some(value)),
            Token::Text(text) if text == "true" => Ok(Some(true)),
            Token::Text(text) if text == "false" => Ok(Some(false)),
            other => Err(at.unexpected(other.name())),
        }
    }
}

impl Value for f64 {
    const WIRE: WireType = WireType::SixtyFourBit;

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn read(_: Option<Self>, input: &mut &[u8], at: &Place<'_>) -> Result<Option<Self>, Fault> {
        let Some((value, rest)) = input.split_first_chunk() else {
            return Err(at.convert("is longer than the message it is in"));
        };
        *input = rest;
        Ok(Some(f64::from_le_bytes(*value)))
    }

    /// JSON has no word for what is not finite; the reader here, and the original's, takes the
    /// text `"Infinity"` for it.
    fn write_json<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.is_finite() {
            return serializer.serialize_f64(*self);
        }
        serializer.serialize_str(match *self {
            number if number.is_nan() => "NaN",
            number if number > 0.0 => "Infinity",
            _ => "-Infinity",
        })
    }

    fn read_token(token: Token<'_>, at: &Place<'_>) -> Result<Option<Self>, Fault> {
        match token {
            Token::Unsigned(number) => Ok(Some(number as f64)),
            Token::Signed(number) => Ok(Some(number as f64)),
            Token::Float(number) => Ok(Some(number)),
            Token::Text(text) => match text.trim().parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(at.convert("is no number")),
            },
            Token::Null | Token::Bool(_) => Err(at.unexpected(token.name())),
        }
    }
}

impl Value for String {
    const WIRE: WireType = WireType::LengthDelimited;

    fn write(&self, out: &mut Vec<u8>) {
        encode_varint(self.len() as u64, out);
        out.extend_from_slice(self.as_bytes());
    }

    fn read(_: Option<Self>, input: &mut &[u8], at: &Place<'_>) -> Result<Option<Self>, Fault> {
        match std::str::from_utf8(take(input, at)?) {
            Ok(text) => Ok(Some(text.to_owned())),
            Err(_) => Err(at.convert("is not UTF-8")),
        }
    }

    fn write_json<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }

    fn read_token(token: Token<'_>, at: &Place<'_>) -> Result<Option<Self>, Fault> {
        match token {
            Token::Text(text) => Ok(Some(text.into_owned())),
            other => Err(at.unexpected(other.name())),
        }
    }
}

impl Value for Bytes {
    const WIRE: WireType = WireType::LengthDelimited;

    fn write(&self, out: &mut Vec<u8>) {
        encode_varint(self.len() as u64, out);
        out.extend_from_slice(self);
    }

    fn read(_: Option<Self>, input: &mut &[u8], at: &Place<'_>) -> Result<Option<Self>, Fault> {
        Ok(Some(Bytes::copy_from_slice(take(input, at)?)))
    }

    fn write_json<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&base64::display::Base64Display::new(self, &STANDARD))
    }

    fn read_token(token: Token<'_>, at: &Place<'_>) -> Result<Option<Self>, Fault> {
        match token {
            Token::Text(text) => match BASE64.decode(text.as_bytes()) {
                Ok(bytes) => Ok(Some(bytes.into())),
                Err(error) => Err(at.convert(format_args!("is not base64: {error}"))),
            },
            other => Err(at.unexpected(other.name())),
        }
    }
}

/// What is large and seldom there lies elsewhere.
impl<T: Value> Value for Box<T> {
    const WIRE: WireType = T::WIRE;

    fn write(&self, out: &mut Vec<u8>) {
        T::write(self, out);
    }

    fn read(
        before: Option<Self>,
        input: &mut &[u8],
        at: &Place<'_>,
    ) -> Result<Option<Self>, Fault> {
        at.charge(size_of::<T>())?;
        Ok(T::read(before.map(|before| *before), input, at)?.map(Box::new))
    }

    fn write_json<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        T::write_json(self, serializer)
    }

    fn read_token(token: Token<'_>, at: &Place<'_>) -> Result<Option<Self>, Fault> {
        Ok(T::read_token(token, at)?.map(Box::new))
    }

    fn read_object<'de, A: MapAccess<'de>>(map: A, at: &Place<'_>) -> Result<Self, A::Error> {
        at.charge(size_of::<T>()).map_err(|fault| at.keep(fault))?;
        T::read_object(map, at).map(Box::new)
    }
}

/// Appends a message with its length.
pub(crate) fn write_message<M: super::Message>(message: &M, out: &mut Vec<u8>) {
    with_length(out, |out| message.write_fields(out));
}

/// Reads a message with its length, joined with the one that was there before.
pub(crate) fn read_message<M: super::Message>(
    before: Option<M>,
    input: &mut &[u8],
    at: &Place<'_>,
) -> Result<Option<M>, Fault> {
    at.check_depth()?;
    // What was there before had all its required fields.
    let seen = if before.is_some() { u64::MAX } else { 0 };
    let mut body = take(input, at)?;
    super::merge(before.unwrap_or_default(), seen, &mut body, at).map(Some)
}
