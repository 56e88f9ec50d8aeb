//! What passes between agent and zygote: length-prefixed MessagePack, bounded in size.

use std::{io, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Destroy, ExitStatus, LaunchRequest};

/// The largest frame, in bytes. An environment is at most a few hundred KiB on Linux.
pub(super) const FRAME_BYTES_MAX: usize = 1024 * 1024;

/// The length before each frame: u32, little endian.
const PREFIX_BYTES: usize = 4;

/// From the agent to the zygote.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// Start an executor, and answer under `token`.
    Launch { token: u64, request: LaunchRequest },
    /// End a container.
    Destroy { container_id: String, how: Destroy },
    /// Let later agents find you at `path`, and keep what outlives this one for that long.
    Listen { path: PathBuf, patience: Duration },
    /// I am the agent now: tell me what there is.
    Adopt,
    /// It is written down how this one ended: it need not be told again.
    Settled { container_id: String },
}

/// From the zygote to the agent.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Report {
    /// The executor asked for under `token` runs.
    Launched { token: u64, pid: u32 },
    /// The executor asked for under `token` does not run, and why.
    Refused { token: u64, error: String },
    /// An executor is gone, with all it started.
    Exited {
        container_id: String,
        pid: u32,
        status: ExitStatus,
    },
    /// Later agents are awaited, unless there is an `error`.
    Listening { error: Option<String> },
    /// This executor outlives agents; it may have ended, which is then told after the introduction.
    Runs {
        container_id: String,
        pid: u32,
        sandbox: PathBuf,
    },
    /// These were all.
    Introduced,
}

/// Bytes that are not what the other end may send.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    #[error("a frame of {0} bytes is larger than {FRAME_BYTES_MAX}")]
    TooLarge(usize),
    #[error("a frame does not decode")]
    Malformed(#[source] rmp_serde::decode::Error),
}

/// Encodes one message as a frame.
///
/// # Errors
/// When it is larger than a frame may be.
pub(super) fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, WireError> {
    let mut frame = vec![0; PREFIX_BYTES];
    rmp_serde::encode::write_named(&mut frame, message)
        .expect("these types encode and a vector takes every byte");
    let length = frame.len() - PREFIX_BYTES;
    if length > FRAME_BYTES_MAX {
        return Err(WireError::TooLarge(length));
    }
    frame[..PREFIX_BYTES].copy_from_slice(&(length as u32).to_le_bytes());
    Ok(frame)
}

/// Cuts a stream of bytes into messages.
#[derive(Debug, Default)]
pub(super) struct Frames {
    bytes: Vec<u8>,
    /// How many of `bytes` were taken already.
    taken: usize,
}

impl Frames {
    /// Reads once. Zero is the end of the stream.
    pub(super) fn read_from(&mut self, reader: &mut impl io::Read) -> io::Result<usize> {
        let mut chunk = [0; 16 * 1024];
        let length = reader.read(&mut chunk)?;
        self.buffer().extend_from_slice(&chunk[..length]);
        Ok(length)
    }

    /// The buffer to append received bytes to.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        &mut self.bytes
    }

    /// Takes the next whole message, if there is one.
    ///
    /// # Errors
    /// When the bytes make no sense; the stream cannot be read on.
    pub(super) fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, WireError> {
        let rest = &self.bytes[self.taken..];
        let Some((prefix, rest)) = rest.split_first_chunk::<PREFIX_BYTES>() else {
            return Ok(None);
        };
        let length = u32::from_le_bytes(*prefix) as usize;
        if length > FRAME_BYTES_MAX {
            return Err(WireError::TooLarge(length));
        }
        let Some(frame) = rest.get(..length) else {
            return Ok(None);
        };
        let message = rmp_serde::from_slice(frame).map_err(WireError::Malformed)?;
        self.taken += PREFIX_BYTES + length;
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exited(name: &str) -> Report {
        Report::Exited {
            container_id: name.into(),
            pid: 7,
            status: ExitStatus::Signaled(9),
        }
    }

    #[test]
    fn messages_survive_being_cut_anywhere() {
        let mut stream = encode(&exited("a")).unwrap();
        stream.extend(encode(&exited("b")).unwrap());
        let (mut frames, mut names) = (Frames::default(), vec![]);
        for byte in stream {
            frames.buffer().push(byte);
            while let Some(Report::Exited { container_id, .. }) = frames.next().unwrap() {
                names.push(container_id);
            }
        }
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn a_length_past_the_limit_is_refused_before_its_bytes_arrive() {
        let mut frames = Frames::default();
        frames.buffer().extend_from_slice(&u32::MAX.to_le_bytes());
        assert!(matches!(
            frames.next::<Report>(),
            Err(WireError::TooLarge(_))
        ));
    }

    #[test]
    fn garbage_is_an_error_and_not_a_panic() {
        let mut frames = Frames::default();
        frames
            .buffer()
            .extend_from_slice(&[3, 0, 0, 0, 0xc1, 0xff, 0x00]);
        assert!(matches!(
            frames.next::<Report>(),
            Err(WireError::Malformed(_))
        ));
    }

    #[test]
    fn a_message_past_the_limit_is_not_encoded() {
        let report = exited(&"x".repeat(FRAME_BYTES_MAX));
        assert!(matches!(encode(&report), Err(WireError::TooLarge(_))));
    }
}
