//! JSON in, as tolerant as Apache Mesos is, because clients rely on it.
//!
//! - `null` is as good as absent, and an entry of an unknown name is ignored.
//! - A single value where a list is expected is a list of one.
//! - Numbers and booleans may be texts; integers may be written `5.0`.
//! - A name of an enum that is not known is dropped, which for a required field is a missing one.
//! - `slave_id` and its like are `agent_id`, as they were before; if both are there, the latter.
//!
//! An array where one value is expected is an error, and so is a number for an enum.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::bounds::{Bounds, Fault, FaultKind, Place};
use super::field::Field;
use super::value::Value;
use super::{Entry, Message};

/// Reads a message from a whole text.
pub(crate) fn from_slice<M: Message>(text: &[u8]) -> Result<M, Fault> {
    let bounds = Bounds::new();
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let read = One::read(&mut deserializer, &Place::root(&bounds));
    let read = read.and_then(|message| deserializer.end().map(|()| message));
    match read {
        Ok(Some(message)) => Ok(message),
        Ok(None) => Err(Place::root(&bounds).unexpected("null")),
        Err(error) => Err(bounds.into_fault().unwrap_or_else(|| Fault {
            kind: FaultKind::Syntax,
            field: String::new(),
            text: error.to_string(),
        })),
    }
}

/// Reads a message from any deserializer.
pub(crate) fn deserialize<'de, M: Message, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<M, D::Error> {
    let bounds = Bounds::new();
    let at = Place::root(&bounds);
    One::read(deserializer, &at)?.ok_or_else(|| at.keep(at.unexpected("null")))
}

/// Reads the fields of a message from a JSON object.
pub(crate) fn read_message<'de, M: Message, A: MapAccess<'de>>(
    mut map: A,
    at: &Place<'_>,
) -> Result<M, A::Error> {
    at.check_depth().map_err(|fault| at.keep(fault))?;
    let (mut message, mut seen) = (M::default(), 0);
    while let Some(name) = map.next_key_seed(Name)? {
        let today = name
            .strip_prefix("slave_")
            .map(|rest| format!("agent_{rest}"));
        let entry = Entry {
            alias: today.is_some(),
            seen,
        };
        let name = today.as_deref().unwrap_or(&name);
        seen |= message.read_entry(name, &mut map, entry, at)?;
    }
    match M::missing(seen) {
        Some(name) => Err(at.keep(at.missing(name))),
        None => Ok(message),
    }
}

/// Reads the value of an entry into a field; returns whether it was there.
pub(crate) fn read_value<'de, F: Field, A: MapAccess<'de>>(
    field: &mut F,
    map: &mut A,
    ignored: bool,
    at: &Place<'_>,
) -> Result<bool, A::Error> {
    if ignored {
        map.next_value::<IgnoredAny>()?;
        return Ok(false);
    }
    let value = map.next_value_seed(Seed(at, PhantomData::<F>))?;
    let there = value.is_some();
    if let Some(value) = value {
        *field = value;
    }
    Ok(there)
}

/// A JSON value that is neither object nor array.
#[derive(Debug, Clone, PartialEq)]
pub enum Token<'a> {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number from zero up.
    Unsigned(u64),
    /// A whole number below zero.
    Signed(i64),
    /// Any other number.
    Float(f64),
    /// A text.
    Text(Cow<'a, str>),
}

impl Token<'_> {
    /// Returns what JSON calls it.
    pub fn name(&self) -> &'static str {
        match self {
            Token::Null => "null",
            Token::Bool(_) => "boolean",
            Token::Unsigned(_) | Token::Signed(_) | Token::Float(_) => "number",
            Token::Text(_) => "string",
        }
    }

    pub(crate) fn integer(&self, at: &Place<'_>) -> Result<i128, Fault> {
        /// No type has integers beyond this, and every one within it is exact in an `i128`.
        const MAX: f64 = 18_446_744_073_709_551_616.0;
        let whole = |number: f64| match number {
            _ if number.fract() != 0.0 => Err(at.convert("is no whole number")),
            _ if number.abs() > MAX => Err(at.convert("is out of range")),
            _ => Ok(number as i128),
        };
        match self {
            Token::Unsigned(number) => Ok(i128::from(*number)),
            Token::Signed(number) => Ok(i128::from(*number)),
            Token::Float(number) => whole(*number),
            Token::Text(text) => match (text.trim().parse(), text.trim().parse()) {
                (Ok(number), _) => Ok(number),
                (Err(_), Ok(number)) => whole(number),
                (Err(_), Err(_)) => Err(at.convert("is no number")),
            },
            Token::Null | Token::Bool(_) => Err(at.unexpected(self.name())),
        }
    }
}

/// Reads one value. `null` gives none.
pub(crate) struct One<'p, T>(&'p Place<'p>, PhantomData<T>);

/// Reads any number of values, of which a single one need not be in an array.
pub(crate) struct Many<'p, T>(&'p Place<'p>, PhantomData<T>);

/// Reads values by name.
pub(crate) struct Dictionary<'p, T>(&'p Place<'p>, PhantomData<T>);

impl<T: Value> One<'_, T> {
    pub(crate) fn read<'de, D: Deserializer<'de>>(
        deserializer: D,
        at: &Place<'_>,
    ) -> Result<Option<T>, D::Error> {
        One(at, PhantomData).deserialize(deserializer)
    }

    fn token<E: de::Error>(self, token: Token<'_>) -> Result<Option<T>, E> {
        if token == Token::Null {
            return Ok(None);
        }
        T::read_token(token, self.0).map_err(|fault| self.0.keep(fault))
    }
}

impl<T: Value> Many<'_, T> {
    pub(crate) fn read<'de, D: Deserializer<'de>>(
        deserializer: D,
        at: &Place<'_>,
    ) -> Result<Vec<T>, D::Error> {
        deserializer.deserialize_any(Many(at, PhantomData))
    }

    fn token<E: de::Error>(self, token: Token<'_>) -> Result<Vec<T>, E> {
        Ok(One(self.0, PhantomData).token(token)?.into_iter().collect())
    }
}

impl<T: Value> Dictionary<'_, T> {
    pub(crate) fn read<'de, D: Deserializer<'de>>(
        deserializer: D,
        at: &Place<'_>,
    ) -> Result<Option<BTreeMap<String, T>>, D::Error> {
        deserializer.deserialize_any(Dictionary(at, PhantomData))
    }

    fn token<E: de::Error>(self, token: Token<'_>) -> Result<Option<BTreeMap<String, T>>, E> {
        match token {
            Token::Null => Ok(None),
            other => Err(self.0.keep(self.0.unexpected(other.name()))),
        }
    }
}

impl<'de, T: Value> DeserializeSeed<'de> for One<'_, T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Every JSON value comes here, so that each mistake is told with its field.
macro_rules! tokens {
    ($value:ty) => {
        type Value = $value;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "field '{}'", self.0)
        }

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            self.token(Token::Null)
        }

        fn visit_bool<E: de::Error>(self, value: bool) -> Result<Self::Value, E> {
            self.token(Token::Bool(value))
        }

        fn visit_u64<E: de::Error>(self, value: u64) -> Result<Self::Value, E> {
            self.token(Token::Unsigned(value))
        }

        fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self::Value, E> {
            self.token(Token::Signed(value))
        }

        fn visit_f64<E: de::Error>(self, value: f64) -> Result<Self::Value, E> {
            self.token(Token::Float(value))
        }

        fn visit_str<E: de::Error>(self, value: &str) -> Result<Self::Value, E> {
            self.token(Token::Text(Cow::Borrowed(value)))
        }

        fn visit_string<E: de::Error>(self, value: String) -> Result<Self::Value, E> {
            self.token(Token::Text(Cow::Owned(value)))
        }
    };
}

impl<'de, T: Value> Visitor<'de> for One<'_, T> {
    tokens!(Option<T>);

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Option<T>, A::Error> {
        T::read_object(map, self.0).map(Some)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Option<T>, A::Error> {
        Err(self.0.keep(self.0.unexpected("array")))
    }
}

impl<'de, T: Value> Visitor<'de> for Many<'_, T> {
    tokens!(Vec<T>);

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<T>, A::Error> {
        Ok(vec![T::read_object(map, self.0)?])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        let mut values = Vec::new();
        loop {
            let place = self.0.item(values.len());
            let Some(item) = items.next_element_seed(One(&place, PhantomData))? else {
                return Ok(values);
            };
            place
                .charge(size_of::<T>())
                .map_err(|fault| place.keep(fault))?;
            values.extend(item);
        }
    }
}

impl<'de, T: Value> Visitor<'de> for Dictionary<'_, T> {
    tokens!(Option<BTreeMap<String, T>>);

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some(name) = map.next_key_seed(Name)? {
            let place = self.0.key(&name);
            let value = map.next_value_seed(One(&place, PhantomData))?;
            place
                .charge(size_of::<(String, T)>())
                .map_err(|fault| place.keep(fault))?;
            entries.extend(value.map(|value| (name.into_owned(), value)));
        }
        Ok(Some(entries))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
        Err(self.0.keep(self.0.unexpected("array")))
    }
}

struct Seed<'p, F>(&'p Place<'p>, PhantomData<F>);

impl<'de, F: Field> DeserializeSeed<'de> for Seed<'_, F> {
    type Value = Option<F>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<F>, D::Error> {
        F::read_json(deserializer, self.0)
    }
}

/// The name of an entry, borrowed where it has no escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of an entry")
    }

    fn visit_borrowed_str<E: de::Error>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}
