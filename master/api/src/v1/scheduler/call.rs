//! What schedulers ask of the master.

use bytes::Bytes;

use crate::v1::codec::macros::{bodies, enumeration, message};
use crate::v1::scheduler::constraints::OfferConstraints;
use crate::v1::{AgentId, ExecutorId, Filters, FrameworkId, FrameworkInfo, KillPolicy, OfferId};
use crate::v1::{OfferOperation, OperationId, ResourceProviderId, TaskId};

message! {
    /// A call of a scheduler to the master. The `type` says which of the bodies counts: see
    /// [`CallBody`].
    pub struct Call {
        /// Not there at the first subscription only.
        1 framework_id: Option<FrameworkId>,
        2 kind "type": Option<CallType>,
        3 subscribe: Option<Subscribe>,
        4 accept: Option<Accept>,
        5 decline: Option<Decline>,
        13 accept_inverse_offers: Option<AcceptInverseOffers>,
        14 decline_inverse_offers: Option<DeclineInverseOffers>,
        15 revive: Option<Revive>,
        6 kill: Option<Kill>,
        7 shutdown: Option<Shutdown>,
        8 acknowledge: Option<Acknowledge>,
        17 acknowledge_operation_status: Option<AcknowledgeOperationStatus>,
        9 reconcile: Option<Reconcile>,
        18 reconcile_operations: Option<ReconcileOperations>,
        10 message: Option<Message>,
        11 request: Option<Request>,
        16 suppress: Option<Suppress>,
        19 update_framework: Option<UpdateFramework>,
    }

    /// The body of `SUBSCRIBE`.
    pub struct Subscribe {
        1 framework_info: FrameworkInfo,
        /// The roles that get no offers at first.
        2 suppressed_roles: Vec<String>,
        /// Which agents it wants to be offered.
        3 offer_constraints: Option<OfferConstraints>,
    }

    /// The body of `ACCEPT`.
    pub struct Accept {
        /// All of one agent and role.
        1 offer_ids: Vec<OfferId>,
        /// In order.
        2 operations: Vec<OfferOperation>,
        /// For what is left over.
        3 filters: Option<Filters>,
    }

    /// The body of `DECLINE`.
    pub struct Decline {
        /// The offers.
        1 offer_ids: Vec<OfferId>,
        2 filters: Option<Filters>,
    }

    /// The body of `ACCEPT_INVERSE_OFFERS`.
    pub struct AcceptInverseOffers {
        1 inverse_offer_ids: Vec<OfferId>,
        2 filters: Option<Filters>,
    }

    /// The body of `DECLINE_INVERSE_OFFERS`.
    pub struct DeclineInverseOffers {
        1 inverse_offer_ids: Vec<OfferId>,
        2 filters: Option<Filters>,
    }

    /// The body of `REVIVE`.
    pub struct Revive {
        /// All if none.
        1 roles: Vec<String>,
    }

    /// The body of `KILL`.
    pub struct Kill {
        1 task_id: TaskId,
        /// Where it may be, if the master does not know the task.
        2 agent_id: Option<AgentId>,
        /// Instead of that of the task.
        3 kill_policy: Option<KillPolicy>,
    }

    /// The body of `SHUTDOWN`.
    pub struct Shutdown {
        1 executor_id: ExecutorId,
        /// The agent.
        2 agent_id: AgentId,
    }

    /// The body of `ACKNOWLEDGE`.
    pub struct Acknowledge {
        /// The agent.
        1 agent_id: AgentId,
        /// The task.
        2 task_id: TaskId,
        /// As the news had it.
        3 uuid: Bytes,
    }

    /// The body of `ACKNOWLEDGE_OPERATION_STATUS`.
    pub struct AcknowledgeOperationStatus {
        /// The agent.
        1 agent_id: Option<AgentId>,
        /// The resource provider.
        2 resource_provider_id: Option<ResourceProviderId>,
        /// As the news had it.
        3 uuid: Bytes,
        /// As the news had it.
        4 operation_id: OperationId,
    }

    /// The body of `RECONCILE`.
    pub struct Reconcile {
        /// All if none.
        1 tasks: Vec<ReconcileTask>,
    }

    /// A task to tell of.
    pub struct ReconcileTask {
        1 task_id: TaskId,
        /// The agent.
        2 agent_id: Option<AgentId>,
    }

    /// The body of `RECONCILE_OPERATIONS`.
    pub struct ReconcileOperations {
        /// All if none.
        1 operations: Vec<ReconcileOperation>,
    }

    /// An operation to tell of.
    pub struct ReconcileOperation {
        1 operation_id: OperationId,
        /// The agent.
        2 agent_id: Option<AgentId>,
        3 resource_provider_id: Option<ResourceProviderId>,
    }

    /// The body of `MESSAGE`.
    pub struct Message {
        1 agent_id: AgentId,
        /// The executor.
        2 executor_id: ExecutorId,
        /// Opaque bytes.
        3 data: Bytes,
    }

    /// The body of `REQUEST`.
    pub struct Request {
        1 requests: Vec<crate::v1::Request>,
    }

    /// The body of `SUPPRESS`.
    pub struct Suppress {
        /// All if none.
        1 roles: Vec<String>,
    }

    /// The body of `UPDATE_FRAMEWORK`.
    pub struct UpdateFramework {
        /// As it shall be; id, user, principal and checkpoint cannot change.
        1 framework_info: FrameworkInfo,
        /// Instead of what was there.
        2 suppressed_roles: Vec<String>,
        /// Instead of what was there.
        3 offer_constraints: Option<OfferConstraints>,
    }
}

enumeration! {
    /// What a scheduler can ask.
    pub enum CallType {
        Unknown = 0 "UNKNOWN",
        Subscribe = 1 "SUBSCRIBE",
        Teardown = 2 "TEARDOWN",
        Accept = 3 "ACCEPT",
        Decline = 4 "DECLINE",
        AcceptInverseOffers = 13 "ACCEPT_INVERSE_OFFERS",
        DeclineInverseOffers = 14 "DECLINE_INVERSE_OFFERS",
        Revive = 5 "REVIVE",
        Kill = 6 "KILL",
        Shutdown = 7 "SHUTDOWN",
        Acknowledge = 8 "ACKNOWLEDGE",
        AcknowledgeOperationStatus = 15 "ACKNOWLEDGE_OPERATION_STATUS",
        Reconcile = 9 "RECONCILE",
        ReconcileOperations = 16 "RECONCILE_OPERATIONS",
        Message = 10 "MESSAGE",
        Request = 11 "REQUEST",
        Suppress = 12 "SUPPRESS",
        UpdateFramework = 17 "UPDATE_FRAMEWORK",
    }
}

bodies! {
    /// What a scheduler asks of the master.
    pub enum CallBody of Call, CallType {
        Subscribe(subscribe: Subscribe),
        Teardown,
        Accept(accept: Accept),
        Decline(decline: Decline),
        AcceptInverseOffers(accept_inverse_offers: AcceptInverseOffers),
        DeclineInverseOffers(decline_inverse_offers: DeclineInverseOffers),
        Revive(revive: Revive = default),
        Kill(kill: Kill),
        Shutdown(shutdown: Shutdown),
        Acknowledge(acknowledge: Acknowledge),
        AcknowledgeOperationStatus(acknowledge_operation_status: AcknowledgeOperationStatus),
        Reconcile(reconcile: Reconcile),
        ReconcileOperations(reconcile_operations: ReconcileOperations),
        Message(message: Message),
        Request(request: Request),
        Suppress(suppress: Suppress = default),
        UpdateFramework(update_framework: UpdateFramework),
    }
}
