//! The nouns of a cluster: ids, resources and their algebra, roles, tasks, statuses, offers.
//!
//! Everything here is plain data that prints, compares and travels. Nothing here knows of actors,
//! clocks or sockets. What came from outside is checked where it becomes one of these types, and a
//! wrong text, number or document is an error, never a panic.
//!
//! ```
//! use types::{AgentId, CommandInfo, FrameworkId, Resources, TaskId, TaskInfo};
//!
//! let offered: Resources = "cpus:4;mem:1024;ports:[31000-32000]".parse()?;
//! let need = Resources::new().cpus(0.1).mem_mib(32);
//! assert_eq!(offered.count(&need), 32);
//!
//! let agent = AgentId::new("agent-1")?;
//! let task =
//!     TaskInfo::command(TaskId::new("t1")?, agent.clone(), CommandInfo::shell("sleep 60"), need);
//! task.validate(&FrameworkId::new("sleepers")?, &agent)?;
//! assert_eq!((&offered - &task.resources).to_string(), "cpus:3.9; mem:992; ports:[31000-32000]");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod agent;
mod algebra;
mod attributes;
mod bytes_size;
mod command;
mod discovery;
mod disk;
mod drain;
mod duration;
mod error;
mod executor;
mod filter;
mod fit;
mod framework;
mod ids;
mod json;
mod labels;
mod master;
mod offer;
mod opaque;
mod operation;
mod parse;
mod quantities;
mod ranges;
mod reason;
mod reservation;
mod resource;
mod resource_name;
mod resources;
mod role;
mod scalar;
mod set;
mod state;
mod status;
mod task;
mod value;

pub use agent::{AgentCapability, AgentInfo, FaultDomain};
pub use attributes::{Attribute, AttributeValue, Attributes, MAX_ATTRIBUTES};
pub use bytes_size::{format_bytes, parse_bytes};
pub use command::{
    CommandInfo, Environment, MAX_COMMAND_BYTES, MAX_ENVIRONMENT_BYTES, MAX_URIS, Uri,
};
pub use discovery::{DiscoveryInfo, Port, Visibility};
pub use disk::{DiskInfo, DiskSource, DiskSourceKind, Persistence, Volume, VolumeMode};
pub use drain::DrainConfig;
pub use duration::{format_duration, parse_duration};
pub use error::{InvalidId, InvalidInfo, InvalidRole, ParseError, ResourceError};
pub use executor::{ExecutorInfo, ExecutorKind, MAX_DATA_BYTES, MAX_TASK_DATA_BYTES};
pub use framework::{
    DEFAULT_FAILOVER_TIMEOUT, FrameworkCapability, FrameworkInfo, MAX_FAILOVER_TIMEOUT, MAX_ROLES,
};
pub use ids::{
    AgentId, ContainerId, ExecutorId, FrameworkId, MAX_ID_BYTES, OfferId, TaskId, UpdateId,
};
pub use labels::{Label, Labels, MAX_LABELS, MAX_LABELS_BYTES};
pub use master::MasterInfo;
pub use offer::{DEFAULT_REFUSE, Filters, MAX_REFUSE, Offer};
pub use opaque::{MAX_OPAQUE_BYTES, Opaque};
pub use operation::{Conversion, Operation};
pub use quantities::{ResourceLimits, ResourceQuantities};
pub use ranges::{MAX_RANGES, Range, Ranges};
pub use reason::Reason;
pub use reservation::{Reservation, ReservationKind};
pub use resource::{MAX_RESERVATIONS, Resource};
pub use resource_name::{MAX_RESOURCE_NAME_BYTES, ResourceName};
pub use resources::{MAX_RESOURCES, Resources};
pub use role::{MAX_ROLE_BYTES, MAX_ROLE_LEVELS, Role};
pub use scalar::{MAX_SCALAR_UNITS, Scalar};
pub use set::{MAX_SET_ITEMS, Set};
pub use state::TaskState;
pub use status::{ContainerStatus, MAX_MESSAGE_BYTES, Source, TaskStatus};
pub use task::{KillPolicy, MAX_STATUSES, MAX_TASK_DURATION, Task, TaskInfo};
pub use value::Value;
