//! What an agent answers operators.

use bytes::Bytes;

use crate::v1::codec::macros::{bodies, enumeration, message};
use crate::v1::{AgentInfo, ContainerId, ContainerStatus, DrainConfig, ExecutorId, ExecutorInfo};
use crate::v1::{FileInfo, Flag, FrameworkId, FrameworkInfo, Metric, Operation, Reason, Resource};
use crate::v1::{
    ResourceProviderInfo, ResourceStatistics, Task, TaskResourceLimitation, TaskState,
};
use crate::v1::{TimeInfo, VersionInfo};

message! {
    /// What the agent answers to an operator. The `type` says which of the bodies counts: see
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
        10 get_containers: Option<GetContainers>,
        11 get_frameworks: Option<GetFrameworks>,
        12 get_executors: Option<GetExecutors>,
        18 get_operations: Option<GetOperations>,
        13 get_tasks: Option<GetTasks>,
        15 get_agent: Option<GetAgent>,
        17 get_resource_providers: Option<GetResourceProviders>,
        14 wait_nested_container: Option<WaitNestedContainer>,
        16 wait_container: Option<WaitContainer>,
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
    }

    /// The answer to `GET_CONTAINERS`.
    pub struct GetContainers {
        1 containers: Vec<Container>,
    }

    /// A container of the agent.
    pub struct Container {
        /// The framework.
        1 framework_id: Option<FrameworkId>,
        2 executor_id: Option<ExecutorId>,
        3 executor_name: Option<String>,
        4 container_id: ContainerId,
        5 container_status: Option<ContainerStatus>,
        6 resource_statistics: Option<Box<ResourceStatistics>>,
    }

    /// The answer to `GET_FRAMEWORKS`.
    pub struct GetFrameworks {
        /// Those that live.
        1 frameworks: Vec<Framework> = [],
        2 completed_frameworks: Vec<Framework> = [],
    }

    /// A framework, as seen from here.
    pub struct Framework {
        1 framework_info: FrameworkInfo,
    }

    /// The answer to `GET_EXECUTORS`.
    pub struct GetExecutors {
        /// Those that live.
        1 executors: Vec<Executor> = [],
        2 completed_executors: Vec<Executor> = [],
    }

    /// An executor, as seen from here.
    pub struct Executor {
        1 executor_info: ExecutorInfo,
    }

    /// The answer to `GET_OPERATIONS`.
    pub struct GetOperations {
        1 operations: Vec<Operation>,
    }

    /// The answer to `GET_TASKS`.
    pub struct GetTasks {
        /// Those whose executor is not started.
        1 pending_tasks: Vec<Task> = [],
        /// Those that wait for their executor.
        2 queued_tasks: Vec<Task> = [],
        /// Those their executor has.
        3 launched_tasks: Vec<Task> = [],
        /// Those whose end is not acknowledged.
        4 terminated_tasks: Vec<Task> = [],
        /// Those whose end is acknowledged.
        5 completed_tasks: Vec<Task> = [],
    }

    /// The answer to `GET_AGENT`.
    pub struct GetAgent {
        1 agent_info: Option<Box<AgentInfo>>,
        2 drain_config: Option<DrainConfig>,
        3 estimated_drain_start_time: Option<TimeInfo>,
    }

    /// The answer to `GET_RESOURCE_PROVIDERS`.
    pub struct GetResourceProviders {
        1 resource_providers: Vec<ResourceProvider>,
    }

    /// A resource provider and what it has.
    pub struct ResourceProvider {
        1 resource_provider_info: ResourceProviderInfo,
        2 total_resources: Vec<Resource>,
    }

    /// The answer to `WAIT_NESTED_CONTAINER`.
    pub struct WaitNestedContainer {
        /// As `wait(2)` tells it.
        1 exit_status: Option<i32>,
        /// If the agent ended it, the state of its task.
        2 state: Option<TaskState>,
        3 reason: Option<Reason>,
        /// What it used more of than it may.
        4 limitation: Option<TaskResourceLimitation>,
        /// A text for people.
        5 message: Option<String>,
    }

    /// The answer to `WAIT_CONTAINER`.
    pub struct WaitContainer {
        /// As `wait(2)` tells it.
        1 exit_status: Option<i32>,
        /// If the agent ended it, the state of its task.
        2 state: Option<TaskState>,
        3 reason: Option<Reason>,
        /// What it used more of than it may.
        4 limitation: Option<TaskResourceLimitation>,
        /// A text for people.
        5 message: Option<String>,
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
        GetContainers = 9 "GET_CONTAINERS",
        GetFrameworks = 10 "GET_FRAMEWORKS",
        GetExecutors = 11 "GET_EXECUTORS",
        GetOperations = 17 "GET_OPERATIONS",
        GetTasks = 12 "GET_TASKS",
        GetAgent = 14 "GET_AGENT",
        GetResourceProviders = 16 "GET_RESOURCE_PROVIDERS",
        WaitNestedContainer = 13 "WAIT_NESTED_CONTAINER",
        WaitContainer = 15 "WAIT_CONTAINER",
    }
}

bodies! {
    /// What an agent answers an operator.
    pub enum ResponseBody of Response, ResponseType {
        GetHealth(get_health: GetHealth),
        GetFlags(get_flags: GetFlags = default),
        GetVersion(get_version: GetVersion),
        GetMetrics(get_metrics: GetMetrics = default),
        GetLoggingLevel(get_logging_level: GetLoggingLevel),
        ListFiles(list_files: ListFiles = default),
        ReadFile(read_file: ReadFile),
        GetState(get_state: GetState = default),
        GetContainers(get_containers: GetContainers = default),
        GetFrameworks(get_frameworks: GetFrameworks = default),
        GetExecutors(get_executors: GetExecutors = default),
        GetOperations(get_operations: GetOperations = default),
        GetTasks(get_tasks: GetTasks = default),
        GetAgent(get_agent: GetAgent = default),
        GetResourceProviders(get_resource_providers: GetResourceProviders = default),
        WaitNestedContainer(wait_nested_container: WaitNestedContainer = default),
        WaitContainer(wait_container: WaitContainer = default),
    }
}
