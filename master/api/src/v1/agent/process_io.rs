//! Input and output of a container, as streams.

use bytes::Bytes;

use crate::v1::codec::macros::{enumeration, message};
use crate::v1::{DurationInfo, TtyInfo};

message! {
    /// A record of the stream from or to a container.
    pub struct ProcessIo {
        1 kind "type": Option<ProcessIoType>,
        /// Opaque bytes.
        2 data: Option<ProcessIoData>,
        3 control: Option<ProcessIoControl>,
    }

    /// A piece of input or output.
    pub struct ProcessIoData {
        1 kind "type": Option<ProcessIoStream>,
        /// No bytes are the end of the input.
        2 data: Option<Bytes>,
    }

    /// Something about the stream.
    pub struct ProcessIoControl {
        1 kind "type": Option<ProcessIoControlType>,
        /// The window has this size.
        2 tty_info: Option<TtyInfo>,
        3 heartbeat: Option<ProcessIoHeartbeat>,
    }

    /// Says that the sender is there.
    pub struct ProcessIoHeartbeat {
        /// How often it comes.
        1 interval: Option<DurationInfo>,
    }
}

enumeration! {
    /// What a record of the stream is.
    pub enum ProcessIoType {
        Unknown = 0 "UNKNOWN",
        Data = 1 "DATA",
        Control = 2 "CONTROL",
    }

    /// The streams of a process.
    pub enum ProcessIoStream {
        Unknown = 0 "UNKNOWN",
        Stdin = 1 "STDIN",
        Stdout = 2 "STDOUT",
        Stderr = 3 "STDERR",
    }

    /// What there is to say about the stream.
    pub enum ProcessIoControlType {
        Unknown = 0 "UNKNOWN",
        TtyInfo = 1 "TTY_INFO",
        Heartbeat = 2 "HEARTBEAT",
    }
}
