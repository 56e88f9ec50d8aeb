//! What the public API says of something and no noun has.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::ParseError;

/// One thing has at most this many opaque bytes.
pub const MAX_OPAQUE_BYTES: usize = 256 << 10;

/// The parts of a description that nothing here looks at, encoded by whoever understands them.
///
/// A task that came over the public API may describe its container or its health check. What has
/// no field of its own is kept here, goes where the task goes, and comes out of the public API as
/// it went in.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "ByteBuf", into = "ByteBuf")]
pub struct Opaque(Vec<u8>);

impl Opaque {
    /// Returns nothing.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Returns whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<Vec<u8>> for Opaque {
    type Error = ParseError;

    fn try_from(bytes: Vec<u8>) -> Result<Self, ParseError> {
        let (length, max) = (bytes.len(), MAX_OPAQUE_BYTES);
        if length > max {
            return Err(ParseError::TooLong { length, max });
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<ByteBuf> for Opaque {
    type Error = ParseError;

    fn try_from(bytes: ByteBuf) -> Result<Self, ParseError> {
        Self::try_from(bytes.into_vec())
    }
}

impl From<Opaque> for ByteBuf {
    fn from(opaque: Opaque) -> Self {
        ByteBuf::from(opaque.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opaque_bytes_travel_as_they_are_and_are_bounded() {
        let opaque = Opaque::try_from(vec![0, 159, 146, 150]).unwrap();
        let bytes = rmp_serde::to_vec_named(&opaque).unwrap();
        assert_eq!(bytes.len(), 6);
        assert_eq!(rmp_serde::from_slice::<Opaque>(&bytes).unwrap(), opaque);
        assert!(Opaque::try_from(vec![0; MAX_OPAQUE_BYTES]).is_ok());
        assert!(Opaque::try_from(vec![0; MAX_OPAQUE_BYTES + 1]).is_err());
    }
}
