//! What the master answers operators.

use bytes::Bytes;

use crate::v1::codec::macros::{bodies, enumeration, message};
use crate::v1::maintenance::{ClusterStatus, Schedule};
use crate::v1::quota::QuotaStatus;
use crate::v1::scheduler::constraints::OfferConstraints;
use crate::v1::{AgentCapability, AgentId, AgentInfo, DrainInfo, ExecutorInfo, FileInfo, Flag};
use crate::v1::{FrameworkInfo, InverseOffer, MasterInfo, Metric, Offer, Operation, Resource};
use crate::v1::{ResourceProviderInfo, Role, Task, TimeInfo, VersionInfo, WeightInfo};

message! {
    /// What the master answers to an operator. The `type` says which of the bodies counts: see
    /// [`ResponseBody`].
    pub struct Response {
        1 kind "type": Option<ResponseType>,
        2 get_health: Option<GetHealth>,
        3 get_flags: Option<GetFlags>,
        4 get_version: Option<GetVersion>,
        5 get_metrics: Option<GetMetrics>,
        6 get_logging_level: Option<GetLoggingLevel>,
        7 list_files: Option<ListFiles>,
        8 read_file: Option<ReadFile>,
        9 get_state: Option<GetState>,
        10 get_agents: Option<GetAgents>,
        11 get_frameworks: Option<GetFrameworks>,
        12 get_executors: Option<GetExecutors>,
        20 get_operations: Option<GetOperations>,
        13 get_tasks: Option<GetTasks>,
        14 get_roles: Option<GetRoles>,
        15 get_weights: Option<GetWeights>,
        16 get_master: Option<GetMaster>,
        17 get_maintenance_status: Option<GetMaintenanceStatus>,
        18 get_maintenance_schedule: Option<GetMaintenanceSchedule>,
        19 get_quota: Option<GetQuota>,
    }

    /// The answer to `GET_HEALTH`.
    pub struct GetHealth {
        1 healthy: bool,
    }

    /// The answer to `GET_FLAGS`.
    pub struct GetFlags {
        1 flags: Vec<Flag>,
    }

    /// The answer to `GET_VERSION`.
    pub struct GetVersion {
        1 version_info: VersionInfo,
    }

    /// The answer to `GET_METRICS`.
    pub struct GetMetrics {
        1 metrics: Vec<Metric>,
    }

    /// The answer to `GET_LOGGING_LEVEL`.
    pub struct GetLoggingLevel {
        1 level: u32,
    }

    /// The answer to `LIST_FILES`.
    pub struct ListFiles {
        1 file_infos: Vec<FileInfo>,
    }

    /// The answer to `READ_FILE`.
    pub struct ReadFile {
        /// The whole file, in bytes.
        1 size: u64,
        /// Opaque bytes.
        2 data: Bytes,
    }

    /// The answer to `GET_STATE`.
    pub struct GetState {
        1 get_tasks: Option<GetTasks>,
        2 get_executors: Option<GetExecutors>,
        3 get_frameworks: Option<GetFrameworks>,
        4 get_agents: Option<GetAgents>,
    }

    /// The answer to `GET_AGENTS`.
    pub struct GetAgents {
        /// Those that are registered.
        1 agents: Vec<Agent> = [],
        /// Those that have not come back since the master started.
        2 recovered_agents: Vec<AgentInfo> = [],
    }

    /// An agent, as the master sees it.
    pub struct Agent {
        1 agent_info: AgentInfo,
        /// It is offered.
        2 active: bool,
        /// An operator said that it is not.
        12 deactivated: Option<bool>,
        3 version: String,
        4 pid: Option<String>,
        5 registered_time: Option<TimeInfo>,
        6 reregistered_time: Option<TimeInfo>,
        /// Everything it has.
        7 total_resources: Vec<Resource>,
        /// What is used.
        8 allocated_resources: Vec<Resource>,
        /// What is offered.
        9 offered_resources: Vec<Resource>,
        10 capabilities: Vec<AgentCapability>,
        11 resource_providers: Vec<ResourceProvider>,
        13 drain_info: Option<DrainInfo>,
        14 estimated_drain_start_time: Option<TimeInfo>,
    }

    /// A resource provider and what it has.
    pub struct ResourceProvider {
        1 resource_provider_info: ResourceProviderInfo,
        2 total_resources: Vec<Resource>,
    }

    /// The answer to `GET_FRAMEWORKS`.
    pub struct GetFrameworks {
        1 frameworks: Vec<Framework> = [],
        /// Those that have ended, the latest.
        2 completed_frameworks: Vec<Framework> = [],
        /// Deprecated: always empty.
        3 recovered_frameworks: Vec<FrameworkInfo>,
    }

    /// A framework, as seen from here.
    pub struct Framework {
        1 framework_info: FrameworkInfo,
        /// It is offered to.
        2 active: bool,
        3 connected: bool,
        /// It has not come back since the master started.
        11 recovered: bool,
        4 registered_time: Option<TimeInfo>,
        5 reregistered_time: Option<TimeInfo>,
        6 unregistered_time: Option<TimeInfo>,
        7 offers: Vec<Offer>,
        8 inverse_offers: Vec<InverseOffer>,
        /// What is used.
        9 allocated_resources: Vec<Resource>,
        10 offered_resources: Vec<Resource>,
        12 offer_constraints: Option<OfferConstraints>,
    }

    /// The answer to `GET_EXECUTORS`.
    pub struct GetExecutors {
        1 executors: Vec<Executor> = [],
        /// Deprecated: always empty.
        2 orphan_executors: Vec<Executor>,
    }

    /// An executor, as seen from here.
    pub struct Executor {
        1 executor_info: ExecutorInfo,
        2 agent_id: AgentId,
    }

    /// The answer to `GET_OPERATIONS`.
    pub struct GetOperations {
        1 operations: Vec<Operation>,
    }

    /// The answer to `GET_TASKS`.
    pub struct GetTasks {
        /// Deprecated.
        1 pending_tasks: Vec<Task>,
        /// Those that live, or whose end is not acknowledged.
        2 tasks: Vec<Task> = [],
        /// Those whose agents do not answer.
        5 unreachable_tasks: Vec<Task> = [],
        /// Those whose end is acknowledged.
        3 completed_tasks: Vec<Task> = [],
        /// Deprecated: always empty.
        4 orphan_tasks: Vec<Task>,
    }

    /// The answer to `GET_ROLES`.
    pub struct GetRoles {
        1 roles: Vec<Role>,
    }

    /// The answer to `GET_WEIGHTS`.
    pub struct GetWeights {
        1 weight_infos: Vec<WeightInfo>,
    }

    /// The answer to `GET_MASTER`.
    pub struct GetMaster {
        1 master_info: Option<Box<MasterInfo>>,
        /// Seconds since 1970.
        2 start_time: Option<f64>,
        /// Seconds since 1970.
        3 elected_time: Option<f64>,
    }

    /// The answer to `GET_MAINTENANCE_STATUS`.
    pub struct GetMaintenanceStatus {
        1 status: ClusterStatus,
    }

    /// The answer to `GET_MAINTENANCE_SCHEDULE`.
    pub struct GetMaintenanceSchedule {
        1 schedule: Schedule,
    }

    /// The answer to `GET_QUOTA`.
    pub struct GetQuota {
        1 status: QuotaStatus,
    }
}

enumeration! {
    /// What an operator is answered.
    pub enum ResponseType {
        Unknown = 0 "UNKNOWN",
        GetHealth = 1 "GET_HEALTH",
        GetFlags = 2 "GET_FLAGS",
        GetVersion = 3 "GET_VERSION",
        GetMetrics = 4 "GET_METRICS",
        GetLoggingLevel = 5 "GET_LOGGING_LEVEL",
        ListFiles = 6 "LIST_FILES",
        ReadFile = 7 "READ_FILE",
        GetState = 8 "GET_STATE",
        GetAgents = 9 "GET_AGENTS",
        GetFrameworks = 10 "GET_FRAMEWORKS",
        GetExecutors = 11 "GET_EXECUTORS",
        GetOperations = 19 "GET_OPERATIONS",
        GetTasks = 12 "GET_TASKS",
        GetRoles = 13 "GET_ROLES",
        GetWeights = 14 "GET_WEIGHTS",
        GetMaster = 15 "GET_MASTER",
        GetMaintenanceStatus = 16 "GET_MAINTENANCE_STATUS",
        GetMaintenanceSchedule = 17 "GET_MAINTENANCE_SCHEDULE",
        GetQuota = 18 "GET_QUOTA",
    }
}

bodies! {
    /// What the master answers an operator.
    pub enum ResponseBody of Response, ResponseType {
        GetHealth(get_health: GetHealth),
        GetFlags(get_flags: GetFlags = default),
        GetVersion(get_version: GetVersion),
        GetMetrics(get_metrics: GetMetrics = default),
        GetLoggingLevel(get_logging_level: GetLoggingLevel),
        ListFiles(list_files: ListFiles = default),
        ReadFile(read_file: ReadFile),
        GetState(get_state: GetState = default),
        GetAgents(get_agents: GetAgents = default),
        GetFrameworks(get_frameworks: GetFrameworks = default),
        GetExecutors(get_executors: GetExecutors = default),
        GetOperations(get_operations: GetOperations = default),
        GetTasks(get_tasks: GetTasks = default),
        GetRoles(get_roles: GetRoles = default),
        GetWeights(get_weights: GetWeights = default),
        GetMaster(get_master: GetMaster = default),
        GetMaintenanceStatus(get_maintenance_status: GetMaintenanceStatus),
        GetMaintenanceSchedule(get_maintenance_schedule: GetMaintenanceSchedule),
        GetQuota(get_quota: GetQuota),
    }
}
