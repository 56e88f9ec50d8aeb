//! What operators, and the default executor, ask of an agent.

use std::collections::BTreeMap;

use crate::v1::agent::process_io::ProcessIo;
use crate::v1::codec::macros::{bodies, enumeration, message};
use crate::v1::{CommandInfo, ContainerId, ContainerInfo, DurationInfo, Image, Resource};
use crate::v1::{ResourceProviderId, ResourceProviderInfo, Scalar};

message! {
    /// A call of an operator to the agent. The `type` says which of the bodies counts: see
    /// [`CallBody`].
    pub struct Call {
        1 kind "type": Option<CallType>,
        2 get_metrics: Option<GetMetrics>,
        3 set_logging_level: Option<SetLoggingLevel>,
        4 list_files: Option<ListFiles>,
        5 read_file: Option<ReadFile>,
        20 get_containers: Option<GetContainers>,
        6 launch_nested_container: Option<LaunchNestedContainer>,
        7 wait_nested_container: Option<WaitNestedContainer>,
        8 kill_nested_container: Option<KillNestedContainer>,
        12 remove_nested_container: Option<RemoveNestedContainer>,
        9 launch_nested_container_session: Option<LaunchNestedContainerSession>,
        10 attach_container_input: Option<AttachContainerInput>,
        11 attach_container_output: Option<AttachContainerOutput>,
        13 launch_container: Option<LaunchContainer>,
        14 wait_container: Option<WaitContainer>,
        15 kill_container: Option<KillContainer>,
        16 remove_container: Option<RemoveContainer>,
        17 add_resource_provider_config: Option<AddResourceProviderConfig>,
        18 update_resource_provider_config: Option<UpdateResourceProviderConfig>,
        19 remove_resource_provider_config: Option<RemoveResourceProviderConfig>,
        22 mark_resource_provider_gone: Option<MarkResourceProviderGone>,
        21 prune_images: Option<PruneImages>,
    }

    /// The body of `GET_METRICS`.
    pub struct GetMetrics {
        /// What takes longer is left out.
        1 timeout: Option<DurationInfo>,
    }

    /// The body of `SET_LOGGING_LEVEL`.
    pub struct SetLoggingLevel {
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

    /// The body of `GET_CONTAINERS`.
    pub struct GetContainers {
        /// Those in others too.
        1 show_nested: Option<bool>,
        /// Those of nobody too.
        2 show_standalone: Option<bool>,
    }

    /// The body of `LAUNCH_NESTED_CONTAINER`.
    pub struct LaunchNestedContainer {
        /// The container.
        1 container_id: ContainerId,
        2 command: Option<CommandInfo>,
        3 container: Option<Box<ContainerInfo>>,
    }

    /// The body of `WAIT_NESTED_CONTAINER`.
    pub struct WaitNestedContainer {
        1 container_id: ContainerId,
    }

    /// The body of `KILL_NESTED_CONTAINER`.
    pub struct KillNestedContainer {
        1 container_id: ContainerId,
        /// SIGKILL if not there.
        2 signal: Option<i32>,
    }

    /// The body of `REMOVE_NESTED_CONTAINER`.
    pub struct RemoveNestedContainer {
        1 container_id: ContainerId,
    }

    /// The body of `LAUNCH_NESTED_CONTAINER_SESSION`.
    pub struct LaunchNestedContainerSession {
        /// In another; it ends with the connection.
        1 container_id: ContainerId,
        2 command: Option<CommandInfo>,
        /// With a terminal to talk to it.
        3 container: Option<Box<ContainerInfo>>,
    }

    /// The body of `ATTACH_CONTAINER_INPUT`.
    pub struct AttachContainerInput {
        /// The first record names the container, the others are its input.
        1 kind "type": Option<AttachContainerInputType>,
        2 container_id: Option<ContainerId>,
        3 process_io: Option<ProcessIo>,
    }

    /// The body of `ATTACH_CONTAINER_OUTPUT`.
    pub struct AttachContainerOutput {
        1 container_id: ContainerId,
    }

    /// The body of `LAUNCH_CONTAINER`.
    pub struct LaunchContainer {
        /// The container.
        1 container_id: ContainerId,
        2 command: Option<CommandInfo>,
        /// For one of nobody; the master does not count them.
        3 resources: Vec<Resource>,
        4 container: Option<Box<ContainerInfo>>,
        5 limits: BTreeMap<String, Scalar>,
    }

    /// The body of `WAIT_CONTAINER`.
    pub struct WaitContainer {
        1 container_id: ContainerId,
    }

    /// The body of `KILL_CONTAINER`.
    pub struct KillContainer {
        1 container_id: ContainerId,
        /// SIGKILL if not there.
        2 signal: Option<i32>,
    }

    /// The body of `REMOVE_CONTAINER`.
    pub struct RemoveContainer {
        1 container_id: ContainerId,
    }

    /// The body of `ADD_RESOURCE_PROVIDER_CONFIG`.
    pub struct AddResourceProviderConfig {
        1 info: ResourceProviderInfo,
    }

    /// The body of `UPDATE_RESOURCE_PROVIDER_CONFIG`.
    pub struct UpdateResourceProviderConfig {
        1 info: ResourceProviderInfo,
    }

    /// The body of `REMOVE_RESOURCE_PROVIDER_CONFIG`.
    pub struct RemoveResourceProviderConfig {
        1 kind "type": String,
        2 name: String,
    }

    /// The body of `MARK_RESOURCE_PROVIDER_GONE`.
    pub struct MarkResourceProviderGone {
        1 resource_provider_id: ResourceProviderId,
    }

    /// The body of `PRUNE_IMAGES`.
    pub struct PruneImages {
        /// These are kept.
        1 excluded_images: Vec<Image>,
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
        GetContainers = 10 "GET_CONTAINERS",
        GetFrameworks = 11 "GET_FRAMEWORKS",
        GetExecutors = 12 "GET_EXECUTORS",
        GetOperations = 31 "GET_OPERATIONS",
        GetTasks = 13 "GET_TASKS",
        GetAgent = 20 "GET_AGENT",
        GetResourceProviders = 26 "GET_RESOURCE_PROVIDERS",
        LaunchNestedContainer = 14 "LAUNCH_NESTED_CONTAINER",
        WaitNestedContainer = 15 "WAIT_NESTED_CONTAINER",
        KillNestedContainer = 16 "KILL_NESTED_CONTAINER",
        RemoveNestedContainer = 21 "REMOVE_NESTED_CONTAINER",
        LaunchNestedContainerSession = 17 "LAUNCH_NESTED_CONTAINER_SESSION",
        AttachContainerInput = 18 "ATTACH_CONTAINER_INPUT",
        AttachContainerOutput = 19 "ATTACH_CONTAINER_OUTPUT",
        LaunchContainer = 22 "LAUNCH_CONTAINER",
        WaitContainer = 23 "WAIT_CONTAINER",
        KillContainer = 24 "KILL_CONTAINER",
        RemoveContainer = 25 "REMOVE_CONTAINER",
        AddResourceProviderConfig = 27 "ADD_RESOURCE_PROVIDER_CONFIG",
        UpdateResourceProviderConfig = 28 "UPDATE_RESOURCE_PROVIDER_CONFIG",
        RemoveResourceProviderConfig = 29 "REMOVE_RESOURCE_PROVIDER_CONFIG",
        MarkResourceProviderGone = 32 "MARK_RESOURCE_PROVIDER_GONE",
        PruneImages = 30 "PRUNE_IMAGES",
    }

    /// What a record of input is.
    pub enum AttachContainerInputType {
        Unknown = 0 "UNKNOWN",
        ContainerId = 1 "CONTAINER_ID",
        ProcessIo = 2 "PROCESS_IO",
    }
}

bodies! {
    /// What an operator asks of an agent.
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
        GetContainers(get_containers: GetContainers = default),
        GetFrameworks,
        GetExecutors,
        GetOperations,
        GetTasks,
        GetAgent,
        GetResourceProviders,
        LaunchNestedContainer(launch_nested_container: LaunchNestedContainer),
        WaitNestedContainer(wait_nested_container: WaitNestedContainer),
        KillNestedContainer(kill_nested_container: KillNestedContainer),
        RemoveNestedContainer(remove_nested_container: RemoveNestedContainer),
        LaunchNestedContainerSession(launch_nested_container_session: LaunchNestedContainerSession),
        AttachContainerInput(attach_container_input: AttachContainerInput),
        AttachContainerOutput(attach_container_output: AttachContainerOutput),
        LaunchContainer(launch_container: LaunchContainer),
        WaitContainer(wait_container: WaitContainer),
        KillContainer(kill_container: KillContainer),
        RemoveContainer(remove_container: RemoveContainer),
        AddResourceProviderConfig(add_resource_provider_config: AddResourceProviderConfig),
        UpdateResourceProviderConfig(update_resource_provider_config: UpdateResourceProviderConfig),
        RemoveResourceProviderConfig(remove_resource_provider_config: RemoveResourceProviderConfig),
        MarkResourceProviderGone(mark_resource_provider_gone: MarkResourceProviderGone),
        PruneImages(prune_images: PruneImages = default),
    }
}
