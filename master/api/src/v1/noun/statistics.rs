//! What containers use, as measured.

use crate::v1::codec::macros::message;
use crate::v1::{BlkioStatistics, ContainerId, DiskSource, ExecutorInfo, Labels, PerfStatistics};
use crate::v1::{Persistence, Range, Resource, SnmpStatistics, TaskId};

message! {
    /// What a container uses.
    pub struct ResourceStatistics {
        1 timestamp: f64,
        30 processes: Option<u32>,
        31 threads: Option<u32>,
        2 cpus_user_time_secs: Option<f64>,
        3 cpus_system_time_secs: Option<f64>,
        4 cpus_limit: Option<f64>,
        45 cpus_soft_limit: Option<f64>,
        7 cpus_nr_periods: Option<u32>,
        8 cpus_nr_throttled: Option<u32>,
        9 cpus_throttled_time_secs: Option<f64>,
        36 mem_total_bytes: Option<u64>,
        37 mem_total_memsw_bytes: Option<u64>,
        52 mem_kmem_usage_bytes: Option<u64>,
        53 mem_kmem_tcp_usage_bytes: Option<u64>,
        6 mem_limit_bytes: Option<u64>,
        38 mem_soft_limit_bytes: Option<u64>,
        10 mem_file_bytes: Option<u64>,
        11 mem_anon_bytes: Option<u64>,
        39 mem_cache_bytes: Option<u64>,
        5 mem_rss_bytes: Option<u64>,
        12 mem_mapped_file_bytes: Option<u64>,
        40 mem_swap_bytes: Option<u64>,
        41 mem_unevictable_bytes: Option<u64>,
        32 mem_low_pressure_counter: Option<u64>,
        33 mem_medium_pressure_counter: Option<u64>,
        34 mem_critical_pressure_counter: Option<u64>,
        26 disk_limit_bytes: Option<u64>,
        27 disk_used_bytes: Option<u64>,
        43 disk_statistics: Vec<DiskStatistics>,
        44 blkio_statistics: Option<BlkioStatistics>,
        13 perf: Option<Box<PerfStatistics>>,
        14 net_rx_packets: Option<u64>,
        15 net_rx_bytes: Option<u64>,
        16 net_rx_errors: Option<u64>,
        17 net_rx_dropped: Option<u64>,
        18 net_tx_packets: Option<u64>,
        19 net_tx_bytes: Option<u64>,
        20 net_tx_errors: Option<u64>,
        21 net_tx_dropped: Option<u64>,
        46 net_tx_rate_limit: Option<u64>,
        47 net_tx_burst_rate_limit: Option<u64>,
        48 net_tx_burst_size: Option<u64>,
        49 net_rx_rate_limit: Option<u64>,
        50 net_rx_burst_rate_limit: Option<u64>,
        51 net_rx_burst_size: Option<u64>,
        54 net_rate_statistics: Option<RateStatistics>,
        55 net_ephemeral_ports: Option<Range>,
        22 net_tcp_rtt_microsecs_p50: Option<f64>,
        23 net_tcp_rtt_microsecs_p90: Option<f64>,
        24 net_tcp_rtt_microsecs_p95: Option<f64>,
        25 net_tcp_rtt_microsecs_p99: Option<f64>,
        28 net_tcp_active_connections: Option<f64>,
        29 net_tcp_time_wait_connections: Option<f64>,
        35 net_traffic_control_statistics: Vec<TrafficControlStatistics>,
        42 net_snmp_statistics: Option<Box<SnmpStatistics>>,
    }

    /// How a rate is spread.
    pub struct RatePercentiles {
        1 min: Option<u64>,
        2 max: Option<u64>,
        3 p50: Option<u64>,
        4 p90: Option<u64>,
        5 p95: Option<u64>,
        6 p99: Option<u64>,
        7 p999: Option<u64>,
        8 p9999: Option<u64>,
        9 samples: Option<u64>,
    }

    /// How the rates of a network are spread.
    pub struct RateStatistics {
        1 rx_rate: Option<Box<RatePercentiles>>,
        2 rx_packet_rate: Option<Box<RatePercentiles>>,
        3 rx_drop_rate: Option<Box<RatePercentiles>>,
        4 rx_error_rate: Option<Box<RatePercentiles>>,
        5 tx_rate: Option<Box<RatePercentiles>>,
        6 tx_packet_rate: Option<Box<RatePercentiles>>,
        7 tx_drop_rate: Option<Box<RatePercentiles>>,
        8 tx_error_rate: Option<Box<RatePercentiles>>,
        9 sampling_window_secs: Option<f64>,
        10 sampling_interval_secs: Option<f64>,
    }

    /// What traffic control counts.
    pub struct TrafficControlStatistics {
        1 id: String,
        2 backlog: Option<u64>,
        3 bytes: Option<u64>,
        4 drops: Option<u64>,
        5 overlimits: Option<u64>,
        6 packets: Option<u64>,
        7 qlen: Option<u64>,
        8 ratebps: Option<u64>,
        9 ratepps: Option<u64>,
        10 requeues: Option<u64>,
    }

    /// What is used of a disk.
    pub struct DiskStatistics {
        1 source: Option<Box<DiskSource>>,
        2 persistence: Option<Persistence>,
        3 limit_bytes: Option<u64>,
        4 used_bytes: Option<u64>,
    }

    /// What the executors of an agent use.
    pub struct ResourceUsage {
        1 executors: Vec<ExecutorUsage>,
        2 total: Vec<Resource>,
    }

    /// What an executor uses.
    pub struct ExecutorUsage {
        1 executor_info: ExecutorInfo,
        /// What it and its tasks were given.
        2 allocated: Vec<Resource>,
        3 statistics: Option<Box<ResourceStatistics>>,
        4 container_id: ContainerId,
        5 tasks: Vec<TaskUsage>,
    }

    /// What a task may use.
    pub struct TaskUsage {
        1 name: String,
        2 id: TaskId,
        3 resources: Vec<Resource>,
        4 labels: Option<Labels>,
    }
}
