//! What the master tells schedulers.

use bytes::Bytes;

use crate::v1::codec::macros::{bodies, enumeration, message};
use crate::v1::{AgentId, ExecutorId, FrameworkId, InverseOffer, MasterInfo, Offer, OfferId};
use crate::v1::{OperationStatus, TaskStatus};

message! {
    /// An event the master sends to a scheduler. The `type` says which of the bodies counts: see
    /// [`EventBody`].
    pub struct Event {
        1 kind "type": Option<EventType>,
        2 subscribed: Option<Subscribed>,
        3 offers: Option<Offers>,
        9 inverse_offers: Option<InverseOffers>,
        4 rescind: Option<Rescind>,
        10 rescind_inverse_offer: Option<RescindInverseOffer>,
        5 update: Option<Update>,
        11 update_operation_status: Option<UpdateOperationStatus>,
        6 message: Option<Message>,
        7 failure: Option<Failure>,
        8 error: Option<Error>,
    }

    /// The body of `SUBSCRIBED`.
    pub struct Subscribed {
        /// The framework.
        1 framework_id: FrameworkId,
        2 heartbeat_interval_seconds: Option<f64>,
        3 master_info: Option<Box<MasterInfo>>,
    }

    /// The body of `OFFERS`.
    pub struct Offers {
        1 offers: Vec<Offer>,
    }

    /// The body of `INVERSE_OFFERS`.
    pub struct InverseOffers {
        1 inverse_offers: Vec<InverseOffer>,
    }

    /// The body of `RESCIND`.
    pub struct Rescind {
        1 offer_id: OfferId,
    }

    /// The body of `RESCIND_INVERSE_OFFER`.
    pub struct RescindInverseOffer {
        1 inverse_offer_id: OfferId,
    }

    /// The body of `UPDATE`.
    pub struct Update {
        1 status: TaskStatus,
    }

    /// The body of `UPDATE_OPERATION_STATUS`.
    pub struct UpdateOperationStatus {
        1 status: OperationStatus,
    }

    /// The body of `MESSAGE`.
    pub struct Message {
        1 agent_id: AgentId,
        /// The executor.
        2 executor_id: ExecutorId,
        /// Opaque bytes.
        3 data: Bytes,
    }

    /// The body of `FAILURE`.
    pub struct Failure {
        /// The agent that was lost, or on which the executor was.
        1 agent_id: Option<AgentId>,
        /// If there, only this executor has ended.
        2 executor_id: Option<ExecutorId>,
        /// As `wait(2)` tells it.
        3 status: Option<i32>,
    }

    /// The body of `ERROR`.
    pub struct Error {
        /// The framework must stop.
        1 message: String,
    }
}

enumeration! {
    /// What a scheduler is told.
    pub enum EventType {
        Unknown = 0 "UNKNOWN",
        Subscribed = 1 "SUBSCRIBED",
        Offers = 2 "OFFERS",
        InverseOffers = 9 "INVERSE_OFFERS",
        Rescind = 3 "RESCIND",
        RescindInverseOffer = 10 "RESCIND_INVERSE_OFFER",
        Update = 4 "UPDATE",
        UpdateOperationStatus = 11 "UPDATE_OPERATION_STATUS",
        Message = 5 "MESSAGE",
        Failure = 6 "FAILURE",
        Error = 7 "ERROR",
        Heartbeat = 8 "HEARTBEAT",
    }
}

bodies! {
    /// What the master tells a scheduler.
    pub enum EventBody of Event, EventType {
        Subscribed(subscribed: Subscribed),
        Offers(offers: Offers),
        InverseOffers(inverse_offers: InverseOffers),
        Rescind(rescind: Rescind),
        RescindInverseOffer(rescind_inverse_offer: RescindInverseOffer),
        Update(update: Update),
        UpdateOperationStatus(update_operation_status: UpdateOperationStatus),
        Message(message: Message),
        Failure(failure: Failure),
        Error(error: Error),
        Heartbeat,
    }
}
