//! Protocols: the page that says which messages an address accepts.

#[cfg(feature = "sim")]
use std::any::Any;

use actix::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context::Context;
use crate::lane::{self, AnyLane};
use crate::letter::{Letter, ReplyTo, Sender};
use crate::process::Process;

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
pub trait Accepts<M: Wire>: Page {
    /// The place of `M` on the protocol's page.
    #[doc(hidden)]
    const INDEX: u16;
    /// `M` as one of the protocol's messages.
    #[doc(hidden)]
    fn wrap(message: M) -> Self::Messages;
    /// One of the protocol's messages, if it is an `M`.
    #[doc(hidden)]
    fn unwrap(message: Self::Messages) -> Option<M>;
    /// A look at it.
    #[doc(hidden)]
    fn peek(message: &Self::Messages) -> Option<&M>;
}

/// Ties a protocol to an actor that handles each of its messages; made by `protocol!`.
#[diagnostic::on_unimplemented(
    message = "`{A}` does not handle every message of `{Self}`",
    note = "each message on the protocol's page needs an `impl Handler<Message>`"
)]
pub trait Speak<A: Process>: Page {
    /// Hands a message to the actor.
    #[doc(hidden)]
    fn hand(actor: &mut A, ctx: &mut Context<A>, message: Self::Messages, reply: Option<ReplyTo>);
}

/// The messages of a protocol, in order; made by `protocol!`.
pub trait Page: Sized + 'static {
    /// One of them.
    #[doc(hidden)]
    type Messages: Send + 'static;
    /// One entry a message.
    #[doc(hidden)]
    const MESSAGES: &'static [MessageInfo];
    /// The place of a message on the page.
    #[doc(hidden)]
    fn place_of(message: &Self::Messages) -> u16;
    /// Its name on the wire.
    #[doc(hidden)]
    fn name_of(message: &Self::Messages) -> &'static str {
        Self::MESSAGES[usize::from(Self::place_of(message))].name
    }
}

/// Largest message that lies in a letter itself, in bytes; one beyond it is a pointer there, so
/// that the letters of a protocol with one large message are not all large.
#[doc(hidden)]
pub const INLINE_MAX: usize = 48;

/// How a message lies in a letter: behind a pointer when it is `LARGE`.
#[doc(hidden)]
pub struct Held<const LARGE: bool>;

/// See [`Held`].
#[doc(hidden)]
pub trait Hold<M> {
    /// The message, or a pointer to it.
    type As: Send + 'static;
    /// Into a letter.
    fn hold(message: M) -> Self::As;
    /// And out of it.
    fn release(held: Self::As) -> M;
    /// A look at it where it is.
    fn peek(held: &Self::As) -> &M;
}

impl<M: Send + 'static> Hold<M> for Held<false> {
    type As = M;
    fn hold(message: M) -> M {
        message
    }
    fn release(held: M) -> M {
        held
    }
    fn peek(held: &M) -> &M {
        held
    }
}

impl<M: Send + 'static> Hold<M> for Held<true> {
    type As = Box<M>;
    fn hold(message: M) -> Box<M> {
        Box::new(message)
    }
    fn release(held: Box<M>) -> M {
        *held
    }
    fn peek(held: &Box<M>) -> &M {
        held
    }
}

/// A message that did not decode, and whoever waits for its answer.
pub(crate) type Undecoded = (rmp_serde::decode::Error, Option<ReplyTo>);

pub(crate) type Decode =
    fn(&[u8], Sender, Option<ReplyTo>, &mut dyn AnyLane) -> Result<(), Undecoded>;

/// What the transport needs to know about a message: its name, and how to decode it into a lane.
#[doc(hidden)]
pub struct MessageInfo {
    /// Its name on the wire.
    pub(crate) name: &'static str,
    pub(crate) decode: Decode,
    /// The message in a parcel of it, and its body as it would be sent: for probes that are
    /// filtered, and for histories.
    #[cfg(feature = "sim")]
    pub(crate) look: fn(&dyn Any) -> Option<&dyn Any>,
    #[cfg(feature = "sim")]
    pub(crate) encode: fn(&dyn Any) -> Vec<u8>,
}

impl MessageInfo {
    #[doc(hidden)]
    #[must_use]
    pub const fn of<P: Accepts<M>, M: Wire>() -> MessageInfo {
        MessageInfo {
            name: M::NAME,
            decode: decode::<P, M>,
            #[cfg(feature = "sim")]
            look: look::<P, M>,
            #[cfg(feature = "sim")]
            encode: encode::<P, M>,
        }
    }
}

fn decode<P: Accepts<M>, M: Wire>(
    body: &[u8],
    from: Sender,
    reply: Option<ReplyTo>,
    lane: &mut dyn AnyLane,
) -> Result<(), Undecoded> {
    match crate::body::decode::<M>(body) {
        Ok(message) => {
            if let Some(lane) = lane::typed::<P>(lane) {
                let letter = Letter::new(from, P::wrap(message), reply);
                lane.letters.push_back(letter);
            }
            Ok(())
        }
        Err(error) => Err((error, reply)),
    }
}

/// The message in a parcel; nothing of use when it is of another type.
/// The body of a parcel; nothing when it is of another type, or cannot be encoded.
/// The message in one of the protocol's.
#[cfg(feature = "sim")]
fn look<P: Accepts<M>, M: Wire>(message: &dyn Any) -> Option<&dyn Any> {
    P::peek(message.downcast_ref()?).map(|message| message as &dyn Any)
}

/// Its body, as it would be sent.
#[cfg(feature = "sim")]
fn encode<P: Accepts<M>, M: Wire>(message: &dyn Any) -> Vec<u8> {
    let message = message.downcast_ref().and_then(P::peek);
    let body = message.and_then(|message| rmp_serde::to_vec_named(message).ok());
    body.unwrap_or_default()
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
            enum Place { $($message,)* }
            #[allow(missing_docs, unreachable_pub, clippy::enum_variant_names, reason = "named by its messages")]
            pub enum Messages { $($message($crate::protocol!(@held $message)),)* }
            $(impl $crate::Accepts<$message> for $name {
                const INDEX: u16 = Place::$message as u16;
                fn wrap(message: $message) -> Messages {
                    type Held = $crate::protocol!(@hold $message);
                    Messages::$message(<Held as $crate::Hold<$message>>::hold(message))
                }
                fn unwrap(message: Messages) -> Option<$message> {
                    type Held = $crate::protocol!(@hold $message);
                    #[allow(unreachable_patterns, reason = "the only message of its page")]
                    match message {
                        Messages::$message(held) => {
                            Some(<Held as $crate::Hold<$message>>::release(held))
                        }
                        _ => None,
                    }
                }
                fn peek(message: &Messages) -> Option<&$message> {
                    type Held = $crate::protocol!(@hold $message);
                    #[allow(unreachable_patterns, reason = "the only message of its page")]
                    match message {
                        Messages::$message(held) => {
                            Some(<Held as $crate::Hold<$message>>::peek(held))
                        }
                        _ => None,
                    }
                }
            })*
            impl $crate::Page for $name {
                type Messages = Messages;
                const MESSAGES: &'static [$crate::MessageInfo] =
                    &[$($crate::MessageInfo::of::<$name, $message>()),*];
                fn place_of(message: &Messages) -> u16 {
                    match *message {
                        $(Messages::$message(_) => Place::$message as u16,)*
                    }
                }
            }
            impl<A> $crate::Speak<A> for $name
            where
                A: $crate::Process $(+ $crate::__private::actix::Handler<$message>)*
            {
                #[inline]
                #[allow(unused_variables, reason = "a page without messages uses none")]
                fn hand(
                    actor: &mut A,
                    ctx: &mut $crate::Context<A>,
                    message: Messages,
                    reply: Option<$crate::ReplyTo>,
                ) {
                    match message {
                        $(Messages::$message(held) => {
                            type Held = $crate::protocol!(@hold $message);
                            let message = <Held as $crate::Hold<$message>>::release(held);
                            $crate::open::<A, $message>(actor, ctx, message, reply);
                        })*
                    }
                }
            }
            impl<A> $crate::Bridge<A> for $name
            where
                A: $crate::__private::actix::Actor
                    $(+ $crate::__private::actix::Handler<$message>)*,
                $(A::Context: $crate::__private::actix::dev::ToEnvelope<A, $message>,)*
            {
                #[allow(unused_variables, reason = "a page without messages uses none")]
                fn pass(
                    actor: &$crate::__private::actix::Addr<A>,
                    message: Messages,
                    owed: Option<$crate::Owed>,
                ) {
                    match message {
                        $(Messages::$message(held) => {
                            type Held = $crate::protocol!(@hold $message);
                            let message = <Held as $crate::Hold<$message>>::release(held);
                            $crate::pass::<A, $message>(actor, message, owed);
                        })*
                    }
                }
            }
        };
    };
    (@hold $message:ident) => {
        $crate::Held<{ ::core::mem::size_of::<$message>() > $crate::INLINE_MAX }>
    };
    (@held $message:ident) => {
        <$crate::protocol!(@hold $message) as $crate::Hold<$message>>::As
    };
    (@reply) => { () };
    (@reply $reply:ty) => { $reply };
}
