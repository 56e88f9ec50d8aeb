//! Machines: where something is, where it fails together, and when it is out of order.

use crate::v1::codec::macros::{enumeration, message};
use crate::v1::{DurationInfo, TimeInfo};

message! {
    /// Where something listens.
    pub struct Address {
        /// The name of the machine.
        1 hostname: Option<String>,
        /// The address as text.
        2 ip: Option<String>,
        3 port: i32,
    }

    /// Where something is served.
    pub struct Url {
        /// `http` or `https`.
        1 scheme: String,
        2 address: Address,
        3 path: Option<String>,
        4 query: Vec<Parameter>,
        5 fragment: Option<String>,
    }

    /// A name and its value.
    pub struct Parameter {
        1 key: String,
        2 value: String,
    }

    /// A list of parameters.
    pub struct Parameters {
        1 parameter: Vec<Parameter>,
    }

    /// When a machine is out of order.
    pub struct Unavailability {
        /// When it begins.
        1 start: TimeInfo,
        /// How long it lasts; without end if not there.
        2 duration: Option<DurationInfo>,
    }

    /// Names a machine as its agent does.
    pub struct MachineId {
        /// As the agent tells it; case does not matter.
        1 hostname: Option<String>,
        /// As the agent tells it.
        2 ip: Option<String>,
    }

    /// A machine and its maintenance.
    pub struct MachineInfo {
        1 id: MachineId,
        2 mode: Option<MachineMode>,
        3 unavailability: Option<Unavailability>,
    }

    /// What fails together.
    pub struct DomainInfo {
        1 fault_domain: Option<FaultDomain>,
    }

    /// The region and the zone of a machine.
    pub struct FaultDomain {
        1 region: RegionInfo,
        2 zone: ZoneInfo,
    }

    /// A region: far from others.
    pub struct RegionInfo {
        1 name: String,
    }

    /// A zone of a region: near others, on its own power.
    pub struct ZoneInfo {
        1 name: String,
    }
}

enumeration! {
    /// How far the maintenance of a machine is.
    pub enum MachineMode {
        Up = 1 "UP",
        Draining = 2 "DRAINING",
        Down = 3 "DOWN",
    }
}
