//! Protocols: the page that says which messages an address accepts.

use std::any::Any;

use actix::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::letter::{Parcel, ReplyTo};
use crate::process::{Door, Process};

/// A message that may cross the network, made by [`protocol!`](crate::protocol!).
///
/// Fields may be added to a message later: bodies carry field names, and a receiver ignores those
/// it does not know (give a field that older senders lack `#[serde(default)]`). A type that contains
/// itself is decoded only so deep: a message of more than 64 containers in each other is refused.
pub trait Wire:
    Message<Result: Serialize + DeserializeOwned + Send> + Serialize + DeserializeOwned + Send + 'static
{
    /// Its name on the wire, unique within its protocol.
    const NAME: &'static str;
}

/// Says that the protocol `Self` contains the message `M`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not accept `{M}`",
    note = "list it in the protocol's `protocol!` block"
)]
pub trait Accepts<M: Wire>: 'static {
    /// The place of `M` on the protocol's page.
    #[doc(hidden)]
    const INDEX: u16;
}

/// Ties a protocol to an actor that handles each of its messages; made by `protocol!`.
#[diagnostic::on_unimplemented(
    message = "`{A}` does not handle every message of `{Self}`",
    note = "each message on the protocol's page needs an `impl Handler<Message>`"
)]
pub trait Speak<A: Process>: Page {
    /// How each message is handed to the actor, in the order of the page.
    #[doc(hidden)]
    const DOORS: &'static [Door<A>];
}

/// The messages of a protocol, in order; made by `protocol!`.
pub trait Page: 'static {
    /// One entry a message.
    #[doc(hidden)]
    const MESSAGES: &'static [MessageInfo];
}

pub(crate) type Decode =
    fn(
        &[u8],
        Option<ReplyTo>,
    ) -> Result<Box<dyn Any + Send>, (rmp_serde::decode::Error, Option<ReplyTo>)>;

/// What the transport needs to know about a message: its name, and how to decode it.
#[doc(hidden)]
pub struct MessageInfo {
    /// Its name on the wire.
    pub(crate) name: &'static str,
    pub(crate) decode: Decode,
}

impl MessageInfo {
    #[doc(hidden)]
    #[must_use]
    pub const fn of<M: Wire>() -> MessageInfo {
        MessageInfo {
            name: M::NAME,
            decode: decode_parcel::<M>,
        }
    }
}

fn decode_parcel<M: Wire>(
    body: &[u8],
    reply: Option<ReplyTo>,
) -> Result<Box<dyn Any + Send>, (rmp_serde::decode::Error, Option<ReplyTo>)> {
    match crate::body::decode::<M>(body) {
        Ok(message) => Ok(Box::new(Parcel { message, reply })),
        Err(error) => Err((error, reply)),
    }
}

/// Declares a protocol and the messages it owns: the whole contract on one page.
///
/// ```
/// use libproc::prelude::*;
///
/// protocol! {
///     /// What a counter accepts.
///     pub protocol Counting {
///         /// Adds `by`; the reply is the new total.
///         message Add { by: u64 } -> u64;
///         /// Sends `listener` every new total until it exits.
///         message Subscribe { listener: Pid<Listening> };
///     }
/// }
///
/// protocol! {
///     /// What a listener accepts.
///     pub protocol Listening { message Total { total: u64 }; }
/// }
/// ```
#[macro_export]
macro_rules! protocol {
    ($(#[$page:meta])* $v:vis protocol $name:ident {
        $($(#[$meta:meta])* message $message:ident {
            $($(#[$field_meta:meta])* $field:ident : $ty:ty),* $(,)?
        } $(-> $reply:ty)? ;)*
    }) => {
        $(#[$page])*
        $v enum $name {}
        $(
            $(#[$meta])*
            #[derive(
                Debug, Clone, PartialEq,
                $crate::__private::serde::Serialize, $crate::__private::serde::Deserialize,
            )]
            #[serde(crate = "libproc::__private::serde")]
            #[allow(missing_docs, reason = "the message's own line says what its fields are")]
            $v struct $message { $($(#[$field_meta])* pub $field: $ty),* }
            impl $crate::__private::actix::Message for $message {
                type Result = $crate::protocol!(@reply $($reply)?);
            }
            impl $crate::Wire for $message {
                const NAME: &'static str = ::core::stringify!($message);
            }
        )*
        const _: () = {
            #[allow(dead_code, clippy::enum_variant_names, reason = "only numbers are used")]
            #[repr(u16)]
            enum Place { $($message,)* End }
            $(impl $crate::Accepts<$message> for $name {
                const INDEX: u16 = Place::$message as u16;
            })*
            impl $crate::Page for $name {
                const MESSAGES: &'static [$crate::MessageInfo] =
                    &[$($crate::MessageInfo::of::<$message>()),*];
            }
            impl<A> $crate::Speak<A> for $name
            where
                A: $crate::Process $(+ $crate::__private::actix::Handler<$message>)*
            {
                const DOORS: &'static [$crate::Door<A>] = &[$($crate::open::<A, $message>),*];
            }
        };
    };
    (@reply) => { () };
    (@reply $reply:ty) => { $reply };
}
