//! The declarations of messages, enums, and of the bodies that go with the types of a call.
//!
//! ```text
//! message! {
//!     /// What it is.
//!     pub struct Uri {
//!         1 value: String,                  // required
//!         2 executable: Option<bool>,       // optional
//!         3 extract: bool = true,           // optional, with what it is when it is not there
//!         4 parts: Vec<Part>,               // repeated
//!         6 pages: Vec<Page> = [],          // repeated, in JSON even when there are none
//!         5 kind "type": Option<UriType>,   // the name in JSON, where Rust's is another
//!     }
//! }
//! ```
//!
//! The numbers are those of the protobuf fields, below 64 so that the reader can keep in one word
//! which fields it has seen. Of a `oneof` each member is an `Option`; the declaration says so.

/// Declares messages. See [the module](self).
macro_rules! message {
    (@default $ty:ty, $default:expr) => { <$ty>::from($default) };
    (@default $ty:ty) => { <$ty>::default() };

    (@name $name:ident $json:literal) => { $json };
    (@name $name:ident) => { stringify!($name) };

    (@required $ty:ty, $default:expr) => { false };
    (@required $ty:ty) => { <$ty as $crate::v1::codec::field::Field>::REQUIRED };

    // What has a default is written even when nobody set it, as clients expect.
    (@json $value:expr, $name:expr, $map:ident, $default:expr) => {
        $crate::v1::codec::field::Field::write_json_always($value, $name, &mut $map)
    };
    (@json $value:expr, $name:expr, $map:ident) => {
        $crate::v1::codec::field::Field::write_json($value, $name, &mut $map)
    };

    ($(
        $(#[$meta:meta])*
        $vis:vis struct $message:ident { $(
            $(#[$field_meta:meta])*
            $tag:literal $name:ident $($json:literal)? : $ty:ty $(= $default:expr)?
        ),* $(,)? }
    )+) => { $(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        $vis struct $message { $(
            $(#[$field_meta])*
            #[doc = concat!(
                "\n\nField ", $tag, $("; `", stringify!($default), "` unless set",)? "."
            )]
            pub $name: $ty,
        )* }

        impl Default for $message {
            fn default() -> Self {
                Self { $( $name: message!(@default $ty $(, $default)?), )* }
            }
        }

        impl $crate::v1::codec::Message for $message {
            const NAME: &'static str = stringify!($message);

            #[allow(unused_variables, reason = "a message may have no fields")]
            fn write_fields(&self, out: &mut Vec<u8>) {
                $( $crate::v1::codec::field::Field::write(&self.$name, $tag, out); )*
            }

            fn read_field(
                &mut self,
                key: $crate::v1::codec::Key,
                input: &mut &[u8],
                at: &$crate::v1::codec::bounds::Place<'_>,
            ) -> Result<u64, $crate::v1::codec::bounds::Fault> {
                match key.tag {
                    $( $tag => {
                        let at = at.field(message!(@name $name $($json)?));
                        let field = &mut self.$name;
                        let there = $crate::v1::codec::field::Field::read(field, key, input, &at)?;
                        Ok(u64::from(there) << $tag)
                    } )*
                    _ => $crate::v1::codec::skip(key, input, at).map(|()| 0),
                }
            }

            #[allow(unused_variables, reason = "a message may have no fields")]
            fn read_entry<'de, A: serde::de::MapAccess<'de>>(
                &mut self,
                name: &str,
                map: &mut A,
                entry: $crate::v1::codec::Entry,
                at: &$crate::v1::codec::bounds::Place<'_>,
            ) -> Result<u64, A::Error> {
                match name {
                    $( message!(@name $name $($json)?) => {
                        let at = at.field(message!(@name $name $($json)?));
                        let ignored = entry.alias && entry.seen >> $tag & 1 == 1;
                        let field = &mut self.$name;
                        let there =
                            $crate::v1::codec::json::read_value(field, map, ignored, &at)?;
                        Ok(u64::from(there) << $tag)
                    } )*
                    _ => map.next_value::<serde::de::IgnoredAny>().map(|_| 0),
                }
            }

            #[allow(unused_variables, reason = "a message may have no fields")]
            fn missing(seen: u64) -> Option<&'static str> {
                $( if message!(@required $ty $(, $default)?) && seen >> $tag & 1 == 0 {
                    return Some(message!(@name $name $($json)?));
                } )*
                None
            }
        }

        impl serde::Serialize for $message {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                #[allow(unused_mut, reason = "a message may have no fields")]
                let mut map = serializer.serialize_map(None)?;
                $( message!(@json
                    &self.$name, message!(@name $name $($json)?), map $(, $default)?
                )?; )*
                serde::ser::SerializeMap::end(map)
            }
        }

        impl<'de> serde::Deserialize<'de> for $message {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::v1::codec::json::deserialize(deserializer)
            }
        }

        impl $crate::v1::codec::value::Value for $message {
            const WIRE: prost::encoding::WireType = prost::encoding::WireType::LengthDelimited;

            fn write(&self, out: &mut Vec<u8>) {
                $crate::v1::codec::value::write_message(self, out);
            }

            fn read(
                before: Option<Self>,
                input: &mut &[u8],
                at: &$crate::v1::codec::bounds::Place<'_>,
            ) -> Result<Option<Self>, $crate::v1::codec::bounds::Fault> {
                $crate::v1::codec::value::read_message(before, input, at)
            }

            fn write_json<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serde::Serialize::serialize(self, serializer)
            }

            fn read_token(
                token: $crate::v1::codec::json::Token<'_>,
                at: &$crate::v1::codec::bounds::Place<'_>,
            ) -> Result<Option<Self>, $crate::v1::codec::bounds::Fault> {
                Err(at.unexpected(token.name()))
            }

            fn read_object<'de, A: serde::de::MapAccess<'de>>(
                map: A,
                at: &$crate::v1::codec::bounds::Place<'_>,
            ) -> Result<Self, A::Error> {
                $crate::v1::codec::json::read_message(map, at)
            }
        }
    )+ };
}

/// Declares enums: the variant, its number in protobuf, its name in JSON. The first one is the
/// default.
macro_rules! enumeration {
    ($(
        $(#[$meta:meta])*
        pub enum $enumeration:ident {
            $first:ident = $first_number:literal $first_name:literal,
            $( $variant:ident = $number:literal $name:literal, )*
        }
    )+) => { $(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $enumeration {
            #[default]
            #[doc = concat!("`", $first_name, "`, ", $first_number, ".")]
            $first = $first_number,
            $(
                #[doc = concat!("`", $name, "`, ", $number, ".")]
                $variant = $number,
            )*
        }

        impl $enumeration {
            /// All of them, in the order of their declaration.
            pub const ALL: &'static [Self] = &[Self::$first $(, Self::$variant)*];

            /// Returns the name in JSON.
            pub const fn as_str(self) -> &'static str {
                match self {
                    Self::$first => $first_name,
                    $( Self::$variant => $name, )*
                }
            }

            /// Returns the number in protobuf.
            pub const fn number(self) -> i32 {
                self as i32
            }

            /// Returns the one of this number, if it is known here.
            pub const fn from_number(number: i32) -> Option<Self> {
                match number {
                    $first_number => Some(Self::$first),
                    $( $number => Some(Self::$variant), )*
                    _ => None,
                }
            }

            /// Returns the one of this name, if it is known here.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $first_name => Some(Self::$first),
                    $( $name => Some(Self::$variant), )*
                    _ => None,
                }
            }
        }

        impl std::fmt::Display for $enumeration {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl $crate::v1::codec::value::Value for $enumeration {
            const WIRE: prost::encoding::WireType = prost::encoding::WireType::Varint;

            fn write(&self, out: &mut Vec<u8>) {
                $crate::v1::codec::value::Value::write(&self.number(), out);
            }

            fn read(
                before: Option<Self>,
                input: &mut &[u8],
                at: &$crate::v1::codec::bounds::Place<'_>,
            ) -> Result<Option<Self>, $crate::v1::codec::bounds::Fault> {
                let number = $crate::v1::codec::value::varint(input, at)?;
                Ok(Self::from_number(number as i32).or(before))
            }

            fn write_json<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }

            fn read_token(
                token: $crate::v1::codec::json::Token<'_>,
                at: &$crate::v1::codec::bounds::Place<'_>,
            ) -> Result<Option<Self>, $crate::v1::codec::bounds::Fault> {
                match token {
                    $crate::v1::codec::json::Token::Text(name) => {
                        // Agents were called slaves once, in names such as SOURCE_SLAVE.
                        let today = || Self::from_name(&name.replace("SLAVE", "AGENT"));
                        Ok(Self::from_name(&name).or_else(today))
                    }
                    other => Err(at.unexpected(other.name())),
                }
            }
        }
    )+ };
}

/// Declares what may stand in a message whose `type` says which of its other fields counts: an
/// enum of these bodies, and the ways between the two. `= default` marks a body that may be left
/// out.
macro_rules! bodies {
    (@check $field:ident, $value:expr, default) => {};
    (@check $field:ident, $value:expr) => {
        if $value.is_none() {
            return Err($crate::v1::body::absent(stringify!($field)));
        }
    };
    (@take $field:ident, $value:expr, default) => { $value.unwrap_or_default() };
    (@take $field:ident, $value:expr) => {
        match $value {
            Some(body) => body,
            None => return Err($crate::v1::body::absent(stringify!($field))),
        }
    };

    (
        $(#[$meta:meta])*
        pub enum $bodies:ident of $message:ident, $kind:ident {
            $( $variant:ident $(($field:ident: $body:ty $(= $default:ident)?))? ),* $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        #[allow(clippy::large_enum_variant, reason = "there is one of it at a time")]
        pub enum $bodies { $(
            #[doc = concat!("See [`", stringify!($kind), "::", stringify!($variant), "`].")]
            $variant $(($body))?,
        )* }

        impl $bodies {
            /// Returns the type of this body.
            pub const fn kind(&self) -> $kind {
                match self { $( Self::$variant { .. } => $kind::$variant, )* }
            }
        }

        impl From<$bodies> for $message {
            fn from(body: $bodies) -> Self {
                let mut message = Self { kind: Some(body.kind()), ..Self::default() };
                match body { $(
                    $bodies::$variant $(($field))? => { $( message.$field = Some($field); )? }
                )* }
                message
            }
        }

        impl $message {
            /// Returns the type, once its body is known to be there.
            ///
            /// # Errors
            ///
            /// Says that there is no type, or not the body that goes with it.
            pub fn body_kind(&self) -> Result<$kind, $crate::v1::codec::bounds::Fault> {
                let Some(kind) = self.kind else {
                    return Err($crate::v1::body::absent("type"));
                };
                match kind {
                    $( $kind::$variant => {
                        $( bodies!(@check $field, self.$field $(, $default)?); )?
                        Ok(kind)
                    } )*
                    $kind::Unknown => Err($crate::v1::body::unknown_type()),
                }
            }

            /// Returns what the type says there is.
            ///
            /// # Errors
            ///
            /// Says that there is no type, or not the body that goes with it.
            pub fn into_body(self) -> Result<$bodies, $crate::v1::codec::bounds::Fault> {
                let Some(kind) = self.kind else {
                    return Err($crate::v1::body::absent("type"));
                };
                match kind {
                    $( $kind::$variant => Ok($bodies::$variant $((
                        bodies!(@take $field, self.$field $(, $default)?)
                    ))?), )*
                    $kind::Unknown => Err($crate::v1::body::unknown_type()),
                }
            }
        }
    };
}

pub(crate) use {bodies, enumeration, message};
