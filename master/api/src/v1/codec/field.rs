//! A field of a message: required, optional, repeated, or a map.

use std::collections::BTreeMap;

use prost::encoding::{WireType, encode_key};
use serde::de::Deserializer;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::bounds::{Fault, Place};
use super::json::{Dictionary, Many, One};
use super::value::{Shown, Value};
use super::{Key, skip, take, with_length};

/// A field of a message. Its type says how often its value comes: `T` once, `Option<T>` at most
/// once, `Vec<T>` and `BTreeMap<String, T>` any number of times.
pub trait Field: Sized {
    /// Whether it has to be there.
    const REQUIRED: bool;

    /// Appends the field in protobuf, with its key.
    fn write(&self, tag: u32, out: &mut Vec<u8>);

    /// Reads one occurrence in protobuf; returns whether there was a value that is known here.
    #[doc(hidden)]
    fn read(&mut self, key: Key, input: &mut &[u8], at: &Place<'_>) -> Result<bool, Fault>;

    /// Writes the entry of a JSON object, if there is something to write.
    ///
    /// # Errors
    ///
    /// Those of the serializer.
    fn write_json<M: SerializeMap>(&self, name: &'static str, map: &mut M) -> Result<(), M::Error>;

    /// Writes the entry of a JSON object, a list even when it is empty.
    ///
    /// # Errors
    ///
    /// Those of the serializer.
    fn write_json_always<M: SerializeMap>(
        &self,
        name: &'static str,
        map: &mut M,
    ) -> Result<(), M::Error> {
        self.write_json(name, map)
    }

    /// Reads the value of an entry of a JSON object; none for `null`, which is as good as absent.
    #[doc(hidden)]
    fn read_json<'de, D: Deserializer<'de>>(
        deserializer: D,
        at: &Place<'_>,
    ) -> Result<Option<Self>, D::Error>;
}

impl<T: Value> Field for T {
    const REQUIRED: bool = true;

    fn write(&self, tag: u32, out: &mut Vec<u8>) {
        encode_key(tag, T::WIRE, out);
        T::write(self, out);
    }

    fn read(&mut self, key: Key, input: &mut &[u8], at: &Place<'_>) -> Result<bool, Fault> {
        // One that comes twice replaces the first, which may not have been there at all.
        let value = one::<T>(None, key, input, at)?;
        let known = value.is_some();
        if let Some(value) = value {
            *self = value;
        }
        Ok(known)
    }

    fn write_json<M: SerializeMap>(&self, name: &'static str, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry(name, &Shown(self))
    }

    fn read_json<'de, D: Deserializer<'de>>(
        deserializer: D,
        at: &Place<'_>,
    ) -> Result<Option<Self>, D::Error> {
        One::read(deserializer, at)
    }
}

impl<T: Value> Field for Option<T> {
    const REQUIRED: bool = false;

    fn write(&self, tag: u32, out: &mut Vec<u8>) {
        if let Some(value) = self {
            Field::write(value, tag, out);
        }
    }

    fn read(&mut self, key: Key, input: &mut &[u8], at: &Place<'_>) -> Result<bool, Fault> {
        let value = one(self.take(), key, input, at)?;
        *self = value;
        Ok(true)
    }

    fn write_json<M: SerializeMap>(&self, name: &'static str, map: &mut M) -> Result<(), M::Error> {
        match self {
            Some(value) => Field::write_json(value, name, map),
            None => Ok(()),
        }
    }

    fn read_json<'de, D: Deserializer<'de>>(
        deserializer: D,
        at: &Place<'_>,
    ) -> Result<Option<Self>, D::Error> {
        Ok(One::read(deserializer, at)?.map(Some))
    }
}

impl<T: Value> Field for Vec<T> {
    const REQUIRED: bool = false;

    fn write(&self, tag: u32, out: &mut Vec<u8>) {
        for value in self {
            Field::write(value, tag, out);
        }
    }

    fn read(&mut self, key: Key, input: &mut &[u8], at: &Place<'_>) -> Result<bool, Fault> {
        let packed = key.wire == WireType::LengthDelimited && T::WIRE != WireType::LengthDelimited;
        if packed {
            let mut values = take(input, at)?;
            while !values.is_empty() {
                at.charge(size_of::<T>())?;
                self.extend(T::read(None, &mut values, &at.item(self.len()))?);
            }
            return Ok(true);
        }
        at.charge(size_of::<T>())?;
        let value = one(None, key, input, &at.item(self.len()))?;
        self.extend(value);
        Ok(true)
    }

    fn write_json<M: SerializeMap>(&self, name: &'static str, map: &mut M) -> Result<(), M::Error> {
        if self.is_empty() {
            return Ok(());
        }
        self.write_json_always(name, map)
    }

    fn write_json_always<M: SerializeMap>(
        &self,
        name: &'static str,
        map: &mut M,
    ) -> Result<(), M::Error> {
        map.serialize_entry(name, &Items(self))
    }

    fn read_json<'de, D: Deserializer<'de>>(
        deserializer: D,
        at: &Place<'_>,
    ) -> Result<Option<Self>, D::Error> {
        Many::read(deserializer, at).map(Some)
    }
}

impl<T: Value> Field for BTreeMap<String, T> {
    const REQUIRED: bool = false;

    fn write(&self, tag: u32, out: &mut Vec<u8>) {
        for (key, value) in self {
            encode_key(tag, WireType::LengthDelimited, out);
            with_length(out, |out| {
                Field::write(key, 1, out);
                Field::write(value, 2, out);
            });
        }
    }

    fn read(&mut self, key: Key, input: &mut &[u8], at: &Place<'_>) -> Result<bool, Fault> {
        check_wire(key, WireType::LengthDelimited, at)?;
        at.charge(size_of::<(String, T)>())?;
        let mut body = take(input, at)?;
        let (mut name, mut value) = (String::new(), None);
        while !body.is_empty() {
            let (tag, wire) =
                prost::encoding::decode_key(&mut body).map_err(|error| at.garbled(&error))?;
            let key = Key { tag, wire };
            match tag {
                1 => name = one(None, key, &mut body, at)?.unwrap_or_default(),
                2 => value = one::<T>(None, key, &mut body, &at.key(&name))?,
                _ => skip(key, &mut body, at)?,
            }
        }
        if let Some(value) = value {
            self.insert(name, value);
        }
        Ok(true)
    }

    fn write_json<M: SerializeMap>(&self, name: &'static str, map: &mut M) -> Result<(), M::Error> {
        if self.is_empty() {
            return Ok(());
        }
        map.serialize_entry(name, &Entries(self))
    }

    fn read_json<'de, D: Deserializer<'de>>(
        deserializer: D,
        at: &Place<'_>,
    ) -> Result<Option<Self>, D::Error> {
        Dictionary::read(deserializer, at)
    }
}

/// Reads one value, whose form on the wire must be that of its type.
fn one<T: Value>(
    before: Option<T>,
    key: Key,
    input: &mut &[u8],
    at: &Place<'_>,
) -> Result<Option<T>, Fault> {
    check_wire(key, T::WIRE, at)?;
    T::read(before, input, at)
}

fn check_wire(key: Key, expected: WireType, at: &Place<'_>) -> Result<(), Fault> {
    if key.wire != expected {
        let (found, expected) = (key.wire, expected);
        return Err(at.convert(format_args!(
            "has the wire type {found:?}, not {expected:?}"
        )));
    }
    Ok(())
}

struct Items<'a, T>(&'a [T]);

impl<T: Value> Serialize for Items<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Shown))
    }
}

struct Entries<'a, T>(&'a BTreeMap<String, T>);

impl<T: Value> Serialize for Entries<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, Shown(value))))
    }
}
