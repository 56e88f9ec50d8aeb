//! RecordIO: records in a stream of bytes, each preceded by its length in decimal and a newline.
//!
//! Chunks of HTTP carry no meaning for the reader, but some clients take each for a record: a
//! writer sends what [`encode`] gives as one chunk.

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;

/// A length has at most this many digits, as many as the greatest `u64` has.
const MAX_DIGITS: usize = 20;

/// Frames a record.
pub fn encode(record: &[u8]) -> Bytes {
    let length = record.len().to_string();
    let mut framed = Vec::with_capacity(length.len() + 1 + record.len());
    framed.extend_from_slice(length.as_bytes());
    framed.push(b'\n');
    framed.extend_from_slice(record);
    framed.into()
}

/// Takes records out of a stream that comes in any pieces.
///
/// ```
/// use api::recordio::Decoder;
///
/// let mut decoder = Decoder::new(1_024);
/// decoder.push(b"5\nhel");
/// assert_eq!(decoder.next_record(), Ok(None));
/// decoder.push(b"lo0\n");
/// assert_eq!(decoder.next_record(), Ok(Some("hello".into())));
/// assert_eq!(decoder.next_record(), Ok(Some("".into())));
/// assert_eq!(decoder.finish(), Ok(()));
/// ```
#[derive(Debug)]
pub struct Decoder {
    received: BytesMut,
    /// The length of the record that comes, once its line is read.
    length: Option<usize>,
    max_record_bytes: usize,
    broken: Option<RecordError>,
}

/// Why a stream is not one of records. There is no way to go on after it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// What should be a length is none.
    #[error("expected the length of a record, found {0:?}")]
    Length(String),
    /// A record is longer than we take.
    #[error("a record has {length} bytes, more than {max}")]
    TooLong {
        /// The length it announces, in bytes.
        length: u64,
        /// The limit, in bytes.
        max: usize,
    },
    /// The stream ended within a record.
    #[error("the stream ended within a record")]
    Truncated,
}

impl Decoder {
    /// Returns a decoder of records of at most this many bytes.
    pub fn new(max_record_bytes: usize) -> Self {
        Self {
            received: BytesMut::new(),
            length: None,
            max_record_bytes,
            broken: None,
        }
    }

    /// Takes a piece of the stream. Take out the records before the next one, so that no more is
    /// kept than one record and one piece.
    pub fn push(&mut self, piece: &[u8]) {
        if self.broken.is_none() {
            self.received.extend_from_slice(piece);
        }
    }

    /// Returns the next record, if all of it is there.
    ///
    /// # Errors
    ///
    /// Fails when the stream is not one of records, or the record is too long; from then on it
    /// always fails.
    pub fn next_record(&mut self) -> Result<Option<Bytes>, RecordError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        let next = self.take();
        if let Err(error) = &next {
            self.broken = Some(error.clone());
            self.received = BytesMut::new();
        }
        next
    }

    /// Says that the stream has ended.
    ///
    /// # Errors
    ///
    /// Fails when it ended within a record.
    pub fn finish(self) -> Result<(), RecordError> {
        match self.broken {
            Some(error) => Err(error),
            None if self.length.is_some() || !self.received.is_empty() => {
                Err(RecordError::Truncated)
            }
            None => Ok(()),
        }
    }

    fn take(&mut self) -> Result<Option<Bytes>, RecordError> {
        let length = match self.length {
            Some(length) => length,
            None => match self.take_length()? {
                Some(length) => length,
                None => return Ok(None),
            },
        };
        if self.received.len() < length {
            self.length = Some(length);
            return Ok(None);
        }
        self.length = None;
        Ok(Some(self.received.split_to(length).freeze()))
    }

    fn take_length(&mut self) -> Result<Option<usize>, RecordError> {
        let start = &self.received[..self.received.len().min(MAX_DIGITS + 1)];
        let wrong = |digits: &[u8]| RecordError::Length(digits.escape_ascii().to_string());
        let Some(end) = start.iter().position(|byte| *byte == b'\n') else {
            // A wrong byte is told at once: more might never come.
            let possible = start.len() <= MAX_DIGITS && start.iter().all(u8::is_ascii_digit);
            return if possible {
                Ok(None)
            } else {
                Err(wrong(start))
            };
        };
        let digits = &start[..end];
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return Err(wrong(digits));
        }
        let text = std::str::from_utf8(digits).map_err(|_| wrong(digits))?;
        let length: u64 = text.parse().map_err(|_| wrong(digits))?;
        let max = self.max_record_bytes;
        match usize::try_from(length) {
            Ok(bytes) if bytes <= max => {
                self.received.advance(end + 1);
                Ok(Some(bytes))
            }
            Ok(_) | Err(_) => Err(RecordError::TooLong { length, max }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(stream: &[u8]) -> Result<Vec<Bytes>, RecordError> {
        let mut decoder = Decoder::new(100);
        decoder.push(stream);
        let mut records = Vec::new();
        while let Some(record) = decoder.next_record()? {
            records.push(record);
        }
        decoder.finish().map(|()| records)
    }

    #[test]
    fn a_record_is_its_length_a_newline_and_itself() {
        assert_eq!(
            encode(b"{\"type\":\"HEARTBEAT\"}"),
            "20\n{\"type\":\"HEARTBEAT\"}"
        );
        assert_eq!(encode(b""), "0\n");
    }

    #[test]
    fn what_is_no_length_breaks_the_stream_for_good() {
        for bad in [
            "x",
            "-1\n",
            "\n",
            " 1\na",
            "1 \na",
            "0x1\na",
            "123456789012345678901",
        ] {
            assert!(
                matches!(decode(bad.as_bytes()), Err(RecordError::Length(_))),
                "{bad:?}"
            );
        }
        let mut decoder = Decoder::new(100);
        decoder.push(b"?");
        assert!(decoder.next_record().is_err());
        decoder.push(b"1\na");
        assert!(decoder.next_record().is_err());
    }

    #[test]
    fn a_record_that_is_too_long_is_refused_before_it_comes() {
        let too_long = |length| Err(RecordError::TooLong { length, max: 100 });
        assert_eq!(decode(b"101\n"), too_long(101));
        assert_eq!(decode(b"18446744073709551615\n"), too_long(u64::MAX));
        assert!(matches!(
            decode(b"18446744073709551616\n"),
            Err(RecordError::Length(_))
        ));
    }

    #[test]
    fn a_stream_ends_between_records() {
        assert_eq!(decode(b""), Ok(Vec::new()));
        for cut in ["1", "1\n", "12\nhello"] {
            assert_eq!(
                decode(cut.as_bytes()),
                Err(RecordError::Truncated),
                "{cut:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn records_come_out_whole_whatever_the_pieces(
            records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..10),
            cuts in prop::collection::vec(1usize..20, 1..50),
        ) {
            let stream: Vec<u8> = records.iter().flat_map(|record| encode(record)).collect();
            let mut decoder = Decoder::new(50);
            let (mut decoded, mut rest, mut cuts) = (Vec::new(), &stream[..], cuts.iter().cycle());
            while !rest.is_empty() {
                let cut = cuts.next().map_or(1, |cut| *cut).min(rest.len());
                decoder.push(&rest[..cut]);
                rest = &rest[cut..];
                while let Some(record) = decoder.next_record().unwrap() {
                    decoded.push(record.to_vec());
                }
            }
            prop_assert_eq!(decoded, records);
            prop_assert_eq!(decoder.finish(), Ok(()));
        }

        #[test]
        fn no_stream_makes_the_decoder_panic(stream in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&stream);
        }
    }
}
