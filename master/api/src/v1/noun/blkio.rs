//! What control groups count of block devices.

use crate::v1::DeviceNumber;
use crate::v1::codec::macros::{enumeration, message};

message! {
    /// A count of one operation.
    pub struct BlkioValue {
        1 op: Option<BlkioOperation>,
        2 value: Option<u64>,
    }

    /// What the fair queue counts of a device.
    pub struct CfqStatistics {
        /// The sum of all if not there.
        1 device: Option<DeviceNumber>,
        2 sectors: Option<u64>,
        3 time: Option<u64>,
        4 io_serviced: Vec<BlkioValue>,
        5 io_service_bytes: Vec<BlkioValue>,
        6 io_service_time: Vec<BlkioValue>,
        7 io_wait_time: Vec<BlkioValue>,
        8 io_merged: Vec<BlkioValue>,
        9 io_queued: Vec<BlkioValue>,
    }

    /// What throttling counts of a device.
    pub struct ThrottlingStatistics {
        1 device: Option<DeviceNumber>,
        2 io_serviced: Vec<BlkioValue>,
        3 io_service_bytes: Vec<BlkioValue>,
    }

    /// What is counted of block devices.
    pub struct BlkioStatistics {
        1 cfq: Vec<CfqStatistics>,
        /// With what is below the group.
        2 cfq_recursive: Vec<CfqStatistics>,
        3 throttling: Vec<ThrottlingStatistics>,
    }

    /// The namespace of what follows; never sent itself.
    pub struct Blkio {}

    /// The namespace of what follows; never sent itself.
    pub struct Cfq {}

    /// The namespace of what follows; never sent itself.
    pub struct Throttling {}
}

enumeration! {
    /// What is done with a block device.
    pub enum BlkioOperation {
        Unknown = 0 "UNKNOWN",
        Total = 1 "TOTAL",
        Read = 2 "READ",
        Write = 3 "WRITE",
        Sync = 4 "SYNC",
        Async = 5 "ASYNC",
        Discard = 6 "DISCARD",
    }
}
