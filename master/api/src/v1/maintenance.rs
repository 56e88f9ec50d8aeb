//! Maintenance: machines that will be out of order, and what frameworks said to it.

use crate::v1::codec::macros::{enumeration, message};
use crate::v1::{FrameworkId, MachineId, TimeInfo, Unavailability};

message! {
    /// Machines that are out of order together.
    pub struct Window {
        1 machine_ids: Vec<MachineId>,
        2 unavailability: Unavailability,
    }

    /// When machines are out of order.
    pub struct Schedule {
        1 windows: Vec<Window>,
    }

    /// The machines that are in maintenance.
    pub struct ClusterStatus {
        1 draining_machines: Vec<DrainingMachine>,
        2 down_machines: Vec<MachineId>,
    }

    /// A machine that is about to be out of order.
    pub struct DrainingMachine {
        1 id: MachineId,
        2 statuses: Vec<InverseOfferStatus>,
    }

    /// What a framework said when it was asked to leave.
    pub struct InverseOfferStatus {
        1 status: InverseOfferAnswer,
        2 framework_id: FrameworkId,
        3 timestamp: TimeInfo,
    }
}

enumeration! {
    /// The answers to an inverse offer.
    pub enum InverseOfferAnswer {
        Unknown = 1 "UNKNOWN",
        Accept = 2 "ACCEPT",
        Decline = 3 "DECLINE",
    }
}
