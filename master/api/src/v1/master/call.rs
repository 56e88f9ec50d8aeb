//! What operators ask of the master.

use crate::v1::WeightInfo;
use crate::v1::codec::macros::{bodies, enumeration, message};
use crate::v1::maintenance::Schedule;
use crate::v1::quota::{QuotaConfig, QuotaRequest};
use crate::v1::{AgentId, Duration, DurationInfo, FrameworkId, MachineId, Resource, Scalar};

message! {
    /// A call of an operator to the master. The `type` says which of the bodies counts: see
    /// [`CallBody`].
    pub struct Call {
        1 kind "type": Option<CallType>,
        2 get_metrics: Option<GetMetrics>,
        3 set_logging_level: Option<SetLoggingLevel>,
        4 list_files: Option<ListFiles>,
        5 read_file: Option<ReadFile>,
        6 update_weights: Option<UpdateWeights>,
        7 reserve_resources: Option<ReserveResources>,
        8 unreserve_resources: Option<UnreserveResources>,
        9 create_volumes: Option<CreateVolumes>,
        10 destroy_volumes: Option<DestroyVolumes>,
        18 grow_volume: Option<GrowVolume>,
        19 shrink_volume: Option<ShrinkVolume>,
        11 update_maintenance_schedule: Option<UpdateMaintenanceSchedule>,
        12 start_maintenance: Option<StartMaintenance>,
        13 stop_maintenance: Option<StopMaintenance>,
        21 drain_agent: Option<DrainAgent>,
        22 deactivate_agent: Option<DeactivateAgent>,
        23 reactivate_agent: Option<ReactivateAgent>,
        20 update_quota: Option<UpdateQuota>,
        16 teardown: Option<Teardown>,
        17 mark_agent_gone: Option<MarkAgentGone>,
        14 set_quota: Option<SetQuota>,
        15 remove_quota: Option<RemoveQuota>,
    }

    /// The body of `GET_METRICS`.
    pub struct GetMetrics {
        /// What takes longer is left out.
        1 timeout: Option<DurationInfo>,
    }

    /// The body of `SET_LOGGING_LEVEL`.
    pub struct SetLoggingLevel {
        /// From 0 up, the more the higher.
        1 level: u32,
        /// Then it is as it was.
        2 duration: DurationInfo,
    }

    /// The body of `LIST_FILES`.
    pub struct ListFiles {
        /// As the agent or master calls it, not the machine.
        1 path: String,
    }

    /// The body of `READ_FILE`.
    pub struct ReadFile {
        /// As the agent or master calls it, not the machine.
        1 path: String,
        /// The first byte.
        2 offset: u64,
        /// At most so many bytes; the server may give fewer.
        3 length: Option<u64>,
    }

    /// The body of `UPDATE_WEIGHTS`.
    pub struct UpdateWeights {
        1 weight_infos: Vec<WeightInfo>,
    }

    /// The body of `RESERVE_RESOURCES`.
    pub struct ReserveResources {
        1 agent_id: AgentId,
        /// As they are.
        3 source: Vec<Resource>,
        /// The resources.
        2 resources: Vec<Resource>,
    }

    /// The body of `UNRESERVE_RESOURCES`.
    pub struct UnreserveResources {
        1 agent_id: AgentId,
        /// The resources.
        2 resources: Vec<Resource>,
    }

    /// The body of `CREATE_VOLUMES`.
    pub struct CreateVolumes {
        1 agent_id: AgentId,
        2 volumes: Vec<Resource>,
    }

    /// The body of `DESTROY_VOLUMES`.
    pub struct DestroyVolumes {
        1 agent_id: AgentId,
        2 volumes: Vec<Resource>,
    }

    /// The body of `GROW_VOLUME`.
    pub struct GrowVolume {
        1 agent_id: Option<AgentId>,
        2 volume: Resource,
        /// What it grows by.
        3 addition: Resource,
    }

    /// The body of `SHRINK_VOLUME`.
    pub struct ShrinkVolume {
        1 agent_id: Option<AgentId>,
        2 volume: Resource,
        /// In MiB.
        3 subtract: Scalar,
    }

    /// The body of `UPDATE_MAINTENANCE_SCHEDULE`.
    pub struct UpdateMaintenanceSchedule {
        /// Instead of what was there.
        1 schedule: Schedule,
    }

    /// The body of `START_MAINTENANCE`.
    pub struct StartMaintenance {
        1 machines: Vec<MachineId>,
    }

    /// The body of `STOP_MAINTENANCE`.
    pub struct StopMaintenance {
        1 machines: Vec<MachineId>,
    }

    /// The body of `DRAIN_AGENT`.
    pub struct DrainAgent {
        1 agent_id: AgentId,
        /// No task has longer to stop.
        2 max_grace_period: Option<Duration>,
        /// Once empty, it is gone for good.
        3 mark_gone: bool = false,
    }

    /// The body of `DEACTIVATE_AGENT`.
    pub struct DeactivateAgent {
        1 agent_id: AgentId,
    }

    /// The body of `REACTIVATE_AGENT`.
    pub struct ReactivateAgent {
        1 agent_id: AgentId,
    }

    /// The body of `UPDATE_QUOTA`.
    pub struct UpdateQuota {
        /// Even if there is not enough.
        1 force: Option<bool>,
        /// All or none.
        2 quota_configs: Vec<QuotaConfig>,
    }

    /// The body of `SET_QUOTA`.
    pub struct SetQuota {
        1 quota_request: QuotaRequest,
    }

    /// The body of `REMOVE_QUOTA`.
    pub struct RemoveQuota {
        1 role: String,
    }

    /// The body of `TEARDOWN`.
    pub struct Teardown {
        1 framework_id: FrameworkId,
    }

    /// The body of `MARK_AGENT_GONE`.
    pub struct MarkAgentGone {
        1 agent_id: AgentId,
    }
}

enumeration! {
    /// What an operator can ask.
    pub enum CallType {
        Unknown = 0 "UNKNOWN",
        GetHealth = 1 "GET_HEALTH",
        GetFlags = 2 "GET_FLAGS",
        GetVersion = 3 "GET_VERSION",
        GetMetrics = 4 "GET_METRICS",
        GetLoggingLevel = 5 "GET_LOGGING_LEVEL",
        SetLoggingLevel = 6 "SET_LOGGING_LEVEL",
        ListFiles = 7 "LIST_FILES",
        ReadFile = 8 "READ_FILE",
        GetState = 9 "GET_STATE",
        GetAgents = 10 "GET_AGENTS",
        GetFrameworks = 11 "GET_FRAMEWORKS",
        GetExecutors = 12 "GET_EXECUTORS",
        GetOperations = 33 "GET_OPERATIONS",
        GetTasks = 13 "GET_TASKS",
        GetRoles = 14 "GET_ROLES",
        GetWeights = 15 "GET_WEIGHTS",
        UpdateWeights = 16 "UPDATE_WEIGHTS",
        GetMaster = 17 "GET_MASTER",
        Subscribe = 18 "SUBSCRIBE",
        ReserveResources = 19 "RESERVE_RESOURCES",
        UnreserveResources = 20 "UNRESERVE_RESOURCES",
        CreateVolumes = 21 "CREATE_VOLUMES",
        DestroyVolumes = 22 "DESTROY_VOLUMES",
        GrowVolume = 34 "GROW_VOLUME",
        ShrinkVolume = 35 "SHRINK_VOLUME",
        GetMaintenanceStatus = 23 "GET_MAINTENANCE_STATUS",
        GetMaintenanceSchedule = 24 "GET_MAINTENANCE_SCHEDULE",
        UpdateMaintenanceSchedule = 25 "UPDATE_MAINTENANCE_SCHEDULE",
        StartMaintenance = 26 "START_MAINTENANCE",
        StopMaintenance = 27 "STOP_MAINTENANCE",
        DrainAgent = 37 "DRAIN_AGENT",
        DeactivateAgent = 38 "DEACTIVATE_AGENT",
        ReactivateAgent = 39 "REACTIVATE_AGENT",
        GetQuota = 28 "GET_QUOTA",
        UpdateQuota = 36 "UPDATE_QUOTA",
        SetQuota = 29 "SET_QUOTA",
        RemoveQuota = 30 "REMOVE_QUOTA",
        Teardown = 31 "TEARDOWN",
        MarkAgentGone = 32 "MARK_AGENT_GONE",
    }
}

bodies! {
    /// What an operator asks of the master.
    pub enum CallBody of Call, CallType {
        GetHealth,
        GetFlags,
        GetVersion,
        GetMetrics(get_metrics: GetMetrics),
        GetLoggingLevel,
        SetLoggingLevel(set_logging_level: SetLoggingLevel),
        ListFiles(list_files: ListFiles),
        ReadFile(read_file: ReadFile),
        GetState,
        GetAgents,
        GetFrameworks,
        GetExecutors,
        GetOperations,
        GetTasks,
        GetRoles,
        GetWeights,
        UpdateWeights(update_weights: UpdateWeights),
        GetMaster,
        Subscribe,
        ReserveResources(reserve_resources: ReserveResources),
        UnreserveResources(unreserve_resources: UnreserveResources),
        CreateVolumes(create_volumes: CreateVolumes),
        DestroyVolumes(destroy_volumes: DestroyVolumes),
        GrowVolume(grow_volume: GrowVolume),
        ShrinkVolume(shrink_volume: ShrinkVolume),
        GetMaintenanceStatus,
        GetMaintenanceSchedule,
        UpdateMaintenanceSchedule(update_maintenance_schedule: UpdateMaintenanceSchedule),
        StartMaintenance(start_maintenance: StartMaintenance),
        StopMaintenance(stop_maintenance: StopMaintenance),
        DrainAgent(drain_agent: DrainAgent),
        DeactivateAgent(deactivate_agent: DeactivateAgent),
        ReactivateAgent(reactivate_agent: ReactivateAgent),
        GetQuota,
        UpdateQuota(update_quota: UpdateQuota),
        SetQuota(set_quota: SetQuota),
        RemoveQuota(remove_quota: RemoveQuota),
        Teardown(teardown: Teardown),
        MarkAgentGone(mark_agent_gone: MarkAgentGone),
    }
}
